//! Journeys of the event lake: the clicks of one visit on one campaign, up to a conversion of it, or to none.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use domain::{
    CampaignId, ConversionId,
    attribution::{CLOCK_TOLERANCE, Channels, Journeys, journeys::Row},
    click::Device,
    event::{Conversion, Event, Kind, Visit},
    money::{Currency, Money},
};
use models::fingerprint::Fingerprint;

use super::{
    By, Input, JourneyArgs,
    watched::{Watch, Watched},
};
use crate::{
    attribution::UNKNOWN,
    jobs::lake::{Fates, amount, each, open},
};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// Who travels: a visit, and what it was about; all campaigns together where campaigns are credited.
type Traveller = (u128, Option<CampaignId>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Touch {
    at_us: i64,
    channel: u32,
    /// By the numbers of [`Watched`], where it was asked for.
    device: u32,
}

#[derive(Clone, Copy)]
struct Order {
    at_us: i64,
    value: f64,
    id: ConversionId,
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
    watched: Option<Watched>,
    /// The last instant that the lake tells of.
    last_us: i64,
}

/// Reads them.
pub(super) fn read(
    asked: &JourneyArgs,
    address: &Path,
    channels: Channels,
    is_watched: bool,
) -> Result<Input> {
    let lake = open(address)?;
    let range = asked.from.unwrap_or(i64::MIN)..asked.to.unwrap_or(i64::MAX);
    ensure!(range.start < range.end, "there is no time between --from and --to");
    let fates = Fates::read(&lake)?;
    let mut told = Visits::new(asked.by, channels, is_watched);
    // An order is owed to touches of the window before it, also to those before --from.
    let window_us = i64::from(asked.window) * DAY_US;
    let touched = range.start.saturating_sub(window_us)..range.end;
    let clicks = ["session_id", "affiliate_id", "campaign_id", "source", "device"];
    each(&lake, Kind::Click, &clicks, &touched, |known| {
        if let Event::Click(visit) = &known.event {
            told.click(visit);
        }
    })?;
    let mut left_out = 0_usize;
    let conversions =
        ["session_id", "click_id", "campaign_id", "amount_minor", "currency", "affiliate_id", "coupon"];
    each(&lake, Kind::Conversion, &conversions, &range, |known| {
        let Event::Conversion(order) = &known.event else { return };
        match fates.left(order.id.uuid().as_u128(), order.amount.minor, i64::MAX) {
            Some(minor) => told.order(order, Money { minor, ..order.amount }),
            None => left_out += 1,
        }
    })?;
    let mut notes = vec![format!(
        "journeys are the clicks of a visit {}, at most {} days before a conversion",
        if asked.by == By::Campaign { "on all campaigns" } else { "on one campaign" },
        asked.window
    )];
    if 0 < left_out {
        notes.push(format!(
            "{left_out} conversions that were rejected, or of which everything was given back, are left out"
        ));
    }
    if 0 < told.unvisited {
        notes.push(format!("{} conversions belong to no visit and are nobody's", told.unvisited));
    }
    if 1 < told.currencies.len() {
        let codes: Vec<&str> = told.currencies.iter().map(|it| it.code()).collect();
        notes.push(format!("values are in {}, and added up as they are", codes.join(", ")));
    }
    told.input(address, (range.start, window_us), notes)
}

impl Visits {
    fn new(by: By, channels: Channels, is_watched: bool) -> Self {
        Self {
            by,
            channels,
            touches: BTreeMap::new(),
            sessions: HashMap::new(),
            orders: BTreeMap::new(),
            coupons: Vec::new(),
            currencies: BTreeSet::new(),
            unvisited: 0,
            watched: is_watched.then(Watched::default),
            last_us: i64::MIN,
        }
    }

    fn traveller(&self, session: u128, campaign: CampaignId) -> Traveller {
        (session, (self.by != By::Campaign).then_some(campaign))
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
        let traveller = self.traveller(session, seen.campaign);
        let device = self.watched.as_mut().map_or(UNKNOWN, |it| {
            it.device(Some(seen.device.name()).filter(|_| seen.device != Device::Unknown))
        });
        let touch = Touch { at_us: seen.occurred_at_us, channel, device };
        self.touches.entry(traveller).or_default().push(touch);
        self.last_us = self.last_us.max(touch.at_us);
    }

    /// An order, and what is left of its amount.
    fn order(&mut self, order: &Conversion, left: Money) {
        let value = amount(left);
        let told = Order { at_us: order.occurred_at_us, value, id: order.id };
        self.last_us = self.last_us.max(told.at_us);
        let of_click = self.sessions.get(&order.click.map_or(0, |click| click.uuid().as_u128())).copied();
        let session = order.session.map(|session| session.uuid().as_u128()).or(of_click);
        match (session, order.affiliate) {
            (Some(session), _) => {
                let traveller = self.traveller(session, order.campaign);
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

    fn input(
        mut self,
        address: &Path,
        (from_us, window_us): (i64, i64),
        mut notes: Vec<String>,
    ) -> Result<Input> {
        let mut written = Written::new(&mut self, window_us);
        let (touches, mut orders) = (std::mem::take(&mut self.touches), std::mem::take(&mut self.orders));
        let tolerance_us = CLOCK_TOLERANCE.num_seconds() * SECOND_US;
        let mut nobodys = 0_usize;
        for (traveller, mut touches) in touches {
            touches.sort_unstable();
            let (mut orders, campaign) = (orders.remove(&traveller).unwrap_or_default(), traveller.1);
            orders.sort_by_key(|order| order.at_us);
            let mut used = vec![false; touches.len()];
            for order in orders {
                let until_us = order.at_us + tolerance_us;
                let within =
                    |touch: &&Touch| order.at_us - window_us <= touch.at_us && touch.at_us <= until_us;
                let of_order: Vec<Touch> = touches.iter().filter(within).copied().collect();
                used.iter_mut().zip(&touches).for_each(|(used, touch)| *used |= within(&touch));
                if of_order.is_empty() {
                    nobodys += 1;
                } else {
                    let end = Some(order);
                    written.push(&Travelled { touches: &of_order, campaign, end, is_coupon: false })?;
                }
            }
            // What came too early for an order led to nothing, as what came after the last one has so far.
            let unused: Vec<(bool, Touch)> = used.into_iter().zip(touches).collect();
            for part in unused.chunk_by(|one, other| one.0 == other.0).filter(|part| !part[0].0) {
                let touches: Vec<Touch> = part.iter().map(|(_, touch)| *touch).collect();
                if touches.last().is_some_and(|last| last.at_us < from_us) {
                    continue;
                }
                written.push(&Travelled { touches: &touches, campaign, end: None, is_coupon: false })?;
            }
        }
        for (channel, order) in &self.coupons {
            let touches = &[Touch { at_us: order.at_us, channel: *channel, device: UNKNOWN }];
            written.push(&Travelled { touches, campaign: None, end: Some(*order), is_coupon: true })?;
        }
        nobodys += orders.values().map(Vec::len).sum::<usize>();
        if 0 < nobodys {
            notes.push(format!(
                "{nobodys} conversions had no click of their visit before them, and are nobody's"
            ));
        }
        self.channels.names().iter().for_each(|name| written.bytes.extend(name.as_bytes()));
        Ok(Input {
            journeys: written.journeys,
            channels: self.channels,
            timed: true,
            watched: written.watched,
            notes,
            data: Fingerprint::of(&written.bytes),
            source: address.display().to_string(),
        })
    }
}

/// A journey to an order, or to nothing.
struct Travelled<'a> {
    touches: &'a [Touch],
    /// None where it was on all campaigns together.
    campaign: Option<CampaignId>,
    end: Option<Order>,
    is_coupon: bool,
}

/// Journeys, written one after the other.
struct Written {
    journeys: Journeys,
    /// All that was told, for its fingerprint.
    bytes: Vec<u8>,
    watched: Option<Watched>,
    window_us: i64,
    last_us: i64,
}

impl Written {
    fn new(told: &mut Visits, window_us: i64) -> Self {
        Self {
            journeys: Journeys::default(),
            bytes: Vec::new(),
            watched: told.watched.take(),
            window_us,
            last_us: told.last_us,
        }
    }

    fn push(&mut self, journey: &Travelled<'_>) -> Result<()> {
        let Travelled { touches, campaign, end, is_coupon } = *journey;
        let last_us = touches[touches.len() - 1].at_us;
        let end_us = end.map_or(last_us, |order| order.at_us);
        let seconds = |span_us: i64| u32::try_from(span_us.max(0) / SECOND_US).unwrap_or(u32::MAX);
        let row = Row {
            touches: &touches.iter().map(|touch| touch.channel).collect::<Vec<_>>(),
            seconds_before: &touches.iter().map(|it| seconds(end_us - it.at_us)).collect::<Vec<_>>(),
            lead: None,
            conversions: f64::from(u8::from(end.is_some())),
            value: end.map_or(0.0, |order| order.value),
            nulls: f64::from(u8::from(end.is_none())),
        };
        self.bytes.extend(touches.len().to_le_bytes());
        for touch in touches {
            self.bytes.extend(touch.at_us.to_le_bytes());
            self.bytes.extend(touch.channel.to_le_bytes());
            self.bytes.extend(touch.device.to_le_bytes());
        }
        self.bytes.extend(campaign.map_or(0, |it| it.uuid().as_u128()).to_le_bytes());
        self.bytes.extend(end.map_or(0, |it| it.id.uuid().as_u128()).to_le_bytes());
        self.bytes.extend(end_us.to_le_bytes());
        self.bytes.extend(row.value.to_le_bytes());
        if let Some(watched) = &mut self.watched {
            // What converts after the window is nobody's, so that nobody sees it.
            let until_us = self.last_us.min(last_us.saturating_add(self.window_us));
            let watch = Watch {
                began_us: touches[0].at_us,
                watched_s: seconds(until_us - end_us),
                campaign: watched.campaign(campaign.map(|it| it.to_string()).as_deref()),
                is_coupon,
            };
            let touches = touches.iter().map(|touch| (touch.at_us, touch.device));
            watched.push(watch, touches, end.map(|order| order.id.to_string()));
        }
        self.journeys.push(row).context("a journey of the lake makes no sense")
    }
}
