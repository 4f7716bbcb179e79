//! HTTP for the object store: the connections and the TLS that the rest of Tributary has, no second client, and no wait
//! without an end.

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector as Tcp},
    rt::TokioExecutor,
};
use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use tokio::time::{Instant, Sleep, sleep, timeout};

const CONNECTING: Duration = Duration::from_secs(5);
/// How long an answer may take to begin, or its next piece, and for each of so many bytes that are sent.
const ANSWERING: Duration = Duration::from_secs(60);
const BYTES_A_SECOND: u64 = 256 << 10;
/// The same for a store that has never answered. Whatever is wrong then is more likely the address than the moment.
const FIRST_ANSWERING: Duration = Duration::from_secs(15);
/// How long a store that has never answered is tried.
const UNHEARD: Duration = Duration::from_secs(5);
/// How long one that has answered before is tried.
const PATIENCE: Duration = Duration::from_secs(180);

/// What fails for a moment is tried again until the patience is at its end, not a number of times.
pub(crate) fn retries() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: 10_000, retry_timeout: PATIENCE }
}

/// Makes clients that speak HTTP/1.1 with ring and the system's certificates.
#[derive(Debug)]
pub(crate) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECTING));
        let tls = HttpsConnectorBuilder::new().with_native_roots();
        let tls = tls.map_err(|error| object_store::Error::Generic { store: "S3", source: error.into() })?;
        let client = Client::builder(TokioExecutor::new());
        let client = client.build(tls.https_or_http().enable_http1().wrap_connector(tcp));
        Ok(HttpClient::new(Hyper {
            client,
            has_answered: AtomicBool::new(false),
            first_try: OnceLock::new(),
        }))
    }
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("{at} cannot be reached ({})", innermost(source))]
    Unreachable { at: String, source: legacy::Error },
    #[error("{at} does not answer")]
    Silent { at: String },
    #[error("{at} broke the connection ({})", innermost(source.as_ref()))]
    Broken { at: String, source: Box<dyn Error + Send + Sync> },
}

/// The first cause, which says most.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[derive(Debug)]
struct Hyper {
    client: Client<HttpsConnector<Tcp>, HttpRequestBody>,
    has_answered: AtomicBool,
    first_try: OnceLock<Instant>,
}

#[async_trait]
impl HttpService for Hyper {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let at = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let first_try = *self.first_try.get_or_init(Instant::now);
        let has_answered = self.has_answered.load(Ordering::Relaxed);
        let begins = if has_answered { ANSWERING } else { FIRST_ANSWERING };
        let sending = Duration::from_secs(request.body().content_length() as u64 / BYTES_A_SECOND);
        let why = match timeout(begins + sending, self.client.request(request)).await {
            Ok(Ok(answer)) => {
                self.has_answered.store(true, Ordering::Relaxed);
                let (head, body) = answer.into_parts();
                let body = Patient { at, body, late: Box::pin(sleep(ANSWERING)) };
                return Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)));
            }
            Ok(Err(source)) if source.is_connect() => Unanswered::Unreachable { at, source },
            Ok(Err(source)) => Unanswered::Broken { at, source: source.into() },
            Err(_) => Unanswered::Silent { at },
        };
        // Whatever we ask may be asked twice: `Bucket::put` recognises what it wrote before.
        let again = may_answer_yet(has_answered, first_try.elapsed()) && is_momentary(&why);
        let kind = if again { HttpErrorKind::Request } else { HttpErrorKind::Unknown };
        Err(HttpError::new(kind, why))
    }
}

/// Whether a store that was tried for so long is worth another attempt.
fn may_answer_yet(has_answered: bool, tried_for: Duration) -> bool {
    has_answered || tried_for < UNHEARD
}

/// Whether it may go well when it is tried again.
fn is_momentary(why: &Unanswered) -> bool {
    let Unanswered::Broken { source, .. } = why else { return true };
    let mut cause: Option<&(dyn Error + 'static)> = Some(source.as_ref());
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            let is_broken =
                error.is_closed() || error.is_incomplete_message() || error.is_body_write_aborted();
            if is_broken || error.is_timeout() {
                return true;
            }
        }
        if let Some(
            io::ErrorKind::TimedOut
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof,
        ) = error.downcast_ref::<io::Error>().map(io::Error::kind)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// An answer whose next piece is not awaited forever.
struct Patient {
    at: String,
    body: Incoming,
    late: Pin<Box<Sleep>>,
}

impl Body for Patient {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        let at = || this.at.clone();
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) else {
            let silent = |()| Err(HttpError::new(HttpErrorKind::Timeout, Unanswered::Silent { at: at() }));
            return this.late.as_mut().poll(context).map(silent).map(Some);
        };
        this.late.as_mut().reset(Instant::now() + ANSWERING);
        let broken = |source: hyper::Error| {
            let why = Unanswered::Broken { at: at(), source: source.into() };
            HttpError::new(HttpErrorKind::Interrupted, why)
        };
        Poll::Ready(frame.map(|frame| frame.map_err(broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_store_that_has_answered_before_is_waited_for_longer() {
        assert!(may_answer_yet(true, UNHEARD * 10));
        assert!(may_answer_yet(false, UNHEARD / 2));
        assert!(!may_answer_yet(false, UNHEARD));
    }
}
