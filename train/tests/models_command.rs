//! A data scientist's way through the registry: list, promote, compare, check, and go back.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use models::{
    fingerprint::Fingerprint,
    graph::{ElementType, Graph, Metadata, TensorType},
    registry::{
        Publication, Registry,
        gate::{Better, Gate},
        manifest::{About, Metric, ParityVector, Port, Signature, Training},
    },
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
};

/// A model that says what share of one its only feature is, and how good it claims to be.
fn publication(roc_auc: f64) -> Publication {
    let mut graph = Graph::new("share");
    let x = graph.input("x", TensorType::rows(ElementType::F64, 1), "the feature").unwrap();
    let score = graph.sigmoid(&x).unwrap();
    graph.output("score", &score, "its share").unwrap();
    let port = |name: &str, columns: Vec<String>| Port {
        name: name.to_owned(),
        element: Element::Float64,
        shape: vec![None, Some(1)],
        columns,
    };
    let features = FeatureSchema::of_columns("orders", &["amount"]);
    let tensor = |value| Tensor::new(vec![1, 1], Values::Float64(vec![value])).unwrap();
    let at = |text: &str| text.parse().unwrap();
    let about = About {
        family: "linear".to_owned(),
        job: "fraud".to_owned(),
        signature: Signature {
            inputs: vec![port("x", features.names.clone())],
            outputs: vec![port("score", Vec::new())],
        },
        features,
        training: Training {
            from: at("2026-01-01T00:00:00Z"),
            to: at("2026-02-01T00:00:00Z"),
            rows: 1000,
            data: Fingerprint::of(b"orders"),
        },
        seed: 7,
        metrics: vec![Metric { name: "roc_auc".to_owned(), value: roc_auc, interval: None }],
        gates: vec![Gate { metric: "roc_auc".to_owned(), better: Better::Higher, tolerance: 0.005 }],
        calibration: None,
        thresholds: Vec::new(),
        parity: vec![ParityVector {
            inputs: [("x".to_owned(), tensor(0.0))].into(),
            outputs: [("score".to_owned(), tensor(0.5))].into(),
            tolerance: 1e-9,
        }],
        commit: "0123abc".to_owned(),
        licence: "Apache-2.0".to_owned(),
        created_at: at("2026-02-02T03:04:05Z"),
    };
    let model = graph.finish(&Metadata::default()).unwrap();
    Publication { about, model, report: "<h1>share</h1>\n".to_owned(), files: BTreeMap::new() }
}

fn run(registry: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
    command.arg("models").args(arguments.split(' ')).env("TRIBUTARY_REGISTRY", registry).env("USER", "anna");
    command.output().unwrap()
}

fn works(registry: &Path, arguments: &str) -> String {
    let output = run(registry, arguments);
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// It fails with one sentence.
fn fails(registry: &Path, arguments: &str, says: &str) {
    let output = run(registry, arguments);
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && sentence.contains(says), "{arguments}: {sentence}");
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
}

#[test]
fn a_champion_is_made_compared_checked_and_brought_back() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert!(works(root, "list").starts_with("no model is in "));
    fails(root, "show fraud", "there is no model fraud: the registry holds none");

    let (registry, fraud) = (Registry::in_folder(root), "fraud".parse().unwrap());
    for roc_auc in [0.9, 0.92, 0.7] {
        registry.publish(&fraud, &publication(roc_auc)).unwrap();
    }
    fails(
        root,
        "show fraud",
        "fraud has no champion: name one with `tributary-train models promote fraud VERSION",
    );
    fails(root, "promote fraud 4 --why better", "fraud has no version 4: it has 1, 2, 3");
    assert_eq!(works(root, "promote fraud 1 --why first"), "fraud 1 is champion now\n");
    assert_eq!(
        works(root, "promote fraud 2 --alias challenger --why compare"),
        "fraud 2 is challenger now\n"
    );
    assert_eq!(works(root, "promote fraud challenger --why better"), "fraud 2 is champion now\n");
    fails(root, "promote fraud 3 --why cheaper", "its roc_auc is 0.7000, worse than the champion's 0.9200");
    assert_eq!(works(root, "promote fraud 3 --why cheaper --force"), "fraud 3 is champion now\n");
    assert_eq!(works(root, "rollback fraud --why complaints"), "fraud 2 is champion now\n");

    let listed = "\
MODEL  VERSION  ALIAS     FAMILY  FEATURES  MADE              QUALITY
fraud  1                  linear  orders    2026-02-02 03:04  roc_auc 0.9000
fraud  2        champion  linear  orders    2026-02-02 03:04  roc_auc 0.9200
fraud  3                  linear  orders    2026-02-02 03:04  roc_auc 0.7000
";
    assert_eq!(works(root, "list fraud"), listed);
    let shown = works(root, "show fraud");
    assert!(shown.starts_with("# fraud, version 2\n"), "{shown}");
    assert!(
        shown.contains("champion: 2 → 3, by anna: cheaper\n  forced, although its roc_auc is 0.7000"),
        "{shown}"
    );
    assert!(shown.ends_with("champion: 3 → 2, by anna: complaints\n"), "{shown}");
    let compared = works(root, "diff fraud 1 champion");
    assert!(compared.contains("roc_auc") && compared.contains("+0.0200"), "{compared}");

    let verified = works(root, "verify");
    assert_eq!(
        verified.lines().filter(|line| line.contains(" holds: its files, its signature, and 1 rows")).count(),
        3
    );
    fs::write(root.join("fraud/3/report.html"), "something else").unwrap();
    let output = run(root, "verify fraud");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && text.contains("report.html of fraud 3 is damaged"), "{text}");
    works(root, "verify fraud champion");
}
