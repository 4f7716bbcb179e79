//! Events for tests: of every kind, with every optional value there and missing, the same for the same seed.

use std::net::IpAddr;

use chrono::DateTime;
use domain::{
    Chance,
    campaign::EventKind,
    click::{Asked, Click, Device, Tags},
    conversion::{ConversionStatus, ReversalReason},
    event::{
        Checks, Conversion, Decided, Decision, Event, Impression, Kind, Known, RateChange, Refund, Review,
        StatusChange, Verdict, Visit,
    },
    fraud::evidence::{CheckResult, FetchDestination},
    id::ClickId,
    money::{Money, Rate},
};
use uuid::Uuid;

use super::{Lake, part::Part, schema::Table};

/// The first of March 2026, midnight UTC, in microseconds.
pub(super) const MARCH_US: i64 = 1_772_323_200_000_000;

/// One event of `kind` that happened then; what it says is chance.
pub(super) fn event(kind: Kind, occurred_at_us: i64, chance: &Chance) -> Known<Event> {
    let made = Made { occurred_at_us, chance };
    let event = match kind {
        Kind::Click => Event::Click(Visit { seen: made.click(), device_id: made.text("device") }),
        Kind::Impression => {
            Event::Impression(Visit { seen: made.impression(), device_id: made.text("device") })
        }
        Kind::Conversion => Event::Conversion(made.conversion()),
        Kind::Refund => Event::Refund(made.refund()),
        Kind::StatusChange => Event::StatusChange(made.status_change()),
        Kind::Review => Event::Review(made.review()),
        Kind::RateChange => Event::RateChange(made.rate_change()),
        Kind::Decision => Event::Decision(made.decision()),
    };
    Known { event, known_at_us: occurred_at_us + chance.below(10_000_000) as i64 - 1_000 }
}

/// The first file of a kind.
pub(super) fn first(lake: &Lake, kind: Kind) -> Part {
    Part::open(&*lake.disk, &lake.found(kind).unwrap()[0].1, Table::of(kind)).unwrap()
}

struct Made<'a> {
    occurred_at_us: i64,
    chance: &'a Chance,
}

