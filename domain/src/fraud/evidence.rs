//! What is known about a conversion when rules look at it, and where each thing is read from.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize, de::Error as _};

use super::statistics::{Excess, TimeShape};
use crate::state::names;

/// Where a field of [`Evidence`] is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The feature of this name, as the feature store counts it online and offline.
    Feature(&'static str),
    /// A feature that is not defined yet, under the name that it should get.
    Wanted(&'static str),
    /// The click, the report of the conversion, or what was looked up for them.
    Request(&'static str),
    /// What the program knows of its partners, campaigns and orders.
    Record(&'static str),
    /// What a job of the worker found out about the source.
    Job(&'static str),
}

/// A number that a feature says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    /// A whole number; yes is one and no is zero.
    Whole(i64),
    /// A real number.
    Real(f64),
}

/// What a field may be told as; none where a number is nothing of the kind.
trait FromTold: Sized {
    fn from_told(told: Told) -> Option<Self>;
}

impl FromTold for i64 {
    fn from_told(told: Told) -> Option<Self> {
        if let Told::Whole(whole) = told { Some(whole) } else { None }
    }
}

impl FromTold for u64 {
    fn from_told(told: Told) -> Option<Self> {
        i64::from_told(told).and_then(|whole| whole.try_into().ok())
    }
}

impl FromTold for bool {
    fn from_told(told: Told) -> Option<Self> {
        i64::from_told(told).map(|whole| whole != 0)
    }
}

impl FromTold for f64 {
    fn from_told(told: Told) -> Option<Self> {
        if let Told::Real(value) = told { Some(value) } else { None }
    }
}

/// How a field takes a feature's number in; none where it is read from elsewhere.
macro_rules! reader {
    (Feature, $name:ident) => {
        Some(|seen: &mut Evidence, told: Told| seen.$name = FromTold::from_told(told))
    };
    ($origin:ident, $name:ident) => {
        None
    };
}

/// Declares the fields once: their type, their meaning, and their origin.
macro_rules! evidence {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ty = $origin:ident($from:literal),)+) => {
        /// What is known. A field that is none is not known, and no rule may conclude anything from that.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Evidence {
            $($(#[doc = $doc])+ #[serde(default, skip_serializing_if = "Option::is_none")] pub $name: Option<$kind>,)+
        }

        impl Evidence {
            /// Every field with its meaning and its origin.
            pub const FIELDS: &'static [Field] = &[$(Field {
                name: stringify!($name),
                doc: concat!($($doc),+),
                origin: Origin::$origin($from),
                read: reader!($origin, $name),
            }),+];

            /// Whether the field of this name is known; none where there is no such field.
            #[must_use]
            pub fn knows(&self, field: &str) -> Option<bool> {
                match field { $(stringify!($name) => Some(self.$name.is_some()),)+ _ => None }
            }

            /// Forgets what is known in the field of this name.
            pub fn forget(&mut self, field: &str) {
                match field { $(stringify!($name) => self.$name = None,)+ _ => {} }
            }
        }
    };
}

/// A field of [`Evidence`].
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// Where it is read from.
    pub origin: Origin,
    /// Takes in what its feature says; there is one for every [`Origin::Feature`], and for no other.
    pub read: Option<fn(&mut Evidence, Told)>,
}

