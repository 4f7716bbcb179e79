//! What happens in a program: each thing once, under an id made once, with two times: when it happened, and when we
//! learned of it. A model may only be taught what was known by then.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    campaign::EventKind,
    click::{Click, Device},
    conversion::{ConversionStatus, ReversalReason},
    fraud::evidence::CheckResult,
    id::{AdvertiserId, AffiliateId, CampaignId, ClickId, ConversionId, EventId, LinkId, SessionId},
    money::{Money, Rate},
    state::names,
};

/// Something that happened, and when we learned of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known<T> {
    /// What.
    pub event: T,
    /// When we learned of it, in microseconds since the Unix epoch: never before it happened by our own clock, but a
    /// clock elsewhere may be ahead of ours.
    pub known_at_us: i64,
}

/// Anything that happened.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all events are clicks, and a box each would cost more than room"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A visitor followed a link.
    Click(Visit<Click>),
    /// A visitor was shown an advertisement.
    Impression(Visit<Impression>),
    /// Somebody did what a campaign pays for.
    Conversion(Conversion),
    /// Money of a conversion was given back.
    Refund(Refund),
    /// A conversion moved.
    StatusChange(StatusChange),
    /// A person decided whether something was honest.
    Review(Review),
    /// A partner's rate changed.
    RateChange(RateChange),
    /// Something was decided by rules and models.
    Decision(Decision),
}

names! {
    /// What kind of event; the name of its table in the lake.
    Kind: "kind of event" {
        /// [`Event::Click`].
        Click = "clicks",
        /// [`Event::Impression`].
        Impression = "impressions",
        /// [`Event::Conversion`].
        Conversion = "conversions",
        /// [`Event::Refund`].
        Refund = "refunds",
        /// [`Event::StatusChange`].
        StatusChange = "status_changes",
        /// [`Event::Review`].
        Review = "reviews",
        /// [`Event::RateChange`].
        RateChange = "rate_changes",
        /// [`Event::Decision`].
        Decision = "decisions",
    }
}

impl Kind {
    /// What others do, or we do with their money: all but what rules and models decided. Features are made of these, and a
    /// simulator tells them.
    pub const HAPPENS: &'static [Self] = &[
        Self::Click,
        Self::Impression,
        Self::Conversion,
        Self::Refund,
        Self::StatusChange,
        Self::Review,
        Self::RateChange,
    ];
}

/// What a visitor did, with what their browser told about its device where a campaign asks for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit<T> {
    /// The click, or the impression.
    pub seen: T,
    /// Keyed hash of the device's fingerprint; empty where none was taken, which is the default.
    pub device_id: String,
}

/// One advertisement shown to one visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impression {
    /// Made once, when it was shown.
    pub id: EventId,
    /// When it happened, in microseconds since the Unix epoch.
    pub occurred_at_us: i64,
    /// Where a click on it would have led.
    pub link: LinkId,
    /// Whose link it is.
    pub affiliate: AffiliateId,
    /// What the link advertises.
    pub campaign: CampaignId,
    /// Whose campaign it is.
    pub advertiser: AdvertiserId,
    /// The browser's visit, if its cookie came along.
    pub session: Option<SessionId>,
    /// Keyed hash of the visitor's address, as a click has it.
    pub address_hash: [u8; 16],
    /// The network of the address, as a click has it.
    pub network: IpAddr,
    /// ISO 3166 country of the address; empty when unknown.
    pub country: String,
    /// What kind of machine.
    pub device: Device,
    /// The browser's user agent, cut to 512 bytes.
    pub user_agent: String,
    /// The page that shows it, cut to 1,024 bytes.
    pub referrer: String,
}

/// Something that a campaign pays for, as it was reported; what became of it later are events of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// Made once, when the report was taken in.
    pub id: ConversionId,
    /// When it happened, in microseconds since the Unix epoch, by the advertiser's clock.
    pub occurred_at_us: i64,
    /// Which campaign pays.
    pub campaign: CampaignId,
    /// Whose campaign it is.
    pub advertiser: AdvertiserId,
    /// The campaign's name for what was done.
    pub name: String,
    /// What kind of thing that is.
    pub kind: EventKind,
    /// What it was worth to the advertiser.
    pub amount: Money,
    /// The click that the report names, or that the visit led to; none when nobody sent the customer.
    pub click: Option<ClickId>,
    /// The visit.
    pub session: Option<SessionId>,
    /// The link of the click.
    pub link: Option<LinkId>,
    /// Who was credited first.
    pub affiliate: Option<AffiliateId>,
    /// The advertiser's number of the order; empty when not said.
    pub order_id: String,
    /// The advertiser's name for the customer; empty when not said.
    pub customer: String,
    /// The coupon that was used; empty when none was.
    pub coupon: String,
    /// Keyed hash of the address that it came from; none when not said.
    pub address_hash: Option<[u8; 16]>,
    /// The network of that address.
    pub network: Option<IpAddr>,
    /// ISO 3166 country of that address, or of the customer; empty when unknown.
    pub country: String,
    /// What kind of machine.
    pub device: Device,
    /// Keyed hash of the device's fingerprint; empty where none was taken.
    pub device_id: String,
    /// Keyed hash of the customer's e-mail address, normalised; none when not said.
    pub email_hash: Option<[u8; 16]>,
    /// The part of that address behind the @, in lower case; empty when not said.
    pub email_domain: String,
    /// Keyed hash of the account that paid; none when not said.
    pub account_hash: Option<[u8; 16]>,
    /// What the advertiser's page and form found out.
    pub checks: Checks,
}

