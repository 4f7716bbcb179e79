//! Credit that keeps the places of touches apart.

use serde::{Deserialize, Serialize};

use crate::attribution::{Chunk, Credit, Statistics, add_credit, journeys::Distinct};

/// Touches behind this place are counted there: journeys of robots are long.
pub const LAST_PLACE: usize = 63;

/// The ordered Shapley value of the sum game: what each channel is credited with as the first touch, as the second, and so
/// on (Zhao et al. 2018, section 4). The part of a journey's channel, equal among its distinct channels, is divided equally
/// among the channel's touches and kept by their places. Over all places it sums to [`super::SumGameStatistics`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct OrderedStatistics {
    /// By the place of the touch, then by channel.
    places: Vec<Vec<Credit>>,
    #[serde(skip)]
    distinct: Distinct,
    /// How often each channel touched in the journey at hand; zeros between journeys.
    #[serde(skip)]
    touched: Vec<u32>,
}

impl OrderedStatistics {
    /// By the place of the touch, counted from 0, then by channel, as far as there is any.
    #[must_use]
    pub fn places(&self) -> &[Vec<Credit>] {
        &self.places
    }

    /// The credit of each channel over all places.
    #[must_use]
    pub fn credit(&self) -> Vec<Credit> {
        self.places.iter().fold(Vec::new(), |mut credit, place| {
            add_credit(&mut credit, place);
            credit
        })
    }
}

impl Statistics for OrderedStatistics {
    fn add(&mut self, journeys: &Chunk<'_>) {
        self.touched.resize(self.touched.len().max(journeys.channels()), 0);
        for row in journeys.converting() {
            let touches = row.journey.touches;
            let channels = self.distinct.of(touches).len();
            let places = touches.len().min(LAST_PLACE + 1);
            self.places.resize_with(self.places.len().max(places), Vec::new);
            touches.iter().for_each(|channel| self.touched[*channel as usize] += 1);
            for (place, channel) in touches.iter().map(|channel| *channel as usize).enumerate() {
                let credit = &mut self.places[place.min(LAST_PLACE)];
                credit.resize(credit.len().max(channel + 1), Credit::default());
                let part = 1.0 / (channels as f64 * f64::from(self.touched[channel]));
                credit[channel] += Credit { conversions: row.conversions, value: row.value } * part;
            }
            touches.iter().for_each(|channel| self.touched[*channel as usize] = 0);
        }
    }

    fn merge(&mut self, other: Self) {
        self.places.resize_with(self.places.len().max(other.places.len()), Vec::new);
        self.places.iter_mut().zip(&other.places).for_each(|(place, more)| add_credit(place, more));
    }
}

/// What each player of one given order adds when it joins: `worth` holds the worth of the first, of the first two, and so on.
/// The Shapley value is the mean of this over all orders.
#[must_use]
pub fn marginals(worth: &[f64]) -> Vec<f64> {
    let before = std::iter::once(0.0).chain(worth.iter().copied());
    worth.iter().zip(before).map(|(with, without)| with - without).collect()
}
