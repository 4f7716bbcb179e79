//! Policies beside each other in worlds whose truth is known, and a world's history to try a backtest on.

mod history;
mod pages;
mod written;

use std::path::Path;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use domain::commission::dynamic::ChurnAction;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{PolicyJob, rule::Rule};
use crate::{
    jobs::folder::Folder,
    policy::{
        evidence::Caution,
        simulation::{self, Comparison, Outcome, Power, Settings, Shape, Spend, compare, power},
    },
    watch::Watch,
};

/// What a simulation is asked for at most.
const MOST_WORLDS: u64 = 1_000;
const MOST_MONTHS: u64 = 120;
const MOST_PARTNERS: u64 = 20_000;
const MOST_LOGS: u64 = 10_000;

/// What a simulation is told.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "With --simulate")]
pub struct SimulateArgs {
    /// How many worlds there are
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// How many partners a world has
    #[arg(long, default_value_t = 400)]
    partners_per_world: usize,
    /// How many months policies decide, after six at the flat rate
    #[arg(long, default_value_t = 12)]
    months: usize,
    /// Of how many logs it is told how often off-policy estimates find a better policy and hold the truth; 0 leaves that out
    #[arg(long, default_value_t = 400)]
    logs: u64,
    /// Write history.csv, what happened in the world of --seed while chance chose the rates, and truth.csv, instead of comparing
    #[arg(long, requires = "simulate")]
    write_history: bool,
}

/// How much may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SpendArg {
    /// As the usual rate is expected to cost.
    AsFlat,
    /// What pays.
    Free,
}

impl From<SpendArg> for Spend {
    fn from(spend: SpendArg) -> Self {
        match spend {
            SpendArg::AsFlat => Self::AsFlat,
            SpendArg::Free => Self::Free,
        }
    }
}

/// What worlds are like that policies are tried in.
struct Setting {
    name: &'static str,
    doc: &'static str,
    shape: fn() -> Shape,
    spend: Spend,
}

/// The settings. To add one: its line.
const SETTINGS: &[Setting] = &[
    Setting {
        name: "spend_as_flat",
        doc: "At what the flat rate is expected to cost.",
        shape: Shape::default,
        spend: Spend::AsFlat,
    },
    Setting {
        name: "no_limit",
        doc: "Without a limit of what is spent.",
        shape: Shape::default,
        spend: Spend::Free,
    },
    Setting {
        name: "few_and_late",
        doc: "At what the flat rate is expected to cost, where partners are four times smaller and more alike, and values are \
              known after four months and badly.",
        shape: Shape::few_and_late,
        spend: Spend::AsFlat,
    },
];

/// A mean over worlds, and where it lies with 95 %.
#[derive(Clone, Copy)]
struct Mean {
    mean: f64,
    error: f64,
    low: f64,
    high: f64,
}

impl Mean {
    /// Student's interval.
    fn of(numbers: &[f64]) -> Self {
        let many = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / many;
        let squares: f64 = numbers.iter().map(|one| (one - mean) * (one - mean)).sum();
        let error = (squares / (many - 1.0) / many).sqrt();
        let student = StudentsT::new(0.0, 1.0, many - 1.0).expect("there are two worlds");
        let reach = error * student.inverse_cdf(0.975);
        Self { mean, error, low: mean - reach, high: mean + reach }
    }
}

/// All worlds of a setting.
struct Compared {
    setting: &'static Setting,
    worlds: Vec<Comparison>,
}

/// What is told of a policy beside the flat one: a name, what it is, and the number.
type Measure = (&'static str, &'static str, fn(&Outcome) -> f64);

/// What is told of each policy.
const MEASURES: &[Measure] = &[
    ("roi", "profit for each unit spent", Outcome::roi),
    ("profit", "profit", Outcome::profit),
    ("value", "value", |outcome| outcome.value),
    ("spend", "spend", |outcome| outcome.spend),
];

