//! `tributary-train fraud --rescore`: what a rule set and models would have said of the past, each conversion by what was
//! known when it was reported, and what that would change. Nothing changes by itself.

mod book;
mod decided;
mod measures;
mod pages;
mod past;
mod said;
mod served;
mod truth;
mod written;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use chrono::NaiveDate;
use clap::Args;
use domain::fraud::{Networks, RuleSet, score::Model};
use models::registry::Alias;

use self::{book::Book, decided::Decided, past::Past, said::Said, served::Served, truth::Truth};
use crate::{
    jobs::{json, lake, run::RunArgs, table::DAY_US, table::day_of},
    onnx::runtime,
    watch::Watch,
};

/// What the job is told.
#[derive(Args, Clone, Debug)]
pub struct Rescore {
    /// The event lake
    #[arg(long, value_name = "LAKE")]
    lake: PathBuf,
    /// The rule set as JSON [default: all rules with their own weights]
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// A folder with affiliates, campaigns and links as CSV or Parquet, as far as they are known
    #[arg(long, value_name = "FOLDER")]
    records: Option<PathBuf>,
    /// Classes of networks as CSV: network,class
    #[arg(long, value_name = "FILE")]
    networks: Option<PathBuf>,
    /// What a model said of conversions, as scores.csv of `tributary-train fraud`: forest, autoencoder, labels or external; may
    /// be repeated
    #[arg(long, value_name = "MODEL=FILE", value_parser = model)]
    scores: Vec<(Model, PathBuf)>,
    /// Asks this version of the model `fraud` in the registry too: champion or challenger
    #[arg(long, value_name = "ALIAS")]
    model: Option<Alias>,
    /// Folder, or s3://BUCKET/FOLDER, of the registry that has it
    #[arg(long, env = "TRIBUTARY_REGISTRY", value_name = "REGISTRY", default_value = "registry")]
    registry: PathBuf,
    /// The first day that is judged [default: the lake's first]
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,
    /// Conversions before this day give thresholds and the scale, and those from it on are decided by them
    #[arg(long, value_name = "DATE")]
    calibrate_until: NaiveDate,
    /// The day before which everything happened and was known [default: the lake's end]
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,
    /// Which share of honest conversions may be held
    #[arg(long, default_value_t = 0.02, value_name = "SHARE")]
    false_positive_rate: f64,
    /// Hold from so many points on, by all models too, whatever calibration would say; for thresholds that were frozen before
    #[arg(long, value_name = "POINTS", value_parser = points, conflicts_with = "false_positive_rate")]
    hold_from: Option<f64>,
    /// What a person's look costs, in minor units
    #[arg(long, default_value_t = 0, value_name = "MINOR")]
    review_cost: u32,
    /// What it costs to hold somebody honest, in minor units
    #[arg(long, default_value_t = 0, value_name = "MINOR")]
    harm: u32,
    /// Do not learn the scale from what reviewers found; they judge only
    #[arg(long)]
    without_reviews: bool,
    /// What really happened, as the simulator writes it in truth/labels.parquet: only a judge has it, and nothing is learned from
    /// it
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

fn model(text: &str) -> Result<(Model, PathBuf)> {
    let (model, path) =
        text.split_once('=').context("expected MODEL=FILE, such as labels=fraud/scores.csv")?;
    let model: Model = model.parse()?;
    ensure!(model != Model::Ring, "rings are found in the lake; no file says them");
    Ok((model, PathBuf::from(path)))
}

fn points(text: &str) -> Result<f64> {
    let points: f64 = text.parse().context("expected points, such as 35")?;
    ensure!((0.0..=1_000.0).contains(&points), "{points} points are not from 0 to 1000");
    Ok(points)
}

/// All that was found.
struct Found<'a> {
    job: &'a Rescore,
    rules: RuleSet,
    past: Past,
    decided: Decided,
    truth: Option<Truth>,
}

impl Rescore {
    /// Does the job; says what came of it.
    ///
    /// # Errors
    /// When it cannot be done; nothing is written then.
    pub fn run(&self) -> Result<String> {
        let (folder, stopped) = self.run.begin()?;
        let watch = Watch::new(4, stopped);
        watch.step("reading what is known of partners")?;
        let rules = self.rules.as_ref().map_or_else(
            || Ok(RuleSet::defaults()),
            |path| json::read(path, "rule set", "docs/fraud-rules.md has an example"),
        )?;
        let book = self.records.as_ref().map_or_else(|| Ok(Book::default()), |folder| Book::read(folder))?;
        let networks = self.networks.as_ref().map_or_else(
            || Ok(Networks::default()),
            |path| {
                let text =
                    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
                Networks::read(&text).with_context(|| path.display().to_string())
            },
        )?;
        let said =
            self.scores.iter().map(|(model, path)| Said::read(*model, path)).collect::<Result<Vec<_>>>()?;
        let served = self.model.map(|alias| Served::open(&self.registry, alias, runtime()?)).transpose()?;
        let truth = self.truth.as_ref().map(|path| Truth::read(path)).transpose()?;
        watch.done();
        watch.step("judging the past")?;
        let lake = lake::open(&self.lake)?;
        let until_us = self.to.map_or(i64::MAX, instant);
        let from_us = self.from.map_or(i64::MIN, instant);
        let past = Past::told(&lake, &rules, (&book, &networks, &said), served, from_us..until_us, &watch)?;
        ensure!(!past.rows.is_empty(), "no conversion of a partner became known in that time");
        watch.done();
        watch.step("deciding")?;
        let decided = self.decide(&past)?;
        watch.done();
        watch.step("writing files")?;
        let found = Found { job: self, rules, past, decided, truth };
        let told = written::write(&found, &folder)?;
        folder.keep()?;
        watch.done();
        Ok(format!("{told}\nflags, proposals, measures and the report are in {}", self.run.out.display()))
    }

    fn decide(&self, past: &Past) -> Result<Decided> {
        let terms = decided::Terms {
            calibrated_us: instant(self.calibrate_until),
            false_positive_rate: self.false_positive_rate,
            review: self.review_cost.into(),
            harm: self.harm.into(),
            with_reviews: !self.without_reviews,
            hold_from: self.hold_from,
        };
        Decided::of(past, &terms).with_context(|| {
            format!("thresholds cannot be taken from what was known before {}", self.calibrate_until)
        })
    }
}

/// When a day begins, in microseconds since the Unix epoch.
fn instant(day: NaiveDate) -> i64 {
    i64::from(day_of(day)) * DAY_US
}
