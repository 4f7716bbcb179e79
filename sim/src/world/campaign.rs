//! What is sold, to whom, for how much, and what persuades people to buy it.

use std::collections::BTreeMap;

use domain::{AdvertiserId, CampaignId, Currency, Money, Rate, campaign::EventKind};
use serde::Serialize;

use super::Audience;
use crate::{
    dice::{Dice, Lots, Part, Seed, exp, micros, whole},
    rhythm::{COUNTRIES, DAY},
    till::MONTH,
};

/// Who sells, and how they report.
#[derive(Clone, Debug, Serialize)]
pub struct Advertiser {
    /// Their id.
    pub id: AdvertiserId,
    /// Their name.
    pub name: String,
    /// Whether their reports name the buyer's address, and their e-mail address (hashed).
    pub tells_buyer: bool,
    /// Whether they report once a night instead of at once.
    pub reports_nightly: bool,
    /// Whether their clock keeps whole seconds only, so that many of their sales happen at one instant.
    pub whole_seconds: bool,
}

/// A line of business. The magnitudes are chosen, in proportions that published benchmarks of affiliate programs
/// have: many small orders in fashion, few large ones in travel, leads that pay per sign-up in finance.
#[derive(Debug, Serialize)]
pub struct Vertical {
    /// Its name.
    pub name: &'static str,
    /// The probability that one ordinary visit persuades somebody.
    pub persuades: f64,
    /// The probability that a visitor buys though nobody persuaded them.
    pub organic: f64,
    /// The median order, in hundredths.
    pub price_minor: f64,
    /// Orders of a customer in thirty days while they stay one.
    pub orders_per_month: f64,
    /// For how long a customer stays one, in days, on average.
    pub stays_days: f64,
    /// Which share of the orders is given back.
    pub refunded: f64,
    /// The median of the slow deciders' time from click to order, in days.
    pub decides_days: f64,
    /// Which part of an order is left to the advertiser before commissions.
    pub margin: f64,
    /// What it pays for.
    #[serde(skip)]
    pub kind: EventKind,
    /// The usual commission in parts per million.
    pub rate_ppm: u32,
}

#[rustfmt::skip]
pub(crate) static VERTICALS: [Vertical; 8] = [
    Vertical { name: "fashion", persuades: 0.020, organic: 0.005, price_minor: 6_500.0, orders_per_month: 0.45, stays_days: 240.0, refunded: 0.22, decides_days: 2.5, margin: 0.42, kind: EventKind::Sale, rate_ppm: 80_000 },
    Vertical { name: "electronics", persuades: 0.012, organic: 0.004, price_minor: 18_000.0, orders_per_month: 0.12, stays_days: 300.0, refunded: 0.08, decides_days: 4.0, margin: 0.14, kind: EventKind::Sale, rate_ppm: 30_000 },
    Vertical { name: "travel", persuades: 0.008, organic: 0.003, price_minor: 42_000.0, orders_per_month: 0.08, stays_days: 500.0, refunded: 0.11, decides_days: 7.0, margin: 0.16, kind: EventKind::Sale, rate_ppm: 45_000 },
    Vertical { name: "beauty", persuades: 0.024, organic: 0.006, price_minor: 4_200.0, orders_per_month: 0.70, stays_days: 200.0, refunded: 0.05, decides_days: 2.0, margin: 0.55, kind: EventKind::Sale, rate_ppm: 110_000 },
    Vertical { name: "software", persuades: 0.015, organic: 0.004, price_minor: 2_900.0, orders_per_month: 1.00, stays_days: 270.0, refunded: 0.04, decides_days: 3.5, margin: 0.80, kind: EventKind::Sale, rate_ppm: 250_000 },
    Vertical { name: "finance", persuades: 0.030, organic: 0.006, price_minor: 3_500.0, orders_per_month: 0.05, stays_days: 400.0, refunded: 0.03, decides_days: 3.0, margin: 0.60, kind: EventKind::Lead, rate_ppm: 300_000 },
    Vertical { name: "insurance", persuades: 0.018, organic: 0.004, price_minor: 5_000.0, orders_per_month: 0.03, stays_days: 700.0, refunded: 0.04, decides_days: 5.0, margin: 0.50, kind: EventKind::Lead, rate_ppm: 250_000 },
    Vertical { name: "streaming", persuades: 0.028, organic: 0.007, price_minor: 1_200.0, orders_per_month: 1.00, stays_days: 210.0, refunded: 0.02, decides_days: 1.5, margin: 0.65, kind: EventKind::Trial, rate_ppm: 400_000 },
];

/// Where a campaign's visitors come from: positions in [`COUNTRIES`].
pub(crate) static REGIONS: [&[usize]; 5] = [
    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    &[1, 9, 10],
    &[1, 2, 3, 5, 6, 7, 8, 9, 10, 11],
    &[0, 4],
    &[2, 12, 0],
];

/// What several visits do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Together {
    /// Each adds what it adds alone.
    Additive,
    /// Visits through two different kinds of traffic persuade more than both alone.
    Synergy,
    /// The first visit counts for more than those after it.
    Order,
}

impl Together {
    /// Its name in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Additive => "additive",
            Self::Synergy => "synergy",
            Self::Order => "order",
        }
    }
}

