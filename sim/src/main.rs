//! `tributary-sim`: makes a world with known truth.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to whoever runs it")]

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand};
use client::Client;
use domain::{Clock, Currency, event::Kind};
use features::lake::{Lake, is_in_bucket};
use indicatif::{ProgressBar, ProgressStyle};
use mimalloc::MiMalloc;
use sim::{
    Losses, Settings, World, descriptions,
    doors::{self, Haste, Notes},
    glance,
    judge::{Case, Columns, judge},
    judge_credit, judge_partners,
    sink::{self, Names, Sink},
    world::campaign::Together,
};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Simulates an affiliate network in which everything is known: who is a fraudster, who caused which order, what a
/// customer is worth. The same seed and flags write the same bytes.
#[derive(Parser)]
#[command(
    name = "tributary-sim",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many affiliates take part
    #[arg(long, default_value_t = 300)]
    affiliates: u32,
    /// How many days pass
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// About how many clicks are recorded
    #[arg(long, default_value_t = 100_000)]
    clicks: u64,
    /// What the world follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder to write into: network/ and truth/ as Parquet, and events/ as lines of JSON unless --lake or --api is
    /// there; with --api, network/names.parquet says what everything is called in that Tributary
    #[arg(long, required_unless_present_any = ["list", "dry_run", "lake", "api"])]
    out: Option<PathBuf>,
    /// The folder, or s3://BUCKET/FOLDER, of a lake to write the events into, as partitions
    #[arg(long, value_name = "DIR")]
    lake: Option<PathBuf>,
    /// The world's first day
    #[arg(long, default_value = "2026-01-01", value_name = "DATE")]
    from: NaiveDate,
    /// How many campaigns run [default: one for eight affiliates]
    #[arg(long)]
    campaigns: Option<u32>,
    /// How many people there are [default: one for four clicks]
    #[arg(long)]
    people: Option<u64>,
    /// How many logged impressions there are for each click
    #[arg(long, default_value_t = 2.0, value_name = "RATIO")]
    impressions: f64,
    /// Which share of the honest journeys tracking loses
    #[arg(long, default_value_t = 0.25, value_name = "SHARE")]
    loss: f64,
    /// How much there is of a pattern, as name=share; may be repeated, and --list names them all
    #[arg(long, value_name = "NAME=SHARE", value_parser = intensity)]
    intensity: Vec<(String, f64)>,
    /// Which share of the fraud imitates honest habits
    #[arg(long, default_value_t = 0.35, value_name = "SHARE")]
    stealth: f64,
    /// A scheme that reviewers do not know yet and take for honest; may be repeated
    #[arg(long, value_name = "NAME")]
    unknown: Vec<String>,
    /// For how many days the network has run before its first day; 0 opens it on that day, without customers
    #[arg(long, default_value_t = 45, value_name = "DAYS")]
    warm_up: u32,
    /// How many times the expected commissions of a month campaigns can pay, in the middle; 0 for all of them
    #[arg(long, default_value_t = 2.0, value_name = "TIMES")]
    budgets: f64,
    /// How visits work together in every campaign [default: each campaign has its own way]
    #[arg(long, value_name = "WAY", value_parser = together)]
    together: Option<Together>,
    /// Leave out all fraud; the honest crowds stay
    #[arg(long)]
    honest: bool,
    /// Overwrite the world that --out and --lake hold
    #[arg(long)]
    replace: bool,
    /// Let the world pass, count what happens, and write nothing
    #[arg(long, conflicts_with_all = ["out", "lake"])]
    dry_run: bool,
    /// Let the world happen to a running Tributary: the URL of its API
    #[arg(long, value_name = "URL", requires = "key", conflicts_with_all = ["lake", "dry_run"])]
    api: Option<String>,
    /// The URL that its postbacks go to [default: that of the API]
    #[arg(long, value_name = "URL", requires = "api")]
    tracker: Option<String>,
    /// A key to the API that may make campaigns, affiliates and links
    #[arg(long, env = "TRIBUTARY_KEY", hide_env_values = true)]
    key: Option<String>,
    /// How many of the world's seconds pass in one of ours
    #[arg(long, default_value_t = 3_600.0, value_name = "TIMES")]
    speedup: f64,
    /// How many requests there are in a second at most
    #[arg(long, default_value_t = 200.0, value_name = "REQUESTS")]
    most_per_second: f64,
    /// Only say which patterns there are
    #[arg(long)]
    list: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Says what a detector's flags are worth: held against the truth of the worlds it looked at, pattern by pattern.
    ///
    /// `--world` and `--scores` are given together, as often as there are worlds. The scores are a CSV file with a line
    /// for each event, such as the fraud job writes with `--id conversion_id --id affiliate_id`.
    Judge(Judge),
    /// Says what a division of credit is worth: held against who really caused the conversions of the world that it divided.
    ///
    /// The credit is a folder that `tributary-train attribution --by affiliate` wrote, `--model all` or `learned`.
    JudgeCredit(JudgeCredit),
    /// Says what an estimate of partners' worth is worth: held against what their customers were to be expected to bring.
    ///
    /// `--world` and `--partners` are given together, as often as there are worlds. Partners who follow a scheme of fraud do
    /// not count, nor does the level of a world: the truth knows of no rejected orders. Raw means lose their own level, too.
    ///
    /// Judged are the columns log_value (the logarithm of the median value of a conversion: RMSE and ranks), mean_value (raw
    /// means), value_per_conversion_lower and value_per_conversion_upper (which part of intervals hold the truth). conversions
    /// say which line a partner is of. value_per_conversion itself, the mean, and all other columns are not read.
    JudgePartners(JudgePartners),
}