/// What an advertiser's page and form found out about who converted; what is none was not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// Whole seconds that the visitor was on the site before the conversion; a beacon that was lost tells none, and not zero.
    pub time_on_site_seconds: Option<u32>,
    /// What a check of the customer's e-mail address said.
    pub email: Option<CheckResult>,
    /// What a test for people said.
    pub captcha: Option<CheckResult>,
}

/// Money of a conversion that was given back, in part or whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Made once.
    pub id: EventId,
    /// When, in microseconds since the Unix epoch.
    pub occurred_at_us: i64,
    /// Of which conversion.
    pub conversion: ConversionId,
    /// Which campaign had paid.
    pub campaign: CampaignId,
    /// Whose campaign it is: the customer's name is theirs.
    pub advertiser: AdvertiserId,
    /// Who was credited with it.
    pub affiliate: Option<AffiliateId>,
    /// The advertiser's name for the customer; empty when not said.
    pub customer: String,
    /// How much; positive.
    pub amount: Money,
    /// Why.
    pub reason: ReversalReason,
}

/// A conversion that moved from one state to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// Made once.
    pub id: EventId,
    /// When, in microseconds since the Unix epoch.
    pub occurred_at_us: i64,
    /// Which conversion.
    pub conversion: ConversionId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Who was credited with it.
    pub affiliate: Option<AffiliateId>,
    /// Where it went; where it came from was the event before.
    pub to: ConversionStatus,
    /// Why it was rejected or reversed.
    pub reason: Option<ReversalReason>,
}

names! {
    /// What a person found.
    Verdict: "verdict" {
        /// Somebody meant to deceive.
        Fraud = "fraud",
        /// Nobody did.
        Honest = "honest",
    }
}

/// What a person found when they looked at a conversion: the label that fraud models learn from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Made once.
    pub id: EventId,
    /// When, in microseconds since the Unix epoch.
    pub occurred_at_us: i64,
    /// What was looked at.
    pub conversion: ConversionId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Who was credited with it.
    pub affiliate: Option<AffiliateId>,
    /// What was found.
    pub verdict: Verdict,
}

/// A rate that applies from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateChange {
    /// Made once.
    pub id: EventId,
    /// When, in microseconds since the Unix epoch.
    pub occurred_at_us: i64,
    /// In which campaign.
    pub campaign: CampaignId,
    /// For whom; none when it is everybody without a rate of their own.
    pub affiliate: Option<AffiliateId>,
    /// The new rate of a sale's value.
    pub rate: Rate,
}

names! {
    /// What was decided.
    Decided: "kind of decision" {
        /// Whether a conversion is held, and how probable fraud is.
        Score = "score",
        /// A partner's rate in a campaign.
        Rate = "rate",
        /// Whom a campaign, or what a partner, was recommended.
        List = "list",
        /// How all scores from then on are decided.
        Settings = "settings",
    }
}

/// What rules and models decided, with everything that it was decided by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Made once.
    pub id: EventId,
    /// When, in microseconds since the Unix epoch.
    pub occurred_at_us: i64,
    /// What.
    pub decided: Decided,
    /// Of which conversion; none where it is not about one, or was only asked.
    pub conversion: Option<ConversionId>,
    /// Of which campaign.
    pub campaign: Option<CampaignId>,
    /// Of which partner.
    pub affiliate: Option<AffiliateId>,
    /// What came of it, in a word: `approve` or `hold`, the rate in parts per million; empty for lists and settings.
    pub verdict: String,
    /// `shadow` where it was noted only, `live` where it counted; empty for what has no such difference.
    pub mode: String,
    /// By which version: of settings, of a policy, of a model.
    pub version: String,
    /// All of it as JSON, digit by digit.
    pub record: String,
}

impl Event {
    /// What kind of event it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Click(_) => Kind::Click,
            Self::Impression(_) => Kind::Impression,
            Self::Conversion(_) => Kind::Conversion,
            Self::Refund(_) => Kind::Refund,
            Self::StatusChange(_) => Kind::StatusChange,
            Self::Review(_) => Kind::Review,
            Self::RateChange(_) => Kind::RateChange,
            Self::Decision(_) => Kind::Decision,
        }
    }

    /// When it happened, in microseconds since the Unix epoch.
    #[must_use]
    pub fn occurred_at_us(&self) -> i64 {
        match self {
            Self::Click(visit) => visit.seen.occurred_at_us,
            Self::Impression(visit) => visit.seen.occurred_at_us,
            Self::Conversion(event) => event.occurred_at_us,
            Self::Refund(event) => event.occurred_at_us,
            Self::StatusChange(event) => event.occurred_at_us,
            Self::Review(event) => event.occurred_at_us,
            Self::RateChange(event) => event.occurred_at_us,
            Self::Decision(event) => event.occurred_at_us,
        }
    }

    /// The campaign that it belongs to; a decision may be about several, or about none.
    #[must_use]
    pub fn campaign(&self) -> Option<CampaignId> {
        let one = match self {
            Self::Click(visit) => visit.seen.campaign,
            Self::Impression(visit) => visit.seen.campaign,
            Self::Conversion(event) => event.campaign,
            Self::Refund(event) => event.campaign,
            Self::StatusChange(event) => event.campaign,
            Self::Review(event) => event.campaign,
            Self::RateChange(event) => event.campaign,
            Self::Decision(event) => return event.campaign,
        };
        Some(one)
    }
}
