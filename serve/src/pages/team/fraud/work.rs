//! What people do about a case by its forms: each carries the revision that was looked at, and nothing typed is lost.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::{CaseId, conversion::ReversalReason, fraud::cases::Outcome};
use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    case::{self, Refused},
    queue::{Asked, actor},
};
use crate::{
    api::{cases as api, text::Prose},
    cases::{self, Decider, Decision, Refusal, Wish, Work},
    pages::{
        Pages,
        fault::Fault,
        role::Role,
        session::{Posted, Visitor},
        words::{say, tell},
    },
    store,
};

/// What a form of a case does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It is mine from now on.
    Take,
    /// It is nobody's.
    Leave,
    /// A note for whoever looks next.
    Comment,
    /// A question to the partner.
    Ask,
    /// Nothing is wrong.
    Approve,
    /// It is turned down.
    Reject,
    /// It is held no more.
    Release,
    /// What another proposed is done.
    Confirm,
    /// What was proposed is not done.
    Refuse,
}

impl Act {
    const ALL: [Self; 9] = [
        Self::Take,
        Self::Leave,
        Self::Comment,
        Self::Ask,
        Self::Approve,
        Self::Reject,
        Self::Release,
        Self::Confirm,
        Self::Refuse,
    ];

    /// Its name in forms.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::Leave => "leave",
            Self::Comment => "comment",
            Self::Ask => "ask",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Release => "release",
            Self::Confirm => "confirm",
            Self::Refuse => "refuse",
        }
    }

    /// Whether the case may be decided after it.
    const fn decides(self) -> bool {
        matches!(self, Self::Approve | Self::Reject | Self::Release | Self::Confirm)
    }

    /// How the audit log has it.
    const fn deed(self) -> &'static str {
        match self {
            Self::Take | Self::Leave => "case.assigned",
            Self::Comment => "case.commented",
            Self::Ask => "case.asked",
            Self::Approve | Self::Reject | Self::Release => "case.decided",
            Self::Confirm => "case.confirmed",
            Self::Refuse => "case.refused",
        }
    }
}

/// A form of a case, filled in.
#[derive(Debug, Deserialize)]
pub struct Form {
    /// What it does.
    pub act: Act,
    /// The revision that was looked at.
    pub revision: i32,
    /// What was written.
    #[serde(default)]
    pub text: String,
    /// Why, where something is turned down.
    pub reason: Option<ReversalReason>,
    #[serde(default)]
    queue: String,
}

/// What was just done, in a sentence.
pub fn done(what: &str) -> Option<String> {
    if what == "batch" {
        return Some(say("done-batch"));
    }
    if what == "batch_proposed" {
        return Some(say("done-batch-proposed"));
    }
    if what == "proposed" {
        return Some(say("done-proposed"));
    }
    let act = Act::ALL.into_iter().find(|act| act.name() == what)?;
    Some(match act {
        Act::Take => say("done-take"),
        Act::Leave => say("done-leave"),
        Act::Comment => say("done-comment"),
        Act::Ask => say("done-ask"),
        Act::Approve => say("done-approve"),
        Act::Reject => say("done-reject"),
        Act::Release => say("done-release"),
        Act::Confirm => say("done-confirm"),
        Act::Refuse => say("done-refuse"),
    })
}

/// Why something is not done, as the person reads it.
pub fn words(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Stale { .. } => say("refused-stale"),
        Refusal::Decided(_) => say("refused-decided"),
        Refusal::Proposed(_) => say("refused-proposed"),
        Refusal::NotProposed(_) => say("refused-not-proposed"),
        Refusal::SamePerson(_) => say("refused-same-person"),
        Refusal::Reason => say("refused-reason"),
        Refusal::NobodyToAsk(_) => say("refused-nobody"),
        other => other.to_string(),
    }
}

/// Does what a form says, unless something happened since it was shown.
pub async fn act(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    posted: Posted<Form>,
) -> Result<Response, Fault> {
    let Posted { by, mut form } = posted;
    by.must(Role::reviews_fraud)?;
    let id: CaseId = id.parse().map_err(|_| Fault::NotFound)?;
    // Browsers send two characters for each end of a line.
    form.text = form.text.replace("\r\n", "\n");
    let asked = Asked::of(&form.queue);
    if let Err(why) = checked(&form) {
        return case::page(&pages, &by, (id, asked), Some(Refused { why, form })).await;
    }
    let mut tx = pages.app.begin().await?;
    match carry_out(&mut tx, &pages, &by, (id, &form)).await {
        Ok(()) => {}
        Err(Refusal::Unknown(_)) => return Err(Fault::NotFound),
        Err(Refusal::Store(error)) => return Err(error.into()),
        Err(refusal) => {
            tx.rollback().await?;
            let why = words(&refusal);
            return case::page(&pages, &by, (id, asked), Some(Refused { why, form })).await;
        }
    }
    let is_proposed = form.act.decides() && api::told(&mut tx, &pages.app, id).await?.case.proposal.is_some();
    let subject = id.to_string();
    let deed = by.deed(&pages, form.act.deed(), (&subject, form.act.name()));
    store::audit::note(&mut tx, &deed).await?;
    tx.commit().await?;
    let done = if is_proposed { "proposed" } else { form.act.name() };
    let query = form_urlencoded::Serializer::new(asked.query()).append_pair("done", done).finish();
    Ok(Redirect::to(&format!("/team/cases/{id}?{query}")).into_response())
}

/// Whether what was written can be kept, and is there where it has to be.
fn checked(form: &Form) -> Result<(), String> {
    let is_needed = matches!(form.act, Act::Comment | Act::Ask);
    if form.text.is_empty() && !is_needed {
        return Ok(());
    }
    let read = form.text.parse::<Prose>();
    read.map(drop)
        .map_err(|error| tell("form-fault", &[("field", &say("case-note")), ("detail", &error.to_string())]))
}

async fn carry_out(
    tx: &mut PgConnection,
    pages: &Pages,
    by: &Visitor,
    (id, form): (CaseId, &Form),
) -> Result<(), Refusal> {
    let (app, actor) = (&pages.app, actor(by));
    let decider = Decider { actor: &actor, clock: &app.clock, chance: &app.chance };
    let work = Work { case: id, seen: Some(form.revision), by: &actor, at: app.clock.now() };
    let decide = async |tx: &mut PgConnection, outcome, reason| {
        let decision = Decision { outcome, reason, note: form.text.clone() };
        let wish = Wish { case: id, revision: form.revision, decision };
        let refused = cases::decide(tx, decider, &[wish]).await;
        refused.map_err(|refused| {
            refused.into_iter().next().map_or(Refusal::Unknown(id), |(_, refusal)| refusal)
        })
    };
    match form.act {
        Act::Take => cases::assign(tx, work, Some(&actor)).await,
        Act::Leave => cases::assign(tx, work, None).await,
        Act::Comment => cases::comment(tx, work, &form.text).await,
        Act::Ask => cases::ask(tx, app, work, &form.text).await,
        Act::Approve => decide(tx, Outcome::Approve, None).await,
        Act::Reject => decide(tx, Outcome::Reject, form.reason).await,
        Act::Release => decide(tx, Outcome::Release, None).await,
        Act::Confirm => cases::confirm(tx, decider, (id, form.revision), &form.text).await,
        Act::Refuse => cases::refuse(tx, decider, (id, form.revision), &form.text).await,
    }
}