#[derive(Args)]
struct JudgePartners {
    /// A folder that --out named
    #[arg(long, required = true, value_name = "DIR")]
    world: Vec<PathBuf>,
    /// The partners.csv that `tributary-train partner` wrote, or a file with the columns above
    #[arg(long, required = true, value_name = "FILE")]
    partners: Vec<PathBuf>,
    /// The truth is what customers bring within so many days of their first order: --follow-days of the partner job
    #[arg(long, default_value_t = 365, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3_650))]
    days: u16,
    /// Only customers who pay in this currency: --currency of the partner job
    #[arg(long, value_name = "CODE")]
    currency: Option<Currency>,
    /// Partners with fewer customers in the truth do not count: what so few of them bought is chance
    #[arg(long, default_value_t = 5, value_name = "CUSTOMERS", value_parser = clap::value_parser!(u32).range(1..))]
    least_customers: u32,
    /// One line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

impl JudgePartners {
    fn run(&self) -> Result<()> {
        ensure!(
            self.world.len() == self.partners.len(),
            "{} worlds and {} files of partners: give --world and --partners together",
            self.world.len(),
            self.partners.len()
        );
        let pairs = self.world.iter().zip(&self.partners);
        let case = |(world, partners): (&PathBuf, &PathBuf)| judge_partners::Case {
            world: world.clone(),
            partners: partners.clone(),
        };
        let horizon = judge_partners::Horizon {
            days: f64::from(self.days),
            currency: self.currency,
            least_customers: self.least_customers,
        };
        let judged = judge_partners::judge(&pairs.map(case).collect::<Vec<_>>(), horizon)?;
        if self.json {
            println!("{}", serde_json::to_string(&judged)?);
        } else {
            print!("{judged}");
        }
        Ok(())
    }
}

#[derive(Args)]
struct JudgeCredit {
    /// A folder that --out named
    #[arg(long, value_name = "DIR")]
    world: PathBuf,
    /// The folder of the attribution job
    #[arg(long, value_name = "DIR")]
    credit: PathBuf,
    /// One line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

impl JudgeCredit {
    fn run(&self) -> Result<()> {
        let judged = judge_credit::judge(&judge_credit::Case {
            world: self.world.clone(),
            credit: self.credit.clone(),
        })?;
        if self.json {
            println!("{}", serde_json::to_string(&judged)?);
        } else {
            print!("{judged}");
        }
        Ok(())
    }
}

#[derive(Args)]
struct Judge {
    /// A folder that --out named
    #[arg(long, required = true, value_name = "DIR")]
    world: Vec<PathBuf>,
    /// What was said of that world's events
    #[arg(long, required = true, value_name = "FILE")]
    scores: Vec<PathBuf>,
    /// The column with the event's id
    #[arg(long, default_value = "conversion_id", value_name = "COLUMN")]
    id: String,
    /// The column with 1 for what was flagged
    #[arg(long, default_value = "flagged", value_name = "COLUMN")]
    flagged: String,
    /// The column that says whose event it is
    #[arg(long, default_value = "affiliate_id", value_name = "COLUMN")]
    affiliate: String,
    /// Only lines with this value in this column; all=all for every line
    #[arg(long, default_value = "part=test", value_name = "COLUMN=VALUE")]
    only: String,
    /// One line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

impl Judge {
    fn run(&self) -> Result<()> {
        ensure!(
            self.world.len() == self.scores.len(),
            "{} worlds and {} files of scores: give --world and --scores together",
            self.world.len(),
            self.scores.len()
        );
        let pairs = self.world.iter().zip(&self.scores);
        let cases: Vec<_> =
            pairs.map(|(world, scores)| Case { world: world.clone(), scores: scores.clone() }).collect();
        let only = self.only.split_once('=').context("--only wants COLUMN=VALUE, such as part=test")?;
        let judged = judge(
            &cases,
            &Columns {
                id: self.id.clone(),
                flagged: self.flagged.clone(),
                affiliate: self.affiliate.clone(),
                only: (only != ("all", "all")).then(|| (only.0.to_owned(), only.1.to_owned())),
            },
        )?;
        if self.json {
            println!("{}", serde_json::to_string(&judged)?);
        } else {
            print!("{judged}");
        }
        Ok(())
    }
}

fn together(text: &str) -> Result<Together> {
    let known = [Together::Additive, Together::Synergy, Together::Order];
    known.into_iter().find(|it| it.name() == text).context("expected additive, synergy or order")
}

fn intensity(text: &str) -> Result<(String, f64)> {
    let (name, share) = text.split_once('=').context("expected name=share, such as click_farm=0.05")?;
    let share = share.parse().with_context(|| format!("{share:?} is not a number such as 0.05"))?;
    Ok((name.to_owned(), share))
}

impl CommandLine {
    fn settings(&self) -> Settings {
        let usual = Settings::new(self.seed, self.affiliates, self.days, self.clicks);
        let midnight = self.from.and_time(chrono::NaiveTime::MIN).and_utc();
        let mut settings = Settings {
            start_us: midnight.timestamp_micros(),
            campaigns: self.campaigns.unwrap_or(usual.campaigns),
            people: self.people.unwrap_or(usual.people),
            impressions_per_click: self.impressions,
            losses: Losses::of(self.loss),
            stealth: self.stealth,
            warm_up_days: self.warm_up,
            budgets: self.budgets,
            unknown: self.unknown.iter().cloned().collect(),
            together: self.together,
            ..usual
        };
        if self.honest {
            settings = settings.without_fraud();
        }
        settings.intensities.extend(self.intensity.iter().cloned());
        settings
    }
}

fn main() -> ExitCode {
    let asked = CommandLine::parse();
    let outcome = match &asked.command {
        Some(Command::Judge(judge)) => judge.run(),
        Some(Command::JudgeCredit(judge)) => judge.run(),
        Some(Command::JudgePartners(judge)) => judge.run(),
        None => simulate(asked),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(asked: CommandLine) -> Result<()> {
    if asked.list {
        list();
        return Ok(());
    }
    let world = World::new(asked.settings())?;
    if let Some(api) = &asked.api {
        return knock(&world, api, &asked);
    }
    let counts = pass(&world, &asked)?;
    match asked.lake.map(Lake::open).transpose()? {
        Some(lake) => {
            print!("{}", glance::tables(&lake)?);
            println!("{counts}");
            if let Some(partner) = glance::most_suspicious(&lake)? {
                println!(
                    "\nWhat features say at the end of the partner whom reviewers found out most often:\n{partner}"
                );
            }
        }
        None => {
            for (kind, count) in &counts.by_kind {
                println!("{:15} {count:>12}", kind.name());
            }
            println!("{counts}");
        }
    }
    Ok(())
}

/// Lets a world happen to a running Tributary.
fn knock(world: &World, api: &str, asked: &CommandLine) -> Result<()> {
    let key = asked.key.clone().context("a running Tributary wants a key: say --key")?;
    let client = Client::new(api, asked.tracker.as_deref().unwrap_or(api), key)?;
    let haste = Haste { speedup: asked.speedup, most_per_second: asked.most_per_second };
    let (bar, start_us) = (progress(world.settings().days), world.settings().start_us);
    let seen = |known_at_us: i64| {
        bar.set_position(u64::try_from((known_at_us - start_us) / 86_400_000_000).unwrap_or(0));
    };
    let notes = match &asked.out {
        Some(out) => Notes { truth: sinks(world, asked)?, names: Names::create(out)? },
        None => Notes { truth: Vec::new(), names: Names::nowhere() },
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sent = runtime.block_on(doors::drive(world, &client, &Clock::system(), haste, notes, seen))?;
    bar.finish_and_clear();
    println!("{sent}");
    Ok(())
}

/// Where a world's stream goes, into folders that are empty.
fn sinks(world: &World, asked: &CommandLine) -> Result<Vec<Box<dyn Sink>>> {
    if let Some(lake) = asked.lake.as_deref().filter(|lake| is_in_bucket(lake)) {
        ensure!(
            !Lake::open(lake)?.exists()?,
            "there is a lake at {} already; name another place, or take its objects away first",
            lake.display()
        );
    }
    let folders = [&asked.out, &asked.lake].into_iter().flatten().filter(|folder| !is_in_bucket(folder));
    for folder in folders.clone().filter(|_| asked.replace) {
        sink::remove_world(folder)?;
    }
    folders.clone().try_for_each(|folder| sink::empty_folder(folder))?;
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    match (&asked.lake, &asked.out) {
        (Some(lake), _) => sinks.push(Box::new(sink::Partitions::create(lake)?)),
        // What goes through the doors is kept there.
        (None, Some(_)) if asked.api.is_some() => {}
        (None, Some(out)) => sinks.push(Box::new(sink::Lines::create(out)?)),
        (None, None) => {}
    }
    if let Some(out) = &asked.out {
        sink::write_network(out, world)?;
        sinks.push(Box::new(sink::Facts::create(out)?));
    }
    Ok(sinks)
}

/// What has happened in a world.
struct Counts {
    by_kind: BTreeMap<Kind, u64>,
    waited: usize,
    took: Duration,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, seconds) = (self.by_kind.values().sum::<u64>(), self.took.as_secs_f64());
        let waited = self.waited;
        write!(f, "{all} events in {seconds:.2} s; at most {waited} waited at a time")?;
        peak_mib().map_or(Ok(()), |mib| write!(f, ", in {mib} MiB of memory"))
    }
}

/// The most memory that this process has had so far, where the system says.
fn peak_mib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.div_ceil(1_024))
}

/// Lets a world pass and shows how far it is.
fn pass(world: &World, asked: &CommandLine) -> Result<Counts> {
    let (began, bar) = (Instant::now(), progress(world.settings().days));
    let (mut by_kind, mut waited, mut count) = (BTreeMap::new(), 0, 0_u64);
    let start_us = world.settings().start_us;
    let run = if asked.lake.is_some() { world.run_as_it_happens() } else { world.run() };
    sink::pour(run, sinks(world, asked)?, |known, run| {
        *by_kind.entry(known.event.kind()).or_insert(0) += 1;
        count += 1;
        if count.is_multiple_of(16_384) {
            waited = run.waiting().max(waited);
            bar.set_position(u64::try_from((known.known_at_us - start_us) / 86_400_000_000).unwrap_or(0));
        }
    })?;
    bar.finish_and_clear();
    Ok(Counts { by_kind, waited, took: began.elapsed() })
}

fn list() {
    for pattern in descriptions() {
        let (nature, unit) = (pattern.nature.name(), pattern.unit.name());
        println!("{:18} {nature:7} {:<6} of {unit:7} {}", pattern.name, pattern.usual, pattern.doc);
    }
}

fn progress(days: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} day {pos} of {len}, {eta} left");
    ProgressBar::new(u64::from(days)).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_can_be_asked_for() {
        super::CommandLine::command().debug_assert();
    }
}
