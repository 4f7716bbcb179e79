//! How many requests one key, and how many failed attempts one address, may make in a minute.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use domain::ApiKeyId;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::{StateInformationMiddleware, StateSnapshot},
    state::keyed::DashMapStateStore,
};
use tracking::problem::Problem;

/// Says how much of the quota is left, as the IETF's draft on rate limit fields has it.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Says what the quota is.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

const WINDOW_S: u32 = 60;

/// The limits of one installation; the counts live in this process.
pub struct Limits {
    requests: Limit<ApiKeyId>,
    failures: Limit<IpAddr>,
}

/// What became of counting a request.
pub struct Counted {
    /// What is left, for the headers of its answer.
    pub headers: HeaderMap,
    /// Set: it is one too many, and this is its answer.
    pub refused: Option<Problem>,
}

impl Limits {
    /// So many requests a minute for each key, and so many failed attempts a minute from each address.
    #[must_use]
    pub fn new(requests_per_minute: NonZeroU32, failures_per_minute: NonZeroU32) -> Self {
        Self {
            requests: Limit::new("requests", requests_per_minute),
            failures: Limit::new("failures", failures_per_minute),
        }
    }

    /// Counts a request of `key`, and says what is left in the headers of its answer.
    pub fn count_request(&self, key: ApiKeyId) -> Counted {
        self.requests.count(key)
    }

    /// Counts a request that came without a valid key.
    pub fn count_failure(&self, address: IpAddr) -> Counted {
        self.failures.count(household(address))
    }

    /// Forgets who has not been seen for so long that nothing is held against them.
    pub fn forget_the_quiet(&self) {
        self.requests.limiter.retain_recent();
        self.failures.limiter.retain_recent();
    }
}

/// One subscriber holds a whole IPv6 /64, and could take another address of it for every attempt.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & (!0 << 64))),
        four => four,
    }
}

struct Limit<K: Hash + Eq + Clone> {
    name: &'static str,
    limiter: RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(name: &'static str, per_minute: NonZeroU32) -> Self {
        let limiter = RateLimiter::dashmap(Quota::per_minute(per_minute)).with_middleware();
        Self { name, limiter }
    }

    fn count(&self, who: K) -> Counted {
        match self.limiter.check_key(&who) {
            Ok(state) => {
                let (remaining, reset_s) = (state.remaining_burst_capacity(), until_full(&state));
                Counted { headers: self.headers(state.quota(), remaining, reset_s), refused: None }
            }
            Err(refused) => {
                let wait_s = whole_seconds(refused.wait_time_from(self.limiter.clock().now())).max(1);
                let status = StatusCode::TOO_MANY_REQUESTS;
                let problem = Problem::new(status, "too_many_requests", "Too many requests");
                let problem = problem.detail(format!("try again in {wait_s} s")).retry_after_s(wait_s);
                Counted { headers: self.headers(refused.quota(), 0, wait_s), refused: Some(problem) }
            }
        }
    }

    fn headers(&self, quota: Quota, remaining: u32, reset_s: u32) -> HeaderMap {
        let (name, most) = (self.name, quota.burst_size());
        let policy = format!("\"{name}\";q={most};w={WINDOW_S}");
        let left = format!("\"{name}\";r={remaining};t={reset_s}");
        let value = |text: String| HeaderValue::try_from(text).expect("a name and numbers are visible ASCII");
        HeaderMap::from_iter([(RATE_LIMIT_POLICY, value(policy)), (RATE_LIMIT, value(left))])
    }
}

/// In how many seconds the whole quota is there again, if nothing is asked until then.
fn until_full(state: &StateSnapshot) -> u32 {
    let used = state.quota().burst_size().get() - state.remaining_burst_capacity();
    whole_seconds(state.quota().replenish_interval() * used)
}

fn whole_seconds(length: Duration) -> u32 {
    u32::try_from(length.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).unwrap()
    }

    fn told(headers: &HeaderMap) -> String {
        format!("{} {}", headers[RATE_LIMIT_POLICY].to_str().unwrap(), headers[RATE_LIMIT].to_str().unwrap())
    }

    #[test]
    fn the_third_attempt_of_two_is_told_when_to_come_back() {
        let limits = Limits::new(number(1), number(2));
        let count = |address: &str| limits.count_failure(address.parse().unwrap());
        assert_eq!(told(&count("2001:db8::1").headers), r#""failures";q=2;w=60 "failures";r=1;t=30"#);
        assert_eq!(told(&count("2001:db8::2").headers), r#""failures";q=2;w=60 "failures";r=0;t=60"#);
        let third = count("2001:db8::3");
        assert_eq!(told(&third.headers), r#""failures";q=2;w=60 "failures";r=0;t=30"#);
        assert_eq!(third.refused.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(count("2001:db8:0:1::1").refused.is_none());
    }
}
