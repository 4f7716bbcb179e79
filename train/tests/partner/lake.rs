//! The event lake: what partners' customers ordered, and what was left of it.

use domain::{
    AffiliateId, Chance, ClickId, ConversionId, EventId, LinkId, Money, Rate, SessionId,
    campaign::EventKind,
    click::{Asked, Click, Device, Tags},
    conversion::{ConversionStatus, ReversalReason},
    event::{Checks, Conversion, Event, Known, RateChange, Refund, StatusChange, Visit},
};
use features::{lake::Lake, window::DAY};
use uuid::Uuid;

use super::{Place, number};

const MARCH_US: i64 = 1_772_323_200_000_000;

fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128((kind << 64) + number)
}

fn partner(number: u128) -> AffiliateId {
    AffiliateId::from(id(4, number))
}

fn known(event: Event, at_us: i64) -> Known<Event> {
    Known { event, known_at_us: at_us }
}

fn instant(at_us: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_micros(at_us).unwrap()
}

fn click(chance: &Chance, at_us: i64, of: u128, source: &str) -> Known<Event> {
    let seen = Click {
        id: ClickId::new_at(instant(at_us), chance),
        occurred_at_us: at_us,
        link: LinkId::from(id(5, of)),
        affiliate: partner(of),
        campaign: id(1, 0).into(),
        advertiser: id(2, 0).into(),
        session: SessionId::from(id(3, of)),
        tags: Tags { source: source.to_owned(), ..Tags::default() },
        address_hash: [7; 16],
        network: "192.0.2.0".parse().unwrap(),
        country: "DE".to_owned(),
        device: Device::Mobile,
        user_agent: String::new(),
        referrer: String::new(),
        asked: Asked::default(),
    };
    known(Event::Click(Visit { seen, device_id: String::new() }), at_us)
}

/// An order of a customer, credited to a partner or to nobody.
fn order(
    chance: &Chance,
    at_us: i64,
    of: Option<u128>,
    customer: &str,
    euros: i64,
) -> (ConversionId, Known<Event>) {
    let id_of = ConversionId::new_at(instant(at_us), chance);
    let event = Conversion {
        id: id_of,
        occurred_at_us: at_us,
        campaign: id(1, 0).into(),
        advertiser: id(2, 0).into(),
        name: "sale".to_owned(),
        kind: EventKind::Sale,
        amount: Money::new(100 * euros, "EUR".parse().unwrap()),
        click: of.map(|_| ClickId::new_at(instant(at_us), chance)),
        session: None,
        link: None,
        affiliate: of.map(partner),
        order_id: String::new(),
        customer: customer.to_owned(),
        coupon: String::new(),
        address_hash: None,
        network: None,
        country: String::new(),
        device: Device::Mobile,
        device_id: String::new(),
        email_hash: None,
        email_domain: String::new(),
        account_hash: None,
        checks: Checks::default(),
    };
    (id_of, known(Event::Conversion(event), at_us))
}

/// Half of an order's amount, given back.
fn refund(chance: &Chance, at_us: i64, (conversion, of): (ConversionId, u128), euros: i64) -> Known<Event> {
    let refund = Refund {
        id: EventId::new_at(instant(at_us), chance),
        occurred_at_us: at_us,
        conversion,
        campaign: id(1, 0).into(),
        advertiser: id(2, 0).into(),
        affiliate: Some(partner(of)),
        customer: String::new(),
        amount: Money::new(50 * euros, "EUR".parse().unwrap()),
        reason: ReversalReason::Refund,
    };
    known(Event::Refund(refund), at_us)
}

fn reversed(chance: &Chance, at_us: i64, conversion: ConversionId) -> Known<Event> {
    let change = StatusChange {
        id: EventId::new_at(instant(at_us), chance),
        occurred_at_us: at_us,
        conversion,
        campaign: id(1, 0).into(),
        affiliate: Some(partner(3)),
        to: ConversionStatus::Reversed,
        reason: Some(ReversalReason::Refund),
    };
    known(Event::StatusChange(change), at_us)
}

fn at(day: i64) -> i64 {
    MARCH_US + day * DAY
}

