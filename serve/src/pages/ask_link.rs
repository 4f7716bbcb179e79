//! Asking for a one-time link: everybody is answered the same at once, and what depends on who asks comes after that.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use askama::Template;
use axum::{
    Router,
    extract::{Query, Request, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use chrono::TimeDelta;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Pages,
    fault::Fault,
    frame::{Frame, rendered},
    letter,
    session::{filled_in, network},
    sign_in::count_asking,
    stranger::Stranger,
    token::Token,
    words::tell,
};
use crate::{
    mail::{METERS, Post},
    store::{self, audit::Deed, users::User},
};

/// For so long a link lets somebody in that was asked for here.
pub const LIFE: TimeDelta = TimeDelta::minutes(30);
/// So many links are made and sent at once; a process keeps nothing else of those who ask.
pub const AT_ONCE: usize = 32;

/// How a link reaches whoever asked for it.
#[derive(Clone)]
pub enum Delivery {
    /// By mail.
    Mail(Post),
    /// By the log, where the operator wants that: for trying out.
    Log,
}

/// The page where a link is asked for.
pub fn routes() -> Router<Pages> {
    Router::new().route("/sign-in/link", get(show).post(ask))
}

#[derive(Template)]
#[template(path = "ask_link.html")]
struct AskPage {
    frame: Frame,
    what: String,
}

#[derive(Debug, Default, Deserialize)]
struct Shown {
    asked: Option<String>,
}

#[derive(Deserialize)]
struct Ask {
    #[serde(default)]
    email: String,
}

async fn show(
    State(pages): State<Pages>,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    if pages.delivery.is_none() {
        return Err(Fault::NotFound);
    }
    let (stranger, span) = (Stranger::of(&pages, &headers), letter::span(LIFE));
    let done = shown.asked.map(|_| tell("ask-link-done", &[("span", &span)]));
    let what = tell("ask-link-what", &[("span", &span)]);
    let page = AskPage { frame: stranger.frame().done(done), what };
    Ok(stranger.answer(&pages, rendered(&page)))
}

async fn ask(State(pages): State<Pages>, request: Request) -> Result<Response, Fault> {
    let delivery = pages.delivery.clone().ok_or(Fault::NotFound)?;
    let (parts, body) = request.into_parts();
    let stranger = Stranger::of(&pages, &parts.headers);
    let Ask { email } = filled_in(body, &stranger.token).await?;
    let email = email.trim().to_lowercase();
    let from = network(&pages, &parts);
    count_asking(&pages, &email, from).await?;
    match Arc::clone(&pages.bringing).try_acquire_owned() {
        Ok(place) => {
            tokio::spawn(bring(pages, delivery, (email, from), place));
        }
        Err(_) => {
            METERS.refused.fetch_add(1, Relaxed);
            tracing::warn!(
                at_once = AT_ONCE,
                "a link that was asked for is not sent: {AT_ONCE} are on their way"
            );
        }
    }
    Ok(Redirect::to("/sign-in/link?asked=1").into_response())
}

/// Makes a link and sends it, if there is whom to send it to.
async fn bring(
    pages: Pages,
    delivery: Delivery,
    (email, from): (String, IpAddr),
    _place: OwnedSemaphorePermit,
) {
    let (user, token) = match make(&pages, &email, from).await {
        Ok(Some(made)) => made,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(%error, "a link that was asked for could not be made: {error}");
            return;
        }
    };
    let link = letter::link(&pages.address, &token);
    let post = match delivery {
        Delivery::Mail(post) => post,
        Delivery::Log => {
            tracing::info!(user = %user.id, "{} asked for a link, which signs in once: {link}", user.id);
            return;
        }
    };
    if let Err(error) = post.send_patiently(&letter::with_link(&user.email, &link, LIFE)).await {
        tracing::error!(user = %user.id, %error, "{} asked for a link, which was not sent: {error}", user.id);
    }
}

/// The password counts as before, or anybody could take away everybody's.
async fn make(pages: &Pages, email: &str, from: IpAddr) -> sqlx::Result<Option<(User, Token)>> {
    let (token, now) = (Token::new(&pages.app.chance), pages.app.clock.now());
    let mut tx = pages.app.begin().await?;
    let found = store::users::find(&mut tx, email).await?.filter(|user| user.disabled_at.is_none());
    let Some(user) = found else { return Ok(None) };
    let deed = Deed {
        user: None,
        action: "link.asked",
        subject: &user.id.to_string(),
        detail: "",
        network: Some(from),
        at: now,
    };
    store::audit::note(&mut tx, &deed).await?;
    store::sessions::insert_link(&mut tx, token.hash(), user.id, (now, now + LIFE)).await?;
    tx.commit().await?;
    Ok(Some((user, token)))
}
