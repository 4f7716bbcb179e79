//! The event lake: what a click of an affiliate in a campaign brought.

use domain::{
    AffiliateId, CampaignId, Chance, ClickId, ConversionId, EventId, LinkId, Money, Rate, SessionId,
    campaign::EventKind,
    click::{Asked, Click, Device, Tags},
    conversion::ConversionStatus,
    event::{Checks, Conversion, Event, Known, RateChange, StatusChange, Visit},
};
use features::{lake::Lake, window::DAY};
use uuid::Uuid;

use super::Place;

const MARCH_US: i64 = 1_772_323_200_000_000;
const AFFILIATES: u128 = 60;
const CAMPAIGNS: u128 = 12;
/// How many clicks a pair has.
const CLICKS: u128 = 20;

fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128((kind << 64) + number)
}

fn affiliate(number: u128) -> AffiliateId {
    AffiliateId::from(id(4, number))
}

fn campaign(number: u128) -> CampaignId {
    CampaignId::from(id(1, number))
}

fn known(event: Event, at_us: i64) -> Known<Event> {
    Known { event, known_at_us: at_us }
}

/// Even affiliates have their visitors in Germany.
fn country(affiliate: u128) -> String {
    ["DE", "FR"][(affiliate % 2) as usize].to_owned()
}

fn click(chance: &Chance, at_us: i64, (of, to): (u128, u128)) -> Known<Event> {
    let seen = Click {
        id: ClickId::new_at(chrono::DateTime::from_timestamp_micros(at_us).unwrap(), chance),
        occurred_at_us: at_us,
        link: LinkId::from(id(5, of)),
        affiliate: affiliate(of),
        campaign: campaign(to),
        advertiser: id(2, to % 3).into(),
        session: SessionId::from(id(3, of)),
        tags: Tags { source: ["news letter", "search"][(of / 2 % 2) as usize].to_owned(), ..Tags::default() },
        address_hash: [7; 16],
        network: "192.0.2.0".parse().unwrap(),
        country: country(of),
        device: Device::Mobile,
        user_agent: String::new(),
        referrer: String::new(),
        asked: Asked::default(),
    };
    known(Event::Click(Visit { seen, device_id: String::new() }), at_us)
}

