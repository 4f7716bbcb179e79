//! A policy replayed over a file of what happened.

mod input;
mod pages;
mod said;
mod written;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use clap::Args;
use domain::Rate;

use self::{input::HistoryFile, said::Said};
use super::{PolicyJob, simulate::SpendArg};
use crate::{
    policy::{
        Settings, Small,
        backtest::{self, Held, OffPolicy, Plan, elasticities, grid, judge_all, replay},
        tiers::Tiers,
    },
    watch::Watch,
};

pub(super) use self::input::FIELDS;

/// What a backtest is told.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "With --backtest")]
pub struct BacktestArgs {
    /// A file with a row for each partner and period, as CSV or Parquet: partner_id, period_start, rate, conversions, amount or
    /// spend, value or values, and perhaps known_at, propensity, fraud, churn_ratio, source
    #[arg(long, value_name = "FILE", requires = "backtest")]
    history: Option<PathBuf>,
    /// How many days after a period its values and fraud are known, where the file has no column known_at
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(..=3_650))]
    lag_days: Option<u32>,
    /// A column with an outcome that is known when a period is over, such as customers who came back at once; may be repeated
    #[arg(long, value_name = "COLUMN")]
    early: Vec<String>,
    /// The first day that is decided; what is before is only learned from [default: the middle of the history]
    #[arg(long, value_name = "DATE", value_parser = super::decide::at)]
    from: Option<DateTime<Utc>>,
    /// What the policy may spend: as the usual rate is expected to cost, or what pays
    #[arg(long, value_enum, default_value_t = SpendArg::AsFlat)]
    spend: SpendArg,
    /// Rates by the conversions of the period before, to compare with: 0=8%,10=10%, or 0=0.08,10=0.1 [default: the usual rate, a fifth less below 10
    /// conversions, and a fifth more from 50 on]
    #[arg(long, value_name = "TIERS")]
    tiers: Option<Tiers>,
    /// The rates that propensities are of: 8%,10%, or 0.08,0.1 [default: all that were paid, if they are at most 24]
    #[arg(long, value_name = "RATES", value_delimiter = ',', value_parser = crate::rate::rate)]
    grid: Vec<Rate>,
    /// Off-policy estimates are refused below so many effective partners
    #[arg(long, default_value_t = 50.0, value_name = "PARTNERS")]
    least_partners: f64,
    /// Off-policy estimates are refused where a propensity is below this
    #[arg(long, default_value_t = 0.01, value_name = "PROBABILITY")]
    least_propensity: f64,
    /// Count a smaller propensity as --least-propensity, instead of refusing
    #[arg(long)]
    clip: bool,
}

/// Of fewer partners nothing is estimated from a log.
const LEAST_PARTNERS: usize = 20;

/// What the log says.
pub(super) struct Asked {
    /// The rates that were tried, lowest first.
    grid: Vec<Rate>,
    judged: Vec<Judged>,
}

/// A policy as it is judged by the log, or why the log says nothing of it.
pub(super) struct Judged {
    /// Whose rates.
    policy: &'static str,
    /// What became of rates that were not tried.
    held: Held,
    found: OffPolicy,
}

pub(super) fn run(job: &PolicyJob) -> Result<String> {
    let args = &job.backtest_args;
    let path = args.history.as_ref();
    let path = path.context("say --history FILE, with a row for each partner and period")?;
    let settings = args.settings()?;
    let (folder, stopped) = job.run.begin()?;
    let watch = Watch::new(5, stopped);
    watch.step("reading the history")?;
    let rule = job.rule()?;
    let file = HistoryFile::read(path, job)?;
    let plan = Plan {
        policy: rule.policy.clone(),
        contract: rule.contract,
        caution: rule.caution,
        from: args.first(&file)?,
        spend: args.spend.into(),
        currency: file.currency,
        seed: job.run.seed,
    };
    watch.done();
    watch.step("replaying the policy")?;
    let replayed = replay(&file.history, &plan)
        .with_context(|| format!("{} cannot be replayed from there", file.source))?;
    watch.done();
    watch.step("comparing what it comes to")?;
    let responses = elasticities(&file.history, plan.caution.prior());
    let tiers = args.tiers.clone();
    let tiers =
        tiers.unwrap_or_else(|| Tiers::around(Rate { ppm: libm::round(1e6 * replayed.usual) as u32 }));
    let mut said = Said::new(file, rule, plan, replayed, (tiers, responses))?;
    watch.done();
    watch.step("asking the log")?;
    said.asked = said.ask(&settings, &args.grid)?;
    watch.done();
    watch.step("writing files")?;
    written::write(&folder, &said)?;
    folder.keep()?;
    watch.done();
    Ok(format!(
        "{}\ndecisions, rates, partners, measures and the report are in {}",
        pages::summary(&said),
        job.run.out.display()
    ))
}

impl BacktestArgs {
    fn settings(&self) -> Result<Settings> {
        let least = self.least_propensity;
        ensure!((0.0..1.0).contains(&least), "--least-propensity is {least}, and must be from 0 to below 1");
        let partners = self.least_partners;
        ensure!(1.0 <= partners, "--least-partners is {partners}, and must be at least 1");
        let small = if self.clip { Small::Clip(least) } else { Small::Refuse(least) };
        Ok(Settings { small, least_partners: partners, ..Settings::default() })
    }

    /// The first period that is decided.
    fn first(&self, file: &HistoryFile) -> Result<usize> {
        let begins = &file.history.bounds[..file.history.periods()];
        let Some(from) = self.from else { return Ok((begins.len() / 2).max(1)) };
        let first = begins.iter().position(|begin| from <= *begin).with_context(|| {
            format!(
                "--from is {}, and the last period of {} begins on {}",
                from.format("%F"),
                file.source,
                begins[begins.len() - 1].format("%F")
            )
        })?;
        ensure!(
            0 < first,
            "--from is {}, and nothing of {} is before that to learn from; its first period begins on {}",
            from.format("%F"),
            file.source,
            begins[0].format("%F")
        );
        Ok(first)
    }
}

impl Said {
    /// What the log says of the policy and of tiers, or the sentence that says why it says nothing.
    fn ask(&self, settings: &Settings, named: &[Rate]) -> Result<Result<Asked, String>> {
        let history = &self.file.history;
        let partners = history.partners.len();
        if partners < LEAST_PARTNERS {
            return Ok(Err(format!(
                "{partners} partners are too few for a log to say anything: at least {LEAST_PARTNERS} are needed"
            )));
        }
        let grid = match grid(history, self.plan.from, named) {
            Ok(grid) => grid,
            Err(why) => return Ok(Err(why.to_string())),
        };
        let mut judged = Vec::new();
        for held in [Held::ToTried, Held::AsDecided] {
            let of = (self.replayed.decided.as_slice(), grid.as_slice(), held);
            let policy = judge_all(settings, history, of, |decided| decided.chances.clone())?;
            let tiers = judge_all(settings, history, of, |decided: &backtest::Decided| {
                vec![(self.tier(decided.partner, decided.period), 1.0)]
            })?;
            judged.push(Judged { policy: "policy", held, found: policy });
            judged.push(Judged { policy: "tiers", held, found: tiers });
        }
        Ok(Ok(Asked { grid, judged }))
    }
}
