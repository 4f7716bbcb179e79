//! What rules are shown is what features, the request, records and findings say, each in the field of its name.

use std::collections::BTreeSet;

use super::world::stream::World;
use domain::{
    click::Click,
    event::{Checks, Conversion, Event, Visit},
    fraud::{
        Evidence, Networks,
        evidence::{AddressClass, CheckResult, KeyedHash, Origin},
        statistics::Excess,
    },
};
use features::{
    defs::ALL,
    entity::{Entity, Key, Keys},
    evidence::{Findings, Records, gather, keys, set},
    fact::Request,
    online::{Bounds, State},
    value::Value,
};

/// Which fields are known.
fn known(seen: &Evidence) -> BTreeSet<&'static str> {
    Evidence::FIELDS.iter().map(|field| field.name).filter(|field| seen.knows(field) == Some(true)).collect()
}

/// A conversion and its click.
pub(super) fn sale() -> (Conversion, Visit<Click>) {
    let world = World::new(3, 400);
    let mut sales = world.told.iter().filter_map(|known| match &known.event {
        Event::Conversion(conversion) if conversion.click.is_some() => Some(conversion.clone()),
        _ => None,
    });
    let conversion = sales.next().expect("there is one");
    let click = world.told.iter().find_map(|known| match &known.event {
        Event::Click(visit) if Some(visit.seen.id) == conversion.click => Some(visit.clone()),
        _ => None,
    });
    (conversion, click.expect("its click was told"))
}

fn nothing() -> Vec<Value> {
    vec![Value::Null; set().features.len()]
}

/// What is seen of a conversion, with its click where there is one, and nothing else.
fn seen(conversion: &Conversion, click: Option<&Visit<Click>>, records: &Records) -> Evidence {
    let event = Event::Conversion(conversion.clone());
    let networks = Networks::read("network,class\n198.18.0.0/15,data_centre\n10.0.0.0/8,residential\n");
    let networks = networks.expect("a table");
    let request = Request { event: &event, click };
    gather(&nothing(), &request, records, &Findings::default(), &networks).expect("as many as it takes")
}

#[test]
fn every_feature_is_read_into_the_field_of_its_name() {
    let world = World::new(1, 400);
    // One that says nothing of what a conversion or a click would.
    let silent = world.told.iter().find(|known| matches!(known.event, Event::RateChange(_)));
    let request = Request { event: &silent.expect("there is one").event, click: None };
    let mut fields = BTreeSet::new();
    for (place, feature) in set().features.iter().enumerate() {
        let mut values = nothing();
        values[place] = if feature.computed.is_whole() { Value::Whole(1) } else { Value::Real(0.5) };
        let seen = gather(&values, &request, &Records::default(), &Findings::default(), &Networks::default());
        assert_eq!(known(&seen.expect("as many as it takes")), BTreeSet::from([&*feature.name]));
        fields.insert(&*feature.name);
    }
    let asked = Evidence::FIELDS.iter().filter(|field| matches!(field.origin, Origin::Feature(_)));
    assert_eq!(fields, asked.map(|field| field.name).collect());
}

#[test]
fn what_a_page_and_a_form_found_out_is_seen_and_what_they_did_not_is_unknown() {
    let (conversion, _) = sale();
    let checks = Checks { time_on_site_seconds: Some(0), email: None, captcha: Some(CheckResult::Failed) };
    let told = seen(&Conversion { checks, ..conversion.clone() }, None, &Records::default());
    assert_eq!((told.time_on_site_seconds, told.captcha_check), (Some(0), Some(CheckResult::Failed)));
    assert_eq!(told.email_check, None);
    let silent = Conversion { checks: Checks::default(), ..conversion };
    let silent = seen(&silent, None, &Records::default());
    assert_eq!((silent.time_on_site_seconds, silent.captcha_check), (None, None));
}

#[test]
fn a_vector_of_another_set_is_refused() {
    let (conversion, _) = sale();
    let event = Event::Conversion(conversion);
    let request = Request { event: &event, click: None };
    let of = |values: &[Value]| {
        gather(values, &request, &Records::default(), &Findings::default(), &Networks::default())
            .err()
            .map(|it| it.to_string())
    };
    let many = set().features.len();
    assert_eq!(of(&nothing()), None);
    let expected = format!(
        "the set rules has {many} features and the vector {}: read the vector of features::evidence::set()",
        many - 1
    );
    assert_eq!(of(&nothing()[1..]), Some(expected));
}

#[test]
fn what_nobody_said_stays_unknown() {
    let (mut conversion, _) = sale();
    conversion.checks = Checks::default();
    (conversion.network, conversion.address_hash, conversion.email_hash) = (None, None, None);
    for text in [&mut conversion.device_id, &mut conversion.email_domain, &mut conversion.country] {
        text.clear();
    }
    let records = Records { targeted_countries: Some(vec!["DE".to_owned()]), ..Records::default() };
    assert_eq!(known(&seen(&conversion, None, &records)), BTreeSet::new());
}

