//! The simple probabilistic model: what channels and pairs of channels convert (Shao and Li 2011, "Data-driven Multi-touch
//! Attribution Models").

use std::collections::BTreeMap;

use super::{
    Credit,
    shapley::{CoalitionStatistics, Worth},
};

/// The credit of each channel, by its number.
///
/// A channel of a converting journey is credited, for each conversion, with
/// p(i) + Σ over the journey's other channels j of (p(i, j) − p(i) − p(j)) / (2 · the number of others), where p(i) is the
/// part of the journeys with channel i that convert, and p(i, j) that of the journeys with both. So much is the paper's
/// formula; the sum over journeys, and the number of others taken from each journey, are those of eeghor's `mta`. Credit is
/// a probability and so does not sum to the conversions; value is credited by the same weights.
#[must_use]
pub fn credit(journeys: &CoalitionStatistics) -> Vec<Credit> {
    let (mut single, mut pairs) = (BTreeMap::<u32, Worth>::new(), BTreeMap::<(u32, u32), Worth>::new());
    let sets = journeys.sets();
    for (set, worth) in &sets {
        for (place, channel) in set.iter().enumerate() {
            *single.entry(*channel).or_default() += *worth;
            set[place + 1..].iter().for_each(|other| *pairs.entry((*channel, *other)).or_default() += *worth);
        }
    }
    let rate = |of: &Worth| of.conversions / (of.conversions + of.nulls);
    let mut credit =
        vec![Credit::default(); single.last_key_value().map_or(0, |(last, _)| *last as usize + 1)];
    for (set, worth) in sets.iter().filter(|(_, worth)| 0.0 < worth.conversions) {
        let whole = Credit { conversions: worth.conversions, value: worth.value };
        for channel in *set {
            let alone = rate(&single[channel]);
            let others = set.iter().filter(|other| *other != channel);
            let together = others.map(|other| {
                let pair = &pairs[&(*channel.min(other), *channel.max(other))];
                rate(pair) - alone - rate(&single[other])
            });
            let part = alone + together.sum::<f64>() / (2 * (set.len() - 1)).max(1) as f64;
            credit[*channel as usize] += whole * part;
        }
    }
    credit
}
