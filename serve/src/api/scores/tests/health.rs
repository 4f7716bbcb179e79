//! Champion and challenger of the model beside each other, the canary, and whether decisions hold what was promised.

use std::{collections::BTreeMap, path::Path};

use chrono::{DateTime, TimeDelta};
use domain::AffiliateId;
use features::{defs::sets::SETS, set::FeatureSet};
use models::{
    fingerprint::Fingerprint,
    graph::{ElementType, Graph, Metadata, Tensor as Constant, TensorType},
    registry::{
        Alias, Decision, Force, ModelName, Promotion, Publication, Registry, Version,
        manifest::{About, ParityVector, Port, Signature, Training},
    },
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
};
use serde_json::{Value, json};

use super::{BROWSER, World, policy};
use crate::{
    host::Host,
    jobs,
    scoring::settings::{FraudSettings, InForce},
};

fn set() -> &'static FeatureSet {
    SETS.iter().find(|set| set.full_name() == "fraud_v1").unwrap()
}

/// A model that says the same probability of everything.
fn publication(probability: f64) -> Publication {
    let names: Vec<String> = set().features.iter().map(|feature| feature.name.clone()).collect();
    let mut graph = Graph::new("fraud");
    let features = graph.input("features", TensorType::rows(ElementType::F64, names.len()), "").unwrap();
    let first = graph.columns(&features, &[0]).unwrap();
    let missing = graph.is_nan(&first).unwrap();
    let there = graph.not(&missing).unwrap();
    let always = graph.or(&missing, &there).unwrap();
    let one = graph.cast(&always, ElementType::F64).unwrap();
    let said = graph.constant("said", Constant::f64(&[1], vec![probability]).unwrap());
    let said = graph.mul(&one, &said).unwrap();
    graph.output("probability", &said, "").unwrap();
    let port = |name: &str, columns: &[String], width| Port {
        name: name.to_owned(),
        element: Element::Float64,
        shape: vec![None, Some(width)],
        columns: columns.to_vec(),
    };
    let tensor =
        |width: usize, value: f64| Tensor::new(vec![1, width], Values::Float64(vec![value; width])).unwrap();
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    let about = About {
        family: "two_stages".to_owned(),
        job: "fraud".to_owned(),
        features: FeatureSchema {
            set: set().full_name(),
            fingerprint: Fingerprint(set().fingerprint()),
            names: names.clone(),
        },
        signature: Signature {
            inputs: vec![port("features", &names, names.len())],
            outputs: vec![port("probability", &["probability".to_owned()], 1)],
        },
        training: Training { from: at(0), to: at(1), rows: 1, data: Fingerprint::of(b"none") },
        seed: 1,
        metrics: Vec::new(),
        gates: Vec::new(),
        calibration: None,
        thresholds: Vec::new(),
        parity: vec![ParityVector {
            inputs: BTreeMap::from([("features".to_owned(), tensor(names.len(), 1.0))]),
            outputs: BTreeMap::from([("probability".to_owned(), tensor(1, probability))]),
            tolerance: 1e-12,
        }],
        commit: "0123abc".to_owned(),
        licence: "Apache-2.0".to_owned(),
        created_at: at(1_769_000_000),
    };
    let model = graph.finish(&Metadata::default()).unwrap();
    Publication { about, model, report: String::new(), files: BTreeMap::new() }
}

/// A champion that trusts everybody, and a challenger that trusts nobody.
fn registry(folder: &Path) {
    let (registry, name) = (Registry::in_folder(folder), "fraud".parse::<ModelName>().unwrap());
    let host = Host::open(folder).unwrap();
    for (version, probability, alias) in [(1, 0.001, Alias::Champion), (2, 0.999, Alias::Challenger)] {
        registry.publish(&name, &publication(probability)).unwrap();
        let at = DateTime::from_timestamp(0, 0).unwrap();
        let decision = Decision { by: "ana".to_owned(), why: "a test".to_owned(), at };
        let version = Version(version);
        let promotion = Promotion { model: name.clone(), version, alias, decision, force: Force::No };
        registry.promote(&promotion, host.runtime().unwrap()).unwrap();
    }
}

/// A world that such a champion and such a challenger are served in.
pub(super) async fn world(folder: &Path) -> World {
    registry(folder);
    let world = World::new().await;
    World { api: world.api.with_models(folder), ..world }
}

async fn settle(world: &World, canary: &str, replaces: i64) {
    let settings = json!({"mode": "shadow", "policy": policy(0), "canary": canary});
    world.api.made("/api/v1/fraud/settings", json!({"replaces": replaces, "settings": settings})).await;
}

