//! Learning: candidates are compared on the last horizon of calibration, the best of them learns again from all of it.

use super::{
    LifetimeError, Prediction, Segment, Transactions,
    candidates::{CANDIDATES, Candidate, Fit, Model, Part, stacking_weights},
    features::{Anchor, Snapshot},
    interval::Intervals,
    isotonic::Calibration,
    metrics::{Measures, measures},
    shift::{Level, Moved},
    windows::{Span, Training, Window, inner, segments},
};
use crate::anomaly::dice::Dice;

/// Scores that differ by less say nothing.
const CLOSE: f64 = 0.005;
/// Calibration is kept where it makes the score on the inner split better by this much.
const WORTH: f64 = 0.002;
/// Errors are cut at the amount that one of so many customers exceeds.
const CUT: usize = 200;
/// The stream of chance that divides customers in halves.
const STREAM: u64 = 0x6c74_7603;

/// What is to be learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The last day that is learned from.
    pub calibration_end: i32,
    /// How many days after it are predicted.
    pub horizon_days: u32,
    /// The candidates, by name; all where there is none. A stack is made of those that are named beside it.
    pub candidates: Vec<String>,
    /// What all chance follows from.
    pub seed: u64,
}

/// What was learned.
#[derive(Debug, Clone)]
pub struct Learned {
    /// What the predictions are for.
    pub plan: Plan,
    /// BG/NBD and Gamma-Gamma.
    pub anchor: Anchor,
    /// Where candidates were compared.
    pub inner: Span,
    /// All candidates, in the order of their list.
    pub fitted: Vec<Fitted>,
    /// The place of the best of them.
    pub chosen: usize,
    /// The windows that were learned from.
    pub windows: Vec<Window>,
    /// How those who are predicted differ from those learned from.
    pub moved: Moved,
    /// How well totals were foretold before.
    pub level: Level,
}

/// A candidate that has learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Its name.
    pub name: &'static str,
    /// What it learned from all of calibration.
    pub model: Model,
    /// What expectations times ratios would add up to without a correction, over the corrected total of BG/NBD and
    /// Gamma-Gamma.
    pub raw_total: f64,
    /// Monotone calibration, where it helps.
    pub calibration: Option<Calibration>,
    /// The mean of all expectations times ratios, which calibration takes for one.
    pub unit: f64,
    /// What is left to multiply with, so that the total is the anchor's.
    pub scale: f64,
    /// Where what will be spent lies.
    pub intervals: Intervals,
    /// What it did on the inner split, after all totals were brought to what was spent there.
    pub inner: Measures,
    /// What it was chosen by: see [`learn`].
    pub score: f64,
}

/// Learns all candidates of a plan and chooses the first in the list whose score on the inner split is within 0.005 of the
/// highest: later ones are harder to explain.
///
/// The score of a candidate is its normalised Gini coefficient, plus its rank correlation, less its decile wMAPE, less its
/// root mean squared error as a part of BG/NBD's; for these errors, predictions and amounts are cut at what one of 200
/// customers exceeds, so that no single customer decides. Totals are the same for all candidates there. Nothing after the
/// end of calibration is looked at. The same transactions and plan give the same bits at any number of threads.
///
/// # Errors
/// When a candidate is not known, or the transactions are too few or too short to compare candidates on.
pub fn learn(transactions: &Transactions, plan: &Plan) -> Result<Learned, LifetimeError> {
    let candidates = named(&plan.candidates)?;
    if !(7..=3660).contains(&plan.horizon_days) {
        return Err(LifetimeError::Horizon(plan.horizon_days));
    }
    let end = plan.calibration_end;
    let split = inner(transactions, end, plan.horizon_days)?;
    let before = Group::fit(transactions, split, (&candidates, plan.seed))?;
    let spent = transactions.spent(&before.now.customers, split.cutoff, split.days);
    let all =
        Group::fit(transactions, Span { cutoff: end, days: plan.horizon_days }, (&candidates, plan.seed))?;
    let level = Level::looking_back(transactions, end, split.days / 2);
    let trial = Trial::of(&before, spent, plan.seed);
    let total = level.correction * all.expected.iter().sum::<f64>();
    let mut fitted = Vec::with_capacity(candidates.len());
    for candidate in &candidates {
        fitted.push(trial.fitted(candidate, &all, total)?);
    }
    let best = fitted.iter().map(|it| it.score).fold(f64::NEG_INFINITY, f64::max);
    let chosen = fitted.iter().position(|it| best <= it.score + CLOSE).unwrap_or(0);
    let (plan, anchor) = (plan.clone(), all.anchor);
    Ok(Learned { plan, anchor, inner: split, fitted, chosen, windows: all.windows, moved: all.moved, level })
}

