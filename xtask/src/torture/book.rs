//! What visitors were told, and the comparison of that with what is stored.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use domain::ClickId;

use super::plan::Durability;

/// How late a thread may be on a machine whose cores are all busy: clicks that were answered in interval mode and
/// then waited for their turn to be written. What was really lost is reported.
const LATENESS: Duration = Duration::from_millis(500);
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
    /// It may be lost if it was acknowledged within this time before the end.
    KeptUnlessWithin(Duration),
}

impl Promise {
    /// What a mode promises whose process is killed: a click that was answered first and written then may be lost.
    pub(super) fn over_a_kill(durability: Durability) -> Self {
        match durability {
            Durability::Commit => Self::Kept,
            Durability::Interval(_) => Self::KeptUnlessWithin(LATENESS),
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
    /// How long before the end those were acknowledged that an interval may lose.
    pub forgiven: Vec<Duration>,
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
    first_visit: u64,
) -> Findings {
    let mut findings = Findings::default();
    let by_click: HashMap<ClickId, Option<u64>> = stored.iter().copied().collect();
    let mut expected = HashSet::new();
    for page in pages {
        for diary in &page.diaries {
            check_acknowledged(page, diary, &by_click, &mut findings);
            expected.extend(diary.acknowledged.iter().map(|one| one.visit));
            expected.extend(&diary.unanswered);
        }
    }
    check_stored(stored, first_visit, &expected, &mut findings);
    findings
}

fn check_acknowledged(
    page: &Page,
    diary: &Diary,
    by_click: &HashMap<ClickId, Option<u64>>,
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
                match page.promise {
                    Promise::KeptUnlessWithin(bound) if before_end <= bound => {
                        is_missing = true;
                        findings.forgiven.push(before_end);
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

    fn click(number: u64) -> ClickId {
        Uuid::from_u128(u128::from(number)).into()
    }

    /// Visits 1..=4 of one visitor, acknowledged 4, 3, 2 and 1 ms before the end; 5 was refused, 6 not answered.
    fn page(promise: Promise) -> Page {
        let ended = Instant::now() + Duration::from_secs(1);
        let acknowledged = (1..=4)
            .map(|visit| Acknowledged { visit, click: click(visit), at: ended - MS * (5 - visit as u32) })
            .collect();
        let diary = Diary { acknowledged, refused: vec![5], unanswered: vec![6] };
        Page { round: 9, folder: 0, promise, ended, diaries: vec![diary] }
    }

    fn check(promise: Promise, stored: &[u64]) -> Findings {
        let stored: Vec<Stored> = stored.iter().map(|number| (click(*number), Some(*number))).collect();
        compare([&page(promise)], &stored, 1)
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
        let promise = Promise::KeptUnlessWithin(2 * MS);
        let findings = check(promise, &[1, 2]);
        assert!(findings.check().is_ok());
        assert_eq!(findings.forgiven, [2 * MS, MS]);
        assert_eq!(check(promise, &[1]).lost.len(), 1);
        assert_eq!(check(promise, &[1, 2, 4]).wrong.len(), 1, "3 is missing and 4 is there");
    }

    #[test]
    fn a_visit_that_is_stored_twice_or_as_another_is_found() {
        let mut stored: Vec<Stored> = (1..=4).map(|number| (click(number), Some(number))).collect();
        stored.push((click(100), Some(2)));
        assert_eq!(compare([&page(Promise::Kept)], &stored, 1).doubled, [2]);
        stored.pop();
        stored[0].1 = Some(6);
        assert_eq!(compare([&page(Promise::Kept)], &stored, 1).wrong.len(), 1);
        stored[0].1 = None;
        assert_eq!(compare([&page(Promise::Kept)], &stored, 1).wrong.len(), 2);
    }

    #[test]
    fn older_visits_are_somebody_elses() {
        let stored: Vec<Stored> = (0..=4).map(|number| (click(number), Some(number))).collect();
        assert!(compare([&page(Promise::Kept)], &stored, 1).check().is_ok());
    }
}
