//! Pairs of affiliates that share more than chance explains.

use super::{Chances, Declared, Edge, Kind, Limits, Shared, Tie, bound};
use crate::id::AffiliateId;

/// Two affiliates, by their numbers, and what they share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) one: u32,
    pub(super) other: u32,
    pub(super) shared: Shared,
    pub(super) tie: Tie,
}

/// All affiliates in order, and the pairs of them that hang together, in order of their numbers.
pub(super) struct Joined {
    pub(super) affiliates: Vec<AffiliateId>,
    pub(super) pairs: Vec<Pair>,
    /// Things that joined nobody because too many share them.
    pub(super) hubs: usize,
}

pub(super) fn joined(mut edges: Vec<Edge>, declared: &Declared, limits: &Limits) -> Joined {
    edges.sort_unstable();
    let mut affiliates: Vec<AffiliateId> = edges.iter().map(|edge| edge.affiliate).collect();
    affiliates.sort_unstable();
    affiliates.dedup();
    let (mut meetings, mut chances, mut hubs) = (Vec::new(), Chances::default(), 0);
    let mut degrees = vec![Shared::default(); affiliates.len()];
    // Who has the thing at hand, and whether more than once.
    let mut members: Vec<(u32, bool)> = Vec::new();
    for at_one in edges.chunk_by(|one, other| (one.kind, one.thing) == (other.kind, other.thing)) {
        let Edge { kind, thing, .. } = at_one[0];
        members.clear();
        let seen = at_one.chunk_by(|one, other| one.affiliate == other.affiliate);
        members.extend(seen.map(|of| (number(&affiliates, of[0].affiliate), 1 < of.len())));
        let is_hub = limits.hub < u32::try_from(members.len()).unwrap_or(u32::MAX);
        if is_hub || declared.shared.contains(&(kind, thing)) {
            hubs += 1;
            continue;
        }
        let place = kind.place();
        chances[0][place].add(members.len(), 1.0);
        chances[1][place].add(members.iter().filter(|(_, again)| *again).count(), 1.0);
        for (position, (one, again)) in members.iter().enumerate() {
            degrees[*one as usize][0][place] += 1;
            degrees[*one as usize][1][place] += u32::from(*again);
            let others = &members[position + 1..];
            meetings.extend(others.iter().map(|(other, too)| (*one, *other, kind, *again && *too)));
        }
    }
    meetings.sort_unstable();
    let bound = bound(affiliates.len(), limits);
    let pairs = meetings.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).filter_map(|met| {
        let (one, other, ..) = met[0];
        let shared = counts(met);
        let (mine, theirs) = (&degrees[one as usize], &degrees[other as usize]);
        let tie = Tie::of(&shared, &chances, mine, theirs, limits.trade);
        let is_agency = || declared.is_one_agency(affiliates[one as usize], affiliates[other as usize]);
        (bound <= tie.surprise && !is_agency()).then_some(Pair { one, other, shared, tie })
    });
    let pairs = pairs.collect();
    Joined { affiliates, pairs, hubs }
}

/// The affiliate's place among all, which it is one of.
fn number(affiliates: &[AffiliateId], affiliate: AffiliateId) -> u32 {
    let place = affiliates.partition_point(|other| *other < affiliate);
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn counts(met: &[(u32, u32, Kind, bool)]) -> Shared {
    let mut shared = Shared::default();
    for (_, _, kind, again) in met {
        shared[0][kind.place()] += 1;
        shared[1][kind.place()] += u32::from(*again);
    }
    shared
}
