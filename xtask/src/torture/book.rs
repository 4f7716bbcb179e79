//! What visitors were told, and the comparison of that with what is stored.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use domain::ClickId;

use super::plan::Durability;

/// What the syncs around an interval may take in any case, by threads that wait for a busy core.
const LATENESS: Duration = Duration::from_millis(300);
/// How many lost clicks are named.
const SHOWN: usize = 10;

/// What one visitor saw, in the order of their visits. A visit has a number of its own, which the tracker is given
/// as `sub1`.
#[derive(Debug, Default)]
pub(super) struct Diary {
    /// Redirected with a click's id.
    pub acknowledged: Vec<Acknowledged>,
    /// Answered with 503.
    pub refused: Vec<u64>,
    /// Sent, but the answer never came: stored or not, both is right.
    pub unanswered: Vec<u64>,
    /// The longest that an answer took.
    pub longest_wait: Duration,
}

/// A click that was promised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledged {
    pub visit: u64,
    pub click: ClickId,
    /// When the visitor had the answer.
    pub at: Instant,
}

/// What was promised by one tracker between a start and an end.
#[derive(Debug)]
pub(super) struct Page {
    pub round: u32,
    /// Which of the folders the tracker worked on.
    pub folder: usize,
    pub durability: Durability,
    pub promise: Promise,
    /// When it was killed, or its machine lost power.
    pub ended: Instant,
    pub diaries: Vec<Diary>,
}

/// What an acknowledgement was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// The click is never lost.
    Kept,
    /// It may be lost if it had not been written when its process was killed, for which it waited at most as long as
    /// a sync takes.
    KeptOnceWritten,
    /// It may be lost if it had not been synced when the power went: it was written after at most one sync, and synced
    /// with the next one, which began within the interval.
    KeptOnceSynced(Duration),
}

/// How long syncs take on this machine today, for promises that depend on it: at most twice as long as visitors of
/// commit mode had to wait for theirs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Syncs {
    longest_wait: Duration,
}

impl Syncs {
    /// Takes into account what visitors have waited.
    pub(super) fn note(&mut self, page: &Page) {
        if page.durability == Durability::Commit {
            let waits = page.diaries.iter().map(|diary| diary.longest_wait);
            self.longest_wait = waits.fold(self.longest_wait, Duration::max);
        }
    }

    fn lateness(self) -> Duration {
        LATENESS.max(2 * self.longest_wait)
    }
}

impl Promise {
    /// What a mode promises whose process is killed.
    pub(super) fn over_a_kill(durability: Durability) -> Self {
        match durability {
            Durability::Commit => Self::Kept,
            Durability::Interval(_) => Self::KeptOnceWritten,
        }
    }

    /// What a mode promises whose machine loses power.
    pub(super) fn over_a_power_cut(durability: Durability) -> Self {
        match durability {
            Durability::Commit => Self::Kept,
            Durability::Interval(interval) => Self::KeptOnceSynced(interval),
        }
    }

    /// How long before the end a click may have been acknowledged that is lost; none may where there is no such time.
    fn interval(self) -> Option<Duration> {
        match self {
            Self::Kept => None,
            Self::KeptOnceWritten => Some(Duration::ZERO),
            Self::KeptOnceSynced(interval) => Some(interval),
        }
    }
}

/// A click as the database has it: its id, and the number of its visit.
pub(super) type Stored = (ClickId, Option<u64>);

/// What a comparison has found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Promised, and not there.
    pub lost: Vec<Lost>,
    /// Visits that are there more than once.
    pub doubled: Vec<u64>,
    /// Other things that must not be, as sentences.
    pub wrong: Vec<String>,
    /// Lost as an interval may: what was promised, and how much longer than the interval before the end it was
    /// acknowledged.
    pub forgiven: Vec<(Promise, Duration)>,
}

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub click: ClickId,
    pub round: u32,
    /// How long before the end it was acknowledged.
    pub before_end: Duration,
}

impl Findings {
    /// Fails with what was found that must not be, the worst first.
    pub(super) fn check(&self) -> Result<()> {
        let named: Vec<String> = self.lost.iter().take(SHOWN).map(ToString::to_string).collect();
        ensure!(
            self.lost.is_empty(),
            "{} acknowledged clicks are lost: {}",
            self.lost.len(),
            named.join(", ")
        );
        let doubled = &self.doubled;
        ensure!(doubled.is_empty(), "{} visits are stored twice, such as {}", doubled.len(), doubled[0]);
        let wrong = &self.wrong;
        ensure!(wrong.is_empty(), "{} things are not as they must be: {}", wrong.len(), wrong[0]);
        Ok(())
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before_end_us = self.before_end.as_micros();
        write!(formatter, "{} (round {}, {before_end_us} µs before its end)", self.click, self.round)
    }
}

/// Compares what was told with what is stored. `stored` may have older visits, from before `first_visit`.
pub(super) fn compare<'a>(
    pages: impl IntoIterator<Item = &'a Page>,
    stored: &[Stored],
    (first_visit, syncs): (u64, Syncs),
) -> Findings {
    let mut findings = Findings::default();
    let lateness = syncs.lateness();
    let by_click: HashMap<ClickId, Option<u64>> = stored.iter().copied().collect();
    let mut expected = HashSet::new();
    for page in pages {
        for diary in &page.diaries {
            check_acknowledged((page, diary), &by_click, lateness, &mut findings);
            expected.extend(diary.acknowledged.iter().map(|one| one.visit));
            expected.extend(&diary.unanswered);
        }
    }
    check_stored(stored, first_visit, &expected, &mut findings);
    findings
}

