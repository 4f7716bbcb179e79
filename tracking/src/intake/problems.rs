//! Every refusal of the intake as the problem that its sender reads.

use axum::http::StatusCode;
use domain::signature::SignatureError;

use super::{accept::AcceptError, endpoint::PostbackError, fields, request::ReadError};
use crate::{problem::Problem, store};

/// How soon it is worth trying again after the database failed for a moment.
const RETRY_AFTER_S: u32 = 2;

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Field { field, detail } => invalid(vec![fields::error(field, detail)]),
            AcceptError::Illegal(error) => illegal_move(&error),
            AcceptError::AmountStays(_) => illegal_move(&error),
            AcceptError::Undecided(error) | AcceptError::Store(error) => from_store(&error),
        }
    }
}

impl From<PostbackError> for Problem {
    fn from(error: PostbackError) -> Self {
        match error {
            PostbackError::UnknownAdvertiser => {
                Self::new(StatusCode::NOT_FOUND, "unknown_advertiser", "Unknown advertiser")
            }
            PostbackError::TooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The postback is too large")
            }
            PostbackError::Read(error) => unreadable(&error),
            PostbackError::Fields(errors) => invalid(errors),
            PostbackError::Signature(error) => refused(&error),
            PostbackError::MessageReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "message_id_reused",
                "This message id belongs to another message",
            )
            .detail("send the same message under its id, or another message under an id of its own"),
            PostbackError::Accept(error) => error.into(),
            PostbackError::Store(error) => from_store(&error),
            PostbackError::Keys(error) => {
                tracing::error!(%error, "postbacks cannot be checked: {error}");
                Self::internal()
            }
        }
    }
}

fn invalid(errors: Vec<crate::problem::FieldError>) -> Problem {
    let problem = Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_postback",
        "The postback has fields that cannot be accepted",
    );
    errors.into_iter().fold(problem, |problem, error| problem.error(error.pointer, error.detail))
}

fn illegal_move(error: &dyn std::error::Error) -> Problem {
    Problem::new(StatusCode::CONFLICT, "illegal_move", "The conversion cannot move there")
        .detail(error.to_string())
}

fn unreadable(error: &ReadError) -> Problem {
    let problem = match error {
        ReadError::MediaType => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body's media type is not served",
        ),
        ReadError::Query(_) | ReadError::Text | ReadError::Json(_) => {
            Problem::new(StatusCode::BAD_REQUEST, "malformed_postback", "The postback cannot be read")
        }
    };
    problem.detail(error.to_string())
}

/// What cannot be read is the sender's mistake; what can be read and is not believed is forbidden.
fn refused(error: &SignatureError) -> Problem {
    let status = if error.is_malformed() { StatusCode::BAD_REQUEST } else { StatusCode::FORBIDDEN };
    let title = match error {
        SignatureError::Expired(_) => "Timestamp expired",
        SignatureError::NotYet(_) => "Timestamp in the future",
        SignatureError::MalformedTimestamp => "Malformed timestamp",
        SignatureError::MalformedMessageId => "Malformed message id",
        _ => "Invalid signature",
    };
    Problem::new(status, error.code(), title).detail(error.to_string())
}

/// A database that is away or too busy comes back; anything else is ours to look into.
pub(super) fn from_store(error: &sqlx::Error) -> Problem {
    if store::is_passing(error) {
        tracing::warn!(%error, "the database is not able to serve: {error}");
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not able to serve right now")
            .retry_after_s(RETRY_AFTER_S);
    }
    tracing::error!(%error, "a query failed: {error}");
    Problem::internal()
}
