//! Partners of the event lake: their clicks, the conversions that they were credited with, and what their customers ordered
//! afterwards.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use anyhow::Result;
use domain::{
    AffiliateId, CampaignId, Currency, Rate,
    attribution::Channels,
    campaign::EventKind,
    event::{Conversion, Event, Kind},
    id::AdvertiserId,
};
use features::lake::Lake;
use models::fingerprint::Fingerprint;

use super::{Listed, PartnerArgs, Roster, Told, Won, came_back};
use crate::jobs::lake::{amount, each, open, rejected};

const DAY_US: i64 = 86_400_000_000;
const ALWAYS: std::ops::Range<i64> = i64::MIN..i64::MAX;

/// An order, and what was left of it.
#[derive(Clone, Copy)]
struct Order {
    at_us: i64,
    id: u128,
    affiliate: Option<AffiliateId>,
    campaign: CampaignId,
    /// After what was given back; nothing where it was rejected.
    kept: f64,
    has_click: bool,
    /// Goes on with what was ordered before.
    is_recurring: bool,
}

/// Orders of one customer, or a single one of nobody who is known.
type Customers = BTreeMap<(AdvertiserId, String), Vec<Order>>;

/// Reads them, and adds what the lake knows of partners.
pub(super) fn read(address: &Path, asked: &PartnerArgs, roster: &mut Roster) -> Result<Told> {
    let lake = open(address)?;
    let mut notes = Vec::new();
    let (clicks, clicked_us) = clicks(&lake)?;
    let (customers, ordered_us) = orders(&lake, &mut notes)?;
    let rates = Rates::read(&lake)?;
    let last_us = clicked_us.max(ordered_us);
    let mut campaigns = numbered(&clicks, &customers);
    roster.has_clicks = true;
    for (affiliate, of) in &clicks {
        of.enter(roster.partner(&affiliate.to_string()), &mut campaigns);
    }
    let known_after = i32::try_from(asked.follow_days).ok();
    let mut told = Told { last_day: Some(day(last_us)), known_after, notes, ..Told::default() };
    let mut bytes = Vec::new();
    for orders in customers.values() {
        for (order, won) in won(orders, (last_us, asked), &rates, &mut campaigns) {
            let Some(affiliate) = order.affiliate else { continue };
            let name = affiliate.to_string();
            if let (false, Some(campaign)) = (order.has_click, won.campaign) {
                // By a coupon: a click must be there for each conversion that clicks are to be worth something by.
                let listed = roster.partner(&name);
                listed.clicks += 1;
                *listed.clicked.entry((day(order.at_us), campaign)).or_default() += 1;
            }
            bytes.extend(order.id.to_le_bytes());
            bytes.extend(won.value.to_le_bytes());
            told.won.push((name, won));
        }
    }
    for (name, listed) in &roster.partners {
        bytes.extend(name.as_bytes());
        bytes.extend(listed.clicks.to_le_bytes());
    }
    told.sources.push((address.display().to_string(), Fingerprint::of(&bytes)));
    Ok(told)
}

/// The clicks of a partner.
#[derive(Default)]
struct Clicks {
    counts: BTreeMap<(i32, CampaignId), u64>,
    /// How often it said where they come from.
    sources: BTreeMap<String, u64>,
}

impl Clicks {
    /// Counts them, and takes the commonest source for the partner's where no file says it.
    fn enter(&self, listed: &mut Listed, campaigns: &mut Channels) {
        listed.clicks = self.counts.values().sum();
        let counts = self.counts.iter();
        listed.clicked = counts
            .map(|((day, campaign), count)| ((*day, campaigns.number(&campaign.to_string())), *count))
            .collect();
        // The first by name of those that are equally common.
        let most = self.sources.iter().max_by(|one, other| one.1.cmp(other.1).then(other.0.cmp(one.0)));
        listed.source = listed.source.take().or_else(|| most.map(|(name, _)| name.clone()));
    }
}

/// Each partner's clicks, and the instant of the last one.
fn clicks(lake: &Lake) -> Result<(BTreeMap<AffiliateId, Clicks>, i64)> {
    let (mut clicks, mut last_us) = (BTreeMap::<AffiliateId, Clicks>::new(), i64::MIN);
    each(lake, Kind::Click, &["affiliate_id", "campaign_id", "source"], &ALWAYS, |event| {
        let Event::Click(visit) = event else { return };
        let seen = &visit.seen;
        last_us = last_us.max(seen.occurred_at_us);
        let of = clicks.entry(seen.affiliate).or_default();
        *of.counts.entry((day(seen.occurred_at_us), seen.campaign)).or_default() += 1;
        if !seen.tags.source.is_empty() {
            *of.sources.entry(seen.tags.source.clone()).or_default() += 1;
        }
    })?;
    Ok((clicks, last_us))
}

