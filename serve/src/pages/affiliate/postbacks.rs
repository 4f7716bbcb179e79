//! One address of an affiliate's that is told what happens: what it was told, a trial, and its removal.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::TimeDelta;
use domain::{DeliveryId, PartnerPostbackId, postback::DeliveryState};
use serde::Deserialize;

use super::connections::{host, words};
use crate::{
    api::{
        failure::Failure,
        partner_postbacks::{find, no_more, trial},
    },
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        session::{Nothing, Posted, Visitor},
        words::{say, tell},
    },
    postbacks::attempt::tell as tell_address,
    store::{
        self,
        audit::note,
        partner_deliveries::{Delivery, Due},
    },
};

/// How many deliveries stand on a page.
const SHOWN: i64 = 50;
/// What a trial may take before a worker would try it: longer than an address has to answer.
const TRYING: TimeDelta = TimeDelta::minutes(5);

/// From where the list goes on, and what was just done.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    after: Option<String>,
    done: Option<String>,
}

struct Line {
    at: String,
    what: String,
    conversion: Option<String>,
    url: String,
    state: String,
    why: Option<String>,
    attempts: String,
    is_good: bool,
    is_bad: bool,
}

#[derive(Template)]
#[template(path = "postback.html")]
struct Page {
    frame: Frame,
    id: String,
    url: String,
    events: String,
    campaign: Option<String>,
    secret: Option<String>,
    stopped: Option<String>,
    lines: Vec<Line>,
    older: Option<String>,
}

/// The address, and what it was told lately.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let id: PartnerPostbackId = id.parse().map_err(|_| Fault::NotFound)?;
    let after: Option<DeliveryId> =
        asked.after.as_deref().map(str::parse).transpose().map_err(|_| Fault::NotFound)?;
    let affiliate = by.affiliate()?;
    let mut db = pages.app.db.acquire().await?;
    let postback = find(&mut db, id, Some(affiliate)).await?;
    let mut found = store::partner_deliveries::list(&mut db, id, after, SHOWN + 1).await?;
    let shown = usize::try_from(SHOWN).unwrap_or_default();
    let has_more = shown < found.len();
    found.truncate(shown);
    let older = found.last().filter(|_| has_more).map(|last| format!("/my/postbacks/{id}?after={}", last.id));
    let joined = store::dashboard::joined(&mut db, affiliate).await?;
    let name =
        |id| joined.iter().find(|one| one.id == id).map_or_else(|| id.to_string(), |one| one.name.clone());
    let done = match asked.done.as_deref() {
        Some("made") => Some(say("postback-made")),
        Some("tried") => Some(say("postback-tried")),
        _ => None,
    };
    let events: Vec<_> = postback.events.iter().map(|event| words(*event)).collect();
    let page = Page {
        frame: by.frame(Place::Connections).done(done),
        id: id.to_string(),
        events: events.join(", "),
        campaign: postback.campaign_id.map(name),
        secret: postback.signed.then(|| pages.app.courier.signing_key(id).reveal()),
        stopped: postback.stopped_at.map(|at| by.reader.time(&at)),
        url: postback.url,
        lines: found.into_iter().map(|one| line(&by, one)).collect(),
        older,
    };
    Ok(rendered(&page))
}

fn line(by: &Visitor, delivery: Delivery) -> Line {
    let due = delivery.due_at.map(|due| by.reader.time(&due)).unwrap_or_default();
    let state = match delivery.state {
        DeliveryState::Delivered => say("delivery-delivered"),
        DeliveryState::Waiting => tell("delivery-waiting", &[("at", &due)]),
        DeliveryState::Failed => say("delivery-failed"),
    };
    Line {
        at: by.reader.exact(&delivery.created_at),
        what: delivery.kind,
        conversion: delivery.conversion_id.map(|id| id.to_string()),
        url: delivery.url,
        is_good: delivery.state == DeliveryState::Delivered,
        is_bad: delivery.state == DeliveryState::Failed,
        state,
        why: delivery.failure.or_else(|| delivery.status.map(|status| status.to_string())),
        attempts: by.reader.number(delivery.attempts.into()),
    }
}

/// Tells the address something made up, at once.
pub async fn test(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    posted: Posted<Nothing>,
) -> Result<Response, Fault> {
    let (by, app) = (posted.by, &pages.app);
    let id: PartnerPostbackId = id.parse().map_err(|_| Fault::NotFound)?;
    // Whoever waits for an address that does not answer keeps a request open.
    let busy = || Failure::unavailable("too many addresses are being tried; try again in a moment");
    let _place = app.courier.place().ok_or_else(busy)?;
    let mut tx = app.begin().await?;
    let postback = find(&mut tx, id, Some(by.affiliate()?)).await?;
    let mut new = trial(app, &mut tx, &postback).await?;
    new.due_at = Ok(app.clock.now() + TRYING);
    store::partner_deliveries::insert(&mut tx, std::slice::from_ref(&new), app.clock.now()).await?;
    note(&mut tx, &by.deed(&pages, "postback.tried", (&id.to_string(), ""))).await?;
    tx.commit().await?;
    let due = Due {
        id: new.id,
        postback_id: id,
        affiliate_id: postback.affiliate_id,
        url: new.url,
        signed: postback.signed,
        is_trial: true,
        attempts: 1,
    };
    tell_address(&app.db, &app.courier, &due, (&app.clock, &app.chance)).await?;
    Ok(Redirect::to(&format!("/my/postbacks/{id}?done=tried")).into_response())
}

/// Removes the address.
pub async fn remove(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    posted: Posted<Nothing>,
) -> Result<Response, Fault> {
    let by = posted.by;
    let id: PartnerPostbackId = id.parse().map_err(|_| Fault::NotFound)?;
    let mut tx = pages.app.begin().await?;
    let postback = find(&mut tx, id, Some(by.affiliate()?)).await?;
    no_more(&mut tx, id, pages.app.clock.now()).await?;
    note(&mut tx, &by.deed(&pages, "postback.removed", (&id.to_string(), host(&postback.url)))).await?;
    tx.commit().await?;
    Ok(Redirect::to("/my/connections?done=removed").into_response())
}
