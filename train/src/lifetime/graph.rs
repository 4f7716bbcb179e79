//! What was learned as a graph: what is known of a customer in, what is predicted and why out.

use models::graph::{
    ElementType, Graph, GraphError, Tensor, Value,
    calibration::Lines,
    histogram::Histogram,
    lifetime::{BgNbd, GammaGamma, Histories},
    lookup::{Closed, Segments, Steps},
};

use super::{
    Anchor, Calibration, Fitted, Group, Intervals, Learned, Linear, Prediction, Reads, Scale, Segment,
    Snapshot,
    candidates::{ALIKE, Credits, Model, RATIOS},
    features::{FEATURES, LEAST_CHANCE, LEAST_PURCHASES, OF_ANCHOR},
};
use crate::{
    anomaly::matrix::{Column, Matrix},
    gbdt::Boosted,
    lifetime::LifetimeError,
};

/// What a graph says of customers; each double, batch × 1 but for the reasons.
#[derive(Clone, Debug)]
pub struct Said {
    /// What a customer is expected to spend over the horizon.
    pub predicted: Value,
    /// Nine of ten customers spend at least this.
    pub lower: Value,
    /// Nine of ten customers spend at most this; of a group of whom fewer than one in ten buys, of those who do.
    pub upper: Value,
    /// What BG/NBD and Gamma-Gamma expect.
    pub expected: Value,
    /// The chance to be still a customer.
    pub p_active: Value,
    /// What each feature adds to the logarithm of how many times that is predicted, batch × features; see
    /// [`Model::reasons`].
    pub reasons: Value,
}

/// The same numbers as the trainer says them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// What goes in, row after row.
    pub features: Vec<f64>,
    /// What is predicted.
    pub predicted: Vec<f64>,
    /// Where intervals begin.
    pub lower: Vec<f64>,
    /// Where they end.
    pub upper: Vec<f64>,
    /// What is expected.
    pub expected: Vec<f64>,
    /// The chances to be still customers.
    pub p_active: Vec<f64>,
    /// What features add, row after row.
    pub reasons: Vec<f64>,
}

impl Learned {
    /// The columns that the graph of the best candidate takes: all features but those that follow from others by the
    /// anchor, and the attributes that it learned from, as the codes of their levels.
    #[must_use]
    pub fn inputs(&self) -> Vec<Column> {
        let feature = |name: &str| Column { name: name.to_owned(), levels: None };
        let features = FEATURES[OF_ANCHOR..].iter().map(|it| feature(it.name));
        features.chain(self.best().model.attributes().into_iter().cloned()).collect()
    }

    /// The names of what the reasons are about: all features, and the attributes that were learned from.
    #[must_use]
    pub fn reasoned(&self) -> Vec<String> {
        let features = FEATURES.iter().map(|it| it.name.to_owned());
        features.chain(self.best().model.attributes().into_iter().map(|it| it.name.clone())).collect()
    }

    /// Adds the best candidate to a graph, on rows of [`Self::inputs`].
    ///
    /// # Errors
    /// When its tables make no graph, as where the buying rates of a horizon take too long a series.
    pub fn add(&self, graph: &mut Graph, raw: &Value) -> Result<Said, GraphError> {
        let best = self.best();
        let names = self.reasoned();
        let (derived, expected, p_active) = self.anchored(graph, raw)?;
        let rows = graph.concat(&[&derived, raw], 1)?;
        let (ratio, reasons) = best.model.add(graph, (&rows, &names))?;
        let amount = graph.mul(&ratio, &expected)?;
        let bent = best.calibration.as_ref().map(|it| it.add(graph, &amount, best.unit)).transpose()?;
        let scale = number(graph, best.scale)?;
        let predicted = graph.mul(&bent.unwrap_or(amount), &scale)?;
        let [lower, upper] = best.intervals.add(graph, &predicted, raw)?;
        Ok(Said { predicted, lower, upper, expected, p_active, reasons })
    }

