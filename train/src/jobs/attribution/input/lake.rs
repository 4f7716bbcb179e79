//! Journeys of the event lake: the clicks of one visit on one campaign, up to a conversion of it, or to none.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use domain::{
    attribution::{CLOCK_TOLERANCE, Channels, Journeys, journeys::Row},
    conversion::ConversionStatus,
    event::{Conversion, Event, Kind, Visit},
    money::Currency,
};
use features::{
    entity::event_id,
    lake::{Lake, Told},
};
use models::fingerprint::Fingerprint;

use super::{By, Input, JourneyArgs};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// Who travels: a visit, and what it was about; all campaigns together where campaigns are credited.
type Traveller = (u128, u128);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Touch {
    at_us: i64,
    channel: u32,
}

#[derive(Clone, Copy)]
struct Order {
    at_us: i64,
    value: f64,
}

/// What was told of visits.
struct Visits {
    by: By,
    channels: Channels,
    touches: BTreeMap<Traveller, Vec<Touch>>,
    /// The visit of each click, for orders that name a click and no visit.
    sessions: HashMap<u128, u128>,
    orders: BTreeMap<Traveller, Vec<Order>>,
    /// Orders without a visit that a coupon credits somebody with: the coupon is their only touch.
    coupons: Vec<(u32, Order)>,
    currencies: BTreeSet<Currency>,
    unvisited: usize,
}

/// Reads them.
pub(super) fn read(asked: &JourneyArgs, address: &Path, channels: Channels) -> Result<Input> {
    let lake = Lake::open(address)?;
    ensure!(lake.exists()?, "there is no event lake in {}", address.display());
    let range = asked.from.unwrap_or(i64::MIN)..asked.to.unwrap_or(i64::MAX);
    ensure!(range.start < range.end, "there is no time between --from and --to");
    let rejected = rejected(&lake)?;
    let mut told = Visits {
        by: asked.by,
        channels,
        touches: BTreeMap::new(),
        sessions: HashMap::new(),
        orders: BTreeMap::new(),
        coupons: Vec::new(),
        currencies: BTreeSet::new(),
        unvisited: 0,
    };
    let clicks = ["session_id", "affiliate_id", "campaign_id", "source"];
    each(&lake, Kind::Click, &clicks, &range, |event| {
        if let Event::Click(visit) = event {
            told.click(visit);
        }
    })?;
    let mut left_out = 0_usize;
    let conversions =
        ["session_id", "click_id", "campaign_id", "amount_minor", "currency", "affiliate_id", "coupon"];
    each(&lake, Kind::Conversion, &conversions, &range, |event| {
        let Event::Conversion(order) = event else { return };
        if rejected.contains(&order.id.uuid().as_u128()) {
            left_out += 1;
        } else {
            told.order(order);
        }
    })?;
    let mut notes = vec![format!(
        "journeys are the clicks of a visit {}, at most {} days before a conversion",
        if asked.by == By::Campaign { "on all campaigns" } else { "on one campaign" },
        asked.window
    )];
    if 0 < left_out {
        notes.push(format!("{left_out} conversions that were rejected or reversed are left out"));
    }
    if 0 < told.unvisited {
        notes.push(format!("{} conversions belong to no visit and are nobody's", told.unvisited));
    }
    if 1 < told.currencies.len() {
        let codes: Vec<&str> = told.currencies.iter().map(|it| it.code()).collect();
        notes.push(format!("values are in {}, and added up as they are", codes.join(", ")));
    }
    told.input(address, i64::from(asked.window) * DAY_US, notes)
}

