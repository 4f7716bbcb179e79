//! Partners: where their visitors come from, whom they speak to, how good they are, and how unequal in size.

use domain::{AffiliateId, CampaignId, LinkId, Rate};
use serde::Serialize;

use super::{Audience, Campaign, campaign::as_ppm};
use crate::{
    dice::{Part, Seed, exp, micros},
    rhythm::DAY,
};

/// Where an affiliate's visitors come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Advertisements and pages found through search engines.
    Search,
    /// Posts in social networks.
    Social,
    /// Newsletters.
    Email,
    /// Articles.
    Blog,
    /// Coupons and cashback.
    Coupon,
    /// Banners.
    Display,
    /// Videos.
    Video,
    /// Applications of phones.
    App,
}

/// What is true of a kind of traffic (all chosen; coupons take much last-click credit and persuade little, which
/// is the classical complaint about them).
pub(crate) struct Traffic {
    /// How much more or less than an ordinary visit one of these persuades.
    pub(crate) persuades: f64,
    /// How often it is the first thing that somebody sees.
    pub(crate) opens: f64,
    /// How often it is what somebody sees last.
    pub(crate) closes: f64,
    /// How often a touch is an impression alone.
    pub(crate) views: f64,
    /// How often a touch is one that no tracker can see.
    pub(crate) offline: f64,
    /// Whether the browser says where the visitor came from.
    pub(crate) refers: bool,
    /// How much longer or shorter its customers stay.
    pub(crate) loyalty: f64,
}

impl Source {
    pub(crate) const ALL: [Self; 8] = [
        Self::Search,
        Self::Social,
        Self::Email,
        Self::Blog,
        Self::Coupon,
        Self::Display,
        Self::Video,
        Self::App,
    ];

    #[rustfmt::skip]
    pub(crate) fn traffic(self) -> Traffic {
        match self {
            Self::Search => Traffic { persuades: 1.2, opens: 0.8, closes: 1.5, views: 0.0, offline: 0.0, refers: true, loyalty: 1.0 },
            Self::Social => Traffic { persuades: 0.7, opens: 1.3, closes: 0.6, views: 0.2, offline: 0.02, refers: true, loyalty: 0.8 },
            Self::Email => Traffic { persuades: 1.3, opens: 0.6, closes: 1.2, views: 0.0, offline: 0.0, refers: false, loyalty: 1.3 },
            Self::Blog => Traffic { persuades: 1.6, opens: 1.5, closes: 0.7, views: 0.0, offline: 0.04, refers: true, loyalty: 1.4 },
            Self::Coupon => Traffic { persuades: 0.3, opens: 0.5, closes: 2.5, views: 0.0, offline: 0.03, refers: true, loyalty: 0.6 },
            Self::Display => Traffic { persuades: 0.4, opens: 1.2, closes: 0.5, views: 0.5, offline: 0.0, refers: true, loyalty: 0.8 },
            Self::Video => Traffic { persuades: 1.0, opens: 1.4, closes: 0.5, views: 0.3, offline: 0.12, refers: true, loyalty: 1.1 },
            Self::App => Traffic { persuades: 0.8, opens: 1.0, closes: 0.8, views: 0.1, offline: 0.0, refers: false, loyalty: 0.9 },
        }
    }
}

/// What an affiliate makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Tests of products.
    Review,
    /// Tables that compare.
    Comparison,
    /// Offers.
    Deal,
    /// How things are done.
    Tutorial,
    /// What is new.
    News,
    /// Entertainment.
    Entertainment,
}

impl Content {
    pub(crate) const ALL: [Self; 6] =
        [Self::Review, Self::Comparison, Self::Deal, Self::Tutorial, Self::News, Self::Entertainment];

    /// How much more or less its customers are worth (chosen).
    pub(crate) fn worth(self) -> f64 {
        match self {
            Self::Review | Self::Tutorial => 1.25,
            Self::Comparison => 1.1,
            Self::Deal => 0.7,
            Self::News => 0.95,
            Self::Entertainment => 0.85,
        }
    }
}

