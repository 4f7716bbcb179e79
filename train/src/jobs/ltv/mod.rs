//! `tributary-train ltv`: what customers will spend, by candidates that are compared on what was held out in time.

mod input;
mod pages;
mod written;

use std::path::PathBuf;

use anyhow::{Result, anyhow, ensure};
use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use domain::Clock;

use self::input::Customers;
use super::run::RunArgs;
use crate::{
    lifetime::{Learned, LifetimeError, Metrics, Plan, Prediction, judge, learn},
    watch::Watch,
};

/// What the job is told.
#[derive(Args, Clone, Debug)]
pub struct Ltv {
    /// A file with a row for each transaction, as CSV or Parquet: customer_id, date, amount, and perhaps partner and campaign,
    /// of which those of the customer's first transaction count
    #[arg(long, value_name = "FILE")]
    transactions: PathBuf,
    /// Another name of a column: amount=total; may be repeated
    #[arg(long, value_name = "FIELD=NAME", value_parser = input::renamed)]
    column: Vec<(String, String)>,
    /// The last day that is learned from; what the file has after it judges
    #[arg(long, value_name = "DATE")]
    calibration_end: NaiveDate,
    /// How many days after it are predicted
    #[arg(long, default_value_t = 365, value_name = "DAYS")]
    horizon_days: u32,
    /// What learns; `auto` and `all` compare all of them, and the best by what was held out before --calibration-end predicts
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    model: Choice,
    #[command(flatten)]
    run: RunArgs,
}

/// What learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// All, and the best of them is taken.
    Auto,
    /// Purchases and their amounts by BG/NBD and Gamma-Gamma.
    Bgnbd,
    /// Tweedie regression.
    Tweedie,
    /// A linear model with both penalties.
    Elasticnet,
    /// A random forest.
    Forest,
    /// Gradient-boosted trees with Tweedie's loss.
    Gbdt,
    /// A network for the chance to spend and a log-normal amount; needs libtorch.
    Ziln,
    /// All, and the best of them is taken; the same as auto.
    All,
}

impl Choice {
    /// The candidates that are asked for; none for all.
    fn candidates(self) -> Vec<String> {
        match self {
            Self::Auto | Self::All => Vec::new(),
            one => one.to_possible_value().into_iter().map(|it| it.get_name().to_owned()).collect(),
        }
    }
}

/// How good a candidate is on what came after calibration.
struct Judged {
    name: &'static str,
    metrics: Metrics,
}

/// All that is said.
struct Said {
    customers: Customers,
    learned: Learned,
    predictions: Vec<Prediction>,
    /// By each candidate, where the file reaches to the end of the horizon.
    judged: Vec<Judged>,
    /// Why there is nothing to judge by.
    unjudged: Option<String>,
}

impl Ltv {
    /// Does the job; says what came of it.
    ///
    /// # Errors
    /// When it cannot be done; nothing is written then.
    pub fn run(&self, clock: &Clock) -> Result<String> {
        ensure!(1 <= self.horizon_days, "--horizon-days is 0, and must be at least 1");
        ensure!(
            cfg!(feature = "torch") || self.model != Choice::Ziln,
            "this build has no libtorch: build with the feature `torch`, or name another --model"
        );
        let (folder, stopped) = self.run.begin()?;
        let watch = Watch::new(4, stopped);
        watch.step("reading transactions")?;
        let customers = Customers::read(&self.transactions, &self.column, clock)?;
        watch.done();
        watch.step("learning")?;
        let plan = Plan {
            calibration_end: input::day_of(self.calibration_end),
            horizon_days: self.horizon_days,
            candidates: self.model.candidates(),
            seed: self.run.seed,
        };
        let learned = learn(&customers.transactions, &plan).map_err(|error| match error {
            LifetimeError::NoWindow { horizon_days, end } => anyhow!(
                "what there is before {} is too little to learn from: it takes a stretch of at least a quarter of the {horizon_days} \
                 days after as long a history, with 100 customers, 20 who came back and 20 buyers; choose a later end of \
                 calibration, or a shorter horizon",
                input::date_of(end)
            ),
            other => other.into(),
        })?;
        watch.done();
        watch.step("judging")?;
        let said = Said::of(customers, learned)?;
        watch.done();
        watch.step("writing files")?;
        written::write(&folder, &said, self)?;
        folder.keep()?;
        watch.done();
        Ok(format!(
            "{}\npredictions, measures and the report are in {}",
            pages::summary(&said),
            self.run.out.display()
        ))
    }
}

impl Said {
    fn of(customers: Customers, learned: Learned) -> Result<Self> {
        let transactions = &customers.transactions;
        let (end, days) = (learned.plan.calibration_end, learned.plan.horizon_days);
        let predictions = learned.predict(transactions)?;
        let last = transactions.last_day().unwrap_or(end);
        let horizon_end = end.saturating_add_unsigned(days);
        let mut said = Self { customers, learned, predictions, judged: Vec::new(), unjudged: None };
        if last < horizon_end {
            said.unjudged = Some(format!(
                "transactions end on {}, before the horizon does on {}, so that nothing is judged",
                input::date_of(last),
                input::date_of(horizon_end)
            ));
            return Ok(said);
        }
        let snapshot = said.learned.snapshot(&said.customers.transactions, end);
        let spent = said.customers.transactions.spent(&snapshot.customers, end, days);
        if spent.iter().sum::<f64>() <= 0.0 {
            said.unjudged =
                Some("nobody spent anything within the horizon, so that nothing is judged".to_owned());
            return Ok(said);
        }
        for fitted in &said.learned.fitted {
            let predictions = said.learned.predict_by(fitted, &snapshot)?;
            said.judged.push(Judged { name: fitted.name, metrics: judge(&predictions, &spent)? });
        }
        Ok(said)
    }

    /// How good what predicts is.
    fn best(&self) -> Option<&Judged> {
        self.judged.iter().find(|judged| judged.name == self.learned.best().name)
    }
}
