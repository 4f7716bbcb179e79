//! How long the feature state takes for an event and for a vector, and how much memory for an entity, on a stream of
//! its own making: `cargo xtask bench features` runs it and reads the line of JSON that it prints. Times are those on
//! the processor, but for percentiles, which are by the clock.
#![expect(clippy::print_stdout, reason = "what it measured is what it is for")]

use std::{collections::HashMap, hint::black_box, sync::Arc, time::Instant};

use chrono::DateTime;
use domain::{
    AffiliateId, CampaignId, Chance, ClickId, ConversionId, LinkId, Money, SessionId,
    campaign::EventKind,
    click::{Asked, Click, Device, Tags},
    event::{Checks, Conversion, Event, Known, Visit},
};
use features::{
    definition::Feature,
    defs::{ALL, sets::SETS},
    entity::{Entity, Key, Keys},
    fact::Request,
    online::{Bounds, State},
    set::FeatureSet,
    window::{DAY, SECOND},
};
use foldhash::fast::RandomState;
use mimalloc::MiMalloc;
use uuid::Uuid;

/// As in the services.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const SEED: u64 = 1;
const BEGIN: i64 = 1_769_904_000 * SECOND;
/// Over how long the events are spread.
const DAYS: i64 = 30;
const ADDRESSES: u64 = 50_000;
const SESSIONS: u64 = 60_000;
const AFFILIATES: u64 = 300;
const CAMPAIGNS: u64 = 40;
/// One event in so many is a conversion of an earlier click.
const CONVERSION_OF: u64 = 25;
/// How many addresses are known where memory is measured.
const IDLE_ADDRESSES: u64 = 50_000;
/// How many vectors are read, and how many requests ask for a hundred of them.
const VECTORS: usize = 200_000;
const REQUESTS: usize = 1_000;
const PAGE_BYTES: f64 = 4_096.0;

fn main() {
    let events: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(300_000);
    // First, because what others leave to the allocator would hide what is taken.
    let [address_bytes, busy_address_bytes] = [1, 20].map(bytes_of_an_address);
    let told = stream(events);
    let fraud = SETS.iter().find(|set| set.name == "fraud").expect("there is such a set");
    let floor_ns = floor(&told);
    let (mut all, update_ns, judged_p99_ns) = follow(&ALL, fraud, &told);
    let (mut only_fraud, fraud_update_ns, fraud_judged_p99_ns) = follow(&fraud.features, fraud, &told);
    let [vector_ns, vector_p99_ns, hundred_ns] = vectors(&mut all, fraud, &told);
    let [fraud_vector_ns, fraud_vector_p99_ns, fraud_hundred_ns] = vectors(&mut only_fraud, fraud, &told);
    let begun = processor_ns();
    let snapshot = all.snapshot(0).map_or(0, |bytes| bytes.len());
    let snapshot_ms = (processor_ns() - begun) / 1e6;
    let addresses = all.entities(Entity::Address);
    println!(
        "{{\"events\":{events},\"features\":{},\"floor_ns\":{floor_ns:.1},\
         \"update_ns\":{update_ns:.1},\"vector_ns\":{vector_ns:.1},\"vector_p99_ns\":{vector_p99_ns:.1},\
         \"hundred_ns\":{hundred_ns:.1},\"judged_p99_ns\":{judged_p99_ns:.1},\
         \"fraud_judged_p99_ns\":{fraud_judged_p99_ns:.1},\"fraud_update_ns\":{fraud_update_ns:.1},\
         \"fraud_vector_ns\":{fraud_vector_ns:.1},\"fraud_vector_p99_ns\":{fraud_vector_p99_ns:.1},\
         \"fraud_hundred_ns\":{fraud_hundred_ns:.1},\"snapshot_bytes\":{snapshot},\
         \"snapshot_ms\":{snapshot_ms:.1},\"addresses\":{addresses},\
         \"address_bytes\":{address_bytes:.0},\"busy_address_bytes\":{busy_address_bytes:.0}}}",
        ALL.len()
    );
}

/// A state that was told everything, how long an event of the second half took, and the 99th percentile of the vectors
/// with which each conversion of the last tenth is judged, as it comes.
fn follow(features: &[Arc<Feature>], set: &FeatureSet, told: &[Known<Event>]) -> (State, f64, f64) {
    let mut state = State::new(features, Bounds::default());
    let (warm, rest) = told.split_at(told.len() / 2);
    let (measured, judged) = rest.split_at(rest.len() * 4 / 5);
    warm.iter().for_each(|known| _ = state.observe(known));
    let begun = processor_ns();
    measured.iter().for_each(|known| _ = black_box(state.observe(known)));
    let update_ns = (processor_ns() - begun) / count(measured.len());
    let prepared = state.prepare(set).expect("everything is kept");
    let (mut values, mut took) = (Vec::new(), Vec::new());
    for known in judged {
        state.observe(known);
        if matches!(known.event, Event::Conversion(_)) {
            let (keys, request) = (Keys::of(&known.event), Request { event: &known.event, click: None });
            let begun = Instant::now();
            state.vector(&prepared, &keys, Some(&request), known.known_at_us, &mut values);
            took.push(begun.elapsed().as_secs_f64() * 1e9);
            black_box(&values);
        }
    }
    (state, update_ns, p99(&mut took))
}

