//! Signing in, by a password or a one-time link, and out.

use std::net::IpAddr;

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use chrono::TimeDelta;
use domain::UserId;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{
    Pages,
    fault::Fault,
    frame::{Frame, rendered},
    password,
    session::{Nothing, Posted, Visitor, cookie, filled_in, local, network},
    stranger::Stranger,
    token::Token,
    words::say,
};
use crate::store::{self, audit::Deed};

/// So many tries an account has in a window, and then has to wait for its end.
const TRIES_OF_ACCOUNT: i32 = 10;
/// So many links may be asked for one account in a window.
const LINKS_OF_ACCOUNT: i32 = 5;
/// So many tries a network has: there may be a whole office behind it.
const TRIES_OF_NETWORK: i32 = 50;
/// For so long tries are counted.
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);

/// The pages that are open to everybody.
pub fn routes() -> Router<Pages> {
    Router::new()
        .route("/", get(home))
        .route("/sign-in", get(show).post(sign_in))
        .route("/sign-in/link/{token}", get(show_link).post(use_link))
        .route("/sign-out", post(sign_out))
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    email: String,
    next: String,
    refused: Option<String>,
    offers_links: bool,
}

impl SignInPage {
    fn new(pages: &Pages, stranger: &Stranger) -> Self {
        let offers_links = pages.delivery.is_some();
        Self {
            frame: stranger.frame(),
            email: String::new(),
            next: String::new(),
            refused: None,
            offers_links,
        }
    }
}

