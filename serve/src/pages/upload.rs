//! Forms that bring a file along.

use std::collections::BTreeMap;

use axum::{
    body::{Body, to_bytes},
    extract::{
        FromRequest, FromRequestParts, Multipart, Request,
        multipart::{MultipartError, MultipartRejection},
    },
};
use bytes::Bytes;

use super::{Pages, fault::Fault, session::Visitor, words::tell};
use crate::api::materials::TAKEN_LIMIT;

/// What was filled in, by the names of fields.
pub type Filled = BTreeMap<String, String>;

/// A form with a file that somebody who signed in sent from a page of ours.
pub struct Uploaded {
    /// Who.
    pub by: Visitor,
    /// What was filled in.
    pub filled: Filled,
    /// The file, if one was chosen. What it is called and said to be is not believed, and so not kept.
    pub file: Option<Bytes>,
}

impl FromRequest<Pages> for Uploaded {
    type Rejection = Fault;

    async fn from_request(request: Request, pages: &Pages) -> Result<Self, Fault> {
        let (mut parts, body) = request.into_parts();
        let by = Visitor::from_request_parts(&mut parts, pages).await?;
        let limit = format!("{} KiB", TAKEN_LIMIT / 1024);
        let too_long = |_| Fault::Form(tell("upload-too-large", &[("limit", &limit)]));
        let bytes = to_bytes(body, TAKEN_LIMIT).await.map_err(too_long)?;
        let unread = |error: MultipartRejection| Fault::Form(error.body_text());
        let request = Request::from_parts(parts, Body::from(bytes));
        let multipart = Multipart::from_request(request, pages).await.map_err(unread)?;
        let (mut filled, file) = read(multipart).await?;
        let is_ours = filled.remove("csrf").is_some_and(|made| by.token().made(&made));
        if !is_ours {
            return Err(Fault::Forged);
        }
        Ok(Self { by, filled, file })
    }
}

/// Reads the fields and the last file that is not empty. What is empty was not filled in.
async fn read(mut multipart: Multipart) -> Result<(Filled, Option<Bytes>), Fault> {
    let unread = |error: MultipartError| Fault::Form(error.body_text());
    let (mut filled, mut file) = (Filled::new(), None);
    while let Some(field) = multipart.next_field().await.map_err(unread)? {
        let name = field.name().unwrap_or_default().to_owned();
        let is_file = field.file_name().is_some();
        let bytes = field.bytes().await.map_err(unread)?;
        if bytes.is_empty() {
            continue;
        }
        if is_file {
            file = Some(bytes);
            continue;
        }
        // The database takes every other character.
        let text = str::from_utf8(&bytes).ok().filter(|text| !text.contains('\0'));
        let text = text.ok_or_else(|| Fault::Form("it holds a character that is no text".to_owned()))?;
        if !text.trim().is_empty() {
            // Browsers send line ends of two characters, and count one.
            filled.insert(name, text.replace("\r\n", "\n"));
        }
    }
    Ok((filled, file))
}
