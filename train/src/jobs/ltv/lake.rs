//! Customers of the event lake: who ordered what, less what was known to have been given back.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
};

use anyhow::{Result, bail, ensure};
use domain::{
    AdvertiserId, AffiliateId, CampaignId,
    conversion::ConversionStatus,
    event::{Conversion, Event, Kind},
    money::Currency,
};
use models::fingerprint::Fingerprint;

use super::input::{Customers, telling};
use crate::{
    jobs::{lake, table::DAY_US},
    lifetime::Transactions,
};

/// A customer's name is its advertiser's.
type Name = (AdvertiserId, String);

struct Order {
    at_us: i64,
    minor: i64,
    affiliate: Option<AffiliateId>,
    campaign: CampaignId,
}

/// What became of orders, as it was known at a moment.
#[derive(Default)]
struct Fate {
    /// Rejected or reversed.
    fallen: HashSet<u128>,
    /// What was given back, in minor units.
    refunded: HashMap<u128, i64>,
}

/// What a lake tells of customers.
struct Told {
    /// The first instant that is not learned from.
    end_us: i64,
    currency: Option<Currency>,
    orders: BTreeMap<Name, BTreeMap<u128, Order>>,
    currencies: BTreeSet<Currency>,
    nameless: usize,
    /// What was known at the end of calibration, and what is known now.
    then: Fate,
    now: Fate,
}

impl Customers {
    /// Customers with their orders. What was rejected, reversed or given back after the end of calibration makes no
    /// difference to the orders before it: nobody knew.
    pub(super) fn of_lake(address: &Path, currency: Option<Currency>, end_us: i64) -> Result<Self> {
        let told_of = lake::open(address)?;
        let mut told = Told {
            end_us,
            currency,
            orders: BTreeMap::new(),
            currencies: BTreeSet::new(),
            nameless: 0,
            then: Fate::default(),
            now: Fate::default(),
        };
        let always = i64::MIN..i64::MAX;
        let columns =
            ["advertiser_id", "customer_id", "amount_minor", "currency", "affiliate_id", "campaign_id"];
        lake::each(&told_of, Kind::Conversion, &columns, &always, |event| {
            if let Event::Conversion(order) = event {
                told.order(order);
            }
        })?;
        let columns = ["conversion_id", "status"];
        lake::each(&told_of, Kind::StatusChange, &columns, &always, |event| told.change(event))?;
        let columns = ["conversion_id", "amount_minor", "currency"];
        lake::each(&told_of, Kind::Refund, &columns, &always, |event| told.change(event))?;
        told.customers(address)
    }
}

impl Told {
    fn order(&mut self, order: &Conversion) {
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
            minor: order.amount.minor,
            affiliate: order.affiliate,
            campaign: order.campaign,
        };
        let name = (order.advertiser, order.customer.clone());
        self.orders.entry(name).or_default().insert(order.id.uuid().as_u128(), told);
    }

    /// What became of an order, told in the order in which it was known.
    fn change(&mut self, event: &Event) {
        let was_known = event.occurred_at_us() < self.end_us;
        for fate in [Some(&mut self.now), was_known.then_some(&mut self.then)].into_iter().flatten() {
            match event {
                Event::Refund(refund) => {
                    let id = refund.conversion.uuid().as_u128();
                    *fate.refunded.entry(id).or_default() += refund.amount.minor;
                }
                Event::StatusChange(change) => {
                    let id = change.conversion.uuid().as_u128();
                    if matches!(change.to, ConversionStatus::Rejected | ConversionStatus::Reversed) {
                        fate.fallen.insert(id);
                    } else {
                        fate.fallen.remove(&id);
                    }
                }
                _ => {}
            }
        }
    }

    fn customers(self, address: &Path) -> Result<Customers> {
        let source = address.display().to_string();
        if self.currency.is_none() && 1 < self.currencies.len() {
            let codes: Vec<&str> = self.currencies.iter().map(|it| it.code()).collect();
            bail!("{source} has amounts in {}: say which with --currency", codes.join(", "));
        }
        ensure!(
            !self.orders.is_empty(),
            "{source} has no order of a customer whose name was said, as postbacks do with customer_id"
        );
        let one_shop =
            self.orders.keys().map(|(advertiser, _)| advertiser).collect::<BTreeSet<_>>().len() < 2;
        let currency = self.currency.or(self.currencies.first().copied());
        let places = currency.map_or(2, Currency::places);
        let unit = libm::pow(10.0, f64::from(i32::from(places)));
        let mut rows = Rows::default();
        let (mut names, mut fallen) = (Vec::new(), 0_usize);
        for ((advertiser, name), orders) in &self.orders {
            let before = rows.days.len();
            let mut orders: Vec<(&u128, &Order)> = orders.iter().collect();
            orders.sort_by_key(|(id, order)| (order.at_us, **id));
            for (id, order) in orders {
                let fate = if order.at_us < self.end_us { &self.then } else { &self.now };
                if fate.fallen.contains(id) {
                    fallen += 1;
                    continue;
                }
                let left = order.minor - fate.refunded.get(id).copied().unwrap_or(0);
                rows.push(names.len() as u32, order, left.max(0) as f64 / unit);
            }
            if before < rows.days.len() {
                names.push(if one_shop { name.clone() } else { format!("{advertiser}/{name}") });
            }
        }
        let mut notes = Vec::new();
        if 0 < fallen {
            notes.push(format!("{fallen} orders that were rejected or reversed are left out"));
        }
        if 0 < self.nameless {
            notes.push(format!("{} orders of which no customer was told are left out", self.nameless));
        }
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