    /// The features that follow from others, what is expected, and the chance to be still there.
    fn anchored(&self, graph: &mut Graph, raw: &Value) -> Result<(Value, Value, Value), GraphError> {
        let Anchor { bg_nbd, gamma_gamma } = self.anchor;
        let mut known = |name: &str| graph.columns(raw, &[place(name)]);
        let (frequency, age) = (known("frequency")?, known("age_days")?);
        let (since_last, amount, first) =
            (known("since_last_days")?, known("amount")?, known("amount_first")?);
        let recency = graph.sub(&age, &since_last)?;
        let later = graph.sub(&amount, &first)?;
        let mean_amount = graph.div(&later, &frequency)?;
        let known = Histories { frequency, recency, age, mean_amount };
        let bg_nbd = BgNbd { r: bg_nbd.r, alpha: bg_nbd.alpha, a: bg_nbd.a, b: bg_nbd.b };
        let purchases = bg_nbd.add(graph, &known, f64::from(self.plan.horizon_days))?;
        let of_purchase = GammaGamma { p: gamma_gamma.p, q: gamma_gamma.q, gamma: gamma_gamma.gamma };
        let of_purchase = of_purchase.add(graph, &known)?;
        let least = number(graph, LEAST_PURCHASES)?;
        let expected = graph.max(&purchases.expected, &least)?;
        let least = number(graph, LEAST_CHANCE)?;
        let p_alive = graph.max(&purchases.p_alive, &least)?;
        let overdue = graph.mul(&since_last, &purchases.rate)?;
        let derived = graph.concat(&[&expected, &of_purchase, &p_alive, &overdue], 1)?;
        let expected = graph.mul(&expected, &of_purchase)?;
        Ok((derived, expected, purchases.p_alive))
    }

    /// What the graph must say of some customers of a snapshot.
    ///
    /// # Errors
    /// When a column that was learned from is missing.
    pub fn rows(&self, now: &Snapshot, customers: &[usize]) -> Result<Rows, LifetimeError> {
        let best = self.best();
        let some = now.select(customers);
        let names = self.reasoned();
        let mut rows = Rows {
            features: Matrix::like(&self.inputs(), &some.columns)?.values().to_vec(),
            reasons: best.model.reasons(&some.columns, &names, Credits::Path)?,
            ..Rows::default()
        };
        for (told, summary) in self.predict_by(best, &some)?.iter().zip(&some.summaries) {
            let (lower, upper) = best.intervals.certain(told);
            rows.predicted.push(told.mean);
            rows.lower.push(lower);
            rows.upper.push(upper);
            rows.expected.push(self.anchor.expected_value(summary, f64::from(self.plan.horizon_days)));
            rows.p_active.push(told.p_active);
        }
        Ok(rows)
    }
}

/// The place of a feature among what goes in.
fn place(name: &str) -> usize {
    FEATURES[OF_ANCHOR..].iter().position(|it| it.name == name).unwrap_or(usize::MAX)
}

pub(super) fn number(graph: &mut Graph, value: f64) -> Result<Value, GraphError> {
    Ok(graph.constant("number", Tensor::f64(&[], vec![value])?))
}

fn row(graph: &mut Graph, hint: &str, values: Vec<f64>) -> Result<Value, GraphError> {
    Ok(graph.constant(hint, Tensor::f64(&[1, values.len()], values)?))
}

impl Model {
    /// How many times its expectation each customer spends, and why; on rows of all `names`.
    fn add(
        &self,
        graph: &mut Graph,
        (rows, names): (&Value, &[String]),
    ) -> Result<(Value, Value), GraphError> {
        let own = |graph: &mut Graph, columns: &[Column]| {
            let places: Vec<usize> =
                columns.iter().filter_map(|it| names.iter().position(|name| *name == it.name)).collect();
            let mut back = vec![0.0; places.len() * names.len()];
            places.iter().enumerate().for_each(|(at, place)| back[at * names.len() + place] = 1.0);
            let back = Tensor::f64(&[places.len(), names.len()], back)?;
            Ok::<_, GraphError>((graph.columns(rows, &places)?, graph.constant("places", back)))
        };
        let (ratio, reasons, back) = match self {
            #[cfg(feature = "torch")]
            Self::ZeroInflated(ziln) => {
                let (own, _) = own(graph, &ziln.inputs.columns)?;
                let ratio = ziln.add(graph, &own)?;
                return Ok((bounded(graph, &ratio)?, nothing(graph, rows, names.len())?));
            }
            Self::Expectation => {
                let reasons = nothing(graph, rows, names.len())?;
                let score = graph.sum(&reasons, 1)?;
                return Ok((graph.exp(&score)?, reasons));
            }
            Self::Stack(parts) => return stacked(graph, parts, (rows, names)),
            Self::Exponential(linear) => {
                let (own, back) = own(graph, &linear.columns)?;
                let (score, parts) = linear.add(graph, &own)?;
                (graph.exp(&score)?, parts, back)
            }
            Self::Linear(linear) => {
                let (own, back) = own(graph, &linear.columns)?;
                let (score, parts) = linear.add(graph, &own)?;
                let parts = logarithmic(graph, &score, &parts)?;
                (score, parts, back)
            }
            Self::Trees(trees) => {
                let (own, back) = own(graph, &trees.columns)?;
                let (ratio, parts) = grown(graph, trees, &own)?;
                (ratio, parts, back)
            }
        };
        let reasons = graph.matmul(&reasons, &back)?;
        Ok((bounded(graph, &ratio)?, reasons))
    }
}

