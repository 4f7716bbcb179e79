//! What a client asks: tensors in JSON or as bytes behind it, and which outputs it wants.

use std::fmt;

use models::{
    registry::{Manifest, manifest::Port},
    tensor::{Element, Tensor, Values},
};
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

use super::{
    super::{body, failure::Failure},
    datatype, shown,
};

/// An inference request.
#[derive(Debug, Deserialize)]
struct Request {
    id: Option<String>,
    #[serde(default)]
    parameters: Parameters,
    inputs: Vec<Input>,
    #[serde(default)]
    outputs: Vec<Wanted>,
}

/// Those of the parameters that are known; the protocol leaves others to whoever knows them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Parameters {
    /// How many bytes of the body are this tensor.
    binary_data_size: Option<usize>,
    /// Whether this output is wanted as bytes.
    binary_data: Option<bool>,
    /// Whether all outputs are.
    binary_data_output: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Input {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(default)]
    parameters: Parameters,
    data: Option<Flat>,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
    #[serde(default)]
    parameters: Parameters,
}

/// Numbers and texts, row by row; nested lists are read as if they were one.
#[derive(Debug, Default)]
struct Flat(Vec<Scalar>);

#[derive(Debug)]
enum Scalar {
    Whole(i64),
    Real(f64),
    Text(String),
    /// JSON has no other word for what is not a number: a missing value.
    Missing,
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            Self::Text(text) => write!(f, "{:?}", shown(text)),
            Self::Missing => f.write_str("null"),
        }
    }
}

/// What an answer has to keep to.
pub(super) struct Wish {
    /// What the client calls its request.
    pub(super) id: Option<String>,
    /// The outputs that it wants.
    pub(super) outputs: Vec<Output>,
}

/// A request that was read, with the bytes of its tensors.
pub(super) struct Asked<'a> {
    request: Request,
    bytes: &'a [u8],
}

/// An output that is wanted: its place in the signature, and whether as bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) place: usize,
    pub(super) as_bytes: bool,
}

impl<'a> Asked<'a> {
    /// Reads a body of JSON, or of so many bytes of JSON and tensors behind them.
    pub(super) fn read(json_length: Option<&[u8]>, body: &'a [u8]) -> Result<Self, Failure> {
        let (json, bytes) = match json_length {
            None => (body, &[][..]),
            Some(length) => {
                let length = str::from_utf8(length).ok().and_then(|length| length.trim().parse().ok());
                length.and_then(|length| body.split_at_checked(length)).ok_or_else(|| {
                    let detail = "Inference-Header-Content-Length is not how many bytes of the body are JSON";
                    Failure::unprocessable("", detail)
                })?
            }
        };
        Ok(Self { request: body::from_json(json)?, bytes })
    }

    /// The tensors in the order of the model's signature, and what is wanted.
    pub(super) fn checked(self, manifest: &Manifest) -> Result<(Wish, Vec<Tensor>), Failure> {
        let (inputs, outputs) = (self.tensors(manifest)?, self.outputs(manifest)?);
        Ok((Wish { id: self.request.id, outputs }, inputs))
    }

    fn tensors(&self, manifest: &Manifest) -> Result<Vec<Tensor>, Failure> {
        let ports = &manifest.about.signature.inputs;
        let known = |input: &Input| ports.iter().any(|port| port.name == input.name);
        if let Some(place) = self.request.inputs.iter().position(|input| !known(input)) {
            let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
            let detail = format!("{} has no such input: it takes {}", manifest.model, names.join(", "));
            return Err(Failure::unprocessable(format!("/inputs/{place}/name"), detail));
        }
        let parts = self.parts()?;
        let read = ports.iter().map(|port| {
            let mut given = (0..).zip(&self.request.inputs).filter(|(_, input)| input.name == port.name);
            let Some((place, input)) = given.next() else {
                let detail = format!("{} takes the input {:?}, which is missing", manifest.model, port.name);
                return Err(Failure::unprocessable("/inputs", detail));
            };
            if let Some((again, _)) = given.next() {
                return Err(Failure::unprocessable(
                    format!("/inputs/{again}/name"),
                    "this input is there twice",
                ));
            }
            let at =
                |part: &str, detail: String| Failure::unprocessable(format!("/inputs/{place}{part}"), detail);
            input.tensor(port, parts[place]).map_err(|(part, detail)| at(part, detail))
        });
        read.collect()
    }

    /// The bytes of each input, where it has any.
    fn parts(&self) -> Result<Vec<Option<&'a [u8]>>, Failure> {
        let mut rest = self.bytes;
        let mut parts = Vec::new();
        for (place, input) in self.request.inputs.iter().enumerate() {
            let Some(size) = input.parameters.binary_data_size else {
                parts.push(None);
                continue;
            };
            let (part, behind) = rest.split_at_checked(size).ok_or_else(|| {
                let detail = format!("{size} bytes are announced, and {} are left of the body", rest.len());
                Failure::unprocessable(format!("/inputs/{place}/parameters/binary_data_size"), detail)
            })?;
            parts.push(Some(part));
            rest = behind;
        }
        if !rest.is_empty() {
            let detail = format!("{} bytes at the end of the body belong to no input", rest.len());
            return Err(Failure::unprocessable("", detail));
        }
        Ok(parts)
    }

    /// The outputs that are wanted: those that are named, or all.
    fn outputs(&self, manifest: &Manifest) -> Result<Vec<Output>, Failure> {
        let ports = &manifest.about.signature.outputs;
        let all = self.request.parameters.binary_data_output.unwrap_or(false);
        if self.request.outputs.is_empty() {
            return Ok((0..ports.len()).map(|place| Output { place, as_bytes: all }).collect());
        }
        let wanted = self.request.outputs.iter().enumerate().map(|(number, wanted)| {
            let place = ports.iter().position(|port| port.name == wanted.name).ok_or_else(|| {
                let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
                let detail = format!("{} has no such output: it gives {}", manifest.model, names.join(", "));
                Failure::unprocessable(format!("/outputs/{number}/name"), detail)
            })?;
            if self.request.outputs[..number].iter().any(|earlier| earlier.name == wanted.name) {
                let pointer = format!("/outputs/{number}/name");
                return Err(Failure::unprocessable(pointer, "this output is there twice"));
            }
            Ok(Output { place, as_bytes: wanted.parameters.binary_data.unwrap_or(all) })
        });
        wanted.collect()
    }
}