#[test]
fn a_click_tells_where_it_came_from() {
    let (conversion, mut click) = sale();
    click.seen.network = "198.18.7.0".parse().expect("a network");
    click.seen.referrer = "https://www.google.de/search?q=nordlicht+zelt&gclid=x".to_owned();
    click.seen.user_agent = String::new();
    click.device_id = "d9".to_owned();
    let mut reported = conversion.clone();
    reported.device_id = String::new();
    let of_click = seen(&reported, Some(&click), &Records::default());
    assert_eq!(of_click.address_class, Some(AddressClass::DataCentre));
    assert_eq!(of_click.address_hash, Some(KeyedHash(click.seen.address_hash)));
    assert_eq!(of_click.referrer_host.as_deref(), Some("www.google.de"));
    assert_eq!(of_click.search_terms.as_deref(), Some("nordlicht zelt"));
    assert_eq!(of_click.paid_search_click, Some(true));
    assert_eq!(of_click.user_agent.as_deref(), Some(""), "none was told, which is known");
    assert_eq!(of_click.device_id.as_deref(), Some("d9"));
    click.seen.referrer = "https://blog.example/?q=zelt".to_owned();
    click.seen.tags.utm[1] = "CPC".to_owned();
    click.seen.tags.utm[3] = "nordlicht".to_owned();
    let of_click = seen(&conversion, Some(&click), &Records::default());
    assert_eq!(of_click.search_terms.as_deref(), Some("nordlicht"), "a blog is no search engine");
    assert_eq!(of_click.paid_search_click, Some(true));
}

#[test]
fn records_and_findings_are_read_into_the_fields_of_their_names() {
    let (mut conversion, _) = sale();
    conversion.country = "de".to_owned();
    let hash = KeyedHash([7; 16]);
    let countries = |countries: &[&str]| Some(countries.iter().map(|&it| it.to_owned()).collect());
    let records = Records {
        affiliate_sites: Some(vec!["blog.example".to_owned()]),
        affiliate_email_hashes: Some(vec![hash]),
        affiliate_account_hash: Some(hash),
        affiliate_device_ids: Some(vec!["d1".to_owned()]),
        affiliate_address_hashes: Some(vec![]),
        payout_account_affiliates: Some(2),
        declared_agency: Some(false),
        licensed_search: Some(true),
        targeted_countries: countries(&["FR", "DE"]),
        order_reports: Some(1),
    };
    let found = seen(&conversion, None, &records);
    let of_records: BTreeSet<&str> = Evidence::FIELDS
        .iter()
        .filter(|field| matches!(field.origin, Origin::Record(_)))
        .map(|field| field.name)
        .collect();
    assert!(of_records.is_subset(&known(&found)), "{:?}", of_records.difference(&known(&found)));
    assert_eq!(found.affiliate_address_hashes, Some(Vec::new()), "it is known that there is none");
    assert_eq!(found.country_targeted, Some(true));
    let elsewhere = Records { targeted_countries: countries(&["FR"]), ..Records::default() };
    assert_eq!(seen(&conversion, None, &elsewhere).country_targeted, Some(false));
    let anywhere = Records { targeted_countries: countries(&[]), ..Records::default() };
    assert_eq!(seen(&conversion, None, &anywhere).country_targeted, Some(true));

    let excess = Excess { n: 9, seen: 9.0, expected: 1.0, p: 0.1, q: 0.2, window_seconds: 60 };
    let findings = Findings { burst_excess: Some(excess), ..Findings::default() };
    let event = Event::Conversion(conversion);
    let request = Request { event: &event, click: None };
    let found = gather(&nothing(), &request, &Records::default(), &findings, &Networks::default());
    assert_eq!(found.expect("as many as it takes").burst_excess, Some(excess));
}

#[test]
fn an_address_is_the_clicks_and_a_device_the_conversions() {
    let (mut conversion, mut click) = sale();
    let address = |hash: [u8; 16]| Some(Key::one(u128::from_be_bytes(hash)));
    (conversion.address_hash, click.seen.address_hash) = (Some([1; 16]), [2; 16]);
    (conversion.device_id, click.device_id) = ("d1".to_owned(), "d2".to_owned());
    let asked = |conversion: &Conversion, click| {
        keys(&Request { event: &Event::Conversion(conversion.clone()), click })
    };
    let both = asked(&conversion, Some(&click));
    assert_eq!(both.get(Entity::Address), address([2; 16]));
    assert_eq!(both.get(Entity::Device), Some(Key::named(&[b"d1"])));
    assert_eq!(asked(&conversion, None), Keys::of(&Event::Conversion(conversion.clone())));
    (conversion.device_id, conversion.session) = (String::new(), None);
    let both = asked(&conversion, Some(&click));
    assert_eq!(both.get(Entity::Device), Some(Key::named(&[b"d2"])));
    assert_eq!(both.get(Entity::Journey), Some(Key::one(click.seen.session.uuid().as_u128())));
}

/// From events to evidence: what was told is counted, and reaches the rules.
#[test]
fn evidence_of_a_report_that_came_twice_says_so() {
    let (conversion, click) = sale();
    let mut state = State::new(&ALL, Bounds::default());
    let prepared = state.prepare(set()).expect("it is kept");
    let again = Conversion { id: uuid::Uuid::from_u128(7).into(), ..conversion.clone() };
    let at_us = conversion.occurred_at_us.max(click.seen.occurred_at_us);
    let events =
        [Event::Click(click.clone()), Event::Conversion(conversion), Event::Conversion(again.clone())];
    for event in events {
        state.observe(&domain::event::Known { event, known_at_us: at_us });
    }
    let event = Event::Conversion(again);
    let request = Request { event: &event, click: Some(&click) };
    let mut values = Vec::new();
    state.vector(&prepared, &keys(&request), Some(&request), at_us, &mut values);
    let records = Records::default();
    let seen = gather(&values, &request, &records, &Findings::default(), &Networks::default());
    let seen = seen.expect("as many as it takes");
    assert_eq!((seen.twin_conversions_24h, seen.ip_journeys_1h), (Some(2), Some(1)));
    assert_eq!(seen.device_seconds_between_affiliates_24h, None, "one click is not two");
}
