//! Trackers whose machine loses power, over and over, and finds its disk as it was at that instant.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use tempfile::TempDir;
use tokio::{
    task::block_in_place,
    time::{Duration, sleep},
};

use super::{
    book::{Page, Promise},
    disk::Disk,
    plan::{Dice, Load},
    report::Tally,
    stream::{Engine, Mishap},
    tracker::{Alarms, Tracker},
    visitors::Visitors,
    world::World,
};

/// A file system in memory, where a copy takes no time.
const MEMORY: &str = "/dev/shm";
/// What the last cut has left, before anybody has touched it.
const REMAINS: &str = "remains.ext4";
/// The folder of the one tracker.
const FOLDER: usize = 0;
/// So that the rounds of cuts are others than those of kills.
const FIRST_ROUND: u32 = 1 << 31;

/// How much of it.
pub(super) struct Cuts {
    pub seed: u64,
    /// How often the power goes.
    pub count: u32,
    /// After how many rounds everything is compared.
    pub check_every: u32,
}

/// What happens until the power goes, decided by the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Round {
    /// What the tracker and its visitors do until the power goes.
    load: Load,
    /// The power goes while the tracker starts, perhaps in the middle of recovering from the last time.
    is_starting: bool,
    /// Nothing can be shipped meanwhile, so that all of it has to be in the log.
    is_held: bool,
    /// What happens to the stream's servers at the beginning, if it has any.
    mishap: Option<Mishap>,
    /// What happens to the disk before that, and when.
    event: Option<(Event, Duration)>,
}

/// What may happen to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// The kernel writes everything back by itself.
    WriteBack,
    /// Somebody else takes all the room that is left.
    Fill,
}

impl Round {
    fn of_seed(seed: u64, number: u32) -> Self {
        let dice = Dice::of_round(seed, FIRST_ROUND + number);
        let is_starting = dice.one_in(8);
        let load = if is_starting { Load::while_starting(&dice) } else { Load::of(&dice) };
        let moment = load.moment.mul_f64(dice.below(100) as f64 / 100.0);
        let event = match dice.below(20) {
            0..=6 => Some((Event::WriteBack, moment)),
            7..=8 => Some((Event::Fill, moment)),
            _ => None,
        };
        let mishap = dice.one_in(8).then(|| Mishap::of(&dice));
        Self { load, is_starting, is_held: !dice.one_in(4), mishap, event }
    }
}

impl Cuts {
    /// Cuts the power as often, and compares again and again. Says so and does nothing where no disk can be made.
    pub(super) async fn run(&self, world: &mut World, tally: &mut Tally, bar: &ProgressBar) -> Result<()> {
        let workshop = workshop()?;
        let disk = match Disk::make(workshop.path()) {
            Ok(disk) => disk,
            Err(error) => {
                bar.finish_and_clear();
                println!("SKIP power cuts, because no disk can be made for them: {error:#}");
                return Ok(());
            }
        };
        let cut = self.cut(world, tally, bar, disk).await;
        if cut.is_err() {
            // There is none before the first cut.
            fs::copy(workshop.path().join(REMAINS), world.place().join(REMAINS)).ok();
        }
        cut
    }

    async fn cut(
        &self,
        world: &mut World,
        tally: &mut Tally,
        bar: &ProgressBar,
        mut disk: Disk,
    ) -> Result<()> {
        for number in 1..=self.count {
            let round = Round::of_seed(self.seed, number);
            let played = play(world, (number, &round), disk, tally).await;
            disk = played.with_context(|| format!("in round {number} of cuts, which is {round:?}"))?;
            bar.set_position(u64::from(number));
            if number.is_multiple_of(self.check_every) {
                check(world, &disk, tally).await.with_context(|| format!("after round {number} of cuts"))?;
            }
        }
        check(world, &disk, tally).await.context("after the last round of cuts")?;
        disk.discard()
    }
}