evidence! {
    /// What kind of network the address is in.
    address_class: AddressClass = Request("class of the network"),
    /// The network of the address: its /24, or /48.
    network: IpAddr = Request("network of the click, else of the conversion"),
    /// The address, by its keyed hash.
    address_hash: KeyedHash = Request("address hash of the click, else of the conversion"),
    /// Clicks from the address in the last hour.
    ip_clicks_1h: u64 = Feature("ip_clicks_1h"),
    /// Clicks from the address in the last 24 hours.
    ip_clicks_24h: u64 = Feature("ip_clicks_24h"),
    /// Conversions from the address in the last 24 hours.
    ip_conversions_24h: u64 = Feature("ip_conversions_24h"),
    /// Visits by first-party cookie that clicked from the address in the last hour.
    ip_journeys_1h: u64 = Feature("ip_journeys_1h"),
    /// Visits by first-party cookie that clicked from the address in the last 24 hours.
    ip_journeys_24h: u64 = Feature("ip_journeys_24h"),
    /// Browsers that clicked from the address in the last hour.
    ip_user_agents_1h: u64 = Feature("ip_user_agents_1h"),
    /// Browsers that clicked from the address in the last 24 hours.
    ip_user_agents_24h: u64 = Feature("ip_user_agents_24h"),
    /// Partners whose links were clicked from the address in the last 24 hours.
    ip_affiliates_24h: u64 = Feature("ip_affiliates_24h"),

    /// The device, by its fingerprint's keyed hash.
    device_id: String = Request("device of the conversion, else of the click"),
    /// Conversions by the device in the last 24 hours.
    device_conversions_24h: u64 = Feature("device_conversions_24h"),
    /// Partners whose links the device clicked in the last 24 hours.
    device_affiliates_24h: u64 = Feature("device_affiliates_24h"),
    /// Partners who were credited with conversions by the device in the last 24 hours.
    device_credited_affiliates_24h: u64 = Feature("device_credited_affiliates_24h"),
    /// Partners who were credited with conversions by the device in the last 90 days.
    device_credited_affiliates_90d: u64 = Feature("device_credited_affiliates_90d"),
    /// Least seconds between clicks of the device on links of two partners in the last 24 hours.
    device_seconds_between_affiliates_24h: u64 = Feature("device_seconds_between_affiliates_24h"),
    /// Whether the device of the conversion is that of its click.
    same_device_as_click: bool = Feature("same_device_as_click"),

    /// Whole seconds from the click to the conversion; below zero when clocks disagree.
    click_to_conversion_seconds: i64 = Feature("click_to_conversion_seconds"),
    /// Conversions by the customer in the last 365 days, this one among them.
    customer_orders_365d: u64 = Feature("customer_orders_365d"),
    /// Seconds that the visitor was on the advertiser's site before the conversion, as its page told.
    time_on_site_seconds: u64 = Request("time on site of the conversion"),
    /// Conversions of the partner whose page told a time on site, in the last 7 days.
    affiliate_timed_conversions_7d: u64 = Feature("affiliate_timed_conversions_7d"),
    /// Share of them in which that time was zero, in the last 7 days.
    affiliate_idle_conversion_share_7d: f64 = Feature("affiliate_idle_conversion_share_7d"),
    /// Clicks of the partner whose page told a time on site, in the last 7 days.
    affiliate_timed_clicks_7d: u64 = Wanted("affiliate_timed_clicks_7d"),
    /// Share of them in which that time was zero, in the last 7 days.
    affiliate_idle_click_share_7d: f64 = Wanted("affiliate_idle_click_share_7d"),

    /// Host of the page that the click came from; empty when the browser told none.
    referrer_host: String = Request("referrer of the click"),
    /// Hosts that the partner has registered.
    affiliate_sites: Vec<String> = Record("sites of the partner"),
    /// Share of the partner's clicks that say which page they came from, in the last 90 days.
    affiliate_referrer_share_90d: f64 = Feature("affiliate_referrer_share_90d"),

    /// The part of the customer's e-mail address behind the @, in lower case.
    email_domain: String = Request("e-mail domain of the conversion"),
    /// Whether that is a provider of throw-away addresses.
    email_domain_disposable: bool = Feature("email_domain_disposable"),
    /// Keyed hash of the customer's normalised e-mail address.
    email_hash: KeyedHash = Request("e-mail hash of the conversion"),
    /// What a check of the customer's e-mail address said.
    email_check: CheckResult = Request("mail check of the conversion"),
    /// What a test for people said.
    captcha_check: CheckResult = Request("test for people of the conversion"),

    /// Keyed hashes of the partner's own normalised e-mail addresses.
    affiliate_email_hashes: Vec<KeyedHash> = Record("e-mail addresses of the partner and its people"),
    /// Keyed hash of the account that the customer paid from.
    customer_account_hash: KeyedHash = Request("payment account of the conversion"),
    /// Keyed hash of the account that the partner is paid to.
    affiliate_account_hash: KeyedHash = Record("payout account of the partner"),
    /// Devices that the partner signed in from in the last 30 days.
    affiliate_device_ids: Vec<String> = Record("devices of the partner's sign-ins, 30 d"),
    /// Addresses that the partner signed in from in the last 30 days, by their keyed hashes.
    affiliate_address_hashes: Vec<KeyedHash> = Record("addresses of the partner's sign-ins, 30 d"),
    /// Partners who are paid to the same account, this one among them.
    payout_account_affiliates: u64 = Record("partners by payout account"),
    /// Whether the partner is a declared agency, or a sub-account of one.
    declared_agency: bool = Record("agency agreement of the partner"),

    /// Whether the click came from the same country as the conversion.
    ip_country_match: bool = Feature("ip_country_match"),
    /// Whether the conversion's country is one that the campaign is for.
    country_targeted: bool = Record("countries of the campaign"),

    /// The browser's user agent; empty when none was told.
    user_agent: String = Request("user agent of the click"),
    /// Whether the click was a HEAD request.
    head_request: bool = Request("method of the click"),
    /// Whether the client hints name the browser and platform that the user agent names.
    client_hints_match: bool = Request("Sec-CH-UA headers of the click"),
    /// What the browser wanted the click's answer for (`Sec-Fetch-Dest`).
    fetch_destination: FetchDestination = Request("Sec-Fetch-Dest header of the click"),
    /// Whether a person's action led to the click (`Sec-Fetch-User`).
    fetch_by_user: bool = Request("Sec-Fetch-User header of the click"),
    /// Least seconds between clicks of the visitor on two links in the last 30 days.
    journey_seconds_between_links_30d: u64 = Feature("journey_seconds_between_links_30d"),

    /// Whether the landing page's address carried the id of a click on an advertisement of a search engine.
    paid_search_click: bool = Request("gclid, gbraid, wbraid or msclkid of the click"),
    /// Words that were searched for, as the referrer or `utm_term` tells.
    search_terms: String = Request("query of the referrer, or utm_term, of the click"),
    /// Whether the partner is licensed to advertise in search engines under the advertiser's name.
    licensed_search: bool = Record("search licence of the partner"),

    /// Reports, each with a message id of its own, that name this advertiser's order.
    order_reports: u64 = Record("reports by order id"),
    /// Conversions of the same customer (or else device), campaign, click and amount within 24 hours, this one among them.
    twin_conversions_24h: u64 = Feature("twin_conversions_24h"),
    /// How the conversion was reported.
    report_channel: ReportChannel = Request("door that the report came through"),
    /// Share of the campaign's conversions whose reports were signed, in the last 90 days.
    campaign_signed_share_90d: f64 = Wanted("campaign_signed_share_90d"),
    /// Conversions of the campaign in the last 90 days.
    campaign_conversions_90d: u64 = Feature("campaign_conversions_90d"),

    /// Clicks on the partner's links in the last 7 days.
    affiliate_clicks_7d: u64 = Feature("affiliate_clicks_7d"),
    /// Conversions that the partner was credited with in the last 7 days.
    affiliate_conversions_7d: u64 = Feature("affiliate_conversions_7d"),
    /// Share of the partner's conversions that came less than 10 seconds after their click, in the last 7 days.
    affiliate_quick_conversion_share_7d: f64 = Feature("affiliate_quick_conversion_share_7d"),
    /// Share of the partner's conversions that came a day or more after their click, in the last 7 days.
    affiliate_slow_conversion_share_7d: f64 = Feature("affiliate_slow_conversion_share_7d"),
    /// Median of the seconds from click to conversion, of the partner's conversions in the last 7 days.
    affiliate_click_to_conversion_median_7d: f64 = Feature("affiliate_click_to_conversion_median_7d"),
    /// The seconds that nine tenths of the partner's conversions took at most, in the last 7 days.
    affiliate_click_to_conversion_p90_7d: f64 = Feature("affiliate_click_to_conversion_p90_7d"),
    /// Conversions that the partner was credited with in the last 12 hours.
    affiliate_conversions_12h: u64 = Feature("affiliate_conversions_12h"),
    /// Rejections of the partner's conversions in the last 12 hours.
    affiliate_rejections_12h: u64 = Feature("affiliate_rejections_12h"),
    /// Conversions for each click on links of the campaign in the last 7 days.
    campaign_conversion_rate_7d: f64 = Feature("campaign_conversion_rate_7d"),
    /// Share of the campaign's conversions that came less than 10 seconds after their click, in the last 7 days.
    campaign_quick_conversion_share_7d: f64 = Feature("campaign_quick_conversion_share_7d"),
    /// Rejections for each conversion of the campaign in the last 12 hours.
    campaign_rejection_rate_12h: f64 = Feature("campaign_rejection_rate_12h"),

    /// How the source's times from click to conversion differ from those of others.
    time_shape: TimeShape = Job("statistics::sources::time_shapes"),
    /// How much more often the source's clicks convert than those of others.
    rate_excess: Excess = Job("statistics::sources::conversion_rates"),
    /// How much less the source's clicks follow the day than its countries' do.
    hour_excess: Excess = Job("statistics::sources::flat_hours"),
    /// How many more conversions the source has than is usual and its clicks explain.
    burst_excess: Excess = Job("statistics::sources::Surge"),
}

