//! A newcomer's way: a lake, a training set, the next day held against it, and what goes wrong in between.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use domain::{
    Chance, ConversionId, Money,
    campaign::EventKind,
    click::Device,
    event::{Checks, Conversion, Event, Known},
};
use features::{lake::Lake, window::DAY};
use uuid::Uuid;

/// The first of March 2026, midnight UTC, in microseconds.
const MARCH_US: i64 = 1_772_323_200_000_000;

fn conversion(chance: &Chance, occurred_at_us: i64, amount: i64) -> Known<Event> {
    let id = |kind: u128, number: u64| Uuid::from_u128((kind << 64) + u128::from(number));
    let affiliate = chance.below(5);
    let event = Conversion {
        id: ConversionId::new_at(chrono::DateTime::from_timestamp_micros(occurred_at_us).unwrap(), chance),
        occurred_at_us,
        campaign: id(1, chance.below(3)).into(),
        advertiser: id(2, 0).into(),
        name: "sale".to_owned(),
        kind: EventKind::Sale,
        amount: Money::new(amount, "EUR".parse().unwrap()),
        click: None,
        session: Some(id(3, chance.below(40)).into()),
        link: None,
        affiliate: Some(id(4, affiliate).into()),
        order_id: String::new(),
        customer: format!("customer {}", chance.below(30)),
        coupon: String::new(),
        address_hash: Some(*id(5, chance.below(40)).as_bytes()),
        network: None,
        country: "DE".to_owned(),
        device: Device::Mobile,
        device_id: String::new(),
        email_hash: None,
        email_domain: "gmail.com".to_owned(),
        account_hash: None,
        checks: Checks::default(),
    };
    Known { event: Event::Conversion(event), known_at_us: occurred_at_us + 5_000_000 }
}

/// Twenty days of a hundred sales each, of which those of the last day are worth ten times as much.
fn lake(folder: &Path) {
    let chance = Chance::seeded(3);
    let mut batch = Lake::at(folder).batch();
    for number in 0..2_000 {
        let day = number / 100;
        let at_us = MARCH_US + day * DAY + number % 100 * (DAY / 200);
        let amount = 1_000 + i64::try_from(chance.below(9_000)).unwrap();
        batch.push(&conversion(&chance, at_us, if day == 19 { 10 * amount } else { amount })).unwrap();
    }
    batch.finish().unwrap();
    Lake::at(folder).compact(|_| {}).unwrap();
}

fn train(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
    command.current_dir(folder).env_remove("TRIBUTARY_LAKE");
    command.args(arguments.split_whitespace()).output().expect("the program runs")
}

fn refused(folder: &Path, arguments: &str) -> String {
    let output = train(folder, arguments);
    assert!(!output.status.success(), "{arguments} should be refused");
    String::from_utf8(output.stderr).unwrap()
}

fn told(folder: &Path, arguments: &str) -> String {
    let output = train(folder, arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_training_set_is_made_and_a_later_day_is_held_against_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    lake(&here.join("lake"));
    let make = "features --set fraud_v1 --labels events --lake lake --from 2026-03-01 --to 2026-03-19 --out fraud.parquet";
    insta::assert_snapshot!(told(here, make), @"1800 rows of fraud_v1 (58 columns) are in fraud.parquet, and what they look like in fraud.parquet.profile.json");
    assert_eq!(refused(here, make), "fraud.parquet exists already: give another name, or take it away\n");
    let check = "features check --profile fraud.parquet.profile.json --lake lake --day";
    let verdict_of_amount = |day: &str| {
        let lines = told(here, &format!("{check} {day} --all --json"));
        let drifts = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let all: Vec<serde_json::Value> = drifts.collect();
        assert_eq!(all.len(), 49, "the day of the week is what was asked for");
        let amount = all.into_iter().find(|drift| drift["name"] == "amount").unwrap();
        amount["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict_of_amount("2026-03-19"), "stable");
    assert_eq!(verdict_of_amount("2026-03-20"), "moved");
    let loud = train(here, &format!("{check} 2026-03-20 --fail"));
    assert!(!loud.status.success());
    let loud = String::from_utf8(loud.stdout).unwrap();
    let amount = loud.lines().find(|line| line.starts_with("moved    amount "));
    assert!(amount.is_some_and(|line| line.ends_with("the request")), "{loud}");
    assert!(!loud.contains("day_of_week"), "a Friday is all Friday: {loud}");
}

#[test]
fn a_table_of_ones_own_is_joined_and_profiled() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    lake(&here.join("lake"));
    let partner = |number: u128| domain::AffiliateId::from(Uuid::from_u128((4 << 64) + number));
    let scores =
        format!("affiliate_id,at,risk\n{},2026-03-02,0.5\n{},2026-03-02,0.25\n", partner(0), partner(1));
    fs::write(here.join("scores.csv"), scores).unwrap();
    let make =
        "features --set journey_v1 --lake lake --out rows.parquet --view scores.csv,key=affiliate_id,ttl=7d";
    told(here, make);
    let profile = fs::read_to_string(here.join("rows.parquet.profile.json")).unwrap();
    let profile: serde_json::Value = serde_json::from_str(&profile).unwrap();
    let risk = profile["features"].as_array().unwrap().last().unwrap();
    assert_eq!((risk["name"].as_str(), risk["max"].as_f64()), (Some("scores_risk"), Some(0.5)));
    let missing = risk["missing_share"].as_f64().unwrap();
    assert!((0.8..0.9).contains(&missing), "two partners of five, seven days of twenty: {missing}");
}

#[test]
fn what_is_wrong_is_said_in_one_sentence_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    lake(&here.join("lake"));
    let unknown = refused(here, "features --set frod_v1 --lake lake --out a.parquet");
    assert!(
        unknown.contains("there is no feature set \"frod_v1\": there are fraud_v1, affiliate_value_v1"),
        "{unknown}"
    );
    let no_lake = refused(here, "features --set fraud_v1 --lake nowhere --out a.parquet");
    assert!(no_lake.starts_with("there is no event lake in nowhere: "), "{no_lake}");
    let no_time = refused(
        here,
        "features --set fraud_v1 --lake lake --out a.parquet --from 2026-03-02 --to 2026-03-02",
    );
    assert_eq!(no_time, "there is no time between --from and --to\n");
    let empty = refused(
        here,
        "features --set fraud_v1 --lake lake --out a.parquet --from 2027-01-01 --to 2027-02-01",
    );
    assert_eq!(
        empty,
        "there is nothing between 2027-01-01T00:00:00Z and 2027-02-01T00:00:00Z: no conversions became known then\n"
    );
    let no_file = refused(here, "features --set fraud_v1 --lake lake --out a.parquet --labels labels.csv");
    assert!(no_file.starts_with("reading labels.csv failed: "), "{no_file}");
    let no_profile =
        refused(here, "features check --profile a.parquet.profile.json --lake lake --day 2026-03-01");
    assert!(no_profile.starts_with("reading a.parquet.profile.json failed: "), "{no_profile}");
    let odd_day = refused(here, "features check --profile a.json --lake lake --day soon");
    assert!(odd_day.contains("expected a day such as 2026-03-01"), "{odd_day}");
    let nothing = refused(here, "features");
    assert!(nothing.contains("--set"), "{nothing}");
    let names: Vec<String> =
        fs::read_dir(here).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["lake"]);
}