/// No reasons: zeros, batch × width.
fn nothing(graph: &mut Graph, rows: &Value, width: usize) -> Result<Value, GraphError> {
    let zeros = graph.constant("nothing", Tensor::f64(&[width, width], vec![0.0; width * width])?);
    let missing = graph.is_nan(rows)?;
    let zero = number(graph, 0.0)?;
    let known = graph.choose(&missing, &zero, rows)?;
    graph.matmul(&known, &zeros)
}

fn bounded(graph: &mut Graph, ratio: &Value) -> Result<Value, GraphError> {
    let (least, most) = (number(graph, RATIOS.0)?, number(graph, RATIOS.1)?);
    let ratio = graph.max(ratio, &least)?;
    graph.min(&ratio, &most)
}

/// Trees and their credits, on the scale of logarithms.
fn grown(graph: &mut Graph, trees: &Boosted, own: &Value) -> Result<(Value, Value), GraphError> {
    let [score, credits] = trees.add_with_credits(graph, own)?;
    if trees.is_exponential() {
        return Ok((graph.exp(&score)?, credits));
    }
    let credits = logarithmic(graph, &score, &credits)?;
    Ok((score, credits))
}

/// What adds up to a score, as what adds up to its logarithm: each part over the logarithmic mean of the score and of the
/// score without them.
fn logarithmic(graph: &mut Graph, score: &Value, parts: &Value) -> Result<Value, GraphError> {
    let all = graph.sum(parts, 1)?;
    let base = graph.sub(score, &all)?;
    let (base, score) = (bounded(graph, &base)?, bounded(graph, score)?);
    let apart = graph.sub(&score, &base)?;
    let times = graph.div(&score, &base)?;
    let log = graph.log(&times)?;
    let mean = graph.div(&apart, &log)?;
    let both = graph.add(&score, &base)?;
    let half = number(graph, 0.5)?;
    let middle = graph.mul(&both, &half)?;
    let size = graph.abs(&apart)?;
    let least = number(graph, ALIKE)?;
    let alike = graph.less(&size, &least)?;
    let mean = graph.choose(&alike, &middle, &mean)?;
    graph.div(parts, &mean)
}

/// The mean of several models, and of their reasons by what each predicts.
fn stacked(
    graph: &mut Graph,
    parts: &[super::candidates::Part],
    all: (&Value, &[String]),
) -> Result<(Value, Value), GraphError> {
    let (mut ratios, mut reasons) = (Vec::new(), Vec::new());
    for part in parts {
        let (ratio, why) = part.model.add(graph, all)?;
        let times = number(graph, part.weight * part.level)?;
        let ratio = graph.mul(&ratio, &times)?;
        reasons.push(graph.mul(&why, &ratio)?);
        ratios.push(ratio);
    }
    let [ratio, reasons] = [ratios, reasons].map(|mut values| {
        let first = values.remove(0);
        values.iter().try_fold(first, |sum, value| graph.add(&sum, value))
    });
    let ratio = ratio?;
    Ok((ratio.clone(), graph.div(&reasons?, &ratio)?))
}

impl Linear {
    /// The score and what each column adds to it, on rows of its columns.
    fn add(&self, graph: &mut Graph, rows: &Value) -> Result<(Value, Value), GraphError> {
        let reading = self.add_readings(graph, rows)?;
        let mut weights = vec![0.0; self.terms.len() * self.columns.len()];
        for (at, term) in self.terms.iter().enumerate() {
            weights[at * self.columns.len() + term.column] = term.weight;
        }
        let weights = Tensor::f64(&[self.terms.len(), self.columns.len()], weights)?;
        let weights = graph.constant("weights", weights);
        let parts = graph.matmul(&reading, &weights)?;
        let sum = graph.sum(&parts, 1)?;
        let bias = number(graph, self.bias)?;
        Ok((graph.add(&sum, &bias)?, parts))
    }

