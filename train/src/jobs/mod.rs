//! Training jobs: each learns something from a table and ends in a version of a model in the registry.
//!
//! To add a job: a folder here that implements [`Job`], and its line in [`Jobs`].

pub mod attribution;
mod folder;
pub mod fraud;
mod json;
mod lake;
pub mod ltv;
pub mod matching;
pub mod partner;
pub mod policy;
mod publish;
mod run;
mod table;

use anyhow::Result;
use clap::{Args, CommandFactory, Parser, Subcommand};
use domain::Clock;
use features::defs::sets::SETS;
use models::registry::{
    gate::Gate,
    manifest::{Calibration, Metric, ParityVector, Signature, Threshold},
};

use self::{
    attribution::Attribution, fraud::FraudJob, ltv::Ltv, matching::Matching, partner::Partner,
    policy::PolicyJob, publish::RegistryArgs, run::RunArgs,
};
use crate::{
    input::{Input, InputArgs},
    report::Report,
    split::{Split, SplitArgs},
    watch::Watch,
};

/// Every job.
#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// Anomalies among conversions, clicks or anything else that is rows of numbers: scores, reasons, and a threshold
    Fraud(FraudJob),
    /// Who is to be credited with conversions: rules, Markov chains, Shapley values and a model that learns it, with intervals
    Attribution(Box<Attribution>),
    /// What customers will spend: probability models, regressions and trees, compared on what was held out in time
    Ltv(Box<Ltv>),
    /// Which items suit which users, such as campaigns and affiliates: candidates side by side, with reasons
    Match(Box<Matching>),
    /// What partners are worth: value of conversions and clicks with intervals, return, tiers, and reasons
    Partner(Box<Partner>),
    /// What partners are paid: rates decided with reasons, replayed over history, and tried in simulated worlds
    Policy(Box<PolicyJob>),
}

impl Jobs {
    /// Does the job; says what came of it.
    ///
    /// # Errors
    /// When it cannot be done; nothing is written then.
    pub fn run(self, clock: &Clock) -> Result<String> {
        match self {
            Self::Fraud(job) => job.run(clock),
            Self::Attribution(job) => job.run(clock),
            Self::Ltv(job) => job.run(clock),
            Self::Match(job) => job.run(clock),
            Self::Partner(job) => job.run(clock),
            Self::Policy(job) => job.run(),
        }
    }
}

/// Names and descriptions of all jobs.
#[must_use]
pub fn list() -> Vec<(String, String)> {
    #[derive(Parser)]
    struct All {
        #[command(subcommand)]
        _job: Jobs,
    }
    let about = |job: &clap::Command| job.get_about().map(ToString::to_string).unwrap_or_default();
    All::command().get_subcommands().map(|job| (job.get_name().to_owned(), about(job))).collect()
}

/// Something that learns.
pub trait Job {
    /// What it may be told.
    type Settings: Args + Clone + std::fmt::Debug;
    /// What it has learned.
    type Model;

    /// Its name on the command line and in manifests.
    const NAME: &'static str;

    /// The feature set that it is made for; any other table will do, too.
    const FEATURE_SET: &'static str;

    /// How many steps it takes, for who watches.
    fn steps(settings: &Self::Settings) -> u64;

    /// Learns from the rows that are for that.
    ///
    /// # Errors
    /// When there is nothing to learn from, or it was asked to stop.
    fn fit(work: &Work<'_, Self::Settings>) -> Result<Self::Model>;

    /// Judges the model on the rows that are for that, and writes what it says of all rows.
    ///
    /// # Errors
    /// When it cannot be judged.
    fn evaluate(work: &Work<'_, Self::Settings>, model: &Self::Model) -> Result<Evaluation>;

    /// The model as ONNX.
    ///
    /// # Errors
    /// When it cannot be written as a graph.
    fn export(work: &Work<'_, Self::Settings>, model: &Self::Model) -> Result<Export>;

    /// What a later version must not lose.
    fn gates(evaluation: &Evaluation) -> Vec<Gate>;
}

/// What a job works on.
pub struct Work<'a, S> {
    /// What it was told.
    pub settings: &'a S,
    /// The rows.
    pub input: &'a Input,
    /// Which of them are for what.
    pub split: &'a Split,
    /// What all chance follows from.
    pub seed: u64,
    /// Who waits.
    pub watch: &'a Watch,
}

/// How good a model is.
pub struct Evaluation {
    /// The measures of the published model.
    pub metrics: Vec<Metric>,
    /// How its scores became probabilities; none when they are none.
    pub calibration: Option<Calibration>,
    /// Where decisions are made.
    pub thresholds: Vec<Threshold>,
    /// Files for people: a name and what is in it.
    pub files: Vec<(String, Vec<u8>)>,
    /// What people look at.
    pub report: Report,
    /// The sentence that says what came of it.
    pub summary: String,
}

/// A model as its file.
pub struct Export {
    /// What kind of model.
    pub family: String,
    /// The graph.
    pub onnx: Vec<u8>,
    /// Its inputs and outputs.
    pub signature: Signature,
    /// Rows with what it must say of them.
    pub parity: Vec<ParityVector>,
}

/// A job with all that it was told.
#[derive(Debug, Args)]
pub struct Order<J: Job> {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    split: SplitArgs,
    #[command(flatten)]
    settings: J::Settings,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Says which columns were not learned from though nobody had said so.
fn left_out(names: &[String]) -> String {
    format!(
        "not learned from, because of their names: {}; another name makes a feature of a column",
        names.join(", ")
    )
}

impl<J: Job> Order<J> {
    fn run(&self, clock: &Clock) -> Result<String> {
        let (folder, stopped) = self.run.begin()?;
        // Reading, judging, exporting and publishing are steps, too.
        let watch = Watch::new(J::steps(&self.settings) + 4, stopped);
        watch.step("reading rows")?;
        let input = self.input.read()?;
        let split = self.split.part(input.times_us.as_deref(), input.rows)?;
        watch.done();
        let work = Work {
            settings: &self.settings,
            input: &input,
            split: &split,
            seed: self.run.seed,
            watch: &watch,
        };
        let model = J::fit(&work)?;
        watch.step("judging it")?;
        let evaluation = J::evaluate(&work, &model)?;
        watch.done();
        watch.step("writing the graph")?;
        let export = J::export(&work, &model)?;
        watch.done();
        watch.step("writing files")?;
        let report = evaluation.report.render()?;
        for (name, bytes) in &evaluation.files {
            folder.put(name, bytes)?;
        }
        folder.put("model.onnx", &export.onnx)?;
        folder.put("report.html", report.as_bytes())?;
        let mut told = evaluation.summary.clone();
        if !input.left_out.is_empty() {
            told = format!("{}\n{told}", left_out(&input.left_out));
        }
        let set = &input.schema.set;
        if set != J::FEATURE_SET && SETS.iter().any(|known| known.full_name() == *set) {
            told =
                format!("the rows are of the set {set}, and this job is made for {}\n{told}", J::FEATURE_SET);
        }
        // First what cannot be lost any more: a registry may be far away.
        folder.keep()?;
        let publication = publish::publication::<J>(&work, &evaluation, export, (report, clock));
        if let Some(version) = self.registry.publish(&publication, &self.run.out)? {
            told = format!("{told}\n{version}");
        }
        watch.done();
        Ok(format!("{told}\nscores, measures and the report are in {}", self.run.out.display()))
    }
}
