//! What holds for every model: credit sums to what there was, the order of journeys does not matter, and days merged are
//! the whole.

use domain::attribution::{
    Chunk, Credit, Journeys, RULES, RuleStatistics, Statistics, Weights,
    markov::{Definition, FirstOrderStatistics, HigherOrderStatistics, PerJourneyStatistics},
    shapley::{CoalitionStatistics, Game, OrderedStatistics, SumGameStatistics, exact},
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    brute::{Path, of, path},
    near, near_credit, seen, synthetic,
};

fn total(journeys: &Journeys) -> Credit {
    let mut total = Credit::default();
    for row in journeys.all().iter() {
        total += Credit { conversions: row.conversions, value: row.value };
    }
    total
}

fn sum(credit: &[Credit]) -> Credit {
    credit.iter().fold(Credit::default(), |mut sum, more| {
        sum += *more;
        sum
    })
}

/// A model as three steps: what it keeps, how it begins, and how it gives credit.
fn every_model(journeys: &Journeys, each: &mut dyn FnMut(&str, &dyn Model)) {
    for rule in RULES {
        each(rule.name(), &(|| RuleStatistics::new(*rule), RuleStatistics::credit as fn(&_) -> _));
    }
    each("sum game", &(SumGameStatistics::default, SumGameStatistics::credit as fn(&_) -> _));
    each("ordered", &(OrderedStatistics::default, OrderedStatistics::credit as fn(&_) -> _));
    each("markov", &(FirstOrderStatistics::default, FirstOrderStatistics::credit as fn(&_) -> _));
    for order in 1..4 {
        let begin = || HigherOrderStatistics::new(order).unwrap();
        each(&format!("markov {order}"), &(begin, HigherOrderStatistics::credit as fn(&_) -> _));
    }
    let effects = seen(FirstOrderStatistics::default(), &journeys.all()).effects();
    let begin = || PerJourneyStatistics::new(&effects);
    each("markov per journey", &(begin, PerJourneyStatistics::credit as fn(&_) -> _));
    for game in [Game::Sum, Game::ConversionRate] {
        let credit = move |coalitions: &CoalitionStatistics| exact::credit(game, coalitions).unwrap();
        each(&format!("{game:?}"), &(CoalitionStatistics::default, credit));
    }
}

