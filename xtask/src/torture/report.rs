//! What was done and what came of it.

use std::time::Duration;

use super::{audit::Findings, book::Page, plan::Ending};
use crate::bench::figure::{Bound, Figure, Promise, Report, count};

/// Sums over all rounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub took: Duration,
    pub rounds: u32,
    pub kills: u32,
    pub cuts: u32,
    pub terminations: u32,
    pub acknowledged: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub stored: u64,
    pub lost: u64,
    pub doubled: u64,
    /// Lost in interval mode within what it promises.
    pub forgiven: u64,
    /// The longest time before its end that one of those had been acknowledged.
    oldest_forgiven: Duration,
    longest_wait: Duration,
    longest_recovery: Duration,
    longest_arrival: Duration,
}

impl Tally {
    /// Counts what visitors were told.
    pub(super) fn count(&mut self, page: &Page) {
        for diary in &page.diaries {
            self.acknowledged += diary.acknowledged.len() as u64;
            self.refused += diary.refused.len() as u64;
            self.unanswered += diary.unanswered.len() as u64;
            self.longest_wait = self.longest_wait.max(diary.longest_wait);
        }
    }

    /// Counts how a tracker ended.
    pub(super) fn ended(&mut self, ending: Ending) {
        match ending {
            Ending::Terminate => self.terminations += 1,
            Ending::Kill | Ending::KillWhileStarting | Ending::KillInPeace => self.kills += 1,
        }
    }

    /// Counts what a comparison has found.
    pub(super) fn take(&mut self, findings: &Findings) {
        self.lost += findings.lost.len() as u64;
        self.doubled += findings.doubled.len() as u64;
        self.forgiven += findings.forgiven.len() as u64;
        let forgiven = findings.forgiven.iter().map(|one| one.before_end);
        self.oldest_forgiven = forgiven.fold(self.oldest_forgiven, Duration::max);
    }

    /// A tracker was ready this long after its start.
    pub(super) fn recovered(&mut self, after: Duration) {
        self.longest_recovery = self.longest_recovery.max(after);
    }

    /// Everything that was promised had arrived this long after trackers were ready.
    pub(super) fn arrived(&mut self, after: Duration) {
        self.longest_arrival = self.longest_arrival.max(after);
    }

    /// Everything as figures in one column.
    fn figures(&self, engine: &str) -> Vec<Figure> {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let mut figures = Vec::new();
        let mut number = |case: &str, number: u64| figures.push(Figure::new(case, engine, count(number), ""));
        number("rounds", self.rounds.into());
        number("ended by SIGKILL", self.kills.into());
        number("ended by a power cut", self.cuts.into());
        number("ended by SIGTERM", self.terminations.into());
        number("clicks acknowledged", self.acknowledged);
        number("clicks refused with 503", self.refused);
        number("clicks not answered", self.unanswered);
        number("clicks stored", self.stored);
        number("lost in interval mode, as it may", self.forgiven);
        number("lost otherwise", self.lost);
        number("doubled", self.doubled);
        figures.push(Figure::new("time in all", engine, self.took.as_secs_f64(), "s"));
        let mut time = |case: &str, time| figures.push(Figure::new(case, engine, ms(time), "ms"));
        time("oldest of those that an interval lost, before its end", self.oldest_forgiven);
        time("longest wait for an answer", self.longest_wait);
        time("longest from start to ready", self.longest_recovery);
        time("longest from ready to all stored", self.longest_arrival);
        figures
    }
}

/// What came of all engines, as a benchmark reports it.
pub(super) fn report(tallies: &[(&'static str, Tally)], seed: u64) -> Report {
    let sum = |of: fn(&Tally) -> u64| count(tallies.iter().map(|(_, tally)| of(tally)).sum());
    let none = |says: &str, value| Promise {
        says: says.to_owned(),
        value,
        unit: "clicks",
        bound: Bound::AtMost(0.0),
    };
    Report {
        figures: tallies.iter().flat_map(|(engine, tally)| tally.figures(engine)).collect(),
        promises: vec![
            none("No acknowledged click is lost", sum(|tally| tally.lost)),
            none("No click is stored or counted twice", sum(|tally| tally.doubled)),
        ],
        notes: vec![
            format!("Seed {seed}. The seed decides every round; what its moments meet in the tracker is up to the machine."),
            "Every visit has a number of its own that its row must have, and every row must be of a visit that was \
             redirected or never answered; the links have counted as many clicks as there are rows."
                .to_owned(),
            "A power cut is a copy of the image that holds the tracker's file system, made while its loop device was \
             at rest; the next tracker starts on the copy."
                .to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_click_breaks_the_promise_of_the_report() {
        let tally = Tally { lost: 1, rounds: 7, ..Tally::default() };
        let report = report(&[("local", Tally::default()), ("nats", tally)], 1);
        assert_eq!(report.promises.iter().map(Promise::is_held).collect::<Vec<_>>(), [false, true]);
        assert!(report.figures.contains(&Figure::new("rounds", "nats", 7.0, "")));
    }
}
