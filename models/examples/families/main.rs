//! Writes a file of each family of graphs with inputs and the answers to them beside, for other programs to check:
//! `cargo run -p models --example families -- OUTDIR`.

mod tables;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use models::graph::{Graph, GraphError, Metadata};
use ort::{
    environment::Environment,
    session::{Session, SessionInputValue},
    value::{DynValue, Tensor, TensorElementType},
};
use serde_json::{Map, Value, json};

/// What a model is given, row by row; as wide as it is said.
pub enum Given {
    /// Doubles.
    F64(usize, Vec<f64>),
    /// Floats.
    F32(usize, Vec<f32>),
    /// A number for each row.
    I64(Vec<i64>),
    /// Integers, row by row; as wide as it is said.
    I64Rows(usize, Vec<i64>),
    /// A text for each row.
    Text(Vec<&'static str>),
}

/// A file of a family.
pub struct Sample {
    /// The name of the file.
    pub name: &'static str,
    /// Puts it together.
    pub build: fn(&mut Graph) -> Result<(), GraphError>,
    /// What it is given, by the name of the input.
    pub given: Vec<(&'static str, Given)>,
}

impl Given {
    fn tensor(&self) -> ort::Result<SessionInputValue<'static>> {
        Ok(match self {
            Self::F64(width, values) => {
                Tensor::from_array(([values.len() / width, *width], values.clone()))?.into()
            }
            Self::F32(width, values) => {
                Tensor::from_array(([values.len() / width, *width], values.clone()))?.into()
            }
            Self::I64(values) => Tensor::from_array(([values.len()], values.clone()))?.into(),
            Self::I64Rows(width, values) => {
                Tensor::from_array(([values.len() / width, *width], values.clone()))?.into()
            }
            Self::Text(values) => Tensor::from_string_array(([values.len(), 1], values.as_slice()))?.into(),
        })
    }

    /// JSON has no number that is none: null stands for it.
    fn json(&self) -> Value {
        match self {
            Self::F64(width, values) => {
                json!({"type": "float64", "shape": [values.len() / width, width], "data": values})
            }
            Self::F32(width, values) => {
                json!({"type": "float32", "shape": [values.len() / width, width], "data": values})
            }
            Self::I64(values) => json!({"type": "int64", "shape": [values.len()], "data": values}),
            Self::I64Rows(width, values) => {
                json!({"type": "int64", "shape": [values.len() / width, width], "data": values})
            }
            Self::Text(values) => json!({"type": "object", "shape": [values.len(), 1], "data": values}),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("name the folder that the files go to")?);
    fs::create_dir_all(&folder)?;
    let library = env::var_os("ORT_DYLIB_PATH").ok_or("ORT_DYLIB_PATH is not set; run this with cargo")?;
    let environment = ort::init_from(Path::new(&library))?.with_name("families").build()?;
    for sample in tables::samples() {
        let mut graph = Graph::new(sample.name);
        (sample.build)(&mut graph)?;
        let metadata = Metadata {
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc: format!("a small file of the family {}", sample.name),
            properties: [("family".to_owned(), sample.name.to_owned())].into_iter().collect(),
        };
        let bytes = graph.finish(&metadata)?;
        let inputs: Map<String, Value> =
            sample.given.iter().map(|(name, given)| ((*name).to_owned(), given.json())).collect();
        let outputs = answers(&environment, &bytes, &sample)?;
        fs::write(folder.join(format!("{}.onnx", sample.name)), &bytes)?;
        let beside = json!({"inputs": inputs, "outputs": outputs});
        fs::write(folder.join(format!("{}.json", sample.name)), serde_json::to_vec_pretty(&beside)?)?;
    }
    Ok(())
}

fn answers(
    environment: &Environment,
    bytes: &[u8],
    sample: &Sample,
) -> Result<Map<String, Value>, Box<dyn Error>> {
    let mut session = Session::builder(environment)?.with_intra_threads(1)?.commit_from_memory(bytes)?;
    let mut given = Vec::new();
    for (name, value) in &sample.given {
        given.push((*name, value.tensor()?));
    }
    let mut answers = Map::new();
    for (name, value) in session.run(given)?.iter() {
        answers.insert(name.to_owned(), answer(&value)?);
    }
    Ok(answers)
}

fn answer(value: &DynValue) -> ort::Result<Value> {
    let shape = |it: &ort::value::Shape| it.iter().copied().collect::<Vec<i64>>();
    Ok(match value.dtype().tensor_type() {
        Some(TensorElementType::Float64) => {
            let (dims, data) = value.try_extract_tensor::<f64>()?;
            json!({"type": "float64", "shape": shape(dims), "data": data})
        }
        Some(TensorElementType::Float32) => {
            let (dims, data) = value.try_extract_tensor::<f32>()?;
            json!({"type": "float32", "shape": shape(dims), "data": data})
        }
        Some(TensorElementType::Bool) => {
            let (dims, data) = value.try_extract_tensor::<bool>()?;
            json!({"type": "bool", "shape": shape(dims), "data": data})
        }
        _ => {
            let (dims, data) = value.try_extract_tensor::<i64>()?;
            json!({"type": "int64", "shape": shape(dims), "data": data})
        }
    })
}
