//! How many requests one key, and how many failed attempts one address, may make in a minute.
//!
//! Each process counts on its own, or all of them together on a server. When that server is away, each counts on its
//! own until it is back: no request waits for it, and none is refused because of it.

mod place;
mod rate;
mod shared;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use domain::ApiKeyId;
use governor::{
    RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use redis::ConnectionInfo;
use tracking::secret::{Key, Secret};

pub use self::{
    place::{Place, PlaceError},
    rate::{Counted, RATE_LIMIT, RATE_LIMIT_POLICY},
};
use self::{
    rate::{Rate, Standing},
    shared::{PATIENCE, Shared},
};

/// The limits of one installation.
pub struct Limits {
    requests: Limit<ApiKeyId>,
    failures: Limit<IpAddr>,
    /// Under this key addresses are hashed, which are nobody else's business.
    address_key: Key,
    shared: Option<Arc<Shared>>,
}

impl Limits {
    /// So many requests a minute for each key, and so many failed attempts a minute from each address, counted in this
    /// process.
    #[must_use]
    pub fn new(requests_per_minute: NonZeroU32, failures_per_minute: NonZeroU32, secret: &Secret) -> Self {
        Self {
            requests: Limit::new(Rate::per_minute("requests", requests_per_minute)),
            failures: Limit::new(Rate::per_minute("failures", failures_per_minute)),
            address_key: secret.key("limit-address/1"),
            shared: None,
        }
    }

    /// The same limits, counted in this place.
    ///
    /// # Errors
    /// When there can be no connection to such a server; one that is away is no error.
    pub async fn counted_at(self, place: &Place) -> anyhow::Result<Self> {
        match place {
            Place::Local => Ok(self),
            Place::Server(server) => self.counted_on(server.as_ref().clone(), PATIENCE).await,
        }
    }

    async fn counted_on(self, server: ConnectionInfo, patience: Duration) -> anyhow::Result<Self> {
        Ok(Self { shared: Some(Shared::open(server, patience).await?), ..self })
    }

    /// Counts a request of `key`, and says what is left in the headers of its answer.
    pub async fn count_request(&self, key: ApiKeyId) -> Counted {
        self.count(&self.requests, &key, &key).await
    }

    /// Counts a request that came without a valid key.
    pub async fn count_failure(&self, address: IpAddr) -> Counted {
        let household = household(address);
        self.count(&self.failures, &household, &Hashed { address: household, key: &self.address_key }).await
    }

    /// `called` is what they are called on the server.
    async fn count<K>(&self, limit: &Limit<K>, who: &K, called: &(dyn fmt::Display + Sync)) -> Counted
    where
        K: Hash + Eq + Clone,
    {
        let shared = match &self.shared {
            Some(shared) => shared.count(&limit.rate, called).await,
            None => None,
        };
        limit.rate.told(shared.unwrap_or_else(|| limit.count_here(who)))
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

/// An address as others may see it.
struct Hashed<'a> {
    address: IpAddr,
    key: &'a Key,
}

impl fmt::Display for Hashed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = match self.address {
            IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
            IpAddr::V6(six) => six.octets(),
        };
        let hash = self.key.authenticate(&[&octets]);
        hash[..16].iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

struct Limit<K: Hash + Eq + Clone> {
    rate: Rate,
    limiter: RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(rate: Rate) -> Self {
        Self { rate, limiter: RateLimiter::dashmap(rate.quota).with_middleware() }
    }

    fn count_here(&self, who: &K) -> Standing {
        match self.limiter.check_key(who) {
            Ok(state) => Standing::Passes { remaining: state.remaining_burst_capacity() },
            Err(refused) => Standing::Waits(refused.wait_time_from(self.limiter.clock().now())),
        }
    }
}
