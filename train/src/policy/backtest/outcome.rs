//! What rates would have brought if conversions follow them as the fitted response says.

use domain::Rate;

use super::{History, Row};
use crate::policy::{
    fraction,
    response::{Elasticity, Panel, by_source},
};

/// What a policy comes to, in the currency of the history.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the customers are worth.
    pub value: f64,
    /// What is paid in commissions.
    pub spend: f64,
    /// By partner: what its customers are worth, and what it is paid.
    pub partners: Vec<(f64, f64)>,
    /// By period: what customers are worth, and what is paid.
    pub periods: Vec<(f64, f64)>,
}

impl Outcome {
    /// What is earned after commissions.
    #[must_use]
    pub fn profit(&self) -> f64 {
        self.value - self.spend
    }

    /// What is earned after commissions for each unit spent on them.
    #[must_use]
    pub fn roi(&self) -> f64 {
        self.profit() / self.spend
    }
}

/// Each source's elasticity by all that happened: with hindsight, as it judges and decides nothing.
#[must_use]
pub fn elasticities(history: &History, prior: Elasticity) -> Vec<Elasticity> {
    let panel = |partner: usize| {
        let rows = history.before(partner, history.periods()).filter(|row| 0 < row.rate.ppm);
        let period = |row: &Row| (libm::log(fraction(row.rate)), row.conversions);
        let mut periods: Vec<(f64, f64)> = rows.map(period).collect();
        // The level of rates makes no difference; small powers are surer.
        let first = periods.first().map_or(0.0, |(rate, _)| *rate);
        periods.iter_mut().for_each(|(rate, _)| *rate -= first);
        Panel { source: history.sources[partner], periods }
    };
    let panels: Vec<Panel> = (0..history.partners.len()).map(panel).collect();
    by_source(&panels, history.source_count, prior)
}

/// What is earned at these rates: conversions, what they are worth and what they cost are multiplied by the power
/// `elasticity` of the rate over the one that was paid. Rows without a rate or without a value count nothing.
pub fn outcome(history: &History, rates: &[Option<Rate>], elasticity: impl Fn(&Row) -> f64) -> Outcome {
    let mut outcome = Outcome {
        value: 0.0,
        spend: 0.0,
        partners: vec![(0.0, 0.0); history.partners.len()],
        periods: vec![(0.0, 0.0); history.periods()],
    };
    for (row, rate) in history.rows.iter().zip(rates) {
        let (Some(rate), Some(value)) = (rate, row.value) else { continue };
        let times = match row.rate.ppm {
            0 => 1.0,
            _ => libm::pow(fraction(*rate) / fraction(row.rate), elasticity(row)),
        };
        let (value, spend) = (value * times, fraction(*rate) * row.amount * times);
        outcome.value += value;
        outcome.spend += spend;
        for sums in [&mut outcome.partners[row.partner], &mut outcome.periods[row.period]] {
            sums.0 += value;
            sums.1 += spend;
        }
    }
    outcome
}