fn p99(took: &mut [f64]) -> f64 {
    took.sort_by(f64::total_cmp);
    took[took.len() * 99 / 100]
}

/// What cannot be avoided: for each entity that an event is about, one entry of a map.
fn floor(told: &[Known<Event>]) -> f64 {
    let (warm, measured) = told.split_at(told.len() / 2);
    let mut maps: Vec<HashMap<Key, u64, RandomState>> =
        Entity::ALL.iter().map(|_| HashMap::default()).collect();
    let mut follow = |known: &Known<Event>| {
        for (entity, map) in Entity::ALL.iter().zip(&mut maps) {
            if let Some(key) = entity.key(&known.event) {
                *map.entry(key).or_default() += 1;
            }
        }
    };
    warm.iter().for_each(&mut follow);
    let begun = processor_ns();
    measured.iter().for_each(&mut follow);
    let took = (processor_ns() - begun) / count(measured.len());
    black_box(&maps);
    took
}

/// The mean and the 99th percentile of a vector of fifty features, and a hundred of one request: one visitor, and a
/// hundred partners and offers that could be shown.
fn vectors(state: &mut State, set: &FeatureSet, told: &[Known<Event>]) -> [f64; 3] {
    let prepared = state.prepare(set).expect("everything is kept");
    let mut values = Vec::new();
    let now_us = state.freshness().now_us;
    let conversions =
        told.iter().rev().filter(|known| matches!(known.event, Event::Conversion(_))).take(2_000);
    let asked: Vec<(Keys, &Event)> =
        conversions.map(|known| (Keys::of(&known.event), &known.event)).collect();
    let mut took: Vec<f64> = Vec::new();
    for (keys, event) in asked.iter().cycle().take(VECTORS) {
        let request = Request { event, click: None };
        let begun = Instant::now();
        state.vector(&prepared, keys, Some(&request), now_us, &mut values);
        took.push(begun.elapsed().as_secs_f64() * 1e9);
        black_box(&values);
    }
    let begun = processor_ns();
    for (keys, event) in asked.iter().cycle().take(VECTORS) {
        state.vector(&prepared, keys, Some(&Request { event, click: None }), now_us, &mut values);
        black_box(&values);
    }
    let mean = (processor_ns() - begun) / count(VECTORS);
    [mean, p99(&mut took), hundred(state, set, &asked)]
}

/// A hundred vectors of one request.
fn hundred(state: &mut State, set: &FeatureSet, asked: &[(Keys, &Event)]) -> f64 {
    let prepared = state.prepare(set).expect("everything is kept");
    let mut values = Vec::new();
    let now_us = state.freshness().now_us;
    let requests: Vec<(Vec<Keys>, &Event)> =
        asked.iter().map(|(keys, event)| (offers(keys), *event)).take(REQUESTS).collect();
    let begun = processor_ns();
    for (offers, event) in &requests {
        let request = Request { event, click: None };
        state.vectors(&prepared, offers, Some(&request), now_us, &mut values);
        black_box(&values);
    }
    (processor_ns() - begun) / count(requests.len())
}

/// The same visitor, and a hundred different pairs of partner and offer.
fn offers(keys: &Keys) -> Vec<Keys> {
    let pair = |place: u128| {
        let (affiliate, campaign) = ((2 << 96) + place, (3 << 96) + place % u128::from(CAMPAIGNS));
        keys.with(Entity::Affiliate, Key::one(affiliate))
            .with(Entity::Campaign, Key::one(campaign))
            .with(Entity::AffiliateCampaign, Key::pair(affiliate, campaign))
    };
    (0..100).map(pair).collect()
}

/// What a state takes for each address from which so many clicks came: what it takes more than one that keeps nothing
/// of addresses.
fn bytes_of_an_address(clicks: u64) -> f64 {
    let taken = |entity: Entity| {
        let features: Vec<Arc<Feature>> = ALL.iter().filter(|it| it.entity == entity).cloned().collect();
        let chance = Chance::seeded(SEED);
        let mut state = State::new(&features, Bounds::default());
        let before = resident_bytes();
        for place in 0..IDLE_ADDRESSES * clicks {
            let mut visit = click(BEGIN + i64::try_from(place * 1_000).unwrap_or_default(), &chance);
            visit.seen.address_hash = u128::from(place % IDLE_ADDRESSES).to_be_bytes();
            state.observe(&Known { known_at_us: visit.seen.occurred_at_us, event: Event::Click(visit) });
        }
        // Kept until the end, so that nothing is given back in between.
        (resident_bytes() - before, std::mem::ManuallyDrop::new(state))
    };
    let (without, _kept) = taken(Entity::Campaign);
    let (with, _kept) = taken(Entity::Address);
    (with - without) / count(usize::try_from(IDLE_ADDRESSES).unwrap_or_default())
}

