//! Markov and Shapley against the plainest way to compute them: dense elimination for each removed channel, and every order.

use domain::attribution::{
    Journeys,
    journeys::Row,
    markov::{Effect, FirstOrderStatistics, HigherOrderStatistics},
    shapley::{CoalitionStatistics, Game, SumGameStatistics, exact},
};
use proptest::prelude::*;

use crate::{near, near_credit, seen};

/// A path with conversions, value for each, and nulls.
pub type Path = (Vec<u32>, u32, u32, u32);

pub fn path(channels: u32, longest: usize) -> impl Strategy<Value = Path> {
    (prop::collection::vec(0..channels, 1..=longest), 0..4_u32, 0..100_u32, 0..4_u32)
}

pub fn of(paths: &[Path]) -> Journeys {
    let mut journeys = Journeys::default();
    for (touches, conversions, value, nulls) in paths {
        let conversions = f64::from(*conversions);
        let value = conversions * f64::from(*value);
        let row = Row { touches, conversions, value, nulls: f64::from(*nulls), ..Row::default() };
        journeys.push(row).unwrap();
    }
    journeys
}

/// A chain written out: states are the last touches as lists, in the order of their discovery.
struct Dense {
    states: Vec<Vec<u32>>,
    /// From each state to each, to a conversion, and what it brings; row 0 is the beginning.
    counts: Vec<Vec<f64>>,
    conversions: Vec<f64>,
    value: Vec<f64>,
    leaving: Vec<f64>,
}

impl Dense {
    fn new(paths: &[Path], order: usize) -> Self {
        let mut states: Vec<Vec<u32>> = vec![Vec::new()];
        let walks: Vec<Vec<usize>> = paths
            .iter()
            .map(|(touches, ..)| {
                // Every prefix is a state here, which makes the same walks as states of full length alone.
                let windows = (1..=touches.len()).map(|end| touches[end.saturating_sub(order)..end].to_vec());
                let place = |window: Vec<u32>| {
                    states.iter().position(|state| *state == window).unwrap_or_else(|| {
                        states.push(window);
                        states.len() - 1
                    })
                };
                windows.map(place).collect()
            })
            .collect();
        let n = states.len();
        let mut dense = Self {
            states,
            counts: vec![vec![0.0; n]; n],
            conversions: vec![0.0; n],
            value: vec![0.0; n],
            leaving: vec![0.0; n],
        };
        for ((_, conversions, value, nulls), walk) in paths.iter().zip(walks) {
            let (conversions, nulls) = (f64::from(*conversions), f64::from(*nulls));
            let mut from = 0;
            for to in walk {
                dense.counts[from][to] += conversions + nulls;
                dense.leaving[from] += conversions + nulls;
                from = to;
            }
            dense.conversions[from] += conversions;
            dense.value[from] += conversions * f64::from(*value);
            dense.leaving[from] += conversions + nulls;
        }
        dense
    }

    /// What a walk brings from the beginning when it ends at `removed`, by `ends` of each state: Gaussian elimination with
    /// pivots over (I − Q) h = r.
    fn brings(&self, removed: Option<u32>, ends: &[f64]) -> f64 {
        let n = self.states.len();
        let gone = |state: usize| removed.is_some_and(|channel| self.states[state].last() == Some(&channel));
        let mut rows: Vec<Vec<f64>> = (0..n)
            .map(|from| {
                let leaving = if self.leaving[from] <= 0.0 { 1.0 } else { self.leaving[from] };
                let mut row: Vec<f64> = (0..n)
                    .map(|to| if gone(from) { 0.0 } else { -self.counts[from][to] / leaving })
                    .collect();
                row[from] += 1.0;
                row.push(if gone(from) { 0.0 } else { ends[from] / leaving });
                row
            })
            .collect();
        for column in 0..n {
            let pivot = (column..n).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()));
            rows.swap(column, pivot.unwrap());
            let pivot = rows[column].clone();
            for (place, row) in rows.iter_mut().enumerate().filter(|(place, _)| *place != column) {
                let factor = row[column] / pivot[column];
                assert!(factor.is_finite(), "row {place} has no pivot");
                row.iter_mut().zip(&pivot).for_each(|(x, y)| *x -= factor * y);
            }
        }
        rows[0][n] / rows[0][0]
    }

    fn effect(&self, channel: u32) -> Effect {
        let part = |ends: &[f64]| {
            let all = self.brings(None, ends);
            if all <= 0.0 { 0.0 } else { 1.0 - self.brings(Some(channel), ends) / all }
        };
        Effect { conversions: part(&self.conversions), value: part(&self.value) }
    }
}

