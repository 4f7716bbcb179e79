//! What the service is asked in a benchmark: rows for a model, reports of conversions, and signed postbacks, as they travel.

use anyhow::{Context, Result};
use client::Shop;
use domain::{Chance, Clock, signature::standard};
use serde_json::{Value, json};

use super::stage::{MODEL, Stage};
use crate::bench::figure::count;

/// The features of the ensemble.
const FEATURES: usize = 30;
/// How many different rows and reports are sent, again and again.
pub const DIFFERENT: usize = 256;
/// The same seed prepares the same requests.
const SEED: u64 = 10;

/// A request with a body of JSON.
fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn bearer(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}

/// Rows of the ensemble's features, one a request, as bodies of the Open Inference Protocol.
pub fn rows(how_many: usize) -> Vec<String> {
    let chance = Chance::seeded(SEED);
    let row = |_| {
        let data: Vec<f64> = (0..FEATURES).map(|_| count(chance.below(10_000)) / 10_000.0).collect();
        let input = json!({"name": "x", "shape": [1, FEATURES], "datatype": "FP32", "data": data});
        json!({"inputs": [input]}).to_string()
    };
    (0..how_many).map(row).collect()
}

/// The same as requests.
pub fn inferences(key: &str, how_many: usize) -> Vec<String> {
    let path = format!("/v2/models/{MODEL}/infer");
    rows(how_many).iter().map(|body| post(&path, &bearer(key), body)).collect()
}

/// Reports of orders that are scored and not taken in, one a request.
pub fn scores(stage: &Stage) -> Vec<String> {
    let of = |number: usize| {
        let report = json!({
            "click_id": stage.clicks[number % stage.clicks.len()],
            "event": "sale",
            "amount": format!("{}.50", 20 + number % 200),
            "currency": "EUR",
            "order_id": format!("S-{number}"),
            "customer_id": format!("C-{}", number % 97),
            "ip": format!("198.51.100.{}", 1 + number % 250),
            "email": format!("customer{}@mail.example", number % 97),
        });
        scores_of(stage, &json!({"conversions": [{"report": report}]}))
    };
    (0..DIFFERENT).map(of).collect()
}

/// What is asked of conversions, as a request.
pub fn scores_of(stage: &Stage, body: &Value) -> String {
    post("/api/v1/score/conversions", &bearer(&stage.cluster.api_key), &body.to_string())
}

/// Postbacks, each about an order of its own, signed now; `run` tells their orders from those of other runs.
pub fn postbacks(stage: &Stage, run: &str, how_many: usize) -> Result<Vec<String>> {
    let Shop { advertiser, key } = &stage.program.shop;
    let (path, at) = (format!("/postback/{advertiser}"), Clock::system().now());
    let of = |number: usize| {
        let body = json!({
            "click_id": stage.clicks[number % stage.clicks.len()],
            "event": "sale",
            "amount": format!("{}.50", 20 + number % 200),
            "currency": "EUR",
            "order_id": format!("{run}-{number}"),
            "customer_id": format!("C-{}", number % 997),
        });
        let (body, id) = (body.to_string(), format!("msg_{run}_{number}"));
        let signature = standard::sign(key, &id, at, body.as_bytes()).context("a postback is signed")?;
        let headers = format!(
            "{}: {id}\r\n{}: {}\r\n{}: {signature}\r\n",
            standard::ID_HEADER,
            standard::TIMESTAMP_HEADER,
            at.timestamp(),
            standard::SIGNATURE_HEADER
        );
        Ok(post(&path, &headers, &body))
    };
    (0..how_many).map(of).collect()
}