/// A partner, as the operator knows them; what is hidden is in the truth.
#[derive(Clone, Debug, Serialize)]
pub struct Affiliate {
    /// Their id.
    pub id: AffiliateId,
    /// Their name.
    pub name: String,
    /// When they joined, in microseconds since the Unix epoch.
    pub joined_at_us: i64,
    /// Who recruited them.
    pub parent: Option<AffiliateId>,
    /// Where their visitors come from, as they say.
    pub source: Source,
    /// What they make, as they say.
    pub content: Content,
    /// Whom they speak to, as they say.
    pub audience: Audience,
    /// Keyed hash of the account that they are paid to.
    #[serde(serialize_with = "as_hex")]
    pub account_hash: [u8; 16],
    /// Keyed hash of their e-mail address.
    #[serde(serialize_with = "as_hex")]
    pub email_hash: [u8; 16],
    /// Where they have that address.
    pub email_domain: &'static str,
    /// How much traffic they send, relative to the smallest.
    #[serde(skip)]
    pub(crate) size: f64,
    /// How alike their days are: 1 for the steadiest.
    #[serde(skip)]
    pub(crate) steadiness: f64,
    /// How good their visitors are: 1 is ordinary.
    #[serde(skip)]
    pub(crate) quality: f64,
    /// The person behind it.
    #[serde(skip)]
    pub(crate) person: crate::visit::person::Person,
    /// Which pattern of fraud they follow: a position in the list of patterns.
    #[serde(skip)]
    pub(crate) scheme: Option<usize>,
    /// Which ring of accounts they belong to.
    #[serde(skip)]
    pub(crate) ring: Option<u64>,
    /// Their links: positions among all links.
    #[serde(skip)]
    pub(crate) links: Vec<u32>,
}

pub(super) fn as_hex<S: serde::Serializer>(hash: &[u8; 16], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{:032x}", u128::from_be_bytes(*hash)))
}

/// The way from an affiliate to a campaign.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// Whose link it is: a position.
    #[serde(skip)]
    pub(crate) affiliate: u32,
    /// Where it leads: a position.
    #[serde(skip)]
    pub(crate) campaign: u32,
    /// Whose link it is.
    #[serde(rename = "affiliate")]
    pub affiliate_id: AffiliateId,
    /// Where it leads.
    #[serde(rename = "campaign")]
    pub campaign_id: CampaignId,
    /// What it pays at first.
    #[serde(rename = "rate_ppm", serialize_with = "as_ppm")]
    pub rate: Rate,
    /// The page that it stands on.
    pub page: String,
    /// The coupon that is given away with it, which names the partner where no click does; empty for most.
    pub coupon: String,
    /// What the affiliate tells its clicks apart by; empty for most.
    pub sub1: String,
    /// The probability that a visit through it persuades somebody.
    #[serde(skip)]
    pub(crate) effect: f64,
    /// How often it is clicked, relative to the affiliate's others.
    #[serde(skip)]
    pub(crate) weight: f64,
}

impl Affiliate {
    /// The `number`-th affiliate. Sizes have a Pareto tail of index 1.2, near the Zipf law that sites' visits follow
    /// (Adamic and Huberman, Glottometrics 3, 2002); the rest is chosen.
    pub(super) fn made(seed: Seed, number: u64, start_us: i64, days: u32, people: &super::People) -> Self {
        let mut dice = seed.dice(Part::Affiliate, number);
        // Three in four were there before; the others join in the first half.
        let was_there = dice.happens(0.75) || number < 40;
        let day = if was_there { -dice.span(1, 700) } else { dice.span(0, i64::from(days / 2) + 1) };
        let joined_at_us = (start_us + day * DAY + dice.span(0, DAY)).max(0);
        let person = people.anybody(&mut dice);
        let mailbox = people.mailbox(&person);
        Self {
            id: dice.id(joined_at_us),
            name: format!("Affiliate {}", number + 1),
            joined_at_us,
            parent: None,
            source: dice.one(&Source::ALL),
            content: dice.one(&Content::ALL),
            audience: dice.one(&Audience::ALL),
            account_hash: account(seed, number),
            email_hash: mailbox.hash,
            email_domain: mailbox.domain,
            size: dice.pareto(1.0, 1.2).min(3_000.0),
            steadiness: dice.between(0.1, 1.0).sqrt(),
            quality: dice.log_normal(1.0, 0.35).clamp(0.3, 2.5),
            person,
            scheme: None,
            ring: None,
            links: Vec::new(),
        }
    }

