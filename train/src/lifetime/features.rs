//! What is known of customers at a moment, as a table: one line in one list for each feature.

use rayon::prelude::*;

use super::{BgNbd, GammaGamma, LifetimeError, Summary, Transactions, linear::Scale, transactions::Purchase};
use crate::anomaly::matrix::Values;

/// BG/NBD and Gamma-Gamma, fitted together; every candidate's expectations are multiples of theirs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anchor {
    /// How often customers buy; times are days.
    pub bg_nbd: BgNbd,
    /// How much.
    pub gamma_gamma: GammaGamma,
}

impl Anchor {
    /// Fits both to what was known at the end of a day.
    ///
    /// # Errors
    /// When nobody had come back.
    pub fn fit(transactions: &Transactions, day: i32) -> Result<Self, LifetimeError> {
        let known = transactions.known_at(day);
        let summaries: Vec<Summary> =
            known.iter().filter_map(|customer| transactions.summary(*customer, day)).collect();
        Ok(Self { bg_nbd: BgNbd::fit(&summaries)?, gamma_gamma: GammaGamma::fit(&summaries)? })
    }

    /// What a customer is expected to spend in the next days.
    #[must_use]
    pub fn expected_value(&self, summary: &Summary, days: f64) -> f64 {
        let purchases = f64::max(self.bg_nbd.expected_purchases(summary, days), LEAST_PURCHASES);
        purchases * self.gamma_gamma.expected_amount(summary)
    }
}

/// A customer at the end of a day.
pub(super) struct Moment<'a> {
    seen: &'a [Purchase],
    summary: Summary,
    day: i32,
    anchor: &'a Anchor,
    horizon_days: f64,
}

/// One column of the table.
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub doc: &'static str,
    /// How linear models read it.
    pub scale: Scale,
    of: fn(&Moment<'_>) -> f64,
}

/// So many of the first features follow from others by the anchor.
pub(super) const OF_ANCHOR: usize = 4;
/// A customer of whom nothing is expected still has a ratio to learn.
pub(super) const LEAST_PURCHASES: f64 = 1e-9;
/// The least chance to be still a customer, so that it has a logarithm.
pub(super) const LEAST_CHANCE: f64 = 1e-12;

