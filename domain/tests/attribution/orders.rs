//! Random orders: credited by a rule, divided to the minor unit, refunded in steps, and counted back.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId, Currency, LinkId, Money, Rate,
    attribution::{RULES, Touch, TouchPath, share},
    commission::take_back,
};
use rand::{Rng, RngExt};
use uuid::Uuid;

/// What one order came to.
pub struct Order {
    pub amount: Money,
    /// What the order pays in all.
    pub commission: Money,
    /// What each credited touch got, and what of it was taken back.
    pub lines: Vec<(Money, Money)>,
    pub touches: usize,
    pub shares_ppm: u32,
}

impl Order {
    /// An order of up to a million minor units and twelve touches, refunded whole in up to four steps.
    pub fn random(chance: &mut impl Rng) -> Self {
        let currency: Currency =
            ["EUR", "JPY", "KWD"][chance.random_range(0..3)].parse().expect("these are currencies");
        let amount = Money::new(chance.random_range(1..=1_000_000), currency);
        let commission = Rate { ppm: chance.random_range(1..=1_000_000) }.of(amount);
        let path = path(chance);
        let shares = share(RULES[chance.random_range(0..RULES.len())], &path);
        let weights: Vec<u64> = shares.iter().map(|share| u64::from(share.ppm)).collect();
        let parts = commission.split(&weights);
        let mut lines: Vec<_> = parts.into_iter().map(|part| (part, Money::zero(currency))).collect();
        for reversed in refunds(chance, amount) {
            for (line, already) in &mut lines {
                let back = take_back(*line, *already, amount, reversed);
                *already = already.plus(back).expect("both are of one currency and small");
            }
        }
        let shares_ppm = shares.iter().map(|share| share.ppm).sum();
        Self { amount, commission, lines, touches: path.touches().len(), shares_ppm }
    }

    /// Whether shares sum to one, lines to the commission, and refunds to the lines.
    pub fn is_right(&self) -> bool {
        let paid: i64 = self.lines.iter().map(|(line, _)| line.minor).sum();
        let within = self.lines.iter().all(|(line, _)| 0 <= line.minor && line.minor <= self.amount.minor);
        let all_taken_back = self.lines.iter().all(|(line, back)| line == back);
        let all_shared = self.shares_ppm == if self.touches == 0 { 0 } else { 1_000_000 };
        all_shared && within && all_taken_back && (self.touches == 0 || paid == self.commission.minor)
    }
}

pub fn path(chance: &mut impl Rng) -> TouchPath {
    let converted_at: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let touch = |number: u128, seconds: i64| Touch {
        click: None,
        link: LinkId::from(Uuid::from_u128(number)),
        affiliate: AffiliateId::from(Uuid::from_u128(number)),
        at: converted_at - TimeDelta::seconds(seconds),
    };
    let count = chance.random_range(1..=12);
    let touches = (0..count).map(|number| touch(number, chance.random_range(-300..2_592_000))).collect();
    let path = TouchPath::within(TimeDelta::days(30), converted_at, touches);
    match chance.random_range(0..2_592_000) {
        seconds if seconds % 2 == 0 => path.with_lead(converted_at - TimeDelta::seconds(seconds)),
        _ => path,
    }
}

/// How much of the order has been reversed after each refund; after the last one, everything.
fn refunds(chance: &mut impl Rng, amount: Money) -> Vec<Money> {
    let steps = chance.random_range(0..4);
    let mut reversed: Vec<i64> = (0..steps).map(|_| chance.random_range(0..=amount.minor)).collect();
    reversed.push(amount.minor);
    reversed.sort_unstable();
    reversed.into_iter().map(|minor| Money::new(minor, amount.currency)).collect()
}
