//! Fitted detectors as one graph: raw features in; a score, a probability and each feature's part in it out.

use std::collections::BTreeMap;

use anyhow::Result;
#[cfg(feature = "torch")]
use models::graph::preprocess::{Bend, Column, Numeric, Preprocess};
use models::{
    graph::{
        ElementType, Graph, GraphError, Metadata, Tensor as Constant, TensorType, Value,
        calibration::{Isotonic, Lines, Platt},
        extended_forest::ExtendedForest,
        histogram::Histogram,
        isolation_forest::{IsolationForest, Reasons},
        lookup::{Closed, Segments, Steps},
    },
    registry::manifest::{ParityVector, Port, Signature},
    tensor::{Element, Tensor, Values},
};

use super::{
    Settings,
    fitted::{Fitted, Kind, Published, Shared},
};
#[cfg(feature = "torch")]
use crate::anomaly::autoencoder::{Autoencoder, NormalScores};
use crate::{
    anomaly::{
        calibrate::Calibration, ensemble::Ensemble, steps, surprise::Surprise, two_stages::STRANGENESS,
    },
    jobs::{Export, Work},
};

/// How many rows the file is proved by.
const PROVED: usize = 64;
/// How far a number may be off, of one detector, of several as one, and of a network. Trees with reasons add up in single
/// precision in the file; where scores become surprise, up to a hundred nats lie in one of a score; and a network calculates
/// in single precision throughout.
const EXACT: f64 = 1e-6;
const TOGETHER: f64 = 1e-5;
const SINGLE: f64 = 1e-4;

/// What a detector says of rows.
struct Said {
    /// Batch × 1.
    score: Value,
    /// Batch × features.
    reasons: Value,
}

/// The graph of the published detector, and rows that prove it.
pub(super) fn export(work: &Work<'_, Settings>, model: &Fitted) -> Result<Export> {
    let names = &work.input.schema.names;
    let mut graph = Graph::new("fraud");
    let kind = TensorType::rows(ElementType::F64, names.len());
    let rows = graph.input("features", kind, &names.join(", "))?;
    let said = match &model.published {
        Published::One(it) => one(&mut graph, &rows, it)?,
        Published::Ensemble(it) => several(&mut graph, &rows, &model.members, it)?,
        Published::TwoStages(it) => {
            let first = several(&mut graph, &rows, &model.members, &it.first)?;
            let second = one(&mut graph, &rows, &it.second)?;
            both(&mut graph, &first, &second, &it.surprise)?
        }
    };
    let probability = calibrated(&mut graph, &said.score, &model.calibration)?;
    graph.output("score", &said.score, "how strange a row is; comparable within this version only")?;
    graph.output(probability_name(model), &probability, "what the score comes to, from 0 to 1")?;
    graph.output("reasons", &said.reasons, "what each feature adds to the strangeness of a row")?;
    let mut properties = BTreeMap::from([("features".to_owned(), names.join(","))]);
    for column in model.table.columns() {
        if let Some(levels) = &column.levels {
            properties.insert(format!("levels.{}", column.name), serde_json::to_string(levels)?);
        }
    }
    let family = model.published.detector().name().to_owned();
    let metadata = Metadata {
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc: format!("{family}: how strange a row of features is, and which of them make it so"),
        properties,
    };
    let onnx = graph.finish(&metadata)?;
    Ok(Export { family, onnx, signature: signature(names, probability_name(model)), parity: parity(model)? })
}

/// A place in an order is not called a probability.
fn probability_name(model: &Fitted) -> &'static str {
    if model.calibration.is_probability() { "probability" } else { "rank" }
}

fn signature(names: &[String], probability: &str) -> Signature {
    let port = |name: &str, width: usize, columns: &[String]| Port {
        name: name.to_owned(),
        element: Element::Float64,
        shape: vec![None, Some(width)],
        columns: columns.to_vec(),
    };
    Signature {
        inputs: vec![port("features", names.len(), names)],
        outputs: vec![port("score", 1, &[]), port(probability, 1, &[]), port("reasons", names.len(), names)],
    }
}

fn number(graph: &mut Graph, hint: &str, value: f64) -> Result<Value, GraphError> {
    Ok(graph.constant(hint, Constant::f64(&[], vec![value])?))
}

