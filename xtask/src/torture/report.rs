//! What was done and what came of it, as a table.

use std::time::Duration;

use super::{audit::Findings, book::Page, plan::Ending};

/// Sums over all rounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
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

    /// Every line of the table: what, and how much of it.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let ms = |duration: Duration| format!("{} ms", duration.as_millis());
        vec![
            ("rounds", self.rounds.to_string()),
            ("ended by SIGKILL", self.kills.to_string()),
            ("ended by a power cut", self.cuts.to_string()),
            ("ended by SIGTERM", self.terminations.to_string()),
            ("clicks acknowledged", self.acknowledged.to_string()),
            ("clicks refused with 503", self.refused.to_string()),
            ("clicks not answered", self.unanswered.to_string()),
            ("clicks stored", self.stored.to_string()),
            ("acknowledged and lost", self.lost.to_string()),
            ("doubled", self.doubled.to_string()),
            ("lost as an interval may", self.forgiven.to_string()),
            ("… the oldest, before its end", ms(self.oldest_forgiven)),
            ("longest wait for an answer", ms(self.longest_wait)),
            ("longest start to ready", ms(self.longest_recovery)),
            ("longest ready to all stored", ms(self.longest_arrival)),
        ]
    }

    /// The table, for people.
    pub(super) fn table(&self) -> String {
        let lines = self.lines();
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        lines.iter().map(|(name, value)| format!("{name:width$}  {value:>12}\n")).collect()
    }
}