/// Something that is advertised.
#[derive(Clone, Debug, Serialize)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// Whose it is: a position among the advertisers.
    #[serde(skip)]
    pub(crate) advertiser: usize,
    /// Whose it is.
    #[serde(rename = "advertiser")]
    pub advertiser_id: AdvertiserId,
    /// Its name.
    pub name: String,
    /// The line of business.
    #[serde(rename = "vertical", serialize_with = "by_name")]
    pub vertical: &'static Vertical,
    /// Its visitors: a position in [`REGIONS`].
    #[serde(rename = "countries", serialize_with = "by_code")]
    pub(crate) region: usize,
    /// Whom it is made for.
    pub audience: Audience,
    /// The median order.
    pub price: Money,
    /// What the advertiser spends on commissions in thirty days at most: then its links lead nowhere until the next
    /// thirty. None where there is no end.
    pub monthly_budget: Option<Money>,
    /// When it began, in microseconds since the Unix epoch; its months count from here.
    pub since_us: i64,
    /// What it pays for an ordinary order.
    #[serde(rename = "rate_ppm", serialize_with = "as_ppm")]
    pub rate: Rate,
    /// For how long after a click an order counts.
    pub window_days: u16,
    /// Whether it takes fingerprints of devices.
    pub takes_fingerprints: bool,
    /// How visits work together.
    #[serde(skip)]
    pub(crate) together: Together,
    /// Its links by how often they are somebody's later visit.
    #[serde(skip)]
    pub(crate) closers: Lots,
    /// Its links: positions among all links.
    #[serde(skip)]
    pub(crate) links: Vec<u32>,
    /// Those of them by whose owners orders are seized, by the pattern's position.
    #[serde(skip)]
    pub(crate) seizers: BTreeMap<usize, Vec<u32>>,
}

fn by_name<S: serde::Serializer>(vertical: &&Vertical, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(vertical.name)
}

fn by_code<S: serde::Serializer>(region: &usize, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(REGIONS[*region].iter().map(|&country| COUNTRIES[country].code))
}

pub(super) fn as_ppm<S: serde::Serializer>(rate: &Rate, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u32(rate.ppm)
}

impl Advertiser {
    pub(super) fn made(seed: Seed, number: u64, founded_us: i64) -> Self {
        let mut dice = seed.dice(Part::Advertiser, number);
        Self {
            id: dice.id(founded_us),
            name: format!("Advertiser {}", number + 1),
            tells_buyer: dice.happens(0.7),
            reports_nightly: dice.happens(0.1),
            whole_seconds: dice.happens(0.3),
        }
    }
}

impl Campaign {
    pub(super) fn made(seed: Seed, number: u64, advertisers: &[Advertiser], founded_us: i64) -> Self {
        let mut dice = seed.dice(Part::Campaign, number);
        let advertiser = dice.index(advertisers.len());
        // The first campaigns have each line of business once, so that no world lacks one that a pattern needs.
        let vertical = match VERTICALS.get(usize::try_from(number).unwrap_or(usize::MAX)) {
            Some(vertical) => vertical,
            None => &VERTICALS[dice.index(VERTICALS.len())],
        };
        let region = dice.index(REGIONS.len());
        let code = if region == 0 { "USD" } else { COUNTRIES[REGIONS[region][0]].currency };
        let currency: Currency = code.parse().expect("the list of countries holds ISO 4217 codes");
        let price = Money::new(cents(dice.log_normal(vertical.price_minor, 0.5)), currency);
        let together = dice.one(&[Together::Additive, Together::Synergy, Together::Order]);
        let since_us = founded_us + micros(dice.between(0.0, 3e6));
        Self {
            id: dice.id(since_us),
            advertiser,
            advertiser_id: advertisers[advertiser].id,
            name: format!("{} {}", vertical.name, number + 1),
            vertical,
            region,
            audience: dice.one(&Audience::ALL),
            price,
            monthly_budget: None,
            since_us,
            rate: Rate { ppm: vertical.rate_ppm },
            window_days: dice.one(&[7, 14, 30, 30, 30, 60, 90]),
            takes_fingerprints: dice.happens(0.4),
            together,
            closers: Lots::default(),
            links: Vec::new(),
            seizers: BTreeMap::new(),
        }
    }

    /// The code of what it pays in.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.price.currency
    }

    /// The amount of one order: log-normal around the price point (chosen: a standard deviation of 0.5 of its
    /// logarithm makes the upper quarter 40 % dearer than the median).
    pub(crate) fn order(&self, dice: &mut Dice) -> Money {
        let minor = dice.log_normal(crate::dice::real(self.price.minor.unsigned_abs()), 0.5);
        Money::new(cents(minor), self.currency())
    }

    /// What it pays on average for a customer, in minor units: for each order where a subscription goes on.
    pub(crate) fn commission(&self) -> f64 {
        let order = crate::dice::real(self.price.minor.unsigned_abs()) * exp(0.125);
        let orders = match self.vertical.kind {
            EventKind::Trial | EventKind::Recurring => {
                1.0 + self.vertical.orders_per_month * self.vertical.stays_days / 30.0
            }
            _ => 1.0,
        };
        order * f64::from(self.rate.ppm) / 1e6 * orders
    }

    /// Which of its months a moment is in.
    pub(crate) fn month(&self, at_us: i64) -> i64 {
        (at_us - self.since_us).div_euclid(MONTH)
    }

    /// When a month of it ends.
    pub(crate) fn month_ends_us(&self, month: i64) -> i64 {
        self.since_us + (month + 1) * MONTH
    }

    /// How long after a click an order still counts.
    pub(crate) fn window_us(&self) -> i64 {
        i64::from(self.window_days) * DAY
    }
}

/// Whole minor units, at least a hundred of them.
pub(crate) fn cents(minor: f64) -> i64 {
    i64::try_from(whole(minor)).unwrap_or(i64::MAX).clamp(100, 100_000_000)
}