#[derive(Template)]
#[template(path = "sign_in_link.html")]
struct LinkPage {
    frame: Frame,
    whose: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct SignIn {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// Where somebody begins.
async fn home(by: Visitor) -> Redirect {
    Redirect::to(if by.user.affiliate_id.is_some() { "/my" } else { "/team" })
}

async fn show(State(pages): State<Pages>, Query(wanted): Query<Wanted>, headers: HeaderMap) -> Response {
    let stranger = Stranger::of(&pages, &headers);
    let page = SignInPage { next: wanted.next, ..SignInPage::new(&pages, &stranger) };
    stranger.answer(&pages, rendered(&page))
}

async fn sign_in(State(pages): State<Pages>, request: Request) -> Result<Response, Fault> {
    let (parts, body) = request.into_parts();
    let stranger = Stranger::of(&pages, &parts.headers);
    let SignIn { email, password, next } = filled_in(body, &stranger.token).await?;
    let email = email.trim().to_lowercase();
    let from = network(&pages, &parts);
    count_tries(&pages, &email, from).await?;
    let mut db = pages.app.db.acquire().await?;
    let user = store::users::find(&mut db, &email).await?.filter(|user| user.disabled_at.is_none());
    drop(db);
    let kept = user.as_ref().and_then(|user| user.password_hash.clone());
    let is_short_enough = password.chars().count() <= password::LONGEST;
    let is_right = password::is_right(password, kept).await && is_short_enough;
    let Some(user) = user.filter(|_| is_right) else {
        let deed = Deed {
            user: None,
            action: "session.refused",
            subject: "",
            detail: "",
            network: Some(from),
            at: pages.app.clock.now(),
        };
        store::audit::note(&mut *pages.app.db.acquire().await?, &deed).await?;
        let refused = Some(say("sign-in-refused"));
        let page = SignInPage { email, next, refused, ..SignInPage::new(&pages, &stranger) };
        return Ok((StatusCode::UNAUTHORIZED, rendered(&page)).into_response());
    };
    let mut tx = pages.app.begin().await?;
    store::sessions::forget_tries(&mut tx, subject("account", &email)).await?;
    let begun = begin(&pages, &mut tx, user.id, (&parts, "password")).await?;
    tx.commit().await?;
    Ok((begun, Redirect::to(local(&next).unwrap_or("/"))).into_response())
}

fn subject(kind: &str, whose: &str) -> [u8; 32] {
    Sha256::digest(format!("{kind}:{whose}")).into()
}

/// Counts a try before it is looked at, so that many at once are counted too.
pub async fn count_tries(pages: &Pages, email: &str, from: IpAddr) -> Result<(), Fault> {
    count(pages, (subject("account", email), TRIES_OF_ACCOUNT), from).await
}

/// Counts that somebody asks for a link; by itself, so that a stranger who asks keeps nobody from signing in.
pub async fn count_asking(pages: &Pages, email: &str, from: IpAddr) -> Result<(), Fault> {
    count(pages, (subject("link", email), LINKS_OF_ACCOUNT), from).await
}

async fn count(pages: &Pages, whose: ([u8; 32], i32), from: IpAddr) -> Result<(), Fault> {
    let now = pages.app.clock.now();
    let subjects = [(subject("network", &from.to_string()), TRIES_OF_NETWORK), whose];
    let mut db = pages.app.db.acquire().await?;
    for (subject, most) in subjects {
        let (tries, began_at) = store::sessions::count_try(&mut db, subject, (now, now - WINDOW)).await?;
        if most < tries {
            return Err(Fault::TooOften((began_at + WINDOW - now).num_seconds().max(1)));
        }
    }
    Ok(())
}

/// Begins a session under a new secret; the one that the browser had before ends.
pub async fn begin(
    pages: &Pages,
    tx: &mut PgConnection,
    user: UserId,
    (parts, how): (&Parts, &str),
) -> Result<[(header::HeaderName, HeaderValue); 1], Fault> {
    let (token, now) = (Token::new(&pages.app.chance), pages.app.clock.now());
    if let Some(before) = cookie(&parts.headers, pages.session_cookie()) {
        store::sessions::end(tx, before.hash()).await?;
    }
    store::sessions::begin(tx, token.hash(), user, now).await?;
    let network = Some(network(pages, parts));
    let deed = Deed { user: Some(user), action: "session.begun", subject: "", detail: how, network, at: now };
    store::audit::note(tx, &deed).await?;
    Ok([(header::SET_COOKIE, pages.cookie(pages.session_cookie(), &token))])
}

/// Shows a button, and whom it signs in: a link that signs in by being looked at would be used up by whatever looks at mail.
async fn show_link(
    State(pages): State<Pages>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let stranger = Stranger::of(&pages, &headers);
    let mut db = pages.app.db.acquire().await?;
    let whose = match Token::read(&token) {
        Some(token) => store::sessions::whose_link(&mut db, token.hash(), pages.app.clock.now()).await?,
        None => None,
    };
    Ok(stranger.answer(&pages, rendered(&LinkPage { frame: stranger.frame(), whose })))
}

async fn use_link(
    State(pages): State<Pages>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let (parts, body) = request.into_parts();
    let stranger = Stranger::of(&pages, &parts.headers);
    let Nothing {} = filled_in(body, &stranger.token).await?;
    let mut tx = pages.app.begin().await?;
    let used = match Token::read(&token) {
        Some(token) => store::sessions::use_link(&mut tx, token.hash(), pages.app.clock.now()).await?,
        None => None,
    };
    let Some(user) = used else {
        let refused = Some(say("sign-in-link-refused"));
        let page = SignInPage { refused, ..SignInPage::new(&pages, &stranger) };
        return Ok((StatusCode::UNAUTHORIZED, rendered(&page)).into_response());
    };
    let begun = begin(&pages, &mut tx, user, (&parts, "link")).await?;
    tx.commit().await?;
    Ok((begun, Redirect::to("/")).into_response())
}

async fn sign_out(State(pages): State<Pages>, posted: Posted<Nothing>) -> Result<Response, Fault> {
    let Posted { by, form: Nothing {} } = posted;
    let mut tx = pages.app.begin().await?;
    store::sessions::end(&mut tx, by.token().hash()).await?;
    store::audit::note(&mut tx, &by.deed(&pages, "session.ended", ("", ""))).await?;
    tx.commit().await?;
    let gone = [(header::SET_COOKIE, pages.no_cookie(pages.session_cookie()))];
    Ok((gone, Redirect::to("/sign-in")).into_response())
}