    /// How much more or less than an ordinary one a customer from here is worth over their life: what a model of
    /// customers' value can learn from traffic, content, audience and quality.
    pub(crate) fn worth(&self, campaign: &Campaign) -> f64 {
        self.source.traffic().loyalty
            * self.content.worth()
            * self.audience.fits(campaign.audience).sqrt()
            * self.quality.sqrt()
    }

    /// How much traffic they send on a day, relative to others: the unsteady swing by a log-normal factor of mean 1.
    pub(crate) fn traffic_on(&self, seed: Seed, number: u64, day: u64) -> f64 {
        let swing = 1.2 * (1.0 - self.steadiness);
        let z = crate::dice::Dice::of(seed.key2(Part::Season, number, day)).normal();
        self.size * self.source.traffic().opens * exp(swing * z - swing * swing / 2.0)
    }
}

/// The hash of an account that nobody else is paid to.
pub(super) fn account(seed: Seed, number: u64) -> [u8; 16] {
    let bits = seed.key(Part::Reputation, number);
    (u128::from(bits) << 64 | u128::from(crate::dice::mixed(bits))).to_be_bytes()
}

/// The probability that a visit through this affiliate persuades somebody of this campaign: at most a quarter.
pub(crate) fn effect(affiliate: &Affiliate, campaign: &Campaign) -> f64 {
    let fit = affiliate.audience.fits(campaign.audience);
    let traffic = affiliate.source.traffic().persuades;
    (campaign.vertical.persuades * traffic * fit * affiliate.quality).min(0.25)
}

impl Link {
    pub(super) fn made(seed: Seed, ends: (u32, u32), affiliate: &Affiliate, campaign: &Campaign) -> Self {
        let number = u64::from(ends.0) << 32 | u64::from(ends.1);
        let mut dice = seed.dice(Part::Links, number);
        let since_us = affiliate.joined_at_us + micros(dice.exponential(86_400.0));
        let raise = if dice.happens(0.15) { dice.span(1, 6) } else { 0 };
        let raised = campaign.rate.ppm + campaign.rate.ppm / 20 * u32::try_from(raise).unwrap_or(0);
        Self {
            id: dice.id(since_us),
            affiliate: ends.0,
            campaign: ends.1,
            affiliate_id: affiliate.id,
            campaign_id: campaign.id,
            rate: Rate { ppm: raised },
            page: format!("https://site-{}.example/page-{}", ends.0 + 1, ends.1 + 1),
            coupon: if affiliate.source == Source::Coupon || 0.0 < affiliate.source.traffic().offline {
                format!("SAVE-{:08X}", number_of(seed, number))
            } else {
                String::new()
            },
            sub1: if dice.happens(0.4) { format!("placement-{}", dice.below(9) + 1) } else { String::new() },
            effect: effect(affiliate, campaign),
            weight: dice.log_normal(1.0, 0.8) * affiliate.audience.fits(campaign.audience),
        }
    }
}

/// Behind a coupon's name: enough digits that no two links of a world are likely to share it.
fn number_of(seed: Seed, number: u64) -> u64 {
    seed.key(Part::Links, number) >> 32
}
