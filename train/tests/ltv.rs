//! `tributary-train ltv` as a data scientist runs it, on a shop whose customers buy and leave as they were made to.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/place.rs"]
mod place;

use std::fmt::Write;

use chrono::{Days, NaiveDate};
use domain::{
    campaign::EventKind,
    click::Device,
    conversion::{ConversionStatus, ReversalReason},
    event::{Checks, Conversion, Event, Known, Refund, StatusChange},
    money::Money,
};
use features::{lake::Lake, window::DAY};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;
use uuid::Uuid;

use place::Place;

const CUSTOMERS: u32 = 2_500;
/// Days that are told of; the last ninety judge.
const DAYS: u32 = 540;

fn id<T: From<Uuid>>(kind: u128, number: u128) -> T {
    Uuid::from_u128(kind << 96 | number).into()
}

fn order((number, at_us): (u128, i64), customer: &str, cents: i64, partner: &str) -> Known<Event> {
    let event = Conversion {
        id: id(1, number),
        occurred_at_us: at_us,
        campaign: id(2, 1),
        advertiser: id(3, 1),
        name: "order".to_owned(),
        kind: EventKind::Sale,
        amount: Money::new(cents, "EUR".parse().unwrap()),
        click: None,
        session: None,
        link: None,
        affiliate: Some(id(4, u128::from(partner == "blog"))),
        order_id: number.to_string(),
        customer: customer.to_owned(),
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
    };
    Known { event: Event::Conversion(event), known_at_us: at_us }
}

fn refund((number, at_us): (u128, i64), cents: i64) -> Known<Event> {
    let event = Refund {
        id: id(5, number),
        occurred_at_us: at_us,
        conversion: id(1, number),
        campaign: id(2, 1),
        advertiser: id(3, 1),
        affiliate: None,
        customer: "late".to_owned(),
        amount: Money::new(cents, "EUR".parse().unwrap()),
        reason: ReversalReason::Refund,
    };
    Known { event: Event::Refund(event), known_at_us: at_us }
}

fn moved((number, at_us): (u128, i64), to: ConversionStatus) -> Known<Event> {
    let event = StatusChange {
        id: id(6, 1_000_000 * number + to as u128),
        occurred_at_us: at_us,
        conversion: id(1, number),
        campaign: id(2, 1),
        affiliate: None,
        to,
        reason: Some(ReversalReason::Fraud),
    };
    Known { event: Event::StatusChange(event), known_at_us: at_us }
}

/// Customers who come through two partners, one of which sends those who buy twice as often. Each buys at a pace of their own
/// and leaves after a purchase with a chance of one in ten.
fn transactions() -> String {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(11);
    let mut text = "customer_id,date,amount,partner\n".to_owned();
    let first = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
    for customer in 0..CUSTOMERS {
        let mut unit = || 1.0 - dice.random_range(0.0..1.0_f64);
        let partner = if customer % 2 == 0 { "blog" } else { "coupons" };
        let usual = if customer % 2 == 0 { 1.0 / 40.0 } else { 1.0 / 80.0 };
        let pace = usual * -unit().ln();
        let usual_amount = 20.0 + 60.0 * unit();
        let mut at = 420.0 * unit();
        while at < f64::from(DAYS) {
            let date = first.checked_add_days(Days::new(at as u64)).unwrap();
            let amount = usual_amount * (0.5 + unit());
            writeln!(text, "c{customer},{date},{amount:.2},{partner}").unwrap();
            if unit() < 0.1 {
                break;
            }
            at += 1.0 + -unit().ln() / pace;
        }
    }
    text
}

/// What these tests run.
const JOB: &str = "ltv";

impl Place {
    fn new() -> Self {
        let place = Self::empty();
        place.write("orders.csv", &transactions());
        place
    }
}

type Row = (String, f64, f64, f64, f64, String, String);

const LEARN: &str = "--transactions orders.csv --calibration-end 2025-03-25 --horizon-days 90";

