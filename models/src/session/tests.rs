//! A version that does not prove itself never serves; together is the same as alone; a swap fails nobody.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{Answer, PollError, Polled, ScoreError, Serving, Settings};
use crate::{
    fingerprint::Fingerprint,
    graph::{ElementType, Graph, Metadata, Tensor as Constant, TensorType},
    registry::{Alias, Force, Publication, Registry, Version, manifest::Port},
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
    testing::{decision, fraud, port, promote, publication, runtime, schema, score},
};

fn with(weights: &[f64]) -> (TempDir, Registry) {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::in_folder(folder.path());
    for weight in weights {
        registry.publish(&fraud(), &publication(*weight, 0.9)).unwrap();
    }
    (folder, registry)
}

fn serving(registry: &Registry, settings: Settings) -> Serving {
    Serving::new(runtime(), registry.clone(), (fraud(), Alias::Champion), Some(schema()), settings)
}

/// Makes a version champion as somebody would who edits the file by hand.
fn point(folder: &TempDir, registry: &Registry, version: Version) {
    let mut aliases = registry.aliases(&fraud()).unwrap();
    let mut step = aliases.history[0].clone();
    (step.from, step.to) = (aliases.champion, Some(version));
    aliases.champion = step.to;
    aliases.history.push(step);
    fs::write(folder.path().join("fraud/aliases.json"), serde_json::to_vec(&aliases).unwrap()).unwrap();
}

/// A champion serves; the next version, altered, is refused by the poll and by a promotion, with this sentence.
fn check(alter: impl FnOnce(&mut Publication), damage: impl FnOnce(&TempDir), says: &str) {
    let (folder, registry) = with(&[1.0]);
    promote(&registry, Version(1), Force::No).unwrap();
    let serving = serving(&registry, Settings::default());
    serving.poll().unwrap();
    let mut next = publication(2.0, 0.95);
    alter(&mut next);
    registry.publish(&fraud(), &next).unwrap();
    damage(&folder);
    point(&folder, &registry, Version(2));
    let error = serving.poll().unwrap_err();
    let sentence = error.to_string();
    assert!(matches!(error, PollError::Refused { serving: Some(Version(1)), .. }), "{sentence}");
    assert!(sentence.starts_with("version 1 serves on: fraud 2 was not loaded, "), "{sentence}");
    assert!(sentence.contains(says), "{sentence}");
    assert!(sentence.ends_with(&serving.refusal().unwrap()));
    let answer = serving.score(vec![0.5, 1.0]).unwrap();
    assert_eq!(answer.version(), Version(1));
    assert!((answer.number("score").unwrap() - score(1.0, &[0.5, 1.0])).abs() < 1e-12);
}

fn nothing(_: &TempDir) {}

#[test]
fn a_corrupted_file_leaves_the_champion_serving() {
    let flip = |file: &'static str| {
        move |folder: &TempDir| {
            let path = folder.path().join("fraud/2").join(file);
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            fs::write(path, bytes).unwrap();
        }
    };
    check(
        |_| (),
        flip("model.onnx"),
        "its files do not hold: model.onnx of fraud 2 is damaged: its SHA-256 is",
    );
    check(
        |_| (),
        flip("manifest.json"),
        "its files do not hold: manifest.json of fraud 2 is damaged: its SHA-256 is",
    );
    let remove = |folder: &TempDir| fs::remove_dir_all(folder.path().join("fraud/2")).unwrap();
    check(|_| (), remove, "fraud has no version 2: it has 1");
}

#[test]
fn what_is_no_graph_leaves_the_champion_serving() {
    check(
        |next| next.model.truncate(40),
        nothing,
        "its signature does not hold: ONNX Runtime does not take its graph",
    );
}

#[test]
fn a_wrong_signature_leaves_the_champion_serving() {
    let rename = |next: &mut Publication| {
        let about = &mut next.about;
        about.signature.outputs[0].name = "risk".to_owned();
        about.thresholds[0].output = "risk".to_owned();
        let score = about.parity[0].outputs.remove("score").unwrap();
        about.parity[0].outputs.insert("risk".to_owned(), score);
    };
    check(
        rename,
        nothing,
        r#"the graph has the outputs "score" float64 [rows, 1], "reasons" float64 [rows, 2], and the manifest says "risk" float64 [rows, 1], "#,
    );
    let narrow = |next: &mut Publication| {
        next.about.signature.inputs[0].element = Element::Float32;
        let rows = Tensor::new(vec![1, 2], Values::Float32(vec![1.0, 2.0])).unwrap();
        next.about.parity[0].inputs.insert("x".to_owned(), rows);
    };
    check(
        narrow,
        nothing,
        r#"the graph has the inputs "x" float64 [rows, 2], and the manifest says "x" float32 [rows, 2]"#,
    );
}

