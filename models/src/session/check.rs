//! A version proves itself: its hashes, then its signature, then its parity vectors.

use super::{
    error::{LoadCause, LoadError, Step},
    graph::{Graph, said_port, said_shape},
};
use crate::{
    Runtime,
    registry::{
        CARD, MODEL, Manifest, ModelName, REPORT, Registry, Version,
        manifest::{ParityVector, Port},
    },
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
};

/// What a version that proved itself showed.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What is known of it.
    pub manifest: Manifest,
    /// How many rows of parity vectors it was run on.
    pub rows: usize,
    /// How much of its tolerance the worst number needed, from 0 to 1.
    pub strain: f64,
}

/// A version that proved itself and can be served.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) manifest: Manifest,
    pub(super) bytes: Vec<u8>,
    pub(super) graph: Graph,
    proof: Proof,
}

/// Checks all of a version: every file's hash, the signature against the graph, and the parity vectors.
///
/// # Errors
/// The first of them that does not hold.
pub fn examine(
    registry: &Registry,
    runtime: &Runtime,
    model: &ModelName,
    version: Version,
) -> Result<Examined, LoadError> {
    let Loaded { manifest, proof, .. } = load(registry, runtime, model, version, None)?;
    for file in [CARD, REPORT] {
        registry.read(&manifest, file).map_err(|error| failed(model, version, Step::Hash, error))?;
    }
    Ok(Examined { manifest, rows: proof.rows, strain: proof.strain })
}

/// Loads a version for whoever offers these features.
pub(super) fn load(
    registry: &Registry,
    runtime: &Runtime,
    model: &ModelName,
    version: Version,
    offered: Option<&FeatureSchema>,
) -> Result<Loaded, LoadError> {
    let fail = |step| move |cause: LoadCause| failed(model, version, step, cause);
    let read = |error| failed(model, version, Step::Hash, LoadCause::Read(error));
    let manifest = registry.manifest(model, version).map_err(read)?;
    let bytes = registry.read(&manifest, MODEL).map_err(read)?;
    let graph = Graph::open(runtime, &bytes).map_err(LoadCause::Graph).map_err(fail(Step::Signature))?;
    check_signature(&manifest, &graph, offered).map_err(fail(Step::Signature))?;
    let mut loaded = Loaded { manifest, bytes, graph, proof: Proof::default() };
    loaded.proof = prove(&loaded.manifest, &mut loaded.graph).map_err(fail(Step::Parity))?;
    if loaded.graph.without_runtime(&loaded.bytes) {
        // The runtime's own numbers may be all that is within a tolerance: then it goes on.
        match prove(&loaded.manifest, &mut loaded.graph) {
            Ok(proof) => loaded.proof = proof,
            Err(_) => loaded.graph.with_runtime(),
        }
    }
    Ok(loaded)
}

pub(super) fn failed(
    model: &ModelName,
    version: Version,
    step: Step,
    cause: impl Into<LoadCause>,
) -> LoadError {
    LoadError { model: model.clone(), version, step, cause: Box::new(cause.into()) }
}

fn check_signature(
    manifest: &Manifest,
    graph: &Graph,
    offered: Option<&FeatureSchema>,
) -> Result<(), LoadCause> {
    let signature = &manifest.about.signature;
    let pairs =
        [("inputs", graph.inputs(), &signature.inputs), ("outputs", graph.outputs(), &signature.outputs)];
    for (kind, graph, ports) in pairs {
        let says: Vec<String> = ports.iter().map(said_port).collect();
        if graph != says {
            return Err(LoadCause::Signature { kind, graph: graph.join(", "), manifest: says.join(", ") });
        }
    }
    for port in &signature.inputs {
        let is_rows = matches!(port.shape.first(), Some(None | Some(1))) && port.width().is_some();
        if !is_rows {
            return Err(LoadCause::Shape { port: port.name.clone(), shape: said_shape(&port.shape) });
        }
    }
    let texts = signature.inputs.iter().find(|port| port.element == Element::Text && offered.is_some());
    if let Some(port) = texts {
        return Err(LoadCause::Texts { port: port.name.clone() });
    }
    offered.map_or(Ok(()), |offered| manifest.about.features.takes(offered).map_err(LoadCause::Features))
}

