//! How long rules and rings take: all rules with score, policy and reasons for each of many different conversions, and a
//! million edges of a program with planted rings, at once and event by event.
//! `cargo xtask bench fraud` runs it; each line that it prints is JSON, in nanoseconds and seconds of this machine. Seeds and
//! sizes are fixed.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, Chance,
    fraud::{
        Evidence, RULES, RuleSet, Settings,
        evidence::Origin,
        graph::{Declared, Edge, Kind, Limits, Online, rings},
        score::{
            Costs, Limits as Promised, LogOdds, Model, ModelEvidence, Policy, Scale, Score, Subject, Verdict,
        },
    },
};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

const NOON: DateTime<Utc> = DateTime::from_timestamp(1_769_947_200, 0).expect("a time of 2026");
const EDGES: usize = 1_000_000;
const PASSES: usize = 3;
const CONVERSIONS: usize = 2_000;
const DECISIONS: usize = 200_000;
const WARM_UP: usize = 20_000;
/// How many entries the program's lists have where they are long.
const LISTED: usize = 1_000;
const SEGMENTS: [&str; 4] = ["sale/mobile", "sale/desktop", "lead/mobile", "lead/desktop"];

fn main() {
    if std::env::args().nth(1).as_deref() == Some("rings") { all_rings() } else { all_decisions() }
}

fn all_decisions() {
    let seen = conversions();
    let known = Evidence::FIELDS.iter().filter(|field| seen[0].knows(field.name) == Some(true)).count();
    let about = json!({
        "rules": RULES.len(), "conversions": seen.len(), "fields": Evidence::FIELDS.len(), "known": known,
    });
    println!("{}", json!({ "about": about }));
    for (case, lists) in [("the rules as they come", 0), ("lists of 1,000 entries", LISTED)] {
        println!("{}", json!({ "decisions": decisions(case, &seen, &rules(lists)) }));
    }
    println!("{}", json!({ "floor": floor(&seen) }));
}

/// What is known of conversions: half of them nearly honest, half of them flagged by several rules; of one in three all is
/// known, of one nothing that jobs find out and no feature counts yet, of one nothing but the request itself.
fn conversions() -> Vec<Evidence> {
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let (honest, guilty) = (examples(|rule| rule.spares), examples(|rule| rule.flags));
    let of = |number: usize, dice: &mut ChaCha8Rng| {
        let mut fields: Map<_, _> = honest.iter().flat_map(Map::clone).collect();
        fields.extend(usual());
        let planted =
            if number.is_multiple_of(2) { dice.random_range(0..=1) } else { dice.random_range(3..=12) };
        for _ in 0..planted {
            fields.extend(guilty[dice.random_range(0..guilty.len())].clone());
        }
        let network = format!("10.{}.{}.0", dice.random_range(0..256), dice.random_range(0..256));
        fields.insert("network".to_owned(), network.into());
        fields.values_mut().for_each(|value| vary(value, dice));
        let mut seen: Evidence = serde_json::from_value(fields.into()).expect("examples are evidence");
        let is_unknown = |origin: Origin| match number % 3 {
            0 => false,
            1 => matches!(origin, Origin::Job(_) | Origin::Wanted(_)),
            _ => !matches!(origin, Origin::Request(_)),
        };
        let unknown = Evidence::FIELDS.iter().filter(|field| is_unknown(field.origin));
        unknown.for_each(|field| seen.forget(field.name));
        seen
    };
    (0..CONVERSIONS).map(|number| of(number, &mut dice)).collect()
}

fn examples(of: fn(&domain::fraud::Rule) -> &'static str) -> Vec<Map<String, Value>> {
    RULES.iter().map(|rule| serde_json::from_str(of(rule)).expect("examples are JSON")).collect()
}

