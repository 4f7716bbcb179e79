//! What is known about a version: what it takes and gives, what it was trained on, how good it is, and how to check it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    gate::Gate,
    name::{ModelName, Version},
};
use crate::{
    fingerprint::Fingerprint,
    schema::FeatureSchema,
    tensor::{Element, Tensor},
};

/// The format that this release writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// `manifest.json` of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of this file; a newer release may write a newer one.
    pub format: u32,
    /// Which model.
    pub model: ModelName,
    /// Which version of it.
    pub version: Version,
    /// What its training says of it.
    #[serde(flatten)]
    pub about: About,
    /// SHA-256 of every other file of the version, by name.
    pub files: BTreeMap<String, Fingerprint>,
}

/// What a training run says of the model that it made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// What kind of model: `isolation_forest`.
    pub family: String,
    /// The job that made it: `fraud`.
    pub job: String,
    /// The features it takes.
    pub features: FeatureSchema,
    /// Its inputs and outputs.
    pub signature: Signature,
    /// What it was trained on.
    pub training: Training,
    /// The seed of all chance in its training.
    pub seed: u64,
    /// How good it is.
    pub metrics: Vec<Metric>,
    /// What a version must not lose against the champion.
    pub gates: Vec<Gate>,
    /// How its scores became probabilities; none when they are none.
    pub calibration: Option<Calibration>,
    /// Where decisions are made.
    pub thresholds: Vec<Threshold>,
    /// Inputs with the outputs they must have.
    pub parity: Vec<ParityVector>,
    /// The commit of the code that trained it.
    pub commit: String,
    /// Under which licence it may be used, as an SPDX expression.
    pub licence: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The inputs and outputs of a graph, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// What it takes.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<Port>,
}

/// A named tensor of a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its name in the graph.
    pub name: String,
    /// What kind of numbers.
    pub element: Element,
    /// Its dimensions; null for one that any number of rows may have.
    pub shape: Vec<Option<usize>>,
    /// What the numbers of a row are, in order: features of an input, or what an output says of each. Empty for an
    /// output whose numbers have no names.
    #[serde(default)]
    pub columns: Vec<String>,
}

impl Port {
    /// Whether its first dimension may be any number of rows.
    #[must_use]
    pub fn takes_any_rows(&self) -> bool {
        self.shape.first().is_some_and(Option::is_none)
    }

    /// How many numbers a row of it has; none where a dimension after the first is open.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        self.shape.iter().skip(1).copied().product()
    }
}

/// What a model was trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Training {
    /// The first instant of its data.
    pub from: DateTime<Utc>,
    /// The first instant after it.
    pub to: DateTime<Utc>,
    /// How many rows.
    pub rows: u64,
    /// SHA-256 of the data.
    pub data: Fingerprint,
}

/// A measure of quality, with what is known of its uncertainty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// `roc_auc`, `average_precision`, …
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Where it lies, with a probability.
    pub interval: Option<Interval>,
}

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Its confidence, between 0 and 1: 0.95.
    pub level: f64,
}

/// How scores become probabilities. What is computed is in the graph; this is for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// `platt`, `isotonic`, `conformal`.
    pub method: String,
    /// The first instant of the data it was fitted on, which the model was not.
    pub from: DateTime<Utc>,
    /// The first instant after it.
    pub to: DateTime<Utc>,
    /// How many rows.
    pub rows: u64,
    /// Its parameters, by name.
    pub parameters: BTreeMap<String, Vec<f64>>,
}

/// A decision's bound on an output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// `review`, `hold`.
    pub name: String,
    /// The output that is compared with it.
    pub output: String,
    /// The bound, in the output's unit.
    pub value: f64,
    /// What it was chosen for: `false positive rate ≤ 0.02`.
    pub aim: String,
    /// What was reached where it was chosen.
    pub reached: Option<Metric>,
}

/// Rows with what the model must say of them. A value agrees when it is off by at most `tolerance` times the larger of
/// one and what is expected; integers, texts and what is not finite agree exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParityVector {
    /// Every input of the graph, by name.
    pub inputs: BTreeMap<String, Tensor>,
    /// Every output, by name.
    pub outputs: BTreeMap<String, Tensor>,
    /// How far a value may be off.
    pub tolerance: f64,
}

