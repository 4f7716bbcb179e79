//! The fraud job with labels from review: what resembles known fraud is found though each value is ordinary, no label counts
//! before it was known, and the file says the same.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

const ROWS: usize = 4_000;

/// Numbers between 0 and 1 that look like chance (Weyl 1916).
fn unit(row: usize, column: usize) -> f64 {
    let step =
        [0.618_033_988_749_894_9, 0.754_877_666_246_692_8, 0.569_840_290_998_053_3, 0.819_172_513_396_164_4];
    (step[column] * (row + 1) as f64).fract()
}

fn is_guilty(row: usize) -> bool {
    (0.3..0.5).contains(&unit(row, 0)) && (0.6..0.8).contains(&unit(row, 1))
}

fn moment(row: usize) -> String {
    let first = chrono::DateTime::from_timestamp(1_772_323_200, 0).unwrap();
    (first + chrono::TimeDelta::minutes(7 * row as i64)).to_rfc3339()
}

/// Fraud in the middle of all that is ordinary; reviewers looked at every second row, and say so after so many rows.
fn table(reviewed_after: usize) -> String {
    let mut text = "conversion_id,at,a,b,c,country,fraud,fraud_known_at\n".to_owned();
    for row in 0..ROWS {
        let country = if unit(row, 3) < 0.3 { "AT" } else { "DE" };
        let (label, known) = if row.is_multiple_of(2) {
            (u8::from(is_guilty(row)).to_string(), moment(row + reviewed_after))
        } else {
            (String::new(), String::new())
        };
        let values = [0, 1, 2].map(|column| unit(row, column).to_string()).join(",");
        text.push_str(&format!("c{row},{},{values},{country},{label},{known}\n", moment(row)));
    }
    text
}

struct Place(TempDir);

impl Place {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("rows.csv"), text).unwrap();
        Self(folder)
    }

    fn train(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
        command.current_dir(self.0.path()).args(words).output().unwrap()
    }

    fn fraud(&self, out: &str, words: &[&str]) -> String {
        let usual = ["fraud", "--input", "rows.csv", "--out", out];
        let output = self.train(&[&usual[..], words].concat());
        let (told, wrong) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{told}{wrong}");
        told.into_owned()
    }

    fn refused(&self, words: &[&str]) -> String {
        let output = self.train(&[&["fraud", "--input", "rows.csv", "--out", "refused"], words].concat());
        assert!(!output.status.success() && !self.path("refused").exists());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn measure(&self, out: &str, model: &str) -> Option<f64> {
        let measures: Value =
            serde_json::from_slice(&fs::read(self.path(out).join("metrics.json")).unwrap()).unwrap();
        measures["models"][model]["average_precision"].as_f64()
    }
}

#[test]
fn what_resembles_known_fraud_is_found_and_the_file_says_so() {
    let place = Place::with(&table(10));
    // Fraud that nobody looked at is among the rows that give the threshold: with less it would be above all of them.
    let told = place.fraud("out", &["--label", "fraud", "--false-positive-rate", "0.04"]);
    assert!(told.contains("the second stage learned from"), "{told}");
    let (both, blind) = (place.measure("out", "two_stages"), place.measure("out", "ensemble"));
    assert!(0.6 < both.unwrap() && blind.unwrap() < 0.3, "{both:?}, {blind:?}");
    let verified = place.train(&["models", "verify", "fraud"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));

    // Found for the right reasons, and those that are only judged are not needed for it.
    let scores = fs::read_to_string(place.path("out/scores.csv")).unwrap();
    let head: Vec<&str> = scores.lines().next().unwrap().split(',').collect();
    let at = |name: &str| head.iter().position(|it| *it == name).unwrap();
    let rows: Vec<Vec<&str>> = scores.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let guilty = rows.iter().filter(|row| {
        row[at("part")] == "test"
            && row[at("flagged")] == "1"
            && is_guilty(row[at("row")].parse::<usize>().unwrap() - 1)
    });
    let guilty: Vec<_> = guilty.collect();
    let blamed = |row: &&&Vec<&str>| ["a", "b"].contains(&row[at("reason_1")]);
    assert!(
        20 < guilty.len() && guilty.len() * 9 < guilty.iter().filter(blamed).count() * 10,
        "{}",
        guilty.len()
    );

    place.fraud("alone", &["--label", "fraud", "--model", "supervised", "--search", "2", "--name", "alone"]);
    let verified = place.train(&["models", "verify", "alone"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(0.6 < place.measure("alone", "supervised").unwrap());
}

#[test]
fn no_label_counts_before_it_was_known() {
    let place = Place::with(&table(3_000));
    place.fraud("out", &["--label", "fraud", "--no-publish"]);
    assert_eq!(place.measure("out", "two_stages"), None);
    let told = place.refused(&["--label", "fraud", "--model", "supervised"]);
    assert!(told.contains("had been found guilty in time"), "{told}");

    let place = Place::with(&table(10));
    place.fraud("out", &["--label", "fraud", "--second-stage", "never", "--no-publish"]);
    assert_eq!(place.measure("out", "two_stages"), None);
    let told = place.refused(&["--label", "fraud", "--model", "supervised", "--time", "nothing"]);
    assert!(told.contains("has no column \"nothing\""), "{told}");
    let told = place.refused(&["--model", "supervised"]);
    assert!(told.contains("name the column that says what was found with --label"), "{told}");
}

#[test]
fn labels_give_the_same_file_at_any_number_of_threads() {
    let place = Place::with(&table(10));
    for (out, threads) in [("one", "1"), ("two", "2")] {
        place.fraud(out, &["--label", "fraud", "--threads", threads, "--no-publish"]);
    }
    for name in ["model.onnx", "scores.csv", "metrics.json", "report.html"] {
        let [one, two] = ["one", "two"].map(|out| fs::read(place.path(out).join(name)).unwrap());
        assert!(one == two, "{name} depends on the number of threads");
    }
}

#[test]
fn names_and_verdicts_are_not_learned_from() {
    let place = Place::with(&table(10));
    let told = place.fraud("out", &["--no-publish"]);
    assert!(
        told.contains("not learned from, because of their names: conversion_id, fraud, fraud_known_at"),
        "{told}"
    );
    assert!(!fs::read_to_string(place.path("out/scores.csv")).unwrap().contains(",fraud,"));

    let text = table(10).replacen("conversion_id", "order", 1);
    let told = Place::with(&text).refused(&[]);
    assert!(told.contains("column order of rows.csv has 4000 different texts"), "{told}");
    assert!(told.contains("say --id order, or --drop order"), "{told}");

    let told = Place::with("at,a,b\n2026-03-01,1,\n2026-03-02,1,\n2026-03-03,1,\n").refused(&[]);
    assert!(told.contains("each of its 2 columns says the same in all rows, or nothing"), "{told}");
}

#[test]
fn what_was_learned_is_not_lost_with_the_registry() {
    let place = Place::with(&table(10));
    fs::write(place.path("taken"), "this is no folder").unwrap();
    let output = place.train(&["fraud", "--input", "rows.csv", "--out", "out", "--registry", "taken"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && told.contains("all files are in out, but no version came of them"),
        "{told}"
    );
    assert!(Path::exists(&place.path("out/model.onnx")));
}