/// What no example of a rule says, and what look-alikes of two rules together would not say of anybody honest.
fn usual() -> Map<String, Value> {
    let hash = "00000000000000000000000000000003";
    let fields = json!({
        "ip_journeys_1h": 3, "ip_user_agents_1h": 2, "device_credited_affiliates_90d": 1, "time_on_site_seconds": 90,
        "customer_account_hash": hash, "affiliate_account_hash": "00000000000000000000000000000004",
        "client_hints_match": true, "fetch_by_user": true, "device_id": "d3", "ip_clicks_1h": 4, "ip_clicks_24h": 6,
        "email_domain": "mail.example", "email_domain_disposable": false,
    });
    fields.as_object().cloned().unwrap_or_default()
}

/// Counts of others, by up to a quarter.
fn vary(value: &mut Value, dice: &mut ChaCha8Rng) {
    let times = dice.random_range(0.75..1.25);
    if let Some(count) = value.as_i64() {
        *value = ((count as f64 * times) as i64).into();
    } else if let Some(share) = value.as_f64() {
        *value = (share * times).into();
    }
}

fn rules(listed: usize) -> RuleSet {
    let kinds = ["blocked_referrers", "data_centres", "disposable_domains", "brand_terms"];
    let entry = |number: usize| {
        let value = match number % 4 {
            1 => format!("11.{}.{}.0/24", number / 256, number % 256),
            3 => format!("brand{number}"),
            _ => format!("host{number}.example"),
        };
        json!({ "list": kinds[number % 4], "value": value, "reason": "found guilty" })
    };
    let lists: Vec<Value> = (0..listed).map(entry).collect();
    let settings = json!({ "version": 1, "lists": lists });
    let settings: Settings = serde_json::from_value(settings).expect("these are settings");
    RuleSet::try_from(settings).expect("these are fit")
}

/// A policy with thresholds of segments and of a thousand affiliates, and those.
fn policy() -> (Policy, Vec<AffiliateId>) {
    let chance = Chance::seeded(3);
    let own: Vec<AffiliateId> = (0..1_000).map(|_| AffiliateId::new_at(NOON, &chance)).collect();
    let segments = SEGMENTS.iter().map(|name| ((*name).to_owned(), LogOdds(500_000))).collect();
    let affiliates: BTreeMap<_, _> = own.iter().map(|affiliate| (*affiliate, LogOdds(900_000))).collect();
    let threshold = LogOdds::EVEN;
    (Policy { version: 1, limits: Promised::USUAL, threshold, segments, affiliates }, own)
}

/// Nanoseconds of a decision, from evidence to reasons, as the service makes it.
fn decisions(case: &str, seen: &[Evidence], rules: &RuleSet) -> Value {
    let campaign = CampaignId::new_at(NOON, &Chance::seeded(2));
    let (policy, affiliates) = policy();
    let costs = Costs { loss: 100, harm: 25, review: 5 };
    let model = |number: usize| ModelEvidence {
        model: Model::Labels,
        log_odds: LogOdds(((number * 7_919) % 4_000_000) as i64 - 2_000_000),
        version: "12".to_owned(),
    };
    let models: Vec<[ModelEvidence; 1]> = (0..seen.len()).map(|number| [model(number)]).collect();
    let (mut flags, mut several, mut held) = (0, 0, 0);
    let mut one = |number: usize| {
        let place = number % seen.len();
        let subject = Subject {
            segment: SEGMENTS[number % SEGMENTS.len()],
            affiliate: affiliates[number % affiliates.len()],
            record: None,
        };
        let begin = Instant::now();
        let judgement = rules.judge(&seen[place], campaign, NOON);
        let score = Score::of(&judgement.flags, &models[place], &Scale::UNCALIBRATED);
        let decision = policy.decide(&score, &subject, costs);
        let reasons = black_box(score.reasons());
        let nanos = begin.elapsed().as_nanos();
        flags += judgement.flags.len();
        several += usize::from(3 <= reasons.len());
        held += usize::from(decision.verdict == Verdict::Hold);
        nanos
    };
    (0..WARM_UP).for_each(|number| _ = one(number));
    let times = quantiles((0..DECISIONS).map(&mut one).collect());
    let of = |count: usize| count as f64 / (WARM_UP + DECISIONS) as f64;
    json!({ "case": case, "times": times, "flags": of(flags), "several": of(several), "held": of(held) })
}

