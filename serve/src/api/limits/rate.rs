//! A quota in the terms of the algorithm by which both counts go, and what a request finds.

use std::{num::NonZeroU32, time::Duration};

use axum::http::{HeaderName, HeaderValue, StatusCode};
use governor::Quota;
use tracking::problem::Problem;

/// Says how much of the quota is left, as the IETF's draft on rate limit fields has it.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Says what the quota is.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

const WINDOW_S: u32 = 60;

/// What the quota is and how much of it is left, as headers of an answer.
pub type Told = [(HeaderName, HeaderValue); 2];

/// What became of counting a request.
pub struct Counted {
    /// What is left, for the headers of its answer.
    pub headers: Told,
    /// Set: it is one too many, and this is its answer.
    pub refused: Option<Problem>,
}

/// So many requests at once, and another one after every interval.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    /// What is counted.
    pub(super) name: &'static str,
    pub(super) quota: Quota,
    /// What every answer says of the quota.
    policy: HeaderValue,
}

/// What a request finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It passes, and so many more would at once.
    Passes { remaining: u32 },
    /// It is one too many; the next one passes after this time.
    Waits(Duration),
}

impl Rate {
    /// So many requests a minute, all of them at once if need be.
    pub(super) fn per_minute(name: &'static str, most: NonZeroU32) -> Self {
        let policy = value(&format!("\"{name}\";q={most};w={WINDOW_S}"));
        Self { name, quota: Quota::per_minute(most), policy }
    }

    /// What one request takes out of the time.
    pub(super) fn interval(&self) -> Duration {
        self.quota.replenish_interval()
    }

    /// How much must have been taken before one more is too many.
    pub(super) fn tolerance(&self) -> Duration {
        self.interval() * (self.most() - 1)
    }

    fn most(&self) -> u32 {
        self.quota.burst_size().get()
    }

    /// What a request finds when this much is taken, its own interval included if it passes.
    pub(super) fn standing(&self, passes: bool, taken: Duration) -> Standing {
        if !passes {
            return Standing::Waits(taken.saturating_sub(self.tolerance()));
        }
        let free = (self.interval() * self.most()).saturating_sub(taken);
        let remaining = free.as_nanos() / self.interval().as_nanos();
        Standing::Passes { remaining: u32::try_from(remaining).unwrap_or(u32::MAX) }
    }

    /// How the answer says it.
    pub(super) fn told(&self, standing: Standing) -> Counted {
        match standing {
            Standing::Passes { remaining } => {
                // The whole quota is there again when what was used is, if nothing is asked until then.
                let reset_s = whole_seconds(self.interval() * (self.most() - remaining));
                Counted { headers: self.headers(remaining, reset_s), refused: None }
            }
            Standing::Waits(wait) => {
                let wait_s = whole_seconds(wait).max(1);
                let status = StatusCode::TOO_MANY_REQUESTS;
                let problem = Problem::new(status, "too_many_requests", "Too many requests");
                let problem = problem.detail(format!("try again in {wait_s} s")).retry_after_s(wait_s);
                Counted { headers: self.headers(0, wait_s), refused: Some(problem) }
            }
        }
    }

    fn headers(&self, remaining: u32, reset_s: u32) -> Told {
        let left = value(&format!("\"{}\";r={remaining};t={reset_s}", self.name));
        [(RATE_LIMIT_POLICY, self.policy.clone()), (RATE_LIMIT, left)]
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).expect("a name and numbers are visible ASCII")
}

fn whole_seconds(length: Duration) -> u32 {
    u32::try_from(length.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}
