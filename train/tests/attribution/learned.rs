//! The model that learns, from a file of touches in which it is known what each channel does.

use std::{fmt::Write, fs::File};

use polars::prelude::{DataFrame, DataType, ParquetReader, SerReader};
use serde_json::Value;

use super::Place;

const DAY_S: u32 = 86_400;

/// Thousand journeys through each of these channels in turn, of which 50 convert anyway, 100 more for `a`, 50 more for
/// `b`, and none for `c`; half of them on a telephone.
const JOURNEYS: [&[&str]; 6] = [&["a"], &["b"], &["c"], &["a", "b"], &["c", "a"], &["b", "c"]];
/// What that comes to.
const TRUTH: [(&str, f64); 4] = [("a", 300.0), ("b", 150.0), ("c", 0.0), ("(organic)", 300.0)];

fn touches(of_each: u32) -> String {
    let mut text = "journey_id,ts,channel,campaign,device,converted,converted_at,value\n".to_owned();
    for (kind, channels) in JOURNEYS.iter().enumerate() {
        let adds = |channel: &str| match channel {
            "a" => 100,
            "b" => 50,
            _ => 0,
        };
        let convert = (50 + channels.iter().map(|channel| adds(channel)).sum::<u32>()) * of_each / 1_000;
        for number in 0..of_each {
            let begin = (number * 7_919 + kind as u32 * 101) % (60 * DAY_S);
            let device = if number % 2 == 0 { "mobile" } else { "desktop" };
            // Which of them convert has nothing to do with when they were, and what they wait is much alike.
            let converts = (number * 617) % of_each < convert;
            for (place, channel) in channels.iter().enumerate() {
                let at = begin + place as u32 * DAY_S;
                let is_last = place + 1 == channels.len();
                write!(text, "{kind}-{number},{at},{channel},shoes,{device},").unwrap();
                if converts && is_last {
                    let wait = 600 + (number * 31) % (2 * DAY_S);
                    writeln!(text, "1,{},20", at + wait).unwrap();
                } else {
                    text.push_str("0,,\n");
                }
            }
        }
    }
    // Somebody came long after, so that all others had their time.
    writeln!(text, "late,{},c,shoes,mobile,0,,", 90 * DAY_S).unwrap();
    text
}

fn place() -> Place {
    Place::with("touches.csv", &touches(1_000))
}

const LEARN: &str = "--input touches.csv --model learned --organic-share 0.4";

#[test]
fn what_channels_do_is_learned_divided_and_published() {
    let place = place();
    let told = place.told(&format!("{LEARN} --bootstrap 6 --out out"));
    assert!(told.contains("750 conversions worth 15000.00 and 5251 journeys without one"), "{told}");
    assert!(told.contains("attribution version 1 is in registry"), "{told}");
    // What the graph's numbers stand for goes with it, for services that ask it about their own journeys.
    let names = place.0.path().join("registry/attribution/1/journeys.json");
    let names: serde_json::Value = serde_json::from_slice(&std::fs::read(names).unwrap()).unwrap();
    assert_eq!(names["by"], "channel", "{names}");
    assert!(!names["channels"].as_array().unwrap().is_empty(), "{names}");
    let credit = place.credit("out");
    for (channel, expected) in TRUTH {
        let (conversions, value) = credit[&("learned".to_owned(), channel.to_owned())];
        // Probabilities add up here and hazards in the model, which is 4 % of the credit at rates as high as these.
        assert!((conversions - expected).abs() < 40.0, "{channel}: {conversions}, not {expected}");
        assert!((value - 20.0 * conversions).abs() < 1e-6, "{channel}");
    }
    let whole: f64 = credit.values().map(|credit| credit.0).sum();
    assert!((whole - 750.0).abs() < 1e-6, "{whole}");
    let json: Value = serde_json::from_slice(&place.read("out/credit.json")).unwrap();
    let interval = &json["models"]["learned"]["channels"]["a"]["conversions_interval"];
    assert!(interval[0].as_f64().unwrap() < interval[1].as_f64().unwrap(), "{interval}");
    let foretold = &json["learned"]["held_out"]["foretold"];
    let loss = |by: &str| foretold[by]["log_loss"]["value"].as_f64().unwrap();
    assert!(loss("learned") < loss("the rate of all"), "{foretold}");
    let report = String::from_utf8(place.read("out/report.html")).unwrap();
    assert!(report.contains("What learned foretells") && report.contains("(organic)"));
    let verified = place.run_any("models verify attribution 1");
    assert!(verified.status.success(), "{verified:?}");
    let shown = String::from_utf8(place.run_any("models show attribution 1").stdout).unwrap();
    assert!(shown.contains("additive_hazard") && shown.contains("log_loss"), "{shown}");
}

