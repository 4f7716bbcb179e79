//! Trackers that are killed, over and over, on folders that survive them.

use std::time::Instant;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use tokio::{
    time::{Duration, sleep},
    try_join,
};

use super::{
    book::{Page, Promise},
    plan::{Database, Ending, Load, Round, Shift},
    report::Tally,
    stream::Engine,
    tracker::Tracker,
    visitors::Visitors,
    world::{FOLDERS, World},
};

/// How long the last clicks may take to the disk when nobody clicks any more.
const PEACE_PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(1);

/// How much of it.
pub(super) struct Kills {
    pub seed: u64,
    /// How often a tracker is killed.
    pub count: u32,
    /// After how many rounds everything is compared.
    pub check_every: u32,
}

impl Kills {
    /// Plays rounds until as many trackers were killed, and compares again and again.
    pub(super) async fn run(&self, world: &mut World, tally: &mut Tally, bar: &ProgressBar) -> Result<()> {
        let mut number = 0;
        while tally.kills < self.count {
            number += 1;
            let round = Round::of_seed(self.seed, number);
            let played = play(world, &round, tally).await;
            played.with_context(|| format!("in round {number} of kills, which is {round:?}"))?;
            bar.set_position(u64::from(tally.kills.min(self.count)));
            if number.is_multiple_of(self.check_every) {
                check(world, tally).await.with_context(|| format!("after round {number} of kills"))?;
            }
        }
        check(world, tally).await.context("after the last round of kills")
    }
}

/// Starts on every folder again, lets everything arrive, ends in peace, and compares.
async fn check(world: &mut World, tally: &mut Tally) -> Result<()> {
    world.stream.mend()?;
    let mut trackers = Vec::new();
    for folder in 0..FOLDERS {
        let mut tracker = world.start(world.place(), folder, Load::NONE)?;
        tally.recovered(tracker.wait_until_ready().await?);
        trackers.push(tracker);
    }
    world.wait_for_arrivals(tally).await?;
    for tracker in &mut trackers {
        tracker.terminate().await?;
    }
    world.audit(tally).await
}

async fn play(world: &mut World, round: &Round, tally: &mut Tally) -> Result<()> {
    tally.rounds += 1;
    if round.database == Database::Away {
        world.crash_database()?;
    }
    let held = match round.database {
        Database::Held => Some(world.hold_clicks().await?),
        _ => None,
    };
    let crashing = async {
        if let Database::Crashes(after) = round.database {
            sleep(after).await;
            world.crash_database()?;
        }
        anyhow::Ok(())
    };
    let suffering = async {
        if let Some(mishap) = round.mishap {
            sleep(mishap.at).await;
            world.stream.suffer(mishap)?;
        }
        anyhow::Ok(())
    };
    let working = async {
        match &round.shifts[..] {
            [first, second] => {
                let (first, second) = try_join!(work(world, round, first), work(world, round, second))?;
                anyhow::Ok(vec![first, second])
            }
            shifts => Ok(vec![work(world, round, &shifts[0]).await?]),
        }
    };
    let (worked, (), ()) = try_join!(working, crashing, suffering)?;
    drop(held);
    world.resume_database()?;
    for (shift, worked) in round.shifts.iter().zip(worked) {
        tally.ended(shift.ending);
        if let Some(ready_after) = worked.ready_after.filter(|_| round.database != Database::Away) {
            tally.recovered(ready_after);
        }
        world.note(worked.page, tally);
        // What one tracker has published another may be about to store.
        if shift.ending == Ending::Terminate && world.stream.engine() == Engine::Local {
            world.check_shipped(shift.folder).await?;
        }
    }
    Ok(())
}

/// What came of a shift.
struct Worked {
    page: Page,
    ready_after: Option<Duration>,
}

async fn work(world: &World, round: &Round, shift: &Shift) -> Result<Worked> {
    let mut tracker = world.start(world.place(), shift.folder, shift.load)?;
    let mut page = Page {
        round: round.number,
        folder: shift.folder,
        durability: shift.load.durability,
        promise: Promise::over_a_kill(shift.load),
        filled: None,
        ended: Instant::now(),
        diaries: Vec::new(),
    };
    if shift.ending == Ending::KillWhileStarting {
        sleep(shift.load.moment).await;
        tracker.kill()?;
        return Ok(Worked { page, ready_after: None });
    }
    let ready_after = tracker.wait_until_ready().await?;
    let visitors = Visitors::start(tracker.address, shift.load, &world.numbers);
    sleep(shift.load.moment / 2).await;
    tracker.metrics().await?.check()?;
    sleep(shift.load.moment / 2).await;
    match shift.ending {
        Ending::Terminate => {
            page.promise = Promise::Kept;
            tracker.terminate().await?;
            page.diaries = visitors.end().await?;
        }
        Ending::KillInPeace => {
            page.diaries = visitors.end().await?;
            page.promise = Promise::Kept;
            wait_for_peace(&tracker).await?;
            tracker.metrics().await?.check_against(&page.diaries)?;
            tracker.kill()?;
        }
        Ending::Kill | Ending::KillWhileStarting => {
            page.ended = Instant::now();
            tracker.kill()?;
            page.diaries = visitors.end().await?;
        }
    }
    Ok(Worked { page, ready_after: Some(ready_after) })
}

/// Waits until nothing is on its way to the disk.
async fn wait_for_peace(tracker: &Tracker) -> Result<()> {
    let began = Instant::now();
    loop {
        let metrics = tracker.metrics().await?;
        metrics.check()?;
        if metrics.in_flight == 0 {
            return Ok(());
        }
        anyhow::ensure!(
            began.elapsed() < PEACE_PATIENCE,
            "clicks stay on their way to the disk: {metrics:?}"
        );
        sleep(PAUSE).await;
    }
}