#[test]
fn the_best_candidate_predicts_and_all_are_judged_by_what_came() {
    let place = Place::new();
    let told = place.told(&format!("{LEARN} --out out"));
    assert!(told.contains("customers known by 2025-03-25 will spend"), "{told}");
    let metrics: Value = serde_json::from_slice(&place.read("out/metrics.json")).unwrap();
    let models = metrics["models"].as_object().unwrap();
    for name in ["bgnbd", "tweedie", "elasticnet", "forest", "gbdt"] {
        assert!(models.contains_key(name), "{name}");
    }
    assert_eq!(models.contains_key("ziln"), cfg!(feature = "torch"));
    let chosen = &models[metrics["chosen"].as_str().unwrap()];
    let measure = |name: &str| chosen[name].as_f64().unwrap();
    assert!((0.85..1.18).contains(&measure("total_ratio")), "{chosen}");
    assert!(0.4 < measure("gini") && 0.3 < measure("spearman") && measure("decile_mape") < 0.3, "{chosen}");
    assert!((0.85..0.95).contains(&measure("coverage")), "{chosen}");

    let predictions = place.read("out/predictions.csv");
    let mut reader = csv::Reader::from_reader(predictions.as_slice());
    assert_eq!(
        reader.headers().unwrap(),
        vec!["customer_id", "predicted", "lower", "upper", "p_active", "segment", "reasons"]
    );
    let (mut rows, mut total, mut reasons) = (0_u64, 0.0, 0);
    for row in reader.deserialize() {
        let (_, mean, lower, upper, active, _, why): Row = row.unwrap();
        assert!(0.0 <= lower && lower <= upper && 0.0 <= mean && (0.0..=1.0).contains(&active));
        (rows, total) = (rows + 1, total + mean);
        reasons += usize::from(why.contains('×'));
    }
    assert!(2_000 < reasons, "{reasons}");
    assert_eq!(Some(rows), metrics["customers"].as_u64());
    assert!((total / metrics["predicted_total"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    let report = String::from_utf8(place.read("out/report.html")).unwrap();
    assert!(report.contains("Who predicts, and why") && report.contains("<svg"));
}

#[test]
fn the_same_transactions_and_seed_are_the_same_bytes() {
    let place = Place::new();
    let models: &[&str] = if cfg!(feature = "torch") { &["ziln", "gbdt"] } else { &["gbdt"] };
    for model in models {
        for (out, threads) in [("one", 1), ("two", 2)] {
            place.told(&format!("{LEARN} --model {model} --threads {threads} --replace --out {out}"));
        }
        for name in ["predictions.csv", "metrics.json", "report.html"] {
            let [one, two] = ["one", "two"].map(|out| place.read(&format!("{out}/{name}")));
            assert!(one == two, "{name} of {model}");
        }
    }
    let text = transactions();
    let (head, rows) = text.split_once('\n').unwrap();
    let turned: Vec<&str> = rows.lines().rev().collect();
    place.write("orders.csv", &format!("{head}\n{}\n", turned.join("\n")));
    place.told(&format!("{LEARN} --model gbdt --out turned"));
    assert!(
        place.read("one/predictions.csv") == place.read("turned/predictions.csv"),
        "rows in another order"
    );
}

#[test]
fn every_candidate_is_a_version_whose_file_says_what_the_trainer_says() {
    let place = Place::new();
    for model in ["bgnbd", "tweedie", "elasticnet", "forest", "gbdt", "ziln", "all"] {
        // Publishing runs the file on customers of all predictions and refuses what differs from what was predicted.
        let told = place.told(&format!("{LEARN} --model {model} --name {model} --out {model}"));
        assert!(told.contains(&format!("{model} version 1 is in registry")), "{told}");
        let manifest = format!("registry/{model}/1/manifest.json");
        let manifest: Value = serde_json::from_slice(&place.read(&manifest)).unwrap();
        let gini = &manifest["metrics"][0];
        assert!(gini["interval"]["low"].as_f64() < gini["value"].as_f64(), "{gini}");
        assert_eq!(manifest["features"]["set"], "customer");
    }
}

/// The same orders as a lake tells of them, with some that came to nothing or were given back.
fn write_lake(place: &Place) {
    let lake = Lake::at(place.0.path().join("lake"));
    let mut batch = lake.batch();
    let text = transactions();
    let mut number = 0_u128;
    for line in text.lines().skip(1) {
        let [customer, date, amount, partner] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let cents = amount.replace('.', "").parse::<i64>().unwrap();
        let day = NaiveDate::parse_from_str(date, "%Y-%m-%d").unwrap();
        let at_us = day.and_hms_opt(13, 0, 0).unwrap().and_utc().timestamp_micros();
        number += 1;
        batch.push(&order((number, at_us), customer, cents, partner)).unwrap();
    }
    let end_us = 1_742_943_600_000_000;
    // An order of which a part is given back in time; one of which something is given back at the end, as is known after it; a
    // false one; one without a name; and one that is reported after the end.
    number += 1;
    batch.push(&refund((number, end_us - 3 * DAY), 3_000)).unwrap();
    batch.push(&moved((number, end_us - 3 * DAY), ConversionStatus::Reversed)).unwrap();
    let late = refund((number + 1, end_us - DAY), 900);
    batch.push(&Known { known_at_us: end_us + 3 * DAY, ..late }).unwrap();
    let unheard = order((number + 4, end_us - 2 * DAY), "late", 7_700, "blog");
    batch.push(&Known { known_at_us: end_us + DAY, ..unheard }).unwrap();
    batch.push(&order((number, end_us - 9 * DAY), "late", 3_000 + 4_500, "blog")).unwrap();
    batch.push(&order((number + 1, end_us - 8 * DAY), "late", 4_500, "blog")).unwrap();
    batch.push(&order((number + 2, end_us - 7 * DAY), "late", 99_900, "blog")).unwrap();
    batch.push(&moved((number + 2, end_us - 6 * DAY), ConversionStatus::Rejected)).unwrap();
    batch.push(&order((number + 3, end_us - 7 * DAY), "", 5_000, "blog")).unwrap();
    batch.finish().unwrap();
    lake.compact(|_| {}).unwrap();
}

#[test]
fn customers_of_a_lake_are_those_of_a_file_less_what_was_known_to_be_nothing() {
    let place = Place::new();
    write_lake(&place);
    let learn = "--calibration-end 2025-03-25 --horizon-days 90 --model bgnbd";
    let told = place.told(&format!("--lake lake {learn} --out lake_out"));
    assert!(told.contains("1 orders that were rejected, or of which everything was given back"), "{told}");
    assert!(
        told.contains("1 orders of before --calibration-end, of which nobody knew until after it"),
        "{told}"
    );
    assert!(told.contains("1 orders of which no customer was told are left out"), "{told}");
    let more = "late,2025-03-16,45.00,blog\nlate,2025-03-17,45.00,blog\n";
    place.write("orders.csv", &format!("{}{more}", transactions()));
    place.told(&format!("--transactions orders.csv {learn} --out out"));
    assert!(place.read("out/predictions.csv") == place.read("lake_out/predictions.csv"));
    place.check_refused(&format!("--lake nowhere {learn}"), "there is no event lake in nowhere");
    place.check_refused(&format!("--lake lake --currency USD {learn}"), "has no order of a customer");
}

#[test]
fn a_horizon_that_has_not_passed_is_predicted_and_not_judged() {
    let place = Place::new();
    let told = place.told(
        &format!("{LEARN} --horizon-days 120 --model bgnbd --out out").replace(" --horizon-days 90", ""),
    );
    assert!(told.contains("transactions end on") && told.contains("so that nothing is judged"), "{told}");
    let metrics: Value = serde_json::from_slice(&place.read("out/metrics.json")).unwrap();
    assert_eq!(metrics["models"].as_object().unwrap().len(), 0);
}

#[test]
fn what_a_reader_should_know_of_a_file_is_said() {
    let place = Place::new();
    let text = transactions();
    let first = text.lines().nth(1).unwrap();
    let more = format!("{first}\nreturner,2024-03-03,-5.00,blog\n");
    place.write("orders.csv", &format!("{text}{more}"));
    let told = place.told(&format!("{LEARN} --model bgnbd --out out"));
    assert!(told.contains("1 rows say the same as another one"), "{told}");
    assert!(told.contains("1 customers only returned something"), "{told}");
    let late = "--transactions orders.csv --calibration-end 2025-07-01 --horizon-days 90";
    let told = place.told(&format!("{late} --model bgnbd --out late"));
    assert!(told.contains("nobody is taken to have bought anything from then to 2025-07-01"), "{told}");
    place.check_refused(&late.replace("2025-07", "2029-07"), "choose an earlier end of calibration");
}

#[test]
fn what_makes_no_sense_is_refused_in_a_sentence() {
    let place = Place::new();
    place.check_refused("--transactions nothing.csv --calibration-end 2025-03-25", "nothing.csv");
    place.check_refused(
        "--transactions orders.csv --calibration-end 2024-01-20 --horizon-days 90",
        "choose a later end of calibration",
    );
    place.check_refused(&format!("{LEARN} --column amount=total"), "has no column \"total\"");
    place.check_refused(&format!("{LEARN} --column sum=total"), "there is no field \"sum\"");
    place.check_refused(&format!("{LEARN} --currency EUR"), "cannot be used with");
    place.check_refused("--calibration-end 2025-03-25", "which lake (--lake) customers come from");
    for (text, says) in [
        (
            "customer_id,date,amount\na,2024-01-01,-5\nb,2024-01-02,-7\n",
            "orders.csv: on every day of every customer more was returned than bought, so that nobody is a customer",
        ),
        (
            "customer_id,date,amount\na,2024-01-01,5\n",
            "orders.csv tells of 1 customers who bought something, and at least 100 are needed to learn from",
        ),
        ("customer_id,date,amount\na,20241301,1\n", "20241301 is no date"),
        ("customer_id,date,amount\na,2024-01-01,much\n", "line 2, column amount: \"much\" is no number"),
        ("customer_id,date,amount\na,9024-01-01,1\n", "line 2, column date: 9024-01-01 has not come yet"),
        ("customer_id,date,amount\n,2024-01-01,1\n", "line 2, column customer_id: says nothing"),
        (
            "customer_id,date,amount\na,2024-01-01,\nb,2024-01-01,2\n",
            "line 2, column amount: says no amount from -1e12 to 1e12",
        ),
    ] {
        place.write("orders.csv", text);
        place.check_refused(LEARN, says);
    }
}
