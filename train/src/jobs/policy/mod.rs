//! `tributary-train policy`: what partners are paid, decided, replayed over history, or tried in simulated worlds.

mod backtest;
mod decide;
mod rule;
mod shown;
mod simulate;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Datelike, Utc};
use clap::Args;
use domain::Currency;

use self::{backtest::BacktestArgs, decide::DecideArgs, rule::Rule, simulate::SimulateArgs};
use super::run::RunArgs;

/// What the job is told.
#[derive(Args, Clone, Debug)]
pub struct PolicyJob {
    /// Replay the policy over --history, with only what was known then
    #[arg(long, conflicts_with = "simulate")]
    backtest: bool,
    /// Try the policy beside others in simulated worlds whose truth is known
    #[arg(long)]
    simulate: bool,
    /// The policy with the usual contract, as JSON; docs/policy.json is one [default, of --simulate: the one of docs/rates.md]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Another name of a column: value=expected; may be repeated
    #[arg(long, value_name = "FIELD=NAME", value_parser = renamed)]
    column: Vec<(String, String)>,
    /// What amounts are in, where the file has no column that says so
    #[arg(long, value_name = "CODE")]
    currency: Option<Currency>,
    #[command(flatten)]
    decide: DecideArgs,
    #[command(flatten)]
    backtest_args: BacktestArgs,
    #[command(flatten)]
    simulate_args: SimulateArgs,
    #[command(flatten)]
    run: RunArgs,
}

impl PolicyJob {
    /// Does the job; says what came of it.
    ///
    /// # Errors
    /// When it cannot be done; nothing is written then.
    pub fn run(&self) -> Result<String> {
        if self.simulate {
            return simulate::run(self);
        }
        if self.backtest {
            return backtest::run(self);
        }
        decide::run(self)
    }

    /// The policy file, which must be named.
    fn rule(&self) -> Result<Rule> {
        let path = self.policy.as_ref();
        Rule::read(
            path.context("say --policy FILE, which tells how rates are decided; docs/policy.json is one")?,
        )
    }
}

/// The instant of so many microseconds; none so far away that notices and periods lead to where no calendar goes.
fn instant(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).filter(|at| (0..10_000).contains(&at.year()))
}

fn renamed(text: &str) -> Result<(String, String)> {
    let (field, name) = text.split_once('=').context("expected FIELD=NAME, such as value=expected")?;
    let known = [decide::FIELDS, backtest::FIELDS].concat();
    ensure!(known.contains(&field), "there is no field {field:?}: expected one of {}", known.join(", "));
    if name.is_empty() {
        bail!("the field {field} has no name");
    }
    Ok((field.to_owned(), name.to_owned()))
}
