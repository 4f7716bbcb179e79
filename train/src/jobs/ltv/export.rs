//! What predicts, as a version of a model: its graph, and customers that prove it.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, Utc};
use domain::Clock;
use models::{
    graph::{ElementType, Graph, Metadata, TensorType},
    registry::{
        Publication,
        gate::{Better, Gate},
        manifest::{About, Interval, Metric, ParityVector, Port, Signature, Training},
    },
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
};

use super::{Ltv, Said};
use crate::{
    jobs::{
        publish::{COMMIT, LICENCE},
        table::DAY_US,
    },
    lifetime::{FEATURES, Measures},
};

/// The job and, unless it is called otherwise, the model.
const JOB: &str = "ltv";
/// How many customers the file is proved by.
const PROVED: usize = 64;
/// How far a number may be off.
const EXACT: f64 = 1e-7;
/// The same where a network calculates in float, which adds up in another order.
const AS_FLOAT: f64 = 1e-4;
/// By how much the Gini coefficient of a later version may be worse than the champion's.
const TOLERANCE: f64 = 0.02;

/// The file, and all that a version says of itself.
pub(super) fn publication(
    said: &Said,
    asked: &Ltv,
    (report, clock): (String, &Clock),
) -> Result<Publication> {
    let inputs = said.learned.inputs();
    let names: Vec<&str> = inputs.iter().map(|column| column.name.as_str()).collect();
    let metrics = metrics(said);
    // A gate on what is not told would be a fault.
    let gated = metrics.iter().filter(|metric| metric.name == "gini").map(|metric| metric.name.clone());
    let about = About {
        family: said.learned.best().name.to_owned(),
        job: JOB.to_owned(),
        features: FeatureSchema::of_columns("customer", &names),
        signature: signature(said),
        training: training(said, clock),
        seed: asked.run.seed,
        gates: gated.map(|metric| Gate { metric, better: Better::Higher, tolerance: TOLERANCE }).collect(),
        metrics,
        calibration: None,
        thresholds: Vec::new(),
        parity: vec![parity(said)?],
        commit: COMMIT.to_owned(),
        licence: LICENCE.to_owned(),
        created_at: clock.now(),
    };
    Ok(Publication { about, model: graph(said)?, report, files: BTreeMap::new() })
}

fn graph(said: &Said) -> Result<Vec<u8>> {
    let learned = &said.learned;
    let inputs = learned.inputs();
    let mut graph = Graph::new(JOB);
    let names: Vec<&str> = inputs.iter().map(|column| column.name.as_str()).collect();
    let kind = TensorType::rows(ElementType::F64, inputs.len());
    let features = graph.input("features", kind, &names.join(", "))?;
    let told = learned.add(&mut graph, &features)?;
    let days = learned.plan.horizon_days;
    for (name, value, doc) in [
        (
            "predicted",
            &told.predicted,
            format!("what a customer is expected to spend in the next {days} days"),
        ),
        ("lower", &told.lower, "nine of ten customers spend at least this".to_owned()),
        (
            "upper",
            &told.upper,
            "nine of ten customers spend at most this; where fewer than one in ten buys, of those who do"
                .to_owned(),
        ),
        ("expected", &told.expected, "what BG/NBD and Gamma-Gamma expect".to_owned()),
        ("p_active", &told.p_active, "the chance to be still a customer".to_owned()),
        (
            "reasons",
            &told.reasons,
            "what each feature adds to the logarithm of predicted over expected".to_owned(),
        ),
    ] {
        graph.output(name, value, &doc)?;
    }
    let mut properties = BTreeMap::from([
        ("features".to_owned(), names.join(",")),
        ("reasons".to_owned(), learned.reasoned().join(",")),
        ("horizon_days".to_owned(), days.to_string()),
    ]);
    for feature in FEATURES.iter().filter(|feature| names.contains(&feature.name)) {
        properties.insert(format!("doc.{}", feature.name), feature.doc.to_owned());
    }
    for column in &inputs {
        if let Some(levels) = &column.levels {
            properties.insert(format!("levels.{}", column.name), serde_json::to_string(levels)?);
        }
    }
    Ok(graph.finish(&Metadata {
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc: format!(
            "what customers will spend in {days} days, from what is known of them at the end of a day; the codes of texts \
             are their places in levels.NAME, not a number where they are not among them"
        ),
        properties,
    })?)
}

