//! What holds for every operation of the API, tried on each one that the document lists.

use std::{collections::BTreeSet, net::SocketAddr};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, header},
};
use domain::AffiliateId;
use serde_json::{Value, json};

use super::{document, testing::Api};
use crate::scope;

/// One operation as the document has it.
struct Operation {
    id: String,
    method: Method,
    path: String,
    scope: String,
    answers: BTreeSet<String>,
    /// What its good answers are written in.
    media_type: String,
    /// The prefix of the id in the path, if there is one.
    kind: Option<String>,
}

fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(_, operation)| operation.is_object());
        methods.map(|(method, operation)| read(&document, path, method, operation))
    });
    all.collect()
}

fn read(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let id = parameters.clone().find(|parameter| parameter["in"] == "path");
    let kind = id.map(|id| {
        let name = id["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let pattern = document["components"]["schemas"][name]["pattern"].as_str().unwrap();
        let kind = &pattern[1..4];
        kind.bytes().all(|byte| byte.is_ascii_lowercase()).then(|| kind.to_owned())
    });
    Operation {
        id: operation["operationId"].as_str().unwrap().to_owned(),
        method: method.to_ascii_uppercase().parse().unwrap(),
        path: path.to_owned(),
        scope: operation["security"][0]["key"][0].as_str().unwrap().to_owned(),
        answers: operation["responses"].as_object().unwrap().keys().cloned().collect(),
        media_type: operation["responses"]["200"]["content"]
            .as_object()
            .and_then(|content| content.keys().next())
            .map_or("application/json", String::as_str)
            .to_owned(),
        kind: kind.flatten(),
    }
}

impl Operation {
    fn path_of(&self, id: &str) -> String {
        self.path.replace("{id}", id)
    }

    /// Its path with an id that is well formed and unknown.
    fn some_path(&self) -> String {
        self.path_of(&format!("{}_01JH0000000000000000000000", self.kind.as_deref().unwrap_or_default()))
    }

    fn request(&self, path: &str) -> axum::http::request::Builder {
        Request::builder().method(self.method.clone()).uri(path)
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_words_and_a_scope() {
    let document = serde_json::to_value(document()).unwrap();
    let operations = operations();
    let names: BTreeSet<_> = operations.iter().map(|operation| &operation.id).collect();
    assert_eq!(names.len(), operations.len());
    for operation in &operations {
        let told = &document["paths"][&operation.path][operation.method.as_str().to_ascii_lowercase()];
        let summary = told["summary"].as_str().unwrap_or_default();
        assert!(10 < summary.len(), "{} says what it does", operation.id);
    }
    // The Open Inference Protocol is described by its own specification.
    let elsewhere = ["models:infer"];
    let used = operations.iter().map(|operation| operation.scope.as_str()).chain(elsewhere);
    let used: BTreeSet<_> = used.collect();
    assert_eq!(used, scope::NAMES.iter().copied().collect(), "scopes of the document and of scope.rs");
}

#[test]
fn the_document_refers_to_nothing_that_is_not_there_and_names_things_as_they_are_written() {
    let document = serde_json::to_value(document()).unwrap();
    let mut parts = vec![&document];
    while let Some(part) = parts.pop() {
        if let Some(place) = part["$ref"].as_str() {
            assert!(document.pointer(&place[1..]).is_some(), "{place} is not there");
        }
        for name in part["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert_eq!(name, name.to_lowercase(), "a name of ours is lower case on the wire");
        }
        parts.extend(part.as_object().into_iter().flat_map(|fields| fields.values()));
        parts.extend(part.as_array().into_iter().flatten());
    }
}

#[tokio::test]
async fn without_a_key_nobody_passes() {
    let api = Api::start().await;
    for operation in operations() {
        for credentials in [None, Some("Bearer"), Some("Bearer tbk_live_x"), Some("Basic YTpi")] {
            let mut request = operation.request(&operation.some_path());
            if let Some(credentials) = credentials {
                request = request.header(header::AUTHORIZATION, credentials);
            }
            let answer = api.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 401, "{} with {credentials:?}", operation.id);
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            assert_eq!(answer.body["code"], "unauthorized");
        }
    }
}

#[tokio::test]
async fn every_scope_but_the_right_one_is_refused() {
    let api = Api::start().await;
    for operation in operations() {
        let others: Vec<_> = scope::NAMES.iter().copied().filter(|name| *name != operation.scope).collect();
        let key = api.new_key(&others, None).await;
        let request =
            operation.request(&operation.some_path()).header(header::AUTHORIZATION, format!("Bearer {key}"));
        let answer = api.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 403, "{}: {answer}", operation.id);
    }
}

#[tokio::test]
async fn a_head_request_needs_what_a_get_needs() {
    let api = Api::start().await;
    for operation in operations().iter().filter(|operation| operation.method == Method::GET) {
        let head = Request::head(operation.some_path()).body(Body::empty()).unwrap();
        assert_eq!(api.send(head).await.status, 401, "{}", operation.id);
    }
}

#[tokio::test]
async fn nothing_is_answered_that_the_document_does_not_say() {
    let api = Api::start().await;
    let ids = ["x", "%00", "%FF", "..", "cnv_01JH0000000000000000000000", "clk_ZZZZZZZZZZZZZZZZZZZZZZZZZZ"];
    let queries = [
        "",
        "?limit=abc",
        "?limit=-1",
        "?limit=99999999999999999999",
        "?after=AAAA",
        "?colour=red",
        "?%FF=%00",
    ];
    let bodies: [(&str, Vec<u8>); 9] = [
        ("application/json", Vec::new()),
        ("application/json", b"{}".to_vec()),
        ("application/json", b"[]".to_vec()),
        ("application/json", b"{".to_vec()),
        ("application/json", b"\xff\xfe{}".to_vec()),
        (
            "application/json",
            br#"{"name": "\u0000", "code": "\u0000", "click_id": "\u0000", "reason": "\u0000"}"#.to_vec(),
        ),
        ("application/json", br#"{"amount": 1e999, "limit": 18446744073709551616, "name": 7}"#.to_vec()),
        ("text/plain", b"{}".to_vec()),
        ("application/json", vec![b' '; 300 * 1024]),
    ];
    for operation in operations() {
        let malformed = ids.iter().filter(|_| operation.kind.is_some()).map(|id| operation.path_of(id));
        let paths = malformed.chain([operation.some_path()]);
        for path in paths.flat_map(|path| queries.map(|query| format!("{path}{query}"))) {
            for (media_type, body) in &bodies {
                let request =
                    api.request(operation.method.clone(), &path).header(header::CONTENT_TYPE, *media_type);
                let answer = api.send(request.body(Body::from(body.clone())).unwrap()).await;
                let status = answer.status.as_u16().to_string();
                assert!(
                    operation.answers.contains(&status),
                    "{} {path} {media_type}: {answer}",
                    operation.id
                );
                let expected = if answer.status.is_success() {
                    &operation.media_type
                } else {
                    "application/problem+json"
                };
                let found = answer.header("content-type").split(';').next();
                assert_eq!(found, Some(expected), "{} {path}: {answer}", operation.id);
                assert_ne!(answer.header("x-request-id"), "");
                assert_ne!(answer.header("ratelimit"), "");
            }
        }
    }
}

/// Two affiliates with everything that an affiliate can have; each one's key shows nothing of the other.
#[tokio::test]
async fn an_affiliates_own_key_shows_only_its_own() {
    let api = Api::start().await;
    let (ana, bo, campaign) = (api.affiliate("Ana").await, api.affiliate("Bo").await, api.campaign().await);
    let shop = api.get("/api/v1/advertisers").await.column("id")[0].to_owned();
    for affiliate in [ana, bo] {
        let sale = api.sale(affiliate, &campaign, &format!("order of {affiliate}")).await;
        api.made(&format!("/api/v1/conversions/{sale}/approve"), json!({})).await;
        let link =
            api.get(&format!("/api/v1/links?affiliate_id={affiliate}")).await.column("id")[0].to_owned();
        let coupon = json!({"code": format!("C{affiliate}"), "link_id": link});
        api.made(&format!("/api/v1/advertisers/{shop}/coupons"), coupon).await;
        let own_terms =
            json!({"rules": [{"terms": {"model": "percentage", "rate": "9"}}], "affiliate_id": affiliate});
        api.made(&format!("/api/v1/campaigns/{campaign}/plans"), own_terms).await;
    }
    let key = api.new_key(&["*"], Some(ana)).await;
    let theirs = ids_of(&api, bo).await;
    let mut shown = 0;
    for operation in operations().iter().filter(|operation| operation.method == Method::GET) {
        let ids = match operation.kind.as_deref() {
            None => vec![String::new()],
            Some("adv") => vec![shop.clone()],
            Some("cmp") => vec![campaign.clone()],
            Some(kind) => {
                theirs.iter().filter(|id| id.starts_with(kind)).cloned().chain([ana.to_string()]).collect()
            }
        };
        for id in ids {
            let answer = api.get_as(&key, &operation.path_of(&id)).await;
            let names_bo = theirs.iter().any(|other| answer.text.contains(other.as_str()) && *other != id);
            assert!(!names_bo, "{} of {id} shows what is another's: {answer}", operation.id);
            let is_theirs = theirs.contains(&id);
            assert!(!is_theirs || answer.status.is_client_error(), "{} shows {id}: {answer}", operation.id);
            shown += usize::from(answer.status.is_success() && answer.text.contains(&ana.to_string()));
        }
    }
    assert!(7 <= shown, "Ana sees what is her own in {shown} places");
}

/// Everything that belongs to one affiliate alone.
async fn ids_of(api: &Api, affiliate: AffiliateId) -> Vec<String> {
    let mut ids = vec![affiliate.to_string(), format!("C{affiliate}").to_uppercase()];
    for list in [
        "links?affiliate_id",
        "conversions?affiliate_id",
        "commissions?affiliate_id",
        "ledger/accounts?owner_id",
    ] {
        let answer = api.get(&format!("/api/v1/{list}={affiliate}")).await;
        assert!(!answer.column("id").is_empty(), "{list} has something to hide");
        ids.extend(answer.column("id").into_iter().map(str::to_owned));
    }
    ids
}

#[tokio::test]
async fn a_method_that_is_not_served_is_told_which_are() {
    let api = Api::start().await;
    let answer =
        api.send(api.request(Method::TRACE, "/api/v1/affiliates").body(Body::empty()).unwrap()).await;
    insta::assert_snapshot!(format!("{} allow {}", answer.problem(), answer.header("allow")), @"405 method_not_allowed: served are GET, POST, HEAD allow GET, POST, HEAD");
    insta::assert_snapshot!(api.get("/api/v1/nowhere").await.problem(), @"404 not_found:");
    insta::assert_snapshot!(api.delete("/api/openapi.json").await.problem(), @"405 method_not_allowed:");
}

#[tokio::test]
async fn a_request_keeps_its_id_when_it_has_a_decent_one() {
    let api = Api::start().await;
    let with = async |id: &str| {
        let request = Request::get("/api/v1/links").header("x-request-id", id).body(Body::empty()).unwrap();
        let answer = api.send(request).await;
        assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(with("abc-123").await, "abc-123");
    assert!(with("a b\tc").await.starts_with("req_"));
    assert!(with(&"x".repeat(65)).await.starts_with("req_"));
}

#[tokio::test]
async fn a_key_that_asks_too_often_waits() {
    let api = Api::with_limits(2, 1).await;
    let ask = async || api.get("/api/v1/links").await;
    assert_eq!((ask().await.status.as_u16(), ask().await.status.as_u16()), (200, 200));
    let answer = ask().await;
    insta::assert_snapshot!(answer.problem(), @"429 too_many_requests: try again in 30 s");
    assert_eq!(
        (answer.header("retry-after"), answer.header("ratelimit-policy")),
        ("30", r#""requests";q=2;w=60"#)
    );
    let guess = async |address: &str| {
        let request = Request::get("/api/v1/links").header("x-forwarded-for", address);
        let request = request.extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 443))));
        api.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!(
        (guess("192.0.2.1").await, guess("192.0.2.1").await, guess("192.0.2.2").await),
        (401, 429, 401)
    );
}

#[tokio::test]
async fn while_the_database_is_away_everybody_is_asked_to_try_again() {
    let api = Api::start().await;
    api.app.db.close().await;
    for operation in operations() {
        let answer = api
            .send(api.request(operation.method.clone(), &operation.some_path()).body(Body::empty()).unwrap())
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("retry-after")),
            (503, "1"),
            "{}: {answer}",
            operation.id
        );
    }
}

#[tokio::test]
async fn the_document_is_served_and_is_the_committed_one() {
    let api = Api::start().await;
    let served = api.get(super::DOCUMENT_PATH).await;
    assert_eq!(served.body, serde_json::to_value(document()).unwrap());
    let committed: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap_or(json!(null));
    let hint = "renew it: cargo run -p serve -- openapi > serve/openapi.json";
    assert!(committed == served.body, "serve/openapi.json is not what the code says; {hint}");
}
