//! Which ring of before a ring is that is found again.

use std::{cmp::Reverse, collections::BTreeMap};

use super::Ring;
use crate::id::{AffiliateId, RingId};

/// Which of the rings that are known each of those that are found is: the one with which it has the most members in common,
/// two at least, the older of several. A ring that falls in two goes on in its larger part, and of two that become one the
/// larger goes on. In the order of what is found; none for what is new.
#[must_use]
pub fn continued(known: &[(RingId, Vec<AffiliateId>)], found: &[Ring]) -> Vec<Option<RingId>> {
    let places = found.iter().enumerate();
    let place_of: BTreeMap<AffiliateId, usize> =
        places.flat_map(|(place, ring)| ring.members.iter().map(move |member| (*member, place))).collect();
    let mut common: BTreeMap<(RingId, usize), usize> = BTreeMap::new();
    for (id, members) in known {
        for place in members.iter().filter_map(|member| place_of.get(member)) {
            *common.entry((*id, *place)).or_default() += 1;
        }
    }
    let mut ties: Vec<_> = common.into_iter().filter(|(_, common)| 2 <= *common).collect();
    ties.sort_by_key(|((id, place), common)| (Reverse(*common), *id, *place));
    let (mut continued, mut gone_on) = (vec![None; found.len()], Vec::new());
    for ((id, place), _) in ties {
        if continued[place].is_none() && !gone_on.contains(&id) {
            continued[place] = Some(id);
            gone_on.push(id);
        }
    }
    continued
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partners(names: &str) -> Vec<AffiliateId> {
        names.bytes().map(|name| uuid::Uuid::from_u128(name.into()).into()).collect()
    }

    /// Rings that are known, named by their numbers, and the numbers that those go on by that are found; 0 for new ones.
    fn check(known: &[&str], found: &[&str], expected: &[u128]) {
        let id = |number: u128| RingId::from(uuid::Uuid::from_u128(number));
        let known: Vec<_> = (1..).map(id).zip(known.iter().map(|names| partners(names))).collect();
        let ring = |names: &&str| Ring { members: partners(names), density: 1.0, evidence: Vec::new() };
        let found: Vec<Ring> = found.iter().map(ring).collect();
        let expected: Vec<_> = expected.iter().map(|number| (*number != 0).then(|| id(*number))).collect();
        assert_eq!(continued(&known, &found), expected);
    }

    #[test]
    fn a_ring_goes_on_while_two_of_its_members_hang_together() {
        check(&["abc"], &["abcd"], &[1]);
        check(&["abc"], &["bcx"], &[1]);
        check(&["abc"], &["cxy"], &[0]);
        check(&[], &["ab", "cd"], &[0, 0]);
        check(&["ab", "cd"], &["cd"], &[2]);
    }

    #[test]
    fn the_larger_part_goes_on_and_of_equal_ones_the_older() {
        check(&["abcde"], &["ab", "cde"], &[0, 1]);
        check(&["ab", "cde"], &["abcde"], &[2]);
        check(&["ab", "cd"], &["abcd"], &[1]);
        check(&["abcd"], &["ab", "cd"], &[1, 0]);
    }
}