fn order(chance: &Chance, at_us: i64, (of, to): (u128, u128), amount: Money) -> (ConversionId, Known<Event>) {
    let at = chrono::DateTime::from_timestamp_micros(at_us).unwrap();
    let id_of = ConversionId::new_at(at, chance);
    let event = Conversion {
        id: id_of,
        occurred_at_us: at_us,
        campaign: campaign(to),
        advertiser: id(2, to % 3).into(),
        name: "sale".to_owned(),
        kind: EventKind::Sale,
        amount,
        click: Some(ClickId::new_at(at, chance)),
        session: None,
        link: None,
        affiliate: Some(affiliate(of)),
        order_id: String::new(),
        customer: String::new(),
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

fn euros(amount: i64) -> Money {
    Money::new(100 * amount, "EUR".parse().unwrap())
}

/// Campaigns pay a tenth. German visitors buy four times for 20 of twenty clicks in even campaigns, French ones in odd ones;
/// the others buy once, and every pair sells once more what is rejected.
fn happened(chance: &Chance) -> Vec<Known<Event>> {
    let mut events = Vec::new();
    for to in 0..CAMPAIGNS {
        let change = RateChange {
            id: EventId::new_at(chrono::DateTime::from_timestamp_micros(MARCH_US).unwrap(), chance),
            occurred_at_us: MARCH_US,
            campaign: campaign(to),
            affiliate: None,
            rate: Rate { ppm: 100_000 },
        };
        events.push(known(Event::RateChange(change), MARCH_US));
    }
    for (of, to) in (0..AFFILIATES).flat_map(|of| (0..CAMPAIGNS).map(move |to| (of, to))) {
        // A bit more than half of the pairs.
        if (7 * of + 5 * to) % 11 < 5 {
            continue;
        }
        let at_us = |step: u128| MARCH_US + i64::try_from(of + to + step).unwrap() * DAY / 4 + 1;
        events.extend((0..CLICKS).map(|step| click(chance, at_us(step), (of, to))));
        let bought = if of % 2 == to % 2 { 4 } else { 1 };
        events.extend((0..bought).map(|step| order(chance, at_us(step) + 9, (of, to), euros(20)).1));
        let (rejected, event) = order(chance, at_us(3) + 10, (of, to), euros(500));
        let change = StatusChange {
            id: EventId::new_at(chrono::DateTime::from_timestamp_micros(at_us(4)).unwrap(), chance),
            occurred_at_us: at_us(4),
            conversion: rejected,
            campaign: campaign(to),
            affiliate: Some(affiliate(of)),
            to: ConversionStatus::Rejected,
            reason: None,
        };
        events.extend([event, known(Event::StatusChange(change), at_us(4))]);
    }
    events
}

fn written(place: &Place, more: &[Known<Event>], chance: &Chance) {
    let lake = Lake::at(place.0.path().join("lake"));
    let mut batch = lake.batch();
    happened(chance).iter().chain(more).for_each(|event| batch.push(event).unwrap());
    batch.finish().unwrap();
    lake.compact(|_| {}).unwrap();
}

/// Whether an affiliate and a campaign suit each other.
fn suits(affiliate: &str, campaign: &str) -> bool {
    let number = |name: &str| {
        let all = (0..AFFILIATES).map(|at| self::affiliate(at).to_string());
        let all = all.chain((0..CAMPAIGNS).map(|at| self::campaign(at).to_string()));
        all.enumerate().find(|(_, it)| it == name).map(|(at, _)| at as u128).unwrap()
    };
    number(affiliate) % 2 == (number(campaign) - AFFILIATES) % 2
}

#[test]
fn a_lake_says_what_a_click_of_each_pair_is_worth_both_ways() {
    let (place, chance) = (Place::new(), Chance::seeded(1));
    written(&place, &[], &chance);
    let told = place.told("--lake lake --both-ways --k 4 --out out");
    assert!(told.contains("60 affiliates and 12 campaigns"), "{told}");
    assert!(told.contains("by expected value, in EUR for each click"), "{told}");
    let pairs = (0..AFFILIATES * CAMPAIGNS).filter(|at| 5 <= (7 * (at / 12) + 5 * (at % 12)) % 11).count();
    let metrics = place.metrics("out");
    assert_eq!((&metrics["pairs"], &metrics["currency"]), (&pairs.into(), &"EUR".into()));
    assert_eq!(metrics["recommends"], "value");
    for (file, who, what) in [("recommendations", "user", "item"), ("prospects", "item", "user")] {
        let rows = place.rows(&format!("out/{file}.csv"));
        let best: Vec<_> = rows.iter().filter(|row| row["rank"] == "1").collect();
        let right = best.iter().filter(|row| suits(&row["user"], &row["item"])).count();
        assert!(0.9 * best.len() as f64 <= right as f64, "{file}: {right} of {}", best.len());
        assert!(best.iter().all(|row| row[who] != row[what]));
        // Four times 20 less a tenth over twenty clicks is 3.6, and once is 0.9.
        for row in best.iter().filter(|row| suits(&row["user"], &row["item"])) {
            let expected: f64 = row["expected_value"].parse().unwrap();
            assert!((2.8..4.2).contains(&expected), "{row:?}");
            assert!(row["reason"].contains("mean value per click of the "), "{row:?}");
        }
    }
    place.told("--lake lake --users campaigns --model value --k 4 --out turned");
    let rows = place.rows("turned/recommendations.csv");
    let best = rows.iter().filter(|row| row["rank"] == "1");
    assert!(best.clone().count() == 12 && best.clone().all(|row| suits(&row["item"], &row["user"])));

    // Facts of the lake are columns like others.
    place.told(
        "--lake lake --model value --k 4 --require country --gaps country,source --lookalikes --out rules",
    );
    assert!(
        place.rows("rules/lookalikes.csv").iter().any(|row| row["reason"].contains("source=news_letter"))
    );
    let new = affiliate(999).to_string();
    place.write("users.csv", &format!("user,country\n{new},FR\n"));
    place.told("--lake lake --user-features users.csv --model value --k 2 --out new");
    let rows = place.rows("new/recommendations.csv");
    assert_eq!(rows.iter().filter(|row| row["user"] == new).count(), 2);
}

#[test]
fn amounts_of_two_currencies_are_not_added_up() {
    let (place, chance) = (Place::new(), Chance::seeded(1));
    let dollars = Money::new(9_000, "USD".parse().unwrap());
    let more = order(&chance, MARCH_US + DAY, (0, 0), dollars).1;
    written(&place, &[more], &chance);
    place.check_refused("--lake lake", "amounts in EUR, USD: say which with --currency");
    let told = place.told("--lake lake --currency EUR --model popularity --out euros");
    assert!(told.contains("60 affiliates"), "{told}");
    place.check_refused("--lake lake --currency CHF", "no order that an affiliate is credited with in CHF");
    place.check_refused("--lake nowhere", "there is no event lake in nowhere");
    place.check_refused("--interactions seen.csv --users campaigns", "--lake");
}
