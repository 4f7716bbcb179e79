//! What providers outside are asked and how they are read. To add one: a file here, and its line in [`PROVIDERS`].

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use super::seon;

/// Every provider, by its name in the settings.
pub static PROVIDERS: &[Provider] = &[seon::PROVIDER];

/// A provider: how it is asked over HTTP, and how it answers. It is sent JSON, with its key in a header.
#[derive(Clone, Copy)]
pub struct Provider {
    /// Its name in settings and numbers.
    pub name: &'static str,
    /// Its name with the version of its interface, which is told with every score.
    pub version: &'static str,
    /// The header that its key goes into, in lower case.
    pub key_header: &'static str,
    /// What its scores are worth unless it was measured: pairs of a score and log-odds.
    pub calibration: &'static [(f64, f64)],
    /// What it is sent.
    pub ask: fn(&Question) -> Value,
    /// What it says.
    pub read: fn(&[u8]) -> Result<Opinion, Unread>,
}

/// What may be told of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Particular {
    /// The customer's address, where its report came with one.
    Address,
    /// The network of the address, by its first address: the /24, or /48.
    Network,
    /// The customer's e-mail address, where its report came with one.
    Email,
    /// The part of it behind the @.
    EmailDomain,
    /// The device, by its keyed hash.
    Device,
    /// The country.
    Country,
    /// The partner, by its id.
    Affiliate,
}

/// What a provider is asked about. It may hold a customer's address, and is never written down or shown.
#[derive(Clone, Default)]
pub struct Question {
    /// Our id of the conversion.
    pub reference: String,
    /// The customer's address, or the first one of its network.
    pub address: Option<IpAddr>,
    /// The customer's e-mail address.
    pub email: Option<String>,
    /// The part of it behind the @.
    pub email_domain: Option<String>,
    /// The device, by its keyed hash.
    pub device: Option<String>,
    /// The country, by two letters of ISO 3166.
    pub country: Option<String>,
    /// The partner's id.
    pub affiliate: Option<String>,
}

impl Question {
    /// Whether it says anything of a customer that a provider could know.
    #[must_use]
    pub fn is_about_somebody(&self) -> bool {
        self.address.is_some() || self.email.is_some() || self.email_domain.is_some() || self.device.is_some()
    }
}

/// What a provider says.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// Its score, as it counts.
    pub score: f64,
    /// What it would do, in its own words.
    pub verdict: Option<String>,
    /// Which of its rules counted, by their names.
    pub because: Vec<String>,
}

/// An answer that cannot be read; it says why without repeating what was sent or answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is something else.
    #[error("its answer is not what is documented")]
    Shape,
    /// It refuses to answer.
    #[error("it refuses to answer, with the error {0}")]
    Refused(String),
    /// It is no number that counts.
    #[error("its score is no number from -10,000 to 10,000")]
    Score,
}

/// How much of a provider's own words is kept.
const LETTERS: usize = 80;

/// A provider's own word, short and without anything that is not printed.
pub(super) fn word(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(LETTERS).collect()
}
