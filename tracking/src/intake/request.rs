//! A postback as HTTP brings it: a query, a form, or a JSON object, each parameter once.

use std::{collections::BTreeSet, fmt};

use axum::http::{HeaderMap, header};
use domain::signature::canonical::{Query, QueryError};
use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::fields::Sent;

/// What of a request may be signed, and what it says.
#[derive(Debug)]
pub(super) struct Message<'a> {
    /// The parameters in the order in which they came.
    pub parameters: Vec<(String, Sent)>,
    /// What a signature covers.
    pub signed: Signed<'a>,
}

/// What a signature covers.
#[derive(Debug)]
pub(super) enum Signed<'a> {
    /// The path and the query, of a GET or of a POST without a body.
    Query { path: &'a str, query: Query },
    /// The body of a POST, and its parameters if it is a form.
    Body { body: &'a [u8], form: Option<Query> },
}

/// Why a request cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The query or form cannot be decoded.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The form is not text.
    #[error("the form is not UTF-8")]
    Text,
    /// The body is not a JSON object that can be read in one way.
    #[error("the body is not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    /// The body is neither a form nor JSON.
    #[error("the body must be application/json or application/x-www-form-urlencoded")]
    MediaType,
}

/// Reads a request. With a body only the body counts; a POST without one is read like a GET.
pub(super) fn read<'a>(
    path: &'a str,
    query: &str,
    headers: &HeaderMap,
    body: &'a [u8],
) -> Result<Message<'a>, ReadError> {
    if body.is_empty() {
        let query = Query::parse(query)?;
        return Ok(Message { parameters: texts(&query), signed: Signed::Query { path, query } });
    }
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" => {
            let form = Query::parse(str::from_utf8(body).map_err(|_| ReadError::Text)?)?;
            Ok(Message { parameters: texts(&form), signed: Signed::Body { body, form: Some(form) } })
        }
        "application/json" => {
            let Object(parameters) = serde_json::from_slice(body)?;
            Ok(Message { parameters, signed: Signed::Body { body, form: None } })
        }
        _ => Err(ReadError::MediaType),
    }
}

fn texts(query: &Query) -> Vec<(String, Sent)> {
    query.pairs().map(|(name, text)| (name.to_owned(), Sent::Text(text.to_owned()))).collect()
}

/// A JSON object whose numbers keep their digits and whose names occur once: which of two values holds would
/// otherwise depend on who reads it.
struct Object(Vec<(String, Sent)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let (mut parameters, mut names) = (Vec::new(), BTreeSet::new());
        while let Some((name, raw)) = map.next_entry::<String, Box<RawValue>>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!("`{name}` is given twice")));
            }
            parameters.push((name, sent(&raw).map_err(A::Error::custom)?));
        }
        Ok(Object(parameters))
    }
}

fn sent(raw: &RawValue) -> Result<Sent, serde_json::Error> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).map(Sent::Text),
        Some(b'-' | b'0'..=b'9') => Ok(Sent::Number(text.to_owned())),
        _ => serde_json::from_str(text).map(Sent::Other),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::Value;

    use super::*;

    fn check(media_type: &'static str, body: &[u8], expected: Result<&[(&str, &str)], &str>) {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        let read = read("/p", "ignored=1", &headers, body).map_err(|error| place_apart(&error));
        let told = read.map(|message| {
            let told = message.parameters.into_iter().map(|(name, sent)| (name, format!("{sent:?}")));
            told.collect::<Vec<_>>()
        });
        let owned = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(name, sent)| ((*name).to_owned(), (*sent).to_owned())).collect()
        };
        assert_eq!(told, expected.map(owned).map_err(str::to_owned), "{}", String::from_utf8_lossy(body));
    }

    /// Where in the text the mistake was found is serde's to say.
    fn place_apart(error: &ReadError) -> String {
        error.to_string().split(" at line ").next().unwrap_or_default().to_owned()
    }

    #[test]
    fn json_keeps_digits_and_refuses_what_is_given_twice() {
        let json = "application/json; charset=utf-8";
        check(
            json,
            br#"{"amount": 49.990, "order_id": "A\u00e9", "x": [1], "y": null, "z": -0}"#,
            Ok(&[
                ("amount", r#"Number("49.990")"#),
                ("order_id", r#"Text("Aé")"#),
                ("x", "Other(Array [Number(1)])"),
                ("y", "Other(Null)"),
                ("z", r#"Number("-0")"#),
            ]),
        );
        check(
            json,
            br#"{"amount": 1, "\u0061mount": 2}"#,
            Err("the body is not a JSON object: `amount` is given twice"),
        );
        check(json, b"[1]", Err("the body is not a JSON object: invalid type: sequence, expected an object"));
        let deep = format!(r#"{{"x": {}1{}}}"#, "[".repeat(500), "]".repeat(500));
        check(json, deep.as_bytes(), Err("the body is not a JSON object: recursion limit exceeded"));
        assert_eq!(
            Sent::Other(Value::Null),
            sent(&RawValue::from_string("null".to_owned()).unwrap()).unwrap()
        );
    }

    #[test]
    fn a_form_is_decoded_like_a_query() {
        let form = "application/x-www-form-urlencoded";
        check(form, b"a=1+2&b=%C3%A9", Ok(&[("a", r#"Text("1 2")"#), ("b", r#"Text("é")"#)]));
        check(form, b"a=1&a=2", Err("`a` is given twice"));
        check(form, b"a=\xff", Err("the form is not UTF-8"));
        check(
            "text/plain",
            b"a=1",
            Err("the body must be application/json or application/x-www-form-urlencoded"),
        );
    }
}
