//! A click: who sent whom where, when, and from what kind of place; never a raw address.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    fraud::evidence::FetchDestination,
    id::{AdvertiserId, AffiliateId, CampaignId, ClickId, LinkId, SessionId},
    state::names,
};

names! {
    /// What kind of machine the visitor holds.
    Device: "device type" {
        /// A computer.
        Desktop = "desktop",
        /// A telephone.
        Mobile = "mobile",
        /// A tablet.
        Tablet = "tablet",
        /// Cannot be told.
        Unknown = "unknown",
    }
}

/// How many sub-ids a link may carry: `sub1` to `sub10`.
pub const SUB_IDS: usize = 10;

/// What an affiliate hangs on a link to tell clicks apart; read back in reports and postbacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tags {
    /// `sub1` to `sub10`, by position; absent ones are empty.
    pub subs: [String; SUB_IDS],
    /// Where the affiliate says the click comes from.
    pub source: String,
    /// The affiliate's own id of the visitor.
    pub uid: String,
    /// The affiliate's own id of the click (their `clickid`).
    pub external_click_id: String,
    /// `utm_source`, `utm_medium`, `utm_campaign`, `utm_term`, `utm_content`, in this order.
    pub utm: [String; 5],
}

/// The names of the five UTM parameters, in the order in which [`Tags::utm`] keeps their values.
pub const UTM: [&str; 5] = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"];

/// What the browser told of how it came to ask for a link; what it did not tell is none. Only browsers tell it, over TLS or
/// from the same machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What it wanted the answer for (`Sec-Fetch-Dest`).
    pub destination: Option<FetchDestination>,
    /// Whether a person's action led to it: `Sec-Fetch-User` of a navigation (`Sec-Fetch-Mode`).
    pub by_user: Option<bool>,
    /// Whether the client hints (`Sec-CH-UA`, `-Mobile`, `-Platform`) name what the user agent names.
    pub hints_match: Option<bool>,
}

/// One click, as it is written to the log before the visitor is redirected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Click {
    /// Made once, at the redirect; its first 48 bits say when, in milliseconds.
    pub id: ClickId,
    /// When it happened, in microseconds since the Unix epoch.
    pub occurred_at_us: i64,
    /// The link that was clicked.
    pub link: LinkId,
    /// Whose link it is.
    pub affiliate: AffiliateId,
    /// What the link advertises.
    pub campaign: CampaignId,
    /// Whose campaign it is.
    pub advertiser: AdvertiserId,
    /// The browser's visit, from the signed first-party cookie.
    pub session: SessionId,
    /// What the affiliate hung on the link.
    pub tags: Tags,
    /// Keyed hash of the visitor's address: equal addresses are equal hashes, and no more can be told.
    pub address_hash: [u8; 16],
    /// The network the address is in: /24 for IPv4, /48 for IPv6, the host bits zero.
    pub network: IpAddr,
    /// ISO 3166 country of the address; empty when unknown.
    pub country: String,
    /// What kind of machine.
    pub device: Device,
    /// The browser's user agent, cut to 512 bytes.
    pub user_agent: String,
    /// The page the visitor came from, cut to 1,024 bytes.
    pub referrer: String,
    /// How the browser asked. Not among the bytes of a click in the log's first version, which stay as they are: there it
    /// stands beside them.
    #[serde(skip)]
    pub asked: Asked,
}

/// The part of an address that rules may see: its /24 (IPv4) or /48 (IPv6) network.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(four) => IpAddr::V4((u32::from(four) & 0xffff_ff00).into()),
        IpAddr::V6(six) => IpAddr::V6((u128::from(six) & (!0 << 80)).into()),
    }
}

/// The host of a page's address, as it is written; empty when there is none.
#[must_use]
pub fn host(page: &str) -> &str {
    let rest = page.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, network: &str) {
        assert_eq!(network_of(address.parse().unwrap()).to_string(), network);
    }

    #[test]
    fn a_host_is_what_a_browser_would_go_to() {
        assert_eq!(host("https://blog.example/tents?a=b"), "blog.example");
        assert_eq!(host("https://blog.example"), "blog.example");
        assert_eq!(host("https://user@blog.example:8080#top"), "blog.example:8080");
        assert_eq!(host("android-app://com.mail"), "com.mail");
        assert_eq!(host("nonsense"), "");
    }

    #[test]
    fn a_network_forgets_the_host() {
        check("203.0.113.77", "203.0.113.0");
        check("::ffff:203.0.113.77", "203.0.113.0");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1::");
    }
}
