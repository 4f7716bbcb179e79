//! Customers of the event lake: who ordered what, less what was known to have been given back.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Result, bail};
use domain::{
    AdvertiserId, AffiliateId, CampaignId,
    event::{Conversion, Event, Kind},
    money::{Currency, Money},
};
use models::fingerprint::Fingerprint;

use super::input::{Customers, telling};
use crate::{
    jobs::{
        lake::{self, Fates, amount},
        table::DAY_US,
    },
    lifetime::Transactions,
};

/// A customer's name is its advertiser's.
type Name = (AdvertiserId, String);

struct Order {
    at_us: i64,
    known_us: i64,
    minor: i64,
    affiliate: Option<AffiliateId>,
    campaign: CampaignId,
}

/// What a lake tells of customers.
struct Told {
    /// The first instant that is not learned from.
    end_us: i64,
    currency: Option<Currency>,
    orders: BTreeMap<Name, BTreeMap<u128, Order>>,
    currencies: BTreeSet<Currency>,
    nameless: usize,
    fates: Fates,
}

impl Customers {
    /// Customers with their orders. What became known of the orders before the end of calibration only after it makes no
    /// difference, and neither do orders of which nobody knew: nobody could have learned from that.
    pub(super) fn of_lake(address: &Path, currency: Option<Currency>, end_us: i64) -> Result<Self> {
        let lake = lake::open(address)?;
        let (orders, currencies, fates) = (BTreeMap::new(), BTreeSet::new(), Fates::read(&lake)?);
        let mut told = Told { end_us, currency, orders, currencies, nameless: 0, fates };
        let columns =
            ["advertiser_id", "customer_id", "amount_minor", "currency", "affiliate_id", "campaign_id"];
        lake::each(&lake, Kind::Conversion, &columns, &(i64::MIN..i64::MAX), |known| {
            if let Event::Conversion(order) = &known.event {
                told.order(order, known.known_at_us);
            }
        })?;
        told.customers(address)
    }
}

impl Told {
    fn order(&mut self, order: &Conversion, known_us: i64) {
        let currency = order.amount.currency;
        if order.customer.is_empty() {
            self.nameless += 1;
            return;
        }
        self.currencies.insert(currency);
        if self.currency.is_some_and(|wanted| wanted != currency) {
            return;
        }
        let told = Order {
            at_us: order.occurred_at_us,
            known_us,
            minor: order.amount.minor,
            affiliate: order.affiliate,
            campaign: order.campaign,
        };
        let name = (order.advertiser, order.customer.clone());
        self.orders.entry(name).or_default().insert(order.id.uuid().as_u128(), told);
    }

    fn customers(self, address: &Path) -> Result<Customers> {
        let source = address.display().to_string();
        if self.currency.is_none() && 1 < self.currencies.len() {
            let codes: Vec<&str> = self.currencies.iter().map(|it| it.code()).collect();
            bail!("{source} has amounts in {}: say which with --currency", codes.join(", "));
        }
        let currency = self.currency.or(self.currencies.first().copied());
        let Some(currency) = currency.filter(|_| !self.orders.is_empty()) else {
            bail!("{source} has no order of a customer whose name was said, as postbacks do with customer_id")
        };
        let one_shop =
            self.orders.keys().map(|(advertiser, _)| advertiser).collect::<BTreeSet<_>>().len() < 2;
        let mut rows = Rows::default();
        let (mut names, mut fallen, mut late) = (Vec::new(), 0_usize, 0_usize);
        for ((advertiser, name), orders) in &self.orders {
            let before = rows.days.len();
            let mut orders: Vec<(&u128, &Order)> = orders.iter().collect();
            orders.sort_by_key(|(id, order)| (order.at_us, **id));
            for (id, order) in orders {
                let until_us = if order.at_us < self.end_us { self.end_us } else { i64::MAX };
                if until_us <= order.known_us {
                    late += 1;
                } else if let Some(minor) = self.fates.left(*id, order.minor, until_us) {
                    rows.push(names.len() as u32, order, amount(Money { minor, currency }));
                } else {
                    fallen += 1;
                }
            }
            if before < rows.days.len() {
                names.push(if one_shop { name.clone() } else { format!("{advertiser}/{name}") });
            }
        }
        let told = [
            (fallen, "orders that were rejected, or of which everything was given back, are left out"),
            (late, "orders of before --calibration-end, of which nobody knew until after it, are left out"),
            (self.nameless, "orders of which no customer was told are left out"),
        ];
        let notes =
            told.iter().filter(|(count, _)| 0 < *count).map(|(count, what)| format!("{count} {what}"));
        let notes = notes.collect();
        names.iter().for_each(|name| rows.bytes.extend(name.as_bytes()));
        let data = Fingerprint::of(&rows.bytes);
        let transactions = Transactions::of_days(&rows.customers, &rows.days, &rows.amounts)?
            .with_attributes(telling([("partner", rows.partners), ("campaign", rows.campaigns)]))?;
        Ok(Customers { names, transactions, source, notes, data })
    }
}

/// Orders one after the other, and of each customer's first one where it came from.
#[derive(Default)]
struct Rows {
    customers: Vec<u32>,
    days: Vec<i32>,
    amounts: Vec<f64>,
    partners: Vec<Option<String>>,
    campaigns: Vec<Option<String>>,
    /// All that was told, for its fingerprint.
    bytes: Vec<u8>,
}

impl Rows {
    fn push(&mut self, customer: u32, order: &Order, amount: f64) {
        if self.customers.last() != Some(&customer) {
            self.partners.push(order.affiliate.map(|it| it.to_string()));
            self.campaigns.push(Some(order.campaign.to_string()));
        }
        let day = i32::try_from(order.at_us.div_euclid(DAY_US)).unwrap_or(i32::MAX);
        self.bytes.extend(customer.to_le_bytes());
        self.bytes.extend(day.to_le_bytes());
        self.bytes.extend(amount.to_le_bytes());
        self.customers.push(customer);
        self.days.push(day);
        self.amounts.push(amount);
    }
}
