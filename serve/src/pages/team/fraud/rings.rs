//! Rings: partners who hang together, what they share, and what hangs on them.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use domain::RingId;
use serde::Deserialize;

use super::{
    drawing::Drawing,
    queue::{self, Line},
};
use crate::{
    api::{
        rings::{self as api, RingShown, RingState},
        text::Prose,
    },
    pages::{
        Pages,
        fault::{Fault, sentences},
        frame::{Frame, Place, rendered},
        live::amounts,
        reader::Reader,
        role::Role,
        session::{Posted, Visitor},
        words::{say, tell},
    },
    rings,
    store::{
        self,
        rings::{RingLink, Wanted},
    },
};

/// So many stand on a page.
const SHOWN: usize = 50;

/// Which rings are shown, and what was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    state: String,
    after: String,
    done: String,
}

struct Row {
    id: String,
    names: String,
    found: String,
    changed: String,
    density: String,
    shared: String,
    state: String,
    look: &'static str,
}

#[derive(Template)]
#[template(path = "rings.html")]
struct ListPage {
    frame: Frame,
    is_dissolved: bool,
    rows: Vec<Row>,
    more: Option<String>,
}

fn state(ring: &RingShown) -> (String, &'static str) {
    match (ring.state, ring.dissolved_because.as_deref()) {
        (RingState::Open, _) => (say("ring-open"), "held"),
        (RingState::Dissolved, Some("declared")) => (say("ring-declared"), "good"),
        (RingState::Dissolved, _) => (say("ring-apart"), "open"),
    }
}

/// The ring as a picture has it.
pub fn drawing(ring: &RingShown) -> Drawing {
    let place = |id| ring.members.iter().position(|member| member.affiliate_id == id);
    let joined =
        ring.links.iter().filter_map(|link| Some((place(link.from)?, place(link.to)?, link.surprise)));
    Drawing {
        names: ring.members.iter().map(|member| member.name.clone()).collect(),
        joined: joined.collect(),
    }
}

/// The pairs of a ring that are joined, as a table has them.
pub fn pairs(ring: &RingShown, reader: &Reader) -> Vec<Pair> {
    let name =
        |id| ring.members.iter().find(|member| member.affiliate_id == id).map_or("", |member| &member.name);
    let pair = |link: &RingLink| Pair {
        names: format!("{} – {}", name(link.from), name(link.to)),
        words: link.words.clone(),
        surprise: reader.decimal(link.surprise, 1),
    };
    ring.links.iter().map(pair).collect()
}

/// The rings, those found last first.
pub async fn list(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let is_dissolved = asked.state == "dissolved";
    let after = Some(asked.after).filter(|after| !after.is_empty());
    let after = after.map(|id| id.parse()).transpose().map_err(|_| Fault::NotFound)?;
    let wanted = Wanted { is_open: Some(!is_dissolved), after, ..Wanted::default() };
    let mut db = pages.app.db.acquire().await?;
    let mut found = api::listed(&mut db, &wanted, i64::try_from(SHOWN + 1).unwrap_or(i64::MAX)).await?;
    let has_more = SHOWN < found.len();
    found.truncate(SHOWN);
    let place = if is_dissolved { "state=dissolved&" } else { "" };
    let more = found.last().filter(|_| has_more).map(|last| format!("/team/rings?{place}after={}", last.id));
    let rows = found.iter().map(|ring| {
        let strongest = ring.links.iter().max_by(|one, other| one.surprise.total_cmp(&other.surprise));
        let (state, look) = state(ring);
        Row {
            id: ring.id.to_string(),
            names: ring.members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>().join(", "),
            found: by.reader.time(&ring.found_at),
            changed: by.reader.time(&ring.changed_at),
            density: by.reader.share(ring.density),
            shared: strongest.map(|link| link.words.clone()).unwrap_or_default(),
            state,
            look,
        }
    });
    Ok(rendered(&ListPage { frame: by.frame(Place::Rings), is_dissolved, rows: rows.collect(), more }))
}

struct Member {
    number: usize,
    id: String,
    name: String,
    shared: String,
    weight: String,
}

/// Two who are joined, and why.
pub struct Pair {
    pub names: String,
    pub words: String,
    pub surprise: String,
}