/// A number for each campaign, in the order of their ids.
fn numbered(clicks: &BTreeMap<AffiliateId, Clicks>, customers: &Customers) -> Channels {
    let clicked = clicks.values().flat_map(|of| of.counts.keys().map(|(_, campaign)| *campaign));
    let ordered = customers.values().flatten().map(|order| order.campaign);
    let all: BTreeSet<CampaignId> = clicked.chain(ordered).collect();
    Channels::from(all.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// The orders of each customer in time's order, and the instant of the last one.
fn orders(lake: &Lake, notes: &mut Vec<String>) -> Result<(Customers, i64)> {
    let rejected = rejected(lake)?;
    let returned = returned(lake)?;
    let mut customers = Customers::new();
    let (mut currencies, mut last_us) = (BTreeSet::<Currency>::new(), i64::MIN);
    let columns = [
        "affiliate_id",
        "campaign_id",
        "advertiser_id",
        "event_kind",
        "amount_minor",
        "currency",
        "click_id",
        "customer_id",
    ];
    let mut of_nobody = 0_usize;
    each(lake, Kind::Conversion, &columns, &ALWAYS, |event| {
        let Event::Conversion(order) = event else { return };
        last_us = last_us.max(order.occurred_at_us);
        currencies.insert(order.amount.currency);
        let id = order.id.uuid().as_u128();
        let left = amount(order.amount) - returned.get(&id).copied().unwrap_or(0.0);
        let order_of =
            Order { kept: if rejected.contains(&id) { 0.0 } else { left.max(0.0) }, ..Order::of(order, id) };
        // Who is not named is a customer of one order.
        let customer =
            if order.customer.is_empty() { format!("\0{id:032x}") } else { order.customer.clone() };
        of_nobody += usize::from(order.affiliate.is_none());
        customers.entry((order.advertiser, customer)).or_default().push(order_of);
    })?;
    customers.values_mut().for_each(|orders| orders.sort_by_key(|order| (order.at_us, order.id)));
    if 1 < currencies.len() {
        let codes: Vec<&str> = currencies.iter().map(|it| it.code()).collect();
        notes.push(format!("values are in {}, and added up as they are", codes.join(", ")));
    }
    if 0 < of_nobody {
        notes.push(format!("{of_nobody} conversions were credited to nobody"));
    }
    if !rejected.is_empty() {
        notes.push(format!("{} conversions were rejected or reversed, and brought nothing", rejected.len()));
    }
    Ok((customers, last_us))
}

/// What was given back of each conversion.
fn returned(lake: &Lake) -> Result<HashMap<u128, f64>> {
    let mut minor: HashMap<u128, (i64, f64)> = HashMap::new();
    each(lake, Kind::Refund, &["conversion_id", "amount_minor", "currency"], &ALWAYS, |event| {
        let Event::Refund(refund) = event else { return };
        // Whole numbers first, so that the order of refunds makes no difference.
        let of = minor.entry(refund.conversion.uuid().as_u128()).or_default();
        of.0 += refund.amount.minor;
        of.1 = amount(domain::Money { minor: 1, ..refund.amount });
    })?;
    Ok(minor.into_iter().map(|(id, (minor, unit))| (id, minor as f64 * unit)).collect())
}

impl Order {
    fn of(order: &Conversion, id: u128) -> Self {
        Self {
            at_us: order.occurred_at_us,
            id,
            affiliate: order.affiliate,
            campaign: order.campaign,
            kept: 0.0,
            has_click: order.click.is_some(),
            is_recurring: order.kind == EventKind::Recurring,
        }
    }
}

/// What a customer's orders won, with the order that did.
fn won(
    orders: &[Order],
    (last_us, asked): (i64, &PartnerArgs),
    rates: &Rates,
    campaigns: &mut Channels,
) -> Vec<(Order, Won)> {
    let follow_us = i64::from(asked.follow_days) * DAY_US;
    let mut all: Vec<(Order, Won)> = Vec::new();
    for (place, order) in orders.iter().enumerate() {
        let goes_on = order.affiliate.is_none() || order.is_recurring;
        if goes_on {
            if let Some((first, won)) =
                all.last_mut().filter(|(first, _)| order.at_us <= first.at_us + follow_us)
            {
                debug_assert!(first.at_us <= order.at_us, "orders come in time's order");
                won.value += order.kept;
            }
            continue;
        }
        let days: Vec<i32> = orders[place..].iter().map(|order| day(order.at_us)).collect();
        let is_first = place == 0;
        let told = rates.at(order).map(|rate| f64::from(rate.ppm) / 1e6 * order.kept);
        let won = Won {
            campaign: Some(campaigns.number(&order.campaign.to_string())),
            day: Some(day(order.at_us)),
            value: order.kept,
            cost: asked.cost(told, Some(order.kept)),
            came_back: if is_first { came_back(&days, day(last_us)) } else { None },
        };
        all.push((*order, won));
    }
    all.retain(|(order, _)| order.at_us + follow_us <= last_us);
    all
}

/// What campaigns pay, from when on.
struct Rates(BTreeMap<(CampaignId, Option<AffiliateId>), History>);

/// Rates by when they began, and by the event that said so.
type History = BTreeMap<(i64, u128), Rate>;

impl Rates {
    fn read(lake: &Lake) -> Result<Self> {
        let mut rates: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        each(lake, Kind::RateChange, &["campaign_id", "affiliate_id", "rate_ppm"], &ALWAYS, |event| {
            let Event::RateChange(change) = event else { return };
            let at = (change.occurred_at_us, change.id.uuid().as_u128());
            rates.entry((change.campaign, change.affiliate)).or_default().insert(at, change.rate);
        })?;
        Ok(Self(rates))
    }

    /// The partner's own rate at that time, or everybody's.
    fn at(&self, order: &Order) -> Option<Rate> {
        let until = (order.at_us, u128::MAX);
        let of = |affiliate| {
            let changes = self.0.get(&(order.campaign, affiliate))?;
            changes.range(..=until).next_back().map(|(_, rate)| *rate)
        };
        of(order.affiliate).or_else(|| of(None))
    }
}

fn day(at_us: i64) -> i32 {
    i32::try_from(at_us.div_euclid(DAY_US)).unwrap_or(i32::MAX)
}