/// Starts on what is left, lets everything arrive, ends in peace, and compares.
async fn check(world: &mut World, disk: &Disk, tally: &mut Tally) -> Result<()> {
    world.stream.mend()?;
    let mut tracker = world.start(disk.path(), FOLDER, Load::NONE)?;
    tally.recovered(tracker.wait_until_ready().await?);
    world.wait_for_arrivals(tally).await?;
    tracker.terminate().await?;
    world.audit(tally).await
}

/// Works until the power goes, and mounts what is left.
async fn play(
    world: &mut World,
    (number, round): (u32, &Round),
    disk: Disk,
    tally: &mut Tally,
) -> Result<Disk> {
    tally.rounds += 1;
    tally.cuts += 1;
    let mut tracker = world.start(disk.path(), FOLDER, round.load)?;
    if let Some(mishap) = round.mishap {
        world.stream.suffer(mishap)?;
    }
    let mut visitors = None;
    let mut held = None;
    if !round.is_starting {
        tally.recovered(tracker.wait_until_ready().await?);
        // By a stream it takes seconds after a crash, until what the dead one was about to store comes again.
        if world.stream.engine() == Engine::Local {
            world.wait_for_arrivals(tally).await?;
        }
        if round.is_held {
            held = Some(world.hold_clicks().await?);
        }
        visitors = Some(Visitors::start(tracker.address, round.load, &world.numbers));
    }
    let before = round.event.map_or(Duration::ZERO, |(_, at)| at);
    sleep(before).await;
    let mut filled = None;
    match round.event {
        Some((Event::WriteBack, _)) => block_in_place(|| disk.write_back())?,
        Some((Event::Fill, _)) => {
            world.alarms = Alarms::Any;
            filled = Some(Instant::now());
            block_in_place(|| disk.fill())?;
        }
        None => {}
    }
    sleep(round.load.moment.saturating_sub(before)).await;
    let ended = Instant::now();
    let left = block_in_place(|| cut_power(&mut tracker, &disk, number))?;
    drop(held);
    let diaries = match visitors {
        Some(visitors) => visitors.end().await?,
        None => Vec::new(),
    };
    let promise = Promise::over_a_power_cut(round.load);
    let durability = round.load.durability;
    world.note(Page { round: number, folder: FOLDER, durability, promise, filled, ended, diaries }, tally);
    block_in_place(|| {
        disk.discard()?;
        let left = Disk::mount(left).context("a disk cannot be mounted after a power cut")?;
        left.empty()?;
        Ok(left)
    })
}

/// Stops a tracker, takes what its disk holds, and kills it.
fn cut_power(tracker: &mut Tracker, disk: &Disk, number: u32) -> Result<PathBuf> {
    tracker.freeze()?;
    let folder = disk.path().parent().context("a disk lies in a folder")?;
    let (remains, left) = (folder.join(REMAINS), folder.join(format!("disk-{number}.ext4")));
    disk.copy_to(&remains)?;
    tracker.kill()?;
    fs::copy(&remains, &left)?;
    Ok(left)
}

/// Where the images are.
fn workshop() -> Result<TempDir> {
    let mut folder = tempfile::Builder::new();
    folder.prefix("tributary-torture-");
    if Path::new(MEMORY).is_dir() { Ok(folder.tempdir_in(MEMORY)?) } else { Ok(folder.tempdir()?) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torture::plan::Durability;

    #[test]
    fn a_long_torture_meets_everything() {
        let rounds: Vec<Round> = (1..=200).map(|number| Round::of_seed(1, number)).collect();
        assert_eq!(rounds, (1..=200).map(|number| Round::of_seed(1, number)).collect::<Vec<_>>());
        for is_true in [true, false] {
            assert!(rounds.iter().any(|round| round.is_starting == is_true));
            assert!(rounds.iter().any(|round| round.is_held == is_true));
            assert!(rounds.iter().any(|round| (round.load.durability == Durability::Commit) == is_true));
        }
        for event in [Event::WriteBack, Event::Fill] {
            assert!(rounds.iter().any(|round| round.event.is_some_and(|(it, _)| it == event)));
        }
        assert!(rounds.iter().all(|round| round.event.is_none_or(|(_, at)| at <= round.load.moment)));
    }
}
