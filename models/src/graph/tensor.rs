//! Element types, shapes with a symbolic batch, and tensors of constants.

use std::fmt;

use super::{GraphError, proto};

/// What a tensor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// True or false.
    Bool,
    /// 32-bit float: about 7 decimal digits; 1.7·10⁹ seconds since the epoch are off by up to 64.
    F32,
    /// 64-bit float.
    F64,
    /// Signed 64-bit integer.
    I64,
    /// Text, for categories.
    Text,
    /// Unsigned byte; only attributes have it.
    U8,
}

impl ElementType {
    /// `TensorProto.DataType`.
    pub(super) fn code(self) -> i32 {
        match self {
            Self::F32 => 1,
            Self::U8 => 2,
            Self::I64 => 7,
            Self::Text => 8,
            Self::Bool => 9,
            Self::F64 => 11,
        }
    }

    /// Whether it is one of the two that models calculate with.
    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::F32 => "float",
            Self::F64 => "double",
            Self::I64 => "int64",
            Self::Text => "string",
            Self::U8 => "uint8",
        })
    }
}

/// The length of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// As many as there are rows in the batch; known when the model runs.
    Batch,
    /// Always this many.
    Fixed(usize),
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch => f.write_str(BATCH),
            Self::Fixed(length) => write!(f, "{length}"),
        }
    }
}

/// The name of the batch's axis in a file.
const BATCH: &str = "batch";

/// What a value is: its elements and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorType {
    /// What it holds.
    pub element: ElementType,
    /// The length of each axis; empty for a single number.
    pub shape: Vec<Dim>,
}

impl TensorType {
    /// A type of this shape.
    pub fn new(element: ElementType, shape: &[Dim]) -> Self {
        Self { element, shape: shape.to_vec() }
    }

    /// A row of `width` elements for each row of the batch.
    pub fn rows(element: ElementType, width: usize) -> Self {
        Self::new(element, &[Dim::Batch, Dim::Fixed(width)])
    }

    /// The same shape of other elements.
    pub(super) fn of(&self, element: ElementType) -> Self {
        Self { element, shape: self.shape.clone() }
    }

    pub(super) fn proto(&self) -> proto::Type {
        let dim = self.shape.iter().map(|dim| match dim {
            Dim::Batch => proto::Dimension { dim_value: None, dim_param: Some(BATCH.to_owned()) },
            Dim::Fixed(length) => proto::Dimension { dim_value: Some(*length as i64), dim_param: None },
        });
        let shape = Some(proto::Shape { dim: dim.collect() });
        proto::Type { tensor_type: Some(proto::TensorType { elem_type: self.element.code(), shape }) }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<String> = self.shape.iter().map(Dim::to_string).collect();
        write!(f, "{}[{}]", self.element, shape.join(", "))
    }
}

/// Numbers or texts that a model carries, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

#[derive(Clone, Debug, PartialEq)]
enum Data {
    Bool(Vec<bool>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    Text(Vec<String>),
    U8(Vec<u8>),
}

impl Tensor {
    /// Doubles.
    pub fn f64(shape: &[usize], values: Vec<f64>) -> Result<Self, GraphError> {
        Self::checked(shape, values.len(), Data::F64(values))
    }

    /// Floats.
    pub fn f32(shape: &[usize], values: Vec<f32>) -> Result<Self, GraphError> {
        Self::checked(shape, values.len(), Data::F32(values))
    }

    /// Integers.
    pub fn i64(shape: &[usize], values: Vec<i64>) -> Result<Self, GraphError> {
        Self::checked(shape, values.len(), Data::I64(values))
    }

    /// True or false.
    pub fn bool(shape: &[usize], values: Vec<bool>) -> Result<Self, GraphError> {
        Self::checked(shape, values.len(), Data::Bool(values))
    }

    /// Texts.
    pub fn text(shape: &[usize], values: Vec<String>) -> Result<Self, GraphError> {
        Self::checked(shape, values.len(), Data::Text(values))
    }

    /// Floats of the wanted width, rounded to the nearest where they are narrower; refused where one overflows.
    pub(super) fn floats(element: ElementType, shape: &[usize], values: &[f64]) -> Result<Self, GraphError> {
        if element != ElementType::F32 {
            return Self::f64(shape, values.to_vec());
        }
        let narrow: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let overflow =
            values.iter().zip(&narrow).find(|(wide, narrow)| wide.is_finite() && narrow.is_infinite());
        if let Some((value, _)) = overflow {
            return Err(GraphError::Overflow { value: *value });
        }
        Self::f32(shape, narrow)
    }

    /// A list of bytes, for an attribute.
    pub(super) fn bytes(values: Vec<u8>) -> Self {
        Self { shape: vec![values.len()], data: Data::U8(values) }
    }

    /// A list of doubles, for an attribute.
    pub(super) fn list(values: Vec<f64>) -> Self {
        Self { shape: vec![values.len()], data: Data::F64(values) }
    }

    /// A list of floats, for an attribute.
    pub(super) fn narrow_list(values: Vec<f32>) -> Self {
        Self { shape: vec![values.len()], data: Data::F32(values) }
    }

    fn checked(shape: &[usize], found: usize, data: Data) -> Result<Self, GraphError> {
        let expected = shape.iter().product();
        if found != expected {
            return Err(GraphError::Length { shape: shape.to_vec(), expected, found });
        }
        Ok(Self { shape: shape.to_vec(), data })
    }

    /// Its type, all of whose axes are known.
    pub fn kind(&self) -> TensorType {
        let element = match self.data {
            Data::Bool(_) => ElementType::Bool,
            Data::F32(_) => ElementType::F32,
            Data::F64(_) => ElementType::F64,
            Data::I64(_) => ElementType::I64,
            Data::Text(_) => ElementType::Text,
            Data::U8(_) => ElementType::U8,
        };
        TensorType { element, shape: self.shape.iter().map(|length| Dim::Fixed(*length)).collect() }
    }

    pub(super) fn proto(&self, name: &str) -> proto::Tensor {
        let (mut raw, mut texts) = (None, Vec::new());
        match &self.data {
            Data::F32(values) => raw = Some(values.iter().flat_map(|it| it.to_le_bytes()).collect()),
            Data::F64(values) => raw = Some(values.iter().flat_map(|it| it.to_le_bytes()).collect()),
            Data::I64(values) => raw = Some(values.iter().flat_map(|it| it.to_le_bytes()).collect()),
            Data::Bool(values) => raw = Some(values.iter().map(|it| u8::from(*it)).collect()),
            Data::U8(values) => raw = Some(values.clone()),
            Data::Text(values) => texts = values.iter().map(|it| it.clone().into_bytes()).collect(),
        }
        proto::Tensor {
            dims: self.shape.iter().map(|length| *length as i64).collect(),
            data_type: self.kind().element.code(),
            string_data: texts,
            name: name.to_owned(),
            raw_data: raw,
        }
    }
}