impl Compared {
    /// The policies' names.
    fn names(&self) -> Vec<&'static str> {
        self.worlds[0].outcomes.iter().map(|outcome| outcome.name).collect()
    }

    /// By how much a policy is above the flat one, world by world.
    fn relative(&self, place: usize, number: fn(&Outcome) -> f64) -> Vec<f64> {
        let one = |world: &Comparison| number(&world.outcomes[place]) / number(&world.outcomes[0]) - 1.0;
        self.worlds.iter().map(one).collect()
    }

    /// Which share of those who deserve at least `better` times the flat rate ended below it.
    fn cut(&self, better: f64) -> Mean {
        Mean::of(&self.worlds.iter().map(|world| world.good_cut(better)).collect::<Vec<f64>>())
    }

    /// The mean rate of each policy by tenths of partners, by what the oracle pays them.
    fn tenths(&self, place: usize) -> Vec<f64> {
        let (mut sums, mut counts) = ([0.0; 10], [0.0; 10]);
        for world in &self.worlds {
            let oracle = &world.outcomes[world.outcomes.len() - 1].rates;
            let mut order: Vec<usize> = (0..oracle.len()).collect();
            order.sort_by(|one, other| oracle[*one].total_cmp(&oracle[*other]));
            for (rank, partner) in order.iter().enumerate() {
                let tenth = rank * 10 / order.len();
                sums[tenth] += world.outcomes[place].rates[*partner];
                counts[tenth] += 1.0;
            }
        }
        sums.iter().zip(counts).map(|(sum, count)| sum / f64::max(count, 1.0)).collect()
    }
}

/// All that is said.
struct Said {
    args: SimulateArgs,
    compared: Vec<Compared>,
    /// What off-policy estimates found, or why they were left out.
    power: Result<Power, String>,
    policy_version: String,
}

pub(super) fn run(job: &PolicyJob) -> Result<String> {
    let args = &job.simulate_args;
    ensure!(2 <= args.seeds, "--seeds is {}, and there must be at least 2 for an interval", args.seeds);
    ensure!(1 <= args.months, "--months is 0, and must be at least 1");
    ensure!(
        50 <= args.partners_per_world,
        "--partners-per-world is {}, and of fewer than 50 hardly anything can be learned",
        args.partners_per_world
    );
    for (name, asked, most) in [
        ("seeds", args.seeds, MOST_WORLDS),
        ("months", args.months as u64, MOST_MONTHS),
        ("partners-per-world", args.partners_per_world as u64, MOST_PARTNERS),
        ("logs", args.logs, MOST_LOGS),
    ] {
        ensure!(
            asked <= most,
            "--{name} is {asked}, and may be at most {most}: more would take days and say no more"
        );
    }
    let (folder, stopped) = job.run.begin()?;
    let rule = job.policy.as_ref().map(|path| read(path)).transpose()?;
    let rule = rule.unwrap_or_else(|| Rule {
        policy: simulation::policy(),
        contract: simulation::contract(),
        caution: Caution::default(),
    });
    if args.write_history {
        let told = history::write(&folder, args, job.run.seed)?;
        folder.keep()?;
        return Ok(format!("{told} are in {}", job.run.out.display()));
    }
    let watch = Watch::new(SETTINGS.len() as u64 + 2, stopped);
    let said = tried(args, &rule, &watch)?;
    finish(folder, &said, &watch)?;
    Ok(format!("{}\nmeasures and the report are in {}", pages::summary(&said), job.run.out.display()))
}

/// A policy that simulated worlds can try.
fn read(path: &Path) -> Result<Rule> {
    let rule = Rule::read(path)?;
    ensure!(
        rule.policy.churn.then == ChurnAction::Flag,
        "the policy of {} acts on churn, which nobody sees in simulated worlds; say \"then\": \"flag\" in its \"churn\"",
        path.display()
    );
    Ok(rule)
}

fn finish(folder: Folder, said: &Said, watch: &Watch) -> Result<()> {
    watch.step("writing files")?;
    written::write(&folder, said)?;
    folder.keep()?;
    watch.done();
    Ok(())
}

fn tried(args: &SimulateArgs, rule: &Rule, watch: &Watch) -> Result<Said> {
    let mut compared = Vec::new();
    for setting in SETTINGS {
        watch.step(format!("simulating {}", setting.name))?;
        let settings = Settings {
            shape: Shape { partners: args.partners_per_world, ..(setting.shape)() },
            before: 6,
            months: args.months,
            spend: setting.spend,
            policy: rule.policy.clone(),
            contract: rule.contract,
            caution: rule.caution,
        };
        let world = |seed: u64| {
            ensure!(!watch.is_stopped(), "stopped when asked to; nothing was written");
            Ok(compare(&settings, seed)?)
        };
        let worlds = (1..=args.seeds).into_par_iter().map(world).collect::<Result<Vec<_>>>()?;
        compared.push(Compared { setting, worlds });
        watch.done();
    }
    watch.step("asking logs")?;
    let few = Shape { partners: args.partners_per_world, conversions: 3.0, ..Shape::default() };
    let found = match args.logs {
        0 => Err("by --logs 0".to_owned()),
        logs => power(&few, logs).map_err(|error| {
            format!("as a log has too little to judge by: {error}; for these, say more --partners-per-world (400 are enough)")
        }),
    };
    watch.done();
    Ok(Said { args: args.clone(), compared, power: found, policy_version: rule.policy.version.clone() })
}