fn signature(said: &Said) -> Signature {
    let port = |name: &str, columns: Vec<String>| Port {
        name: name.to_owned(),
        element: Element::Float64,
        shape: vec![None, Some(columns.len())],
        columns,
    };
    let names = said.learned.inputs().into_iter().map(|column| column.name).collect();
    let one = |name: &str| port(name, vec![name.to_owned()]);
    let mut outputs: Vec<Port> = ["predicted", "lower", "upper", "expected", "p_active"].map(one).into();
    outputs.push(port("reasons", said.learned.reasoned()));
    Signature { inputs: vec![port("features", names)], outputs }
}

/// Customers from all over the predictions, the lowest and the highest among them.
fn parity(said: &Said) -> Result<ParityVector> {
    let learned = &said.learned;
    let now = learned.snapshot(&said.customers.transactions, learned.plan.calibration_end);
    let mut order: Vec<usize> = (0..said.predictions.len()).collect();
    order.sort_by(|one, other| said.predictions[*one].mean.total_cmp(&said.predictions[*other].mean));
    let last = order.len() - 1;
    let proved = PROVED.min(order.len());
    let rows: Vec<usize> = (0..proved).map(|at| order[at * last / (proved - 1).max(1)]).collect();
    let told = learned.rows(&now, &rows)?;
    let table = |values: Vec<f64>| {
        let width = values.len() / rows.len();
        Tensor::new(vec![rows.len(), width], Values::Float64(values))
    };
    let outputs = [
        ("predicted", told.predicted),
        ("lower", told.lower),
        ("upper", told.upper),
        ("expected", told.expected),
        ("p_active", told.p_active),
        ("reasons", told.reasons),
    ];
    let outputs = outputs.into_iter().map(|(name, values)| Ok((name.to_owned(), table(values)?)));
    Ok(ParityVector {
        inputs: BTreeMap::from([("features".to_owned(), table(told.features)?)]),
        outputs: outputs.collect::<Result<_>>()?,
        tolerance: if learned.best().model.is_float() { AS_FLOAT } else { EXACT },
    })
}

fn training(said: &Said, clock: &Clock) -> Training {
    let moment = |day: i32| DateTime::<Utc>::from_timestamp_micros(i64::from(day).saturating_mul(DAY_US));
    let end = said.learned.plan.calibration_end;
    let to = moment(end.saturating_add(1)).unwrap_or(clock.now());
    let from = said.customers.transactions.first_day().filter(|first| *first <= end).and_then(moment);
    Training {
        from: from.unwrap_or(to - chrono::TimeDelta::days(1)),
        to,
        rows: said.predictions.len() as u64,
        data: said.customers.data,
    }
}

/// What came after calibration judges, with the intervals of drawing customers again; else what was held out before its end.
fn metrics(said: &Said) -> Vec<Metric> {
    let of = said.best().map_or(said.learned.best().inner, |best| best.metrics.all);
    finite(&of, said.intervals.as_ref())
}

/// The measures that are numbers, and the intervals of these that are between numbers.
fn finite(of: &Measures, intervals: Option<&(Measures, Measures)>) -> Vec<Metric> {
    let named = |it: &Measures| {
        let Measures { gini, spearman, decile_wmape, rmse, total_ratio, coverage, .. } = *it;
        [
            ("gini", gini),
            ("spearman", spearman),
            ("decile_mape", decile_wmape),
            ("rmse", rmse),
            ("total_ratio", total_ratio),
            ("coverage", coverage),
        ]
    };
    let intervals = intervals.map(|(low, high)| (named(low), named(high)));
    let metric = |(place, (name, value)): (usize, (&str, f64))| {
        let interval = intervals.map(|(low, high)| (low[place].1, high[place].1));
        let interval = interval.filter(|(low, high)| low.is_finite() && high.is_finite());
        value.is_finite().then(|| Metric {
            name: name.to_owned(),
            value,
            interval: interval.map(|(low, high)| Interval { low, high, level: super::LEVEL }),
        })
    };
    named(of).into_iter().enumerate().filter_map(metric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_not_told() {
        let low = Measures {
            customers: 9,
            gini: 0.2,
            spearman: 0.1,
            decile_wmape: 0.3,
            rmse: 4.0,
            total_ratio: 0.9,
            coverage: 0.8,
        };
        let of = Measures { spearman: f64::NAN, total_ratio: f64::INFINITY, ..low };
        let high = Measures { rmse: f64::NAN, ..low };
        let told = finite(&of, Some(&(low, high)));
        let names: Vec<&str> = told.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["gini", "decile_mape", "rmse", "coverage"]);
        let with: Vec<bool> = told.iter().map(|it| it.interval.is_some()).collect();
        assert_eq!(with, [true, true, false, true]);
    }
}