    /// The readings of all terms, batch × terms.
    pub(super) fn add_readings(&self, graph: &mut Graph, rows: &Value) -> Result<Value, GraphError> {
        let each = |of: &dyn Fn(&super::Term) -> f64| self.terms.iter().map(of).collect::<Vec<f64>>();
        let columns: Vec<usize> = self.terms.iter().map(|term| term.column).collect();
        let values = graph.columns(rows, &columns)?;
        let is_missing = graph.is_nan(&values)?;
        let zero = number(graph, 0.0)?;
        let known = graph.choose(&is_missing, &zero, &values)?;
        let read = self.read(graph, &values, &known)?;
        let centre = row(graph, "centre", each(&|it| it.centre))?;
        let spread = row(graph, "spread", each(&|it| it.spread))?;
        let apart = graph.sub(&read, &centre)?;
        let straight = graph.div(&apart, &spread)?;
        let bend = row(graph, "bend", each(&|it| it.bend.unwrap_or(1.0)))?;
        let one = number(graph, 1.0)?;
        let square = graph.mul(&straight, &straight)?;
        let square = graph.sub(&square, &one)?;
        let bent = graph.div(&square, &bend)?;
        let is_bent = self.mask(graph, &|it| it.bend.is_some())?;
        let reading = graph.choose(&is_bent, &bent, &straight)?;
        // A number that is missing says nothing; that it is missing is a term of its own.
        let is_number = self.mask(graph, &|it| matches!(it.reads, Reads::Number { .. }))?;
        let silent = graph.and(&is_missing, &is_number)?;
        graph.choose(&silent, &zero, &reading)
    }

    fn mask(&self, graph: &mut Graph, of: &dyn Fn(&super::Term) -> bool) -> Result<Value, GraphError> {
        let mask: Vec<bool> = self.terms.iter().map(of).collect();
        Ok(graph.constant("mask", Tensor::bool(&[1, mask.len()], mask)?))
    }

    /// What each term reads: numbers on their scale, whether there is none, whether it is a category.
    fn read(&self, graph: &mut Graph, values: &Value, known: &Value) -> Result<Value, GraphError> {
        let number_of = |it: &super::Term, of: fn(f64, f64, f64) -> f64, other: f64| match it.reads {
            Reads::Number { unit, low, high, .. } => of(unit, low, high),
            _ => other,
        };
        let each = |of: &dyn Fn(&super::Term) -> f64| self.terms.iter().map(of).collect::<Vec<f64>>();
        let low = row(graph, "low", each(&|it| number_of(it, |_, low, _| low, f64::NEG_INFINITY)))?;
        let high = row(graph, "high", each(&|it| number_of(it, |_, _, high| high, f64::INFINITY)))?;
        let unit = row(graph, "unit", each(&|it| number_of(it, |unit, _, _| unit, 1.0)))?;
        let within = graph.max(known, &low)?;
        let within = graph.min(&within, &high)?;
        let one = number(graph, 1.0)?;
        let scaled = |scale: Scale| move |it: &super::Term| matches!(it.reads, Reads::Number { scale: found, .. } if found == scale);
        let plain = scaled(Scale::Plain);
        // A logarithm is taken of ones where there is none to take.
        let is_log = self.mask(graph, &scaled(Scale::Logarithm))?;
        let log = graph.choose(&is_log, &within, &one)?;
        let log = graph.log(&log)?;
        let is_more = self.mask(graph, &|it| {
            let reads_number = matches!(it.reads, Reads::Number { .. });
            reads_number && !plain(it) && !scaled(Scale::Logarithm)(it)
        })?;
        let more = graph.div(&within, &unit)?;
        let more = graph.add(&more, &one)?;
        let more = graph.choose(&is_more, &more, &one)?;
        let more = graph.log(&more)?;
        let read = graph.choose(&is_log, &log, &within)?;
        let read = graph.choose(&is_more, &more, &read)?;
        let missing = graph.is_nan(values)?;
        let missing = graph.cast(&missing, ElementType::F64)?;
        let tells = self.mask(graph, &|it| it.reads == Reads::Missing)?;
        let read = graph.choose(&tells, &missing, &read)?;
        let code = row(
            graph,
            "code",
            each(&|it| match it.reads {
                Reads::Category(code) => f64::from(code),
                _ => f64::NAN,
            }),
        )?;
        let is_it = graph.equal(values, &code)?;
        let is_it = graph.cast(&is_it, ElementType::F64)?;
        let names = self.mask(graph, &|it| matches!(it.reads, Reads::Category(_)))?;
        graph.choose(&names, &is_it, &read)
    }
}

