//! Random events, few enough of each kind of thing that they meet.

use chrono::DateTime;
use domain::{
    AdvertiserId, AffiliateId, CampaignId, Chance, ClickId, ConversionId, EventId, LinkId, Money, Rate,
    SessionId,
    campaign::EventKind,
    click::{Asked, Click, Device, Tags},
    conversion::{ConversionStatus, ReversalReason},
    event::{
        Checks, Conversion, Event, Impression, Known, RateChange, Refund, Review, StatusChange, Verdict,
        Visit,
    },
};
use features::{
    entity::{Entity, Key, Keys},
    window::{DAY, HOUR, SECOND},
};
use uuid::Uuid;

/// When worlds begin: in a leap year, before the end of February.
pub const BEGIN: i64 = 1_832_630_400 * SECOND;
/// How long worlds last.
const LENGTH: i64 = 400 * DAY;

/// Everything that happened, as it was told: in the order in which it was known.
pub struct World {
    pub chance: Chance,
    pub told: Vec<Known<Event>>,
    clicks: Vec<Click>,
    conversions: Vec<Conversion>,
}

impl World {
    /// So many different events, and some of them again.
    pub fn new(seed: u64, events: usize) -> Self {
        let chance = Chance::seeded(seed);
        let mut world = Self { chance, told: Vec::new(), clicks: Vec::new(), conversions: Vec::new() };
        for _ in 0..events {
            let event = world.event();
            let known_at_us = world.known_at(event.occurred_at_us());
            let known = Known { event, known_at_us };
            while world.below(8) == 0 {
                let later = [0, 1, HOUR, 3 * DAY][world.below(4)];
                world.told.push(Known { known_at_us: known_at_us + later, ..known.clone() });
            }
            world.told.push(known);
        }
        world.told.sort_by_key(|known| known.known_at_us);
        world
    }

    pub fn below(&self, limit: usize) -> usize {
        usize::try_from(self.chance.below(limit as u64)).unwrap()
    }

    fn number(&self, limit: i64) -> i64 {
        i64::try_from(self.chance.below(limit.unsigned_abs())).unwrap()
    }

    /// Often at whole hours, where slices and windows end, and at the same instant as something else.
    fn occurred_at(&self) -> i64 {
        let at = BEGIN + self.number(LENGTH);
        match self.below(4) {
            0 => at.div_euclid(DAY) * DAY,
            1 => at.div_euclid(HOUR) * HOUR,
            2 => at.div_euclid(DAY) * DAY + self.number(3) - 1,
            _ => at,
        }
    }

    /// At once, a little late, very late, by a clock that is ahead of ours, or too far ahead.
    fn known_at(&self, occurred_at_us: i64) -> i64 {
        occurred_at_us
            + match self.below(16) {
                0..8 => 0,
                8 | 9 => self.number(5 * SECOND),
                10 => HOUR,
                11 => self.number(3 * DAY),
                12 => self.number(200 * DAY),
                13 => -self.number(HOUR),
                14 => -DAY,
                _ => -DAY - 1,
            }
    }

    /// When a later thing happened that belongs to an earlier one; seldom before it.
    fn after(&self, at_us: i64) -> i64 {
        at_us + [3 * SECOND, 10 * SECOND, HOUR, DAY, 20 * DAY, -5 * SECOND][self.below(6)] + self.number(2)
    }

    fn event(&mut self) -> Event {
        match self.below(20) {
            0..8 => Event::Click(self.click()),
            8 | 9 => Event::Impression(self.impression()),
            10..15 => Event::Conversion(self.conversion()),
            15 => Event::RateChange(self.rate_change()),
            decision => self.decision(decision),
        }
    }

    fn uuid(&self) -> Uuid {
        Uuid::from_bytes(self.chance.bytes())
    }

    /// One of a few.
    fn one_of(&self, kind: u128, many: u64) -> Uuid {
        Uuid::from_u128((kind << 64) + u128::from(self.chance.below(many)))
    }

    fn affiliate(&self) -> AffiliateId {
        self.one_of(1, 4).into()
    }

    fn campaign(&self) -> CampaignId {
        self.one_of(2, 3).into()
    }

    fn address(&self) -> [u8; 16] {
        *self.one_of(3, 12).as_bytes()
    }