trait Model {
    /// The credit for chunks that were seen apart, stored, read back and merged.
    fn credit(&self, parts: &[Chunk<'_>]) -> Vec<Credit>;
}

impl<S, B, C> Model for (B, C)
where
    S: Statistics + Serialize + DeserializeOwned,
    B: Fn() -> S,
    C: Fn(&S) -> Vec<Credit>,
{
    fn credit(&self, parts: &[Chunk<'_>]) -> Vec<Credit> {
        let mut whole = self.0();
        for part in parts {
            let stored = serde_json::to_string(&seen(self.0(), part)).unwrap();
            whole.merge(serde_json::from_str(&stored).unwrap());
        }
        self.1(&whole)
    }
}

fn paths() -> impl Strategy<Value = Vec<Path>> {
    prop::collection::vec(path(8, 7), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn credit_sums_to_the_conversions_and_the_value(paths in paths()) {
        let journeys = of(&paths);
        let expected = total(&journeys);
        every_model(&journeys, &mut |name, model| {
            let credit = model.credit(&[journeys.all()]);
            let found = sum(&credit);
            near(found.conversions, expected.conversions);
            near(found.value, expected.value);
            // Only a channel that lowers the rate of conversion may have less than nothing.
            let least = credit.iter().map(|credit| credit.conversions.min(credit.value)).fold(0.0, f64::min);
            assert!(name == "ConversionRate" || 0.0 <= least, "{name} gives {least}");
        });
    }

    #[test]
    fn neither_order_nor_chunks_matter(paths in paths(), rows in 1..10_usize) {
        let (journeys, backwards) = (of(&paths), of(&paths.iter().rev().cloned().collect::<Vec<_>>()));
        every_model(&journeys, &mut |_, model| {
            let whole = model.credit(&[journeys.all()]);
            near_credit(&model.credit(&journeys.chunks(rows).collect::<Vec<_>>()), &whole);
            near_credit(&model.credit(&[backwards.all()]), &whole);
        });
    }

    #[test]
    fn a_day_with_new_channels_is_merged_into_the_days_before(first in prop::collection::vec(path(2, 4), 1..9), second in paths()) {
        let (one, other) = (of(&first), of(&second));
        let both = of(&[first, second].concat());
        every_model(&both, &mut |_, model| {
            let whole = model.credit(&[both.all()]);
            near_credit(&model.credit(&[one.all(), other.all()]), &whole);
            near_credit(&model.credit(&[other.all(), one.all()]), &whole);
        });
    }

    #[test]
    fn a_weight_of_two_is_the_journey_twice(paths in paths(), weights in prop::collection::vec(0..3_usize, 40)) {
        let journeys = of(&paths);
        let weighted: Vec<f64> = weights[..paths.len()].iter().map(|weight| *weight as f64).collect();
        let repeated = paths.iter().zip(&weights).flat_map(|(path, weight)| vec![path.clone(); *weight]);
        let repeated = of(&repeated.collect::<Vec<_>>());
        every_model(&journeys, &mut |_, model| {
            near_credit(&model.credit(&[journeys.all().weighted(Weights { conversions: &weighted, nulls: &weighted })]), &model.credit(&[repeated.all()]));
        });
    }
}

#[test]
fn effects_of_ranges_are_the_effects_of_all() {
    let journeys = synthetic::journeys(3_000, 21);
    let statistics = seen(HigherOrderStatistics::new(2).unwrap(), &journeys.all());
    let (chain, effects) = (statistics.chain(), statistics.effects());
    let parts = [chain.effects(0..5), chain.effects(5..8), chain.effects(8..21)].concat();
    assert_eq!(chain.complete(parts), effects);
}

#[test]
fn each_journey_is_divided_by_the_effects_of_its_own_touches() {
    // Effects are 1 for channel 0 and 1/2 for channel 1 (the loops of `markov_loop_pychattr`).
    let paths = [(vec![0, 1, 0, 1, 1, 0], 1, 0, 0), (vec![0, 1, 1, 0, 0], 1, 0, 0), (vec![0, 0], 1, 0, 0)];
    let journeys = of(&paths);
    let effects = seen(FirstOrderStatistics::default(), &journeys.all()).effects();
    let credit = Definition::PerJourney.credit(&effects, &journeys.all());
    near(credit[0].conversions, 3.0 / 4.5 + 3.0 / 4.0 + 1.0);
    near(credit[1].conversions, 1.5 / 4.5 + 1.0 / 4.0);
    near(Definition::Global.credit(&effects, &journeys.all())[0].conversions, 2.0);
}

#[test]
fn the_ordered_value_keeps_the_places_of_touches_apart() {
    let journeys = of(&[(vec![0, 1, 0], 1, 4, 0), (vec![1], 2, 1, 5)]);
    let ordered = seen(OrderedStatistics::default(), &journeys.all());
    let conversions: Vec<Vec<f64>> = ordered
        .places()
        .iter()
        .map(|place| place.iter().map(|credit| credit.conversions).collect())
        .collect();
    assert_eq!(conversions, [vec![0.25, 2.0], vec![0.0, 0.5], vec![0.25]]);
}

#[test]
fn no_journeys_and_journeys_without_conversions_give_no_credit() {
    for journeys in [of(&[]), of(&[(vec![0, 1, 0], 0, 0, 3), (vec![2], 0, 0, 1)])] {
        every_model(&journeys, &mut |name, model| {
            let found = sum(&model.credit(&[journeys.all()]));
            assert!(found == Credit::default(), "{name} credits {}", found.conversions);
        });
    }
}
