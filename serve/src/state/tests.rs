//! What the state knows and when, told by hand; no database is asked.

use domain::{
    CampaignId, Chance, ClickId, Clock, ConversionId, EventId, Money,
    campaign::EventKind,
    click::{Asked, Click, Device, Tags},
    event::{Checks, RateChange, Visit},
};
use features::{
    defs::ALL,
    window::{DAY, SECOND},
};

use super::*;

const NOON: i64 = 1_769_947_200;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(NOON + second, 0).unwrap()
}

/// A change of a campaign's rate that became known in this second.
fn rate(known: i64, ppm: u32, (clock, chance): (&Clock, &Chance)) -> Known<Event> {
    let change = RateChange {
        id: EventId::new(clock, chance),
        occurred_at_us: (NOON + known) * SECOND,
        campaign: uuid::Uuid::from_u128(5).into(),
        affiliate: None,
        rate: domain::Rate { ppm },
    };
    Known { event: Event::RateChange(change), known_at_us: (NOON + known) * SECOND }
}

/// What the rate is now, after what the state was told.
fn known_rate(state: &FeatureState, second: i64) -> Option<Value> {
    let probe = rate(1_000_000, 1, (&Clock::standing_at(at(0)), &Chance::seeded(9)));
    let request = Request { event: &probe.event, click: None };
    Some(state.ask(&[(0, Keys::of(&probe.event))], &request, (at(second), false)).ok()?.values[0][0])
}

#[tokio::test]
async fn what_is_known_counts_when_nothing_from_before_can_come_any_more() {
    let feature = ALL.iter().find(|feature| feature.name == "campaign_rate_ppm").unwrap();
    let set = FeatureSet { name: "rate".to_owned(), version: 1, features: vec![Arc::clone(feature)] };
    let state = FeatureState::of(vec![set]);
    let (clock, chance) = (Clock::standing_at(at(0)), Chance::seeded(1));
    let rate = |known, ppm| rate(known, ppm, (&clock, &chance));
    let horizon = |second, next| Settled { before: at(second) + SLACK, next };
    // The first fill: in any order, up to the instant at which it began.
    state.inner().begin_to_fill(as_of_us(horizon(10, 7)));
    state.feed(vec![rate(9, 300), rate(2, 200), rate(12, 400)]);
    assert_eq!(known_rate(&state, 20), None, "it says nothing while it is filled");
    state.settle(horizon(10, 7), 6).await;
    assert_eq!(known_rate(&state, 20), None, "transaction 6 was open then, and may have begun before");
    // A later try reaches for no more: with somebody always at work, it would never get there.
    state.inner().begin_to_fill(as_of_us(horizon(11, 9)));
    state.settle(horizon(11, 9), 8).await;
    assert_eq!((known_rate(&state, 20), state.standing().waiting), (Some(Value::Whole(300)), 1));
    assert_eq!(state.standing().as_of, Some(at(10)));
    state.settle(horizon(13, 11), 11).await;
    assert_eq!((known_rate(&state, 20), state.standing().waiting), (Some(Value::Whole(400)), 0));
    assert_eq!(state.standing().late, 0);
    // What comes from before all the same is told at once, and counted.
    state.feed(vec![rate(12, 999)]);
    assert_eq!(state.standing().late, 1);
}

#[tokio::test]
async fn who_asks_for_an_instant_that_is_past_is_told_from_when_it_counts() {
    let state = FeatureState::of(vec![FeatureSet { name: "none".to_owned(), version: 1, features: vec![] }]);
    state.inner().begin_to_fill(as_of_us(Settled { before: at(10) + SLACK, next: 1 }));
    state.settle(Settled { before: at(10) + SLACK, next: 1 }, 1).await;
    let probe = rate(1_000_000, 1, (&Clock::standing_at(at(0)), &Chance::seeded(9)));
    let request = Request { event: &probe.event, click: None };
    let counted = |second| {
        state.ask(&[(0, Keys::of(&probe.event))], &request, (at(second), true)).map(|told| told.counted_at)
    };
    assert_eq!(counted(20), Ok(at(20)));
    assert_eq!(counted(15), Ok(at(20)));
    assert_eq!(counted(21), Ok(at(21)));
}

