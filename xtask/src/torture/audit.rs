//! The comparison of what visitors were told with what is stored.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::Duration,
};

use anyhow::{Result, ensure};
use domain::ClickId;

use super::book::{Page, Promise, Syncs};

/// How many lost clicks are named.
const SHOWN: usize = 10;

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
    /// Not there either, as interval mode allows.
    pub forgiven: Vec<Lost>,
}

/// A click that was acknowledged and is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub click: ClickId,
    /// The round that promised it, which may be long before the one that looked.
    pub round: u32,
    /// What the tracker of that round promised.
    pub promise: Promise,
    /// How long before the end it was acknowledged.
    pub before_end: Duration,
}

impl Findings {
    /// Fails with what was found that must not be, the worst first.
    pub(super) fn check(&self) -> Result<()> {
        self.check_lost()?;
        let doubled = &self.doubled;
        ensure!(doubled.is_empty(), "{} visits are stored twice, such as {}", doubled.len(), doubled[0]);
        let wrong = &self.wrong;
        ensure!(wrong.is_empty(), "{} things are not as they must be: {}", wrong.len(), wrong[0]);
        Ok(())
    }

    /// Fails with what is lost.
    pub(super) fn check_lost(&self) -> Result<()> {
        let named: Vec<String> = self.lost.iter().take(SHOWN).map(ToString::to_string).collect();
        ensure!(
            self.lost.is_empty(),
            "{} acknowledged clicks are lost: {}",
            self.lost.len(),
            named.join(", ")
        );
        Ok(())
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before_end_us = self.before_end.as_micros();
        let Self { click, round, promise, .. } = self;
        write!(
            formatter,
            "{click} (promised in round {round} as {promise:?}, {before_end_us} µs before its end)"
        )
    }
}

/// Compares what was told with what is stored. `stored` may have older visits, from before `first_visit`.
pub(super) fn compare<'a>(
    pages: impl IntoIterator<Item = &'a Page>,
    stored: &[Stored],
    (first_visit, syncs): (u64, Syncs),
) -> Findings {
    let mut findings = Findings::default();
    let by_click: HashMap<ClickId, Option<u64>> = stored.iter().copied().collect();
    let mut expected = HashSet::new();
    for page in pages {
        judge(page, missing(page, &by_click, &mut findings), syncs, &mut findings);
        for diary in &page.diaries {
            expected.extend(diary.acknowledged.iter().map(|one| one.visit));
            expected.extend(&diary.unanswered);
        }
    }
    check_stored(stored, first_visit, &expected, &mut findings);
    findings
}

/// What was acknowledged and is not there.
fn missing(page: &Page, by_click: &HashMap<ClickId, Option<u64>>, findings: &mut Findings) -> Vec<Lost> {
    let mut missing = Vec::new();
    for one in page.diaries.iter().flat_map(|diary| &diary.acknowledged) {
        let before_end = page.ended.saturating_duration_since(one.at);
        match by_click.get(&one.click) {
            Some(visit) if *visit == Some(one.visit) => {}
            Some(visit) => {
                let wrong = format!("{} was visit {} and is stored as {visit:?}", one.click, one.visit);
                findings.wrong.push(wrong);
            }
            None => {
                let (click, round, promise) = (one.click, page.round, page.promise);
                missing.push(Lost { click, round, promise, before_end });
            }
        }
    }
    missing
}

/// Tells what may be missing from what may not.
fn judge(page: &Page, missing: Vec<Lost>, syncs: Syncs, findings: &mut Findings) {
    let count = missing.len() as u64;
    for one in missing {
        let is_forgiven = match page.promise {
            Promise::Kept => false,
            Promise::KeptBut(clicks) => count <= clicks,
            Promise::KeptOnceSynced(interval) => {
                let bound = interval + syncs.lateness();
                let full_for = page.filled.map(|filled| page.ended.saturating_duration_since(filled));
                one.before_end <= full_for.unwrap_or_default() + bound
            }
        };
        if is_forgiven { findings.forgiven.push(one) } else { findings.lost.push(one) }
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
    use std::time::Instant;

    use uuid::Uuid;

    use super::*;
    use crate::torture::{
        book::{Acknowledged, Diary},
        plan::Durability,
    };

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
        let diary = Diary { acknowledged, refused: vec![5], unanswered: vec![6], longest_wait: 200 * MS };
        let diaries = vec![diary];
        Page { round: 9, folder: 0, durability: Durability::Commit, promise, filled: None, ended, diaries }
    }

    fn compare_page(page: &Page, stored: &[Stored]) -> Findings {
        compare([page], stored, (1, Syncs::default()))
    }

    fn check(promise: Promise, stored: &[u64]) -> Findings {
        let stored: Vec<Stored> = stored.iter().map(|number| (click(*number), Some(*number))).collect();
        compare_page(&page(promise), &stored)
    }

    #[test]
    fn what_was_promised_is_there_and_what_was_not_answered_may_be() {
        assert!(check(Promise::Kept, &[1, 2, 3, 4]).check().is_ok());
        assert!(check(Promise::Kept, &[1, 2, 3, 4, 6]).check().is_ok());
    }

    #[test]
    fn a_lost_click_is_named_with_its_round() {
        let lost = check(Promise::Kept, &[1, 2, 4]).lost;
        assert_eq!(lost, [Lost { click: click(3), round: 9, promise: Promise::Kept, before_end: 2 * MS }]);
    }

    #[test]
    fn a_refused_click_must_not_be_stored() {
        let findings = check(Promise::Kept, &[1, 2, 3, 4, 5]);
        assert_eq!((findings.lost.len(), findings.wrong.len()), (0, 1));
    }

    #[test]
    fn a_killed_interval_may_lose_as_many_as_wait() {
        assert_eq!(check(Promise::KeptBut(2), &[1, 2]).forgiven.len(), 2);
        assert_eq!(check(Promise::KeptBut(2), &[1]).lost.len(), 3);
    }

    #[test]
    fn an_interval_without_power_may_lose_its_end() {
        let mut page = page(Promise::KeptOnceSynced(MS));
        assert_eq!(compare_page(&page, &[]).forgiven.len(), 4);
        page.ended += Syncs::default().lateness();
        assert_eq!(compare_page(&page, &[]).lost.len(), 3);
        page.filled = Some(page.ended - Syncs::default().lateness());
        assert_eq!(
            compare_page(&page, &[]).forgiven.len(),
            4,
            "a full disk refuses what was answered already"
        );
        page.filled = None;
        let mut syncs = Syncs::default();
        syncs.note(&page);
        assert_eq!(compare([&page], &[], (1, syncs)).lost, [], "syncs take their time here");
    }

    #[test]
    fn a_visit_that_is_stored_twice_or_as_another_is_found() {
        let page = page(Promise::Kept);
        let mut stored: Vec<Stored> = (1..=4).map(|number| (click(number), Some(number))).collect();
        stored.push((click(100), Some(2)));
        assert_eq!(compare_page(&page, &stored).doubled, [2]);
        stored.pop();
        stored[0].1 = Some(6);
        assert_eq!(compare_page(&page, &stored).wrong.len(), 1);
        stored[0].1 = None;
        assert_eq!(compare_page(&page, &stored).wrong.len(), 2);
    }

    #[test]
    fn older_visits_are_somebody_elses() {
        let stored: Vec<Stored> = (0..=4).map(|number| (click(number), Some(number))).collect();
        assert!(compare_page(&page(Promise::Kept), &stored).check().is_ok());
    }
}
