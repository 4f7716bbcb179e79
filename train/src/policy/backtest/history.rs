//! What happened to partners, a row for each partner and period, and what of it was known at a moment.

use chrono::{DateTime, Utc};
use domain::Rate;

use crate::policy::{evidence::Seen, fraction};

/// A partner's period.
#[derive(Clone, Debug)]
pub struct Row {
    /// The number of the partner.
    pub partner: usize,
    /// The number of the period.
    pub period: usize,
    /// What was paid.
    pub rate: Rate,
    /// How probable that rate was when it was chosen; none where chance had no part, or nobody wrote it down.
    pub propensity: Option<f64>,
    /// How many conversions there were, honest or not.
    pub conversions: f64,
    /// What their orders came to: what the rate was paid on.
    pub amount: f64,
    /// What the customers came to be worth; none where nobody knows yet.
    pub value: Option<f64>,
    /// What each honest customer is worth, as it was known at `known_at`; none where only the sum is told.
    pub values: Vec<f64>,
    /// How many conversions were found to be fraud.
    pub fraud: f64,
    /// From when on value and fraud are known.
    pub known_at: DateTime<Utc>,
    /// How fast customers leave, as a multiple of the program's mean, known when the period is over.
    pub churn_ratio: Option<f64>,
    /// Outcomes that are known when the period is over, as many for each row.
    pub early: Vec<f64>,
}

impl Row {
    /// What was paid in commissions.
    #[must_use]
    pub fn spend(&self) -> f64 {
        fraction(self.rate) * self.amount
    }

    fn honest(&self) -> f64 {
        f64::max(self.conversions - self.fraud, 0.0)
    }
}

/// Rows that are no history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Twice the same.
    #[error("rows {0} and {1} are of one partner and period")]
    Twice(usize, usize),
    /// Nothing to replay.
    #[error(
        "of {0} periods nothing can be replayed; it takes at least 2: one to learn from, and one to decide"
    )]
    Short(usize),
}

/// Everything that happened.
#[derive(Clone, Debug)]
pub struct History {
    /// The names of partners.
    pub partners: Vec<String>,
    /// The number of each partner's traffic source.
    pub sources: Vec<usize>,
    /// How many sources there are.
    pub source_count: usize,
    /// When each period begins, earliest first, and at last when the last one ends.
    pub bounds: Vec<DateTime<Utc>>,
    /// All rows, by period, and by partner within a period.
    pub rows: Vec<Row>,
    /// Which row is a partner's in a period: partners × periods.
    places: Vec<Option<usize>>,
}

impl History {
    /// A history of partners, each with the number of its source, in periods between `bounds`.
    ///
    /// # Errors
    /// When there are two rows of a partner's period, or too few periods.
    pub fn new(
        partners: Vec<String>,
        (sources, source_count): (Vec<usize>, usize),
        bounds: Vec<DateTime<Utc>>,
        mut rows: Vec<Row>,
    ) -> Result<Self, HistoryError> {
        let periods = bounds.len().saturating_sub(1);
        if periods < 2 {
            return Err(HistoryError::Short(periods));
        }
        let place = |row: &Row| row.partner * periods + row.period;
        let mut places = vec![None; partners.len() * periods];
        for (number, row) in rows.iter().enumerate() {
            if let Some(first) = places[place(row)].replace(number) {
                return Err(HistoryError::Twice(first, number));
            }
        }
        rows.sort_by_key(|row| (row.period, row.partner));
        rows.iter().enumerate().for_each(|(number, row)| places[place(row)] = Some(number));
        Ok(Self { partners, sources, source_count, bounds, rows, places })
    }

    /// How many periods there are.
    #[must_use]
    pub fn periods(&self) -> usize {
        self.bounds.len() - 1
    }

    /// A partner's period.
    #[must_use]
    pub fn row(&self, partner: usize, period: usize) -> Option<&Row> {
        self.places[partner * self.periods() + period].map(|number| &self.rows[number])
    }

    /// A partner's periods before one, earliest first.
    pub fn before(&self, partner: usize, period: usize) -> impl Iterator<Item = &Row> {
        (0..period).filter_map(move |period| self.row(partner, period))
    }

    /// The rate that a partner was paid in most of the periods that had begun at `now`; of equals the later.
    pub(super) fn usual_rate(&self, partner: usize, now: DateTime<Utc>) -> Option<Rate> {
        let mut counts: Vec<(Rate, usize)> = Vec::new();
        let has_begun = |row: &&Row| self.bounds[row.period] <= now;
        for row in self.before(partner, self.periods()).filter(has_begun) {
            let seen = counts.iter().position(|(rate, _)| *rate == row.rate);
            let count = seen.map_or(0, |place| counts.remove(place).1);
            counts.push((row.rate, count + 1));
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(rate, _)| rate)
    }

    /// What was known of a partner at `now`: conversions and churn of the periods that were over, and values and fraud of those
    /// whose were known. Rates are told as multiples of `usual`, and orders are drawn towards `order` as if it were one more.
    pub(super) fn seen(&self, partner: usize, now: DateTime<Utc>, usual: f64, order: f64) -> Seen {
        let over = |row: &&Row| self.bounds[row.period + 1] <= now;
        let rows: Vec<&Row> = self.before(partner, self.periods()).filter(over).collect();
        let (mut values, mut honest, mut fraud) = (Vec::new(), 0.0, 0.0);
        for row in rows.iter().filter(|row| row.known_at <= now) {
            if row.values.is_empty() {
                let Some(value) = row.value else { continue };
                values.extend((0.0 < row.honest()).then(|| value / row.honest()));
            } else {
                values.extend(&row.values);
            }
            honest += row.honest();
            fraud += row.fraud;
        }
        let period = |row: &&Row| (libm::log(fraction(row.rate) / usual), row.conversions);
        let paid = rows.iter().filter(|row| 0 < row.rate.ppm);
        let orders: f64 = rows.iter().map(|row| row.conversions).sum();
        let amount: f64 = rows.iter().map(|row| row.amount).sum();
        Seen {
            source: self.sources[partner],
            values,
            honest,
            fraud,
            periods: paid.map(period).collect(),
            churn_ratio: rows.iter().rev().find_map(|row| row.churn_ratio).unwrap_or(1.0),
            base: (amount + order) / (orders + 1.0),
            at_present: 1.0,
        }
    }

    /// What the program usually does, by the periods that were over at `now`: its median rate, as a fraction, how many
    /// conversions a partner has in a period, and the mean order.
    pub(super) fn usual(&self, now: DateTime<Utc>) -> (f64, f64, f64) {
        let is_over = |row: &&Row| self.bounds[row.period + 1] <= now;
        let rows: Vec<&Row> = self.rows.iter().filter(is_over).collect();
        let mut rates: Vec<Rate> = rows.iter().map(|row| row.rate).filter(|rate| 0 < rate.ppm).collect();
        rates.sort_unstable();
        let rate = rates.get(rates.len() / 2).map_or(1.0, |rate| fraction(*rate));
        let conversions: f64 = rows.iter().map(|row| row.conversions).sum();
        let amount: f64 = rows.iter().map(|row| row.amount).sum();
        let usual = f64::max(conversions / f64::max(rows.len() as f64, 1.0), 1e-3);
        (rate, usual, if 0.0 < conversions { amount / conversions } else { 0.0 })
    }
}
