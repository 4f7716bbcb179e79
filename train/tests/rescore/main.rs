//! `tributary-train fraud --rescore` as an analyst runs it: what was planted in a lake is held and explained, by what was known
//! at the time, and nothing else.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../support/place.rs"]
mod place;

use std::{collections::BTreeMap, process::Command};

use domain::{
    AffiliateId, Chance, ClickId, ConversionId, EventId, LinkId, Money, Rate, SessionId,
    campaign::EventKind,
    click::{Asked, Click, Device, Tags},
    conversion::ConversionStatus,
    event::{Checks, Conversion, Event, Known, RateChange, Review, StatusChange, Verdict, Visit},
};
use features::{
    lake::Lake,
    window::{DAY, HOUR, SECOND},
};
use serde_json::Value;
use uuid::Uuid;

use place::Place;

const JOB: &str = "fraud";
const MARCH_US: i64 = 1_772_323_200_000_000;
const DAYS: i64 = 20;
/// The partner who orders by their own links, from the second week on.
const CHEAT: u128 = 3;
const CHEATS_MAIL: [u8; 16] = [0xab; 16];
const RESCORE: &str =
    "--rescore --lake lake --records records --networks networks.csv --calibrate-until 2026-03-15";

fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128((kind << 64) + number)
}

fn partner(number: u128) -> AffiliateId {
    id(4, number).into()
}

fn instant(at_us: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_micros(at_us).unwrap()
}

/// A lake with its records, and which conversions were planted.
struct Planted {
    chance: Chance,
    events: Vec<Known<Event>>,
    guilty: Vec<String>,
}

impl Planted {
    fn tell(&mut self, event: Event, known_at_us: i64) {
        self.events.push(Known { event, known_at_us });
    }

    /// Somebody clicks a partner's link and orders an hour later; it is approved after two days.
    fn order(&mut self, at_us: i64, of: u128, who: u128, mail: [u8; 16]) -> ConversionId {
        let seen = Click {
            id: ClickId::new_at(instant(at_us), &self.chance),
            occurred_at_us: at_us,
            link: LinkId::from(id(5, of)),
            affiliate: partner(of),
            campaign: id(1, 0).into(),
            advertiser: id(2, 0).into(),
            session: SessionId::from(id(3, who)),
            tags: Tags::default(),
            address_hash: who.to_be_bytes(),
            network: "10.1.2.0".parse().unwrap(),
            country: "DE".to_owned(),
            device: Device::Mobile,
            user_agent: "Mozilla/5.0 (iPhone)".to_owned(),
            referrer: format!("https://site-{of}.example/page"),
            asked: Asked::default(),
        };
        let ordered_us = at_us + HOUR;
        let conversion = ConversionId::new_at(instant(ordered_us), &self.chance);
        let event = Conversion {
            id: conversion,
            occurred_at_us: ordered_us,
            campaign: id(1, 0).into(),
            advertiser: id(2, 0).into(),
            name: "sale".to_owned(),
            kind: EventKind::Sale,
            amount: Money::new(5_000 + i64::try_from(who % 7).unwrap() * 100, "EUR".parse().unwrap()),
            click: Some(seen.id),
            session: Some(seen.session),
            link: Some(seen.link),
            affiliate: Some(partner(of)),
            order_id: format!("o{who}"),
            customer: format!("k{who}"),
            coupon: String::new(),
            address_hash: Some(seen.address_hash),
            network: Some(seen.network),
            country: "DE".to_owned(),
            device: Device::Mobile,
            device_id: String::new(),
            email_hash: Some(mail),
            email_domain: "gmail.com".to_owned(),
            account_hash: None,
            checks: Checks::default(),
        };
        self.tell(Event::Click(Visit { seen, device_id: String::new() }), at_us);
        self.tell(Event::Conversion(event), ordered_us + SECOND);
        let approved = StatusChange {
            id: EventId::new_at(instant(ordered_us), &self.chance),
            occurred_at_us: ordered_us + 2 * DAY,
            conversion,
            campaign: id(1, 0).into(),
            affiliate: Some(partner(of)),
            to: ConversionStatus::Approved,
            reason: None,
        };
        self.tell(Event::StatusChange(approved), ordered_us + 2 * DAY);
        conversion
    }