/// A keyed hash of something that nobody may read: equal things have equal hashes, and no more can be told. Thirty-two
/// hexadecimal digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyedHash(pub [u8; 16]);

/// A text that is no keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a keyed hash is 32 hexadecimal digits")]
pub struct KeyedHashError;

impl fmt::Display for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for KeyedHash {
    type Err = KeyedHashError;
    fn from_str(text: &str) -> Result<Self, KeyedHashError> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = u128::from_str_radix(text, 16).ok().filter(|_| is_hex);
        bits.map(|bits| Self(bits.to_be_bytes())).ok_or(KeyedHashError)
    }
}

impl Serialize for KeyedHash {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'a> Deserialize<'a> for KeyedHash {
    fn deserialize<D: serde::Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

names! {
    /// What kind of network an address is in: how many people may be behind it, and whether they hide.
    AddressClass: "class of address" {
        /// One household's line.
        Residential = "residential",
        /// A mobile network, whose subscribers share addresses (CGNAT).
        Mobile = "mobile",
        /// An office.
        Corporate = "corporate",
        /// A school, a university, a library.
        Campus = "campus",
        /// A provider whose subscribers reach the net by satellite and share addresses.
        Satellite = "satellite",
        /// A relay that hides the addresses of ordinary people by default (Apple's Private Relay).
        PrivateRelay = "private_relay",
        /// Rented servers.
        DataCentre = "data_centre",
        /// A tunnel that hides where somebody is.
        Vpn = "vpn",
        /// An exit of the Tor network.
        Tor = "tor",
    }
}

impl AddressClass {
    /// Whether many people who have nothing to do with each other share an address of this class.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Mobile | Self::Corporate | Self::Campus | Self::Satellite | Self::PrivateRelay)
    }