fn models(score: &Value) -> (&Value, &Value, &Value, &Value) {
    let record = &score["record"];
    (
        &record["is_canary"],
        &record["models"][0]["version"],
        &record["shadow"]["model"]["version"],
        &record["shadow"]["verdict"],
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_challenger_answers_in_the_shadow_and_decides_in_the_canary() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    world.catch_up().await;
    let sale = world.sale(world.click("192.0.2.0", BROWSER, 600).await, "A1").await;
    let score = world.score_of(&sale).await;
    assert_eq!(models(&score), (&json!(false), &json!("1"), &json!("2"), &json!("hold")), "{score}");
    assert_eq!((&score["decision"], &score["is_reproduced"]), (&json!("approve"), &json!(true)));
    settle(&world, "100%", 0).await;
    let sale = world.sale(world.click("192.0.2.0", BROWSER, 600).await, "A2").await;
    let score = world.score_of(&sale).await;
    assert_eq!(models(&score), (&json!(true), &json!("2"), &json!("1"), &json!("approve")), "{score}");
    assert_eq!((&score["decision"], &score["is_reproduced"]), (&json!("hold"), &json!(true)));
    // A share beyond everybody is none.
    let settings = json!({"replaces": 1, "settings": {"canary": "101%"}});
    let refused = world.api.post("/api/v1/fraud/settings", settings).await;
    assert!(refused.problem().contains("canary is 101%, and can be 100% at most"), "{refused}");
    // Whoever looks at the model sees both, and what became of what they said.
    let id = sale["id"].as_str().unwrap();
    world.api.made(&format!("/api/v1/conversions/{id}/approve"), json!({})).await;
    let asked = json!({"conversions": [{"conversion_id": id}]});
    world.api.made("/api/v1/score/conversions", asked).await;
    let health = world.api.get("/api/v1/models/fraud/health").await.body;
    assert_eq!((&health["champion"], &health["challenger"]), (&json!(1), &json!(2)), "{health}");
    let decisions = &health["decisions"];
    assert_eq!(decisions["versions"], json!({"1": 1, "2": 1}), "{health}");
    let compared = &decisions["compared"];
    assert_eq!(
        (&compared["decided"], &compared["agreed"], &compared["only_champion"], &compared["only_challenger"]),
        (&json!(2), &json!(0), &json!(0), &json!(2)),
        "the challenger would hold both, in the canary and out of it"
    );
    let held = &compared["honest_held"];
    assert_eq!((&held[0]["share"], &held[1]["share"]), (&json!(0.0), &json!(1.0)), "{health}");
    assert_eq!(decisions["matured"]["honest_held"]["share"], 1.0, "{health}");
    assert_eq!(decisions["campaigns"][0]["approved"], 1, "{health}");
}

#[test]
fn the_same_partners_stay_in_the_canary_when_it_grows() {
    let in_force = |canary: &str| {
        let settings = FraudSettings { canary: canary.parse().unwrap(), ..FraudSettings::default() };
        InForce::check(settings, 1).unwrap()
    };
    let partners: Vec<AffiliateId> = (0..10_000).map(|number| uuid::Uuid::from_u128(number).into()).collect();
    let inside = |canary: &str| -> Vec<bool> {
        let in_force = in_force(canary);
        partners.iter().map(|partner| in_force.is_canary(*partner)).collect()
    };
    let count = |inside: &[bool]| inside.iter().filter(|inside| **inside).count();
    let (few, more) = (inside("5%"), inside("20%"));
    assert!((400..600).contains(&count(&few)) && (1_800..2_200).contains(&count(&more)));
    assert!(few.iter().zip(&more).all(|(few, more)| !few || *more));
    assert_eq!((count(&inside("0%")), count(&inside("100%"))), (0, partners.len()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bound_that_begins_or_ceases_to_be_crossed_is_announced_once() {
    let world = World::new().await;
    let click = world.click("192.0.2.0", BROWSER, 600).await;
    // Nothing was filled: each decision is made without features.
    for order in 0..100 {
        world.sale(click, &format!("A{order}")).await;
    }
    let bench = world.api.workbench();
    let job = jobs::JOBS.iter().find(|job| job.name() == "decision_health").unwrap();
    assert_eq!(jobs::once(*job, &bench).await.unwrap(), 1);
    assert_eq!(jobs::once(*job, &bench).await.unwrap(), 0, "it was announced before");
    let health = world.api.get("/api/v1/models/fraud/health").await.body;
    let crossed = |health: &Value| -> Vec<String> {
        let bounds = health["decisions"]["bounds"].as_array().unwrap().iter();
        let crossed = bounds.filter(|bound| bound["is_crossed"] == true);
        crossed.map(|bound| bound["words"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        crossed(&health),
        ["100 of 100 decisions were made without features or model that there should be"]
    );
    assert_eq!(health["crossed"][0]["bound"], "degraded", "{health}");
    world.api.app.clock.advance(TimeDelta::days(8));
    assert_eq!(jobs::once(*job, &bench).await.unwrap(), 1);
    let announced = world.api.announced().await;
    let of_bounds: Vec<&String> = announced.iter().filter(|kind| kind.starts_with("model.")).collect();
    assert_eq!(of_bounds, ["model.crossed", "model.kept"]);
    let health = world.api.get("/api/v1/models/fraud/health").await.body;
    assert_eq!((crossed(&health).len(), &health["crossed"]), (0, &json!([])), "{health}");
    for (path, expected) in
        [("fraud/health?days=0", 400), ("unknown/health", 404), ("fraud/health?dayz=3", 400)]
    {
        let answer = world.api.get(&format!("/api/v1/models/{path}")).await;
        assert_eq!(answer.status.as_u16(), expected, "{path}: {answer}");
    }
}
