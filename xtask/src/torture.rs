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
mod tracker;
mod visitors;
mod world;

use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use domain::Clock;
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
use world::World;

/// What a whole torture is.
const KILLS: u32 = 1_000;
const CUTS: u32 = 200;

/// How long to torture.
#[derive(Args)]
pub struct Options {
    /// How often a tracker is killed
    #[arg(long, default_value_t = KILLS)]
    kills: u32,
    /// How often the power is cut; needs root, loop devices and mkfs.ext4, and is left out where there are none
    #[arg(long, default_value_t = CUTS)]
    cuts: u32,
    /// The same seed decides the same rounds; what they meet is up to the machine
    #[arg(long, default_value_t = 1)]
    seed: u64,
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

impl Options {
    /// Whether nothing was left out, so that the page may be written.
    fn is_complete(&self, tally: &Tally) -> bool {
        !self.no_write && KILLS <= self.kills && CUTS <= tally.cuts
    }

    /// What decides the same rounds once more.
    fn command(&self) -> String {
        let Self { kills, cuts, seed, check_every, profile, .. } = self;
        let profile = if *profile == Profile::Dev { "" } else { " --profile release" };
        format!(
            "cargo xtask torture --kills {kills} --cuts {cuts} --seed {seed} --check-every {check_every}{profile}"
        )
    }

    /// What every change has to stand.
    pub fn short() -> Self {
        Self { kills: 40, cuts: 10, seed: 1, check_every: 10, profile: Profile::Dev, no_write: true }
    }
}

/// Tortures, tells what came of it, and fails when a promise was broken.
pub fn run(options: &Options) -> Result<()> {
    // Taken first, because it belongs to the commit that is built.
    let machine = Machine::here(workspace::root(), &Clock::system())?;
    let mut tally = Tally::default();
    let tortured = Runtime::new()?.block_on(engine(options, &mut tally));
    let is_complete = options.is_complete(&tally);
    let report = report::report(&[("local", tally)], options.seed);
    print!("{}", bench::report::text(&report));
    tortured?;
    println!("No promise was broken.");
    if is_complete {
        let machine = if options.profile == Profile::Dev { machine.built_for_developers() } else { machine };
        let doc =
            "Trackers killed, and their power cut, while visitors click: what they were promised is there.";
        bench::report::write("torture", doc, &options.command(), &machine, &report)?;
    }
    Ok(())
}

async fn engine(options: &Options, tally: &mut Tally) -> Result<()> {
    let mut world = World::new(options.profile).await?;
    let began = Instant::now();
    // Whatever is at work when the future is dropped ends with it.
    let tortured = tokio::select! {
        tortured = torture(&mut world, options, tally) => tortured,
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

async fn torture(world: &mut World, options: &Options, tally: &mut Tally) -> Result<()> {
    let Options { seed, check_every, .. } = *options;
    let kills = bar("kills", options.kills);
    Kills { seed, count: options.kills, check_every }.run(world, tally, &kills).await?;
    kills.finish_and_clear();
    if options.cuts == 0 {
        return Ok(());
    }
    let cuts = bar("cuts", options.cuts);
    Cuts { seed, count: options.cuts, check_every }.run(world, tally, &cuts).await?;
    cuts.finish_and_clear();
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