struct Revision {
    number: i32,
    at: String,
    members: usize,
    density: String,
}

/// What stood against a declaration, and what was typed.
struct Refused {
    faults: Vec<String>,
    note: String,
}

#[derive(Template)]
#[template(path = "ring.html")]
struct OnePage {
    frame: Frame,
    id: String,
    state: String,
    look: &'static str,
    is_open: bool,
    found: String,
    density: String,
    pending: String,
    held: String,
    picture: String,
    members: Vec<Member>,
    pairs: Vec<Pair>,
    lines: Vec<Line>,
    revisions: Vec<Revision>,
    faults: Vec<String>,
    note: String,
    may_decide: bool,
}

/// One ring.
pub async fn one(
    State(pages): State<Pages>,
    by: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let id: RingId = id.parse().map_err(|_| Fault::NotFound)?;
    let done = (asked.done == "declared").then(|| say("ring-done"));
    page(&pages, &by, (id, done), Refused { faults: Vec::new(), note: String::new() }).await
}

async fn page(
    pages: &Pages,
    by: &Visitor,
    (id, done): (RingId, Option<String>),
    Refused { faults, note }: Refused,
) -> Result<Response, Fault> {
    let (mut db, now) = (pages.app.db.acquire().await?, pages.app.clock.now());
    let detail = api::detail(&mut db, id, now).await?;
    let lines = queue::lines(&mut db, by, (&detail.cases, now)).await?;
    let ring = &detail.ring;
    let members = ring.members.iter().enumerate().map(|(place, member)| Member {
        number: place + 1,
        id: member.affiliate_id.to_string(),
        name: member.name.clone(),
        shared: member.shared.clone(),
        weight: by.reader.decimal(member.log_odds, 2),
    });
    let revisions = detail.revisions.iter().map(|one| Revision {
        number: one.revision,
        at: by.reader.time(&one.at),
        members: one.affiliates.len(),
        density: by.reader.share(one.density),
    });
    let (state, look) = state(ring);
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = OnePage {
        frame: by.frame(Place::Rings).done(done),
        id: id.to_string(),
        state,
        look,
        is_open: ring.state == RingState::Open,
        found: by.reader.time(&ring.found_at),
        density: by.reader.share(ring.density),
        pending: amounts(&by.reader, &detail.pending, "–"),
        held: amounts(&by.reader, &detail.held, "–"),
        picture: drawing(ring).svg(&say("ring-picture")),
        members: members.collect(),
        pairs: pairs(ring, &by.reader),
        lines,
        revisions: revisions.collect(),
        faults,
        note,
        may_decide: by.user.role.reviews_fraud(),
    };
    Ok((status, rendered(&page)).into_response())
}

/// Why partners are one business.
#[derive(Debug, Deserialize)]
pub struct Declared {
    #[serde(default)]
    note: String,
}

/// Says that the partners of a ring are one business.
pub async fn declare(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    posted: Posted<Declared>,
) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    by.must(Role::reviews_fraud)?;
    let id: RingId = id.parse().map_err(|_| Fault::NotFound)?;
    let note = form.note.replace("\r\n", "\n");
    if let Err(error) = note.parse::<Prose>() {
        let fault = tell("form-fault", &[("field", &say("ring-why")), ("detail", &error.to_string())]);
        return page(&pages, &by, (id, None), Refused { faults: vec![fault], note }).await;
    }
    let (app, subject) = (&pages.app, id.to_string());
    let mut tx = app.begin().await?;
    let declared = rings::declare(&mut tx, id, (&by.actor(), &note), app.clock.now(), &app.chance).await;
    if let Err(refused) = declared.map_err(crate::api::failure::Failure::from) {
        tx.rollback().await?;
        let Some(told) = sentences(&refused) else { return Err(refused.into()) };
        if let Fault::NotFound = Fault::from(refused) {
            return Err(Fault::NotFound);
        }
        let faults = told.into_iter().map(|(_, detail)| detail).collect();
        return page(&pages, &by, (id, None), Refused { faults, note }).await;
    }
    store::audit::note(&mut tx, &by.deed(&pages, "ring.declared", (&subject, ""))).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/team/rings/{id}?done=declared")).into_response())
}
