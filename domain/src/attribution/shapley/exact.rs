//! The exact Shapley value of any game of up to 20 players.

use super::{
    CoalitionStatistics, Game, Worth,
    coalitions::{players, total},
};
use crate::attribution::Credit;

/// The most players of an exact solution: a million sets.
pub const MOST_PLAYERS: usize = 20;

/// Why a game is not solved exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExactError {
    /// More sets than fit.
    #[error("a game of {0} players has too many sets to be solved exactly; {MOST_PLAYERS} are the most")]
    TooManyPlayers(usize),
    /// A worth is needed for each of 2ⁿ sets.
    #[error("a game has a worth for each set of its players, 2, 4, 8 or so of them, but not {0}")]
    NotALattice(usize),
}

/// The Shapley value of each player of a game that is given by the worth of every set: bit i of a set's place in `worth` says
/// whether player i belongs to it. Takes 2ⁿ·n steps: φ(i) is the mean of v(S ∪ i) − v(S) over all sets S without i, each
/// weighted with |S|! (n − |S| − 1)! / n! (Shapley 1953). The worth of nobody is taken as it is, zero or not.
///
/// # Errors
/// When the number of sets is no power of two, or one of more than 20 players.
pub fn shapley_values(worth: &[f64]) -> Result<Vec<f64>, ExactError> {
    if !worth.len().is_power_of_two() {
        return Err(ExactError::NotALattice(worth.len()));
    }
    let players = worth.len().trailing_zeros() as usize;
    if MOST_PLAYERS < players {
        return Err(ExactError::TooManyPlayers(players));
    }
    let weights = weights(players);
    let value = |player: usize| {
        // Sets come in runs of 2^player without the player, each followed by as many with it.
        let run = 1 << player;
        let pairs = worth.chunks_exact(2 * run).enumerate().flat_map(|(above, sets)| {
            let (without, with) = sets.split_at(run);
            without
                .iter()
                .zip(with)
                .enumerate()
                .map(move |(below, pair)| (above << (player + 1) | below, pair))
        });
        pairs.map(|(set, (without, with))| (with - without) * weights[set.count_ones() as usize]).sum()
    };
    Ok((0..players).map(value).collect())
}

/// By the size s of a set: s! (n − s − 1)! / n!, the chance that just this set comes before a player.
fn weights(players: usize) -> Vec<f64> {
    let mut weight = 1.0 / players.max(1) as f64;
    let mut weights = Vec::with_capacity(players);
    for size in 0..players {
        weights.push(weight);
        weight *= (size + 1) as f64 / (players - size - 1).max(1) as f64;
    }
    weights
}

/// The credit of each channel, by its number, from the exact Shapley value of a game. Only channels that occur are players.
/// It sums to the conversions and to the value of all journeys.
///
/// # Errors
/// When more than 20 channels occur.
pub fn credit(game: Game, journeys: &CoalitionStatistics) -> Result<Vec<Credit>, ExactError> {
    let sets = journeys.sets();
    let players = players(&sets);
    if MOST_PLAYERS < players.len() {
        return Err(ExactError::TooManyPlayers(players.len()));
    }
    let within = worth_within(&sets, &players);
    let worth: Vec<Credit> = within.iter().map(|worth| game.worth(*worth)).collect();
    let solve = |of: fn(&Credit) -> f64| shapley_values(&worth.iter().map(of).collect::<Vec<_>>());
    let (conversions, value) = (solve(|worth| worth.conversions)?, solve(|worth| worth.value)?);
    let channels = players.last().map_or(0, |last| *last as usize + 1);
    let mut credit = vec![Credit::default(); channels];
    let scale = game.scale(total(&sets));
    for (player, channel) in players.iter().enumerate() {
        let whole = Credit { conversions: conversions[player], value: value[player] };
        credit[*channel as usize] = whole * scale;
    }
    Ok(credit)
}

/// For every set of players what came of the journeys within it: what came of its subsets is added up player by player.
fn worth_within(sets: &[(&[u32], Worth)], players: &[u32]) -> Vec<Worth> {
    let mut worth = vec![Worth::default(); 1 << players.len()];
    for (set, of) in sets {
        let bit = |channel: &u32| 1 << players.partition_point(|player| player < channel);
        worth[set.iter().map(bit).sum::<usize>()] += *of;
    }
    for player in 0..players.len() {
        let run = 1 << player;
        for sets in worth.chunks_exact_mut(2 * run) {
            let (without, with) = sets.split_at_mut(run);
            with.iter_mut().zip(without).for_each(|(with, without)| *with += *without);
        }
    }
    worth
}