impl Calibration {
    /// What amounts become, of which `unit` is the mean.
    fn add(&self, graph: &mut Graph, amount: &Value, unit: f64) -> Result<Value, GraphError> {
        let (mut x, mut y) = (vec![0.0], vec![0.0]);
        x.extend(self.points.iter().map(|(from, _)| from * unit));
        y.extend(self.points.iter().map(|(_, to)| to * unit));
        let (last, times) = (x[x.len() - 1], y[y.len() - 1] / x[x.len() - 1]);
        let within = Lines { columns: vec![Segments { x, y, missing: f64::NAN }] }.add(graph, amount)?;
        let times = number(graph, times)?;
        let beyond = graph.mul(amount, &times)?;
        let last = number(graph, last)?;
        let is_within = graph.at_most(amount, &last)?;
        graph.choose(&is_within, &within, &beyond)
    }
}

impl Group {
    /// Where the interval begins and ends where nothing is left to chance, as multiples of the prediction.
    fn certain(&self) -> (f64, f64) {
        if 0.0 < self.purchase_chance { (0.0, self.purchase.1) } else { (self.lower, self.upper) }
    }
}

impl Intervals {
    /// The bounds of a prediction where nothing is left to chance: of a group of whom fewer than one in ten buys, the
    /// interval ends where that of those who do ends.
    fn certain(&self, prediction: &Prediction) -> (f64, f64) {
        let (lower, upper) = self.group(prediction).map_or((0.0, 0.0), Group::certain);
        (lower * prediction.mean, upper * prediction.mean)
    }

    /// The same in a graph.
    fn add(&self, graph: &mut Graph, predicted: &Value, raw: &Value) -> Result<[Value; 2], GraphError> {
        let three = graph.concat(&[predicted; 3], 1)?;
        let mut multiples = |of: fn(&Group) -> f64| {
            let steps = |segment: &Segment| steps(self.groups(*segment), of);
            let columns = Segment::ALL.iter().map(steps).collect();
            Histogram { columns, closed: Closed::Right }.add(graph, &three).map(|sums| sums.parts)
        };
        let (lower, upper) = (multiples(|it| it.certain().0)?, multiples(|it| it.certain().1)?);
        let (frequency, age) =
            (graph.columns(raw, &[place("frequency")])?, graph.columns(raw, &[place("age_days")])?);
        let (once, young) = (number(graph, 1.0)?, number(graph, Segment::NEW_DAYS)?);
        let (is_once, is_new) = (graph.less(&frequency, &once)?, graph.less(&age, &young)?);
        let mut bound = |multiples: &Value| {
            let mut of = |segment: Segment| {
                let place = Segment::ALL.iter().position(|it| *it == segment).unwrap_or_default();
                graph.columns(multiples, &[place])
            };
            let (new, once, loyal) = (of(Segment::New)?, of(Segment::OnePurchase)?, of(Segment::Loyal)?);
            let known = graph.choose(&is_once, &once, &loyal)?;
            let multiple = graph.choose(&is_new, &new, &known)?;
            graph.mul(&multiple, predicted)
        };
        Ok([bound(&lower)?, bound(&upper)?])
    }
}

/// A number of each group, by prediction.
fn steps(groups: &[Group], of: fn(&Group) -> f64) -> Steps {
    let mut steps = Steps { edges: Vec::new(), values: Vec::new(), missing: 0.0 };
    for group in groups.iter().filter(|group| group.up_to.is_finite()) {
        if steps.edges.last().is_none_or(|last| *last < group.up_to) {
            steps.edges.push(group.up_to);
            steps.values.push(of(group));
        }
    }
    steps.values.push(groups.last().map_or(0.0, of));
    steps
}

impl Fitted {
    /// Why each customer of a snapshot is predicted to spend how many times what is expected: see [`Model::reasons`].
    ///
    /// # Errors
    /// When a column that was learned from is missing.
    pub fn reasons(&self, now: &Snapshot, names: &[String]) -> Result<Vec<f64>, LifetimeError> {
        self.model.reasons(&now.columns, names, Credits::Shapley)
    }
}
