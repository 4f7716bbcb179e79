//! Numbers or texts in a shape, as they go into a model and come out of it, and as the manifest keeps them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a tensor holds, by numpy's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// 32-bit floating point.
    Float32,
    /// 64-bit floating point.
    Float64,
    /// Signed 64-bit integers.
    Int64,
    /// Texts: categories.
    #[serde(rename = "str")]
    Text,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int64 => "int64",
            Self::Text => "str",
        })
    }
}

/// What is in a tensor, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floating point.
    Float32(Vec<f32>),
    /// 64-bit floating point.
    Float64(Vec<f64>),
    /// Signed 64-bit integers.
    Int64(Vec<i64>),
    /// Texts.
    Text(Vec<String>),
}

impl Values {
    /// How much memory they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Float32(values) => size_of_val(values.as_slice()),
            Self::Float64(values) => size_of_val(values.as_slice()),
            Self::Int64(values) => size_of_val(values.as_slice()),
            Self::Text(values) => {
                size_of_val(values.as_slice()) + values.iter().map(String::len).sum::<usize>()
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Float32(values) => values.len(),
            Self::Float64(values) => values.len(),
            Self::Int64(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What kind they are.
    #[must_use]
    pub fn element(&self) -> Element {
        match self {
            Self::Float32(_) => Element::Float32,
            Self::Float64(_) => Element::Float64,
            Self::Int64(_) => Element::Int64,
            Self::Text(_) => Element::Text,
        }
    }

    /// The number at this place as a float: exact but for integers beyond 2⁵³; a text is none.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<f64> {
        match self {
            Self::Float32(values) => values.get(place).copied().map(f64::from),
            Self::Float64(values) => values.get(place).copied(),
            Self::Int64(values) => values.get(place).map(|value| *value as f64),
            Self::Text(_) => None,
        }
    }
}

/// Numbers or texts in a shape. A tensor cannot be made whose shape and number of values disagree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub struct Tensor {
    shape: Vec<usize>,
    values: Values,
}

/// Why numbers are no tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// Too many or too few numbers.
    #[error("a tensor of shape {shape:?} holds {} numbers, and there are {values}", shape.iter().product::<usize>())]
    Count {
        /// The shape.
        shape: Vec<usize>,
        /// How many numbers there are.
        values: usize,
    },
    /// A number that its kind cannot hold.
    #[error("{number} is no {element}")]
    Number {
        /// Which number.
        number: String,
        /// The kind.
        element: Element,
    },
}

impl Tensor {
    /// A tensor of this shape with these numbers, row by row.
    ///
    /// # Errors
    /// When the shape holds another number of them.
    pub fn new(shape: Vec<usize>, values: Values) -> Result<Self, TensorError> {
        if shape.iter().product::<usize>() != values.len() {
            return Err(TensorError::Count { shape, values: values.len() });
        }
        Ok(Self { shape, values })
    }

    /// Its shape; the first dimension counts rows.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its numbers, row by row.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// What kind of number it holds.
    #[must_use]
    pub fn element(&self) -> Element {
        self.values.element()
    }

    /// How many numbers belong to one row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.shape.iter().skip(1).product()
    }
}

/// A tensor in JSON. What JSON has no number for is written by its name, as Python's `float` reads it.
#[derive(Serialize, Deserialize)]
struct Written {
    element: Element,
    shape: Vec<usize>,
    values: Vec<Number>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(i64),
    Real(f64),
    Named(NotFinite),
    Text(String),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum NotFinite {
    #[serde(rename = "NaN")]
    NaN,
    Infinity,
    #[serde(rename = "-Infinity")]
    MinusInfinity,
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        if value.is_finite() {
            return if is_read_back(value) { Self::Real(value) } else { Self::Text(value.to_string()) };
        }
        Self::Named(match value {
            f64::INFINITY => NotFinite::Infinity,
            f64::NEG_INFINITY => NotFinite::MinusInfinity,
            _ => NotFinite::NaN,
        })
    }
}

/// Whether the number of JSON is read back bit for bit: the last of 17 digits may be lost, and such a number is written
/// as a text.
fn is_read_back(value: f64) -> bool {
    let read = serde_json::to_string(&value).and_then(|text| serde_json::from_str::<f64>(&text));
    read.is_ok_and(|read| read.to_bits() == value.to_bits())
}

impl NotFinite {
    fn name(self) -> &'static str {
        match self {
            Self::NaN => "NaN",
            Self::Infinity => "Infinity",
            Self::MinusInfinity => "-Infinity",
        }
    }
}

impl Number {
    fn wrong(self, element: Element) -> TensorError {
        let number = match self {
            Self::Whole(value) => value.to_string(),
            Self::Real(value) => value.to_string(),
            Self::Named(name) => name.name().to_owned(),
            Self::Text(text) => format!("{text:?}"),
        };
        TensorError::Number { number, element }
    }

