//! What an affiliate's own systems may do here: its API keys, and the addresses that are told what happens.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono::TimeDelta;
use domain::{
    AffiliateId, ApiKeyId, CampaignId,
    postback::{Macro, Occasion},
};
use serde::Deserialize;

use crate::{
    api::{
        partner_postbacks::{self, NewPartnerPostback},
        text::Name,
    },
    key::{Key, Mode},
    pages::{
        Pages,
        fault::{Fault, sentences},
        frame::{Frame, Place, rendered},
        session::{Posted, Visitor},
        words::{say, tell},
    },
    scope::Scope,
    store::{
        self,
        api_keys::ApiKey,
        partner_postbacks::{PartnerPostback, Wanted},
    },
};

/// So many keys of one affiliate are in use at once.
const KEYS_MAX: usize = 20;
/// What a form names a scope and an event by.
const SCOPE: &str = "scope.";
const EVENT: &str = "event.";

/// What was filled in.
type Filled = BTreeMap<String, String>;

struct KeyLine {
    id: String,
    name: String,
    scopes: String,
    made: String,
    used: Option<String>,
    ends: Option<String>,
}

struct PostbackLine {
    id: String,
    url: String,
    events: String,
    campaign: Option<String>,
    has_stopped: bool,
}

/// A box that can be ticked, or a line that can be chosen.
struct Choice {
    name: String,
    label: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "connections.html")]
struct Page {
    frame: Frame,
    keys: Vec<KeyLine>,
    fresh: Option<String>,
    scopes: Vec<Choice>,
    key: Refused,
    postbacks: Vec<PostbackLine>,
    events: Vec<Choice>,
    campaigns: Vec<Choice>,
    macros: Vec<&'static str>,
    postback: Refused,
}

/// What was just done.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    done: Option<String>,
}

/// A form that was not taken: what was filled in, and what does not fit.
#[derive(Default)]
struct Refused {
    filled: Filled,
    faults: Vec<String>,
}

impl Refused {
    /// Whether a box is ticked: as it was, or else as it is at first.
    fn is_ticked(&self, name: &str, at_first: bool) -> bool {
        if self.faults.is_empty() { at_first } else { self.filled.contains_key(name) }
    }

    /// What was filled in.
    fn said(&self, name: &str) -> &str {
        self.filled.get(name).map_or("", String::as_str)
    }
}

/// What goes with a page besides what is stored.
#[derive(Default)]
struct Beside {
    fresh: Option<String>,
    key: Refused,
    postback: Refused,
}

/// The keys and the addresses.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let mut page = page(&pages, &by, Beside::default()).await?;
    let done = match asked.done.as_deref() {
        Some("revoked") => Some(say("key-revoked")),
        Some("removed") => Some(say("postback-removed")),
        _ => None,
    };
    page.frame = page.frame.done(done);
    Ok(rendered(&page))
}

async fn page(pages: &Pages, by: &Visitor, beside: Beside) -> Result<Page, Fault> {
    let affiliate = by.affiliate()?;
    let mut db = pages.app.db.acquire().await?;
    let keys = store::api_keys::of_affiliate(&mut db, affiliate).await?;
    let wanted = Wanted { affiliate: Some(affiliate), ..Wanted::default() };
    let postbacks = store::partner_postbacks::list(&mut db, &wanted, i64::MAX).await?;
    let joined = store::dashboard::joined(&mut db, affiliate).await?;
    let name_of = |id: CampaignId| joined.iter().find(|one| one.id == id).map(|one| one.name.clone());
    let scope = |scope: Scope| {
        let name = format!("{SCOPE}{scope}");
        Choice { is_chosen: beside.key.is_ticked(&name, scope.is_reading()), name, label: scope.to_string() }
    };
    let event = |event: &Occasion| {
        let name = format!("{EVENT}{event}");
        Choice { is_chosen: beside.postback.is_ticked(&name, true), name, label: words(*event) }
    };
    let campaigns = joined.iter().map(|campaign| Choice {
        name: campaign.id.to_string(),
        label: campaign.name.clone(),
        is_chosen: beside.postback.said("campaign") == campaign.id.to_string(),
    });
    Ok(Page {
        frame: by.frame(Place::Connections),
        keys: keys.into_iter().map(|key| key_line(by, key)).collect(),
        scopes: Scope::of_affiliates().map(scope).collect(),
        events: Occasion::ALL.iter().map(event).collect(),
        campaigns: campaigns.collect(),
        macros: Macro::ALL.iter().map(|one| one.name()).collect(),
        postbacks: postbacks.into_iter().map(|one| line(one, name_of)).collect(),
        fresh: beside.fresh,
        key: beside.key,
        postback: beside.postback,
    })
}

