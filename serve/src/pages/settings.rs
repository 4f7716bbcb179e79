//! One's own settings: how numbers and times are written, and the password.

use askama::Template;
use axum::{
    Router,
    extract::{FromRequestParts, Query, Request, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use chrono_tz::{TZ_VARIANTS, Tz};
use num_format::Locale;
use serde::Deserialize;

use super::{
    Pages,
    fault::Fault,
    frame::{Frame, Place, rendered},
    password::{self, LONGEST, SHORTEST},
    session::{Posted, Visitor, filled_in},
    sign_in,
    words::{say, tell},
};
use crate::store;

/// The pages of everybody who signs in.
pub fn routes() -> Router<Pages> {
    Router::new()
        .route("/settings", get(show))
        .route("/settings/preferences", post(prefer))
        .route("/settings/password", post(change_password))
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Page {
    frame: Frame,
    email: String,
    locale: String,
    zone: String,
    zones: Vec<&'static str>,
    sample: String,
    has_password: bool,
    shortest: usize,
    faults: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    done: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Preferences {
    locale: String,
    zone: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Passwords {
    current: String,
    new: String,
    again: String,
}

async fn page(pages: &Pages, by: &Visitor, faults: Vec<String>) -> Result<Page, Fault> {
    let mut db = pages.app.db.acquire().await?;
    let kept = store::users::find(&mut db, &by.user.email).await?.ok_or(Fault::NotFound)?;
    let sample = by.reader.number(1_234_567);
    Ok(Page {
        frame: by.frame(Place::Settings),
        email: by.user.email.clone(),
        locale: by.user.locale.clone().unwrap_or_default(),
        zone: by.user.time_zone.clone(),
        zones: TZ_VARIANTS.iter().map(|zone| zone.name()).collect(),
        sample: format!("{sample} · {}", by.reader.time(&pages.app.clock.now())),
        has_password: kept.password_hash.is_some(),
        shortest: SHORTEST,
        faults,
    })
}

async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let mut page = page(&pages, &by, Vec::new()).await?;
    page.frame = page.frame.done(asked.done.map(|_| say("settings-done")));
    Ok(rendered(&page))
}

async fn prefer(State(pages): State<Pages>, posted: Posted<Preferences>) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    let mut faults = Vec::new();
    if !form.locale.is_empty() && Locale::from_name(form.locale.as_str()).is_err() {
        faults.push(tell("settings-no-locale", &[("locale", &form.locale)]));
    }
    if form.zone.parse::<Tz>().is_err() {
        faults.push(tell("settings-no-zone", &[("zone", &form.zone)]));
    }
    if !faults.is_empty() {
        let page = page(&pages, &by, faults).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, rendered(&page)).into_response());
    }
    let locale = Some(form.locale.as_str()).filter(|locale| !locale.is_empty());
    let mut db = pages.app.db.acquire().await?;
    store::users::prefer(&mut db, by.id(), (locale, &form.zone), pages.app.clock.now()).await?;
    Ok(Redirect::to("/settings?done=1").into_response())
}

/// Changes the password; every other session of the person ends.
async fn change_password(State(pages): State<Pages>, request: Request) -> Result<Response, Fault> {
    let (mut parts, body) = request.into_parts();
    let by = Visitor::from_request_parts(&mut parts, &pages).await?;
    let Passwords { current, new, again } = filled_in(body, by.token()).await?;
    let kept = {
        let mut db = pages.app.db.acquire().await?;
        store::users::find(&mut db, &by.user.email).await?.ok_or(Fault::NotFound)?
    };
    let mut faults = Vec::new();
    if kept.password_hash.is_some() {
        sign_in::count_tries(&pages, &by.user.email, by.network).await?;
        if !password::is_right(current, kept.password_hash).await {
            faults.push(say("settings-wrong-password"));
        }
    }
    if !(SHORTEST..=LONGEST).contains(&new.chars().count()) {
        faults.push(tell("settings-short-password", &[("count", &SHORTEST.to_string())]));
    } else if new != again {
        faults.push(say("settings-other-password"));
    }
    if !faults.is_empty() {
        let page = page(&pages, &by, faults).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, rendered(&page)).into_response());
    }
    let hash = password::hashed(new, &pages.app.chance).await;
    let mut tx = pages.app.begin().await?;
    store::users::set_password(&mut tx, by.id(), Some(&hash), pages.app.clock.now()).await?;
    store::sessions::end_all(&mut tx, by.id()).await?;
    store::audit::note(&mut tx, &by.deed(&pages, "password.changed", ("", ""))).await?;
    let begun = sign_in::begin(&pages, &mut tx, by.id(), (&parts, "password changed")).await?;
    tx.commit().await?;
    Ok((begun, Redirect::to("/settings?done=1")).into_response())
}
