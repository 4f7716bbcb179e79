//! How many requests one key, and how many failed attempts one address, may make in a minute; and how many may be in work
//! at once.
//!
//! Each process counts on its own, or all of them together on a server. When that server is away, each counts on its
//! own until it is back: no request waits for it, and none is refused because of it.

mod place;
mod rate;
pub mod room;
mod shared;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, PoisonError, RwLock},
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
    rate::{Counted, RATE_LIMIT, RATE_LIMIT_POLICY, Told},
};
use self::{
    rate::{Rate, Standing},
    room::Room,
    shared::{PATIENCE, Shared},
};

/// The limits of one installation.
pub struct Limits {
    requests: Limit<ApiKeyId>,
    /// Those of keys with a quota of their own, by that quota.
    own_requests: RwLock<BTreeMap<NonZeroU32, Arc<Limit<ApiKeyId>>>>,
    failures: Limit<IpAddr>,
    /// Under this key addresses are hashed, which are nobody else's business.
    address_key: Key,
    shared: Option<Arc<Shared>>,
    room: Room,
}

impl Limits {
    /// So many requests a minute for each key, and so many failed attempts a minute from each address, counted in this
    /// process.
    #[must_use]
    pub fn new(requests_per_minute: NonZeroU32, failures_per_minute: NonZeroU32, secret: &Secret) -> Self {
        Self {
            requests: Limit::new(of_requests(requests_per_minute)),
            own_requests: RwLock::default(),
            failures: Limit::new(Rate::per_minute("failures", failures_per_minute)),
            address_key: secret.key("limit-address/1"),
            shared: None,
            room: Room::new(usize::MAX, usize::MAX),
        }
    }

    /// The same limits, and no more requests in work at once than there is room for; without it, any number.
    #[must_use]
    pub fn with_room(self, room: Room) -> Self {
        Self { room, ..self }
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

    /// The room for requests in work.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Counts a request of `key`, which may have a quota of its own, and says what is left in the headers of its answer.
    pub async fn count_request(&self, key: ApiKeyId, own: Option<NonZeroU32>) -> Counted {
        match own {
            Some(quota) => self.count(&*self.of_own(quota), &key, &key).await,
            None => self.count(&self.requests, &key, &key).await,
        }
    }

    fn of_own(&self, quota: NonZeroU32) -> Arc<Limit<ApiKeyId>> {
        let known = self.own_requests.read().unwrap_or_else(PoisonError::into_inner).get(&quota).cloned();
        known.unwrap_or_else(|| {
            let mut all = self.own_requests.write().unwrap_or_else(PoisonError::into_inner);
            let limit = all.entry(quota).or_insert_with(|| Arc::new(Limit::new(of_requests(quota))));
            Arc::clone(limit)
        })
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
            Some(shared) => Box::pin(shared.count(&limit.rate, called)).await,
            None => None,
        };
        limit.rate.told(shared.unwrap_or_else(|| limit.count_here(who)))
    }

    /// Forgets who has not been seen for so long that nothing is held against them.
    pub fn forget_the_quiet(&self) {
        self.requests.limiter.retain_recent();
        let mut own = self.own_requests.write().unwrap_or_else(PoisonError::into_inner);
        own.retain(|_, limit| {
            limit.limiter.retain_recent();
            !limit.limiter.is_empty()
        });
        self.failures.limiter.retain_recent();
    }
}

fn of_requests(per_minute: NonZeroU32) -> Rate {
    Rate::per_minute("requests", per_minute)
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
        Self { limiter: RateLimiter::dashmap(rate.quota).with_middleware(), rate }
    }

    fn count_here(&self, who: &K) -> Standing {
        match self.limiter.check_key(who) {
            Ok(state) => Standing::Passes { remaining: state.remaining_burst_capacity() },
            Err(refused) => Standing::Waits(refused.wait_time_from(self.limiter.clock().now())),
        }
    }
}