/// What is wrong with an input: which part of it, and a sentence.
type Wrong = (&'static str, String);

impl Input {
    fn tensor(&self, port: &Port, bytes: Option<&[u8]>) -> Result<Tensor, Wrong> {
        let taken = datatype(port.element);
        if self.datatype != taken {
            let given = shown(&self.datatype);
            return Err(("/datatype", format!("{:?} is {taken} and not {given:?}", port.name)));
        }
        if self.shape.len() != port.shape.len() {
            let (has, given) = (port.shape.len(), self.shape.len());
            return Err(("/shape", format!("{:?} has {has} dimensions, and {given} were given", port.name)));
        }
        let values = match (&self.data, bytes) {
            (Some(flat), None) => flat.values(port.element).map_err(|detail| ("/data", detail))?,
            (None, Some(bytes)) => from_bytes(bytes, port.element).map_err(|detail| ("/data", detail))?,
            _ => {
                return Err((
                    "/data",
                    "give the tensor either as data or as binary_data_size bytes".to_owned(),
                ));
            }
        };
        let holds = self.shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        holds.ok_or_else(|| ("/shape", "no tensor is so large".to_owned()))?;
        Tensor::new(self.shape.clone(), values).map_err(|error| ("/data", error.to_string()))
    }
}

impl Flat {
    fn values(&self, element: Element) -> Result<Values, String> {
        fn all<T>(flat: &Flat, kind: &str, read: impl Fn(&Scalar) -> Option<T>) -> Result<Vec<T>, String> {
            let read = |(place, scalar)| {
                read(scalar).ok_or_else(|| format!("number {place}, counted from 0, is no {kind}: {scalar}"))
            };
            flat.0.iter().enumerate().map(read).collect()
        }
        let real = |scalar: &Scalar| match scalar {
            Scalar::Whole(value) => Some(*value as f64),
            Scalar::Real(value) => Some(*value),
            Scalar::Missing => Some(f64::NAN),
            Scalar::Text(_) => None,
        };
        let kind = datatype(element);
        Ok(match element {
            Element::Float32 => Values::Float32(all(self, kind, |scalar| {
                let real = real(scalar)?;
                Some(real as f32).filter(|it| it.is_finite() || real.is_nan())
            })?),
            Element::Float64 => Values::Float64(all(self, kind, real)?),
            Element::Int64 => Values::Int64(all(self, kind, |scalar| match scalar {
                Scalar::Whole(value) => Some(*value),
                _ => None,
            })?),
            Element::Text => Values::Text(all(self, kind, |scalar| match scalar {
                Scalar::Text(text) => Some(text.clone()),
                _ => None,
            })?),
        })
    }
}

/// Numbers in little-endian order; texts each behind its length in four bytes.
fn from_bytes(bytes: &[u8], element: Element) -> Result<Values, String> {
    fn numbers<const N: usize, T>(bytes: &[u8], read: fn([u8; N]) -> T) -> Result<Vec<T>, String> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        if rest.is_empty() {
            return Ok(chunks.iter().map(|chunk| read(*chunk)).collect());
        }
        Err(format!("{} bytes are no whole number of {N} bytes each", bytes.len()))
    }
    Ok(match element {
        Element::Float32 => Values::Float32(numbers(bytes, f32::from_le_bytes)?),
        Element::Float64 => Values::Float64(numbers(bytes, f64::from_le_bytes)?),
        Element::Int64 => Values::Int64(numbers(bytes, i64::from_le_bytes)?),
        Element::Text => Values::Text(texts(bytes)?),
    })
}

fn texts(mut bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    while !bytes.is_empty() {
        let text = bytes.split_first_chunk::<4>().and_then(|(length, rest)| {
            rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
        });
        let (text, rest) = text.ok_or_else(|| format!("text {} ends before its length", texts.len()))?;
        let text = str::from_utf8(text).map_err(|_| format!("text {} is not UTF-8", texts.len()))?;
        texts.push(text.to_owned());
        bytes = rest;
    }
    Ok(texts)
}

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl<'de> Visitor<'de> for Whole {
            type Value = Flat;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers or texts")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Flat, A::Error> {
                let mut flat = Flat::default();
                while list.next_element_seed(Part(&mut flat.0))?.is_some() {}
                Ok(flat)
            }
        }
        deserializer.deserialize_seq(Whole)
    }
}

/// A part of the data: a value, or a list of parts, which are put behind those that were read.
struct Part<'a>(&'a mut Vec<Scalar>);

impl<'de> de::DeserializeSeed<'de> for Part<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text or a list of them")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.0.push(Scalar::Whole(value));
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.0.push(i64::try_from(value).map_or(Scalar::Real(value as f64), Scalar::Whole));
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.0.push(Scalar::Real(value));
        Ok(())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.0.push(Scalar::Text(value.to_owned()));
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.0.push(Scalar::Missing);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Part(&mut *self.0))?.is_some() {}
        Ok(())
    }
}