fn one(graph: &mut Graph, rows: &Value, member: &Shared) -> Result<Said, GraphError> {
    match &*member.0 {
        Kind::Forest(forest) => {
            let trees = forest.trees();
            let table = IsolationForest {
                roots: trees.roots.clone(),
                feature: trees.feature.clone(),
                threshold: trees.threshold.clone(),
                left: trees.left.clone(),
                right: trees.right.clone(),
                samples: trees.samples.clone(),
                missing_left: trees.missing_left.clone(),
                sample_size: forest.sample_size(),
            };
            isolated(table.add(graph, rows, Reasons::With)?)
        }
        Kind::Extended(forest) => {
            let (planes, filled) = (forest.planes(), filled(graph, rows, forest.medians())?);
            let threshold = planes
                .plane
                .iter()
                .map(|plane| usize::try_from(*plane).map_or(0.0, |plane| planes.offsets[plane]));
            let table = ExtendedForest {
                roots: planes.roots.clone(),
                plane: planes.plane.clone(),
                threshold: threshold.collect(),
                left: planes.left.clone(),
                right: planes.right.clone(),
                samples: planes.samples.clone(),
                planes: planes.weights.clone(),
                spreads: forest.spreads().to_vec(),
                sample_size: forest.sample_size(),
            };
            isolated(table.add(graph, &filled, Reasons::With)?)
        }
        Kind::Ecod(ecod) => summed(graph, rows, ecod.features()),
        Kind::Hbos(hbos) => summed(graph, rows, hbos.features()),
        Kind::Supervised(supervised) => {
            let [score, reasons] = supervised.model.add_with_credits(graph, rows)?;
            Ok(Said { score, reasons })
        }
        #[cfg(feature = "torch")]
        Kind::Autoencoder(autoencoder) => repaired(graph, rows, autoencoder),
    }
}

fn isolated(said: models::graph::isolation_forest::Isolation) -> Result<Said, GraphError> {
    let reasons = said.reasons.ok_or(GraphError::NoOutput)?;
    Ok(Said { score: said.score, reasons })
}

fn filled(graph: &mut Graph, rows: &Value, medians: &[f64]) -> Result<Value, GraphError> {
    let medians = graph.constant("medians", Constant::f64(&[medians.len()], medians.to_vec())?);
    let is_missing = graph.is_nan(rows)?;
    graph.choose(&is_missing, &medians, rows)
}

fn summed(graph: &mut Graph, rows: &Value, features: &[steps::Steps]) -> Result<Said, GraphError> {
    let columns = features.iter().map(|it| Steps {
        edges: it.edges.clone(),
        values: it.values.clone(),
        missing: it.missing,
    });
    let sums = Histogram { columns: columns.collect(), closed: Closed::Right }.add(graph, rows)?;
    Ok(Said { score: sums.score, reasons: sums.parts })
}

/// Several as one: their scores as surprise, the log of the mean of its exponentials, and their reasons as shares, by how
/// much of that mean each stands for.
fn several(
    graph: &mut Graph,
    rows: &Value,
    members: &[Shared],
    ensemble: &Ensemble,
) -> Result<Said, GraphError> {
    let (mut nats, mut shares) = (Vec::new(), Vec::new());
    for (shared, member) in members.iter().zip(ensemble.members()) {
        let said = one(graph, rows, shared)?;
        nats.push(surprised(graph, &said.score, &member.surprise)?);
        shares.push(shares_of(graph, &said.reasons)?);
    }
    let count = number(graph, "members", shares.len() as f64)?;
    let nats = graph.concat(&nats.iter().collect::<Vec<_>>(), 1)?;
    let most = graph.largest(&nats, 1)?;
    let apart = graph.sub(&nats, &most)?;
    let exp = graph.exp(&apart)?;
    let sum = graph.sum(&exp, 1)?;
    let mean = graph.div(&sum, &count)?;
    let log = graph.log(&mean)?;
    let score = graph.add(&most, &log)?;
    let voices = graph.div(&exp, &sum)?;
    let mut reasons: Option<Value> = None;
    for (place, share) in shares.iter().enumerate() {
        let voice = graph.columns(&voices, &[place])?;
        let part = graph.mul(share, &voice)?;
        reasons = Some(match reasons {
            Some(reasons) => graph.add(&reasons, &part)?,
            None => part,
        });
    }
    Ok(Said { score, reasons: reasons.ok_or(GraphError::NoOutput)? })
}

/// Both stages as one: their parts of the score, and their reasons as shares, by those parts.
fn both(graph: &mut Graph, first: &Said, second: &Said, surprise: &Surprise) -> Result<Said, GraphError> {
    let strangeness = number(graph, "strangeness", STRANGENESS)?;
    let of_first = graph.mul(&first.score, &strangeness)?;
    let of_second = surprised(graph, &second.score, surprise)?;
    let score = graph.add(&of_first, &of_second)?;
    let shares = shares_of(graph, &second.reasons)?;
    let blamed = [graph.mul(&first.reasons, &of_first)?, graph.mul(&shares, &of_second)?];
    let blamed = graph.add(&blamed[0], &blamed[1])?;
    let least = number(graph, "least", f64::MIN_POSITIVE)?;
    let whole = graph.max(&score, &least)?;
    Ok(Said { score, reasons: graph.div(&blamed, &whole)? })
}

/// What is above zero, as shares of its sum; nothing where nothing is.
fn shares_of(graph: &mut Graph, reasons: &Value) -> Result<Value, GraphError> {
    let guilty = graph.relu(reasons)?;
    let whole = graph.sum(&guilty, 1)?;
    let least = number(graph, "least", f64::MIN_POSITIVE)?;
    let whole = graph.max(&whole, &least)?;
    graph.div(&guilty, &whole)
}