    fn review(&mut self, at_us: i64, conversion: ConversionId, verdict: Verdict) {
        let review = Review {
            id: EventId::new_at(instant(at_us), &self.chance),
            occurred_at_us: at_us,
            conversion,
            campaign: id(1, 0).into(),
            affiliate: None,
            verdict,
        };
        self.tell(Event::Review(review), at_us);
    }
}

/// Thirty orders a day through two honest partners, and two a day by the third partner's own mailbox; reviewers look at some of
/// both.
fn planted() -> Planted {
    let mut planted = Planted { chance: Chance::seeded(5), events: Vec::new(), guilty: Vec::new() };
    let rate = RateChange {
        id: EventId::new_at(instant(MARCH_US), &planted.chance),
        occurred_at_us: MARCH_US,
        campaign: id(1, 0).into(),
        affiliate: None,
        rate: Rate { ppm: 100_000 },
    };
    planted.tell(Event::RateChange(rate), MARCH_US);
    for day in 0..DAYS {
        let at_us = MARCH_US + day * DAY;
        for number in 0..30 {
            let who = u128::try_from(1_000 + day * 100 + number).unwrap();
            let conversion =
                planted.order(at_us + number * 40 * 60 * SECOND, 1 + who % 2, who, who.to_be_bytes());
            if number < 3 {
                planted.review(at_us + 2 * DAY, conversion, Verdict::Honest);
            }
        }
        for number in 0..2 {
            let who = u128::try_from(90_000 + day * 10 + number).unwrap();
            let conversion = planted.order(at_us + number * HOUR, CHEAT, who, CHEATS_MAIL);
            planted.guilty.push(conversion.to_string());
            planted.review(at_us + 2 * DAY, conversion, Verdict::Fraud);
        }
    }
    planted
}

fn write(events: &[Known<Event>], place: &Place, name: &str) {
    let lake = Lake::at(place.0.path().join(name));
    let mut batch = lake.batch();
    events.iter().for_each(|event| batch.push(event).unwrap());
    batch.finish().unwrap();
    lake.compact(|_| {}).unwrap();
}

/// A folder with all of it.
fn folder(planted: &Planted) -> Place {
    let place = Place::empty();
    write(&planted.events, &place, "lake");
    std::fs::create_dir(place.0.path().join("records")).unwrap();
    let mail = "ab".repeat(16);
    let cheat = partner(CHEAT);
    place.write(
        "records/affiliates.csv",
        &format!("id,email_hash\n{},{}\n{cheat},{mail}\n", partner(1), "0c".repeat(16)),
    );
    place.write("networks.csv", "network,class\n10.0.0.0/8,residential\n");
    place
}

/// The lines of a file by the conversion that they are about.
fn lines(place: &Place, name: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let bytes = place.read(name);
    let mut reader = csv::Reader::from_reader(&*bytes);
    let head = reader.headers().unwrap().clone();
    let line = |line: csv::StringRecord| {
        let cells: BTreeMap<String, String> =
            head.iter().zip(&line).map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect();
        (cells["conversion_id"].clone(), cells)
    };
    reader.records().map(|it| line(it.unwrap())).collect()
}

