//! Campaigns run, pause and end; each says which events pay and within which window.

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use url::Host;
use utoipa::ToSchema;

use crate::{
    money::Money,
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

#[cfg(test)]
mod tests {
    use super::*;

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