/// Tells each event of a kind once.
fn each(
    lake: &Lake,
    kind: Kind,
    columns: &[&'static str],
    range: &std::ops::Range<i64>,
    mut tell: impl FnMut(&Event),
) -> Result<()> {
    let told = Told { kind, occurred_us: range.clone(), columns: columns.iter().copied().collect() };
    let mut replay = lake.replay(vec![told], i64::MIN..i64::MAX)?;
    let mut seen = HashSet::new();
    while let Some(block) = replay.next_block()? {
        for known in block.iter().flatten() {
            if seen.insert(event_id(&known.event)) {
                tell(&known.event);
            }
        }
    }
    Ok(())
}

/// The conversions that have come to nothing.
fn rejected(lake: &Lake) -> Result<HashSet<u128>> {
    let mut rejected = HashSet::new();
    each(lake, Kind::StatusChange, &["conversion_id", "status"], &(i64::MIN..i64::MAX), |event| {
        let Event::StatusChange(change) = event else { return };
        let id = change.conversion.uuid().as_u128();
        if matches!(change.to, ConversionStatus::Rejected | ConversionStatus::Reversed) {
            rejected.insert(id);
        } else {
            rejected.remove(&id);
        }
    })?;
    Ok(rejected)
}

impl Visits {
    fn traveller(&self, session: u128, campaign: u128) -> Traveller {
        (session, if self.by == By::Campaign { 0 } else { campaign })
    }

    fn click(&mut self, visit: &Visit<domain::click::Click>) {
        let seen = &visit.seen;
        let session = seen.session.uuid().as_u128();
        self.sessions.insert(seen.id.uuid().as_u128(), session);
        let channel = match self.by {
            By::Affiliate => self.channels.number(&seen.affiliate.to_string()),
            By::Campaign => self.channels.number(&seen.campaign.to_string()),
            By::Channel if seen.tags.source.is_empty() => self.channels.number("(no source)"),
            By::Channel => self.channels.number(&seen.tags.source),
        };
        let traveller = self.traveller(session, seen.campaign.uuid().as_u128());
        self.touches.entry(traveller).or_default().push(Touch { at_us: seen.occurred_at_us, channel });
    }

    fn order(&mut self, order: &Conversion) {
        let places = i32::from(order.amount.currency.places());
        let value = (order.amount.minor.max(0) as f64) / libm::pow(10.0, f64::from(places));
        let told = Order { at_us: order.occurred_at_us, value };
        let of_click = self.sessions.get(&order.click.map_or(0, |click| click.uuid().as_u128())).copied();
        let session = order.session.map(|session| session.uuid().as_u128()).or(of_click);
        match (session, order.affiliate) {
            (Some(session), _) => {
                let traveller = self.traveller(session, order.campaign.uuid().as_u128());
                self.orders.entry(traveller).or_default().push(told);
            }
            (None, Some(affiliate)) if !order.coupon.is_empty() => {
                let channel = self.channels.number(&match self.by {
                    By::Affiliate => affiliate.to_string(),
                    By::Campaign => order.campaign.to_string(),
                    By::Channel => "(coupon)".to_owned(),
                });
                self.coupons.push((channel, told));
            }
            (None, _) => {
                self.unvisited += 1;
                return;
            }
        }
        self.currencies.insert(order.amount.currency);
    }

    fn input(mut self, address: &Path, window_us: i64, mut notes: Vec<String>) -> Result<Input> {
        let (mut journeys, mut bytes, mut nobodys) = (Journeys::default(), Vec::new(), 0_usize);
        let mut push = |touches: &[Touch], end: Option<Order>| -> Result<()> {
            let end_us = end.map_or(touches[touches.len() - 1].at_us, |order| order.at_us);
            let seconds =
                |touch: &Touch| u32::try_from((end_us - touch.at_us).max(0) / SECOND_US).unwrap_or(u32::MAX);
            let row = Row {
                touches: &touches.iter().map(|touch| touch.channel).collect::<Vec<_>>(),
                seconds_before: &touches.iter().map(seconds).collect::<Vec<_>>(),
                lead: None,
                conversions: f64::from(u8::from(end.is_some())),
                value: end.map_or(0.0, |order| order.value),
                nulls: f64::from(u8::from(end.is_none())),
            };
            for touch in touches {
                bytes.extend(touch.at_us.to_le_bytes());
                bytes.extend(touch.channel.to_le_bytes());
            }
            bytes.extend(end_us.to_le_bytes());
            journeys.push(row).context("a journey of the lake makes no sense")
        };
        let tolerance_us = CLOCK_TOLERANCE.num_seconds() * SECOND_US;
        for (traveller, touches) in &mut self.touches {
            touches.sort_unstable();
            let mut orders = self.orders.remove(traveller).unwrap_or_default();
            orders.sort_by_key(|order| order.at_us);
            let mut after_us = i64::MIN;
            for order in orders {
                let until_us = order.at_us + tolerance_us;
                let within =
                    |touch: &&Touch| order.at_us - window_us <= touch.at_us && touch.at_us <= until_us;
                let of_order: Vec<Touch> = touches.iter().filter(within).copied().collect();
                if of_order.is_empty() {
                    nobodys += 1;
                } else {
                    push(&of_order, Some(order))?;
                    after_us = until_us;
                }
            }
            let rest: Vec<Touch> = touches.iter().filter(|touch| after_us < touch.at_us).copied().collect();
            if !rest.is_empty() {
                push(&rest, None)?;
            }
        }
        for (channel, order) in &self.coupons {
            push(&[Touch { at_us: order.at_us, channel: *channel }], Some(*order))?;
        }
        nobodys += self.orders.values().map(Vec::len).sum::<usize>();
        if 0 < nobodys {
            notes.push(format!(
                "{nobodys} conversions had no click of their visit before them, and are nobody's"
            ));
        }
        let data = Fingerprint::of(&bytes);
        let source = address.display().to_string();
        Ok(Input { journeys, channels: self.channels, timed: true, notes, data, source })
    }
}
