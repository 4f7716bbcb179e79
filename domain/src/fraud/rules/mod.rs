//! The rules: one file each, and one line in [`RULES`]. To add one: a file here, its lines in this one, and its code.
//!
//! A rule flags; it never turns anybody away. What a rule does not know is no evidence: its flag needs every field that
//! it reads, and [`Rule::missing`] says which are lacking.

mod address_conversions;
mod anonymous_network;
mod automated_agent;
mod brand_bidding;
mod click_farm;
mod click_flooding;
mod click_injection;
mod click_rate;
mod clock_disagreement;
mod conversion_burst;
mod conversion_rate;
mod conversion_times;
mod cookie_stuffing;
mod country_mismatch;
mod device_affiliates;
mod device_conversions;
mod disposable_mail;
mod duplicate_order;
mod flat_hours;
mod idle_clicks;
mod listed;
mod payout_account;
mod quick_conversion;
mod referrer;
mod rejections;
mod self_referral;
mod unsigned_report;
mod validation;
mod zero_engagement;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{evidence::Evidence, lists::Lists};
use crate::state::names;

/// Every rule, in the order of the manual.
pub static RULES: &[Rule] = &[
    click_rate::RULE,
    address_conversions::RULE,
    disposable_mail::RULE,
    self_referral::RULE,
    device_conversions::RULE,
    device_affiliates::RULE,
    quick_conversion::RULE,
    clock_disagreement::RULE,
    zero_engagement::RULE,
    referrer::RULE,
    anonymous_network::RULE,
    country_mismatch::RULE,
    automated_agent::RULE,
    duplicate_order::RULE,
    unsigned_report::RULE,
    click_flooding::RULE,
    click_injection::RULE,
    cookie_stuffing::RULE,
    idle_clicks::RULE,
    brand_bidding::RULE,
    click_farm::RULE,
    payout_account::RULE,
    validation::RULE,
    listed::RULE,
    conversion_times::RULE,
    conversion_rate::RULE,
    flat_hours::RULE,
    conversion_burst::RULE,
    rejections::RULE,
];

names! {
    /// Why something was flagged: the reason's code on the wire and in cases.
    Code: "reason code" {
        /// Clicks from one address faster than its people click.
        RateLimitExceeded = "rate_limit_exceeded",
        /// More conversions from one address than its clicks explain.
        HighIpVelocity = "high_ip_velocity",
        /// An e-mail address that is thrown away.
        DisposableEmail = "disposable_email",
        /// The customer is the partner.
        SelfReferral = "self_referral",
        /// One device converts again and again for one partner.
        MultipleConversionsSameDevice = "multiple_conversions_same_device",
        /// One device, several partners, and something else that does not fit.
        CrossAffiliateFingerprint = "cross_affiliate_fingerprint",
        /// The conversion came seconds after its click.
        QuickConversion = "quick_conversion",
        /// The conversion came before its click.
        ClockDisagreement = "clock_disagreement",
        /// Nobody was on the site.
        ZeroEngagement = "zero_engagement",
        /// The click came from where the partner has no site.
        ReferrerMismatch = "referrer_mismatch",
        /// The address is of a server or a tunnel.
        AnonymousNetwork = "anonymous_network",
        /// Countries do not go together.
        CountryMismatch = "country_mismatch",
        /// No person's browser.
        AutomatedAgent = "automated_agent",
        /// The order was told before.
        DuplicateOrder = "duplicate_order",
        /// The report could have been forged where others cannot.
        UnsignedReport = "unsigned_report",
        /// A source of very many clicks and a few late orders.
        ClickFlooding = "click_flooding",
        /// A source whose clicks come when orders are seen coming.
        ClickInjection = "click_injection",
        /// A click that no person made.
        CookieStuffing = "cookie_stuffing",
        /// A source whose visitors are not there.
        IdleClicks = "idle_clicks",
        /// An advertisement on the advertiser's own name.
        BrandBidding = "brand_bidding",
        /// A machine that clicks.
        ClickFarm = "click_farm",
        /// One payout account of several partners.
        SharedPayoutAccount = "shared_payout_account",
        /// A lead that did not pass its checks.
        ValidationFailed = "validation_failed",
        /// On a list of what was found guilty.
        Listed = "listed",
        /// Times to conversion that no crowd of people has.
        ConversionTimes = "conversion_times",
        /// A conversion rate out of line.
        ConversionRateOutlier = "conversion_rate_outlier",
        /// Clicks at all hours alike.
        FlatHours = "flat_hours",
        /// More conversions at once than clicks explain.
        ConversionBurst = "conversion_burst",
        /// Advertisers turn down nearly all that a source sends.
        RejectionFeedback = "rejection_feedback",
    }
}