fn named(names: &[String]) -> Result<Vec<&'static Candidate>, LifetimeError> {
    let unknown = names.iter().find(|name| CANDIDATES.iter().all(|it| it.name != name.as_str()));
    if let Some(name) = unknown {
        let known = CANDIDATES.iter().map(|it| it.name).collect::<Vec<_>>().join(", ");
        return Err(LifetimeError::UnknownCandidate { name: name.clone(), known });
    }
    let wanted = |it: &&Candidate| names.is_empty() || names.iter().any(|name| name == it.name);
    let chosen: Vec<&Candidate> = CANDIDATES.iter().copied().filter(wanted).collect();
    if chosen.iter().all(|it| matches!(it.fit, Fit::Stacked)) {
        return Err(LifetimeError::NothingToStack);
    }
    Ok(chosen)
}

/// All candidates, fitted with what was known at the end of one day.
struct Group {
    anchor: Anchor,
    now: Snapshot,
    /// What is expected of each customer.
    expected: Vec<f64>,
    /// The candidates that learn alone, with their ratios.
    alone: Vec<(&'static str, Model, Vec<f64>)>,
    windows: Vec<Window>,
    moved: Moved,
}

impl Group {
    fn fit(
        transactions: &Transactions,
        span: Span,
        (candidates, seed): (&[&'static Candidate], u64),
    ) -> Result<Self, LifetimeError> {
        let anchor = Anchor::fit(transactions, span.cutoff)?;
        let known = transactions.known_at(span.cutoff);
        let now = Snapshot::take(transactions, &anchor, (span.cutoff, span.days), known);
        let training = Training::before(transactions, &anchor, (&now, span.days), seed)?;
        let expected = |it| anchor.expected_value(it, f64::from(span.days));
        let expected = now.summaries.iter().map(expected).collect();
        let mut alone = Vec::new();
        for candidate in candidates {
            if let Fit::Alone(fit) = candidate.fit {
                let model = fit(&training)?;
                let ratios = model.ratios(&now.columns)?;
                alone.push((candidate.name, model, ratios));
            }
        }
        let Training { windows, moved, .. } = training;
        Ok(Self { anchor, now, expected, alone, windows, moved })
    }

    /// What brings the total of ratios to that of the expectations.
    fn level(&self, ratios: &[f64]) -> f64 {
        let foretold: f64 = self.expected.iter().zip(ratios).map(|(amount, ratio)| amount * ratio).sum();
        self.expected.iter().sum::<f64>() / foretold
    }

    fn stack(&self, weights: &[f64]) -> Model {
        let part = |((name, model, ratios), weight): (&(&'static str, Model, Vec<f64>), &f64)| Part {
            name,
            weight: *weight,
            level: self.level(ratios),
            model: model.clone(),
        };
        let parts = self.alone.iter().zip(weights).filter(|(_, weight)| 1e-6 < **weight);
        Model::Stack(parts.map(part).collect())
    }
}

/// What the candidates said of the inner split, and what came.
struct Trial<'a> {
    group: &'a Group,
    segments: Vec<Segment>,
    /// Of each customer, the half that it is in.
    halves: Vec<bool>,
    spent: Vec<f64>,
    /// Of each candidate that learns alone, what it predicted, brought to the total that was spent.
    predicted: Vec<Vec<f64>>,
    /// The amount that errors are cut at.
    cut: f64,
    error_of_expectation: f64,
    seed: u64,
}

impl<'a> Trial<'a> {
    fn of(group: &'a Group, spent: Vec<f64>, seed: u64) -> Self {
        let half = |customer: &usize| Dice::new(seed ^ STREAM, *customer as u64).coin();
        let mut trial = Self {
            group,
            segments: segments(&group.now),
            halves: group.now.customers.iter().map(half).collect(),
            spent,
            predicted: Vec::new(),
            cut: 0.0,
            error_of_expectation: 0.0,
            seed,
        };
        let mut sorted = trial.spent.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        trial.cut = f64::max(sorted[sorted.len() - 1 - sorted.len() / CUT], f64::MIN_POSITIVE);
        trial.predicted = group.alone.iter().map(|(_, _, ratios)| trial.brought(ratios)).collect();
        trial.error_of_expectation = trial.error(&trial.brought(&vec![1.0; trial.spent.len()]));
        trial
    }

    /// The root mean squared error of predictions and amounts that are cut.
    fn error(&self, predicted: &[f64]) -> f64 {
        let cut = |amounts: &[f64]| amounts.iter().map(|amount| amount.min(self.cut)).collect::<Vec<f64>>();
        measures(&cut(predicted), &cut(&self.spent)).rmse
    }

    fn score(&self, predicted: &[f64]) -> (Measures, f64) {
        let found = measures(predicted, &self.spent);
        let error = self.error(predicted) / self.error_of_expectation;
        (found, found.gini + found.spearman - found.decile_wmape - error)
    }

    /// Expectations times ratios, brought to what was spent.
    fn brought(&self, ratios: &[f64]) -> Vec<f64> {
        let predicted =
            self.group.expected.iter().zip(ratios).map(|(amount, ratio)| amount * ratio).collect();
        to_total(predicted, self.spent.iter().sum())
    }

    /// What a candidate predicted; of a stack, with weights from the other half of the customers.
    fn predicted(&self, candidate: &Candidate) -> Vec<f64> {
        if let Some(place) = self.group.alone.iter().position(|(name, ..)| *name == candidate.name) {
            return self.predicted[place].clone();
        }
        let weights = [false, true].map(|half| self.stacking_weights(&self.rows_outside(half)));
        let of = |row: usize| {
            let weights = &weights[usize::from(self.halves[row])];
            self.predicted.iter().zip(weights).map(|(of, weight)| weight * of[row]).sum()
        };
        to_total((0..self.spent.len()).map(of).collect(), self.spent.iter().sum())
    }

    fn stacking_weights(&self, rows: &[usize]) -> Vec<f64> {
        let picked: Vec<Vec<f64>> = self.predicted.iter().map(|of| pick(of, rows)).collect();
        let columns: Vec<&[f64]> = picked.iter().map(Vec::as_slice).collect();
        stacking_weights(&columns, &pick(&self.spent, rows))
    }

    /// The customers who are not in a half.
    fn rows_outside(&self, half: bool) -> Vec<usize> {
        (0..self.halves.len()).filter(|row| self.halves[*row] != half).collect()
    }

    /// The predictions, each calibrated by what the other half of the customers spent; None where that cannot be learned.
    fn calibrated(&self, predicted: &[f64]) -> Option<Vec<f64>> {
        let learn = |half: bool| {
            let rows = self.rows_outside(half);
            Calibration::learn(&pick(predicted, &rows), &pick(&self.spent, &rows))
        };
        let of = [learn(false)?, learn(true)?];
        let mean = predicted.iter().sum::<f64>() / predicted.len() as f64;
        let bent = |(row, amount): (usize, &f64)| mean * of[usize::from(self.halves[row])].of(amount / mean);
        Some(to_total(predicted.iter().enumerate().map(bent).collect(), self.spent.iter().sum()))
    }

    /// The part of customers who spent within intervals that were learned from the other half of them.
    fn coverage(&self, predicted: &[f64]) -> f64 {
        let learn = |half: bool| {
            let rows = self.rows_outside(half);
            let [predicted, spent] = [predicted, &self.spent].map(|of| pick(of, &rows));
            Intervals::learn(&predicted, &spent, &pick(&self.segments, &rows))
        };
        let of = [learn(false), learn(true)];
        let is_held = |row: &usize| {
            let (customer, segment) = (self.group.now.customers[*row], self.segments[*row]);
            let mut told = Prediction {
                customer,
                mean: predicted[*row],
                lower: 0.0,
                upper: 0.0,
                p_active: 0.0,
                segment,
            };
            of[usize::from(self.halves[*row])].bound(&mut told, self.seed);
            (told.lower..=told.upper).contains(&self.spent[*row])
        };
        (0..predicted.len()).filter(is_held).count() as f64 / predicted.len() as f64
    }

    /// The candidate as it learned from all of calibration, judged by what it predicted here.
    fn fitted(&self, candidate: &Candidate, all: &Group, total: f64) -> Result<Fitted, LifetimeError> {
        let mut predicted = self.predicted(candidate);
        let (mut inner, mut best) = self.score(&predicted);
        let mut calibration = None;
        if let Some(bent) = self.calibrated(&predicted) {
            let (found, better) = self.score(&bent);
            if best + WORTH < better {
                calibration = Calibration::learn(&predicted, &self.spent);
                (predicted, inner, best) = (bent, found, better);
            }
        }
        let alone = all.alone.iter().find(|(name, ..)| *name == candidate.name);
        let (model, ratios) = match alone {
            Some((_, model, ratios)) => (model.clone(), ratios.clone()),
            None => {
                let stack = all.stack(&self.stacking_weights(&(0..self.spent.len()).collect::<Vec<usize>>()));
                let ratios = stack.ratios(&all.now.columns)?;
                (stack, ratios)
            }
        };
        let amounts: Vec<f64> =
            all.expected.iter().zip(&ratios).map(|(amount, ratio)| amount * ratio).collect();
        let raw: f64 = amounts.iter().sum();
        let unit = raw / amounts.len() as f64;
        let bent = |amount: &f64| calibration.as_ref().map_or(*amount, |it| unit * it.of(amount / unit));
        let scale = total / amounts.iter().map(bent).sum::<f64>();
        let intervals = Intervals::learn(&predicted, &self.spent, &self.segments);
        inner.coverage = self.coverage(&predicted);
        let (name, raw_total, score) = (candidate.name, raw / total, best);
        Ok(Fitted { name, model, raw_total, calibration, unit, scale, intervals, inner, score })
    }
}

fn pick<T: Copy>(of: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|row| of[*row]).collect()
}

fn to_total(mut amounts: Vec<f64>, total: f64) -> Vec<f64> {
    let times = total / amounts.iter().sum::<f64>();
    amounts.iter_mut().for_each(|amount| *amount *= times);
    amounts
}

impl Learned {
    /// The best candidate.
    #[must_use]
    pub fn best(&self) -> &Fitted {
        &self.fitted[self.chosen]
    }