#[test]
fn a_model_of_categories_holds_and_is_not_served_to_features() {
    let mut graph = Graph::new("echo");
    let x = graph.input("x", TensorType::rows(ElementType::Text, 2), "").unwrap();
    graph.output("score", &x, "").unwrap();
    let model = graph.finish(&Metadata::default()).unwrap();
    let texts = Tensor::new(vec![1, 2], Values::Text(vec!["red".to_owned(), "NaN".to_owned()])).unwrap();
    let echo = |next: &mut Publication| {
        next.model = model;
        let signature = &mut next.about.signature;
        signature.inputs[0].element = Element::Text;
        signature.outputs = vec![Port { element: Element::Text, ..port("score", &[], 2) }];
        let vector = &mut next.about.parity[0];
        vector.inputs = [("x".to_owned(), texts.clone())].into();
        vector.outputs = [("score".to_owned(), texts)].into();
    };
    let (_folder, registry) = with(&[]);
    let mut categories = publication(1.0, 0.9);
    echo.clone()(&mut categories);
    registry.publish(&fraud(), &categories).unwrap();
    promote(&registry, Version(1), Force::No).unwrap();
    check(
        echo,
        nothing,
        r#"its signature does not hold: its input "x" takes texts, and features are numbers"#,
    );
}

#[test]
fn a_missing_feature_leaves_the_champion_serving() {
    let rename = |next: &mut Publication| {
        next.about.features = FeatureSchema::of_columns("fraud_v2", &["amount", "age"]);
        next.about.signature.inputs[0].columns = next.about.features.names.clone();
    };
    check(
        rename,
        nothing,
        r#"its signature does not hold: the model takes "age", which the features that are given lack"#,
    );
    let redefine =
        |next: &mut Publication| next.about.features.fingerprint = Fingerprint::of(b"since changed");
    check(redefine, nothing, "a definition has changed since");
}

