//! Training jobs: each learns something from a table and ends in a version of a model in the registry.
//!
//! To add a job: a folder here that implements [`Job`], and its line in [`Jobs`].

mod folder;
pub mod fraud;
mod publish;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, Result, ensure};
use clap::{Args, CommandFactory, Parser, Subcommand};
use domain::Clock;
use features::defs::sets::SETS;
use models::registry::{
    ModelName,
    gate::Gate,
    manifest::{Calibration, Metric, ParityVector, Signature, Threshold},
};

use signal_hook::consts::SIGINT;

use self::{folder::Folder, fraud::Fraud};
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
    Fraud(Box<Order<Fraud>>),
}

impl Jobs {
    /// Does the job; says what came of it.
    ///
    /// # Errors
    /// When it cannot be done; nothing is written then.
    pub fn run(self, clock: &Clock) -> Result<String> {
        match self {
            Self::Fraud(order) => order.run(clock),
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
    /// What all chance follows from: the same data and seed give the same bytes
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many threads work; results do not depend on it [default: as many as there are cores]
    #[arg(long)]
    threads: Option<usize>,
    /// The folder to write into, which must not exist
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Overwrite the folder that --out names
    #[arg(long)]
    replace: bool,
    /// Folder, or s3://BUCKET/FOLDER, of the registry that the model becomes a version in
    #[arg(long, env = "TRIBUTARY_REGISTRY", value_name = "REGISTRY", default_value = "registry")]
    registry: PathBuf,
    /// What the model is called there [default: the name of the job]
    #[arg(long, value_name = "NAME")]
    name: Option<ModelName>,
    /// Write files only, and no version into the registry
    #[arg(long)]
    no_publish: bool,
}

impl<J: Job> Order<J> {
    fn run(&self, clock: &Clock) -> Result<String> {
        ensure!(self.threads != Some(0), "--threads is 0, and must be at least 1");
        let threads = rayon::ThreadPoolBuilder::new().num_threads(self.threads.unwrap_or(0));
        threads.build_global().context("threads cannot be started")?;
        let stopped = Arc::new(AtomicBool::new(false));
        // Asked once it stops at the next step, asked again at once.
        signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&stopped))
            .and_then(|_| signal_hook::flag::register(SIGINT, Arc::clone(&stopped)))
            .context("Ctrl-C cannot be waited for")?;
        let folder = Folder::prepare(&self.out, self.replace)?;
        // Reading, judging, exporting and publishing are steps, too.
        let watch = Watch::new(J::steps(&self.settings) + 4, stopped);
        watch.step("reading rows")?;
        let input = self.input.read()?;
        let split = self.split.part(input.times_us.as_deref(), input.rows)?;
        watch.done();
        let work =
            Work { settings: &self.settings, input: &input, split: &split, seed: self.seed, watch: &watch };
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
        let set = &input.schema.set;
        if set != J::FEATURE_SET && SETS.iter().any(|known| known.full_name() == *set) {
            told =
                format!("the rows are of the set {set}, and this job is made for {}\n{told}", J::FEATURE_SET);
        }
        if !self.no_publish {
            let version = publish::publish::<J>(self, &work, &evaluation, export, (report, clock))?;
            told = format!("{told}\n{version}");
        }
        folder.keep()?;
        watch.done();
        Ok(format!("{told}\nscores, measures and the report are in {}", self.out.display()))
    }
}
