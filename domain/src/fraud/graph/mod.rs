//! Who hangs together: affiliates and what they share, without the hubs that strangers share too.
//!
//! Affiliates are joined to payout accounts, mailboxes, devices and addresses. Two who share a payout account or a mailbox
//! are one business; of a mailbox alone that says little of fraud. Two who share devices and addresses of customers may be strangers with common customers: how many
//! they would share by chance follows from how many each has (a configuration model of the bipartite graph, as Neal 2014
//! and Tumminello et al. 2011 test its projection), and only what chance does not explain joins them. Things that more
//! affiliates share than a ring has members are hubs and join nobody: an office, a carrier's address, a kiosk. [`rings`]
//! does that for all at once; [`Online`] keeps it up to date event by event.

mod communities;
mod continued;
mod online;
mod pairs;
mod rings;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use continued::continued;
pub use online::{Joined, Online};
pub use rings::{Link, Ring, Rings, rings};

use crate::{
    fraud::{score::LogOdds, statistics::beta_lower},
    id::AffiliateId,
    state::names,
};

names! {
    /// What affiliates share.
    Kind: "kind of thing" {
        /// The account that they are paid to.
        PayoutAccount = "payout_account",
        /// A mailbox of their own, normalised.
        Mailbox = "mailbox",
        /// A device that conversions of theirs came from, or that they signed in from.
        Device = "device",
        /// An address, likewise.
        Address = "address",
    }
}

/// How many kinds there are.
const KINDS: usize = Kind::ALL.len();

impl Kind {
    /// Its place among [`Kind::ALL`].
    const fn place(self) -> usize {
        match self {
            Self::PayoutAccount => 0,
            Self::Mailbox => 1,
            Self::Device => 2,
            Self::Address => 3,
        }
    }

    /// Whether it is an affiliate's own, so that sharing one is no chance.
    const fn is_own(self) -> bool {
        matches!(self, Self::PayoutAccount | Self::Mailbox)
    }

    /// So many of them, as people read it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::PayoutAccount => ("same payout account", "payout accounts shared"),
            Self::Mailbox => ("same mailbox", "mailboxes shared"),
            Self::Device => ("one device shared", "devices shared"),
            Self::Address => ("one address shared", "addresses shared"),
        }
    }
}

/// An affiliate was seen with something, once; seen again, it is another edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Of which kind.
    pub kind: Kind,
    /// What, by the bits of its keyed hash.
    pub thing: u128,
    /// Who.
    pub affiliate: AffiliateId,
}

/// What is known about who may share what.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Things that many share: addresses whose class says so, kiosks.
    pub shared: std::collections::BTreeSet<(Kind, u128)>,
    /// The agency of each affiliate that belongs to one: affiliates of one agency are no ring.
    pub agencies: std::collections::BTreeMap<AffiliateId, u128>,
}

impl Declared {
    fn is_one_agency(&self, one: AffiliateId, other: AffiliateId) -> bool {
        let agency = self.agencies.get(&one);
        agency.is_some() && agency == self.agencies.get(&other)
    }
}

/// When affiliates hang together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Things with more affiliates than this are hubs.
    pub hub: u32,
    /// How differently pairs of strangers attract the same customers: the variance of how many times as much as chance they
    /// share, because whoever reads two blogs on tents orders through both.
    pub trade: f64,
    /// How many pairs of strangers may be joined wrongly in the whole program, on average.
    pub false_pairs: f64,
    /// The least share of a ring's pairs that are joined themselves; looser groups are split, and then cut down to their
    /// dense part.
    pub density: f64,
}

impl Limits {
    /// Rings of up to twelve, of a dense half, with one wrong pair in twenty programs.
    pub const USUAL: Self = Self { hub: 12, trade: 2.0, false_pairs: 0.05, density: 0.5 };
}

/// What sharing a payout account is worth, in nats; more than any bound for a program of 2⁶⁴ affiliates.
const ONE_ACCOUNT: f64 = 120.0;
/// The most that things of customers are worth together.
const MOST: f64 = 100.0;

/// What two affiliates share, or how many things one has: all of them by kind, and those seen with each more than once.
type Shared = [[u32; KINDS]; 2];

/// How often strangers share things of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Chance {
    /// Pairs of an affiliate and a thing that is no hub: M.
    seen: f64,
    /// Ordered pairs of affiliates at one thing, over all things: Σ d(d − 1).
    pairs: f64,
}

