//! Everybody's next rate, from a table of what is known of partners and from where they stand.

mod input;
mod pages;
mod standings;
mod written;

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, ensure};
use chrono::{DateTime, Utc};
use clap::Args;
use domain::{
    Money, Rate,
    commission::dynamic::{Policy, RateDecision, RateError, Standing},
};
use features::offline::table;

use self::{
    input::{Partner, Partners},
    standings::Standings,
};
use super::{PolicyJob, rule::Rule, shown::Reasons};
use crate::{
    policy::{backtest::draw, evidence::minor, fraction},
    watch::Watch,
};

pub(super) use self::{input::FIELDS, written::Line};

/// What deciding is told.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "To decide rates")]
pub struct DecideArgs {
    /// A file with a row for each partner, as CSV or Parquet: partner_id, value, value_lower, base, expected_conversions (or
    /// conversions: until the next decision), and perhaps churn_ratio, fraud_risk, quality, elasticity, rate, and what its
    /// contract says other than the policy's; partners.csv of `tributary-train partner` with --base and --rate is one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["backtest", "simulate"])]
    partners: Option<PathBuf>,
    /// Where partners stood after the last decisions: standings.json of that run
    #[arg(long, value_name = "FILE", requires = "partners", conflicts_with_all = ["backtest", "simulate"])]
    standings: Option<PathBuf>,
    /// When it is decided: a date, or an instant
    #[arg(long, value_name = "DATE", value_parser = at)]
    at: Option<DateTime<Utc>>,
    /// The mean order, which rates are paid on, where the file has no column base
    #[arg(long, value_name = "AMOUNT")]
    base: Option<f64>,
    /// The rate of partners of which neither file says one: 10%, or 0.1
    #[arg(long, value_name = "RATE", value_parser = crate::rate::rate)]
    rate: Option<Rate>,
    /// What all may cost together until the next decisions; it is divided by what each is expected to cost, less
    /// what rates cost that are announced already
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<String>,
    /// What decisions call the model that predicted the values, where the file has no column model_version [default: the
    /// file's SHA-256]
    #[arg(long, value_name = "NAME")]
    model_version: Option<String>,
}

/// One partner's decision.
struct Decision {
    partner: Partner,
    decision: RateDecision,
    /// Where it stands from now on.
    standing: Standing,
}

/// All that is said.
struct Said {
    rule: Rule,
    at: DateTime<Utc>,
    decisions: Vec<Decision>,
    standings: Standings,
    /// How many are paid something else by the file than they stand at.
    differing: usize,
    /// Where hardly anybody is known who stood somewhere, or a column may have been misread.
    notes: Vec<String>,
    source: String,
    seed: u64,
}

pub(super) fn at(text: &str) -> Result<DateTime<Utc>> {
    let micros = table::instant(text);
    let micros = micros.context("expected a date such as 2026-03-01, or 2026-03-01T12:00:00Z")?;
    super::instant(micros).context("is thousands of years away")
}

pub(super) fn run(job: &PolicyJob) -> Result<String> {
    let args = &job.decide;
    let path = args.partners.as_ref();
    let path = path.context("say --partners FILE to decide rates, or --backtest, or --simulate")?;
    let at = args.at.context("say --at DATE, when it is decided")?;
    let (folder, stopped) = job.run.begin()?;
    let watch = Watch::new(3, stopped);
    watch.step("reading partners")?;
    let rule = job.rule()?;
    let before = args.standings.as_ref().map(|path| Standings::read(path, at)).transpose()?;
    let standings = before.unwrap_or_else(|| Standings::new(at));
    let partners = Partners::read(path, job, &rule)?;
    watch.done();
    watch.step("deciding rates")?;
    let strangers = args.standings.as_deref().and_then(|path| standings.strangers(path, &partners));
    let mut said = decided((rule, at, job.run.seed), partners, standings, args.budget.as_deref())?;
    said.notes.extend(strangers);
    watch.done();
    watch.step("writing files")?;
    written::write(&folder, &said)?;
    folder.keep()?;
    watch.done();
    Ok(format!(
        "{}\ndecisions, standings and the report are in {}",
        pages::summary(&said),
        job.run.out.display()
    ))
}

