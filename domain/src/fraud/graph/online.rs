//! Rings as they form, event by event.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Chances, Declared, Edge, Kind, Limits, ONE_ACCOUNT, Shared, Tie, bound, evidence, words};
use crate::{fraud::score::LogOdds, id::AffiliateId};

/// Who hangs together so far: a forest of disjoint sets (Tarjan 1975), joined when two share more than chance explains.
///
/// One event costs at most as many comparisons as a thing may have affiliates ([`Limits::hub`]). What was joined stays
/// so: a thing that becomes a hub later takes its evidence back, but not what followed from it. A job that looks at
/// everything at once ([`super::rings`]) mends that, and gives the start for the next day.
#[derive(Clone, Debug)]
pub struct Online {
    declared: Declared,
    limits: Limits,
    numbers: HashMap<AffiliateId, u32, RandomState>,
    affiliates: Vec<AffiliateId>,
    degrees: Vec<Shared>,
    chances: Chances,
    /// Who was seen with a thing; nobody any more when it is a hub.
    things: Vec<HashMap<(Kind, u128), Option<Seen>, RandomState>>,
    /// What each affiliate shares with those of higher numbers.
    shared: Vec<HashMap<u32, Shared, RandomState>>,
    parents: Vec<u32>,
    members: Vec<Vec<u32>>,
    /// What each one's closest tie speaks for; none for those who have none.
    ties: Vec<Option<f64>>,
}

/// Things lie in so many maps, because a map that grows stands still for as long as it takes to move what is in it.
const DRAWERS: usize = 256;

/// The drawer of a thing, whose bits are a keyed hash's and therefore fall evenly.
fn drawer(thing: u128) -> usize {
    usize::from(thing.to_le_bytes()[0])
}

/// Affiliates by their numbers, and whether each was seen more than once.
type Seen = Vec<(u32, bool)>;

/// Two affiliates that hang together since an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The one that the event is about.
    pub affiliate: AffiliateId,
    /// The other.
    pub with: AffiliateId,
    /// What they share: «same payout account, 2 devices shared».
    pub why: String,
    /// How many are in the ring now.
    pub members: usize,
}

impl Online {
    /// Of nobody yet.
    #[must_use]
    pub fn new(declared: Declared, limits: Limits) -> Self {
        Self {
            declared,
            limits,
            numbers: HashMap::default(),
            affiliates: Vec::new(),
            degrees: Vec::new(),
            chances: Chances::default(),
            things: vec![HashMap::default(); DRAWERS],
            shared: Vec::new(),
            parents: Vec::new(),
            members: Vec::new(),
            ties: Vec::new(),
        }
    }

    /// Takes in that an affiliate was seen with something, and says whom that joins it with. Each event is to be told once;
    /// from the third time on that the same is seen, it says nothing new.
    pub fn observe(&mut self, edge: Edge) -> Vec<Joined> {
        let Edge { kind, thing, affiliate } = edge;
        let own = self.number(affiliate);
        if self.declared.shared.contains(&(kind, thing)) {
            return Vec::new();
        }
        let Some(there) = self.things[drawer(thing)].entry((kind, thing)).or_insert_with(|| Some(Vec::new()))
        else {
            return Vec::new();
        };
        let level = match there.iter().position(|(other, _)| *other == own) {
            Some(place) if there[place].1 => return Vec::new(),
            Some(place) => {
                there[place].1 = true;
                1
            }
            None if self.limits.hub as usize <= there.len() => {
                let there =
                    self.things[drawer(thing)].insert((kind, thing), None).flatten().unwrap_or_default();
                self.take_back(kind, &there);
                return Vec::new();
            }
            None => {
                there.push((own, false));
                0
            }
        };
        let others = there.iter().filter(|(other, again)| *other != own && (level == 0 || *again));
        let others: Vec<u32> = others.map(|(other, _)| *other).collect();
        let chance = &mut self.chances[level][kind.place()];
        chance.add(others.len(), -1.0);
        chance.add(others.len() + 1, 1.0);
        self.degrees[own as usize][level][kind.place()] += 1;
        others.into_iter().filter_map(|other| self.meet(own, other, kind, level)).collect()
    }

    /// The affiliates that hang together with one, it among them, in order; none when it is alone.
    #[must_use]
    pub fn ring_of(&self, affiliate: AffiliateId) -> Option<Vec<AffiliateId>> {
        let root = self.root(*self.numbers.get(&affiliate)?);
        let mut ring: Vec<AffiliateId> =
            self.members[root as usize].iter().map(|it| self.affiliates[*it as usize]).collect();
        ring.sort_unstable();
        (2 <= ring.len()).then_some(ring)
    }

