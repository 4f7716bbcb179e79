//! One case on one screen: why it is held, what hangs on it, who it is about, and the forms that decide it.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use domain::{
    CaseId,
    fraud::cases::{Actor, CaseState, Family, Proposal},
};
use sqlx::PgConnection;

use super::{
    Choice, decided,
    queue::{self, Asked, Line},
    reasons,
    rings::{self, Pair},
    seen::{self, Answered, Happened, Seen},
    who,
    work::{self, Act, Form},
};
use crate::{
    api::{cases as api, rings::RingShown},
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        reader::Reader,
        session::Visitor,
        words::say,
    },
    store,
};

/// The neighbours of a case are looked for among so many.
const NEAR: i64 = 200;

/// What stood against a form that was sent, which is shown again with all that was typed.
pub struct Refused {
    /// Why, in a sentence.
    pub why: String,
    /// What was filled in.
    pub form: Form,
}

/// A decision that waits for a second person.
struct Proposed {
    what: String,
    by: String,
    at: String,
    note: String,
    is_own: bool,
}

impl Proposed {
    fn of(proposal: &Proposal, me: &Actor, reader: &Reader) -> Self {
        Self {
            what: decided(Some(proposal.outcome), proposal.reason),
            by: who(&proposal.by),
            at: reader.time(&proposal.at),
            note: proposal.note.clone(),
            is_own: proposal.by.is(me),
        }
    }
}

/// The ring of the partner.
struct InRing {
    id: String,
    picture: String,
    names: Vec<String>,
    pairs: Vec<Pair>,
}

impl InRing {
    fn of(ring: &RingShown, reader: &Reader) -> Self {
        let (drawing, pairs) = (rings::drawing(ring), rings::pairs(ring, reader));
        let picture = drawing.svg(&say("ring-picture"));
        Self { id: ring.id.to_string(), picture, names: drawing.names, pairs }
    }
}

#[derive(Template)]
#[template(path = "case.html")]
struct CasePage {
    frame: Frame,
    line: Line,
    affiliate: Option<String>,
    query: String,
    revision: i32,
    assignee: Option<String>,
    is_mine: bool,
    due: String,
    told_partner: &'static str,
    outcome: String,
    seen: Vec<Seen>,
    answers: Vec<Answered>,
    happened: Vec<Happened>,
    similar: Vec<Line>,
    ring: Option<InRing>,
    proposed: Option<Proposed>,
    reasons: Vec<Choice>,
    before: Option<String>,
    after: Option<String>,
    may_decide: bool,
    refused: Option<Refused>,
    meanwhile: Vec<Happened>,
}

impl CasePage {
    /// What was typed into a form that was refused.
    fn typed(&self, act: &str) -> &str {
        let refused = self.refused.as_ref().filter(|refused| refused.form.act.name() == act);
        refused.map_or("", |refused| refused.form.text.as_str())
    }
}

/// The case.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let id: CaseId = id.parse().map_err(|_| Fault::NotFound)?;
    page(&pages, &by, (id, asked), None).await
}

/// The case as it is now; where a form was refused, with what happened meanwhile and what was typed.
pub async fn page(
    pages: &Pages,
    by: &Visitor,
    (id, asked): (CaseId, Asked),
    refused: Option<Refused>,
) -> Result<Response, Fault> {
    let (mut db, now) = (pages.app.db.acquire().await?, pages.app.clock.now());
    let detail = api::whole(&mut db, id, now).await?;
    let clicks = store::cases::clicks(&mut db, id).await?;
    let (before, after) = neighbours(&mut db, &asked, by, (id, now)).await?;
    let line = queue::lines(&mut db, by, (std::slice::from_ref(&detail.case), now)).await?.pop();
    let similar = queue::lines(&mut db, by, (&detail.similar, now)).await?;
    let me = queue::actor(by);
    let case = &detail.case.case;
    let seen_revision = refused.as_ref().map_or(case.revision, |refused| refused.form.revision);
    let query = asked.query();
    let to = |id: CaseId| {
        if query.is_empty() { format!("/team/cases/{id}") } else { format!("/team/cases/{id}?{query}") }
    };
    let status = if refused.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
    let chosen = refused
        .as_ref()
        .filter(|refused| refused.form.act == Act::Reject)
        .and_then(|refused| refused.form.reason);
    let page = CasePage {
        frame: by.frame(Place::Cases).done(work::done(&asked.done)),
        affiliate: case.affiliate_id.map(|id| id.to_string()),
        revision: case.revision,
        assignee: case.assignee.as_ref().map(who),
        is_mine: case.assignee.as_ref().is_some_and(|assignee| assignee.is(&me)),
        due: by.reader.time(&case.due_at),
        told_partner: Family::of(&case.reason).sentence(),
        outcome: if case.state == CaseState::Decided {
            decided(case.outcome, case.outcome_reason)
        } else {
            String::new()
        },
        seen: seen::conversions(&detail, &by.reader),
        answers: seen::answers(&detail, &by.reader),
        happened: seen::timeline(&detail, &clicks, &by.reader),
        similar,
        ring: detail.ring.as_ref().map(|ring| InRing::of(ring, &by.reader)),
        proposed: case.proposal.as_ref().map(|proposal| Proposed::of(proposal, &me, &by.reader)),
        reasons: reasons(chosen),
        before: before.map(to),
        after: after.map(to),
        may_decide: by.user.role.reviews_fraud(),
        meanwhile: seen::since(&detail, seen_revision, &by.reader),
        refused,
        line: line.ok_or(Fault::NotFound)?,
        query,
    };
    Ok((status, rendered(&page)).into_response())
}

/// What comes before and after a case in the queue; of one that is not in it, nothing and the first.
async fn neighbours(
    db: &mut PgConnection,
    asked: &Asked,
    by: &Visitor,
    (id, now): (CaseId, DateTime<Utc>),
) -> Result<(Option<CaseId>, Option<CaseId>), Fault> {
    let me = by.actor();
    let wanted = asked.wanted(&me)?;
    let near = store::cases::list(db, &wanted, now, NEAR).await?;
    let Some(place) = near.iter().position(|case| case.id == id) else {
        return Ok((None, near.first().map(|case| case.id)));
    };
    let before = place.checked_sub(1).and_then(|place| near.get(place));
    Ok((before.map(|case| case.id), near.get(place + 1).map(|case| case.id)))
}
