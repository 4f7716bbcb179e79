//! What happens in a round, decided by the seed before the round begins.

use std::time::Duration;

use domain::Chance;

use super::stream::Mishap;

/// Longer than any number of rounds, so that two seeds share no round.
const ROUNDS_OF_A_SEED: u64 = 1 << 32;
/// What a tracker takes by itself.
const USUAL_QUEUE: u32 = 16_384;

/// One round of kills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// Counted from one.
    pub number: u32,
    /// What the database does meanwhile.
    pub database: Database,
    /// What happens to the stream's servers, if it has any.
    pub mishap: Option<Mishap>,
    /// Trackers at work at the same time, each on a folder of its own.
    pub shifts: Vec<Shift>,
}

/// What the database does while trackers work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Database {
    /// It stores whatever comes.
    There,
    /// It answers, but somebody holds the table of clicks: nothing can be shipped.
    Held,
    /// It crashes after this time and comes back after the round.
    Crashes(Duration),
    /// It is away already when the trackers start.
    Away,
}

/// What one tracker does in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    /// Which of the folders it works on.
    pub folder: usize,
    pub load: Load,
    /// How it ends.
    pub ending: Ending,
}

/// What a tracker has to do until its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    pub durability: Durability,
    /// How many clicks may wait for its disk; few, so that some are refused, or as many as usual.
    pub log_queue: u32,
    /// How many visitors click.
    pub visitors: u32,
    /// How long each of them looks at a page before the next click.
    pub pause: Duration,
    /// How long after it was ready it ends, or after its start where it ends while starting.
    pub moment: Duration,
}

/// When a click counts as kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    Commit,
    Interval(Duration),
}

/// How a tracker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By SIGKILL while visitors click.
    Kill,
    /// By SIGKILL before it is ready, perhaps in the middle of recovering or shipping what was left.
    KillWhileStarting,
    /// By SIGKILL after the last visitor was answered and its numbers were compared with theirs.
    KillInPeace,
    /// By SIGTERM while visitors click.
    Terminate,
}

impl Round {
    /// What the seed has decided about a round.
    pub(super) fn of_seed(seed: u64, number: u32) -> Self {
        let dice = Dice::of_round(seed, number);
        let database = database(&dice);
        let first = if dice.one_in(8) { 1 } else { 0 };
        let mut shifts = vec![Shift::of(&dice, first, database)];
        if dice.one_in(5) {
            shifts.push(Shift::of(&dice, 1 - first, database));
        }
        let mishap = dice.one_in(8).then(|| Mishap::of(&dice));
        Self { number, database, mishap, shifts }
    }
}

fn database(dice: &Dice) -> Database {
    match dice.below(200) {
        0 => Database::Away,
        1..=8 => Database::Crashes(dice.ms(0..150)),
        9..=80 => Database::Held,
        _ => Database::There,
    }
}

impl Shift {
    fn of(dice: &Dice, folder: usize, database: Database) -> Self {
        let ending = match dice.below(20) {
            // A graceful end ships what is left, for which the database must be there.
            0..=1 if database == Database::There => Ending::Terminate,
            2..=3 => Ending::KillWhileStarting,
            4..=6 => Ending::KillInPeace,
            _ => Ending::Kill,
        };
        let load = match ending {
            Ending::KillWhileStarting => Load::while_starting(dice),
            _ => Load::of(dice),
        };
        Self { folder, load, ending }
    }
}

impl Load {
    /// That of a tracker that only ships what is left.
    pub(super) const NONE: Self = Self {
        durability: Durability::Commit,
        log_queue: USUAL_QUEUE,
        visitors: 0,
        pause: Duration::ZERO,
        moment: Duration::ZERO,
    };

    pub(super) fn of(dice: &Dice) -> Self {
        let durability = Durability::of(dice);
        let pause = if dice.one_in(2) { Duration::ZERO } else { dice.ms(0..10) };
        let (log_queue, moment) = match durability {
            Durability::Commit if dice.one_in(10) => (1 + dice.below(4) as u32, dice.ms(10..250)),
            Durability::Commit => (USUAL_QUEUE, dice.ms(10..250)),
            // As long, and with as few that wait, that an interval that never ends loses more than it may.
            Durability::Interval(_) => (10 + dice.below(500) as u32, dice.ms(400..900)),
        };
        Self { durability, log_queue, visitors: 1 + dice.below(24) as u32, pause, moment }
    }

    /// For a tracker that nobody comes to.
    pub(super) fn while_starting(dice: &Dice) -> Self {
        Self { durability: Durability::of(dice), moment: dice.ms(1..120), ..Self::NONE }
    }
}

impl Durability {
    /// Mostly commit, which promises most.
    fn of(dice: &Dice) -> Self {
        if dice.one_in(6) { Self::Interval(dice.ms(1..20)) } else { Self::Commit }
    }
}

/// The seed's decisions about one round, one after the other.
pub(super) struct Dice(Chance);

impl Dice {
    pub(super) fn of_round(seed: u64, number: u32) -> Self {
        Self(Chance::seeded(seed.wrapping_mul(ROUNDS_OF_A_SEED).wrapping_add(u64::from(number))))
    }

    pub(super) fn below(&self, limit: u64) -> u64 {
        self.0.below(limit)
    }

    pub(super) fn one_in(&self, times: u64) -> bool {
        self.0.below(times) == 0
    }

    /// Some microsecond within these milliseconds.
    pub(super) fn ms(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_micros(range.start * 1_000 + self.0.below((range.end - range.start) * 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_every_round_and_another_seed_decides_otherwise() {
        let of = |seed| (1..=50).map(|number| Round::of_seed(seed, number)).collect::<Vec<_>>();
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    #[test]
    fn a_long_torture_meets_everything() {
        let rounds: Vec<Round> = (1..=1_000).map(|number| Round::of_seed(1, number)).collect();
        let shifts = || rounds.iter().flat_map(|round| &round.shifts);
        for ending in [Ending::Kill, Ending::KillWhileStarting, Ending::KillInPeace, Ending::Terminate] {
            assert!(10 < shifts().filter(|shift| shift.ending == ending).count(), "{ending:?}");
        }
        for database in [Database::There, Database::Held, Database::Away] {
            assert!(rounds.iter().any(|round| round.database == database), "{database:?}");
        }
        assert!(rounds.iter().any(|round| matches!(round.database, Database::Crashes(_))));
        assert!(rounds.iter().any(|round| round.shifts.len() == 2));
        assert!(50 < rounds.iter().filter(|round| round.mishap.is_some()).count());
        assert!(shifts().any(|shift| shift.load.durability != Durability::Commit));
        assert!(shifts().any(|shift| shift.load.log_queue < 5));
        assert!(shifts().any(|shift| shift.load.log_queue == USUAL_QUEUE));
    }

    #[test]
    fn a_graceful_end_has_a_database_and_two_trackers_have_two_folders() {
        for round in (1..=1_000).map(|number| Round::of_seed(3, number)) {
            let ends_gracefully = round.shifts.iter().any(|shift| shift.ending == Ending::Terminate);
            assert!(!ends_gracefully || round.database == Database::There);
            if let [first, second] = &round.shifts[..] {
                assert_ne!(first.folder, second.folder);
            }
        }
    }
}