#[test]
fn each_conversion_is_divided_into_a_million_parts() {
    let place = place();
    place.told(&format!("{LEARN} --bootstrap 0 --no-publish --out out"));
    assert!(!place.0.path().join("registry").exists());
    let file = File::open(place.0.path().join("out/shares.parquet")).unwrap();
    let shares: DataFrame = ParquetReader::new(file).finish().unwrap();
    let names = shares.column("conversion").unwrap().str().unwrap().clone();
    let parts = shares.column("ppm").unwrap().cast(&DataType::Int64).unwrap();
    let mut by_name = std::collections::BTreeMap::new();
    for (name, part) in names.iter().zip(parts.i64().unwrap().iter()) {
        *by_name.entry(name.unwrap()).or_insert(0) += part.unwrap();
    }
    assert_eq!(by_name.len(), 750);
    assert!(by_name.values().all(|sum| *sum == 1_000_000));
}

#[test]
fn the_same_journeys_and_seed_are_the_same_bytes() {
    let place = place();
    for (out, threads) in [("one", 1), ("two", 2)] {
        place.told(&format!("{LEARN} --bootstrap 3 --threads {threads} --no-publish --out {out}"));
    }
    for name in ["credit.csv", "credit.json", "shares.parquet", "model.onnx", "report.html"] {
        assert!(place.read(&format!("one/{name}")) == place.read(&format!("two/{name}")), "{name}");
    }
}

#[test]
fn the_order_of_rows_makes_no_difference() {
    let place = place();
    let text = touches(1_000);
    let (head, rows) = text.split_once('\n').unwrap();
    let turned: Vec<&str> = rows.lines().rev().collect();
    place.file("turned.csv", &format!("{head}\n{}\n", turned.join("\n")));
    for name in ["touches", "turned"] {
        place.told(&format!(
            "--input {name}.csv --model learned --organic-share 0.4 --bootstrap 0 --no-publish --out {name}"
        ));
    }
    for name in ["credit.csv", "shares.parquet", "model.onnx"] {
        assert!(place.read(&format!("touches/{name}")) == place.read(&format!("turned/{name}")), "{name}");
    }
}

#[test]
fn below_the_minimum_a_rule_divides_and_it_is_said() {
    let place = Place::with("touches.csv", &touches(100));
    let told = place.told(&format!("{LEARN} --out out"));
    assert!(
        told.contains("75 conversions after a touch are too few to learn from, 500 are needed"),
        "{told}"
    );
    assert!(told.contains("that rule divided"), "{told}");
    place.check("out", "learned", &[("a", 30.0), ("b", 30.0), ("c", 15.0)]);
    assert!(!place.0.path().join("out/model.onnx").exists());
    let told = place.told("--input touches.csv --out all");
    assert!(told.contains("learned is not among the models: 75 conversions"), "{told}");
}

#[test]
fn what_nothing_can_be_learned_from_is_refused() {
    let place = Place::with("paths.csv", super::PATHS);
    let told = place.refused("--input paths.csv --model learned");
    assert!(told.contains("--model learned cannot be: journeys that are counted together"), "{told}");
    let told = place.refused("--input paths.csv --model learned --organic-share 1");
    assert!(told.contains("--organic-share is 1, and must be above 0 and below 1"), "{told}");
    place.file("touches.csv", &touches(1_000));
    place.told("--input touches.csv --model last --out day");
    let told = place.refused("--input touches.csv --model learned --merge day/statistics.json");
    assert!(told.contains("of earlier days only statistics are left"), "{told}");
}
