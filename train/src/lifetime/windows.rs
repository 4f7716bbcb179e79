//! What is learned from: customers at several earlier moments, with what they spent in the days after each.
//!
//! No moment before the end of calibration is as old as that end, and none has as long a future that is known. Spending is
//! therefore told as a multiple of what BG/NBD and Gamma-Gamma expect of that customer over those days: multiples can be
//! compared between short and long futures and between young and old customers, amounts cannot.

use super::{
    LifetimeError, Segment, Transactions,
    features::{Anchor, FEATURES, Feature, Snapshot},
    linear::{Scale, Shape},
    shift,
};
use crate::anomaly::{
    dice::Dice,
    matrix::{Column, Matrix, Values},
};

/// One of how many customers is held out where a candidate chooses its own settings.
const HELD_OUT: f64 = 0.2;
/// The streams of chance that hold customers out, and draw those who are learned from.
const STREAM: u64 = 0x6c74_7601;
const DRAWN: u64 = 0x6c74_7604;
/// About how many customers are learned from, where there are more: each of them has a row in every window.
const MOST_CUSTOMERS: f64 = 100_000.0;
/// A window needs this many customers to learn from, and this many of them must have bought.
const LEAST: (usize, usize) = (50, 20);

/// A moment and the days after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The last day that is known.
    pub cutoff: i32,
    /// How many days after it are told.
    pub days: u32,
}

/// What one window has to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Where it lies.
    pub span: Span,
    /// How many customers were known.
    pub customers: usize,
    /// How many of them bought.
    pub buyers: usize,
    /// What they spent, together.
    pub actual: f64,
    /// What BG/NBD and Gamma-Gamma, fitted at the end of all windows, expect of them.
    pub expected: f64,
}

/// Rows to learn from.
#[derive(Debug, Clone)]
pub struct Training {
    /// What was known of each; columns whose values have mostly left what was seen are not among them.
    pub table: Matrix,
    /// How linear models read each column.
    pub shapes: Vec<Shape>,
    /// What each spent.
    pub actual: Vec<f64>,
    /// What was expected of each, brought to the total of its window.
    pub expected: Vec<f64>,
    /// How much each counts: more where the age is one that predictions are needed for.
    pub weights: Vec<f64>,
    /// Whose customers are held out while settings are chosen.
    pub held_out: Vec<bool>,
    /// The mean amount of a purchase.
    pub unit: f64,
    /// What all chance follows from.
    pub seed: u64,
    /// Where the rows come from.
    pub windows: Vec<Window>,
    /// What moved between the rows and those that are predicted.
    pub moved: shift::Moved,
}

impl Training {
    /// The rows that are, or are not, held out.
    #[must_use]
    pub fn rows(&self, held_out: bool) -> Vec<usize> {
        (0..self.actual.len()).filter(|row| self.held_out[*row] == held_out).collect()
    }

    /// The windows before an end, for predictions of customers as they are at that end.
    ///
    /// # Errors
    /// When no window tells enough.
    pub(super) fn before(
        transactions: &Transactions,
        anchor: &Anchor,
        (now, horizon_days): (&Snapshot, u32),
        seed: u64,
    ) -> Result<Self, LifetimeError> {
        let mut rows = Rows::default();
        let share = MOST_CUSTOMERS / now.customers.len() as f64;
        let is_drawn = |customer: &usize| Dice::new(seed ^ DRAWN, *customer as u64).unit() < share;
        let customers: Vec<usize> = now.customers.iter().copied().filter(is_drawn).collect();
        for span in spans(transactions, now.day, horizon_days) {
            rows.add(transactions, anchor, (span, horizon_days), &customers);
        }
        if rows.windows.is_empty() {
            return Err(LifetimeError::NoWindow { horizon_days, end: now.day });
        }
        let ages = |it: &Snapshot| it.summaries.iter().map(|it| it.age).collect::<Vec<f64>>();
        let moved = shift::Moved::between(&rows.columns, (&rows.ages, now), &ages(now));
        let columns = kept_columns(transactions, now, &moved)?;
        let table = Matrix::like(&columns, &rows.columns)?;
        let shape = |column: &Column| {
            let feature = FEATURES.iter().find(|feature| feature.name == column.name);
            let scale = feature.map_or(Scale::Plain, |feature| feature.scale);
            Shape { scale, curved: feature.is_some_and(Feature::is_curved) }
        };
        let is_held_out = |customer: &usize| Dice::new(seed ^ STREAM, *customer as u64).unit() < HELD_OUT;
        Ok(Self {
            shapes: columns.iter().map(shape).collect(),
            weights: shift::age_weights(&rows.ages, &ages(now)),
            held_out: rows.customers.iter().map(is_held_out).collect(),
            table,
            actual: rows.actual,
            expected: rows.expected,
            unit: anchor.gamma_gamma.mean(),
            seed,
            windows: rows.windows,
            moved,
        })
    }
}

