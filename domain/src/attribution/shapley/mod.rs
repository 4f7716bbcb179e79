//! Shapley values: what a channel adds to those before it, averaged over all orders in which channels could join.
//!
//! The game is a choice. The sum game has a closed form for any number of channels ([`SumGameStatistics`]); any other game
//! is solved exactly for up to 20 channels ([`exact`]) and by sampled orders beyond ([`sampled`]). [`ordered`] keeps the
//! places of touches apart.

mod coalitions;
pub mod exact;
pub mod ordered;
pub mod sampled;
mod sum_game;

pub use coalitions::{CoalitionStatistics, Worth};
pub use ordered::OrderedStatistics;
pub use sum_game::SumGameStatistics;

use serde::{Deserialize, Serialize};

use super::Credit;

/// What a set S of channels is worth, from the journeys whose channels all belong to S. Nobody is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Game {
    /// The conversions of these journeys, and their value. Journeys that did not convert do not matter. The Shapley value
    /// has a closed form: each journey is divided equally among its distinct channels (Zhao et al. 2018, section 3).
    Sum,
    /// The conversions (the value) of these journeys for each of them, converted or not. The Shapley values sum to the rate
    /// of all journeys; credit is them times the number of all journeys, and so sums to the conversions. A channel that
    /// lowers the rate has a negative credit.
    ConversionRate,
}

impl Game {
    /// The worth of a set by what happened on the journeys within it; [`Credit`] holds both games at once.
    fn worth(self, of: Worth) -> Credit {
        let whole = Credit { conversions: of.conversions, value: of.value };
        let journeys = of.conversions + of.nulls;
        match self {
            Self::Sum => whole,
            Self::ConversionRate if 0.0 < journeys => whole * (1.0 / journeys),
            Self::ConversionRate => Credit::default(),
        }
    }

    /// What the Shapley values are multiplied by to be credit.
    fn scale(self, all: Worth) -> f64 {
        match self {
            Self::Sum => 1.0,
            Self::ConversionRate => all.conversions + all.nulls,
        }
    }
}
