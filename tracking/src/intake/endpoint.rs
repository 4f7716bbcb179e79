//! `GET` and `POST /postback/{advertiser}`: read, authenticate, take in, answer.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::TimeDelta;
use domain::{
    AdvertiserId,
    signature::{SignatureError, Verified},
};
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    AcceptError, Accepted, Act, Intake, Outcome, Postback, Report, accept, authenticate,
    fields::{self, Fields},
    keys::{self, KeysError},
    meters::{Fate, POSTBACKS},
    request::{self, ReadError},
};
use crate::{
    customer::Customers,
    problem::{FieldError, Problem},
    store::{
        self,
        postbacks::{self, Answered},
    },
};

/// A postback is a few hundred bytes; metadata may make it a few thousand.
const BODY_LIMIT: usize = 64 * 1024;
/// For this long the answer to a message is kept.
const MEMORY: TimeDelta = TimeDelta::hours(24);
/// A GET that does something must reach us each time.
const NOT_STORED: [(HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
/// Says that an answer is that of an earlier, equal message.
pub const REPLAYED: &str = "idempotent-replayed";

/// Where postbacks come in.
#[derive(Clone)]
struct Door {
    intake: Intake,
    customers: Arc<Customers>,
}

/// The routes of the intake, to be merged (not nested: the path is signed as it was requested). Lay
/// [`crate::problem::complete`] around them.
pub fn router(intake: Intake, customers: Arc<Customers>) -> Router {
    // HEAD is said to change nothing, so it must not reach the handler of GET.
    let refuse_head = || async { (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,POST")]) };
    Router::new()
        .route("/postback/{advertiser}", get(take_in).post(take_in).head(refuse_head))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Door { intake, customers })
}

/// Why a postback was not taken in. Nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum PostbackError {
    /// There is no such advertiser.
    #[error("there is no such advertiser")]
    UnknownAdvertiser,
    /// More bytes than a postback has.
    #[error("the body is too large")]
    TooLarge,
    /// The request cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Fields that cannot be accepted, whatever we know.
    #[error("fields cannot be accepted")]
    Fields(Vec<FieldError>),
    /// It is not the advertiser's, or not of now.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The advertiser's keys are of no use.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Another message has the same id.
    #[error("the message id belongs to another message")]
    MessageReused,
    /// It cannot be accepted, for what we know.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

impl IntoResponse for PostbackError {
    fn into_response(self) -> Response {
        let problem = Problem::from(self);
        let is_ours = problem.status().is_server_error();
        POSTBACKS.count(if is_ours { Fate::Failed } else { Fate::Refused });
        tracing::info!(code = problem.code(), "a postback was refused: {}", problem.code());
        problem.into_response()
    }
}

async fn take_in(
    State(door): State<Door>,
    Path(advertiser): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, PostbackError> {
    let body = body.map_err(|_| PostbackError::TooLarge)?;
    let advertiser = advertiser.parse().map_err(|_| PostbackError::UnknownAdvertiser)?;
    let message = request::read(uri.path(), uri.query().unwrap_or_default(), &headers, &body)?;
    let mut tx = store::begin(&door.intake.pool).await?;
    let checked = check(&door, &mut tx, advertiser, &message, &headers).await?;
    let act = act(&door.intake, &checked.report);
    let answered = answer(act, &mut tx, &checked).await;
    let (response, accepted) = match answered {
        Err(PostbackError::Accept(AcceptError::Undecided(error))) => {
            tx.rollback().await?;
            tx = store::begin(&door.intake.pool).await?;
            let answered = answer(act.undecided(), &mut tx, &checked).await?;
            if let (_, Some(accepted)) = &answered {
                accepted.log_undecided(advertiser, &error);
            }
            answered
        }
        answered => answered?,
    };
    tx.commit().await?;
    POSTBACKS.count(accepted.map_or(Fate::Replayed, |accepted| accepted.outcome.into()));
    Ok(response)
}

/// A message that is its advertiser's and can be read.
struct Checked {
    report: Report,
    /// The name under which each field was sent.
    sent_as: BTreeMap<&'static str, String>,
    verified: Verified,
    fingerprint: Fingerprint,
}

/// By what a message is known again.
struct Fingerprint {
    /// What is kept.
    keyed: Vec<u8>,
    /// What releases before this one kept.
    plain: Vec<u8>,
}

async fn check(
    Door { intake, customers }: &Door,
    db: &mut PgConnection,
    id: AdvertiserId,
    message: &request::Message<'_>,
    headers: &HeaderMap,
) -> Result<Checked, PostbackError> {
    let now = intake.clock.now();
    let advertiser = postbacks::advertiser(db, id, now).await?.ok_or(PostbackError::UnknownAdvertiser)?;
    let profile = advertiser.profile;
    let keys = keys::open_all(&intake.sealer, &advertiser.keys)?;
    let reserved = authenticate::reserved(profile);
    let reported = message.parameters.iter().filter(|(name, _)| !reserved.contains(&name.as_str()));
    let fields =
        Fields::sort(reported.cloned().collect(), &advertiser.aliases).map_err(PostbackError::Fields)?;
    let verified = authenticate::verify(profile, &keys, message, headers, &fields, now)?;
    let plain = authenticate::fingerprint(profile, &message.signed);
    let fingerprint = Fingerprint { keyed: customers.hiding().message(&plain).to_vec(), plain };
    let sent_as = fields.sent_as();
    let postback = Postback::read(fields, now, customers).map_err(PostbackError::Fields)?;
    Ok(Checked {
        report: Report { advertiser: id, postback, received_at: now },
        sent_as,
        verified,
        fingerprint,
    })
}

/// What the intake does for a report.
fn act<'a>(intake: &'a Intake, report: &Report) -> Act<'a> {
    Act {
        actor: Act::POSTBACK,
        at: report.received_at,
        clock: &intake.clock,
        chance: &intake.chance,
        is_report: true,
        note: "",
        judge: intake.judge.as_deref(),
    }
}

/// Answers a checked message once, and says what was taken in; the same message again gets the same answer.
async fn answer(
    act: Act<'_>,
    db: &mut PgConnection,
    checked: &Checked,
) -> Result<(Response, Option<Accepted>), PostbackError> {
    let Checked { report, sent_as, verified, fingerprint } = checked;
    let message_id = verified.message_id();
    let since = report.received_at - MEMORY;
    if let Some(earlier) = postbacks::answered(db, report.advertiser, message_id, since).await? {
        let is_same = [&fingerprint.keyed, &fingerprint.plain].contains(&&earlier.fingerprint);
        return if is_same { Ok((replay(&earlier), None)) } else { Err(PostbackError::MessageReused) };
    }
    let accepted = accept(db, act, report).await.map_err(|error| name(error, sent_as))?;
    let status = status(accepted.outcome);
    let body = serde_json::to_value(&accepted.answer).unwrap_or(Value::Null);
    let answered =
        Answered { fingerprint: fingerprint.keyed.clone(), status: i32::from(status.as_u16()), answer: body };
    let message = (report.advertiser, message_id);
    postbacks::remember(db, message, &answered, accepted.to_count, report.received_at).await?;
    log(report, &accepted);
    Ok((respond(&accepted, status), Some(accepted)))
}

/// Points at the field by the name under which it was sent.
fn name(error: AcceptError, sent_as: &BTreeMap<&'static str, String>) -> PostbackError {
    match error {
        AcceptError::Field { field, detail } => {
            let name = sent_as.get(field).map_or(field, String::as_str);
            PostbackError::Fields(vec![fields::error(name, detail)])
        }
        other => PostbackError::Accept(other),
    }
}

fn status(outcome: Outcome) -> StatusCode {
    match outcome {
        Outcome::Recorded | Outcome::Changed | Outcome::Repeated => StatusCode::OK,
        Outcome::Quarantined => StatusCode::ACCEPTED,
    }
}

fn log(report: &Report, accepted: &Accepted) {
    let Accepted { outcome, answer, .. } = accepted;
    let advertiser = report.advertiser;
    match answer.conversion_id {
        Some(conversion) => {
            let status = &answer.status;
            tracing::info!(%advertiser, %conversion, ?outcome, "conversion {conversion} of {advertiser} is {status}");
        }
        None => tracing::info!(%advertiser, ?outcome, "a postback of {advertiser} waits for its click"),
    }
}

fn respond(accepted: &Accepted, status: StatusCode) -> Response {
    let response = (status, NOT_STORED, Json(&accepted.answer)).into_response();
    if accepted.outcome == Outcome::Repeated { mark(response) } else { response }
}

fn replay(earlier: &Answered) -> Response {
    let status = u16::try_from(earlier.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    mark((status.unwrap_or(StatusCode::OK), NOT_STORED, Json(&earlier.answer)).into_response())
}

fn mark(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
