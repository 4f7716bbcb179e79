//! A provider that fails again and again is left alone for a while.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// So often it may fail in a row.
const FAILURES: u32 = 5;
/// So long it is left alone then, and after each further attempt that fails.
const PAUSE: TimeDelta = TimeDelta::seconds(30);

/// Whether a provider may be asked. While it is left alone, one attempt is made at the end of each pause.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<Standing>);

#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    failures: u32,
    until: Option<DateTime<Utc>>,
}

impl Breaker {
    /// Whether it may be asked at this time.
    pub fn lets_pass(&self, at: DateTime<Utc>) -> bool {
        self.change(|standing| match standing.until {
            Some(until) if at < until => false,
            Some(_) => {
                standing.until = Some(at + PAUSE);
                true
            }
            None => true,
        })
    }

    /// It answered.
    pub fn went_well(&self) {
        self.change(|standing| *standing = Standing::default());
    }

    /// It did not. Whether it is left alone since now.
    pub fn failed(&self, at: DateTime<Utc>) -> bool {
        self.change(|standing| {
            standing.failures = standing.failures.saturating_add(1);
            let is_enough = FAILURES <= standing.failures;
            if is_enough {
                standing.until = Some(at + PAUSE);
            }
            standing.failures == FAILURES
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Standing) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_attempt_is_made_after_each_pause_until_one_goes_well() {
        let breaker = Breaker::default();
        let at = |second: i64| DateTime::from_timestamp(1_769_947_200 + second, 0).unwrap();
        for second in 0..5 {
            assert!(breaker.lets_pass(at(second)));
            assert_eq!(breaker.failed(at(second)), second == 4);
        }
        assert!(!breaker.lets_pass(at(5)) && !breaker.lets_pass(at(33)));
        assert!(breaker.lets_pass(at(34)), "the pause is over");
        assert!(!breaker.lets_pass(at(34)), "and one attempt is being made");
        breaker.failed(at(35));
        assert!(!breaker.lets_pass(at(64)) && breaker.lets_pass(at(65)));
        breaker.went_well();
        assert!(breaker.lets_pass(at(65)) && breaker.lets_pass(at(65)));
        assert!(!breaker.failed(at(66)), "it is counted anew");
    }
}
