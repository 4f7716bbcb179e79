//! What is around every page: who is signed in, where one can go, and how things are written.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::{reader::Reader, role::Role, words};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("live.js");
const KEYS: &str = include_str!("keys.js");
const ICON: &str = include_str!("icon.svg");

/// The stylesheet, under a name that changes with it.
pub static STYLE_PATH: LazyLock<String> = LazyLock::new(|| format!("/assets/{}.css", fingerprint(STYLE)));
/// The script, under a name that changes with it.
pub static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| format!("/assets/{}.js", fingerprint(SCRIPT)));
/// The script of pages that are worked on by keys, under a name that changes with it.
pub static KEYS_PATH: LazyLock<String> = LazyLock::new(|| format!("/assets/{}.js", fingerprint(KEYS)));

/// The picture beside a page's title, under a name that changes with it.
pub static ICON_PATH: LazyLock<String> = LazyLock::new(|| format!("/assets/{}.svg", fingerprint(ICON)));

fn fingerprint(text: &str) -> String {
    let hash = Sha256::digest(text);
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The stylesheet or the script; a browser keeps it for ever, as its name changes with it.
pub async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE)
}

/// See [`style`].
pub async fn script() -> Response {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

/// See [`style`].
pub async fn icon() -> Response {
    asset("image/svg+xml", ICON)
}

/// See [`style`].
pub async fn keys() -> Response {
    asset("text/javascript; charset=utf-8", KEYS)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, text).into_response()
}

/// A place that the navigation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An affiliate's overview.
    Overview,
    /// Where clicks come from and what they bring.
    Traffic,
    /// Conversions and what they earn.
    Conversions,
    /// Rates.
    Rates,
    /// What is on hold or was turned down.
    Holds,
    /// Money.
    Balance,
    /// Links.
    Links,
    /// Campaigns to join.
    Campaigns,
    /// Keys and postbacks of one's own.
    Connections,
    /// The program, for the team.
    Program,
    /// Partners.
    Partners,
    /// Campaigns and who suits them.
    Matches,
    /// The policy of rates and its decisions.
    Decisions,
    /// What is held, for people to decide.
    Cases,
    /// Partners who hang together.
    Rings,
    /// The rules of fraud.
    Rules,
    /// Models.
    Models,
    /// One's own settings.
    Settings,
}

const OF_AFFILIATES: [(Place, &str, &str); 9] = [
    (Place::Overview, "/my", "nav-overview"),
    (Place::Traffic, "/my/traffic", "nav-traffic"),
    (Place::Conversions, "/my/conversions", "nav-conversions"),
    (Place::Holds, "/my/holds", "nav-holds"),
    (Place::Rates, "/my/rates", "nav-rates"),
    (Place::Balance, "/my/balance", "nav-balance"),
    (Place::Links, "/my/links", "nav-links"),
    (Place::Campaigns, "/my/campaigns", "nav-campaigns"),
    (Place::Connections, "/my/connections", "nav-connections"),
];

const OF_TEAM: [(Place, &str, &str); 8] = [
    (Place::Program, "/team", "nav-program"),
    (Place::Partners, "/team/partners", "nav-partners"),
    (Place::Matches, "/team/campaigns", "nav-matches"),
    (Place::Decisions, "/team/rates", "nav-decisions"),
    (Place::Cases, "/team/cases", "nav-cases"),
    (Place::Rings, "/team/rings", "nav-rings"),
    (Place::Rules, "/team/rules", "nav-rules"),
    (Place::Models, "/team/models", "nav-models"),
];

/// A line of the navigation.
#[derive(Debug)]
pub struct Way {
    /// Where it leads.
    pub href: &'static str,
    /// What it is called.
    pub name: String,
    /// Whether one is there.
    pub is_here: bool,
}

/// What is around a page.
#[derive(Debug)]
pub struct Frame {
    /// How numbers and times are written.
    pub reader: Reader,
    /// Who is signed in.
    pub user: Option<String>,
    /// Where one can go.
    pub ways: Vec<Way>,
    /// What every form carries.
    pub csrf: String,
    /// Whether the page is one's own settings.
    pub is_settings: bool,
    /// What was just done, in a sentence.
    pub done: Option<String>,
}

impl Frame {
    /// Around a page of somebody who signed in.
    #[must_use]
    pub fn of(reader: Reader, (user, role): (String, Role), csrf: String, place: Place) -> Self {
        let ways: &[_] = if role == Role::Affiliate { &OF_AFFILIATES } else { &OF_TEAM };
        let way = |(at, href, key): &(Place, &'static str, &str)| Way {
            href,
            name: words::say(key),
            is_here: *at == place,
        };
        let ways = ways.iter().map(way).collect();
        Self { reader, user: Some(user), ways, csrf, is_settings: place == Place::Settings, done: None }
    }

    /// Around a page of nobody.
    #[must_use]
    pub fn bare() -> Self {
        Self {
            reader: Reader::default(),
            user: None,
            ways: Vec::new(),
            csrf: String::new(),
            is_settings: false,
            done: None,
        }
    }

    /// Says what was just done.
    #[must_use]
    pub fn done(mut self, sentence: Option<String>) -> Self {
        self.done = sentence;
        self
    }

    /// The text of a key.
    #[must_use]
    pub fn say(&self, key: &str) -> String {
        words::say(key)
    }

    /// Where the stylesheet is.
    #[must_use]
    pub fn style(&self) -> &'static str {
        &STYLE_PATH
    }

    /// Where the picture beside the title is.
    #[must_use]
    pub fn icon(&self) -> &'static str {
        &ICON_PATH
    }

    /// Where the script is.
    #[must_use]
    pub fn script(&self) -> &'static str {
        &SCRIPT_PATH
    }

    /// Where the script for keys is.
    #[must_use]
    pub fn keys(&self) -> &'static str {
        &KEYS_PATH
    }
}

/// A page as it is sent.
pub fn rendered(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