fn key_line(by: &Visitor, key: ApiKey) -> KeyLine {
    let scopes: Vec<_> = key.scopes.iter().map(ToString::to_string).collect();
    KeyLine {
        id: key.id.to_string(),
        name: key.name,
        scopes: scopes.join(", "),
        made: by.reader.time(&key.created_at),
        used: key.last_used_at.map(|at| by.reader.time(&at)),
        ends: key.expires_at.map(|at| by.reader.time(&at)),
    }
}

fn line(postback: PartnerPostback, name_of: impl Fn(CampaignId) -> Option<String>) -> PostbackLine {
    let events: Vec<_> = postback.events.iter().map(|event| words(*event)).collect();
    PostbackLine {
        id: postback.id.to_string(),
        url: postback.url,
        events: events.join(", "),
        campaign: postback.campaign_id.map(|id| name_of(id).unwrap_or_else(|| id.to_string())),
        has_stopped: postback.stopped_at.is_some(),
    }
}

/// What an address is told of, in words.
pub fn words(event: Occasion) -> String {
    match event {
        Occasion::Created => say("told-created"),
        Occasion::Approved => say("told-approved"),
        Occasion::Rejected => say("told-rejected"),
        Occasion::Reversed => say("told-reversed"),
    }
}

/// Makes a key and shows it, this once; or says what to fill in otherwise.
pub async fn make_key(State(pages): State<Pages>, posted: Posted<Filled>) -> Result<Response, Fault> {
    let Posted { by, form: filled } = posted;
    let affiliate = by.affiliate()?;
    let (key, api_key) = match new_key(&pages, affiliate, &filled) {
        Ok(new) => new,
        Err(faults) => return key_refused(&pages, &by, Refused { filled, faults }).await,
    };
    let mut tx = pages.app.begin().await?;
    // One at a time, so that nobody has more than there may be.
    store::affiliates::lock(&mut tx, affiliate).await?;
    let others = store::api_keys::of_affiliate(&mut tx, affiliate).await?;
    let is_in_use = |key: &&ApiKey| key.expires_at.is_none_or(|end| api_key.created_at < end);
    if KEYS_MAX <= others.iter().filter(is_in_use).count() {
        tx.rollback().await?;
        let faults = vec![tell("key-too-many", &[("count", &KEYS_MAX.to_string())])];
        return key_refused(&pages, &by, Refused { filled, faults }).await;
    }
    store::api_keys::insert(&mut tx, &api_key, key.hash()).await?;
    let id = api_key.id.to_string();
    store::audit::note(&mut tx, &by.deed(&pages, "key.created", (&id, &api_key.name))).await?;
    tx.commit().await?;
    let beside = Beside { fresh: Some(key.reveal()), ..Beside::default() };
    Ok((StatusCode::CREATED, rendered(&page(&pages, &by, beside).await?)).into_response())
}

async fn key_refused(pages: &Pages, by: &Visitor, key: Refused) -> Result<Response, Fault> {
    let page = page(pages, by, Beside { key, ..Beside::default() }).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, rendered(&page)).into_response())
}

