//! While a model is asked all the time, its champion moves back and forth and bad versions are offered: no answer fails, and
//! each is wholly of one good version.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use futures_util::future::{join, join_all};
use models::registry::{Alias, Publication, Registry, Version};
use serde_json::{Value, json};

use super::tests::{INFER, graph, graph_of, infer, promote, publication, registry, rows, sample};
use crate::api::testing::Api;

const SWAPS: u32 = 40;
/// What the good versions multiply by.
const WEIGHTS: [f64; 2] = [2.0, 3.0];
/// How many bad versions there are of each kind.
const EACH: usize = 2;

/// A way to be bad: how it is published, what becomes of its files then, and what is said of it.
struct Bad {
    publish: fn(&mut Publication),
    damage: fn(&Path, usize),
    says: &'static str,
}

const BAD: [Bad; 10] = [
    Bad { publish: as_it_is, damage: cut_short, says: "model.onnx of sample" },
    Bad { publish: as_it_is, damage: |folder, at| flip(&folder.join("model.onnx"), at), says: "SHA-256" },
    Bad {
        publish: as_it_is,
        damage: |folder, at| flip(&folder.join("manifest.json"), at),
        says: "manifest.json of sample",
    },
    Bad {
        publish: as_it_is,
        damage: |folder, _| fs::remove_file(folder.join("model.onnx")).unwrap(),
        says: "model.onnx of sample",
    },
    Bad {
        publish: |next| next.model.truncate(40),
        damage: nothing,
        says: "ONNX Runtime does not take its graph",
    },
    Bad { publish: too_new, damage: nothing, says: "ONNX Runtime does not take its graph" },
    Bad {
        publish: |next| next.model = graph_of("amounts", 2, 2.0),
        damage: nothing,
        says: r#"the graph has the inputs "amounts" float64 [rows, 2]"#,
    },
    Bad {
        publish: |next| next.model = graph_of("amount", 3, 2.0),
        damage: nothing,
        says: r#"the graph has the inputs "amount" float64 [rows, 3]"#,
    },
    Bad {
        publish: |next| next.model = graph(f64::INFINITY),
        damage: nothing,
        says: r#"it says that "weighted" number 1 is inf"#,
    },
    Bad {
        publish: |next| next.model = graph(2.5),
        damage: nothing,
        says: r#"it says that "weighted" number 1 is 2.5, and 2 is right"#,
    },
];

fn as_it_is(_: &mut Publication) {}

fn nothing(_: &Path, _: usize) {}

fn cut_short(folder: &Path, at: usize) {
    let path = folder.join("model.onnx");
    let bytes = fs::read(&path).unwrap();
    fs::write(path, &bytes[..bytes.len() * at / EACH]).unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let place = bytes.len() * (1 + at) / (2 + EACH);
    bytes[place] ^= 4;
    fs::write(path, bytes).unwrap();
}

/// Asks for a set of operators that nobody has defined yet.
fn too_new(next: &mut Publication) {
    // opset_import is field 8 of the file: a message whose version is its field 2, and whose domain is empty.
    let known =
        next.model.windows(3).rposition(|part| part == [0x42, 0x02, 0x10]).expect("it names its operators");
    next.model[known + 3] = 99;
}

/// Publishes each kind of bad version so often; their numbers with what is said of them.
fn offer(folder: &Path, registry: &Registry) -> Vec<(u32, &'static str)> {
    let mut offered = Vec::new();
    for at in 0..EACH {
        for Bad { publish, damage, says } in &BAD {
            let mut next = publication(WEIGHTS[0]);
            publish(&mut next);
            let version = registry.publish(&sample(), &next).unwrap();
            damage(&folder.join(format!("sample/{version}")), at);
            offered.push((version.0, *says));
        }
    }
    offered
}

/// Names a champion as somebody would who writes into the folder.
fn point(folder: &Path, registry: &Registry, version: u32) {
    let mut aliases = registry.aliases(&sample()).unwrap();
    let mut step = aliases.history[0].clone();
    (step.from, step.to) = (aliases.champion, Some(Version(version)));
    aliases.champion = step.to;
    aliases.history.push(step);
    fs::write(folder.join("sample/aliases.json"), serde_json::to_vec(&aliases).unwrap()).unwrap();
}

/// Asks until it is over; how many answers each version gave.
async fn ask(api: &Api, is_over: &AtomicBool) -> BTreeMap<String, usize> {
    let mut asked = rows();
    asked["inputs"][1]["data"] = json!([1, 2.5, 4, -8]);
    let mut answers = BTreeMap::<String, usize>::new();
    while !is_over.load(Relaxed) {
        for answer in join_all((0..4).map(|_| infer(api, INFER, &asked))).await {
            assert_eq!(answer.status, 200, "{answer}");
            let version = answer.body["model_version"].as_str().unwrap();
            let weight = WEIGHTS[version.parse::<usize>().unwrap() - 1];
            let expected: Vec<f64> = [1.0, 2.5, 4.0, -8.0].iter().map(|amount| amount * weight).collect();
            assert_eq!(answer.body["outputs"][0]["data"], json!(expected), "version {version}");
            *answers.entry(version.to_owned()).or_default() += 1;
        }
    }
    answers
}

async fn champion(api: &Api) -> Value {
    api.get("/api/v1/models/sample").await.body["champion"].clone()
}

#[tokio::test]
async fn swaps_and_bad_versions_under_load_fail_no_answer_and_mix_none() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry(folder.path(), &WEIGHTS);
    promote(&registry, folder.path(), 1, Alias::Champion);
    let bad = offer(folder.path(), &registry);
    let api = Api::start().await.with_models(folder.path());
    let is_over = AtomicBool::new(false);
    let path = "/api/v1/models/sample/promote";
    let moves = async {
        let mut serves = 1;
        for round in 0..SWAPS {
            serves = 3 - serves;
            let moved = api.post(path, json!({"version": serves, "why": format!("round {round}")})).await;
            assert_eq!(
                (moved.status.as_u16(), &moved.body["champion"]["serves"]),
                (200, &json!(serves)),
                "{moved}"
            );
            let Some((version, says)) = bad.get(round as usize) else { continue };
            let refused = api.post(path, json!({"version": version, "why": "worse"})).await;
            assert!(refused.problem().starts_with("409 unfit_model: sample "), "{refused}");
            assert!(refused.problem().contains(says), "version {version}: {refused}");
        }
        for (version, says) in &bad {
            point(folder.path(), &registry, *version);
            api.app.models.look();
            let told = champion(&api).await;
            assert_eq!((&told["named"], &told["serves"]), (&json!(version), &json!(serves)), "{told}");
            assert!(told["refused"].as_str().unwrap().contains(says), "version {version}: {told}");
            let fault = api.app.models.faults().pop().unwrap();
            assert!(fault.starts_with("champion of sample: ") && fault.contains(says), "{fault}");
            tokio::task::yield_now().await;
        }
        is_over.store(true, Relaxed);
    };
    let (answers, ()) = join(ask(&api, &is_over), moves).await;
    assert!(answers.len() == 2 && answers.values().all(|count| 20 < *count), "{answers:?}");
}
