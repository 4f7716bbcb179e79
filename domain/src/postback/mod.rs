//! Postbacks that partners ask for: an address of theirs with macros, and what each macro stands for.

mod macros;
mod reach;

use std::str::FromStr;

use percent_encoding::utf8_percent_encode;
use url::Url;

pub use self::{
    macros::{Macro, Values},
    reach::is_public,
};
use crate::{signature::canonical::RESERVED, state::names};

/// No address that a partner's system takes is longer, in bytes, before its macros are filled in.
pub const LENGTH_MAX: usize = 2_000;
/// No address is longer once they are, in bytes; what would be is not sent.
pub const FILLED_MAX: usize = 4_000;

names! {
    /// What happened, of which a partner may be told.
    Occasion: "event of a postback" {
        /// A conversion was reported and is credited to the partner.
        Created = "conversion.created",
        /// It counts: what it earned is to be paid.
        Approved = "conversion.approved",
        /// It does not count.
        Rejected = "conversion.rejected",
        /// It was taken back, in part or whole.
        Reversed = "conversion.reversed",
    }
}

names! {
    /// How far it is that an address is told something.
    DeliveryState: "state of a delivery" {
        /// It is told, or tried again, when it is due.
        Waiting = "waiting",
        /// The address took it.
        Delivered = "delivered",
        /// It was given up.
        Failed = "failed",
    }
}

/// An address with macros, such as `https://tracker.example/in?cid={sub1}&payout={payout}&x={sub2|default:none}`.
///
/// A macro's value is percent-encoded; `{name|raw}` writes it as it is, and `{name|default:text}` says what stands where there is
/// none. Scheme and host are written out: no value decides who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
    beginning: Url,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Macro { name: Macro, is_raw: bool, default: String },
}

/// Why an address cannot be told anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is too long.
    #[error("it has more than {LENGTH_MAX} bytes")]
    Long,
    /// It has another scheme, no host, or a name and password.
    #[error("it must begin with https:// or http:// and a host, both without macros, and hold no user name")]
    Address,
    /// Something that parsers of addresses skip or turn around.
    #[error("it must hold no spaces, line breaks or backslashes")]
    Letters,
    /// A port that other protocols own.
    #[error("port {0} is none of a web server's: use 80, 443, or one above 1023")]
    Port(u16),
    /// A `{` that nothing closes.
    #[error("a {{ is not closed by a }}; write %7B where none is meant")]
    Open,
    /// A macro that there is not.
    #[error("{{{0}}} is no macro: expected one of {names}", names = Macro::names())]
    Unknown(String),
    /// What follows a macro's name.
    #[error("{{{0}}} goes on with neither |raw nor |default:…")]
    Way(String),
}

impl Template {
    /// The address as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whom it tells.
    #[must_use]
    pub fn host(&self) -> &str {
        self.beginning.host_str().unwrap_or_default()
    }

    /// The address with its macros filled in; none when values make it too long or lead it elsewhere.
    #[must_use]
    pub fn fill(&self, values: &Values) -> Option<Url> {
        let mut address = String::with_capacity(self.text.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => address.push_str(text),
                Part::Macro { name, is_raw, default } => {
                    // Dots by themselves would be steps within a path, encoded or not.
                    let says = |value: &&String| !matches!(value.as_str(), "" | "." | "..");
                    let value = values.get(*name).filter(says).unwrap_or(default);
                    match is_raw {
                        true => address.push_str(value),
                        false => address.extend(utf8_percent_encode(value, RESERVED)),
                    }
                }
            }
        }
        let url = Url::parse(&address).ok().filter(|url| url.as_str().len() <= FILLED_MAX)?;
        (authority(&url) == authority(&self.beginning)).then_some(url)
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if LENGTH_MAX < text.len() {
            return Err(TemplateError::Long);
        }
        // What parsers of addresses skip or turn around, so that others would read them otherwise.
        if text.contains(|letter: char| letter == '\\' || letter.is_control() || letter.is_whitespace()) {
            return Err(TemplateError::Letters);
        }
        let parts = parts(text)?;
        let beginning = match parts.first() {
            Some(Part::Text(text)) => beginning(text)?,
            _ => return Err(TemplateError::Address),
        };
        Ok(Self { text: text.to_owned(), parts, beginning })
    }
}