fn check_acknowledged(
    (page, diary): (&Page, &Diary),
    by_click: &HashMap<ClickId, Option<u64>>,
    lateness: Duration,
    findings: &mut Findings,
) {
    let mut is_missing = false;
    for one in &diary.acknowledged {
        match by_click.get(&one.click) {
            Some(visit) if *visit != Some(one.visit) => {
                findings
                    .wrong
                    .push(format!("{} was visit {} and is stored as {visit:?}", one.click, one.visit));
            }
            Some(_) if is_missing => {
                // One visitor's clicks are written in their order: what a crash takes is an end of them.
                findings
                    .wrong
                    .push(format!("{} of round {} is stored, but not one before it", one.click, page.round));
            }
            Some(_) => {}
            None => {
                let before_end = page.ended.saturating_duration_since(one.at);
                match page.promise.interval() {
                    Some(interval) if before_end <= interval + lateness => {
                        is_missing = true;
                        findings.forgiven.push((page.promise, before_end.saturating_sub(interval)));
                    }
                    _ => findings.lost.push(Lost { click: one.click, round: page.round, before_end }),
                }
            }
        }
    }
}

fn check_stored(stored: &[Stored], first_visit: u64, expected: &HashSet<u64>, findings: &mut Findings) {
    let mut seen = HashSet::new();
    for (click, visit) in stored {
        let Some(visit) = *visit else {
            findings.wrong.push(format!("{click} is stored without the number of its visit"));
            continue;
        };
        if visit < first_visit {
            continue;
        }
        if !seen.insert(visit) {
            findings.doubled.push(visit);
        }
        if !expected.contains(&visit) {
            findings.wrong.push(format!("{click} is stored, but visit {visit} was refused or never made"));
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const ALL: (u64, Syncs) = (1, Syncs { longest_wait: Duration::ZERO });

    fn click(number: u64) -> ClickId {
        Uuid::from_u128(u128::from(number)).into()
    }

    /// Visits 1..=4 of one visitor, acknowledged 4, 3, 2 and 1 ms before the end; 5 was refused, 6 not answered.
    fn page(promise: Promise) -> Page {
        let ended = Instant::now() + Duration::from_secs(1);
        let acknowledged = (1..=4)
            .map(|visit| Acknowledged { visit, click: click(visit), at: ended - MS * (5 - visit as u32) })
            .collect();
        let diary = Diary { acknowledged, refused: vec![5], unanswered: vec![6], longest_wait: 200 * MS };
        Page { round: 9, folder: 0, durability: Durability::Commit, promise, ended, diaries: vec![diary] }
    }

    fn check(promise: Promise, stored: &[u64]) -> Findings {
        let stored: Vec<Stored> = stored.iter().map(|number| (click(*number), Some(*number))).collect();
        compare([&page(promise)], &stored, ALL)
    }

    #[test]
    fn what_was_promised_is_there_and_what_was_not_answered_may_be() {
        assert!(check(Promise::Kept, &[1, 2, 3, 4]).check().is_ok());
        assert!(check(Promise::Kept, &[1, 2, 3, 4, 6]).check().is_ok());
    }

    #[test]
    fn a_lost_click_is_named_with_its_round() {
        let lost = check(Promise::Kept, &[1, 2, 4]).lost;
        assert_eq!(lost, [Lost { click: click(3), round: 9, before_end: 2 * MS }]);
    }

    #[test]
    fn a_refused_click_must_not_be_stored() {
        let findings = check(Promise::Kept, &[1, 2, 3, 4, 5]);
        assert_eq!((findings.lost.len(), findings.wrong.len()), (0, 1));
    }

    #[test]
    fn an_interval_may_lose_the_end_and_only_that() {
        let promise = Promise::KeptOnceSynced(MS);
        let findings = check(promise, &[1, 2]);
        assert!(findings.check().is_ok());
        assert_eq!(findings.forgiven, [(promise, MS), (promise, Duration::ZERO)]);
        assert_eq!(check(promise, &[1, 2, 4]).wrong.len(), 1, "3 is missing and 4 is there");
        let mut page = page(promise);
        page.ended += LATENESS;
        assert_eq!(compare([&page], &[], ALL).lost.len(), 3);
        let mut syncs = Syncs::default();
        syncs.note(&page);
        assert_eq!(compare([&page], &[], (1, syncs)).lost.len(), 0, "syncs take their time here");
    }

    #[test]
    fn a_visit_that_is_stored_twice_or_as_another_is_found() {
        let mut stored: Vec<Stored> = (1..=4).map(|number| (click(number), Some(number))).collect();
        stored.push((click(100), Some(2)));
        assert_eq!(compare([&page(Promise::Kept)], &stored, ALL).doubled, [2]);
        stored.pop();
        stored[0].1 = Some(6);
        assert_eq!(compare([&page(Promise::Kept)], &stored, ALL).wrong.len(), 1);
        stored[0].1 = None;
        assert_eq!(compare([&page(Promise::Kept)], &stored, ALL).wrong.len(), 2);
    }

    #[test]
    fn older_visits_are_somebody_elses() {
        let stored: Vec<Stored> = (0..=4).map(|number| (click(number), Some(number))).collect();
        assert!(compare([&page(Promise::Kept)], &stored, ALL).check().is_ok());
    }
}