fn every_order(players: usize) -> Vec<Vec<usize>> {
    let shorter = if players == 0 { return vec![Vec::new()] } else { every_order(players - 1) };
    let insert = |order: Vec<usize>| {
        (0..players).map(move |place| [&order[..place], &[players - 1], &order[place..]].concat())
    };
    shorter.into_iter().flat_map(insert).collect()
}

/// The Shapley value as it is defined: the mean gain over all orders.
fn by_orders(worth: &[f64]) -> Vec<f64> {
    let players = worth.len().trailing_zeros() as usize;
    let orders = every_order(players);
    let mut values = vec![0.0; players];
    for order in &orders {
        let mut set = 0;
        for player in order {
            values[*player] += (worth[set | 1 << player] - worth[set]) / orders.len() as f64;
            set |= 1 << player;
        }
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn removal_effects_are_those_of_chains_without_the_channel(
        paths in prop::collection::vec(path(4, 6), 1..12),
        order in 1..4_u32,
    ) {
        let journeys = of(&paths);
        let dense = Dense::new(&paths, order as usize);
        let mut found = vec![seen(HigherOrderStatistics::new(order).unwrap(), &journeys.all()).effects()];
        if order == 1 {
            found.push(seen(FirstOrderStatistics::default(), &journeys.all()).effects());
        }
        for effects in found {
            for (channel, effect) in (0..).zip(&effects.channels) {
                let expected = dense.effect(channel);
                near(effect.conversions, expected.conversions);
                near(effect.value, expected.value);
            }
        }
    }

    #[test]
    fn exact_shapley_values_are_the_means_over_all_orders(
        players in 0..=7_usize,
        worth in prop::collection::vec(-10.0..10.0, 128),
    ) {
        let worth = &worth[..1 << players];
        let found = exact::shapley_values(worth).unwrap();
        found.iter().zip(by_orders(worth)).for_each(|(found, expected)| near(*found, expected));
    }

    #[test]
    fn the_conversion_rate_is_played_as_it_is_defined(paths in prop::collection::vec(path(5, 5), 1..12)) {
        let journeys = of(&paths);
        let within = |set: usize| {
            let inside = paths.iter().filter(|path| path.0.iter().all(|channel| set >> channel & 1 == 1));
            inside.fold((0.0, 0.0), |(conversions, all), path| {
                (conversions + f64::from(path.1), all + f64::from(path.1 + path.3))
            })
        };
        let worth: Vec<f64> = (0..32).map(within).map(|(conversions, all)| if all <= 0.0 { 0.0 } else { conversions / all }).collect();
        let coalitions = seen(CoalitionStatistics::default(), &journeys.all());
        let found = exact::credit(Game::ConversionRate, &coalitions).unwrap();
        for (channel, expected) in by_orders(&worth).iter().enumerate() {
            let found = found.get(channel).map_or(0.0, |credit| credit.conversions);
            near(found, expected * within(31).1);
        }
    }

    #[test]
    fn the_sum_game_has_its_closed_form(paths in prop::collection::vec(path(9, 8), 1..40)) {
        let journeys = of(&paths);
        let closed = seen(SumGameStatistics::default(), &journeys.all()).credit();
        let coalitions = seen(CoalitionStatistics::default(), &journeys.all());
        near_credit(&exact::credit(Game::Sum, &coalitions).unwrap(), &closed);
    }
}

#[test]
fn twenty_players_are_solved_and_one_more_is_refused() {
    let worth: Vec<f64> = (0..1_usize << 20).map(|set| f64::from(set.count_ones()).powi(2)).collect();
    exact::shapley_values(&worth).unwrap().iter().for_each(|value| near(*value, 20.0));
    assert!(exact::shapley_values(&vec![0.0; 1 << 21]).is_err());
    assert!(exact::shapley_values(&[0.0; 3]).is_err());
}

#[test]
fn a_robots_long_loop_is_followed_to_its_end() {
    let robot: Vec<u32> = (0..20_000).map(|touch| touch % 2).collect();
    let journeys =
        of(&[(robot, 1, 10, 0), (vec![2, 1], 3, 5, 900), (vec![0, 2], 2, 7, 500), (vec![2], 0, 0, 9)]);
    let dense = seen(FirstOrderStatistics::default(), &journeys.all()).effects();
    let sparse = seen(HigherOrderStatistics::new(1).unwrap(), &journeys.all()).effects();
    near_credit(&dense.credit(), &sparse.credit());
    let second = seen(HigherOrderStatistics::new(2).unwrap(), &journeys.all()).effects();
    // Only the robot and the second journey pass channel 1; of the value they bring 10 and 15 of 39.
    near(second.channels[1].conversions, 4.0 / 6.0);
    near(second.channels[1].value, 25.0 / 39.0);
}
