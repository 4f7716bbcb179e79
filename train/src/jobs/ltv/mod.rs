//! `tributary-train ltv`: what customers will spend, by candidates that are compared on what was held out in time.

mod export;
mod input;
mod lake;
mod pages;
mod written;

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail, ensure};
use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use domain::{Clock, money::Currency};

use self::input::Customers;
use super::{
    publish::RegistryArgs,
    run::RunArgs,
    table::{self, date_of, day_of},
};
use crate::{
    lifetime::{Learned, LifetimeError, Measures, Metrics, Plan, Prediction, judge, learn, resampled},
    watch::Watch,
};

/// What the job is told.
#[derive(Args, Clone, Debug)]
pub struct Ltv {
    /// A file with a row for each transaction, as CSV or Parquet: customer_id, date, amount, and perhaps partner and campaign,
    /// of which those of the customer's first transaction count
    #[arg(long, value_name = "FILE")]
    transactions: Option<PathBuf>,
    /// Folder, or s3://BUCKET/FOLDER, of the event lake that customers and their orders are taken from
    #[arg(long, value_name = "LAKE", conflicts_with_all = ["transactions", "column"])]
    lake: Option<PathBuf>,
    /// Of a lake: only orders in this currency
    #[arg(long, value_name = "CODE", requires = "lake", conflicts_with = "transactions")]
    currency: Option<Currency>,
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
    #[command(flatten)]
    registry: RegistryArgs,
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
    /// Where the measures of the best lie, where it is judged: their lower and their upper ends.
    intervals: Option<(Measures, Measures)>,
    /// Of each customer who is predicted, what each feature adds.
    reasons: Vec<f64>,
    /// Why there is nothing to judge by.
    unjudged: Option<String>,
}

/// The confidence of intervals of measures, and of how many drawings of customers they come.
const LEVEL: f64 = 0.95;
/// Of fewer customers nothing is learned.
const LEAST_CUSTOMERS: usize = 100;
const DRAWN: u64 = 200;

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
        let watch = Watch::new(5, stopped);
        watch.step("reading transactions")?;
        let mut customers = self.customers(clock)?;
        customers.note_silence(day_of(self.calibration_end));
        watch.done();
        watch.step("learning")?;
        let plan = Plan {
            calibration_end: day_of(self.calibration_end),
            horizon_days: self.horizon_days,
            candidates: self.model.candidates(),
            seed: self.run.seed,
        };
        let learned = learn(&customers.transactions, &plan).map_err(|error| in_words(error, &customers))?;
        watch.done();
        watch.step("judging")?;
        let said = Said::of(customers, learned)?;
        watch.done();
        watch.step("writing files")?;
        let report = pages::report(&said).render()?;
        let publication = export::publication(&said, self, (report.clone(), clock));
        // A model that makes no file predicts all the same.
        let (publication, unpublished) = match publication {
            Ok(publication) => (Some(publication), None),
            Err(error) => (None, Some(format!("no version came of it: {error:#}"))),
        };
        written::write(&folder, &said, self, publication.as_ref())?;
        folder.put("report.html", report.as_bytes())?;
        folder.keep()?;
        watch.done();
        watch.step("publishing")?;
        let version = publication.map(|it| self.registry.publish(&it, &self.run.out)).transpose()?.flatten();
        watch.done();
        let mut told = said.customers.notes.clone();
        told.push(pages::summary(&said));
        told.extend(version.or(unpublished));
        told.push(format!("predictions, measures and the report are in {}", self.run.out.display()));
        Ok(told.join("\n"))
    }

    fn customers(&self, clock: &Clock) -> Result<Customers> {
        match (&self.transactions, &self.lake) {
            (Some(file), _) => Customers::read(file, &self.column, clock),
            (None, Some(lake)) => {
                let end_us = i64::from(day_of(self.calibration_end)).saturating_add(1) * table::DAY_US;
                Customers::of_lake(lake, self.currency, end_us)
            }
            (None, None) => {
                bail!("say which file (--transactions) or which lake (--lake) customers come from")
            }
        }
    }
}

/// The error in words that fit what was read.
fn in_words(error: LifetimeError, customers: &Customers) -> anyhow::Error {
    let LifetimeError::NoWindow { horizon_days, end } = error else { return error.into() };
    let all = &customers.transactions;
    let buyers = (0..all.customers()).filter(|it| !all.of(*it).is_empty()).count();
    if buyers < LEAST_CUSTOMERS {
        return anyhow!(
            "{} tells of {buyers} customers who bought something, and at least {LEAST_CUSTOMERS} are needed to learn from",
            customers.source
        );
    }
    anyhow!(
        "what there is before {} is too little to learn from: it takes a stretch of at least a quarter of the {horizon_days} days \
         after as long a history, with 100 customers, 20 who came back and 20 buyers; choose {} end of calibration, or a \
         shorter horizon",
        date_of(end),
        // An end after all transactions is followed by nothing either.
        if all.last_day() < Some(end) { "an earlier" } else { "a later" }
    )
}

impl Said {
    fn of(customers: Customers, learned: Learned) -> Result<Self> {
        let transactions = &customers.transactions;
        let (end, days) = (learned.plan.calibration_end, learned.plan.horizon_days);
        let predictions = learned.predict(transactions)?;
        let last = transactions.last_day().unwrap_or(end);
        let horizon_end = end.saturating_add_unsigned(days);
        let snapshot = learned.snapshot(transactions, end);
        let reasons = learned.best().reasons(&snapshot, &learned.reasoned())?;
        let (judged, intervals, unjudged) = (Vec::new(), None, None);
        let mut said = Self { customers, learned, predictions, judged, intervals, reasons, unjudged };
        if last < horizon_end {
            said.unjudged = Some(format!(
                "transactions end on {}, before the horizon does on {}, so that nothing is judged",
                date_of(last),
                date_of(horizon_end)
            ));
            return Ok(said);
        }
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
        said.intervals = resampled(&said.predictions, &spent, (DRAWN, LEVEL), said.learned.plan.seed);
        Ok(said)
    }

    /// How good what predicts is.
    fn best(&self) -> Option<&Judged> {
        self.judged.iter().find(|judged| judged.name == self.learned.best().name)
    }
}