impl About {
    /// A metric by its name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// What is wrong with it, each in a sentence; nothing for what can be published.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.check_ports(&mut faults);
        self.check_numbers(&mut faults);
        self.check_parity(&mut faults);
        if self.training.to <= self.training.from {
            faults.push("its training window ends before it begins".to_owned());
        }
        faults
    }

    fn check_ports(&self, faults: &mut Vec<String>) {
        let Signature { inputs, outputs } = &self.signature;
        if inputs.is_empty() || outputs.is_empty() {
            faults.push("its signature needs at least one input and one output".to_owned());
        }
        for port in inputs.iter().chain(outputs) {
            let same = inputs.iter().chain(outputs).filter(|other| other.name == port.name).count();
            if 1 < same {
                faults.push(format!("{same} inputs and outputs are called {:?}", port.name));
            }
            if !port.columns.is_empty() && port.width() != Some(port.columns.len()) {
                let columns = port.columns.len();
                faults.push(format!(
                    "{:?} names {columns} columns and has the shape {:?}",
                    port.name, port.shape
                ));
            }
        }
        for port in inputs.iter().filter(|port| port.columns.is_empty()) {
            faults.push(format!("the input {:?} does not say which features it takes", port.name));
        }
        let fed: Vec<&String> = inputs.iter().flat_map(|port| &port.columns).collect();
        if !fed.iter().copied().eq(&self.features.names) {
            faults.push(
                "the columns of its inputs are not the features of its set, in order: name every feature once"
                    .to_owned(),
            );
        }
    }

    fn check_numbers(&self, faults: &mut Vec<String>) {
        for metric in &self.metrics {
            if self.metrics.iter().filter(|other| other.name == metric.name).count() != 1 {
                faults.push(format!("the metric {:?} is there twice", metric.name));
            }
            let ends =
                metric.interval.map_or([0.0; 3], |interval| [interval.low, interval.high, interval.level]);
            if !metric.value.is_finite() || !ends.iter().all(|end| end.is_finite()) {
                faults.push(format!("the metric {:?} is not a finite number", metric.name));
            }
        }
        for gate in &self.gates {
            if self.metric(&gate.metric).is_none() {
                faults.push(format!("a gate asks for the metric {:?}, which is not there", gate.metric));
            }
            if !gate.tolerance.is_finite() || gate.tolerance < 0.0 {
                faults.push(format!("the gate on {:?} has no finite tolerance of at least 0", gate.metric));
            }
        }
        for threshold in &self.thresholds {
            if !threshold.value.is_finite() {
                faults.push(format!("the threshold {:?} is not a finite number", threshold.name));
            }
            if !self.signature.outputs.iter().any(|port| port.name == threshold.output) {
                faults.push(format!(
                    "the threshold {:?} is on {:?}, which is no output",
                    threshold.name, threshold.output
                ));
            }
        }
    }

    fn check_parity(&self, faults: &mut Vec<String>) {
        if self.parity.is_empty() {
            faults.push(
                "it has no parity vector: nobody could tell whether it still says what it said".to_owned(),
            );
        }
        for (place, vector) in self.parity.iter().enumerate() {
            let place = place + 1;
            if !vector.tolerance.is_finite() || vector.tolerance < 0.0 {
                faults.push(format!("parity vector {place} has no finite tolerance of at least 0"));
            }
            let pairs =
                [(&vector.inputs, &self.signature.inputs), (&vector.outputs, &self.signature.outputs)];
            for (tensors, ports) in pairs {
                if tensors.len() != ports.len() {
                    faults.push(format!(
                        "parity vector {place} does not have exactly the signature's inputs and outputs"
                    ));
                }
                for port in ports {
                    let fits = tensors.get(&port.name).is_some_and(|tensor| fits(tensor, port));
                    if !fits {
                        faults.push(format!(
                            "parity vector {place} has no {:?} of the signature's kind and shape",
                            port.name
                        ));
                    }
                }
            }
        }
    }
}

fn fits(tensor: &Tensor, port: &Port) -> bool {
    let same = |(is, may): (&usize, &Option<usize>)| may.is_none_or(|may| may == *is);
    tensor.element() == port.element
        && tensor.shape().len() == port.shape.len()
        && tensor.shape().iter().zip(&port.shape).all(same)
}
