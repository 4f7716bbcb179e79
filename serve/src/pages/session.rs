//! Who reads a page: found by the session's cookie, until the session has been idle or has lasted for too long.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
};
use chrono::TimeDelta;
use cookie::Cookie;
use domain::{AffiliateId, UserId, click::network_of};
use serde::{Deserialize, de::DeserializeOwned};
use tracking::redirect::visitor::client_address;

use super::{
    Pages,
    fault::Fault,
    frame::{Frame, Place},
    live,
    reader::Reader,
    role::Role,
    token::Token,
};
use crate::store::{self, audit::Deed, sessions::Session};

/// A session ends when it was not used for so long.
const IDLE: TimeDelta = TimeDelta::hours(12);
/// A session ends after so long, however much it is used.
const LONGEST: TimeDelta = TimeDelta::days(7);
/// No form of ours comes near this many bytes.
const FORM_LIMIT: usize = 64 * 1024;
/// A deep link and its parameters fit; nothing of a browser's is longer.
const NEXT_LIMIT: usize = 2_000;

/// Somebody who signed in.
#[derive(Clone)]
pub struct Visitor {
    /// Whose session it is.
    pub user: Session,
    /// How it reads numbers and times.
    pub reader: Reader,
    /// From which network it comes.
    pub network: IpAddr,
    token: Token,
}

impl Visitor {
    /// Whose pages an affiliate's person sees; for others there is nothing here.
    pub fn affiliate(&self) -> Result<AffiliateId, Fault> {
        self.user.affiliate_id.ok_or(Fault::NotFound)
    }

    /// Nothing is here for an affiliate's person.
    pub fn must_be_team(&self) -> Result<(), Fault> {
        if self.user.role == Role::Affiliate { Err(Fault::NotFound) } else { Ok(()) }
    }

    /// Only whom `may` lets do it.
    pub fn must(&self, may: fn(Role) -> bool) -> Result<(), Fault> {
        self.must_be_team()?;
        if may(self.user.role) { Ok(()) } else { Err(Fault::NotAllowed) }
    }

    /// What is around a page of its.
    #[must_use]
    pub fn frame(&self, place: Place) -> Frame {
        Frame::of(self.reader, (self.user.name.clone(), self.user.role), self.token.form_token(), place)
    }

    /// The secret of its session.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Who acts, as histories name it.
    #[must_use]
    pub fn actor(&self) -> String {
        self.user.user_id.to_string()
    }

    /// Something that it does now.
    #[must_use]
    pub fn deed<'a>(
        &self,
        pages: &Pages,
        action: &'static str,
        (subject, detail): (&'a str, &'a str),
    ) -> Deed<'a> {
        let (user, network, at) = (Some(self.user.user_id), Some(self.network), pages.app.clock.now());
        Deed { user, action, subject, detail, network, at }
    }

    /// Whose session it is, of an account.
    #[must_use]
    pub fn id(&self) -> UserId {
        self.user.user_id
    }
}

impl FromRequestParts<Pages> for Visitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Fault> {
        let is_read = parts.method == Method::GET;
        let next = parts.uri.path_and_query().map(|at| at.as_str().to_owned()).filter(|_| is_read);
        let token = cookie(&parts.headers, pages.session_cookie()).ok_or(Fault::SignIn(next.clone()))?;
        let now = pages.app.clock.now();
        let mut db = pages.app.db.acquire().await?;
        let found = store::sessions::find(&mut db, token.hash(), (now - LONGEST, now - IDLE)).await?;
        let user = found.ok_or(Fault::SignIn(next))?;
        let is_somebody_there = parts.uri.path() != live::PATH;
        if is_somebody_there && user.last_seen_at + TimeDelta::minutes(1) <= now {
            store::sessions::touch(&mut db, token.hash(), now).await?;
        }
        let accepted = accepted(&parts.headers);
        let reader = Reader::new(user.locale.as_deref(), &user.time_zone, accepted);
        Ok(Self { user, reader, network: network(pages, parts), token })
    }
}

/// What the browser says of its languages.
pub fn accepted(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()
}

/// The network that a request came from; its address is not kept.
pub fn network(pages: &Pages, parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let forwarded = parts.headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes);
    network_of(client_address(&pages.app.trusted_proxies, peer, forwarded))
}

/// The secret in a cookie of this name.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<Token> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
    Token::read(cookies.find(|cookie| cookie.name() == name)?.value())
}

/// A path of ours that a browser may be sent on to, and no other place.
pub fn local(next: &str) -> Option<&str> {
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_path = next.starts_with('/') && !next.starts_with("//");
    Some(next).filter(|next| is_path && is_plain && next.len() <= NEXT_LIMIT)
}

/// What a form without fields holds.
#[derive(Debug, Default, Deserialize)]
pub struct Nothing {}

/// A form that somebody who signed in sent from a page of ours.
pub struct Posted<T> {
    /// Who.
    pub by: Visitor,
    /// What was filled in.
    pub form: T,
}

impl<T: DeserializeOwned> FromRequest<Pages> for Posted<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, pages: &Pages) -> Result<Self, Fault> {
        let (mut parts, body) = request.into_parts();
        let by = Visitor::from_request_parts(&mut parts, pages).await?;
        let form = filled_in(body, &by.token).await?;
        Ok(Self { by, form })
    }
}

/// Reads a form that was made for this browser. What is empty was not filled in.
pub async fn filled_in<T: DeserializeOwned>(body: Body, token: &Token) -> Result<T, Fault> {
    let bytes = to_bytes(body, FORM_LIMIT).await.map_err(|_| Fault::Form("it is too long".to_owned()))?;
    let pairs: Vec<_> =
        form_urlencoded::parse(&bytes).filter(|(_, value)| !value.trim().is_empty()).collect();
    // The database takes every other character.
    if pairs.iter().any(|(_, value)| value.contains('\0')) {
        return Err(Fault::Form("it holds a character that is no text".to_owned()));
    }
    let made = pairs.iter().find(|(name, _)| name == "csrf").is_some_and(|(_, value)| token.made(value));
    if !made {
        return Err(Fault::Forged);
    }
    let mut written = form_urlencoded::Serializer::new(String::new());
    written.extend_pairs(pairs.iter().filter(|(name, _)| name != "csrf"));
    serde_urlencoded::from_str(&written.finish()).map_err(|error| Fault::Form(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn nobody_is_sent_on_to_another_site() {
        assert_eq!(local("/my/links?page=2"), Some("/my/links?page=2"));
        for elsewhere in ["//evil.example", "/\\evil.example", "https://evil.example/", "my", "", "/a\nb"] {
            assert_eq!(local(elsewhere), None, "{elsewhere}");
        }
    }
}