#[test]
fn what_was_planted_is_held_and_explained() {
    let planted = planted();
    let place = folder(&planted);
    let told = place.told(&format!("{RESCORE} --out out"));
    assert!(told.contains("conversions would have been held"), "{told}");
    let flags = lines(&place, "out/flags.csv");
    assert_eq!(flags.len(), 20 * 32);
    for (conversion, line) in &flags {
        let is_guilty = planted.guilty.contains(conversion);
        let is_held = line["decision"] == "hold";
        if line["part"] == "test" {
            assert_eq!(is_held, is_guilty, "{line:?}");
            assert_eq!(line["flagged"] == "1", is_held);
        }
        assert_eq!(line["reasons"].contains("self_referral"), is_guilty, "{line:?}");
        // Of those that speak against somebody all are told, and none speaks for.
        let parts = line["reasons"].split_whitespace().map(|it| it.split_once(':').unwrap().1);
        let sum: f64 = parts.map(|it| it.parse::<f64>().unwrap()).sum();
        let [base, score] = ["base", "score"].map(|it| line[it].parse::<f64>().unwrap());
        assert!((base + sum - score).abs() < 0.01, "{line:?}");
    }
    let proposals = lines(&place, "out/proposals.csv");
    let of_test = flags.values().filter(|line| line["part"] == "test" && line["decision"] == "hold");
    let approved: Vec<_> = of_test.filter(|line| proposals.contains_key(&line["conversion_id"])).collect();
    assert_eq!(approved.len(), proposals.len(), "what is proposed is to hold what was approved");
    assert!(!proposals.is_empty());
    for line in proposals.values() {
        assert_eq!((&*line["proposal"], &*line["status"]), ("hold", "approved"));
        let [amount, commission] =
            ["amount_minor", "commission_minor"].map(|it| line[it].parse::<i64>().unwrap());
        assert_eq!(commission, amount / 10);
    }
    let measures: Value = serde_json::from_slice(&place.read("out/metrics.json")).unwrap();
    assert_eq!(measures["rules"]["self_referral"]["flagged"], 40);
    assert_eq!(measures["rules"]["self_referral"]["honest"], 0);
    let fell = &measures["without_first_reason"];
    assert_eq!(fell["held"], fell["fell"]);
    let report = String::from_utf8(place.read("out/report.html")).unwrap();
    assert!(report.contains("What to look at first") && report.contains("self_referral"));
}

#[test]
fn what_became_known_later_changes_nothing_of_before() {
    let planted = planted();
    let place = folder(&planted);
    place.told(&format!("{RESCORE} --threads 1 --out whole"));
    place.told(&format!("{RESCORE} --threads 2 --out again"));
    for name in ["flags.csv", "proposals.csv", "metrics.json", "report.html"] {
        assert_eq!(place.read(&format!("whole/{name}")), place.read(&format!("again/{name}")), "{name}");
    }
    let end_us = MARCH_US + 17 * DAY;
    let before: Vec<_> = planted.events.iter().filter(|known| known.known_at_us < end_us).cloned().collect();
    write(&before, &place, "shorter");
    place.told(&format!("{} --out shorter_out", RESCORE.replace("--lake lake", "--lake shorter")));
    place.told(&format!("{RESCORE} --to 2026-03-18 --out until"));
    let whole = lines(&place, "whole/flags.csv");
    let shorter = lines(&place, "shorter_out/flags.csv");
    assert!(500 < shorter.len() && shorter.len() < whole.len());
    for (conversion, line) in &shorter {
        assert_eq!(Some(line), whole.get(conversion));
    }
    assert_eq!(place.read("shorter_out/flags.csv"), place.read("until/flags.csv"));
    assert_eq!(place.read("shorter_out/proposals.csv"), place.read("until/proposals.csv"));
}

