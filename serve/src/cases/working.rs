//! Cases are worked on: given to somebody, commented, and their partners asked.

use chrono::{DateTime, Utc};
use domain::{
    CaseId,
    fraud::cases::{Actor, CaseState},
};
use serde_json::json;
use sqlx::PgConnection;

use super::deciding::Refusal;
use crate::{
    app::App,
    store::{
        case_events::{self, NewEvent},
        cases::{self, Case},
        outbox::announce,
    },
};

/// Who works on a case, and when.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// Which case.
    pub case: CaseId,
    /// The revision that was looked at; none where it does not matter.
    pub seen: Option<i32>,
    /// Who.
    pub by: &'a Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Gives a case to somebody, or to nobody.
///
/// # Errors
/// When it is decided, or something happened since it was looked at.
pub async fn assign(db: &mut PgConnection, work: Work<'_>, to: Option<&Actor>) -> Result<(), Refusal> {
    let case = locked(db, work).await?;
    let state = match (case.state, to) {
        (CaseState::Decided, _) => return Err(Refusal::Decided(case.id)),
        (CaseState::Open, Some(_)) => CaseState::InReview,
        (CaseState::InReview, None) => CaseState::Open,
        (state, _) => state,
    };
    case_events::assign(db, case.id, to, state).await?;
    let event =
        NewEvent { kind: "assigned", actor: work.by, note: "", detail: json!({"to": to}), at: work.at };
    Ok(case_events::append(db, case.id, &event).await?)
}

/// Says something about a case for whoever looks at it next.
///
/// # Errors
/// When something happened since it was looked at.
pub async fn comment(db: &mut PgConnection, work: Work<'_>, note: &str) -> Result<(), Refusal> {
    let case = locked(db, work).await?;
    let event = NewEvent { kind: "commented", actor: work.by, note, detail: json!({}), at: work.at };
    Ok(case_events::append(db, case.id, &event).await?)
}

/// Asks the partner something about a case, which waits for the answer.
///
/// # Errors
/// When nobody is there to be asked, it is decided, or something happened since it was looked at.
pub async fn ask(db: &mut PgConnection, app: &App, work: Work<'_>, note: &str) -> Result<(), Refusal> {
    let case = locked(db, work).await?;
    let affiliate = case.affiliate_id.ok_or(Refusal::NobodyToAsk(case.id))?;
    if case.state != CaseState::Waiting {
        case_events::put(db, case.id, case.state.to(CaseState::Waiting)?).await?;
    }
    let detail = json!({"affiliate_id": affiliate});
    let event = NewEvent { kind: "asked", actor: work.by, note, detail, at: work.at };
    case_events::append(db, case.id, &event).await?;
    let told = json!({"id": case.id, "affiliate_id": affiliate, "question": note});
    Ok(announce(db, app, "case.asked", case.id, &told).await?)
}

/// The case, locked until the end of the transaction.
pub(super) async fn locked(db: &mut PgConnection, work: Work<'_>) -> Result<Case, Refusal> {
    cases::lock(db, &[work.case.uuid()]).await?;
    let case = cases::find(db, work.case).await?.ok_or(Refusal::Unknown(work.case))?;
    match work.seen {
        Some(seen) if seen != case.revision => {
            Err(Refusal::Stale { case: case.id, now: case.revision, seen })
        }
        _ => Ok(case),
    }
}