/// A campaign that pays a tenth. Customers of partner 1 come back ten days and half a year later, by themselves; those of partner
/// 2 give half of it back; and partner 3 sold one thing by a coupon, which was reversed.
fn happened(chance: &Chance) -> Vec<Known<Event>> {
    let mut events = vec![known(
        Event::RateChange(RateChange {
            id: EventId::new_at(instant(at(-9)), chance),
            occurred_at_us: at(-9),
            campaign: id(1, 0).into(),
            affiliate: None,
            rate: Rate { ppm: 100_000 },
        }),
        at(-9),
    )];
    for number in 0..240 {
        let (of, day) = (1 + number % 2, i64::try_from(number % 30).unwrap());
        for source in ["news", "news", "mail"] {
            events.push(click(chance, at(day), of, source));
        }
        let customer = format!("k{number}");
        let euros = 40 + 2 * i64::try_from(number % 10).unwrap();
        let (first, event) = order(chance, at(day) + 9, Some(of), &customer, euros);
        events.push(event);
        if of == 1 {
            // Comes back ten days later, by itself, and again half a year later.
            events.push(order(chance, at(day + 10), None, &customer, 100).1);
            events.push(order(chance, at(day + 180), None, &customer, 1_000).1);
        } else {
            // As the service tells of a return of a part: what was given back, and that it moved.
            events.push(refund(chance, at(day + 3), (first, of), euros));
            events.push(reversed(chance, at(day + 3), first));
        }
    }
    // One click, and two orders by it.
    events.push(click(chance, at(0), 4, "news"));
    events.extend([1, 2].map(|day| order(chance, at(day), Some(4), "twice", 50).1));
    // Sold by a coupon, and reversed.
    let (sold, event) = order(chance, at(4), Some(3), "k99", 77);
    let mut event = event;
    if let Event::Conversion(it) = &mut event.event {
        it.click = None;
    }
    events.push(event);
    events.push(reversed(chance, at(6), sold));
    events
}

#[test]
fn a_lake_says_what_customers_ordered_and_what_was_left_of_it() {
    let place = Place::empty();
    let (chance, lake) = (Chance::seeded(1), Lake::at(place.0.path().join("lake")));
    let mut batch = lake.batch();
    happened(&chance).iter().for_each(|event| batch.push(event).unwrap());
    batch.finish().unwrap();
    lake.compact(|_| {}).unwrap();

    place.told("--lake lake --out first");
    let partners = place.partners("first");
    let of = |number: u128| &partners[&partner(number).to_string()];
    let mean = 49.0;
    assert_eq!(
        (of(1)["conversions"].as_str(), of(1)["clicks"].as_str(), of(1)["source"].as_str()),
        ("120", "360", "news")
    );
    assert!((number(of(1), "mean_value") - (mean - 1.0)).abs() < 1e-9, "{:?}", of(1));
    assert!((number(of(2), "mean_value") - (mean + 1.0) / 2.0).abs() < 1e-9, "{:?}", of(2));
    // A tenth of what was kept, drawn towards what is usual.
    assert!((3.5..4.8).contains(&number(of(1), "cost_per_conversion")), "{:?}", of(1));
    assert_eq!((of(3)["conversions"].as_str(), of(3)["clicks"].as_str()), ("1", "1"));
    assert!(
        number(of(3), "mean_value").abs() < 1e-12
            && number(of(1), "churn_ratio") < number(of(2), "churn_ratio")
    );

    assert_eq!((of(4)["conversions"].as_str(), of(4)["clicks"].as_str()), ("2", "2"));

    place.told("--lake lake --follow-days 30 --out month");
    let partners = place.partners("month");
    let first = &partners[&partner(1).to_string()];
    assert!((number(first, "mean_value") - (mean - 1.0 + 100.0)).abs() < 1e-9, "{first:?}");
    let told = place.told("--lake lake --follow-days 195 --out half");
    assert!(told.contains("4 partners with 107 conversions"), "only those who were watched as long: {told}");
    place.check_refused("--lake lake --currency USD", "the lake has no order in USD, and some in EUR");
    place.check_refused("--lake nowhere", "there is no event lake in nowhere");
    place.check_refused(
        "--lake lake --follow-days 1000",
        "with what they brought within 1000 days, and at least 50 are needed to tell partners apart: choose fewer --follow-days",
    );
}
