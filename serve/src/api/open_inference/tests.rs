//! A model as clients of the protocol see it: told, run in JSON and in bytes, swapped, refused.

use std::{collections::BTreeMap, path::Path};

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use chrono::{DateTime, TimeDelta};
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

use crate::{
    api::testing::{Answer, Api},
    host::Host,
};

/// A model of every kind of tensor: the weighted amount, whether a country is Germany, and a count in 32 bits.
pub fn graph(weight: f64) -> Vec<u8> {
    graph_of("amount", 2, weight)
}

/// The same with another name or number of amounts.
pub fn graph_of(amount: &str, amounts: usize, weight: f64) -> Vec<u8> {
    let mut graph = Graph::new("sample");
    let amount = graph.input(amount, TensorType::rows(ElementType::F64, amounts), "amounts").unwrap();
    let country = graph.input("country", TensorType::rows(ElementType::Text, 1), "a country").unwrap();
    let clicks = graph.input("clicks", TensorType::rows(ElementType::I64, 1), "clicks").unwrap();
    let weight = graph.constant("weight", Constant::f64(&[1], vec![weight]).unwrap());
    let weighted = graph.mul(&amount, &weight).unwrap();
    graph.output("weighted", &weighted, "the amounts by their weight").unwrap();
    let german = graph.constant("german", Constant::text(&[1], vec!["DE".to_owned()]).unwrap());
    let is_german = graph.equal(&country, &german).unwrap();
    let is_german = graph.cast(&is_german, ElementType::I64).unwrap();
    graph.output("is_german", &is_german, "1 in Germany").unwrap();
    let count = graph.cast(&clicks, ElementType::F32).unwrap();
    graph.output("count", &count, "how many clicks").unwrap();
    graph.finish(&Metadata::default()).unwrap()
}

fn port(name: &str, element: Element, columns: &[&str], width: usize) -> Port {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    Port { name: name.to_owned(), element, shape: vec![None, Some(width)], columns }
}

pub fn publication(weight: f64) -> Publication {
    let tensor = |width, values| Tensor::new(vec![1, width], values).unwrap();
    let inputs = [
        ("amount", tensor(2, Values::Float64(vec![1.0, 2.0]))),
        ("country", tensor(1, Values::Text(vec!["DE".to_owned()]))),
        ("clicks", tensor(1, Values::Int64(vec![3]))),
    ];
    let outputs = [
        ("weighted", tensor(2, Values::Float64(vec![weight, 2.0 * weight]))),
        ("is_german", tensor(1, Values::Int64(vec![1]))),
        ("count", tensor(1, Values::Float32(vec![3.0]))),
    ];
    let named = |all: [(&str, Tensor); 3]| BTreeMap::from(all.map(|(name, it)| (name.to_owned(), it)));
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    let about = About {
        family: "linear".to_owned(),
        job: "sample".to_owned(),
        features: FeatureSchema::of_columns("sample_v1", &["first", "second", "country", "clicks"]),
        signature: Signature {
            inputs: vec![
                port("amount", Element::Float64, &["first", "second"], 2),
                port("country", Element::Text, &["country"], 1),
                port("clicks", Element::Int64, &["clicks"], 1),
            ],
            outputs: vec![
                port("weighted", Element::Float64, &[], 2),
                port("is_german", Element::Int64, &[], 1),
                port("count", Element::Float32, &[], 1),
            ],
        },
        training: Training { from: at(0), to: at(1), rows: 1, data: Fingerprint::of(b"none") },
        seed: 1,
        metrics: Vec::new(),
        gates: Vec::new(),
        calibration: None,
        thresholds: Vec::new(),
        parity: vec![ParityVector { inputs: named(inputs), outputs: named(outputs), tolerance: 1e-9 }],
        commit: "0123abc".to_owned(),
        licence: "Apache-2.0".to_owned(),
        created_at: at(1_769_000_000),
    };
    Publication {
        about,
        model: graph(weight),
        report: "<h1>sample</h1>\n".to_owned(),
        files: BTreeMap::new(),
    }
}

pub fn sample() -> ModelName {
    "sample".parse().unwrap()
}

/// A registry with versions of these weights, of which none has an alias.
pub fn registry(folder: &Path, weights: &[f64]) -> Registry {
    let registry = Registry::in_folder(folder);
    for weight in weights {
        registry.publish(&sample(), &publication(*weight)).unwrap();
    }
    registry
}

