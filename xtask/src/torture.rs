//! `cargo xtask torture` proves that no click is lost that a visitor was promised, and that none is stored twice.
//!
//! The real `tributary-track` takes clicks over real HTTP while it is killed, over and over, on folders that survive
//! it ([`kills`]), and while its machine loses power and finds its disk as it was at that instant ([`cuts`], [`disk`]).
//! Every visit has a number of its own and every answer is written down, so that afterwards it is known of every
//! row whether it had to be there (redirected with a click's id), could be (sent, but not answered) or must not be
//! (refused, or never made), and of every acknowledgement whether its row is there, once, under the right id, and
//! counted once by its link.
//!
//! The seed decides what is done in every round ([`plan`]); what a moment of it meets in the tracker is up to the
//! machine. A seed that has found something may therefore need several runs to find it again.

mod audit;
mod book;
mod cuts;
mod disk;
mod http;
mod kills;
mod metrics;
mod plan;
mod report;
mod store;
mod stream;
mod tracker;
mod visitors;
mod world;

use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use domain::Clock;
use embedded::nats::StartError;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

use crate::{
    bench::{self, machine::Machine},
    cluster::Profile,
    workspace,
};
use cuts::Cuts;
use kills::Kills;
use report::Tally;
use stream::{Engine, Stream};
use world::World;

/// What a whole torture is.
const KILLS: u32 = 1_000;
const CUTS: u32 = 200;
/// What the page says of it.
const DOC: &str =
    "Trackers killed, and their power cut, while visitors click: what they were promised is there.";

/// How long to torture.
#[derive(Args)]
pub struct Options {
    /// How often a tracker is killed, on each engine
    #[arg(long, default_value_t = KILLS)]
    kills: u32,
    /// How often the power is cut; needs root, loop devices and mkfs.ext4, and is left out where there are none
    #[arg(long, default_value_t = CUTS)]
    cuts: u32,
    /// The same seed decides the same rounds; what they meet is up to the machine
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What takes clicks into the database: each tracker, or a NATS cluster whose servers are harmed as well
    #[arg(long, value_enum, default_value = "both")]
    engine: Engines,
    /// After how many rounds everything that was promised is looked for
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..))]
    check_every: u32,
    /// How the tracker is built
    #[arg(long, value_enum, default_value = "dev")]
    profile: Profile,
    /// Leave docs/BENCHMARKS.md as it is; fewer kills or cuts than usual never write it
    #[arg(long)]
    no_write: bool,
}

/// Which engines.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engines {
    Local,
    Nats,
    /// The cluster is left out where there is no nats-server.
    Both,
}

/// How much of it on one engine.
#[derive(Clone, Copy)]
struct Dose {
    engine: Engine,
    kills: u32,
    cuts: u32,
}

/// What every change has to stand.
pub fn short() -> Result<()> {
    let options = Options {
        kills: 40,
        cuts: 10,
        seed: 1,
        engine: Engines::Both,
        check_every: 10,
        profile: Profile::Dev,
        no_write: true,
    };
    // A cluster that lost a server takes its time: there is little that can be done with it in a few seconds.
    let doses = [
        Dose { engine: Engine::Local, kills: 40, cuts: 10 },
        Dose { engine: Engine::Nats, kills: 10, cuts: 3 },
    ];
    torture(&options, &doses)
}

/// Tortures, tells what came of it, and fails when a promise was broken.
pub fn run(options: &Options) -> Result<()> {
    let engines = match options.engine {
        Engines::Local => &[Engine::Local][..],
        Engines::Nats => &[Engine::Nats],
        Engines::Both => &[Engine::Local, Engine::Nats],
    };
    let dose = |engine: &Engine| Dose { engine: *engine, kills: options.kills, cuts: options.cuts };
    torture(options, &engines.iter().map(dose).collect::<Vec<_>>())
}

fn torture(options: &Options, doses: &[Dose]) -> Result<()> {
    // Taken first, because it belongs to the commit that is built.
    let machine = Machine::here(workspace::root(), &Clock::system())?;
    let mut tallies = Vec::new();
    let tortured = Runtime::new()?.block_on(async {
        for dose in doses {
            let stream = match Stream::start(dose.engine) {
                Err(StartError::Find(error)) if options.engine == Engines::Both => {
                    println!("SKIP the NATS cluster: {error}");
                    continue;
                }
                started => started?,
            };
            let mut tally = Tally::default();
            let tortured = take(options, *dose, stream, &mut tally).await;
            tallies.push((dose.engine.name(), tally));
            tortured.with_context(|| format!("with the engine {}", dose.engine.name()))?;
        }
        anyhow::Ok(())
    });
    let report = report::report(&tallies, options.seed);
    print!("{}", bench::report::text(&report));
    tortured?;
    println!("No promise was broken.");
    let is_complete =
        tallies.len() == 2 && tallies.iter().all(|(_, it)| KILLS <= it.kills && CUTS <= it.cuts);
    if is_complete && !options.no_write {
        let machine = if options.profile == Profile::Dev { machine.built_for_developers() } else { machine };
        bench::report::write("torture", DOC, &options.command(), &machine, &report)?;
    }
    Ok(())
}

impl Options {
    /// What decides the same rounds once more.
    fn command(&self) -> String {
        let Self { kills, cuts, seed, check_every, profile, .. } = self;
        let engine = match self.engine {
            Engines::Both => "",
            Engines::Local => " --engine local",
            Engines::Nats => " --engine nats",
        };
        let profile = match profile {
            Profile::Dev => "",
            Profile::Release => " --profile release",
            Profile::Tracker => " --profile tracker",
        };
        format!(
            "cargo xtask torture --kills {kills} --cuts {cuts} --seed {seed}{engine} --check-every {check_every}{profile}"
        )
    }
}

/// Does all of it with one engine, and keeps what there was if something was found.
async fn take(options: &Options, dose: Dose, stream: Stream, tally: &mut Tally) -> Result<()> {
    let mut world = World::new(stream, options.profile).await?;
    let began = Instant::now();
    // Whatever is at work when the future is dropped ends with it.
    let tortured = tokio::select! {
        tortured = take_in(&mut world, options, dose, tally) => tortured,
        interrupted = interrupted() => {
            interrupted?;
            bail!("interrupted");
        }
    };
    tally.took = began.elapsed();
    tortured.map_err(|error| {
        let (command, kept) = (options.command(), world.keep());
        anyhow!(
            "{error:#}; `{command}` makes the same decisions, and what there was is kept in {}",
            kept.display()
        )
    })
}

async fn take_in(world: &mut World, options: &Options, dose: Dose, tally: &mut Tally) -> Result<()> {
    let Options { seed, check_every, .. } = *options;
    let kills = bar("kills", dose.kills);
    Kills { seed, count: dose.kills, check_every }.run(world, tally, &kills).await?;
    kills.finish_and_clear();
    if 0 < dose.cuts {
        let cuts = bar("cuts", dose.cuts);
        Cuts { seed, count: dose.cuts, check_every }.run(world, tally, &cuts).await?;
        cuts.finish_and_clear();
    }
    Ok(())
}

fn bar(name: &'static str, length: u32) -> ProgressBar {
    let bar = ProgressBar::new(u64::from(length)).with_message(name);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {elapsed}");
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

async fn interrupted() -> Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