    fn float(self, element: Element) -> Result<f64, TensorError> {
        match self {
            Self::Whole(value) => Ok(value as f64),
            Self::Real(value) => Ok(value),
            Self::Named(NotFinite::NaN) => Ok(f64::NAN),
            Self::Named(NotFinite::Infinity) => Ok(f64::INFINITY),
            Self::Named(NotFinite::MinusInfinity) => Ok(f64::NEG_INFINITY),
            Self::Text(text) => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(value),
                _ => Err(Self::Text(text).wrong(element)),
            },
        }
    }

    fn whole(self) -> Result<i64, TensorError> {
        match self {
            Self::Whole(value) => Ok(value),
            other => Err(other.wrong(Element::Int64)),
        }
    }

    fn text(self) -> Result<String, TensorError> {
        match self {
            Self::Text(text) => Ok(text),
            // A category may be called so too.
            Self::Named(name) => Ok(name.name().to_owned()),
            other => Err(other.wrong(Element::Text)),
        }
    }
}

impl From<Tensor> for Written {
    fn from(tensor: Tensor) -> Self {
        let element = tensor.element();
        let values = match tensor.values {
            Values::Float32(values) => values.into_iter().map(|value| f64::from(value).into()).collect(),
            Values::Float64(values) => values.into_iter().map(Number::from).collect(),
            Values::Int64(values) => values.into_iter().map(Number::Whole).collect(),
            Values::Text(values) => values.into_iter().map(Number::Text).collect(),
        };
        Self { element, shape: tensor.shape, values }
    }
}

impl TryFrom<Written> for Tensor {
    type Error = TensorError;

    fn try_from(written: Written) -> Result<Self, TensorError> {
        let (numbers, element) = (written.values.into_iter(), written.element);
        let floats = |number: Number| number.float(element);
        let values = match element {
            Element::Float32 => {
                Values::Float32(numbers.map(|it| Ok(floats(it)? as f32)).collect::<Result<_, TensorError>>()?)
            }
            Element::Float64 => Values::Float64(numbers.map(floats).collect::<Result<_, _>>()?),
            Element::Int64 => Values::Int64(numbers.map(Number::whole).collect::<Result<_, _>>()?),
            Element::Text => Values::Text(numbers.map(Number::text).collect::<Result<_, _>>()?),
        };
        Self::new(written.shape, values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(values: Values) -> Tensor {
        let tensor = Tensor::new(vec![values.len()], values).unwrap();
        serde_json::from_str(&serde_json::to_string(&tensor).unwrap()).unwrap()
    }

    proptest! {
        /// A parity vector or a raw feature is read back as it was, bit for bit, whatever it is.
        #[test]
        fn numbers_are_read_back_bit_for_bit(bits in prop::collection::vec(any::<u64>(), 0..40)) {
            let wide: Vec<f64> = bits.iter().map(|bits| f64::from_bits(*bits)).collect();
            let narrow: Vec<f32> = bits.iter().map(|bits| f32::from_bits(*bits as u32)).collect();
            let whole: Vec<i64> = bits.iter().map(|bits| *bits as i64).collect();
            let Values::Float64(read) = there_and_back(Values::Float64(wide.clone())).values else { panic!() };
            prop_assert!(wide.iter().zip(&read).all(|(one, two)| one.to_bits() == two.to_bits() || one.is_nan() && two.is_nan()));
            let Values::Float32(read) = there_and_back(Values::Float32(narrow.clone())).values else { panic!() };
            prop_assert!(narrow.iter().zip(&read).all(|(one, two)| one.to_bits() == two.to_bits() || one.is_nan() && two.is_nan()));
            prop_assert_eq!(there_and_back(Values::Int64(whole.clone())).values, Values::Int64(whole));
        }

        /// Also a category that is called like a number.
        #[test]
        fn texts_are_read_back_as_they_were(texts in prop::collection::vec(".*|NaN|-?Infinity|1|0.5", 0..20)) {
            prop_assert_eq!(there_and_back(Values::Text(texts.clone())).values, Values::Text(texts));
        }
    }

    #[test]
    fn a_shape_holds_as_many_numbers_as_it_says() {
        let error = Tensor::new(vec![2, 3], Values::Int64(vec![1; 5])).unwrap_err().to_string();
        assert_eq!(error, "a tensor of shape [2, 3] holds 6 numbers, and there are 5");
        let wrong = r#"{"element": "int64", "shape": [1], "values": [0.5]}"#;
        assert!(serde_json::from_str::<Tensor>(wrong).unwrap_err().to_string().contains("0.5 is no int64"));
        let wrong = r#"{"element": "float32", "shape": [1], "values": ["red"]}"#;
        assert!(
            serde_json::from_str::<Tensor>(wrong).unwrap_err().to_string().contains(r#""red" is no float32"#)
        );
    }
}