#[test]
fn a_rule_set_and_a_model_are_heard() {
    let planted = planted();
    let place = folder(&planted);
    place.write("off.json", r#"{"version": 7, "rules": {"self_referral": {"on": false}}}"#);
    let mut scores = "conversion_id,probability\n".to_owned();
    place.told(&format!("{RESCORE} --rules off.json --out without"));
    let without = lines(&place, "without/flags.csv");
    for (conversion, line) in &without {
        assert!(line["decision"] != "hold" && line["rules_version"] == "7", "{line:?}");
        let probability = if planted.guilty.contains(conversion) { 0.9 } else { 0.01 };
        scores.push_str(&format!("{conversion},{probability}\n"));
    }
    place.write("scores.csv", &scores);
    place.told(&format!("{RESCORE} --rules off.json --scores labels=scores.csv --out with"));
    for (conversion, line) in lines(&place, "with/flags.csv") {
        if line["part"] == "test" {
            assert_eq!(line["decision"] == "hold", planted.guilty.contains(&conversion), "{line:?}");
        }
    }
}

#[test]
fn a_version_of_the_registry_is_asked_and_what_it_was_not_made_for_is_refused() {
    let place = folder(&planted());
    let asked = format!("{RESCORE} --model champion --registry registry");
    place.check_refused(&asked, "registry has no champion of fraud");
    let train = |words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
        let output = command.current_dir(place.0.path()).args(words.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    train(
        "features --set fraud_v1 --labels events --lake lake --from 2026-03-01 --to 2026-03-14 --out rows.parquet",
    );
    train("fraud --input rows.parquet --model iforest --registry registry --out model");
    train("models promote fraud 1 --by ana --why first --registry registry");
    place.told(&format!("{RESCORE} --out without"));
    place.told(&format!("{asked} --out with"));
    let (with, without) = (lines(&place, "with/flags.csv"), lines(&place, "without/flags.csv"));
    let asks = |line: &BTreeMap<String, String>| line["models"].split(' ').any(|it| it == "forest@1");
    assert_eq!(with.len(), without.len());
    assert!(with.values().all(asks), "every conversion of the past is told to the version");
    assert!(!without.values().any(asks));
    let served = lines(&place, "model/scores.csv");
    let strange = |line: &&BTreeMap<String, String>| line["reasons"].contains("forest:");
    let told: Vec<_> =
        with.values().filter(strange).filter_map(|line| served.get(&line["conversion_id"])).collect();
    let rank = |line: &BTreeMap<String, String>| line["rank"].parse::<f64>().unwrap();
    assert!(
        !told.is_empty() && told.iter().all(|line| 0.6 < rank(line)),
        "by the same features as it learned from"
    );
}

#[test]
fn a_frozen_threshold_is_taken_as_it_is() {
    let planted = planted();
    let place = folder(&planted);
    for (points, holds) in [(100, true), (101, false)] {
        place.told(&format!("{RESCORE} --without-reviews --hold-from {points} --out out{points}"));
        for (conversion, line) in lines(&place, &format!("out{points}/flags.csv")) {
            let is_guilty = planted.guilty.contains(&conversion);
            assert_eq!(line["decision"] == "hold", is_guilty && holds, "{points}: {line:?}");
        }
    }
    place.check_refused(&format!("{RESCORE} --hold-from 2000"), "2000 points are not from 0 to 1000");
}

#[test]
fn what_cannot_be_meant_is_refused_where_it_stands() {
    let place = folder(&planted());
    place.check_refused(
        &RESCORE.replace("2026-03-15", "2026-03-02"),
        "thresholds cannot be taken from what was known before 2026-03-02",
    );
    place.check_refused(&RESCORE.replace("--lake lake", "--lake no"), "there is no event lake in no");
    place.check_refused(&format!("{RESCORE} --scores ring=scores.csv"), "rings are found in the lake");
    place.write("networks.csv", "network,class\n10.0.0.0/8,castle\n");
    place.check_refused(RESCORE, "networks.csv: line 2, column class");
    place.write("networks.csv", "network,class\n");
    place.write("records/affiliates.csv", &format!("id,email_hash\n{},mail\n", partner(1)));
    place.check_refused(RESCORE, "affiliates.csv, line 2, column email_hash");
    std::fs::remove_file(place.0.path().join("records/affiliates.csv")).unwrap();
    place.check_refused(RESCORE, "records has no affiliates, campaigns or links as .csv or .parquet");
}
