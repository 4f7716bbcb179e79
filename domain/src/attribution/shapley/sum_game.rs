//! The Shapley value of the sum game in closed form, for any number of channels.

use serde::{Deserialize, Serialize};

use crate::attribution::{Chunk, Credit, Statistics, add_credit, journeys::Distinct};

/// The Shapley value of [`super::Game::Sum`]: the conversions and the value of each journey are divided equally among its
/// distinct channels (Zhao, Mahboobi and Bagheri 2018, "Shapley Value Methods for Attribution Modeling in Online
/// Advertising"): a journey is a game of its own in which all its channels are needed, and Shapley values add up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SumGameStatistics {
    credit: Vec<Credit>,
    #[serde(skip)]
    distinct: Distinct,
}

impl SumGameStatistics {
    /// The credit of each channel, by its number. It sums to the conversions and the value of the journeys.
    #[must_use]
    pub fn credit(&self) -> Vec<Credit> {
        self.credit.clone()
    }
}

impl Statistics for SumGameStatistics {
    fn add(&mut self, journeys: &Chunk<'_>) {
        self.credit.resize(self.credit.len().max(journeys.channels()), Credit::default());
        for row in journeys.converting() {
            let channels = self.distinct.of(row.journey.touches);
            let part =
                Credit { conversions: row.conversions, value: row.value } * (1.0 / channels.len() as f64);
            for channel in channels {
                self.credit[*channel as usize] += part;
            }
        }
    }

    fn merge(&mut self, other: Self) {
        add_credit(&mut self.credit, &other.credit);
    }
}