/// All features, those of the anchor first. To add one: its line here.
#[rustfmt::skip]
pub static FEATURES: &[Feature] = &[
    Feature { name: "expected_purchases", doc: "Purchases in the horizon by BG/NBD.", scale: Scale::Logarithm, of: |it| f64::max(it.anchor.bg_nbd.expected_purchases(&it.summary, it.horizon_days), LEAST_PURCHASES) },
    Feature { name: "expected_amount", doc: "Amount of a purchase by Gamma-Gamma.", scale: Scale::Logarithm, of: |it| it.anchor.gamma_gamma.expected_amount(&it.summary) },
    Feature { name: "p_alive", doc: "Chance to be still a customer by BG/NBD.", scale: Scale::Logarithm, of: |it| f64::max(it.anchor.bg_nbd.p_alive(&it.summary), LEAST_CHANCE) },
    Feature { name: "overdue", doc: "Purchases that BG/NBD's rate would have made since the last one.", scale: Scale::OnePlusLogarithm, of: |it| it.since_last() * it.anchor.bg_nbd.rate(&it.summary) },
    Feature { name: "frequency", doc: "Purchases after the first.", scale: Scale::OnePlusLogarithm, of: |it| it.summary.frequency },
    Feature { name: "came_back", doc: "Whether there was a purchase after the first.", scale: Scale::Plain, of: |it| f64::min(it.summary.frequency, 1.0) },
    Feature { name: "age_days", doc: "Days since the first purchase.", scale: Scale::OnePlusLogarithm, of: |it| it.summary.age },
    Feature { name: "since_last_days", doc: "Days since the last purchase.", scale: Scale::OnePlusLogarithm, of: |it| it.since_last() },
    Feature { name: "active_share", doc: "The part of the age that lies between first and last purchase.", scale: Scale::Plain, of: |it| it.summary.recency / f64::max(it.summary.age, 1.0) },
    Feature { name: "purchases_30d", doc: "Purchases in the last 30 days.", scale: Scale::OnePlusLogarithm, of: |it| it.last(30).len() as f64 },
    Feature { name: "purchases_90d", doc: "Purchases in the last 90 days.", scale: Scale::OnePlusLogarithm, of: |it| it.last(90).len() as f64 },
    Feature { name: "purchases_180d", doc: "Purchases in the last 180 days.", scale: Scale::OnePlusLogarithm, of: |it| it.last(180).len() as f64 },
    Feature { name: "amount_30d", doc: "Amount of the last 30 days.", scale: Scale::OnePlusAmount, of: |it| sum(it.last(30)) },
    Feature { name: "amount_90d", doc: "Amount of the last 90 days.", scale: Scale::OnePlusAmount, of: |it| sum(it.last(90)) },
    Feature { name: "amount_180d", doc: "Amount of the last 180 days.", scale: Scale::OnePlusAmount, of: |it| sum(it.last(180)) },
    Feature { name: "amount", doc: "Amount of all purchases.", scale: Scale::OnePlusAmount, of: |it| sum(it.seen) },
    Feature { name: "amount_mean", doc: "Mean amount of a purchase.", scale: Scale::OnePlusAmount, of: |it| sum(it.seen) / it.seen.len() as f64 },
    Feature { name: "amount_median", doc: "Median amount of a purchase.", scale: Scale::OnePlusAmount, of: |it| median(it.seen) },
    Feature { name: "amount_first", doc: "Amount of the first purchase.", scale: Scale::OnePlusAmount, of: |it| it.seen[0].amount },
    Feature { name: "amount_last", doc: "Amount of the last purchase.", scale: Scale::OnePlusAmount, of: |it| it.seen[it.seen.len() - 1].amount },
    Feature { name: "amount_max", doc: "Greatest amount of a purchase.", scale: Scale::OnePlusAmount, of: |it| it.seen.iter().map(|bought| bought.amount).fold(0.0, f64::max) },
    Feature { name: "amount_trend", doc: "How far the last amount is above the mean, as a part of both.", scale: Scale::Plain, of: |it| it.amount_trend() },
    Feature { name: "transactions_per_purchase", doc: "Transactions on a day with some.", scale: Scale::OnePlusLogarithm, of: |it| it.seen.iter().map(|bought| f64::from(bought.transactions)).sum::<f64>() / it.seen.len() as f64 },
    Feature { name: "gap_mean_days", doc: "Mean days between purchases; missing for those who bought once.", scale: Scale::OnePlusLogarithm, of: |it| if it.seen.len() < 2 { f64::NAN } else { it.summary.recency / it.summary.frequency } },
    Feature { name: "gap_last_days", doc: "Days between the last two purchases; missing for those who bought once.", scale: Scale::OnePlusLogarithm, of: |it| it.gaps().last().unwrap_or(f64::NAN) },
    Feature { name: "gap_variation", doc: "Standard deviation of the days between purchases as a part of their mean; missing below three purchases.", scale: Scale::Plain, of: |it| it.gap_variation() },
    Feature { name: "frequency_trend", doc: "Purchases in the later half of the age less those in the earlier, as a part of all; the first purchase is not counted.", scale: Scale::Plain, of: |it| it.frequency_trend() },
];

/// The features that linear scores may bend with: who buys most and who pays most.
const CURVED: [&str; 2] = ["expected_purchases", "amount_mean"];

impl Feature {
    pub(super) fn is_curved(&self) -> bool {
        CURVED.contains(&self.name)
    }
}

