//! What earlier conversions let expect of partners beside what later ones brought, all of it by what is known on one day: how
//! much less sure partners' worth is than it seems.

use super::{
    input::{Input, Won},
    learned::{Cut, Half, learn_as_it_seems, sold},
};
use crate::partner::{Foresight, Widening};

/// How it was told how much less sure worth is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreseen {
    /// The last day of earlier conversions.
    pub(super) split: i32,
    pub(super) widening: Widening,
}

/// Looks back to when half of the conversions had been won that are known at the end of a day, or at all; none where there are
/// no days, or too little to learn from.
pub(super) fn foreseen(input: &Input, until: Option<i32>) -> Option<Foreseen> {
    let all = Cut { until, half: Half::Both };
    let known = input.partners.iter().flat_map(|partner| all.halves(partner, input).0);
    let split = middle(known.filter_map(|won| won.day).collect())?;
    let by_time = foresights(input, Cut { until, half: Half::Until(split) })?;
    let by_draw = foresights(input, Cut { until, half: Half::Drawn })?;
    Some(Foreseen { split, widening: Widening::of(&by_time, &by_draw) })
}

/// What one half lets expect beside what the other brought, in the usual mix of campaigns, as it is no news of a partner that
/// others of its campaigns sell now.
fn foresights(input: &Input, half: Cut) -> Option<Vec<Foresight>> {
    let earlier = learn_as_it_seems(input, half).ok()?;
    let brought = |won: &Won| {
        let sold = sold(won, won.value);
        earlier.mixes.knows(sold.campaign).then(|| earlier.mixes.without_campaign(&sold))
    };
    let both = earlier.standings.iter().zip(&input.partners);
    let one = both.map(|(standing, partner)| Foresight {
        expected: standing.in_usual_mix,
        came: half.halves(partner, input).1.iter().filter_map(brought).collect(),
    });
    Some(one.collect())
}

/// The day until which half of them are, if any is after it.
fn middle(mut days: Vec<i32>) -> Option<i32> {
    days.sort_unstable();
    let last = *days.last()?;
    let middle = days[(days.len() - 1) / 2];
    // Of a single last day with half of them, what was before it.
    if middle < last { Some(middle) } else { days.into_iter().rev().find(|day| *day < last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_days_are_earlier() {
        assert_eq!(middle(vec![9, 1, 2, 3]), Some(2));
        assert_eq!(middle(vec![9, 1, 2]), Some(2));
        assert_eq!(middle(vec![1, 5, 5, 5]), Some(1));
        assert_eq!((middle(vec![4, 4]), middle(Vec::new())), (None, None));
    }
}