/// A click of a partner, and what came of it where it sold something.
fn traffic(of: AffiliateId, at_us: i64, is_sold: bool, chance: &Chance) -> Vec<Known<Event>> {
    let id = ClickId::new_at(DateTime::from_timestamp_micros(at_us).unwrap(), chance);
    let (campaign, advertiser): (CampaignId, _) =
        (uuid::Uuid::from_u128(5).into(), uuid::Uuid::from_u128(6).into());
    let seen = Click {
        id,
        occurred_at_us: at_us,
        link: uuid::Uuid::from_u128(7).into(),
        affiliate: of,
        campaign,
        advertiser,
        session: id.uuid().into(),
        tags: Tags::default(),
        address_hash: [7; 16],
        network: [192, 0, 2, 0].into(),
        country: "DE".to_owned(),
        device: Device::Desktop,
        user_agent: String::new(),
        referrer: String::new(),
        asked: Asked::default(),
    };
    let click = Event::Click(Visit { seen, device_id: String::new() });
    let sold_us = at_us + 200 * SECOND;
    let sale = Conversion {
        id: ConversionId::new_at(DateTime::from_timestamp_micros(sold_us).unwrap(), chance),
        occurred_at_us: sold_us,
        campaign,
        advertiser,
        name: "sale".to_owned(),
        kind: EventKind::Sale,
        amount: Money::new(100, "EUR".parse().unwrap()),
        click: Some(id),
        session: None,
        link: None,
        affiliate: Some(of),
        order_id: String::new(),
        customer: String::new(),
        coupon: String::new(),
        address_hash: None,
        network: None,
        country: String::new(),
        device: Device::Desktop,
        device_id: String::new(),
        email_hash: None,
        email_domain: String::new(),
        account_hash: None,
        checks: Checks::default(),
    };
    let sale = is_sold.then_some(Known { event: Event::Conversion(sale), known_at_us: sold_us });
    [Known { event: click, known_at_us: at_us }].into_iter().chain(sale).collect()
}

#[tokio::test]
async fn sources_are_compared_by_what_is_stored_and_a_burst_is_seen_at_once() {
    let (chance, noon) = (Chance::seeded(2), NOON * SECOND);
    let partner = |number| -> AffiliateId { uuid::Uuid::from_u128(0xaff + number).into() };
    let usual = (0..3_u128).flat_map(|number| {
        let chance = &chance;
        let at = move |click: i64| noon - DAY + click * 90 * SECOND;
        (0..480).flat_map(move |click| traffic(partner(number), at(click), click % 40 == 0, chance))
    });
    let spike =
        (0..14).flat_map(|order| traffic(partner(1), noon + DAY / 2 + order * 60 * SECOND, true, &chance));
    let told: Vec<Known<Event>> = usual.chain(spike).collect();
    let state = FeatureState::of(Vec::new());
    let until = Settled { before: at(15 * 3_600) + SLACK, next: 7 };
    state.inner().begin_to_fill(as_of_us(until));
    let mut shuffled = told.clone();
    shuffled.sort_by_key(|known| event_id(&known.event) % 1_009);
    state.feed(shuffled);
    state.settle(until, 7).await;
    let as_of_us = state.inner().as_of_us.unwrap();
    assert!(state.inner().sources.is_due(as_of_us));
    state.begin_to_compare(as_of_us, &HashMap::new());
    let comparing = state.inner().comparing.take().unwrap();
    let compared = comparing.await.unwrap();
    state.inner().sources.take(compared);
    assert!(!state.inner().sources.is_due(as_of_us));
    let Event::Conversion(last) = &told.last().unwrap().event else { unreachable!("it sold something") };
    let judged = DateTime::from_timestamp_micros(last.occurred_at_us).unwrap();
    let findings = state.findings(last, "", (judged, true));
    let burst = findings.burst_excess.unwrap();
    assert!(burst.q < 1e-6 && burst.n == 14, "{burst:?}");
    // A lake that holds the same says the same.
    let mut sources = Sources::default();
    told.iter().for_each(|known| sources.observe(known));
    sources.advance(as_of_us, |_| String::new());
    assert_eq!(findings, sources.findings(last, "", (judged.timestamp_micros(), true)));
}