/// A score as surprise: a broken line, which goes on beyond its end.
fn surprised(graph: &mut Graph, score: &Value, surprise: &Surprise) -> Result<Value, GraphError> {
    let Some(last) = surprise.scores.last() else {
        let zero = number(graph, "zero", 0.0)?;
        return graph.mul(score, &zero);
    };
    let line = Segments { x: surprise.scores.clone(), y: surprise.nats.clone(), missing: 0.0 };
    let within = Lines { columns: vec![line] }.add(graph, score)?;
    let (last, slope) = (number(graph, "end", *last)?, number(graph, "slope", surprise.slope)?);
    let beyond = graph.sub(score, &last)?;
    let beyond = graph.relu(&beyond)?;
    let beyond = graph.mul(&beyond, &slope)?;
    graph.add(&within, &beyond)
}

fn calibrated(graph: &mut Graph, score: &Value, calibration: &Calibration) -> Result<Value, GraphError> {
    match calibration {
        Calibration::Isotonic(isotonic) => {
            let line =
                Segments { x: isotonic.scores.clone(), y: isotonic.probabilities.clone(), missing: f64::NAN };
            Isotonic { line }.add(graph, score)
        }
        Calibration::Platt(platt) => Platt { slope: platt.slope, offset: platt.intercept }.add(graph, score),
        Calibration::Rank(surprise) => {
            let nats = surprised(graph, score, surprise)?;
            let negative = graph.neg(&nats)?;
            let above = graph.exp(&negative)?;
            let one = number(graph, "one", 1.0)?;
            graph.sub(&one, &above)
        }
    }
}

#[cfg(feature = "torch")]
fn repaired(graph: &mut Graph, rows: &Value, autoencoder: &Autoencoder) -> Result<Said, GraphError> {
    let columns = autoencoder.inputs().iter().map(|input| {
        Column::Numeric(Numeric { bend: Bend::Quantiles(line_of(input)), ..Numeric::default() })
    });
    let scaled = Preprocess { columns: columns.collect() }.add(graph, rows)?.value;
    let single = graph.cast(&scaled, ElementType::F32)?;
    let network = autoencoder.network().table();
    let repaired = network.add(graph, &single)?;
    let (single, repaired) =
        (graph.cast(&single, ElementType::F64)?, graph.cast(&repaired, ElementType::F64)?);
    let apart = graph.sub(&single, &repaired)?;
    let errors = graph.mul(&apart, &apart)?;
    let is_missing = graph.is_nan(rows)?;
    let zero = number(graph, "zero", 0.0)?;
    let reasons = graph.choose(&is_missing, &zero, &errors)?;
    Ok(Said { score: graph.mean(&reasons, 1)?, reasons })
}

/// Normal scores as a broken line that ends where they do, ten standard deviations out.
#[cfg(feature = "torch")]
fn line_of(scores: &NormalScores) -> Segments {
    let (mut x, mut y) = (scores.values.clone(), scores.scores.clone());
    let (Some(&first), Some(&last)) = (x.first(), x.last()) else {
        return Segments { x: vec![0.0], y: vec![0.0], missing: 0.0 };
    };
    for (end, furthest) in [(last, NormalScores::FURTHEST), (first, -NormalScores::FURTHEST)] {
        let at = scores.reaches(furthest).unwrap_or_else(|| {
            // A column that was always the same: any other value is as far out as can be.
            let step = f64::max((end.next_up() - end).abs(), 1e-300);
            end + step.copysign(furthest)
        });
        if !at.is_finite() {
            continue;
        }
        if end < at {
            x.push(at);
            y.push(furthest);
        } else if at < end {
            x.insert(0, at);
            y.insert(0, furthest);
        }
    }
    Segments { x, y, missing: 0.0 }
}

/// Rows from all over the table, with what the detectors say of them by themselves.
fn parity(model: &Fitted) -> Result<Vec<ParityVector>> {
    let all = model.table.rows();
    let step = all.div_ceil(PROVED).max(1);
    let rows: Vec<usize> = (0..all).step_by(step).collect();
    let (width, count) = (model.table.width(), rows.len());
    let doubles = |width: usize, values: Vec<f64>| Tensor::new(vec![count, width], Values::Float64(values));
    let inputs = rows.iter().flat_map(|row| model.table.row(*row).iter().copied()).collect();
    // What the file will say, also of rows that were scored by other trees because these have seen them.
    let scores = model.published.detector().scores(&model.table.select(&rows))?;
    let probabilities = scores.iter().map(|score| model.calibration.apply(*score)).collect();
    let reasons = rows.iter().flat_map(|row| model.reasons(model.table.row(*row))).collect();
    let outputs = [
        ("score", doubles(1, scores)?),
        (probability_name(model), doubles(1, probabilities)?),
        ("reasons", doubles(width, reasons)?),
    ];
    let tolerance = match &model.published {
        Published::One(it) if it.is_network() => SINGLE,
        Published::One(_) => EXACT,
        Published::Ensemble(_) | Published::TwoStages(_) => TOGETHER,
    };
    Ok(vec![ParityVector {
        inputs: BTreeMap::from([("features".to_owned(), doubles(width, inputs)?)]),
        outputs: outputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect(),
        tolerance,
    }])
}