/// The chances of all things by kind, and of those seen more than once.
type Chances = [[Chance; KINDS]; 2];

impl Chance {
    /// Takes in, or back, a thing that so many affiliates have.
    fn add(&mut self, affiliates: usize, sign: f64) {
        let affiliates = affiliates as f64;
        self.seen += sign * affiliates;
        self.pairs += sign * affiliates * (affiliates - 1.0);
    }

    /// How surprising it is, in nats, that strangers who have so many things each share `count`. How much they attract the
    /// same customers is a gamma variable, and so the count is a negative binomial one.
    fn surprise(&self, count: u32, one: u32, other: u32, trade: f64) -> f64 {
        if count == 0 || self.seen <= 0.0 {
            return 0.0;
        }
        let mean = f64::from(one) * f64::from(other) * self.pairs / (self.seen * self.seen);
        let shape = 1.0 / trade;
        let tail = beta_lower(f64::from(count), shape, mean / (mean + shape));
        -libm::log(tail.max(1e-300))
    }
}

/// How closely two affiliates are tied, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tie {
    /// How surprising it is that strangers share so much.
    surprise: f64,
    /// How surprising what speaks for fraud is: two accounts of one mailbox are one person's, and no more than that.
    suspicion: f64,
}

impl Tie {
    fn of(shared: &Shared, chances: &Chances, one: &Shared, other: &Shared, trade: f64) -> Self {
        let has = |kind: Kind| shared[0][kind.place()] != 0;
        if has(Kind::PayoutAccount) {
            return Self { surprise: ONE_ACCOUNT, suspicion: ONE_ACCOUNT };
        }
        let suspicion = of_customers(shared, chances, one, other, trade);
        Self { surprise: if has(Kind::Mailbox) { ONE_ACCOUNT } else { suspicion }, suspicion }
    }
}

/// How surprising it is, in nats, that strangers share so many things of customers.
fn of_customers(shared: &Shared, chances: &Chances, one: &Shared, other: &Shared, trade: f64) -> f64 {
    let of = |kind: &Kind, level: usize| {
        let place = kind.place();
        let (mine, theirs) = (one[level][place], other[level][place]);
        chances[level][place].surprise(shared[level][place], mine, theirs, trade)
    };
    // A common customer brings a device and an address at once, so that kinds do not add up; the best of so many tries is
    // so much less surprising.
    let tries = Kind::ALL.iter().filter(|kind| !kind.is_own()).flat_map(|kind| [of(kind, 0), of(kind, 1)]);
    (tries.fold(0.0, f64::max) - libm::log(4.0)).clamp(0.0, MOST)
}

/// From which surprise on two of so many affiliates are joined (Bonferroni's bound over all pairs).
fn bound(affiliates: usize, limits: &Limits) -> f64 {
    let affiliates = affiliates as f64;
    libm::log((affiliates * (affiliates - 1.0) / 2.0).max(1.0) / limits.false_pairs)
}

impl Limits {
    /// What it is evidence of that an affiliate who is in a ring is credited with a customer whom nobody else of it knows: no
    /// more than one wrong pair.
    #[must_use]
    pub fn anybodys(&self) -> LogOdds {
        evidence(0.0, 0, self)
    }

    /// What it is evidence of that the customer is another of the ring, by the mailbox.
    #[must_use]
    pub fn each_others(&self) -> LogOdds {
        evidence(ONE_ACCOUNT, 0, self)
    }
}

/// What a suspicion among so many affiliates is evidence of, for the score; at least what one wrong pair would be.
fn evidence(suspicion: f64, affiliates: usize, limits: &Limits) -> LogOdds {
    let corrected = libm::exp((bound(affiliates, limits) - suspicion).min(0.0)) * limits.false_pairs;
    LogOdds::of_p_value(corrected.min(1.0)).unwrap_or(LogOdds::EVEN)
}

/// «same payout account, 2 devices shared».
fn words(shared: &Shared) -> String {
    let said = Kind::ALL.iter().filter_map(|kind| {
        let (one, many) = kind.words();
        match shared[0][kind.place()] {
            0 => None,
            1 => Some(one.to_owned()),
            count => Some(format!("{count} {many}")),
        }
    });
    said.collect::<Vec<_>>().join(", ")
}