    /// What it is evidence of that an affiliate is credited with a customer who has these things. Where another of its ring
    /// was seen with one of them, as much as its closest tie, and a mailbox of another is beyond chance; where the customer
    /// is anybody's, no more than one wrong pair: who is in a ring may sell honestly, too.
    #[must_use]
    pub fn evidence(&self, affiliate: AffiliateId, things: &[(Kind, u128)]) -> LogOdds {
        let Some(own) = self.numbers.get(&affiliate).copied() else { return LogOdds::EVEN };
        let Some(tie) = self.ties[own as usize] else { return LogOdds::EVEN };
        let is_of_ring = |thing: &&(Kind, u128)| {
            let there = self.things[drawer(thing.1)].get(*thing).and_then(Option::as_ref);
            let others = there.into_iter().flatten().filter(|(other, _)| *other != own);
            others.map(|(other, _)| self.root(*other)).any(|root| root == self.root(own))
        };
        let worth = |(kind, _): &(Kind, u128)| if kind.is_own() { ONE_ACCOUNT } else { tie };
        let suspicion = things.iter().filter(is_of_ring).map(worth).fold(0.0, f64::max);
        evidence(suspicion, self.affiliates.len(), &self.limits)
    }

    fn number(&mut self, affiliate: AffiliateId) -> u32 {
        let next = self.affiliates.len() as u32;
        let number = *self.numbers.entry(affiliate).or_insert(next);
        if number == next {
            self.affiliates.push(affiliate);
            self.degrees.push(Shared::default());
            self.shared.push(HashMap::default());
            self.parents.push(next);
            self.members.push(vec![next]);
            self.ties.push(None);
        }
        number
    }

    fn meet(&mut self, own: u32, other: u32, kind: Kind, level: usize) -> Option<Joined> {
        let shared = self.shared[own.min(other) as usize].entry(own.max(other)).or_default();
        shared[level][kind.place()] += 1;
        let shared = *shared;
        let (affiliate, with) = (self.affiliates[own as usize], self.affiliates[other as usize]);
        let (mine, theirs) = (&self.degrees[own as usize], &self.degrees[other as usize]);
        let tie = Tie::of(&shared, &self.chances, mine, theirs, self.limits.trade);
        let is_joined = bound(self.affiliates.len(), &self.limits) <= tie.surprise;
        if !is_joined || self.declared.is_one_agency(affiliate, with) {
            return None;
        }
        for place in [own, other] {
            let closest = self.ties[place as usize].unwrap_or_default();
            self.ties[place as usize] = Some(closest.max(tie.suspicion));
        }
        let members = self.join(own, other)?;
        Some(Joined { affiliate, with, why: words(&shared), members })
    }

    /// How many are together now; none when they were already.
    fn join(&mut self, one: u32, other: u32) -> Option<usize> {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return None;
        }
        let size = |root: u32| (self.members[root as usize].len(), std::cmp::Reverse(root));
        let (small, large) = if size(one) < size(other) { (one, other) } else { (other, one) };
        let moved = std::mem::take(&mut self.members[small as usize]);
        // Each affiliate is moved into a set at least twice as large, at most log₂ n times; paths have one step.
        moved.iter().for_each(|it| self.parents[*it as usize] = large);
        self.members[large as usize].extend(moved);
        Some(self.members[large as usize].len())
    }

    fn root(&self, node: u32) -> u32 {
        self.parents[node as usize]
    }

    /// A thing turned out to be a hub: what it said is not said any more.
    fn take_back(&mut self, kind: Kind, there: &[(u32, bool)]) {
        let place = kind.place();
        self.chances[0][place].add(there.len(), -1.0);
        self.chances[1][place].add(there.iter().filter(|(_, again)| *again).count(), -1.0);
        for (position, (one, again)) in there.iter().enumerate() {
            self.degrees[*one as usize][0][place] -= 1;
            self.degrees[*one as usize][1][place] -= u32::from(*again);
            for (other, too) in &there[position + 1..] {
                if let Some(shared) = self.shared[*one.min(other) as usize].get_mut(one.max(other)) {
                    shared[0][place] -= 1;
                    shared[1][place] -= u32::from(*again && *too);
                }
            }
        }
    }
}
