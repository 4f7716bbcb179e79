//! One request to a provider, over TLS and HTTP/1.1, with an answer of bounded length.

use std::{error::Error, io};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::{
    provider::{Opinion, Question, Unread},
    settings::Settings,
};
use crate::outward::secured;

/// Answers are a few thousand bytes.
const ANSWER_LIMIT: usize = 256 << 10;

/// Why a provider said nothing. No message has anything in it that was sent, nor what was answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    /// Not within the time limit.
    #[error("does not answer within {0} ms")]
    Late(u128),
    /// It was not reached.
    #[error("cannot be reached")]
    Unreachable,
    /// It went away.
    #[error("broke its answer off")]
    Broken,
    /// It refused, or is in trouble.
    #[error("answers with the status {}", .0.as_u16())]
    Status(StatusCode),
    /// It says more than anybody asked.
    #[error("answers with more than {ANSWER_LIMIT} bytes")]
    Long,
    /// It says something else.
    #[error("cannot be understood: {0}")]
    Unread(#[from] Unread),
    /// Our own database did not say whether it may be asked.
    #[error("was not asked, because its budget could not be read")]
    Budget,
}

/// Sends requests; connections stay open between them. Cheap to clone.
#[derive(Clone)]
pub(super) struct Caller(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Caller {
    /// By the certificates that the system trusts.
    pub fn new() -> io::Result<Self> {
        let connector = secured(HttpConnector::new())?;
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Asks once, and follows nowhere.
    pub async fn ask(&self, settings: &Settings, question: &Question) -> Result<Opinion, Silence> {
        let body = (settings.provider.ask)(question).to_string();
        let request = Request::post(settings.endpoint.clone())
            .header(settings.provider.key_header, settings.key.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::from(body))
            .map_err(|_| Silence::Unreachable)?;
        let answer = self.0.request(request).await;
        let answer = answer.map_err(|error| match error.is_connect() {
            true => Silence::Unreachable,
            false => Silence::Broken,
        })?;
        if answer.status() != StatusCode::OK {
            return Err(Silence::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await.map_err(of_body)?;
        Ok((settings.provider.read)(&body.to_bytes())?)
    }
}

fn of_body(error: Box<dyn Error + Send + Sync>) -> Silence {
    if error.is::<LengthLimitError>() { Silence::Long } else { Silence::Broken }
}