    fn session(&self) -> SessionId {
        self.one_of(4, 12).into()
    }

    fn text(&self, texts: &[&str]) -> String {
        texts[self.below(texts.len())].to_owned()
    }

    fn device_id(&self) -> String {
        self.text(&["", "", "d1", "d2", "d3", "d4", "d5"])
    }

    fn device(&self) -> Device {
        Device::ALL[self.below(Device::ALL.len())]
    }

    fn amount(&self) -> Money {
        let minor = match self.below(8) {
            0 => i64::MAX,
            1 => 0,
            _ => self.number(20_000),
        };
        Money::new(minor, "EUR".parse().unwrap())
    }

    fn click(&mut self) -> Visit<Click> {
        let occurred_at_us = self.occurred_at();
        let made_at = DateTime::from_timestamp_micros(occurred_at_us).unwrap();
        let mut tags = Tags { source: self.text(&["", "mail", "search", "social"]), ..Tags::default() };
        tags.subs[0] = self.text(&["", "a", "b"]);
        let click = Click {
            // Some were imported with ids that do not say when they were made.
            id: if self.below(5) == 0 { self.uuid().into() } else { ClickId::new_at(made_at, &self.chance) },
            occurred_at_us,
            link: LinkId::from(self.one_of(5, 6)),
            affiliate: self.affiliate(),
            campaign: self.campaign(),
            advertiser: AdvertiserId::from(self.one_of(6, 2)),
            session: self.session(),
            tags,
            address_hash: self.address(),
            network: self.text(&["192.0.2.0", "198.51.100.0", "2001:db8::"]).parse().unwrap(),
            country: self.text(&["", "DE", "FR", "PL"]),
            device: self.device(),
            user_agent: self.text(&["", "one", "two", "three"]),
            referrer: self.text(&["", "https://blog.example/a", "https://news.example/"]),
            asked: Asked::default(),
        };
        self.clicks.push(click.clone());
        Visit { seen: click, device_id: self.device_id() }
    }

    fn impression(&self) -> Visit<Impression> {
        let impression = Impression {
            id: EventId::from(self.uuid()),
            occurred_at_us: self.occurred_at(),
            link: LinkId::from(self.one_of(5, 6)),
            affiliate: self.affiliate(),
            campaign: self.campaign(),
            advertiser: AdvertiserId::from(self.one_of(6, 2)),
            session: (self.below(3) != 0).then(|| self.session()),
            address_hash: self.address(),
            network: "192.0.2.0".parse().unwrap(),
            country: self.text(&["", "DE", "FR"]),
            device: self.device(),
            user_agent: self.text(&["", "one", "two"]),
            referrer: self.text(&["", "https://blog.example/a"]),
        };
        Visit { seen: impression, device_id: self.device_id() }
    }

    fn conversion(&mut self) -> Conversion {
        if !self.conversions.is_empty() && self.below(4) == 0 {
            return self.twin();
        }
        let click = (!self.clicks.is_empty() && self.below(4) != 0)
            .then(|| self.clicks[self.below(self.clicks.len())].clone());
        let conversion = Conversion {
            id: ConversionId::from(self.uuid()),
            occurred_at_us: click
                .as_ref()
                .map_or_else(|| self.occurred_at(), |it| self.after(it.occurred_at_us)),
            campaign: click.as_ref().map_or_else(|| self.campaign(), |it| it.campaign),
            advertiser: AdvertiserId::from(self.one_of(6, 2)),
            name: "sale".to_owned(),
            kind: EventKind::ALL[self.below(EventKind::ALL.len())],
            amount: self.amount(),
            click: click.as_ref().map(|it| it.id),
            session: click.as_ref().map(|it| it.session),
            link: click.as_ref().map(|it| it.link),
            affiliate: click.as_ref().map(|it| it.affiliate),
            order_id: String::new(),
            customer: self.text(&["", "c1", "c2", "c3", "c4"]),
            coupon: self.text(&["", "", "TENT"]),
            address_hash: (self.below(4) != 0).then(|| self.address()),
            network: None,
            country: self.text(&["", "DE", "FR"]),
            device: self.device(),
            device_id: self.device_id(),
            email_hash: (self.below(4) != 0).then(|| *self.one_of(7, 9).as_bytes()),
            email_domain: self.text(&["", "gmail.com", "mailinator.com", "nordlicht.example"]),
            account_hash: None,
            checks: Checks::default(),
        };
        // By the amount: chance is left to what was there before.
        let told = [None, Some(0), Some(0), Some(75)][conversion.amount.minor.rem_euclid(4) as usize];
        let checks = Checks { time_on_site_seconds: told, ..Checks::default() };
        let conversion = Conversion { checks, ..conversion };
        self.conversions.push(conversion.clone());
        conversion
    }

