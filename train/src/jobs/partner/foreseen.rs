//! What earlier conversions let expect of partners beside what later ones brought, all of it by what is known on one day: how
//! much less sure partners' worth is than it seems.

use super::{
    input::{Input, Won},
    learned::{Cut, Learned, learn_as_it_seems, sold},
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
    let all = Cut { until, won_until: None };
    let known: Vec<Vec<Won>> = input.partners.iter().map(|partner| all.known(partner, input)).collect();
    let split = middle(known.iter().flatten().filter_map(|won| won.day).collect())?;
    let earlier = learn_as_it_seems(input, Cut { until, won_until: Some(split) }).ok()?;
    Some(Foreseen { split, widening: Widening::of(&foresights(&earlier, &known, split)) })
}

/// In the usual mix of campaigns, as it is no news of a partner that others of its campaigns sell now.
fn foresights(earlier: &Learned, known: &[Vec<Won>], split: i32) -> Vec<Foresight> {
    let brought = |won: &Won| {
        let sold = sold(won, won.value);
        let is_later = won.day.is_some_and(|day| split < day);
        (is_later && earlier.mixes.knows(sold.campaign)).then(|| earlier.mixes.without_campaign(&sold))
    };
    let both = earlier.standings.iter().zip(known);
    let one = both.map(|(standing, known)| Foresight {
        expected: standing.in_usual_mix,
        came: known.iter().filter_map(brought).collect(),
    });
    one.collect()
}

/// The day until which half of them are, if any is after it.
fn middle(mut days: Vec<i32>) -> Option<i32> {
    days.sort_unstable();
    let middle = *days.get(days.len() / 2)?;
    let last = *days.last()?;
    // Of a single last day with half of them, what was before it.
    if middle < last { Some(middle) } else { days.into_iter().rev().find(|day| *day < last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_days_are_earlier() {
        assert_eq!(middle(vec![9, 1, 2, 3]), Some(3));
        assert_eq!(middle(vec![1, 5, 5, 5]), Some(1));
        assert_eq!((middle(vec![4, 4]), middle(Vec::new())), (None, None));
    }
}
