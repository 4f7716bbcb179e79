//! Places kept for newcomers: of all places in all lists together, at least the share that is theirs, where it costs least.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::top::Scored;

/// What a floor did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor {
    /// The part of the places that newcomers have now.
    pub share: f64,
    /// The sum of the scores that it cost, as a part of what it was.
    pub cost: f64,
}

/// An exchange in one list: its last established place for its next newcomer.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Swap {
    cost: f64,
    list: usize,
}

impl Eq for Swap {}
impl PartialOrd for Swap {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Swap {
    /// The greatest is the cheapest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.cost.total_cmp(&self.cost).then(other.list.cmp(&self.list))
    }
}

/// Gives newcomers at least `share` of all places. `lists` hold the best first; `newcomers` holds, for each list, the best
/// newcomers that may be in it, best first, with those that already are. The exchanges of one list cost ever more, and so
/// taking the cheapest of all lists first costs the least that is possible. Each list keeps its length and its order by
/// score. Where there are not enough newcomers all of them are taken.
///
/// # Panics
/// When there are not as many lists of newcomers as lists.
pub fn keep_places(
    lists: &mut [Vec<Scored>],
    newcomers: &[Vec<Scored>],
    is_new: impl Fn(u32) -> bool,
    share: f64,
) -> Floor {
    assert_eq!(lists.len(), newcomers.len(), "newcomers for each list");
    let places: usize = lists.iter().map(Vec::len).sum();
    let sum = |lists: &[Vec<Scored>]| lists.iter().flatten().map(|scored| scored.score).sum::<f64>();
    let before = sum(lists);
    let count = |list: &Vec<Scored>| list.iter().filter(|scored| is_new(scored.item)).count();
    let mut have: usize = lists.iter().map(count).sum();
    let wanted = libm::ceil(share * places as f64 - 1e-9) as usize;
    let next = |list: &[Scored], newcomers: &[Scored]| -> Option<(usize, Scored)> {
        let out = list.iter().rposition(|scored| !is_new(scored.item))?;
        let into = newcomers.iter().find(|new| list.iter().all(|scored| scored.item != new.item))?;
        Some((out, *into))
    };
    let cost = |list: &[Scored], (out, into): (usize, Scored)| list[out].score - into.score;
    let mut swaps: BinaryHeap<Swap> = BinaryHeap::new();
    let offer = |swaps: &mut BinaryHeap<Swap>, lists: &[Vec<Scored>], list: usize| {
        if let Some(swap) = next(&lists[list], &newcomers[list]) {
            swaps.push(Swap { cost: cost(&lists[list], swap), list });
        }
    };
    (0..lists.len()).for_each(|list| offer(&mut swaps, lists, list));
    while have < wanted
        && let Some(Swap { list, .. }) = swaps.pop()
    {
        let Some((out, into)) = next(&lists[list], &newcomers[list]) else { continue };
        lists[list].remove(out);
        let at = lists[list].partition_point(|scored| into.score <= scored.score);
        lists[list].insert(at, into);
        have += 1;
        offer(&mut swaps, lists, list);
    }
    let lost = if before == 0.0 { 0.0 } else { (before - sum(lists)) / before.abs() };
    Floor { share: have as f64 / places.max(1) as f64, cost: lost }
}
