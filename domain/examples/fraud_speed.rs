//! How long rules and rings take: a million edges of a program with planted rings at once and event by event, and all rules
//! with the score for one conversion that most of them flag.
//! `cargo run --release -p domain --example fraud_speed` prints seconds of this machine; seeds and sizes are fixed.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::time::Instant;

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, Chance,
    fraud::{
        Evidence, RULES, RuleSet,
        graph::{Declared, Edge, Kind, Limits, Online, rings},
        score::{Scale, Score},
    },
};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

const NOON: DateTime<Utc> = DateTime::from_timestamp(1_769_947_200, 0).expect("a time of 2026");
const EDGES: usize = 1_000_000;
const CONVERSIONS: usize = 100_000;

fn main() {
    for affiliates in [2_000, 20_000, 100_000] {
        let edges = edges(affiliates);
        let begin = Instant::now();
        let found = rings(edges.clone(), &Declared::default(), &Limits::USUAL);
        let seconds = begin.elapsed().as_secs_f64();
        let nanos = online(&edges);
        println!(
            "{{\"rings\": \"{EDGES} edges/{affiliates} affiliates/seed 7\", \"s\": {seconds:.3}, \"found\": {}, \"planted\": {}, \"online\": {nanos}}}",
            found.rings.len(),
            affiliates / 100,
        );
    }
    println!("{{\"rules\": \"all and score/one conversion\", {}}}", rules());
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

/// Nanoseconds of an event, as JSON.
fn online(edges: &[Edge]) -> String {
    let mut online = Online::new(Declared::default(), Limits::USUAL);
    let one = |edge: &Edge| {
        let begin = Instant::now();
        online.observe(*edge);
        begin.elapsed().as_nanos()
    };
    quantiles(edges.iter().map(one).collect())
}

/// Nanoseconds of all rules and the score, as JSON: of evidence that is every rule's example at once.
fn rules() -> String {
    let examples = RULES.iter().map(|rule| serde_json::from_str(rule.flags).expect("examples are JSON"));
    let all: serde_json::Map<_, _> =
        examples.flat_map(|example: serde_json::Map<String, serde_json::Value>| example).collect();
    let seen: Evidence = serde_json::from_value(all.into()).expect("examples are evidence");
    let (rules, campaign) = (RuleSet::defaults(), CampaignId::new_at(NOON, &Chance::seeded(2)));
    let mut reasons = 0;
    let nanos = (0..CONVERSIONS).map(|_| {
        let begin = Instant::now();
        let flags: Vec<_> = rules.flags(&seen, campaign, NOON).collect();
        reasons = Score::of(&flags, &[], &Scale::UNCALIBRATED).parts.len();
        begin.elapsed().as_nanos()
    });
    let quantiles = quantiles(nanos.collect());
    format!("\"flags\": {reasons}, \"once\": {quantiles}")
}

fn quantiles(mut nanos: Vec<u128>) -> String {
    nanos.sort_unstable();
    let at = |thousandths: usize| nanos[(nanos.len() - 1) * thousandths / 1_000];
    format!(
        "{{\"p50_ns\": {}, \"p99_ns\": {}, \"p999_ns\": {}, \"most_ns\": {}}}",
        at(500),
        at(990),
        at(999),
        at(1_000)
    )
}
