//! What really happened: for evaluation, and for no job.

use std::fmt;

use domain::{AffiliateId, CampaignId, ConversionId, Money, click::Device, event::Kind};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    patterns::Nature,
    visit::{loss::Cause, order::Channel, path::Touch},
};

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Truth {
    /// An event belongs to a pattern.
    Label(Label),
    /// Who caused a conversion.
    Credit(Credit),
    /// What a customer is worth.
    Customer(Customer),
    /// What an affiliate is like.
    Affiliate(Affiliate),
    /// What a campaign is like.
    Campaign(Campaign),
    /// What an affiliate and a campaign would bring each other.
    Match(Match),
    /// That a campaign had nothing left to spend.
    Pause(Pause),
}

impl Truth {
    /// The name of the table that it belongs to.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        match self {
            Self::Label(_) => "labels",
            Self::Credit(_) => "credits",
            Self::Customer(_) => "customers",
            Self::Affiliate(_) => "affiliates",
            Self::Campaign(_) => "campaigns",
            Self::Match(_) => "matches",
            Self::Pause(_) => "pauses",
        }
    }

    /// Every table.
    pub const TABLES: [&str; 7] =
        ["labels", "credits", "customers", "affiliates", "campaigns", "matches", "pauses"];
}

/// The printed id of an event, behind the prefix of its kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName {
    /// What kind of event.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Click => domain::ClickId::from(self.id).fmt(f),
            Kind::Conversion => ConversionId::from(self.id).fmt(f),
            _ => domain::EventId::from(self.id).fmt(f),
        }
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for EventName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An event that belongs to a scheme of fraud or to an honest crowd.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Label {
    /// Which event.
    pub event: EventName,
    /// Its table in the lake.
    pub kind: Kind,
    /// Which pattern.
    pub pattern: &'static str,
    /// Whether that is fraud.
    pub nature: Nature,
    /// Who is behind it, or whose visitors they are.
    pub affiliate: AffiliateId,
    /// Events of one attack or one crowd have the same number.
    pub group: u64,
}

/// Who caused a conversion, in parts per million that sum to a million.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Credit {
    /// Of which conversion.
    pub conversion: ConversionId,
    /// Whether somebody really bought or signed up; a replayed or invented one has nobody who could be credited.
    pub real: bool,
    /// Who ordered: the same number on every machine, and for every order of theirs.
    pub person: u64,
    /// Where it was ordered.
    pub channel: Channel,
    /// The part that nobody caused.
    pub organic_ppm: u32,
    /// The parts of the visits, oldest first.
    pub visits: Vec<Part>,
    /// How visits work together in this campaign.
    pub together: crate::world::campaign::Together,
    /// Why tracking lost the journey, if it did.
    pub lost: Option<Cause>,
    /// For an order of somebody who was a customer already: the conversion that won them, whose credit this repeats.
    pub won_by: Option<ConversionId>,
}

/// One visit's part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Part {
    /// The click or impression; none when it was never recorded.
    pub visit: Option<EventName>,
    /// What it was.
    pub touch: Touch,
    /// What the visitor had in their hands.
    pub device: Device,
    /// Whose visit it was.
    pub affiliate: AffiliateId,
    /// When it was, in microseconds since the Unix epoch.
    pub occurred_at_us: i64,
    /// Its part.
    pub ppm: u32,
}

/// What a customer is worth to the advertiser.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Customer {
    /// The advertiser's name for them, as on their conversions.
    pub customer: String,
    /// Who that is: the same number as on the credit of each of their orders.
    pub person: u64,
    /// What they bought first.
    pub campaign: CampaignId,
    /// Who got the last visit before they did; none for those who came by themselves.
    pub affiliate: Option<AffiliateId>,
    /// When they became one, in microseconds since the Unix epoch.
    pub since_us: i64,
    /// When they stop to be one; it may lie behind the end of the world.
    pub until_us: i64,
    /// Their orders within a year, the first one included.
    pub orders_in_a_year: u32,
    /// What these orders bring before refunds.
    pub revenue_in_a_year: Money,
    /// What is left of them to the advertiser after refunds, before commissions: the lifetime value.
    pub value_in_a_year: Money,
    /// What that was to be expected to be when they came, from what they are like.
    pub expected_value: Money,
}

/// What an affiliate is really like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Affiliate {
    /// Who.
    pub affiliate: AffiliateId,
    /// The pattern of fraud that they follow, if they do.
    pub scheme: Option<&'static str>,
    /// Accounts of one ring have the same number.
    pub ring: Option<u64>,
    /// How good their visitors are: 1 is ordinary.
    pub quality: f64,
    /// How alike their days are: 1 for the steadiest.
    pub steadiness: f64,
    /// How much traffic they send, relative to the smallest.
    pub size: f64,
}

/// What a campaign is really like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Campaign {
    /// Which.
    pub campaign: CampaignId,
    /// The probability that a visitor buys whom nobody persuaded.
    pub organic: f64,
    /// How visits work together.
    pub together: crate::world::campaign::Together,
}

/// What an affiliate and a campaign would bring each other, whether or not there is a link.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Match {
    /// Who sends.
    pub affiliate: AffiliateId,
    /// Where to.
    pub campaign: CampaignId,
    /// Whether there is a link.
    pub linked: bool,
    /// The probability that a lone visit is followed by an order.
    pub converts: f64,
    /// The part of it that the visit causes.
    pub caused: f64,
    /// What the affiliate would earn with a thousand visits at the campaign's rate, in minor units of its currency.
    pub earns_per_thousand_minor: f64,
    /// What the customers whom a thousand visits cause are worth to the advertiser in a year, after the commission.
    pub brings_per_thousand_minor: f64,
}

/// A campaign whose budget was spent: its links led nowhere, and its orders were not paid for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pause {
    /// Which.
    pub campaign: CampaignId,
    /// Since when, in microseconds since the Unix epoch.
    pub from_us: i64,
    /// When its next month began.
    pub until_us: i64,
}
