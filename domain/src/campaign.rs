//! Campaigns run, pause and end; each says which events pay and within which window.

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use url::{Host, Url};
use utoipa::ToSchema;

use crate::{
    money::{Currency, Money},
    state::{moves, names},
};

names! {
    /// Whether a campaign takes clicks.
    CampaignStatus: "campaign status" {
        /// Takes clicks and conversions.
        Active = "active",
        /// Takes no clicks for now; conversions of earlier clicks still count.
        Paused = "paused",
        /// Over for good; conversions within the window of earlier clicks still count.
        Ended = "ended",
    }
}

moves! { CampaignStatus, "campaign":
    Active => [Paused, Ended],
    Paused => [Active, Ended],
    Ended => [],
}

names! {
    /// What kind of thing a visitor did (S73, S74).
    EventKind: "event kind" {
        /// Left an address or signed up.
        Lead = "lead",
        /// Began a trial.
        Trial = "trial",
        /// Bought.
        Sale = "sale",
        /// Paid again for a subscription.
        Recurring = "recurring",
        /// First deposit or first trade (FTD); instrument and account type travel as metadata.
        Deposit = "deposit",
    }
}

names! {
    /// What a second report of the same order means.
    DuplicatePolicy: "duplicate policy" {
        /// It is the same conversion; the first answer is repeated.
        Ignore = "ignore",
        /// It is another conversion.
        New = "new",
        /// Its amount replaces the first.
        Replace = "replace",
        /// Its amount is added to the first.
        Add = "add",
    }
}

/// How many days after a click a conversion still counts, and how long the cookie lives: 1 to 90.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(value_type = u16, minimum = 1, maximum = 90)]
pub struct WindowDays(u16);

/// A window outside what a campaign may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a window of {0} days is outside 1 to 90 days")]
pub struct WindowError(pub i64);

impl WindowDays {
    /// The usual 30 days.
    pub const DEFAULT: Self = Self(30);

    /// The window as a length of time.
    #[must_use]
    pub fn length(self) -> TimeDelta {
        TimeDelta::days(i64::from(self.0))
    }

    /// The number of days.
    #[must_use]
    pub fn days(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for WindowDays {
    type Error = WindowError;
    fn try_from(days: i64) -> Result<Self, WindowError> {
        let checked = u16::try_from(days).ok().filter(|days| (1..=90).contains(days));
        checked.map(Self).ok_or(WindowError(days))
    }
}

impl<'de> Deserialize<'de> for WindowDays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

/// One event that a campaign pays for: what postbacks call it, what it is, and when it qualifies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QualifyingEvent {
    /// The name that postbacks carry in `event`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9_.-]{1,64}$")]
    pub name: String,
    /// What kind of thing it is.
    pub kind: EventKind,
    /// Below this amount the event is recorded but does not qualify for a commission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_amount: Option<Money>,
    /// What a second report of the same order means.
    #[serde(default = "ignore")]
    #[schema(default = "ignore")]
    pub duplicates: DuplicatePolicy,
}

impl QualifyingEvent {
    /// Whether an order of this amount earns a commission. A minimum in another currency cannot be compared, so it is not
    /// reached.
    #[must_use]
    pub fn qualifies(&self, amount: Money) -> bool {
        self.min_amount.is_none_or(|least| least.currency == amount.currency && least.minor <= amount.minor)
    }
}

fn ignore() -> DuplicatePolicy {
    DuplicatePolicy::Ignore
}

/// A host that deep links may lead to: exactly `shop.example`, or any below `*.shop.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    domain: String,
    below: bool,
}

/// A text that is not a host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a host such as shop.example or *.shop.example")]
pub struct HostError(pub String);

impl AllowedHost {
    /// Reads `shop.example` or `*.shop.example`; the wildcard stands for at least one label.
    ///
    /// # Errors
    /// When it is not a domain name (addresses of machines and bare wildcards are refused).
    pub fn parse(pattern: &str) -> Result<Self, HostError> {
        let wrong = || HostError(pattern.chars().take(128).collect());
        let (below, name) = pattern.strip_prefix("*.").map_or((false, pattern), |rest| (true, rest));
        match Host::parse(name) {
            Ok(Host::Domain(domain)) if domain.contains('.') || domain == "localhost" => {
                Ok(Self { domain, below })
            }
            Ok(Host::Ipv4(address)) if address.is_loopback() && !below => {
                Ok(Self { domain: address.to_string(), below })
            }
            _ => Err(wrong()),
        }
    }

    /// Whether `host` (as a parsed URL gives it: lower case, punycode) is meant.
    #[must_use]
    pub fn admits(&self, host: &str) -> bool {
        if !self.below {
            return host == self.domain;
        }
        host.strip_suffix(&self.domain).is_some_and(|label| 1 < label.len() && label.ends_with('.'))
    }
}

/// A campaign pays for at most this many kinds of event.
pub const EVENT_LIMIT: usize = 50;

/// Events that no campaign can be made with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventsError {
    /// Nothing would ever pay.
    #[error("a campaign needs at least one event")]
    NoEvents,
    /// More than anybody can survey.
    #[error("a campaign has at most {EVENT_LIMIT} events")]
    TooMany,
    /// A name that postbacks cannot carry.
    #[error("{0:?} is not an event name: it takes 1 to 64 of a-z, 0-9, `_`, `.` and `-`")]
    Name(String),
    /// The second one would never be used.
    #[error("the event {0:?} is listed twice")]
    Twice(String),
    /// A threshold that the order's amount cannot be compared with.
    #[error("the smallest amount of {event:?} is {amount}, which must be zero or more in {currency}")]
    Threshold {
        /// Whose threshold.
        event: String,
        /// What was asked for.
        amount: Money,
        /// The campaign's currency.
        currency: Currency,
    },
}

