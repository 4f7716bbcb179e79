//! Every aggregate says the same, kept in a window of a random stream, as when it is computed anew each time.

use super::world::reference::{distinct, entropy, least_gap, quantile};
use features::{
    aggregate::{Cell, Measure, Occurrence},
    value::{Value, real},
};
use proptest::prelude::*;

const MEASURES: [Measure; 9] = [
    Measure::Count,
    Measure::Sum,
    Measure::Least,
    Measure::Greatest,
    Measure::Last,
    Measure::Distinct,
    Measure::Entropy,
    Measure::Quantile,
    Measure::Gap,
];

/// Something added, and until when it stays.
#[derive(Clone, Copy, Debug)]
struct Added {
    leaves_us: i64,
    occurrence: Occurrence,
    input: i64,
}

fn said(cell: &Cell) -> Value {
    let number = |number: Option<i64>| number.map_or(Value::Null, Value::Whole);
    match cell {
        Cell::Count(count) => Value::count(count.total()),
        Cell::Sum(sum) => Value::whole(sum.total()),
        Cell::Least(least) => number(least.number()),
        Cell::Greatest(least) => number(least.number().map(|turned| !turned)),
        Cell::Last(last) => number(last.number()),
        Cell::Distinct(members) => Value::count(members.size()),
        Cell::Entropy(entropy) => entropy.bits().map_or(Value::Null, Value::Real),
        Cell::Quantile(sketch) => sketch.quantile(500).map_or(Value::Null, Value::Real),
        Cell::Gap(gap) => number(gap.least_us()),
    }
}

fn expected(measure: Measure, added: &[Added], now_us: i64) -> Value {
    let here: Vec<&Added> = added.iter().filter(|added| now_us < added.leaves_us).collect();
    let inputs: Vec<i64> = here.iter().map(|added| added.input).collect();
    let number = |number: Option<i64>| number.map_or(Value::Null, Value::Whole);
    match measure {
        Measure::Count => Value::count(inputs.len() as u64),
        Measure::Sum => Value::whole(inputs.iter().map(|input| i128::from(*input)).sum()),
        Measure::Least => number(inputs.iter().min().copied()),
        Measure::Greatest => number(inputs.iter().max().copied()),
        Measure::Last => number(here.iter().max_by_key(|added| added.occurrence).map(|added| added.input)),
        Measure::Distinct => distinct(&inputs),
        Measure::Entropy => entropy(&inputs),
        Measure::Quantile => quantile(inputs, 500),
        Measure::Gap => {
            let events: Vec<(i64, i64)> = here.iter().map(|it| (it.occurrence.at_us, it.input)).collect();
            number(least_gap(&events))
        }
    }
}

/// Moves on by so much, and adds something that happened so much earlier and says this.
type Step = (i64, i64, i64);

/// Follows a stream with each aggregate. Windows are sliced as windows are: what is added leaves a length after the
/// beginning of its slice.
fn check(steps: &[Step], length: i64, slice: i64) {
    let mut cells = MEASURES.map(Cell::new);
    let mut added = Vec::new();
    let mut now_us = 0;
    for (number, (by, ago, input)) in steps.iter().enumerate() {
        now_us += by;
        let at_us = now_us - ago;
        let occurrence = Occurrence { at_us, id: (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 101 };
        let one = Added { leaves_us: at_us.div_euclid(slice) * slice + length, occurrence, input: *input };
        for cell in &mut cells {
            if cell.due_us() <= now_us {
                cell.expire(now_us);
            }
            assert!(now_us < cell.due_us(), "something stayed too long");
            if now_us < one.leaves_us {
                cell.add(one.leaves_us, one.occurrence, one.input);
            }
        }
        added.push(one);
        for (measure, cell) in MEASURES.iter().zip(&cells) {
            let (found, expected) = (said(cell), expected(*measure, &added, now_us));
            assert!(found.agrees_with(expected), "{measure:?} after {number} steps: {found}, not {expected}");
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let input = prop_oneof![3 => -3_i64..4, 1 => -1_000_i64..1_000, 1 => any::<i64>()];
    let ago = prop_oneof![3 => Just(0_i64), 1 => 0_i64..40];
    proptest::collection::vec((0_i64..6, ago, input), 0..80)
}

proptest! {
    #[test]
    fn in_an_exact_window(steps in steps(), length in 1_i64..30) {
        check(&steps, length, 1);
    }

    #[test]
    fn in_a_window_of_slices(steps in steps(), slices in 1_i64..5) {
        check(&steps, slices * 7, 7);
    }
}

#[test]
fn very_many_different_ones_come_and_go() {
    let mut cell = Cell::new(Measure::Distinct);
    let mut added: Vec<Added> = Vec::new();
    // A rush of different ones, a lull in which few come, and another rush: above the exact bound, below, and above.
    for now_us in 0..30_000_i64 {
        let is_rush = !(8_000..20_000).contains(&now_us);
        let known =
            features::hash::mix(now_us.cast_unsigned() % if is_rush { 7_001 } else { 40 }).cast_signed();
        let late = if now_us % 5 == 0 { now_us % 900 } else { 0 };
        let occurrence = Occurrence { at_us: now_us - late, id: 0 };
        let one = Added { leaves_us: occurrence.at_us + 3_000, occurrence, input: known };
        cell.expire(now_us);
        cell.add(one.leaves_us, one.occurrence, one.input);
        added.push(one);
        if now_us % 331 == 0 {
            added.retain(|added| now_us < added.leaves_us);
            assert_eq!(said(&cell), expected(Measure::Distinct, &added, now_us), "at {now_us}");
            let exact = added.iter().map(|added| added.input).collect::<std::collections::HashSet<_>>().len();
            let Value::Whole(found) = said(&cell) else { panic!("a size is a whole number") };
            let error = (real(found.into()) / real(exact as i128) - 1.0).abs();
            assert!(error < 0.05, "{found} for {exact}");
        }
    }
}
