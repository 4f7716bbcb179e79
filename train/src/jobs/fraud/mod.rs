//! `tributary-train fraud`: what is strange among rows, how strange, and by what; without a label, and better judged and
//! calibrated with some.

mod evaluate;
mod export;
mod fitted;
mod pages;
mod rescore;

use anyhow::Result;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand, ValueEnum};
use domain::Clock;
use models::registry::gate::{Better, Gate};

pub use self::fitted::Fitted;
use self::rescore::Rescore;
use super::{Evaluation, Export, Job, Order, Work};

/// What `fraud` is asked to do.
#[derive(Debug)]
pub enum FraudJob {
    /// To learn from rows.
    Learn(Box<Order<Fraud>>),
    /// To say what rules and models would have said of the past.
    Rescore(Box<Rescore>),
}

/// What it does instead of learning.
#[derive(Subcommand, Debug)]
enum Instead {
    /// Runs a rule set, and what models said, over the past of an event lake, point in time, and proposes what would change
    #[command(long_flag = "rescore")]
    Rescore(Box<Rescore>),
}

impl FraudJob {
    /// Does the job; says what came of it.
    ///
    /// # Errors
    /// When it cannot be done; nothing is written then.
    pub fn run(self, clock: &Clock) -> Result<String> {
        match self {
            Self::Learn(order) => order.run(clock),
            Self::Rescore(job) => job.run(),
        }
    }
}

impl FromArgMatches for FraudJob {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if matches.subcommand().is_none() {
            return Ok(Self::Learn(Box::new(Order::from_arg_matches(matches)?)));
        }
        let Instead::Rescore(job) = Instead::from_arg_matches(matches)?;
        Ok(Self::Rescore(job))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for FraudJob {
    fn augment_args(command: Command) -> Command {
        let command = Instead::augment_subcommands(Order::<Fraud>::augment_args(command));
        command
            .subcommand_required(false)
            .arg_required_else_help(false)
            .subcommand_negates_reqs(true)
            .args_conflicts_with_subcommands(true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The job.
#[derive(Clone, Copy, Debug)]
pub struct Fraud;

/// What the job may be told.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// What learns; `all` fits every one, publishes the ensemble, and says what each would score
    #[arg(long, value_enum, default_value_t = Choice::Ensemble)]
    pub model: Choice,
    /// How many trees a forest has
    #[arg(long, default_value_t = 100)]
    pub trees: usize,
    /// How many rows each tree is grown from
    #[arg(long, default_value_t = 256, value_name = "ROWS")]
    pub sample_size: usize,
    /// Whether an ensemble also learns from labels, where there are enough: labels alone say how good a model is, too
    #[arg(long, value_enum, default_value_t = SecondStage::Auto)]
    pub second_stage: SecondStage,
    /// How many settings of the boosted trees are tried beside the usual ones; those that cost least on rows that the trees
    /// have not seen are taken
    #[arg(long, default_value_t = 0, value_name = "TRIALS")]
    pub search: u64,
    /// Which share of ordinary rows may be flagged
    #[arg(long, default_value_t = 0.02, value_name = "SHARE")]
    pub false_positive_rate: f64,
    /// Train the autoencoder on a GPU where there is one; results are those of that kind of device
    #[arg(long)]
    pub gpu: bool,
}

/// Whether an ensemble learns from labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecondStage {
    /// Where rows have times and enough of them were found guilty before the rows that calibrate.
    Auto,
    /// Never: labels judge and calibrate, and that is all.
    Never,
}

/// What learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Isolation forest: rows that are cut off by few questions about single features.
    Iforest,
    /// Extended isolation forest: the same with questions about directions.
    Eiforest,
    /// Denoising autoencoder: values that do not go with each other.
    Autoencoder,
    /// Empirical tails: values that few others exceed.
    Ecod,
    /// Histograms: values where few others are.
    Hbos,
    /// Boosted trees: rows like those that reviewers found guilty. It needs labels and times.
    Supervised,
    /// Several of them as one, by their p-values.
    Ensemble,
    /// Each of them, and the ensemble.
    All,
}

impl Choice {
    /// The detectors that are fitted without labels.
    fn members(self) -> Vec<Self> {
        match self {
            Self::Ensemble => vec![Self::Iforest, Self::Ecod, Self::Hbos],
            Self::All => {
                let mut all = Self::Ensemble.members();
                all.push(Self::Eiforest);
                if cfg!(feature = "torch") {
                    all.push(Self::Autoencoder);
                }
                all
            }
            Self::Supervised => Vec::new(),
            one => vec![one],
        }
    }

    /// Whether what is published is several as one.
    fn is_several(self) -> bool {
        matches!(self, Self::Ensemble | Self::All)
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl Job for Fraud {
    type Settings = Settings;
    type Model = Fitted;

    const NAME: &'static str = "fraud";
    const FEATURE_SET: &'static str = "fraud_v1";

    fn steps(settings: &Settings) -> u64 {
        settings.model.members().len() as u64 + 2
    }

    fn fit(work: &Work<'_, Settings>) -> Result<Fitted> {
        Fitted::fit(work)
    }

    fn evaluate(work: &Work<'_, Settings>, model: &Fitted) -> Result<Evaluation> {
        evaluate::evaluate(work, model)
    }

    fn export(work: &Work<'_, Settings>, model: &Fitted) -> Result<Export> {
        export::export(work, model)
    }

    /// Where rows were judged, a later version may not be worse at telling them apart by more than chance would make it.
    fn gates(evaluation: &Evaluation) -> Vec<Gate> {
        let is_there = |name: &str| evaluation.metrics.iter().any(|metric| metric.name == name);
        ["roc_auc", "average_precision"]
            .into_iter()
            .filter(|name| is_there(name))
            .map(|metric| Gate { metric: metric.to_owned(), better: Better::Higher, tolerance: 0.02 })
            .collect()
    }
}