/// What the parity vectors showed.
#[derive(Clone, Copy, Debug, Default)]
struct Proof {
    rows: usize,
    strain: f64,
}

fn prove(manifest: &Manifest, graph: &mut Graph) -> Result<Proof, LoadCause> {
    let mut proof = Proof::default();
    let signature = &manifest.about.signature;
    for (place, vector) in manifest.about.parity.iter().enumerate() {
        let inputs: Vec<&Tensor> =
            signature.inputs.iter().filter_map(|port| vector.inputs.get(&port.name)).collect();
        let outputs = graph.run(&inputs).map_err(LoadCause::Run)?;
        for (port, got) in signature.outputs.iter().zip(&outputs) {
            let strain = compare(place + 1, vector, port, got)?;
            proof.strain = proof.strain.max(strain);
        }
        proof.rows += inputs.first().and_then(|input| input.shape().first()).copied().unwrap_or_default();
    }
    Ok(proof)
}

/// How much of its tolerance the worst number needs, if none needs more.
fn compare(place: usize, vector: &ParityVector, port: &Port, got: &Tensor) -> Result<f64, LoadCause> {
    let Some(expected) = vector.outputs.get(&port.name).filter(|expected| expected.shape() == got.shape())
    else {
        let expected = vector.outputs.get(&port.name).map(|it| it.shape().to_vec()).unwrap_or_default();
        let (output, got) = (port.name.clone(), got.shape().to_vec());
        return Err(LoadCause::ParityShape { vector: place, output, got, expected });
    };
    let mut strain = 0.0_f64;
    for number in 0..expected.values().len() {
        match strain_of(expected.values(), got.values(), number, vector.tolerance) {
            Some(needed) => strain = strain.max(needed),
            None => {
                let width = expected.width().max(1);
                return Err(LoadCause::Parity {
                    vector: place,
                    row: number / width + 1,
                    output: port.name.clone(),
                    column: number % width + 1,
                    got: written(got.values(), number),
                    expected: written(expected.values(), number),
                    tolerance: vector.tolerance,
                });
            }
        }
    }
    Ok(strain)
}

/// How much of the tolerance a number needs, or none if it needs more.
fn strain_of(expected: &Values, got: &Values, number: usize, tolerance: f64) -> Option<f64> {
    if let (Values::Int64(expected), Values::Int64(got)) = (expected, got) {
        return (expected.get(number) == got.get(number)).then_some(0.0);
    }
    if let (Values::Text(expected), Values::Text(got)) = (expected, got) {
        return (expected.get(number) == got.get(number)).then_some(0.0);
    }
    let (expected, got) = (expected.at(number)?, got.at(number)?);
    if expected.is_nan() && got.is_nan() || expected.total_cmp(&got).is_eq() {
        return Some(0.0);
    }
    let (off, bound) = ((expected - got).abs(), tolerance * expected.abs().max(1.0));
    // An infinity is off by no finite number, nor within a bound of its own size.
    let within = expected.is_finite() && got.is_finite() && off <= bound;
    within.then(|| if 0.0 < bound { off / bound } else { 0.0 })
}

fn written(values: &Values, place: usize) -> String {
    match values {
        Values::Text(texts) => format!("{:?}", texts.get(place)),
        numbers => numbers.at(place).map_or("missing".to_owned(), |number| number.to_string()),
    }
}

/// A tensor of features for `rows` rows, each of which is a whole vector.
pub(super) fn fed(port: &Port, columns: std::ops::Range<usize>, rows: &[&[f64]]) -> Option<Tensor> {
    let numbers = rows.iter().flat_map(|row| row.get(columns.clone()).unwrap_or_default().iter().copied());
    let values = match port.element {
        Element::Float32 => Values::Float32(numbers.map(|number| number as f32).collect()),
        Element::Float64 => Values::Float64(numbers.collect()),
        Element::Int64 => Values::Int64(numbers.map(|number| number as i64).collect()),
        Element::Text => return None,
    };
    let shape = std::iter::once(rows.len()).chain(port.shape.iter().skip(1).copied().flatten()).collect();
    Tensor::new(shape, values).ok()
}