impl Moment<'_> {
    fn since_last(&self) -> f64 {
        self.summary.age - self.summary.recency
    }

    fn last(&self, days: i32) -> &[Purchase] {
        let from = self.day.saturating_sub(days);
        &self.seen[self.seen.partition_point(|purchase| purchase.day <= from)..]
    }

    fn gaps(&self) -> impl Iterator<Item = f64> {
        self.seen.windows(2).map(|pair| f64::from(pair[1].day) - f64::from(pair[0].day))
    }

    fn gap_variation(&self) -> f64 {
        if self.seen.len() < 3 {
            return f64::NAN;
        }
        let mean = self.summary.recency / self.summary.frequency;
        let squares: f64 = self.gaps().map(|gap| (gap - mean) * (gap - mean)).sum();
        (squares / self.summary.frequency).sqrt() / mean
    }

    fn frequency_trend(&self) -> f64 {
        if self.seen.len() < 2 {
            return 0.0;
        }
        let middle = f64::from(self.seen[0].day) + 0.5 * self.summary.age;
        let early = self.seen[1..].iter().filter(|purchase| f64::from(purchase.day) <= middle).count() as f64;
        (self.summary.frequency - 2.0 * early) / self.summary.frequency
    }

    fn amount_trend(&self) -> f64 {
        let (last, mean) = (self.seen[self.seen.len() - 1].amount, sum(self.seen) / self.seen.len() as f64);
        if 0.0 < last + mean { (last - mean) / (last + mean) } else { 0.0 }
    }
}

fn sum(purchases: &[Purchase]) -> f64 {
    // An empty sum would be the other zero.
    purchases.iter().fold(0.0, |sum, purchase| sum + purchase.amount)
}

fn median(purchases: &[Purchase]) -> f64 {
    let mut amounts: Vec<f64> = purchases.iter().map(|purchase| purchase.amount).collect();
    amounts.sort_unstable_by(f64::total_cmp);
    f64::midpoint(amounts[(amounts.len() - 1) / 2], amounts[amounts.len() / 2])
}

/// Customers at the end of a day.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The day.
    pub day: i32,
    /// Their numbers.
    pub customers: Vec<usize>,
    /// Their summaries, in days.
    pub summaries: Vec<Summary>,
    /// The features, and after them the attributes: one value for each customer.
    pub columns: Vec<(String, Values)>,
}

impl Snapshot {
    /// Some of its customers, by their places.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            day: self.day,
            customers: rows.iter().map(|row| self.customers[*row]).collect(),
            summaries: rows.iter().map(|row| self.summaries[*row]).collect(),
            columns: self.columns.iter().map(|(name, values)| (name.clone(), values.select(rows))).collect(),
        }
    }

    /// What was known of some customers at the end of a day; those who had not yet bought are left out.
    #[must_use]
    pub fn take(
        transactions: &Transactions,
        anchor: &Anchor,
        (day, horizon_days): (i32, u32),
        mut customers: Vec<usize>,
    ) -> Self {
        customers.retain(|customer| !transactions.until(*customer, day).is_empty());
        let summaries: Vec<Summary> =
            customers.iter().filter_map(|customer| transactions.summary(*customer, day)).collect();
        let row = |(customer, summary): (&usize, &Summary)| {
            let seen = transactions.until(*customer, day);
            let horizon_days = f64::from(horizon_days);
            let moment = Moment { seen, summary: *summary, day, anchor, horizon_days };
            FEATURES.iter().map(|feature| (feature.of)(&moment)).collect::<Vec<f64>>()
        };
        let rows: Vec<Vec<f64>> = customers.par_iter().zip(&summaries).map(row).collect();
        let column = |(place, feature): (usize, &Feature)| {
            (feature.name.to_owned(), Values::Numbers(rows.iter().map(|row| row[place]).collect()))
        };
        let mut columns: Vec<(String, Values)> = FEATURES.iter().enumerate().map(column).collect();
        let attribute = |(name, values): &(String, Values)| (name.clone(), values.select(&customers));
        columns.extend(transactions.attributes().iter().map(attribute));
        Self { day, customers, summaries, columns }
    }
}