fn decided(
    (rule, at, seed): (Rule, DateTime<Utc>, u64),
    partners: Partners,
    mut standings: Standings,
    budget: Option<&str>,
) -> Result<Said> {
    let (source, notes) = (partners.source.clone(), partners.note.into_iter().collect());
    let mut all = Vec::new();
    let mut differing = 0;
    for partner in partners.all {
        let mut standing = standings.of(&partner, at)?;
        standing.budget_left = partner.budget_left;
        differing += usize::from(partner.rate.is_some_and(|rate| rate != standing.rate));
        all.push((partner, standing));
    }
    if let Some(budget) = budget {
        divide(budget, &mut all)?;
    }
    let mut decisions = Vec::new();
    for (partner, standing) in all {
        let throw = draw(seed, &partner.name, at);
        let decision = rule.policy.decide(&standing, &partner.evidence, throw, at);
        let decision = decision.map_err(|error| {
            let place = if let RateError::Standing(_) = &error { &partner.terms } else { &partner.row };
            anyhow!("{place}: {error}")
        })?;
        let standing = Standing { budget_left: None, ..standing.at(at).after(&decision) };
        standings.keep(&partner.name, &standing, &decision);
        decisions.push(Decision { partner, decision, standing });
    }
    standings.close(at, &rule.policy);
    Ok(Said { rule, at, decisions, standings, differing, notes, source, seed })
}

/// Divides what all may cost, less what those cost whose announced rate is not decided again, by what the others are expected to
/// cost at their present rates.
fn divide(budget: &str, all: &mut [(Partner, Standing)]) -> Result<()> {
    let given = all.iter().find(|(partner, _)| partner.budget_left.is_some());
    if let Some((partner, _)) = given {
        anyhow::bail!(
            "{}: has a budget of its own, and --budget is said, too; leave one of them out",
            partner.place
        );
    }
    let Some((first, _)) = all.first() else { return Ok(()) };
    let currency = first.evidence.base.currency;
    let budget = Money::parse(budget, currency).context("--budget")?;
    ensure!(0 <= budget.minor, "--budget is {budget}; say 0 when it is spent");
    let cost = |partner: &Partner, rate: Rate| {
        let orders = partner.evidence.conversions * partner.evidence.base.minor as f64;
        libm::round(orders * f64::from(rate.ppm) / 1e6) as u64
    };
    let (mut announced, mut weights) = (0_i64, Vec::new());
    for (partner, standing) in all.iter() {
        let same = partner.evidence.base.currency == currency;
        ensure!(same, "{}: --budget is in {currency}, and this partner is not", partner.place);
        match standing.pending {
            Some(pending) => {
                let cost = i64::try_from(cost(partner, pending.rate)).unwrap_or(i64::MAX);
                announced = announced.saturating_add(cost);
            }
            None => weights.push(cost(partner, standing.rate)),
        }
    }
    let left = Money::new((budget.minor - announced).max(0), currency);
    let open = all.iter_mut().filter(|(_, standing)| standing.pending.is_none());
    open.zip(left.split(&weights)).for_each(|((_, standing), part)| standing.budget_left = Some(part));
    Ok(())
}

/// What a partner is expected to cost at a rate until the next decision, by its elasticity.
fn cost(partner: &Partner, before: Rate, rate: Rate) -> f64 {
    let evidence = &partner.evidence;
    let unit = minor(1.0, evidence.base.currency) as f64;
    let times = match evidence.elasticity {
        Some(elasticity) if 0 < before.ppm => {
            libm::pow(f64::from(rate.ppm) / f64::from(before.ppm), elasticity)
        }
        _ => 1.0,
    };
    evidence.conversions * times * evidence.base.minor as f64 / unit * fraction(rate)
}

impl Said {
    fn policy(&self) -> &Policy {
        &self.rule.policy
    }

    fn reasons(&self) -> Reasons {
        Reasons::of(self.decisions.iter().map(|it| &it.decision))
    }
}