/// Nanoseconds of what no decision that is kept can do without: the evidence is written once.
fn floor(seen: &[Evidence]) -> Value {
    let one = |number: usize| {
        let begin = Instant::now();
        black_box(serde_json::to_string(&seen[number % seen.len()]).expect("evidence is written"));
        begin.elapsed().as_nanos()
    };
    (0..WARM_UP).for_each(|number| _ = one(number));
    quantiles((0..DECISIONS).map(one).collect())
}

fn all_rings() {
    for affiliates in [2_000, 20_000, 100_000] {
        let edges = edges(affiliates);
        // What cannot be avoided to bring together what belongs together.
        let mut sorted = edges.clone();
        let begin = Instant::now();
        sorted.sort_unstable();
        let sort_s = begin.elapsed().as_secs_f64();
        drop(sorted);
        let (given, begin) = (edges.clone(), Instant::now());
        let found = rings(given, &Declared::default(), &Limits::USUAL);
        let s = begin.elapsed().as_secs_f64();
        let rings = json!({
            "affiliates": affiliates, "edges": edges.len(), "s": s, "sort_s": sort_s, "found": found.rings.len(),
            "planted": affiliates / 100, "online": online(&edges),
        });
        println!("{}", json!({ "rings": rings }));
    }
}

/// Five small accounts in each hundred affiliates on four devices, among customers of one or two affiliates each.
fn edges(affiliates: usize) -> Vec<Edge> {
    let chance = Chance::seeded(1);
    let ids: Vec<AffiliateId> = (0..affiliates).map(|_| AffiliateId::new_at(NOON, &chance)).collect();
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let mut edges = Vec::with_capacity(EDGES + 3);
    for ring in 0..affiliates / 100 {
        for event in 0..40 {
            let affiliate = ids[affiliates / 2 + ring * 5 + event % 5];
            let device = (1 << 100) | (ring as u128 * 4 + dice.random_range(0..4_u128));
            edges.push(Edge { kind: Kind::Device, thing: device, affiliate });
        }
    }
    let mut person = 0_u128;
    while edges.len() < EDGES {
        person += 1;
        for _ in 0..dice.random_range(1..=2) {
            // A Pareto tail: the first have most of the customers.
            let affiliate = ids[(affiliates as f64 * dice.random::<f64>().powi(3)) as usize];
            let home = if dice.random_bool(0.5) { person } else { (1 << 90) | dice.random_range(0..60_000) };
            edges.push(Edge { kind: Kind::Device, thing: person, affiliate });
            edges.push(Edge { kind: Kind::Address, thing: home, affiliate });
        }
    }
    edges.truncate(EDGES);
    edges.shuffle(&mut dice);
    edges
}

/// Nanoseconds of an event, each in the best of so many passes over all of them: what an event takes by itself it takes in
/// every pass, and what the machine does besides hits another event each time.
fn online(edges: &[Edge]) -> Value {
    let mut best = vec![u128::MAX; edges.len()];
    for _ in 0..PASSES {
        let mut online = Online::new(Declared::default(), Limits::USUAL);
        for (edge, best) in edges.iter().zip(&mut best) {
            let begin = Instant::now();
            online.observe(*edge);
            *best = begin.elapsed().as_nanos().min(*best);
        }
    }
    quantiles(best)
}

fn quantiles(mut nanos: Vec<u128>) -> Value {
    nanos.sort_unstable();
    let at = |thousandths: usize| nanos[(nanos.len() - 1) * thousandths / 1_000] as f64;
    json!({ "p50_ns": at(500), "p99_ns": at(990), "p999_ns": at(999), "most_ns": at(1_000) })
}
