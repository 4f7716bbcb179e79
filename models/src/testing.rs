//! A small model for tests: two features, their weighted sum through a sigmoid, and what each adds to it.

use std::{collections::BTreeMap, env, path::Path};

use chrono::DateTime;

use crate::{
    Runtime,
    fingerprint::Fingerprint,
    graph::{ElementType, Graph, Metadata, Tensor as Constant, TensorType},
    registry::{
        Alias, Aliases, Decision, Force, ModelName, PromoteError, Promotion, Publication, Registry, Version,
        gate::{Better, Gate},
        manifest::{
            About, Calibration, Interval, Metric, ParityVector, Port, Signature, Threshold, Training,
        },
    },
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
};

pub(crate) fn runtime() -> Runtime {
    let library = env::var_os("ORT_DYLIB_PATH").expect("cargo sets ORT_DYLIB_PATH from .cargo/config.toml");
    Runtime::open(Path::new(&library)).unwrap()
}

pub(crate) fn fraud() -> ModelName {
    "fraud".parse().unwrap()
}

pub(crate) fn schema() -> FeatureSchema {
    FeatureSchema::of_columns("fraud_v1", &["amount", "clicks"])
}

/// What the model of this weight says of a row.
pub(crate) fn score(weight: f64, row: &[f64]) -> f64 {
    1.0 / (1.0 + (-(weight * row[0] + 0.5 * row[1])).exp())
}

pub(crate) fn publication(weight: f64, roc_auc: f64) -> Publication {
    let rows = [[0.5, 2.0], [-3.0, 1.0], [0.0, 0.0]];
    let scores = rows.iter().map(|row| score(weight, row)).collect();
    let reasons = rows.iter().flat_map(|row| [weight * row[0], 0.5 * row[1]]).collect();
    let tensor = |width: usize, values| Tensor::new(vec![3, width], Values::Float64(values)).unwrap();
    let inputs = [("x".to_owned(), tensor(2, rows.concat()))];
    let outputs = [("score".to_owned(), tensor(1, scores)), ("reasons".to_owned(), tensor(2, reasons))];
    let parity = ParityVector { inputs: inputs.into(), outputs: outputs.into(), tolerance: 1e-9 };
    Publication {
        about: about(roc_auc, parity),
        model: graph(weight),
        report: "<h1>fraud</h1>\n".to_owned(),
        files: BTreeMap::new(),
    }
}

fn about(roc_auc: f64, parity: ParityVector) -> About {
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    let (from, to) = (at(1_767_225_600), at(1_769_904_000));
    About {
        family: "linear".to_owned(),
        job: "fraud".to_owned(),
        features: schema(),
        signature: Signature {
            inputs: vec![port("x", &["amount", "clicks"], 2)],
            outputs: vec![port("score", &[], 1), port("reasons", &["amount", "clicks"], 2)],
        },
        training: Training { from, to, rows: 1000, data: Fingerprint::of(b"the data") },
        seed: 7,
        metrics: vec![metric("roc_auc", roc_auc), metric("false_positive_rate", 0.015)],
        gates: vec![Gate { metric: "roc_auc".to_owned(), better: Better::Higher, tolerance: 0.005 }],
        calibration: Some(Calibration {
            method: "platt".to_owned(),
            from: to,
            to: at(1_770_508_800),
            rows: 200,
            parameters: BTreeMap::from([("slope".to_owned(), vec![1.0])]),
        }),
        thresholds: vec![Threshold {
            name: "hold".to_owned(),
            output: "score".to_owned(),
            value: 0.9,
            aim: "false_positive_rate ≤ 0.02".to_owned(),
            reached: Some(metric("false_positive_rate", 0.015)),
        }],
        parity: vec![parity],
        commit: "0123abc".to_owned(),
        licence: "Apache-2.0".to_owned(),
        created_at: at(1_770_600_000),
    }
}

fn metric(name: &str, value: f64) -> Metric {
    let interval = Interval { low: value - 0.01, high: value + 0.01, level: 0.95 };
    Metric { name: name.to_owned(), value, interval: Some(interval) }
}

pub(crate) fn port(name: &str, columns: &[&str], width: usize) -> Port {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    Port { name: name.to_owned(), element: Element::Float64, shape: vec![None, Some(width)], columns }
}

fn graph(weight: f64) -> Vec<u8> {
    let mut graph = Graph::new("fraud");
    let x = graph.input("x", TensorType::rows(ElementType::F64, 2), "the features").unwrap();
    let weights = graph.constant("weights", Constant::f64(&[2], vec![weight, 0.5]).unwrap());
    let reasons = graph.mul(&x, &weights).unwrap();
    let sum = graph.sum(&reasons, 1).unwrap();
    let score = graph.sigmoid(&sum).unwrap();
    graph.output("score", &score, "how likely it is fraud").unwrap();
    graph.output("reasons", &reasons, "what each feature adds").unwrap();
    graph.finish(&Metadata::default()).unwrap()
}

pub(crate) fn decision(why: &str) -> Decision {
    let at = DateTime::from_timestamp(1_770_700_000, 0).unwrap();
    Decision { by: "anna".to_owned(), why: why.to_owned(), at }
}

pub(crate) fn promote(registry: &Registry, version: Version, force: Force) -> Result<Aliases, PromoteError> {
    let (model, decision) = (fraud(), decision("it is better"));
    registry.promote(&Promotion { model, version, alias: Alias::Champion, decision, force }, &runtime())
}
