//! What a store's refusal means to whoever has to mend it.

use std::{error::Error as _, io};

use object_store::Error;

use crate::connection::Unanswered;

/// Where machines in a cloud ask which role they have.
const ROLES: &str = "169.254.";

/// A failure as one sentence, with what the store said behind it.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Failure {
    text: String,
    source: Error,
}

/// What went wrong, and what mends it.
pub(crate) fn failure(bucket: &str, error: Error) -> io::Error {
    let (kind, text) = said(bucket, &error);
    io::Error::new(kind, Failure { text, source: error })
}

fn said(bucket: &str, error: &Error) -> (io::ErrorKind, String) {
    let whole = error.to_string();
    if let Some(why) = unanswered(error) {
        let kind = match why {
            Unanswered::Unreachable { .. } => io::ErrorKind::NotConnected,
            Unanswered::Silent { .. } => io::ErrorKind::TimedOut,
            Unanswered::Broken { .. } => io::ErrorKind::ConnectionAborted,
        };
        let mend = if why.to_string().starts_with(ROLES) {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role"
        } else {
            "check AWS_ENDPOINT_URL and AWS_REGION, the network, and the store"
        };
        return (kind, format!("{why}: {mend}"));
    }
    let refused = |code: &str, mend: &str| {
        (io::ErrorKind::PermissionDenied, format!("the store refuses ({code}): {mend}"))
    };
    // Not by the variant first: a list is never refused in another way than generically.
    match code(&whole) {
        Some("NoSuchBucket") => return nowhere(bucket),
        Some(code @ ("InvalidAccessKeyId" | "SignatureDoesNotMatch")) => {
            return refused(code, "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
        }
        Some(code @ ("InvalidToken" | "ExpiredToken")) => {
            return refused(code, "check AWS_SESSION_TOKEN, or unset it");
        }
        Some(code @ "RequestTimeTooSkewed") => return refused(code, "set this machine's clock"),
        Some(code @ "AccessDenied") => {
            return refused(code, "the key must be allowed to list, read, write and delete there");
        }
        _ => {}
    }
    match error {
        Error::NotFound { .. } => nowhere(bucket),
        // Where nothing is asked for but whether something is there, nothing says why.
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => refused(
            code(&whole).unwrap_or("403 or 401"),
            "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they are allowed to do there",
        ),
        _ => (io::ErrorKind::Other, whole),
    }
}

/// Not `NotFound`, which is what a file is that has gone, and no reason to stop.
fn nowhere(bucket: &str) -> (io::ErrorKind, String) {
    (io::ErrorKind::InvalidInput, format!("there is no bucket {bucket}: make it, or correct the address"))
}

fn unanswered(error: &Error) -> Option<&Unanswered> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(why) = error.downcast_ref() {
            return Some(why);
        }
        cause = error.source();
    }
    None
}

/// The code in what S3 answers: `<Error><Code>AccessDenied</Code>…`.
fn code(answer: &str) -> Option<&str> {
    let (_, rest) = answer.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}