/// A rule: what it looks at, what it says, and everything the manual tells about it.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name in settings.
    pub name: &'static str,
    /// Its reason's code; each rule has one of its own.
    pub code: Code,
    /// Items of the request that it answers: `R01` to `R22`, `S111` to `S129`.
    pub answers: &'static [&'static str],
    /// What it flags, for the manual.
    pub doc: &'static str,
    /// The reason as the partner concerned may read it: true, and too coarse to be probed.
    pub coarse: &'static str,
    /// Who looks the same and is honest, and how the rule tells them apart.
    pub look_alike: &'static str,
    /// How much it weighs unless a program says otherwise, in points.
    pub weight: f64,
    /// Over how many seconds its counts are; none when it looks at one moment.
    pub window_seconds: Option<u64>,
    /// Its numbers, in the order in which `check` takes them.
    pub parameters: &'static [Parameter],
    /// The fields that it reads: of each group at least one has to be known.
    pub needs: &'static [&'static [&'static str]],
    /// Evidence that it flags, as JSON.
    pub flags: &'static str,
    /// Evidence of its honest look-alike, which it does not flag, as JSON.
    pub spares: &'static str,
    check: fn(&Case<'_>) -> Option<Finding>,
}

/// A number that a program may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Its name in settings.
    pub name: &'static str,
    /// What it is unless it is set.
    pub default: f64,
    /// Of what it is a number.
    pub unit: Unit,
    /// The least that it may be.
    pub least: f64,
    /// The most that it may be.
    pub most: f64,
    /// What it means.
    pub doc: &'static str,
}

names! {
    /// Of what a number is one.
    Unit: "unit" {
        /// Whole things.
        Count = "count",
        /// Things for each device.
        PerDevice = "per device",
        /// Seconds.
        Seconds = "seconds",
        /// A part of a whole, from 0 to 1.
        Share = "share",
        /// A probability, from 0 to 1.
        Probability = "probability",
        /// So many times another number.
        Times = "times",
    }
}

impl Unit {
    /// Whether only whole numbers can be meant.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Count | Self::Seconds)
    }
}

/// What a rule is shown.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What is known.
    pub seen: &'a Evidence,
    /// The rule's parameters, in the rule's order.
    pub values: &'a [f64],
    /// The program's lists.
    pub lists: &'a Lists,
    /// When it is asked: lists have entries that end.
    pub at: DateTime<Utc>,
}

/// What a rule found.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Finding {
    counts: Counts,
    /// What was to be expected.
    baseline: Option<f64>,
    /// Which part of the rule's weight it is worth; above zero, at most one.
    part: f64,
    /// Where the evidence says over how long it counted.
    window_seconds: Option<u64>,
}

impl Finding {
    /// So much, where less than `limit` would have been none.
    const fn new(seen: f64, limit: f64) -> Self {
        Self { counts: Counts { seen, limit, of: None }, baseline: None, part: 1.0, window_seconds: None }
    }

    /// Something that is so or not.
    const fn fact() -> Self {
        Self::new(1.0, 1.0)
    }

    const fn of(mut self, all: f64) -> Self {
        self.counts.of = Some(all);
        self
    }

    const fn where_usual_is(mut self, baseline: f64) -> Self {
        self.baseline = Some(baseline);
        self
    }

    /// Worth a part of the weight only.
    const fn weaker(mut self, part: f64) -> Self {
        self.part = part;
        self
    }

    const fn within(mut self, seconds: u64) -> Self {
        self.window_seconds = Some(seconds);
        self
    }
}

/// The numbers behind a flag.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// What was seen.
    pub seen: f64,
    /// From where on, or up to where, it is flagged.
    pub limit: f64,
    /// How much there was in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<f64>,
}

/// What a rule says of a conversion; kept with it, and enough to say why.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Flag {
    /// Which rule, by its reason.
    pub code: Code,
    /// How much it weighs, in points.
    pub weight: f64,
    /// The numbers behind it.
    pub counts: Counts,
    /// Over how many seconds they were counted; none for one moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u64>,
    /// What was to be expected, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// The version of the rule set.
    pub version: u32,
}

impl Rule {
    /// What the rule says of a case, under a weight and for a version of the rule set. The case's values are the rule's.
    #[must_use]
    pub fn judge(&self, case: &Case<'_>, weight: f64, version: u32) -> Option<Flag> {
        let found = (self.check)(case)?;
        Some(Flag {
            code: self.code,
            weight: weight * found.part,
            counts: found.counts,
            window_seconds: found.window_seconds.or(self.window_seconds),
            baseline: found.baseline,
            version,
        })
    }

    /// The fields that would have to be known and are not; of fields that stand for each other, the first.
    pub fn missing(&self, seen: &Evidence) -> impl Iterator<Item = &'static str> {
        let lacks =
            |group: &&'static [&'static str]| group.iter().all(|field| seen.knows(field) != Some(true));
        self.needs.iter().copied().filter(lacks).filter_map(|group| group.first().copied())
    }

    /// The parameters' defaults, in order.
    #[must_use]
    pub fn defaults(&self) -> Vec<f64> {
        self.parameters.iter().map(|parameter| parameter.default).collect()
    }
}

impl Code {
    /// The rule that has this code.
    ///
    /// # Panics
    /// Never: a test holds the codes against [`RULES`].
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        RULES.iter().find(|rule| rule.code == self).expect("each code is that of a rule")
    }
}

/// The rule of this name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

#[cfg(test)]
mod tests;
