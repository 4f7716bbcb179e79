//! A graph in ONNX Runtime: what it takes and gives, and running it on tensors.

use std::sync::Arc;

use ort::{
    session::{Session, SessionInputValue},
    value::{
        DynValue, Outlet, PrimitiveTensorElementType, Shape, Tensor as Owned, TensorElementType, TensorRef,
        ValueType,
    },
};

use super::trees::Trees;
use crate::{
    Runtime,
    registry::manifest::Port,
    tensor::{Element, Tensor, Values},
};

/// A graph that is ready to run, on the thread that runs it: ONNX Runtime lets a session run once at a time.
#[derive(Debug)]
pub(super) struct Graph {
    session: Session,
    /// The same without the runtime, where the whole graph is trees.
    trees: Option<Arc<Trees>>,
}

impl Graph {
    /// The graph in these bytes. It is parsed from memory, so that what was hashed is what runs.
    pub(super) fn open(runtime: &Runtime, bytes: &[u8]) -> Result<Self, ort::Error> {
        let builder = Session::builder(runtime.environment())?;
        // Many sessions run beside each other, one on each worker's thread; none needs threads of its own.
        let session = builder.with_intra_threads(1)?.with_inter_threads(1)?.commit_from_memory(bytes)?;
        Ok(Self { session, trees: None })
    }

    /// From now on runs without the runtime if the whole graph is trees.
    pub(super) fn without_runtime(&mut self, bytes: &[u8]) -> bool {
        self.trees = Trees::of(bytes, self).map(Arc::new);
        self.trees.is_some()
    }

    /// From now on runs in the runtime, whatever it is.
    pub(super) fn with_runtime(&mut self) {
        self.trees = None;
    }

    /// The trees that it is, if that is what it is.
    pub(super) fn trees(&self) -> Option<&Arc<Trees>> {
        self.trees.as_ref()
    }

    /// Another session for the same file, which may be these trees.
    pub(super) fn again(
        runtime: &Runtime,
        bytes: &[u8],
        trees: Option<&Arc<Trees>>,
    ) -> Result<Self, ort::Error> {
        Ok(Self { trees: trees.cloned(), ..Self::open(runtime, bytes)? })
    }

    /// What it takes, in sentences as [`said`] writes them.
    pub(super) fn inputs(&self) -> Vec<String> {
        self.session.inputs().iter().map(outlet).collect()
    }

    /// What it gives.
    pub(super) fn outputs(&self) -> Vec<String> {
        self.session.outputs().iter().map(outlet).collect()
    }

    /// Runs it on its inputs in order, and gives its outputs in order.
    pub(super) fn run(&mut self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, ort::Error> {
        if let Some(outputs) = self.trees.as_ref().and_then(|trees| trees.run(inputs)) {
            return Ok(outputs);
        }
        let inputs: Vec<SessionInputValue<'_>> =
            inputs.iter().map(|it| input(it)).collect::<Result<_, _>>()?;
        let outputs = self.session.run(inputs.as_slice())?;
        outputs.values().map(|value| output(&value)).collect()
    }
}

fn input(tensor: &Tensor) -> Result<SessionInputValue<'_>, ort::Error> {
    Ok(match tensor.values() {
        Values::Float32(values) => TensorRef::from_array_view((tensor.shape(), values.as_slice()))?.into(),
        Values::Float64(values) => TensorRef::from_array_view((tensor.shape(), values.as_slice()))?.into(),
        Values::Int64(values) => TensorRef::from_array_view((tensor.shape(), values.as_slice()))?.into(),
        Values::Text(values) => Owned::from_string_array((tensor.shape(), values.as_slice()))?.into(),
    })
}

fn output(value: &DynValue) -> Result<Tensor, ort::Error> {
    let (shape, values) = match value.dtype().tensor_type() {
        Some(TensorElementType::Float32) => taken(value, Values::Float32)?,
        Some(TensorElementType::Float64) => taken(value, Values::Float64)?,
        Some(TensorElementType::Int64) => taken(value, Values::Int64)?,
        Some(TensorElementType::String) => {
            let (shape, values) = value.try_extract_strings()?;
            (sizes(shape), Values::Text(values))
        }
        _ => return Err(ort::Error::new(format!("an output is a {}", value.dtype()))),
    };
    Tensor::new(shape, values).map_err(ort::Error::wrap)
}

fn taken<T: PrimitiveTensorElementType + Copy>(
    value: &DynValue,
    kind: fn(Vec<T>) -> Values,
) -> Result<(Vec<usize>, Values), ort::Error> {
    let (shape, values) = value.try_extract_tensor::<T>()?;
    Ok((sizes(shape), kind(values.to_vec())))
}

fn sizes(shape: &Shape) -> Vec<usize> {
    shape.iter().map(|size| usize::try_from(*size).unwrap_or_default()).collect()
}

fn outlet(outlet: &Outlet) -> String {
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        return format!("{:?} {}", outlet.name(), outlet.dtype());
    };
    let element = match ty {
        TensorElementType::Float32 => Element::Float32.to_string(),
        TensorElementType::Float64 => Element::Float64.to_string(),
        TensorElementType::Int64 => Element::Int64.to_string(),
        TensorElementType::String => Element::Text.to_string(),
        other => other.to_string(),
    };
    let shape: Vec<Option<usize>> = shape.iter().map(|size| usize::try_from(*size).ok()).collect();
    said(outlet.name(), &element, &shape)
}

/// An input or output in words: `"x" float32 [rows, 3]`.
pub(super) fn said(name: &str, element: &str, shape: &[Option<usize>]) -> String {
    format!("{name:?} {element} {}", said_shape(shape))
}

/// A shape in words: `[rows, 3]`.
pub(super) fn said_shape(shape: &[Option<usize>]) -> String {
    let sizes: Vec<String> =
        shape.iter().map(|size| size.map_or("rows".to_owned(), |it| it.to_string())).collect();
    format!("[{}]", sizes.join(", "))
}

/// What the manifest says of an input or output, in the same words.
pub(super) fn said_port(port: &Port) -> String {
    said(&port.name, &port.element.to_string(), &port.shape)
}