/// Checks the events of a campaign whose orders are in `currency`.
///
/// # Errors
/// When there is none, a name is no name or given twice, or a threshold cannot be compared with an order.
pub fn check_events(events: &[QualifyingEvent], currency: Currency) -> Result<(), EventsError> {
    if events.is_empty() {
        return Err(EventsError::NoEvents);
    }
    if EVENT_LIMIT < events.len() {
        return Err(EventsError::TooMany);
    }
    for (position, event) in events.iter().enumerate() {
        let name = event.name.chars().take(80).collect::<String>();
        if !is_event_name(&event.name) {
            return Err(EventsError::Name(name));
        }
        if events[..position].iter().any(|earlier| earlier.name == event.name) {
            return Err(EventsError::Twice(name));
        }
        let comparable = |amount: &Money| amount.currency == currency && 0 <= amount.minor;
        if let Some(amount) = event.min_amount.filter(|amount| !comparable(amount)) {
            return Err(EventsError::Threshold { event: name, amount, currency });
        }
    }
    Ok(())
}

fn is_event_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// A text that is not an address of a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an http or https address of at most 500 characters, with a host and without a password"
)]
pub struct PageError(pub String);

/// Reads the address of a page to which visitors can be sent.
///
/// # Errors
/// When it is no URL, not http(s), too long, or carries a user name or password.
pub fn page(text: &str) -> Result<Url, PageError> {
    let fits = text.chars().count() <= 500;
    let served = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let open = |url: &Url| url.username().is_empty() && url.password().is_none();
    let url = Url::parse(text).ok().filter(|url| fits && served(url) && open(url));
    url.ok_or_else(|| PageError(text.chars().take(128).collect()))
}

/// Whether a link or a deep link may lead to `target`: to the landing page's own host or an allowed one.
#[must_use]
pub fn may_lead_to(target: &Url, landing: &Url, allowed: &[AllowedHost]) -> bool {
    let own = target.host_str() == landing.host_str();
    own || target.host_str().is_some_and(|host| allowed.iter().any(|pattern| pattern.admits(host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_its_own_host_or_an_allowed_one() {
        let landing = page("https://shop.example/spring").unwrap();
        let allowed = [AllowedHost::parse("*.partner.example").unwrap()];
        let leads = |target: &str| may_lead_to(&page(target).unwrap(), &landing, &allowed);
        assert!(leads("https://shop.example/other"));
        assert!(leads("https://de.partner.example/"));
        assert!(!leads("https://evil.example/"));
        assert!(!leads("https://shop.example.evil.example/"));
    }

    #[test]
    fn a_page_is_on_the_web_and_has_no_password() {
        for text in
            ["javascript:alert(1)", "ftp://a.example/", "/spring", "https://", "https://a:b@c.example/", ""]
        {
            assert_eq!(page(text), Err(PageError(text.to_owned())));
        }
        assert!(page(&format!("https://a.example/{}", "x".repeat(500))).is_err());
    }

    fn refused(names: &[&str], min_amount: Option<&str>) -> String {
        let eur = "EUR".parse().unwrap();
        let event = |name: &&str| QualifyingEvent {
            name: (*name).to_owned(),
            kind: EventKind::Sale,
            min_amount: min_amount.map(|text| Money::parse(text, "USD".parse().unwrap()).unwrap()),
            duplicates: DuplicatePolicy::Ignore,
        };
        let events: Vec<_> = names.iter().map(event).collect();
        check_events(&events, eur).map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn events_are_refused_with_a_reason() {
        insta::assert_snapshot!(refused(&["sale", "lead"], None), @"fine");
        insta::assert_snapshot!(refused(&[], None), @"a campaign needs at least one event");
        insta::assert_snapshot!(refused(&["sale", "sale"], None), @r#"the event "sale" is listed twice"#);
        insta::assert_snapshot!(refused(&["Sale!"], None), @r#""Sale!" is not an event name: it takes 1 to 64 of a-z, 0-9, `_`, `.` and `-`"#);
        insta::assert_snapshot!(refused(&["sale"], Some("5")), @r#"the smallest amount of "sale" is 5.00 USD, which must be zero or more in EUR"#);
    }

    fn check(pattern: &str, host: &str, admitted: bool) {
        assert_eq!(AllowedHost::parse(pattern).unwrap().admits(host), admitted, "{pattern} and {host}");
    }

    #[test]
    fn a_wildcard_admits_what_is_below_and_nothing_beside() {
        check("*.shop.example", "de.shop.example", true);
        check("*.shop.example", "shop.example", false);
        check("*.shop.example", "evilshop.example", false);
        check("shop.example", "shop.example", true);
        check("shop.example", "de.shop.example", false);
    }

    #[test]
    fn a_bare_wildcard_is_refused() {
        assert!(AllowedHost::parse("*").is_err());
        assert!(AllowedHost::parse("*.com").is_err());
        assert!(AllowedHost::parse("10.0.0.1").is_err());
    }

    #[test]
    fn an_ended_campaign_stays_ended() {
        assert!(CampaignStatus::ALL.iter().all(|to| CampaignStatus::Ended.to(*to).is_err()));
    }

    #[test]
    fn a_window_is_between_one_and_ninety_days() {
        assert!(WindowDays::try_from(0).is_err());
        assert_eq!(WindowDays::try_from(90).map(WindowDays::days), Ok(90));
        assert!(WindowDays::try_from(91).is_err());
    }
}