pub fn promote(registry: &Registry, folder: &Path, version: u32, alias: Alias) {
    let decision = Decision {
        by: "ana".to_owned(),
        why: "better".to_owned(),
        at: DateTime::from_timestamp(0, 0).unwrap(),
    };
    let version = Version(version);
    let promotion = Promotion { model: sample(), version, alias, decision, force: Force::No };
    registry.promote(&promotion, Host::open(folder).unwrap().runtime().unwrap()).unwrap();
}

pub async fn infer(api: &Api, path: &str, body: &Value) -> Answer {
    api.send(api.request(Method::POST, path).body(Body::from(body.to_string())).unwrap()).await
}

pub fn rows() -> Value {
    json!({
        "id": "order 7",
        "inputs": [
            {"name": "clicks", "shape": [2, 1], "datatype": "INT64", "data": [[3], [-9]]},
            {"name": "amount", "shape": [2, 2], "datatype": "FP64", "data": [[1, 2.5], [null, -1e300]]},
            {"name": "country", "shape": [2, 1], "datatype": "BYTES", "data": ["DE", "Åland"]},
        ],
    })
}

pub const INFER: &str = "/v2/models/sample/infer";

#[tokio::test]
async fn a_model_is_told_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry(folder.path(), &[2.0, 3.0]);
    promote(&registry, folder.path(), 1, Alias::Champion);
    let api = Api::start().await.with_models(folder.path());
    insta::assert_snapshot!(api.get("/v2/models/sample").await.text, @r#"{"name":"sample","versions":["1"],"platform":"onnx_onnxv1","inputs":[{"name":"amount","datatype":"FP64","shape":[-1,2]},{"name":"country","datatype":"BYTES","shape":[-1,1]},{"name":"clicks","datatype":"INT64","shape":[-1,1]}],"outputs":[{"name":"weighted","datatype":"FP64","shape":[-1,2]},{"name":"is_german","datatype":"INT64","shape":[-1,1]},{"name":"count","datatype":"FP32","shape":[-1,1]}]}"#);
    insta::assert_snapshot!(api.get("/v2/models/sample/versions/1/ready").await.text, @r#"{"name":"sample","ready":true}"#);
    insta::assert_snapshot!(infer(&api, INFER, &rows()).await.text, @r#"{"model_name":"sample","model_version":"1","id":"order 7","outputs":[{"name":"weighted","datatype":"FP64","shape":[2,2],"data":[2.0,5.0,null,-2e+300]},{"name":"is_german","datatype":"INT64","shape":[2,1],"data":[1,0]},{"name":"count","datatype":"FP32","shape":[2,1],"data":[3.0,-9.0]}]}"#);
    let mut one = rows();
    one["outputs"] = json!([{"name": "count"}]);
    insta::assert_snapshot!(infer(&api, "/v2/models/sample/versions/1/infer", &one).await.text, @r#"{"model_name":"sample","model_version":"1","id":"order 7","outputs":[{"name":"count","datatype":"FP32","shape":[2,1],"data":[3.0,-9.0]}]}"#);
    promote(&registry, folder.path(), 2, Alias::Challenger);
    api.app.models.look();
    let version = async |path| infer(&api, path, &rows()).await.body["model_version"].clone();
    assert_eq!(version(INFER).await, "1");
    assert_eq!(version("/v2/models/sample/versions/2/infer").await, "2");
}

#[tokio::test]
async fn tensors_go_and_come_as_bytes() {
    let folder = tempfile::tempdir().unwrap();
    promote(&registry(folder.path(), &[2.0]), folder.path(), 1, Alias::Champion);
    let api = Api::start().await.with_models(folder.path());
    let texts: Vec<u8> = [&[2, 0, 0, 0][..], b"DE", &[0; 4]].concat();
    let amounts: Vec<u8> = [1.0, f64::NAN, 3.0, 4.0].iter().flat_map(|it: &f64| it.to_le_bytes()).collect();
    let clicks: Vec<u8> = [7_i64, -1].iter().flat_map(|it| it.to_le_bytes()).collect();
    let size = |bytes: &[u8]| json!({"binary_data_size": bytes.len()});
    let asked = json!({
        "inputs": [
            {"name": "country", "shape": [2, 1], "datatype": "BYTES", "parameters": size(&texts)},
            {"name": "amount", "shape": [2, 2], "datatype": "FP64", "parameters": size(&amounts)},
            {"name": "clicks", "shape": [2, 1], "datatype": "INT64", "parameters": size(&clicks)},
        ],
        "outputs": [
            {"name": "weighted", "parameters": {"binary_data": true}},
            {"name": "is_german"},
            {"name": "count", "parameters": {"binary_data": true}},
        ],
    });
    let asked = asked.to_string();
    let request = |length: usize, bytes: &[u8]| {
        let body = [asked.as_bytes(), bytes].concat();
        let request = api.request(Method::POST, INFER).header("inference-header-content-length", length);
        request.header(header::CONTENT_TYPE, "application/octet-stream").body(Body::from(body)).unwrap()
    };
    let behind = [texts, amounts, clicks].concat();
    let (headers, bytes) = api.bytes(request(asked.len(), &behind)).await;
    let length = headers["inference-header-content-length"].to_str().unwrap().parse().unwrap();
    let (told, tensors) = bytes.split_at(length);
    insta::assert_snapshot!(str::from_utf8(told).unwrap(), @r#"{"model_name":"sample","model_version":"1","outputs":[{"name":"weighted","datatype":"FP64","shape":[2,2],"parameters":{"binary_data_size":32}},{"name":"is_german","datatype":"INT64","shape":[2,1],"data":[1,0]},{"name":"count","datatype":"FP32","shape":[2,1],"parameters":{"binary_data_size":8}}]}"#);
    let (weighted, counts) = tensors.split_at(32);
    let weighted: Vec<f64> = weighted.as_chunks().0.iter().map(|it| f64::from_le_bytes(*it)).collect();
    assert!(weighted[1].is_nan());
    assert_eq!((weighted[0], weighted[2], weighted[3]), (2.0, 6.0, 8.0));
    let counts: Vec<f32> = counts.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it)).collect();
    assert_eq!(counts, [7.0, -1.0]);
    let refused = async |length, bytes: &[u8]| api.send(request(length, bytes)).await.problem();
    insta::assert_snapshot!(refused(asked.len() + 999, &behind).await, @"422 unprocessable:  [: Inference-Header-Content-Length is not how many bytes of the body are JSON]");
    insta::assert_snapshot!(refused(asked.len(), &behind[..50]).await, @"422 unprocessable:  [/inputs/2/parameters/binary_data_size: 16 bytes are announced, and 8 are left of the body]");
    insta::assert_snapshot!(refused(asked.len(), &[&behind[..], b"?"].concat()).await, @"422 unprocessable:  [: 1 bytes at the end of the body belong to no input]");
}

#[tokio::test]
async fn what_does_not_fit_is_said_in_words_of_the_protocol() {
    let folder = tempfile::tempdir().unwrap();
    promote(&registry(folder.path(), &[2.0]), folder.path(), 1, Alias::Champion);
    let api = Api::start().await.with_models(folder.path());
    let check = async |pointer: &str, value: Value| {
        let mut asked = rows();
        *asked.pointer_mut(pointer).unwrap() = value;
        let answer = infer(&api, INFER, &asked).await;
        assert_ne!(answer.body["error"], Value::Null, "{answer}");
        answer.problem()
    };
    insta::assert_snapshot!(check("/inputs/0/name", json!("orders")).await, @"422 unprocessable:  [/inputs/0/name: sample has no such input: it takes amount, country, clicks]");
    insta::assert_snapshot!(check("/inputs/0/name", json!("amount")).await, @"422 unprocessable:  [/inputs/1/name: this input is there twice]");
    insta::assert_snapshot!(check("/inputs/0/datatype", json!("FP32")).await, @r#"422 unprocessable:  [/inputs/0/datatype: "clicks" is INT64 and not "FP32"]"#);
    insta::assert_snapshot!(check("/inputs/0/data", json!([1.5, 2])).await, @"422 unprocessable:  [/inputs/0/data: number 0, counted from 0, is no INT64: 1.5]");
    insta::assert_snapshot!(check("/inputs/0/data", json!([1])).await, @"422 unprocessable:  [/inputs/0/data: a tensor of shape [2, 1] holds 2 numbers, and there are 1]");
    insta::assert_snapshot!(check("/inputs/0/data", json!({"x": 1})).await, @"422 unprocessable:  [/inputs/0/data: invalid type: map, expected a list of numbers or texts]");
    insta::assert_snapshot!(check("/inputs/0/shape", json!([1, 2])).await, @r#"422 unprocessable:  [/inputs: sample takes "amount" float64 [rows, 2], "country" str [rows, 1], "clicks" int64 [rows, 1], and was given "amount" float64 [2, 2], "country" str [2, 1], "clicks" int64 [1, 2]]"#);
    insta::assert_snapshot!(check("/inputs/0/shape", json!([u64::MAX, 2])).await, @"422 unprocessable:  [/inputs/0/shape: no tensor is so large]");
    insta::assert_snapshot!(check("/inputs/0/shape", json!([-1, 1])).await, @"422 unprocessable:  [/inputs/0/shape/0: invalid value: integer `-1`, expected usize]");
    insta::assert_snapshot!(check("/inputs", json!([])).await, @r#"422 unprocessable:  [/inputs: sample takes the input "amount", which is missing]"#);
    let mut asked = rows();
    asked["outputs"] = json!([{"name": "score"}]);
    insta::assert_snapshot!(infer(&api, INFER, &asked).await.problem(), @"422 unprocessable:  [/outputs/0/name: sample has no such output: it gives weighted, is_german, count]");
    asked["outputs"] = json!([{"name": "count"}, {"name": "count"}]);
    insta::assert_snapshot!(infer(&api, INFER, &asked).await.problem(), @"422 unprocessable:  [/outputs/1/name: this output is there twice]");
    insta::assert_snapshot!(check("/inputs/0/shape", json!(vec![1; 1000])).await, @r#"422 unprocessable:  [/inputs/0/shape: "clicks" has 2 dimensions, and 1000 were given]"#);
    let unknown = api.get("/v2/models/nobody").await;
    insta::assert_snapshot!(unknown.body["error"], @r#""no model is called \"nobody\" here""#);
    insta::assert_snapshot!(api.get("/v2/models/sample/versions/9").await.problem(), @"404 not_found: version 9 of sample is not loaded: loaded is 1 as champion");
    insta::assert_snapshot!(api.get("/v2/models/sample/versions/x/ready").await.problem(), @r#"404 not_found: expected a version such as 3, or champion or challenger, and got "x""#);
}

#[tokio::test]
async fn anybody_may_ask_whether_it_lives_and_nobody_else_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    promote(&registry(folder.path(), &[2.0]), folder.path(), 1, Alias::Champion);
    let api = Api::start().await.with_models(folder.path());
    let open = async |path: &str| {
        let answer = api.send(Request::get(path).body(Body::empty()).unwrap()).await;
        format!("{} {}", answer.status.as_u16(), answer.text)
    };
    insta::assert_snapshot!(open("/v2").await, @r#"200 {"extensions":["binary_tensor_data"],"name":"tributary","version":"0.1.0"}"#);
    insta::assert_snapshot!(open("/v2/health/live").await, @r#"200 {"live":true}"#);
    insta::assert_snapshot!(open("/v2/health/ready").await, @r#"200 {"ready":true}"#);
    assert!(open("/v2/models/sample").await.starts_with("401 "));
    let reader = api.new_key(&["models:read"], None).await;
    assert_eq!(api.get_as(&reader, "/v2/models/sample").await.status, 200);
    let request = Request::post(INFER).header(header::AUTHORIZATION, format!("Bearer {reader}"));
    let answer = api.send(request.body(Body::from(rows().to_string())).unwrap()).await;
    insta::assert_snapshot!(answer.body["error"], @r#""this key does not have the scope models:infer""#);
    let affiliate = api.affiliate("Ana").await;
    let own = api.new_key(&["*"], Some(affiliate)).await;
    assert_eq!(api.get_as(&own, "/v2/models/sample").await.status, 403);
}

#[tokio::test]
async fn a_model_moves_by_the_api_and_serves_at_once() {
    let folder = tempfile::tempdir().unwrap();
    registry(folder.path(), &[2.0, 3.0]);
    let api = Api::start().await.with_models(folder.path());
    insta::assert_snapshot!(infer(&api, INFER, &rows()).await.problem(), @"503 unavailable: sample has no champion that serves: promote a version, or look why the one there is was refused");
    let post = async |what: &str, body: Value| api.post(&format!("/api/v1/models/sample/{what}"), body).await;
    let version = async || infer(&api, INFER, &rows()).await.body["model_version"].clone();
    insta::assert_snapshot!(post("promote", json!({"version": 1, "why": "the first"})).await, @r#"
    200 {
      "challenger": {
        "named": null,
        "serves": null
      },
      "champion": {
        "named": 1,
        "serves": 1
      },
      "name": "sample"
    }
    "#);
    assert_eq!(version().await, "1");
    post("promote", json!({"version": 2, "why": "better in May"})).await;
    assert_eq!(version().await, "2");
    insta::assert_snapshot!(post("promote", json!({"version": 2, "why": "again"})).await.problem(), @"409 illegal_move: sample 2 is its champion already");
    insta::assert_snapshot!(post("promote", json!({"version": 7, "why": "the next"})).await.problem(), @"404 not_found: sample has no version 7: it has 1, 2");
    post("withdraw", json!({"why": "it holds everybody"})).await;
    assert_eq!(version().await, Value::Null);
    insta::assert_snapshot!(post("withdraw", json!({"why": "once more"})).await.problem(), @"409 illegal_move: sample has no champion: name one with `tributary-train models promote sample VERSION --alias champion`");
    post("rollback", json!({"why": "it was the data"})).await;
    assert_eq!(version().await, "2");
    post("rollback", json!({"why": "it was not"})).await;
    assert_eq!(version().await, "1");
    insta::assert_snapshot!(post("rollback", json!({"why": "and before"})).await.problem(), @"409 illegal_move: sample had no champion before this one: promote a version instead");
    let whole = api.get("/api/v1/models/sample").await;
    let moves = whole.body["history"].as_array().unwrap();
    let moves: Vec<_> = moves.iter().map(|it| format!("{} {}", it["to"], it["why"])).collect();
    insta::assert_snapshot!(moves.join("\n"), @r#"
    1 "it was not"
    2 "it was the data"
    null "it holds everybody"
    2 "better in May"
    1 "the first"
    "#);
    insta::assert_snapshot!(api.get("/api/v1/models").await, @r#"
    200 {
      "data": [
        {
          "challenger": {
            "named": null,
            "serves": null
          },
          "champion": {
            "named": 1,
            "serves": 1
          },
          "name": "sample"
        }
      ],
      "has_more": false,
      "next": null
    }
    "#);
    insta::assert_snapshot!(api.get("/api/v1/models/nobody").await.problem(), @"404 not_found: there is no model nobody: the registry holds sample");
    insta::assert_snapshot!(api.get("/api/v1/models/No%20body").await.problem(), @r#"400 malformed_id:  [/id: "No body" cannot name a model: begin with a lower-case letter and go on with lower-case letters, digits, - and _, at most 64 of them]"#);
}

#[tokio::test]
async fn a_version_that_does_not_prove_itself_is_told_and_never_serves() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry(folder.path(), &[2.0, 3.0]);
    promote(&registry, folder.path(), 1, Alias::Champion);
    let api = Api::start().await.with_models(folder.path());
    promote(&registry, folder.path(), 2, Alias::Champion);
    std::fs::write(folder.path().join("sample/2/model.onnx"), "not a model").unwrap();
    api.app.models.look();
    assert_eq!(infer(&api, INFER, &rows()).await.body["model_version"], "1");
    let champion = api.get("/api/v1/models/sample").await.body["champion"].clone();
    assert_eq!((&champion["named"], &champion["serves"]), (&json!(2), &json!(1)));
    assert!(champion["refused"].as_str().unwrap().contains("SHA-256"), "{champion}");
    assert!(api.app.models.faults()[0].starts_with("champion of sample: sample 2 was not loaded"));
    std::fs::remove_dir_all(folder.path().join("sample")).unwrap();
    api.app.models.look();
    assert_eq!(infer(&api, INFER, &rows()).await.body["model_version"], "1");
}

#[tokio::test]
async fn without_a_registry_there_is_no_model_and_that_is_said() {
    let api = Api::start().await;
    assert_eq!(api.get("/api/v1/models").await.body["data"], json!([]));
    insta::assert_snapshot!(api.get("/api/v1/models/sample").await.problem(), @"404 not_found: this service has no registry of models: start it with --registry");
    insta::assert_snapshot!(infer(&api, INFER, &rows()).await.problem(), @r#"404 not_found: no model is called "sample" here"#);
}

#[tokio::test]
async fn it_goes_on_without_the_database_and_a_revoked_key_does_not() {
    let folder = tempfile::tempdir().unwrap();
    promote(&registry(folder.path(), &[2.0]), folder.path(), 1, Alias::Champion);
    let api = Api::start().await.with_models(folder.path());
    let key = api.new_key(&["models:infer"], None).await;
    let status = async |key: &str| {
        let request = Request::post(INFER).header(header::AUTHORIZATION, format!("Bearer {key}"));
        api.send(request.body(Body::from(rows().to_string())).unwrap()).await.status.as_u16()
    };
    assert_eq!((status(&key).await, status(&api.key).await), (200, 200));
    let id = key.split('_').nth(2).unwrap();
    api.delete(&format!("/api/v1/api-keys/key_{id}")).await;
    api.app.clock.advance(TimeDelta::seconds(5));
    assert_eq!((status(&key).await, status(&api.key).await), (401, 200));
    api.app.db.close().await;
    api.app.clock.advance(TimeDelta::minutes(10));
    assert_eq!((status(&key).await, status(&api.key).await), (401, 200));
    api.app.clock.advance(TimeDelta::minutes(10));
    assert_eq!(status(&api.key).await, 503);
}

#[tokio::test]
async fn around_an_inference_all_is_as_around_every_other_request() {
    let folder = tempfile::tempdir().unwrap();
    promote(&registry(folder.path(), &[2.0]), folder.path(), 1, Alias::Champion);
    let api = Api::start().await.with_models(folder.path());
    let ask = async |method: Method, body: String| {
        let request = api.request(method, INFER).header("x-request-id", "r1");
        api.send(request.body(Body::from(body)).unwrap()).await
    };
    let answer = ask(Method::POST, rows().to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-request-id")), (200, "r1"));
    insta::assert_snapshot!(answer.header("ratelimit-policy"), @r#""requests";q=100000;w=60"#);
    assert!(!infer(&api, INFER, &rows()).await.header("x-request-id").is_empty(), "each has an id");

    let large = ask(Method::POST, " ".repeat(16 * 1024 * 1024 + 1)).await;
    insta::assert_snapshot!(large.text, @r#"{"code":"too_large","error":"The body is too large","request_id":"r1","status":413,"title":"The body is too large","type":"urn:tributary:problem:too_large"}"#);
    assert_ne!(large.header("ratelimit"), "", "it is counted like any other");
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        let refused = ask(method.clone(), String::new()).await;
        assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, "POST"), "{method}");
        if method != Method::HEAD {
            insta::allow_duplicates! {
                insta::assert_snapshot!(refused.text, @r#"{"code":"method_not_allowed","detail":"served are POST","error":"served are POST","request_id":"r1","status":405,"title":"This method is not served here","type":"urn:tributary:problem:method_not_allowed"}"#);
            }
        }
    }
    let stranger = Request::post(INFER).body(Body::from(rows().to_string())).unwrap();
    let refused = api.send(stranger).await;
    assert_eq!((refused.status.as_u16(), refused.header("www-authenticate")), (401, "Bearer"));
    insta::assert_snapshot!(refused.body["error"], @r#""send Authorization: Bearer and a key""#);
}

#[test]
fn only_where_models_are_run_an_answer_is_brief() {
    for path in super::INFER {
        let path = path.replace("{model}", "fraud").replace("{version}", "3");
        assert!(super::is_brief(&path), "{path}");
    }
    for path in [
        "/v2/models/infer",
        "/v2/models//infer",
        "/v2/models/fraud/versions/infer",
        "/v2/models/fraud/versions/1/2/infer",
        "/v2/models/a/b/infer",
        "/v2/models/fraud/infer/",
        "/api/v1/models/fraud/infer",
        "/c/infer",
    ] {
        assert!(!super::is_brief(path), "{path}");
    }
}

#[tokio::test]
async fn an_inference_that_ends_in_a_panic_is_an_answer_without_its_reason() {
    let answer = super::caught(async { panic!("a reason for ourselves") }).await;
    assert_eq!(answer.status(), 500);
    let answer = super::with_error(answer).await;
    insta::assert_snapshot!(Answer::read(answer).await.text, @r#"{"code":"internal","error":"Something failed on our side","status":500,"title":"Something failed on our side","type":"urn:tributary:problem:internal"}"#);
}