#[test]
fn failing_parity_leaves_the_champion_serving() {
    let other = |next: &mut Publication| next.model = publication(2.0001, 0.9).model;
    check(
        other,
        nothing,
        r#"its parity vectors do not hold: of row 1 of parity vector 1 it says that "score" number 1 is 0.880"#,
    );
    let short = |next: &mut Publication| {
        let one = Tensor::new(vec![1, 1], Values::Float64(vec![0.5])).unwrap();
        next.about.parity[0].outputs.insert("score".to_owned(), one);
    };
    check(short, nothing, r#"it says "score" in the shape [3, 1], and [1, 1] is right"#);
}

#[test]
fn a_refused_version_is_tried_again_less_and_less_and_at_once_when_an_alias_moves() {
    let (folder, registry) = with(&[1.0, 2.0]);
    promote(&registry, Version(1), Force::No).unwrap();
    let serving = serving(&registry, Settings::default());
    serving.poll().unwrap();
    let model = folder.path().join("fraud/2/model.onnx");
    let whole = fs::read(&model).unwrap();
    fs::write(&model, "damaged").unwrap();
    point(&folder, &registry, Version(2));
    let tries: Vec<usize> = (0..200).filter(|_| serving.poll().is_err()).collect();
    assert_eq!(tries, [0, 2, 5, 10, 19, 36, 69, 134, 199]);
    fs::write(&model, whole).unwrap();
    assert_eq!(serving.poll().unwrap(), Polled::Unchanged);
    point(&folder, &registry, Version(2));
    assert_eq!(serving.poll().unwrap(), Polled::Swapped { from: Some(Version(1)), to: Version(2) });
    assert_eq!(serving.refusal(), None);
}

#[test]
fn a_registry_that_cannot_be_read_leaves_the_champion_serving() {
    let (folder, registry) = with(&[1.0]);
    promote(&registry, Version(1), Force::No).unwrap();
    let serving = serving(&registry, Settings::default());
    serving.poll().unwrap();
    fs::write(folder.path().join("fraud/aliases.json"), "{").unwrap();
    let sentence = serving.poll().unwrap_err().to_string();
    assert!(
        sentence.starts_with("version 1 serves on, and what it should be cannot be known: aliases.json"),
        "{sentence}"
    );
    assert_eq!(serving.score(vec![0.0, 0.0]).unwrap().number("score"), Some(0.5));
}

#[test]
fn a_folder_that_was_emptied_withdraws_nothing() {
    let (folder, registry) = with(&[1.0]);
    promote(&registry, Version(1), Force::No).unwrap();
    let serving = serving(&registry, Settings::default());
    serving.poll().unwrap();
    fs::remove_dir_all(folder.path().join("fraud")).unwrap();
    let sentence = serving.poll().unwrap_err().to_string();
    assert_eq!(
        sentence,
        "version 1 serves on: the registry has lost the history of fraud; bring its folder back"
    );
    assert_eq!(serving.score(vec![0.0, 0.0]).unwrap().number("score"), Some(0.5));
}

#[test]
fn nothing_serves_before_a_champion_and_after_it_was_taken_away() {
    let (_folder, registry) = with(&[1.0, 2.0]);
    let alias = (fraud(), Alias::Challenger);
    let serving = Serving::new(runtime(), registry.clone(), alias, Some(schema()), Settings::default());
    assert_eq!(serving.poll().unwrap(), Polled::Unchanged);
    let sentence = serving.score(vec![0.0, 0.0]).unwrap_err().to_string();
    assert!(sentence.starts_with("fraud has no challenger that serves"), "{sentence}");
    let (model, decision) = (fraud(), decision("to be compared"));
    let promotion = crate::registry::Promotion {
        model,
        version: Version(2),
        alias: Alias::Challenger,
        decision,
        force: Force::No,
    };
    registry.promote(&promotion, &runtime()).unwrap();
    assert_eq!(serving.poll().unwrap(), Polled::Swapped { from: None, to: Version(2) });
    let held = serving.score(vec![0.0, 0.0]).unwrap();
    registry.rollback(&fraud(), Alias::Challenger, &promotion.decision, &runtime()).unwrap();
    assert_eq!(serving.poll().unwrap(), Polled::Withdrawn { from: Version(2) });
    assert!(serving.score(vec![0.0, 0.0]).is_err());
    // An answer outlives the version that gave it.
    assert_eq!((held.number("score"), held.numbers("reasons")), (Some(0.5), Some(vec![0.0, 0.0])));
    assert_eq!(held.number("no such output"), None);
}

#[test]
fn a_row_of_another_width_is_refused_at_once() {
    let (_folder, registry) = with(&[1.0]);
    promote(&registry, Version(1), Force::No).unwrap();
    let serving = serving(&registry, Settings::default());
    serving.poll().unwrap();
    let error = serving.score(vec![1.0]).unwrap_err();
    assert_eq!(error, ScoreError::Width { model: fraud(), taken: 2, given: 1 });
}

#[test]
fn tensors_are_run_as_they_are_by_whoever_brings_what_the_model_takes() {
    let (_folder, registry) = with(&[1.5]);
    promote(&registry, Version(1), Force::No).unwrap();
    let alias = (fraud(), Alias::Champion);
    let serving = Serving::new(runtime(), registry, alias, None, Settings::default());
    serving.poll().unwrap();
    let infer = |inputs| {
        let (tell, told) = mpsc::sync_channel(1);
        serving.current()?.infer(inputs, move |run| tell.send(run()).unwrap())?;
        told.recv().unwrap()
    };
    let tensor = |shape: &[usize], values| Tensor::new(shape.to_vec(), values).unwrap();
    let rows = [0.5, 2.0, -3.0, 1.0];
    let outputs = infer(vec![tensor(&[2, 2], Values::Float64(rows.to_vec()))]).unwrap();
    let alone = |row: &[f64]| serving.score(row.to_vec()).unwrap().number("score").unwrap();
    let scores = Values::Float64(rows.chunks(2).map(alone).collect());
    assert_eq!((outputs[0].shape(), outputs[0].values()), (&[2, 1][..], &scores));
    let refused = |inputs| infer(inputs).unwrap_err().to_string();
    let takes = r#"fraud takes "x" float64 [rows, 2], and was given"#;
    let floats = tensor(&[1, 2], Values::Float32(vec![0.0; 2]));
    assert_eq!(refused(vec![floats]), format!(r#"{takes} "x" float32 [1, 2]"#));
    let wide = || tensor(&[1, 3], Values::Float64(vec![0.0; 3]));
    assert_eq!(refused(vec![wide()]), format!(r#"{takes} "x" float64 [1, 3]"#));
    assert_eq!(
        refused(vec![tensor(&[0, 2], Values::Float64(vec![]))]),
        format!(r#"{takes} "x" float64 [0, 2]"#)
    );
    assert_eq!(refused(vec![]), format!("{takes} nothing"));
    let two = refused(vec![wide(), wide()]);
    assert_eq!(two, format!(r#"{takes} "x" float64 [1, 3], "one too many" float64 [1, 3]"#));
}

/// Keeps the only worker busy until it is told to go on; then what was submitted meanwhile is scored.
fn behind_one(serving: &Serving, rows: &[Vec<f64>]) -> Vec<Result<Answer, ScoreError>> {
    let (go, wait) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let busy = move |answer: Result<Answer, ScoreError>| {
        begun.send(answer.unwrap().rows()).unwrap();
        wait.recv().unwrap();
    };
    serving.submit(vec![0.0, 0.0], busy).unwrap();
    // One that arrives alone is scored alone, without waiting for others.
    assert_eq!(has_begun.recv().unwrap(), 1);
    let (tell, told) = mpsc::channel();
    for (place, row) in rows.iter().enumerate() {
        let tell = tell.clone();
        serving.submit(row.clone(), move |answer| tell.send((place, answer)).unwrap()).unwrap();
    }
    drop(tell);
    go.send(()).unwrap();
    let mut answers: Vec<_> = told.iter().collect();
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[test]
fn what_arrives_during_a_run_is_the_next_batch() {
    let (_folder, registry) = with(&[1.5]);
    promote(&registry, Version(1), Force::No).unwrap();
    let serving = serving(&registry, Settings { largest_batch: 64, ..Settings::default() });
    serving.poll().unwrap();
    let rows: Vec<Vec<f64>> =
        (0..100).map(|at| vec![f64::from(at) / 50.0 - 1.0, f64::from(at % 7)]).collect();
    let answers = behind_one(&serving, &rows);
    let sizes: Vec<usize> = answers.iter().map(|answer| answer.as_ref().unwrap().rows()).collect();
    assert_eq!(sizes, [vec![64; 64], vec![36; 36]].concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A batch says of each row what the model says of the row alone, bit for bit.
    #[test]
    fn together_is_as_alone(rows in prop::collection::vec(prop::collection::vec(-1e6..1e6_f64, 2), 1..80), largest_batch in 1..40_usize) {
        let (_folder, registry) = with(&[1.5]);
        promote(&registry, Version(1), Force::No).unwrap();
        let serving = serving(&registry, Settings { largest_batch, ..Settings::default() });
        serving.poll().unwrap();
        let together = behind_one(&serving, &rows);
        prop_assert_eq!(together.len(), rows.len());
        for (row, answer) in rows.iter().zip(together) {
            let (answer, alone) = (answer.unwrap(), serving.score(row.clone()).unwrap());
            prop_assert_eq!(alone.rows(), 1);
            prop_assert_eq!(answer.numbers("score"), alone.numbers("score"));
            prop_assert_eq!(answer.numbers("reasons"), alone.numbers("reasons"));
        }
    }
}

#[test]
fn more_than_may_wait_are_refused_at_once() {
    let (_folder, registry) = with(&[1.0]);
    promote(&registry, Version(1), Force::No).unwrap();
    let serving = serving(&registry, Settings { most_waiting: 3, ..Settings::default() });
    serving.poll().unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let busy = move |_| {
        begun.send(()).unwrap();
        wait.recv().unwrap();
    };
    serving.submit(vec![0.0, 0.0], busy).unwrap();
    has_begun.recv().unwrap();
    for _ in 0..3 {
        serving.submit(vec![0.0, 0.0], drop).unwrap();
    }
    let error = serving.submit(vec![0.0, 0.0], drop).unwrap_err();
    assert_eq!(error, ScoreError::Full { model: fraud(), waiting: 3 });
    go.send(()).unwrap();
}

/// A model that looks a row's first number up in a table of three, and fails where it has none.
fn table() -> Publication {
    let mut graph = Graph::new("table");
    let x = graph.input("x", TensorType::rows(ElementType::F64, 2), "").unwrap();
    let first = graph.columns(&x, &[0]).unwrap();
    let first = graph.cast(&first, ElementType::I64).unwrap();
    let table = graph.constant("table", Constant::f64(&[3], vec![10.0, 20.0, 30.0]).unwrap());
    let found = graph.gather(&table, 0, &first).unwrap();
    graph.output("score", &found, "").unwrap();
    let mut publication = publication(1.0, 0.9);
    publication.model = graph.finish(&Metadata::default()).unwrap();
    publication.about.signature.outputs = vec![port("score", &[], 1)];
    let tensor = |width, values| Tensor::new(vec![1, width], Values::Float64(values)).unwrap();
    let vector = &mut publication.about.parity[0];
    vector.inputs = [("x".to_owned(), tensor(2, vec![1.0, 0.0]))].into();
    vector.outputs = [("score".to_owned(), tensor(1, vec![20.0]))].into();
    publication
}

#[test]
fn a_row_that_cannot_be_scored_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::in_folder(folder.path());
    registry.publish(&fraud(), &table()).unwrap();
    promote(&registry, Version(1), Force::No).unwrap();
    let serving = serving(&registry, Settings::default());
    serving.poll().unwrap();
    let rows: Vec<Vec<f64>> = [0.0, 7.0, 2.0].map(|first| vec![first, 0.0]).to_vec();
    let answers = behind_one(&serving, &rows);
    assert_eq!(answers[0].as_ref().unwrap().number("score"), Some(10.0));
    let sentence = answers[1].as_ref().unwrap_err().to_string();
    assert!(sentence.starts_with("fraud 1 cannot score this: "), "{sentence}");
    assert_eq!(answers[2].as_ref().unwrap().number("score"), Some(30.0));
}

#[test]
fn one_who_panics_at_an_answer_takes_nobody_along() {
    let (_folder, registry) = with(&[1.0]);
    promote(&registry, Version(1), Force::No).unwrap();
    let serving = serving(&registry, Settings::default());
    serving.poll().unwrap();
    let (go, wait) = mpsc::channel::<()>();
    serving.submit(vec![0.0, 0.0], move |_| wait.recv().unwrap()).unwrap();
    serving.submit(vec![0.0, 0.0], |_| panic!("a test panics here")).unwrap();
    let (tell, told) = mpsc::channel();
    serving.submit(vec![0.0, 0.0], move |answer| tell.send(answer).unwrap()).unwrap();
    go.send(()).unwrap();
    // In the batch of the one that panics, and after it.
    assert_eq!(told.recv().unwrap().unwrap().number("score"), Some(0.5));
    assert_eq!(serving.score(vec![0.0, 0.0]).unwrap().number("score"), Some(0.5));
}

#[test]
fn a_swap_under_load_fails_no_request() {
    let (_folder, registry) = with(&[1.0, 2.0]);
    promote(&registry, Version(1), Force::No).unwrap();
    let serving = serving(&registry, Settings { workers: 2, ..Settings::default() });
    serving.poll().unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let ask = || {
            let (mut count, mut seen) = (0_u32, [0_u32; 2]);
            while !is_over.load(Ordering::Relaxed) || count < 100 {
                let row = vec![f64::from(count % 13) - 6.0, f64::from(count % 5)];
                let answer = serving.score(row.clone()).unwrap();
                let version = answer.version();
                let expected = score(f64::from(version.0), &row);
                assert!((answer.number("score").unwrap() - expected).abs() < 1e-12);
                seen[version.0 as usize - 1] += 1;
                count += 1;
            }
            seen
        };
        let askers = [scope.spawn(ask), scope.spawn(ask), scope.spawn(ask)];
        for swap in 0..30_u32 {
            let to = Version(2 - swap % 2);
            promote(&registry, to, Force::No).unwrap();
            let from = Some(Version(1 + swap % 2));
            assert_eq!(serving.poll().unwrap(), Polled::Swapped { from, to });
            assert_eq!(serving.score(vec![0.0, 0.0]).unwrap().version(), to);
        }
        is_over.store(true, Ordering::Relaxed);
        let seen = askers.map(|asker| asker.join().unwrap());
        assert!((0..2).all(|version| seen.iter().any(|seen| 0 < seen[version])), "{seen:?}");
    });
}