impl Made<'_> {
    fn id<T: From<Uuid>>(&self) -> T {
        ClickId::new_at(DateTime::from_timestamp_micros(self.occurred_at_us).unwrap(), self.chance)
            .uuid()
            .into()
    }

    fn some(&self) -> bool {
        self.chance.below(2) == 0
    }

    fn text(&self, word: &str) -> String {
        if self.some() { format!("{word} «{}»", self.chance.below(1_000)) } else { String::new() }
    }

    fn hash(&self) -> [u8; 16] {
        self.chance.bytes()
    }

    fn network(&self) -> IpAddr {
        let text = if self.some() { "203.0.113.0" } else { "2001:db8:1::" };
        text.parse().unwrap()
    }

    fn one_of<T: Copy>(&self, all: &[T]) -> T {
        all[self.chance.below(all.len() as u64) as usize]
    }

    fn money(&self) -> Money {
        let currency = self.one_of(&["EUR", "JPY", "KWD"]).parse().unwrap();
        Money::new(self.chance.below(1_000_000) as i64 - 500_000, currency)
    }

    fn click(&self) -> Click {
        Click {
            id: self.id(),
            occurred_at_us: self.occurred_at_us,
            link: self.id(),
            affiliate: self.id(),
            campaign: self.id(),
            advertiser: self.id(),
            session: self.id(),
            tags: Tags {
                subs: std::array::from_fn(|place| self.text(&format!("sub{place}"))),
                source: self.text("source"),
                uid: self.text("uid"),
                external_click_id: self.text("theirs"),
                utm: std::array::from_fn(|place| self.text(&format!("utm{place}"))),
            },
            address_hash: self.hash(),
            network: self.network(),
            country: if self.some() { "DE".to_owned() } else { String::new() },
            device: self.one_of(Device::ALL),
            user_agent: self.text("Mozilla/5.0"),
            referrer: self.text("https://blog.example/"),
            asked: asked(self.occurred_at_us),
        }
    }

    fn impression(&self) -> Impression {
        Impression {
            id: self.id(),
            occurred_at_us: self.occurred_at_us,
            link: self.id(),
            affiliate: self.id(),
            campaign: self.id(),
            advertiser: self.id(),
            session: self.some().then(|| self.id()),
            address_hash: self.hash(),
            network: self.network(),
            country: self.text("DE"),
            device: self.one_of(Device::ALL),
            user_agent: self.text("Mozilla/5.0"),
            referrer: self.text("https://blog.example/"),
        }
    }

    fn conversion(&self) -> Conversion {
        Conversion {
            id: self.id(),
            occurred_at_us: self.occurred_at_us,
            campaign: self.id(),
            advertiser: self.id(),
            name: "sale".to_owned(),
            kind: self.one_of(EventKind::ALL),
            amount: self.money(),
            click: self.some().then(|| self.id()),
            session: self.some().then(|| self.id()),
            link: self.some().then(|| self.id()),
            affiliate: self.some().then(|| self.id()),
            order_id: self.text("order"),
            customer: self.text("customer"),
            coupon: self.text("SPRING"),
            address_hash: self.some().then(|| self.hash()),
            network: self.some().then(|| self.network()),
            country: self.text("DE"),
            device: self.one_of(Device::ALL),
            device_id: self.text("device"),
            email_hash: self.some().then(|| self.hash()),
            email_domain: self.text("mail.example"),
            account_hash: account(self.occurred_at_us),
            checks: checks(self.occurred_at_us),
        }
    }

    fn refund(&self) -> Refund {
        Refund {
            id: self.id(),
            occurred_at_us: self.occurred_at_us,
            conversion: self.id(),
            campaign: self.id(),
            affiliate: self.some().then(|| self.id()),
            advertiser: self.id(),
            customer: self.text("customer"),
            amount: self.money(),
            reason: self.one_of(ReversalReason::ALL),
        }
    }

    fn status_change(&self) -> StatusChange {
        StatusChange {
            id: self.id(),
            occurred_at_us: self.occurred_at_us,
            conversion: self.id(),
            campaign: self.id(),
            affiliate: self.some().then(|| self.id()),
            to: self.one_of(ConversionStatus::ALL),
            reason: self.some().then(|| self.one_of(ReversalReason::ALL)),
        }
    }

    fn review(&self) -> Review {
        Review {
            id: self.id(),
            occurred_at_us: self.occurred_at_us,
            conversion: self.id(),
            campaign: self.id(),
            affiliate: self.some().then(|| self.id()),
            verdict: self.one_of(Verdict::ALL),
        }
    }

    fn decision(&self) -> Decision {
        Decision {
            id: self.id(),
            occurred_at_us: self.occurred_at_us,
            decided: self.one_of(Decided::ALL),
            conversion: self.some().then(|| self.id()),
            campaign: self.some().then(|| self.id()),
            affiliate: self.some().then(|| self.id()),
            verdict: self.text("hold"),
            mode: self.text("live"),
            version: self.text("3"),
            record: format!(r#"{{"score":{}}}"#, self.chance.below(1_000)),
        }
    }

    fn rate_change(&self) -> RateChange {
        RateChange {
            id: self.id(),
            occurred_at_us: self.occurred_at_us,
            campaign: self.id(),
            affiliate: self.some().then(|| self.id()),
            rate: Rate { ppm: self.chance.below(1_000_001) as u32 },
        }
    }
}

/// What pages and forms found out, by the moment: chance is left to what older versions of the lake had too.
fn checks(occurred_at_us: i64) -> Checks {
    let turn = (occurred_at_us / 1_000_000).rem_euclid(4) as u32;
    let said = |turn: u32| CheckResult::ALL.get(turn as usize).copied();
    Checks {
        time_on_site_seconds: (turn != 3).then_some(turn * 30),
        email: said(turn),
        captcha: said(3 - turn),
    }
}

/// How browsers asked, by the moment.
fn asked(occurred_at_us: i64) -> Asked {
    let turn = (occurred_at_us / 1_000_000).rem_euclid(6) as usize;
    let yes = |turn: usize| [None, Some(false), Some(true)][turn % 3];
    Asked {
        destination: FetchDestination::ALL.get(turn).copied(),
        by_user: yes(turn),
        hints_match: yes(turn / 2),
    }
}

/// Accounts that paid, by the moment.
fn account(occurred_at_us: i64) -> Option<[u8; 16]> {
    let second = (occurred_at_us / 1_000_000) as u8;
    second.is_multiple_of(2).then_some([second; 16])
}
