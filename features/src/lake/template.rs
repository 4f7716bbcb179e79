//! What a column says that was not read: a row for each kind of events, of nobody and nothing.

use std::{net::Ipv4Addr, sync::LazyLock};

use domain::{
    campaign::EventKind,
    click::{Asked, Click, Device, Tags},
    conversion::{ConversionStatus, ReversalReason},
    event::{
        Checks, Conversion, Decided, Decision, Event, Impression, Kind, Known, RateChange, Refund, Review,
        StatusChange, Verdict, Visit,
    },
    money::{Currency, Money, Rate},
};
use polars::prelude::DataFrame;
use uuid::Uuid;

use super::{columns::Filling, rows, schema::Table};

/// One row of a kind's table.
pub(super) fn of(kind: Kind) -> &'static DataFrame {
    static TEMPLATES: LazyLock<Vec<DataFrame>> = LazyLock::new(|| {
        let template = |kind: &Kind| {
            let mut filling = Filling::new(Table::of(*kind), 1);
            rows::write(&Known { event: nothing(*kind), known_at_us: 0 }, &mut filling.row());
            filling.take().expect("one row of every kind can be written, as a test says")
        };
        Kind::ALL.iter().map(template).collect()
    });
    &TEMPLATES[kind as usize]
}

fn nothing(kind: Kind) -> Event {
    let id = Uuid::nil();
    let (occurred_at_us, affiliate) = (0, None);
    match kind {
        Kind::Click => Event::Click(Visit { seen: click(), device_id: String::new() }),
        Kind::Impression => Event::Impression(Visit { seen: impression(), device_id: String::new() }),
        Kind::Conversion => Event::Conversion(conversion()),
        Kind::Refund => Event::Refund(Refund {
            id: id.into(),
            occurred_at_us,
            conversion: id.into(),
            campaign: id.into(),
            advertiser: id.into(),
            affiliate,
            customer: String::new(),
            amount: amount(),
            reason: ReversalReason::Other,
        }),
        Kind::StatusChange => Event::StatusChange(StatusChange {
            id: id.into(),
            occurred_at_us,
            conversion: id.into(),
            campaign: id.into(),
            affiliate,
            to: ConversionStatus::Received,
            reason: None,
        }),
        Kind::Review => Event::Review(Review {
            id: id.into(),
            occurred_at_us,
            conversion: id.into(),
            campaign: id.into(),
            affiliate,
            verdict: Verdict::Honest,
        }),
        Kind::RateChange => Event::RateChange(RateChange {
            id: id.into(),
            occurred_at_us,
            campaign: id.into(),
            affiliate,
            rate: Rate { ppm: 0 },
        }),
        Kind::Decision => Event::Decision(Decision {
            id: id.into(),
            occurred_at_us,
            decided: Decided::Score,
            conversion: None,
            campaign: None,
            affiliate,
            verdict: String::new(),
            mode: String::new(),
            version: String::new(),
            record: String::new(),
        }),
    }
}

fn amount() -> Money {
    let euro: Currency = "EUR".parse().expect("it is a currency");
    Money::new(0, euro)
}

fn click() -> Click {
    let id = Uuid::nil();
    Click {
        id: id.into(),
        occurred_at_us: 0,
        link: id.into(),
        affiliate: id.into(),
        campaign: id.into(),
        advertiser: id.into(),
        session: id.into(),
        tags: Tags::default(),
        address_hash: [0; 16],
        network: Ipv4Addr::UNSPECIFIED.into(),
        country: String::new(),
        device: Device::Unknown,
        user_agent: String::new(),
        referrer: String::new(),
        asked: Asked::default(),
    }
}

fn impression() -> Impression {
    let id = Uuid::nil();
    Impression {
        id: id.into(),
        occurred_at_us: 0,
        link: id.into(),
        affiliate: id.into(),
        campaign: id.into(),
        advertiser: id.into(),
        session: None,
        address_hash: [0; 16],
        network: Ipv4Addr::UNSPECIFIED.into(),
        country: String::new(),
        device: Device::Unknown,
        user_agent: String::new(),
        referrer: String::new(),
    }
}

fn conversion() -> Conversion {
    let id = Uuid::nil();
    Conversion {
        id: id.into(),
        occurred_at_us: 0,
        campaign: id.into(),
        advertiser: id.into(),
        // No name at all would be a null, which the column does not take.
        name: "-".to_owned(),
        kind: EventKind::Sale,
        amount: amount(),
        click: None,
        session: None,
        link: None,
        affiliate: None,
        order_id: String::new(),
        customer: String::new(),
        coupon: String::new(),
        address_hash: None,
        network: None,
        country: String::new(),
        device: Device::Unknown,
        device_id: String::new(),
        email_hash: None,
        email_domain: String::new(),
        account_hash: None,
        checks: Checks::default(),
    }
}
