//! Shapley values of games of many players, from sampled orders, with how far they may be off.

use std::ops::Range;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{
    CoalitionStatistics, Game, Worth,
    coalitions::{players, total},
};
use crate::attribution::Credit;

/// A game made ready for sampling: players numbered from 0, sets in one row behind each other.
#[derive(Clone, Debug)]
pub struct SampledGame {
    game: Game,
    players: Vec<u32>,
    members: Vec<u32>,
    /// Where each set's members end, and what came of its journeys.
    sets: Vec<(usize, Worth)>,
    total: Worth,
}

/// Sums over sampled orders; the sums of parts of the orders are merged.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Pairs of an order and its reverse, each pair one independent observation.
    pairs: u64,
    /// By player: the sum of what was seen, and of its squares.
    sums: Vec<[Credit; 2]>,
}

/// A channel's credit as far as a sample tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The credit.
    pub credit: Credit,
    /// Its standard error.
    pub error: Credit,
    /// Half the width of the interval that holds the exact credit in 95 of 100 samples.
    pub margin: Credit,
}

impl SampledGame {
    /// The game over these journeys.
    #[must_use]
    pub fn new(game: Game, journeys: &CoalitionStatistics) -> Self {
        let of_journeys = journeys.sets();
        let players = players(&of_journeys);
        let number = |channel: &u32| players.partition_point(|player| player < channel);
        let mut members = Vec::new();
        let sets = of_journeys.iter().map(|(set, worth)| {
            members.extend(set.iter().map(|channel| number(channel) as u32));
            (members.len(), *worth)
        });
        Self { game, sets: sets.collect(), total: total(&of_journeys), members, players }
    }

    /// Walks through pairs of orders. Pair i of a seed is the same whichever call draws it, so that threads may share them.
    #[must_use]
    pub fn sample(&self, seed: u64, pairs: Range<u64>) -> Sample {
        let players = self.players.len();
        let mut sample = Sample { pairs: 0, sums: vec![[Credit::default(); 2]; players] };
        let mut order: Vec<u32> = Vec::with_capacity(players);
        let mut added = [vec![Credit::default(); players], vec![Credit::default(); players]];
        let mut room = Room { rank: vec![0; players], joined: vec![Worth::default(); players] };
        for pair in pairs {
            let mut chance = ChaCha8Rng::seed_from_u64(seed);
            chance.set_stream(pair);
            order.clear();
            order.extend((0..).take(players));
            order.shuffle(&mut chance);
            self.walk(&order, &mut room, &mut added[0]);
            order.reverse();
            self.walk(&order, &mut room, &mut added[1]);
            sample.pairs += 1;
            for (sums, (one, other)) in sample.sums.iter_mut().zip(added[0].iter().zip(&added[1])) {
                let mut mean = *one;
                mean += *other;
                let mean = mean * 0.5;
                sums[0] += mean;
                sums[1] += Credit {
                    conversions: mean.conversions * mean.conversions,
                    value: mean.value * mean.value,
                };
            }
        }
        sample
    }

    /// What each player adds when the players join in this order. The journeys of a set count from its last player on.
    fn walk(&self, order: &[u32], room: &mut Room, added: &mut [Credit]) {
        for (rank, player) in (0..).zip(order) {
            room.rank[*player as usize] = rank;
        }
        room.joined.fill(Worth::default());
        let mut begin = 0;
        for (end, worth) in &self.sets {
            let ranks = self.members[begin..*end].iter().map(|member| room.rank[*member as usize]);
            room.joined[ranks.max().unwrap_or(0) as usize] += *worth;
            begin = *end;
        }
        let (mut within, mut before) = (Worth::default(), Credit::default());
        for (player, joined) in order.iter().zip(&room.joined) {
            within += *joined;
            let worth = self.game.worth(within);
            let gain = match self.game {
                // The same as the difference, without its rounding.
                Game::Sum => self.game.worth(*joined),
                Game::ConversionRate => Credit {
                    conversions: worth.conversions - before.conversions,
                    value: worth.value - before.value,
                },
            };
            added[*player as usize] = gain;
            before = worth;
        }
    }

    /// What the sample says of each channel, by its number. Estimates sum to the total exactly, up to rounding.
    #[must_use]
    pub fn estimates(&self, sample: &Sample) -> Vec<Estimate> {
        let channels = self.players.last().map_or(0, |last| *last as usize + 1);
        let mut estimates = vec![Estimate::default(); channels];
        let scale = self.game.scale(self.total);
        for (channel, sums) in self.players.iter().zip(&sample.sums) {
            estimates[*channel as usize] = sample.estimate(sums, scale);
        }
        estimates
    }
}

struct Room {
    /// By player: when it joins.
    rank: Vec<u32>,
    /// By rank: what came of the journeys that become possible then.
    joined: Vec<Worth>,
}

impl Sample {
    /// Takes in other pairs of the same game and seed.
    pub fn merge(&mut self, other: &Self) {
        self.pairs += other.pairs;
        for (sums, more) in self.sums.iter_mut().zip(&other.sums) {
            sums[0] += more[0];
            sums[1] += more[1];
        }
    }

    fn estimate(&self, sums: &[Credit; 2], scale: f64) -> Estimate {
        let count = self.pairs as f64;
        let degrees = (count - 1.0).max(1.0);
        let mean = |of: fn(&Credit) -> f64| of(&sums[0]) / count;
        let error = |of: fn(&Credit) -> f64| {
            let variance = (of(&sums[1]) / count - mean(of) * mean(of)).max(0.0) * count / degrees;
            (variance / count).sqrt()
        };
        let both = |each: &dyn Fn(fn(&Credit) -> f64) -> f64| Credit {
            conversions: each(|credit| credit.conversions),
            value: each(|credit| credit.value),
        };
        let error = both(&error) * scale;
        Estimate { credit: both(&mean) * scale, error, margin: error * student_95(degrees) }
    }
}

/// The two-sided 95 % quantile of Student's t, from the normal one by the first two terms of the expansion of Cornish and
/// Fisher (Abramowitz and Stegun 26.7.5): off by less than 0.01 from 10 degrees of freedom on.
fn student_95(degrees: f64) -> f64 {
    const Z: f64 = 1.959_963_984_540_054;
    let first = (Z.powi(3) + Z) / 4.0;
    let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
    Z + first / degrees + second / (degrees * degrees)
}