    /// One of the first purchases again, under another number.
    fn twin(&mut self) -> Conversion {
        let first = self.conversions[self.below(self.conversions.len().min(3))].clone();
        let soon = self.below(2) == 0;
        let occurred_at_us = if soon { self.after(first.occurred_at_us) } else { self.occurred_at() };
        let twin = Conversion { id: ConversionId::from(self.uuid()), occurred_at_us, ..first };
        self.conversions.push(twin.clone());
        twin
    }

    fn rate_change(&self) -> RateChange {
        RateChange {
            id: EventId::from(self.uuid()),
            occurred_at_us: self.occurred_at(),
            campaign: self.campaign(),
            affiliate: (self.below(2) == 0).then(|| self.affiliate()),
            rate: Rate { ppm: u32::try_from(self.number(1_000_000)).unwrap() },
        }
    }

    /// A refund, a move or a review of some conversion.
    fn decision(&mut self, which: usize) -> Event {
        if self.conversions.is_empty() {
            return Event::Conversion(self.conversion());
        }
        let conversion = self.conversions[self.below(self.conversions.len())].clone();
        let Conversion { id, campaign, affiliate, advertiser, customer, .. } = conversion;
        let (own_id, occurred_at_us) = (EventId::from(self.uuid()), self.after(conversion.occurred_at_us));
        match which {
            16 | 17 => Event::Refund(Refund {
                id: own_id,
                occurred_at_us,
                conversion: id,
                campaign,
                advertiser,
                affiliate,
                customer,
                amount: self.amount(),
                reason: ReversalReason::Refund,
            }),
            18 => Event::StatusChange(StatusChange {
                id: own_id,
                occurred_at_us,
                conversion: id,
                campaign,
                affiliate,
                to: ConversionStatus::ALL[self.below(ConversionStatus::ALL.len())],
                reason: (self.below(2) == 0).then_some(ReversalReason::Fraud),
            }),
            _ => Event::Review(Review {
                id: own_id,
                occurred_at_us,
                conversion: id,
                campaign,
                affiliate,
                verdict: Verdict::ALL[self.below(2)],
            }),
        }
    }

    /// Somebody of each kind: mostly all that some event is about, sometimes one to whom nothing happened.
    pub fn keys(&self) -> Keys {
        let mut keys = Keys::default();
        for entity in Entity::ALL {
            let known = &self.told[self.below(self.told.len())].event;
            if let Some(key) = entity.key(known) {
                keys = keys.with(*entity, key);
            }
        }
        // These two are about few events each: take those of one event together.
        let known = Keys::of(&self.told[self.below(self.told.len())].event);
        for entity in [Entity::Conversion, Entity::Click] {
            keys = known.get(entity).map_or(keys, |key| keys.with(entity, key));
        }
        if self.below(50) == 0 { keys.with(Entity::Address, Key::one(7)) } else { keys }
    }

    /// An instant at which something may happen: an event, or the end of a window, or just before or after.
    pub fn instant(&self) -> i64 {
        let known = &self.told[self.below(self.told.len())];
        let from = known.known_at_us.max(known.event.occurred_at_us());
        let occurred_at_us = known.event.occurred_at_us();
        let lengths = [HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY];
        let length = lengths[self.below(lengths.len())];
        let at = match self.below(5) {
            0 => from,
            1 => occurred_at_us + length,
            2 => occurred_at_us.div_euclid(DAY) * DAY + length,
            3 => occurred_at_us.div_euclid(HOUR) * HOUR + length,
            _ => BEGIN + self.number(LENGTH + 400 * DAY),
        };
        at + self.number(3) - 1
    }
}