/// What this process has in memory, by Linux's own count.
fn resident_bytes() -> f64 {
    let counted = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = counted.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or_default() * PAGE_BYTES
}

/// How long this process has had a processor, by Linux's own count; what others take meanwhile is not in it.
fn processor_ns() -> f64 {
    let counted = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    counted.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn count(number: usize) -> f64 {
    features::value::real(i128::try_from(number).unwrap_or_default())
}

/// Clicks, steadily, and conversions of earlier ones; a few partners and addresses have most of them.
fn stream(events: u64) -> Vec<Known<Event>> {
    let chance = Chance::seeded(SEED);
    let step = DAYS * DAY / i64::try_from(events).unwrap_or(i64::MAX);
    let mut told: Vec<Known<Event>> = Vec::new();
    let mut clicks: Vec<(ClickId, SessionId, AffiliateId, CampaignId, [u8; 16])> = Vec::new();
    for place in 0..i64::try_from(events).unwrap_or(i64::MAX) {
        let at_us = BEGIN + place * step;
        let is_conversion = chance.below(CONVERSION_OF) == 0 && !clicks.is_empty();
        let event = if is_conversion {
            let recent = u64::try_from(clicks.len()).unwrap_or(u64::MAX).min(20_000);
            let back = usize::try_from(chance.below(recent)).unwrap_or_default();
            Event::Conversion(conversion(at_us, clicks[clicks.len() - 1 - back], &chance))
        } else {
            let visit = click(at_us, &chance);
            let Click { id, session, affiliate, campaign, address_hash, .. } = visit.seen;
            clicks.push((id, session, affiliate, campaign, address_hash));
            Event::Click(visit)
        };
        told.push(Known { event, known_at_us: at_us });
    }
    told
}

/// One of so many; the square of a share makes the first ones frequent.
fn one_of(chance: &Chance, kind: u128, many: u64) -> Uuid {
    let share = chance.below(many);
    Uuid::from_u128((kind << 96) + u128::from(share * share / many))
}

fn click(at_us: i64, chance: &Chance) -> Visit<Click> {
    let made_at = DateTime::from_timestamp_micros(at_us).unwrap_or_default();
    let seen = Click {
        id: ClickId::new_at(made_at, chance),
        occurred_at_us: at_us,
        link: LinkId::from(one_of(chance, 1, 2_000)),
        affiliate: one_of(chance, 2, AFFILIATES).into(),
        campaign: one_of(chance, 3, CAMPAIGNS).into(),
        advertiser: one_of(chance, 4, 10).into(),
        session: one_of(chance, 5, SESSIONS).into(),
        tags: Tags { source: "newsletter".to_owned(), ..Tags::default() },
        address_hash: *one_of(chance, 6, ADDRESSES).as_bytes(),
        network: std::net::Ipv4Addr::new(203, 0, 113, 0).into(),
        country: ["DE", "FR", "PL", "US"][usize::try_from(chance.below(4)).unwrap_or_default()].to_owned(),
        device: Device::ALL[usize::try_from(chance.below(4)).unwrap_or_default()],
        user_agent: format!(
            "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101",
            100 + chance.below(40)
        ),
        referrer: format!("https://blog{}.example/tents-of-the-year", chance.below(50)),
        asked: Asked::default(),
    };
    Visit { seen, device_id: String::new() }
}

fn conversion(
    at_us: i64,
    (click, session, affiliate, campaign, address): (ClickId, SessionId, AffiliateId, CampaignId, [u8; 16]),
    chance: &Chance,
) -> Conversion {
    let minor = i64::try_from(1_000 + chance.below(20_000)).unwrap_or_default();
    Conversion {
        id: ConversionId::from(Uuid::from_bytes(chance.bytes())),
        occurred_at_us: at_us,
        campaign,
        advertiser: one_of(chance, 4, 10).into(),
        name: "sale".to_owned(),
        kind: EventKind::Sale,
        amount: Money::new(minor, "EUR".parse().expect("it is a currency")),
        click: Some(click),
        session: Some(session),
        link: None,
        affiliate: Some(affiliate),
        order_id: String::new(),
        customer: format!("customer-{}", chance.below(5_000)),
        coupon: String::new(),
        address_hash: Some(address),
        network: None,
        country: "DE".to_owned(),
        device: Device::Mobile,
        device_id: format!("{:032x}", chance.below(4_000)),
        email_hash: Some(*one_of(chance, 7, 5_000).as_bytes()),
        email_domain: "gmail.com".to_owned(),
        account_hash: None,
        checks: Checks::default(),
    }
}