fn parts(text: &str) -> Result<Vec<Part>, TemplateError> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').ok_or(TemplateError::Open)?;
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(one(inside)?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

fn one(inside: &str) -> Result<Part, TemplateError> {
    let mut ways = inside.split('|');
    let name = ways.next().unwrap_or_default();
    let name: Macro = name.parse().map_err(|_| TemplateError::Unknown(name.chars().take(64).collect()))?;
    let (mut is_raw, mut default) = (false, String::new());
    for way in ways {
        match way.strip_prefix("default:") {
            Some(text) => text.clone_into(&mut default),
            None if way == "raw" => is_raw = true,
            None => return Err(TemplateError::Way(inside.chars().take(64).collect())),
        }
    }
    Ok(Part::Macro { name, is_raw, default })
}

/// What an address is written out with: a slash or a question mark must follow the host before any macro.
fn beginning(text: &str) -> Result<Url, TemplateError> {
    let (_, authority) = text.split_once("://").ok_or(TemplateError::Address)?;
    let is_whole = authority.find(['/', '?']).is_some_and(|end| 0 < end);
    let url = Url::parse(text).map_err(|_| TemplateError::Address)?;
    if let Some(port) = url.port().filter(|port| *port <= 1_023 && *port != 80 && *port != 443) {
        return Err(TemplateError::Port(port));
    }
    let is_plain =
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    if is_whole && is_plain && has_host { Ok(url) } else { Err(TemplateError::Address) }
}

/// Whom an address tells, and how it is reached.
fn authority(url: &Url) -> (&str, &str, Option<&str>, Option<&str>, Option<u16>) {
    (url.scheme(), url.username(), url.password(), url.host_str(), url.port_or_known_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> Values {
        Values::of([(Macro::Sub1, "a&b=c/ü".to_owned()), (Macro::Payout, "1.50".to_owned())])
    }

    #[track_caller]
    fn check(template: &str, expected: &str) {
        let template: Template = template.parse().unwrap();
        assert_eq!(template.fill(&values()).unwrap().as_str(), expected);
    }

    #[track_caller]
    fn refused(template: &str, why: &str) {
        let error = template.parse::<Template>().unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
    }

    #[test]
    fn values_are_encoded() {
        check(
            "https://t.example/in?cid={sub1}&p={payout}",
            "https://t.example/in?cid=a%26b%3Dc%2F%C3%BC&p=1.50",
        );
    }

    #[test]
    fn raw_values_are_not() {
        check("https://t.example/{sub1|raw}?p={payout}", "https://t.example/a&b=c/%C3%BC?p=1.50");
    }

    #[test]
    fn a_default_stands_where_there_is_nothing() {
        check("https://t.example/?s={sub2|default:no,ne}&t={sub3}", "https://t.example/?s=no%2Cne&t=");
    }

    #[test]
    fn nothing_but_web_addresses_with_a_host_of_their_own() {
        for wrong in [
            "",
            "ftp://t.example/",
            "https://{sub1}.example/",
            "https://t.example{sub1}/",
            "https://a:b@t.example/",
            "https:///x",
            "t.example/",
        ] {
            refused(wrong, "it must begin with https://");
        }
        refused("https://t.example:25/", "port 25 is none");
        assert_eq!("https://t.example:8443/".parse::<Template>().unwrap().host(), "t.example");
    }

    #[test]
    fn no_value_is_a_step_within_a_path() {
        let template: Template = "https://t.example/in/{sub1|default:none}/x".parse().unwrap();
        let filled = template.fill(&Values::of([(Macro::Sub1, "..".to_owned())])).unwrap();
        assert_eq!(filled.as_str(), "https://t.example/in/none/x");
    }

    #[test]
    fn no_two_parsers_read_an_address_otherwise() {
        for wrong in
            [r"http://\/t.example{reason|raw|default::25/}", "http://\t/t.example/", "https://t.example/ x"]
        {
            refused(wrong, "it must hold no spaces");
        }
        let led_astray = r"http://t.example/{sub1|raw}";
        let values = Values::of([(Macro::Sub1, "@t.example:22/".to_owned())]);
        let filled = led_astray.parse::<Template>().unwrap().fill(&values).unwrap();
        assert_eq!((filled.port(), filled.username()), (None, ""));
    }

    #[test]
    fn unknown_macros_are_told_when_they_are_written() {
        refused("https://t.example/?a={sub11}", "{sub11} is no macro: expected one of event_id, ");
        refused("https://t.example/?a={sub1|upper}", "{sub1|upper} goes on with neither");
        refused("https://t.example/?a={sub1", "a { is not closed");
    }

    proptest! {
        #[test]
        fn no_value_decides_who_is_told(value: String) {
            let values = Values::of([(Macro::Sub1, value)]);
            for template in ["https://t.example/{sub1|raw}", "https://t.example?{sub1|raw}", "https://t.example/?a={sub1}"] {
                let filled = template.parse::<Template>().unwrap().fill(&values);
                let is_same = |url: Url| (url.scheme(), url.host_str(), url.port(), url.username()) == ("https", Some("t.example"), None, "");
                prop_assert!(filled.is_none_or(is_same));
            }
        }
    }
}
