//! `tributary-train fraud` as a data scientist runs it: planted anomalies are found and explained, the file says what the
//! job said, and the same seed gives the same bytes at any number of threads.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;
use train::anomaly::planted::{Kind, Plan, plant};

const ROWS: usize = 3_000;

/// A table with times, a category, missing values, and anomalies of which two thirds are judged.
fn table(kind: Kind) -> String {
    let plan = Plan { ordinary: ROWS - 90, planted: 90, width: 6, causes: 2, noise: 0.2, kind, seed: 5 };
    let planted = plant(&plan).unwrap();
    let mut text = "order,when,a,b,c,d,e,f,country,fraud\n".to_owned();
    for row in 0..planted.table.rows() {
        let values = planted.table.row(row).iter().enumerate().map(|(column, value)| {
            if (row + column) % 97 == 0 && !planted.labels[row] { String::new() } else { value.to_string() }
        });
        let values: Vec<String> = values.collect();
        let label = if row % 3 == 0 {
            ""
        } else if planted.labels[row] {
            "1"
        } else {
            "0"
        };
        let country = if row % 7 == 0 { "AT" } else { "DE" };
        let (day, second) = (1 + row / 120, row % 120);
        let when = format!("2026-03-{day:02}T10:{:02}:{:02}Z", second / 60, second % 60);
        text.push_str(&format!("o{row},{when},{},{country},{label}\n", values.join(",")));
    }
    text
}

struct World {
    folder: TempDir,
}

impl World {
    fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("rows.csv"), table(kind)).unwrap();
        Self { folder }
    }

    fn train(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
        command.current_dir(self.folder.path()).args(words).output().unwrap()
    }

    fn fraud(&self, out: &str, words: &[&str]) -> Output {
        let usual = [
            "fraud", "--input", "rows.csv", "--label", "fraud", "--time", "when", "--id", "order", "--out",
            out,
        ];
        self.train(&[&usual[..], words].concat())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn said(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

fn refusal(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn measures(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path.join("metrics.json")).unwrap()).unwrap()
}

#[test]
fn planted_shifts_are_found_explained_and_proved_by_the_file() {
    let world = World::new(Kind::Shift(8.0));
    let told = said(&world.fraud("out", &["--model", "all"]));
    assert!(told.contains("fraud version 1 is in registry"), "{told}");
    let measures = measures(&world.path("out"));
    for model in ["iforest", "ensemble", "two_stages"] {
        let found = measures["models"][model]["roc_auc"].as_f64().unwrap();
        assert!(0.9 < found, "{model}: {found}");
    }
    assert_eq!(measures["rows"]["split_by_time"], true);
    let report = fs::read_to_string(world.path("out/report.html")).unwrap();
    assert!(4 <= report.matches("<svg").count(), "pictures are missing");

    let scores = fs::read_to_string(world.path("out/scores.csv")).unwrap();
    let mut lines = scores.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(&head[..3], ["row", "order", "iforest"]);
    assert!(head.contains(&"probability") && head.contains(&"reason_3"), "{head:?}");
    assert_eq!(lines.count(), ROWS);

    // What was published says of rows what the job said of them.
    let verified = said(&world.train(&["models", "verify", "fraud"]));
    assert!(verified.contains("fraud"), "{verified}");
    let listed = said(&world.train(&["models", "list"]));
    assert!(listed.contains("two_stages") && listed.contains("roc_auc"), "{listed}");
    said(&world.train(&["models", "promote", "fraud", "1", "--why", "first", "--by", "test"]));
}

#[test]
fn each_detector_alone_is_proved_by_its_file() {
    let world = World::new(Kind::Swap);
    for model in ["iforest", "eiforest", "ecod", "hbos", "autoencoder"] {
        said(&world.fraud(&format!("out-{model}"), &["--model", model, "--name", model]));
        let verified = world.train(&["models", "verify", model]);
        assert!(verified.status.success(), "{model}: {}", String::from_utf8_lossy(&verified.stderr));
    }
    let found =
        measures(&world.path("out-autoencoder"))["models"]["autoencoder"]["roc_auc"].as_f64().unwrap();
    let blind = measures(&world.path("out-hbos"))["models"]["hbos"]["roc_auc"].as_f64().unwrap();
    assert!(
        0.8 < found && blind < 0.7,
        "what does not go together is found by a network alone: {found}, {blind}"
    );
}

#[test]
fn the_same_seed_is_the_same_file_at_any_number_of_threads() {
    let world = World::new(Kind::Shift(6.0));
    for (out, threads, seed) in [("one", "1", "3"), ("two", "2", "3"), ("other", "2", "4")] {
        said(&world.fraud(out, &["--threads", threads, "--seed", seed, "--no-publish"]));
    }
    let file = |out: &str, name: &str| fs::read(world.path(out).join(name)).unwrap();
    for name in ["model.onnx", "scores.csv", "metrics.json", "report.html"] {
        assert!(file("one", name) == file("two", name), "{name} depends on the number of threads");
    }
    assert!(file("one", "model.onnx") != file("other", "model.onnx"));
    assert!(!world.path("registry").exists());
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_left_behind() {
    let world = World::new(Kind::Shift(6.0));
    let before = fs::read_dir(world.folder.path()).unwrap().count();
    for (words, told) in [
        (vec!["--drop", "g"], "has no column \"g\"; it has order, when, a"),
        (vec!["--trees", "0"], "trees"),
        (vec!["--false-positive-rate", "0.00001"], "ask for a higher rate"),
        (vec!["--test", "0.9"], "together they must be below 1"),
    ] {
        let refusal = refusal(&world.fraud("out", &words));
        assert!(refusal.contains(told), "{refusal}");
        assert_eq!(fs::read_dir(world.folder.path()).unwrap().count(), before, "{words:?} left something");
    }
    fs::write(world.path("rows.csv"), "when,a,fraud\n2026-03-01,1,maybe\n").unwrap();
    let refusal =
        refusal(&world.train(&["fraud", "--input", "rows.csv", "--label", "fraud", "--out", "out"]));
    assert!(refusal.contains("row 1 of column fraud says maybe, where a label is 0 or 1"), "{refusal}");
}

#[test]
fn a_model_becomes_a_version_in_a_bucket_and_its_champion() {
    let (world, store) = (World::new(Kind::Shift(8.0)), embedded::objects::S3::start().unwrap());
    let registry = store.address("registry");
    let told = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
        command.current_dir(world.folder.path()).envs(store.variables()).env("TRIBUTARY_REGISTRY", &registry);
        said(&command.args(words).output().unwrap())
    };
    told(&[
        "fraud", "--input", "rows.csv", "--label", "fraud", "--time", "when", "--id", "order", "--model",
        "iforest", "--out", "out",
    ]);
    told(&["models", "promote", "fraud", "1", "--by", "Ana", "--why", "it is the first"]);
    let list = told(&["models", "list"]);
    assert!(list.contains("champion"), "{list}");
    assert!(told(&["models", "verify"]).contains("fraud"), "{list}");
    assert!(!world.path("registry").exists());
}