/// Windows one after another.
#[derive(Default)]
struct Rows {
    columns: Vec<(String, Values)>,
    ages: Vec<f64>,
    customers: Vec<usize>,
    actual: Vec<f64>,
    expected: Vec<f64>,
    windows: Vec<Window>,
}

impl Rows {
    fn add(
        &mut self,
        transactions: &Transactions,
        anchor: &Anchor,
        (span, horizon_days): (Span, u32),
        customers: &[usize],
    ) {
        let then = Snapshot::take(transactions, anchor, (span.cutoff, horizon_days), customers.to_vec());
        let actual = transactions.spent(&then.customers, span.cutoff, span.days);
        let buyers = actual.iter().filter(|spent| 0.0 < **spent).count();
        if then.customers.len() < LEAST.0 || buyers < LEAST.1 {
            return;
        }
        let expected = |it| anchor.expected_value(it, f64::from(span.days));
        let expected: Vec<f64> = then.summaries.iter().map(expected).collect();
        let [told, foretold] = [&actual, &expected].map(|amounts| amounts.iter().sum::<f64>());
        let level = told / foretold;
        self.windows.push(Window { span, customers: actual.len(), buyers, actual: told, expected: foretold });
        self.ages.extend(then.summaries.iter().map(|it| it.age));
        self.customers.extend(&then.customers);
        self.actual.extend(actual);
        self.expected.extend(expected.iter().map(|amount| amount * level));
        if self.columns.is_empty() {
            self.columns = then.columns;
            return;
        }
        for ((_, all), (_, new)) in self.columns.iter_mut().zip(then.columns) {
            match (all, new) {
                (Values::Numbers(all), Values::Numbers(new)) => all.extend(new),
                (Values::Categories(all), Values::Categories(new)) => all.extend(new),
                _ => unreachable!("all snapshots have the same columns"),
            }
        }
    }
}

/// The columns that are learned from; the codes of categories are those of all customers who are known now.
fn kept_columns(
    transactions: &Transactions,
    now: &Snapshot,
    moved: &shift::Moved,
) -> Result<Vec<Column>, LifetimeError> {
    let chosen: Vec<(String, Values)> = transactions
        .attributes()
        .iter()
        .map(|(name, it)| (name.clone(), it.select(&now.customers)))
        .collect();
    let attributes = Matrix::learn(&chosen)?;
    let features = FEATURES.iter().map(|feature| Column { name: feature.name.to_owned(), levels: None });
    let all = features.chain(attributes.columns().to_vec());
    Ok(all.filter(|column| !moved.set_aside.contains(&column.name)).collect())
}

/// The windows that end no later than `end`: whole horizons that begin ever half a horizon earlier, and the last half and
/// quarter of a horizon, which older customers had.
fn spans(transactions: &Transactions, end: i32, horizon_days: u32) -> Vec<Span> {
    let Some(first) = transactions.first_day() else { return Vec::new() };
    let back = |halves: u32, days: u32| Span {
        cutoff: end.saturating_sub_unsigned(days + halves * (horizon_days / 2)),
        days,
    };
    let spans = [
        back(0, horizon_days),
        back(0, horizon_days / 2),
        back(0, horizon_days / 4),
        back(1, horizon_days),
        back(2, horizon_days),
    ];
    spans.into_iter().filter(|span| 7 <= span.days && 0.5 <= history(first, *span)).collect()
}

/// How long the time before a window is, in windows.
fn history(first: i32, span: Span) -> f64 {
    (f64::from(span.cutoff) - f64::from(first)) / f64::from(span.days)
}

/// Where candidates are compared: the longest window at the end of calibration, up to the horizon, that has nearly as
/// long a history, and in it windows to learn from.
///
/// # Errors
/// When there is none.
pub(super) fn inner(transactions: &Transactions, end: i32, horizon_days: u32) -> Result<Span, LifetimeError> {
    let first = transactions.first_day().ok_or(LifetimeError::NoTransactions)?;
    let tells = |span: &Span| {
        let customers = transactions.known_at(span.cutoff);
        let spent = transactions.spent(&customers, span.cutoff, span.days);
        let came_back = |customer: &&usize| 1 < transactions.until(**customer, span.cutoff).len();
        let buyers = spent.iter().filter(|spent| 0.0 < **spent).count();
        2 * LEAST.0 <= customers.len()
            && LEAST.1 <= buyers
            && LEAST.1 <= customers.iter().filter(came_back).count()
    };
    let shorter = [horizon_days, horizon_days / 2, horizon_days / 4];
    let mut spans = shorter.map(|days| Span { cutoff: end.saturating_sub_unsigned(days), days }).into_iter();
    spans
        .find(|span| 7 <= span.days && 0.75 <= history(first, *span) && tells(span))
        .ok_or(LifetimeError::NoWindow { horizon_days, end })
}

/// The segment of each customer.
pub(super) fn segments(snapshot: &Snapshot) -> Vec<Segment> {
    snapshot.summaries.iter().map(Segment::of).collect()
}
