//! Partners of the event lake: their clicks, the conversions that they were credited with, and what their customers ordered
//! afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Result, bail, ensure};
use domain::{
    AffiliateId, CampaignId, Currency, Money,
    attribution::Channels,
    campaign::EventKind,
    event::{Conversion, Event, Kind},
    id::AdvertiserId,
};
use features::lake::Lake;
use models::fingerprint::Fingerprint;

use super::{Listed, PartnerArgs, Roster, Told, Turn, Won, came_back};
use crate::jobs::{
    lake::{Fates, Rates, amount, each, open},
    table::DAY_US,
};

const ALWAYS: std::ops::Range<i64> = i64::MIN..i64::MAX;

/// An order, and what was left of it.
#[derive(Clone, Copy)]
struct Order {
    at_us: i64,
    known_us: i64,
    id: u128,
    affiliate: Option<AffiliateId>,
    campaign: CampaignId,
    amount: Money,
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
    let (customers, ordered_us) = orders(&lake, asked.currency, &mut notes)?;
    let (rates, fates) = (Rates::read(&lake)?, Fates::read(&lake)?);
    let last_us = clicked_us.max(ordered_us);
    let mut campaigns = numbered(&clicks, &customers);
    roster.has_clicks = true;
    for (affiliate, of) in &clicks {
        of.enter(roster.partner(&affiliate.to_string()), &mut campaigns);
    }
    let known_after = i32::try_from(asked.follow_days).ok();
    let mut told =
        Told { last_day: Some(day(last_us)), known_after, notes, is_lake: true, ..Told::default() };
    let mut bytes = Vec::new();
    for orders in customers.values() {
        for (order, won) in won(orders, (last_us, asked), (&rates, &fates), &mut campaigns) {
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
    each(lake, Kind::Click, &["affiliate_id", "campaign_id", "source"], &ALWAYS, |known| {
        let Event::Click(visit) = &known.event else { return };
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
fn orders(lake: &Lake, wanted: Option<Currency>, notes: &mut Vec<String>) -> Result<(Customers, i64)> {
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
    each(lake, Kind::Conversion, &columns, &ALWAYS, |known| {
        let Event::Conversion(order) = &known.event else { return };
        last_us = last_us.max(order.occurred_at_us);
        currencies.insert(order.amount.currency);
        if wanted.is_some_and(|wanted| wanted != order.amount.currency) {
            return;
        }
        let told = Order::of(order, known.known_at_us);
        // Who is not named is a customer of one order.
        let customer =
            if order.customer.is_empty() { format!("\0{:032x}", told.id) } else { order.customer.clone() };
        of_nobody += usize::from(order.affiliate.is_none());
        customers.entry((order.advertiser, customer)).or_default().push(told);
    })?;
    let codes = currencies.iter().map(|it| it.code()).collect::<Vec<_>>().join(", ");
    match wanted {
        None if 1 < currencies.len() => bail!("the lake has amounts in {codes}: say which with --currency"),
        Some(wanted) if customers.is_empty() && !currencies.is_empty() => {
            bail!(
                "the lake has no order in {}, and some in {codes}: say --currency with one of these",
                wanted.code()
            )
        }
        _ => ensure!(!customers.is_empty(), "the lake has no order, which partners could be told apart by"),
    }
    customers.values_mut().for_each(|orders| orders.sort_by_key(|order| (order.at_us, order.id)));
    if 0 < of_nobody {
        notes.push(format!("{of_nobody} conversions were credited to nobody"));
    }
    Ok((customers, last_us))
}

impl Order {
    fn of(order: &Conversion, known_us: i64) -> Self {
        Self {
            at_us: order.occurred_at_us,
            known_us,
            id: order.id.uuid().as_u128(),
            affiliate: order.affiliate,
            campaign: order.campaign,
            amount: order.amount,
            has_click: order.click.is_some(),
            is_recurring: order.kind == EventKind::Recurring,
        }
    }

    /// What was left of it by what was known before an instant.
    fn left(&self, fates: &Fates, until_us: i64) -> f64 {
        let known = Some(self.amount.minor).filter(|_| self.known_us < until_us);
        let left = known.and_then(|minor| fates.left(self.id, minor, until_us));
        left.map_or(0.0, |minor| amount(Money { minor, ..self.amount }))
    }
}

/// What a customer's orders won, with the order that did.
fn won(
    orders: &[Order],
    (last_us, asked): (i64, &PartnerArgs),
    (rates, fates): (&Rates, &Fates),
    campaigns: &mut Channels,
) -> Vec<(Order, Won)> {
    let follow_us = i64::from(asked.follow_days) * DAY_US;
    // Each with the place of the order that won it, and all orders that it is worth.
    let mut all: Vec<(usize, Vec<Order>)> = Vec::new();
    for (place, order) in orders.iter().enumerate() {
        if order.affiliate.is_some() && !order.is_recurring {
            all.push((place, vec![*order]));
            continue;
        }
        // What goes on belongs to whom it is credited to; what nobody is credited with, to who sold last.
        let own = |(first, _): &&mut (usize, Vec<Order>)| orders[*first].affiliate == order.affiliate;
        let before = match order.affiliate {
            Some(_) => all.iter_mut().rev().find(own),
            None => all.last_mut(),
        };
        if let Some((_, parts)) = before.filter(|(first, _)| order.at_us <= orders[*first].at_us + follow_us)
        {
            parts.push(*order);
        }
    }
    all.retain(|(first, _)| orders[*first].at_us + follow_us <= last_us);
    let one = |(first, parts): (usize, Vec<Order>)| {
        let days: Vec<i32> = orders[first..].iter().map(|order| day(order.at_us)).collect();
        let worth = |until_us: i64| {
            let value = parts.iter().map(|order| order.left(fates, until_us)).sum::<f64>();
            let credited = || parts.iter().filter(|order| order.affiliate.is_some());
            let paid = |order: &Order| {
                rates
                    .at(order.campaign, order.affiliate, order.at_us)
                    .map(|rate| f64::from(rate.ppm) / 1e6 * order.left(fates, until_us))
            };
            let told = credited().map(paid).sum::<Option<f64>>();
            let of_amounts = credited().map(|order| order.left(fates, until_us)).sum();
            (value, asked.cost(told, Some(of_amounts)))
        };
        let turns = parts.iter().flat_map(|order| fates.known_us(order.id).chain([order.known_us]));
        let turns: BTreeSet<i32> = turns.map(day).collect();
        let turn = |day: i32| {
            let (value, cost) = worth(i64::from(day).saturating_add(1).saturating_mul(DAY_US));
            Turn { day, value, cost }
        };
        let (value, cost) = worth(i64::MAX);
        let won = Won {
            campaign: Some(campaigns.number(&orders[first].campaign.to_string())),
            day: Some(day(orders[first].at_us)),
            value,
            cost,
            came_back: if first == 0 { came_back(&days, day(last_us)) } else { None },
            turns: turns.into_iter().map(turn).collect(),
        };
        (orders[first], won)
    };
    all.into_iter().map(one).collect()
}

fn day(at_us: i64) -> i32 {
    i32::try_from(at_us.div_euclid(DAY_US)).unwrap_or(i32::MAX)
}
