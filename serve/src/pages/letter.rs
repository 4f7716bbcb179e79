//! The letter that brings a sign-in link.

use chrono::TimeDelta;
use url::Url;

use super::{
    token::Token,
    words::{say, tell},
};
use crate::mail::Letter;

/// The address of a link that signs in. It begins with an address of the operator's: what a request says of its host is
/// anybody's.
#[must_use]
pub fn link(pages: &Url, token: &Token) -> String {
    format!("{}/sign-in/link/{}", pages.as_str().trim_end_matches('/'), token.reveal())
}

/// How long a link lets somebody in, in words.
#[must_use]
pub fn span(life: TimeDelta) -> String {
    if life < TimeDelta::hours(2) {
        return tell("span-minutes", &[("count", &life.num_minutes().to_string())]);
    }
    tell("span-hours", &[("count", &life.num_hours().to_string())])
}

/// A letter with a link that lets somebody in for so long.
#[must_use]
pub fn with_link(to: &str, link: &str, life: TimeDelta) -> Letter {
    let what = tell("letter-what", &[("email", to)]);
    let until = tell("letter-until", &[("span", &span(life))]);
    let text = [what, link.to_owned(), until, say("letter-unexpected")].join("\n\n");
    Letter { to: to.to_owned(), subject: say("letter-subject"), text: text + "\n" }
}