/// A key as it was filled in, or what does not fit.
fn new_key(pages: &Pages, affiliate: AffiliateId, filled: &Filled) -> Result<(Key, ApiKey), Vec<String>> {
    let app = &pages.app;
    let mut faults = Vec::new();
    let fault = |key: &str, detail: &str| tell("form-fault", &[("field", &say(key)), ("detail", detail)]);
    let name = filled.get("name").map_or("", String::as_str).trim().parse::<Name>();
    let name = name.map_err(|error| faults.push(fault("key-name", &error.to_string())));
    let scopes = filled.keys().filter_map(|name| name.strip_prefix(SCOPE)?.parse::<Scope>().ok());
    let scopes: Vec<_> = scopes.filter(|scope| scope.is_open_to_affiliates()).collect();
    if scopes.is_empty() {
        faults.push(say("key-no-scope"));
    }
    let days = filled.get("days").map(|days| days.trim().parse::<i64>());
    let days = days.transpose().ok().filter(|days| days.is_none_or(|days| (1..=3_650).contains(&days)));
    if days.is_none() {
        faults.push(say("key-bad-days"));
    }
    let (Ok(name), true) = (name, faults.is_empty()) else { return Err(faults) };
    let (key, now) = (Key::new(Mode::Live, &app.clock, &app.chance), app.clock.now());
    let api_key = ApiKey {
        id: key.id,
        name: name.into(),
        live: true,
        scopes,
        affiliate_id: Some(affiliate),
        created_at: now,
        expires_at: days.flatten().map(|days| now + TimeDelta::days(days)),
        revoked_at: None,
        last_used_at: None,
        requests_per_minute: None,
    };
    Ok((key, api_key))
}

/// Revokes a key: from now on it is not accepted.
pub async fn revoke_key(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    posted: Posted<Filled>,
) -> Result<Response, Fault> {
    let by = posted.by;
    let id: ApiKeyId = id.parse().map_err(|_| Fault::NotFound)?;
    let mut tx = pages.app.begin().await?;
    let own = store::api_keys::of_affiliate(&mut tx, by.affiliate()?).await?;
    let own = own.into_iter().find(|key| key.id == id).ok_or(Fault::NotFound)?;
    store::api_keys::revoke(&mut tx, id, pages.app.clock.now()).await?;
    store::audit::note(&mut tx, &by.deed(&pages, "key.revoked", (&id.to_string(), &own.name))).await?;
    tx.commit().await?;
    pages.app.keys.forget(id);
    Ok(Redirect::to("/my/connections?done=revoked").into_response())
}

/// Keeps an address that is told what happens, or says what to fill in otherwise.
pub async fn make_postback(State(pages): State<Pages>, posted: Posted<Filled>) -> Result<Response, Fault> {
    let Posted { by, form: filled } = posted;
    let affiliate = by.affiliate()?;
    let events = filled.keys().filter_map(|name| name.strip_prefix(EVENT)?.parse().ok());
    let campaign_id = filled.get("campaign").map(|id| id.parse()).transpose().map_err(|_| Fault::NotFound)?;
    let new = NewPartnerPostback {
        url: filled.get("url").map(|url| url.trim().to_owned()).unwrap_or_default(),
        events: events.collect(),
        campaign_id,
        signed: filled.contains_key("signed"),
    };
    let mut tx = pages.app.begin().await?;
    let failure = match partner_postbacks::make(&pages.app, &mut tx, affiliate, new).await {
        Ok(made) => {
            let id = made.id.to_string();
            store::audit::note(&mut tx, &by.deed(&pages, "postback.created", (&id, host(&made.url)))).await?;
            tx.commit().await?;
            return Ok(Redirect::to(&format!("/my/postbacks/{id}?done=made")).into_response());
        }
        Err(failure) => failure,
    };
    tx.rollback().await?;
    let Some(told) = sentences(&failure) else { return Err(failure.into()) };
    let faults = told.iter().map(|(field, detail)| postback_fault(field, detail)).collect();
    let beside = Beside { postback: Refused { filled, faults }, ..Beside::default() };
    let page = page(&pages, &by, beside).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, rendered(&page)).into_response())
}

/// Whom an address tells: the rest of it may hold a tracker's own secret.
pub fn host(url: &str) -> &str {
    url.split(['/', '?']).nth(2).unwrap_or_default()
}

fn postback_fault(field: &str, detail: &str) -> String {
    let field = match field.split('/').nth(1).unwrap_or_default() {
        "url" => say("postback-url"),
        "events" => say("postback-events"),
        "campaign_id" => say("campaign"),
        _ => return detail.to_owned(),
    };
    tell("form-fault", &[("field", &field), ("detail", detail)])
}
