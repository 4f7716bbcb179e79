//! What a model says, as its client wants it: in JSON, or as bytes behind it.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use models::{
    registry::{Manifest, ModelName},
    tensor::{Tensor, Values},
};
use serde::Serialize;

use super::{super::failure::Failure, JSON_LENGTH, asked::Wish, datatype};

#[derive(Serialize)]
struct Answer<'a> {
    model_name: &'a ModelName,
    model_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Said<'a>>,
}

#[derive(Serialize)]
struct Said<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

#[derive(Serialize)]
struct Size {
    binary_data_size: usize,
}

/// Row by row; JSON has null for what is not a finite number.
#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Int64(&'a [i64]),
    Text(&'a [String]),
}

/// The answer: JSON alone, or with the bytes of outputs behind it.
pub(super) fn answer(wish: &Wish, (manifest, given): (&Manifest, &[Tensor])) -> Result<Response, Failure> {
    let mut bytes = Vec::new();
    let outputs = wish.outputs.iter().filter_map(|output| {
        let port = manifest.about.signature.outputs.get(output.place)?;
        let tensor = given.get(output.place)?;
        let begin = bytes.len();
        let data = if output.as_bytes {
            write(tensor, &mut bytes);
            None
        } else {
            Some(data(tensor))
        };
        let size = Size { binary_data_size: bytes.len() - begin };
        let (name, parameters) = (port.name.as_str(), output.as_bytes.then_some(size));
        Some(Said { name, datatype: datatype(tensor.element()), shape: tensor.shape(), parameters, data })
    });
    let answer = Answer {
        outputs: outputs.collect(),
        model_name: &manifest.model,
        model_version: manifest.version.to_string(),
        id: wish.id.as_deref(),
    };
    if !wish.outputs.iter().any(|output| output.as_bytes) {
        return Ok(Json(answer).into_response());
    }
    let mut body = serde_json::to_vec(&answer)?;
    let length = HeaderValue::from(body.len());
    body.append(&mut bytes);
    let kind = HeaderValue::from_static("application/octet-stream");
    let headers = [(header::CONTENT_TYPE, kind), (HeaderName::from_static(JSON_LENGTH), length)];
    Ok((headers, body).into_response())
}

fn data(tensor: &Tensor) -> Data<'_> {
    match tensor.values() {
        Values::Float32(values) => Data::Float32(values),
        Values::Float64(values) => Data::Float64(values),
        Values::Int64(values) => Data::Int64(values),
        Values::Text(values) => Data::Text(values),
    }
}

/// Numbers in little-endian order; texts each behind its length in four bytes.
fn write(tensor: &Tensor, bytes: &mut Vec<u8>) {
    match tensor.values() {
        Values::Float32(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Values::Float64(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Values::Int64(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Values::Text(values) => {
            for text in values {
                // A text of 4 GiB does not come out of a graph.
                bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
    }
}
