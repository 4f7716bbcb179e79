//! Runs the bytes of a graph on rows, and compares what comes out.

use std::{collections::BTreeMap, env, path::Path, sync::OnceLock};

use models::graph::{ElementType, Graph, GraphError, Metadata, TensorType, Value};
use ort::{
    environment::Environment,
    session::{Session, SessionInputValue},
    value::Tensor,
};

/// What a model is given.
#[derive(Clone, Debug)]
pub enum Given {
    F64(usize, Vec<f64>),
    F32(usize, Vec<f32>),
    I64(Vec<i64>),
    I64Rows(usize, Vec<i64>),
    Text(Vec<String>),
}

/// What a model answers: each output's numbers, row by row.
pub type Answers = BTreeMap<String, Vec<f64>>;

fn environment() -> &'static Environment {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let library = env::var_os("ORT_DYLIB_PATH").expect("cargo sets it from .cargo/config.toml");
        ort::init_from(Path::new(&library)).unwrap().with_name("families").build().unwrap()
    })
}

impl Given {
    fn tensor(&self) -> SessionInputValue<'static> {
        match self.clone() {
            Self::F64(width, values) => {
                Tensor::from_array(([values.len() / width, width], values)).unwrap().into()
            }
            Self::F32(width, values) => {
                Tensor::from_array(([values.len() / width, width], values)).unwrap().into()
            }
            Self::I64(values) => Tensor::from_array(([values.len()], values)).unwrap().into(),
            Self::I64Rows(width, values) => {
                Tensor::from_array(([values.len() / width, width], values)).unwrap().into()
            }
            Self::Text(values) => {
                Tensor::from_string_array(([values.len(), 1], values.as_slice())).unwrap().into()
            }
        }
    }
}

/// Runs a file.
pub fn run(bytes: &[u8], given: &[(&str, Given)]) -> Answers {
    let builder = Session::builder(environment()).unwrap();
    let mut session = builder.with_intra_threads(1).unwrap().commit_from_memory(bytes).unwrap();
    let given: Vec<(String, SessionInputValue<'_>)> =
        given.iter().map(|(name, given)| ((*name).to_owned(), given.tensor())).collect();
    let answers = session.run(given).unwrap();
    answers
        .iter()
        .map(|(name, value)| {
            let doubles = value.try_extract_tensor::<f64>().map(|(_, it)| it.to_vec());
            let floats = || {
                value.try_extract_tensor::<f32>().map(|(_, it)| it.iter().map(|it| f64::from(*it)).collect())
            };
            let integers =
                || value.try_extract_tensor::<i64>().map(|(_, it)| it.iter().map(|it| *it as f64).collect());
            let bools = || {
                let bools = value.try_extract_tensor::<bool>();
                bools.map(|(_, it)| it.iter().map(|it| f64::from(u8::from(*it))).collect())
            };
            let numbers = doubles.or_else(|_| floats()).or_else(|_| integers());
            (name.to_owned(), numbers.or_else(|_| bools()).unwrap())
        })
        .collect()
}

/// A graph over rows of doubles or floats named `x`, whose values become its outputs.
pub fn graph_of(
    (element, width): (ElementType, usize),
    build: impl FnOnce(&mut Graph, &Value) -> Result<Vec<(&'static str, Value)>, GraphError>,
) -> Vec<u8> {
    let mut graph = Graph::new("test");
    let x = graph.input("x", TensorType::rows(element, width), "rows").unwrap();
    for (name, value) in build(&mut graph, &x).unwrap() {
        graph.output(name, &value, "an answer").unwrap();
    }
    graph.finish(&Metadata::default()).unwrap()
}

/// Runs a graph over rows of doubles.
pub fn run_on(
    (width, rows): (usize, &[f64]),
    build: impl FnOnce(&mut Graph, &Value) -> Result<Vec<(&'static str, Value)>, GraphError>,
) -> Answers {
    let bytes = graph_of((ElementType::F64, width), build);
    run(&bytes, &[("x", Given::F64(width, rows.to_vec()))])
}

/// Why a family refuses its table.
pub fn refusal<T: std::fmt::Debug>(
    width: usize,
    build: impl FnOnce(&mut Graph, &Value) -> Result<T, GraphError>,
) -> String {
    let mut graph = Graph::new("test");
    let x = graph.input("x", TensorType::rows(ElementType::F64, width), "rows").unwrap();
    build(&mut graph, &x).expect_err("it is wrong").to_string()
}

/// Whether numbers are the same to this relative precision; what is missing in one is missing in the other.
#[track_caller]
pub fn same(found: &[f64], expected: &[f64], precision: f64) {
    assert_eq!(found.len(), expected.len());
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let apart = (found - expected).abs() <= precision * expected.abs().max(1.0);
        let alike = found.is_nan() && expected.is_nan() || found.to_bits() == expected.to_bits();
        assert!(apart || alike, "number {at} is {found} and should be {expected}");
    }
}
