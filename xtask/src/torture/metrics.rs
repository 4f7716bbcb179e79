//! A tracker's own numbers, and what must be true of them.

use anyhow::{Context, Result, ensure};

use super::book::Diary;

/// What a tracker says of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Metrics {
    pub accepted: u64,
    pub durable: u64,
    pub refused: u64,
    pub in_flight: u64,
    pub damaged: u64,
    pub rejected: u64,
}

impl Metrics {
    /// Reads what Prometheus would.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse().ok())
                .with_context(|| format!("the tracker's numbers have no {name}"))
        };
        Ok(Self {
            accepted: number("tributary_events_accepted_total")?,
            durable: number("tributary_events_durable_total")?,
            refused: number("tributary_events_refused_total")?,
            in_flight: number("tributary_events_in_flight")?,
            damaged: number("tributary_log_damaged_total")?,
            rejected: number("tributary_events_rejected_total")?,
        })
    }

    /// What is always true, also in the middle of work.
    pub(super) fn check(&self) -> Result<()> {
        let accounted = self.durable + self.refused + self.in_flight;
        ensure!(self.accepted == accounted, "accepted is not durable + refused + in flight: {self:?}");
        ensure!(self.damaged == 0, "the log has lost something that was durable: {self:?}");
        ensure!(self.rejected == 0, "the database refuses clicks for good: {self:?}");
        Ok(())
    }

    /// What is true once every visitor has been answered.
    pub(super) fn check_against(&self, diaries: &[Diary]) -> Result<()> {
        self.check()?;
        let acknowledged = diaries.iter().map(|diary| diary.acknowledged.len() as u64).sum::<u64>();
        let refused = diaries.iter().map(|diary| diary.refused.len() as u64).sum::<u64>();
        ensure!(
            (self.accepted, self.refused) == (acknowledged + refused, refused),
            "visitors were promised {acknowledged} clicks and refused {refused}, and the tracker says {self:?}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP tributary_events_accepted_total Clicks brought to the log.\n\
        tributary_events_accepted_total 9\ntributary_events_durable_total 5\ntributary_events_refused_total 3\n\
        tributary_events_in_flight 1\ntributary_log_damaged_total 0\ntributary_events_rejected_total 0\n";

    fn check(from: &str, to: &str) -> Result<()> {
        Metrics::parse(&TEXT.replace(from, to))?.check()
    }

    #[test]
    fn every_click_is_accounted_for() {
        assert!(check("", "").is_ok());
        assert!(check("in_flight 1", "in_flight 0").is_err());
        assert!(check("damaged_total 0", "damaged_total 1").is_err());
        assert!(check("tributary_events_durable_total", "tributary_events_total").is_err());
    }
}