    /// What the best candidate predicts of all customers who were known at the end of calibration.
    ///
    /// # Errors
    /// When attributes that were learned from are missing.
    pub fn predict(&self, transactions: &Transactions) -> Result<Vec<Prediction>, LifetimeError> {
        self.predict_by(self.best(), &self.snapshot(transactions, self.plan.calibration_end))
    }

    /// What is known of all customers at the end of a day, as candidates read it.
    #[must_use]
    pub fn snapshot(&self, transactions: &Transactions, day: i32) -> Snapshot {
        let known = transactions.known_at(day);
        Snapshot::take(transactions, &self.anchor, (day, self.plan.horizon_days), known)
    }

    /// What a candidate predicts of the customers of a snapshot, for the horizon after it.
    ///
    /// # Errors
    /// When attributes that were learned from are missing.
    pub fn predict_by(&self, fitted: &Fitted, now: &Snapshot) -> Result<Vec<Prediction>, LifetimeError> {
        let ratios = fitted.model.ratios(&now.columns)?;
        let predict = |(row, ratio): (usize, f64)| {
            let (customer, summary) = (now.customers[row], &now.summaries[row]);
            let amount = ratio * self.anchor.expected_value(summary, f64::from(self.plan.horizon_days));
            let bent = |it: &Calibration| fitted.unit * it.of(amount / fitted.unit);
            let mean = fitted.scale * fitted.calibration.as_ref().map_or(amount, bent);
            let (p_active, segment) = (self.anchor.bg_nbd.p_alive(summary), Segment::of(summary));
            let mut prediction = Prediction { customer, mean, lower: 0.0, upper: 0.0, p_active, segment };
            fitted.intervals.bound(&mut prediction, self.plan.seed);
            prediction
        };
        Ok(ratios.into_iter().enumerate().map(predict).collect())
    }
}