    /// Whether those behind it hide, or are no people.
    #[must_use]
    pub const fn is_anonymous(self) -> bool {
        matches!(self, Self::DataCentre | Self::Vpn | Self::Tor)
    }
}

names! {
    /// What a check said.
    CheckResult: "result of a check" {
        /// All is well.
        Passed = "passed",
        /// It is not what it should be.
        Failed = "failed",
        /// It could not be told: a mail server asked to come again, a service was down.
        Unsure = "unsure",
    }
}

names! {
    /// What a browser wants an answer for (`Sec-Fetch-Dest`, W3C Fetch Metadata Request Headers). Their order is part of the
    /// click log's format: new ones come last.
    FetchDestination: "destination of a request" {
        /// A page that a person will see.
        Document = "document",
        /// A frame within a page.
        Frame = "frame",
        /// A picture.
        Image = "image",
        /// A script, a style sheet, or a call of a script.
        Script = "script",
        /// Something else.
        Other = "other",
    }
}

names! {
    /// How a conversion was reported.
    ReportChannel: "channel of a report" {
        /// A postback under a signature that cannot be forged.
        SignedPostback = "signed_postback",
        /// A postback under one of the older signatures.
        LegacyPostback = "legacy_postback",
        /// A picture on the page that thanks for the order.
        Pixel = "pixel",
        /// A file that an operator imported.
        File = "file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_read_into_the_field_of_its_name() {
        for field in Evidence::FIELDS {
            assert!(field.doc.trim().ends_with('.'), "{}", field.name);
            if let Origin::Feature(feature) | Origin::Wanted(feature) = field.origin {
                assert_eq!(field.name, feature);
            }
            assert_eq!(field.read.is_some(), matches!(field.origin, Origin::Feature(_)), "{}", field.name);
            assert_eq!(Evidence::default().knows(field.name), Some(false));
        }
        assert_eq!(Evidence::default().knows("shoe_size"), None);
    }

    #[test]
    fn what_a_feature_says_is_taken_in_as_what_the_field_is() {
        let told = |name: &str, told| {
            let mut seen = Evidence::default();
            let field = Evidence::FIELDS.iter().find(|field| field.name == name).unwrap();
            field.read.unwrap()(&mut seen, told);
            serde_json::to_string(&seen).unwrap()
        };
        assert_eq!(told("ip_clicks_1h", Told::Whole(7)), r#"{"ip_clicks_1h":7}"#);
        assert_eq!(told("ip_clicks_1h", Told::Whole(-7)), "{}");
        assert_eq!(told("ip_clicks_1h", Told::Real(7.0)), "{}");
        assert_eq!(
            told("click_to_conversion_seconds", Told::Whole(-7)),
            r#"{"click_to_conversion_seconds":-7}"#
        );
        assert_eq!(told("ip_country_match", Told::Whole(0)), r#"{"ip_country_match":false}"#);
        assert_eq!(
            told("affiliate_referrer_share_90d", Told::Real(0.5)),
            r#"{"affiliate_referrer_share_90d":0.5}"#
        );
    }

    #[test]
    fn evidence_is_read_back_as_it_was_written() {
        let text = r#"{"address_class":"mobile","address_hash":"000102030405060708090a0b0c0d0e0f","ip_clicks_1h":7}"#;
        let evidence: Evidence = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&evidence).unwrap(), text);
        assert_eq!(evidence.knows("ip_clicks_1h"), Some(true));
        assert!(serde_json::from_str::<Evidence>(r#"{"ip_clicks_2h":7}"#).is_err());
        assert!("+00102030405060708090a0b0c0d0e0f".parse::<KeyedHash>().is_err());
    }
}
