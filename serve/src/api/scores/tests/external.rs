//! A provider outside is asked where its answer could matter, and costs a decision its time limit at most. The provider is a
//! real HTTP server that answers as SEON's interface is documented, or not.

use std::{
    collections::VecDeque,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};
use tracing_subscriber::fmt::MakeWriter;

use super::{BROWSER, World};
use crate::{
    api::testing::scorer,
    app::App,
    host::Host,
    scoring::external::{External, settings::Settings},
};

const KEY: &str = "5e0n-k3y-that-nobody-may-read";
const ADDRESS: &str = "203.0.113.77";
const MAIL: &str = "ana.secret@mail.example";

/// How the provider answers.
#[derive(Clone, Debug)]
enum Reply {
    Score(f64),
    /// This, whatever it is.
    Raw(String),
    /// The score, when that is told.
    Late(Arc<Notify>, f64),
    /// Not before the test is over.
    Never,
}

/// A provider on this machine.
struct Provider {
    port: u16,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let replies = Arc::new(Mutex::new(replies.into_iter().collect::<VecDeque<_>>()));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (given, noted) = (Arc::clone(&replies), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&given), Arc::clone(&noted)));
            }
        });
        Self { port, replies, heard }
    }

    fn then(&self, reply: Reply) {
        self.replies.lock().unwrap().push_back(reply);
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn answer(
    mut stream: TcpStream,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    heard: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    loop {
        let Some(request) = request(&mut stream).await? else { return Ok(()) };
        heard.lock().unwrap().push(request);
        let reply = replies.lock().unwrap().pop_front().unwrap_or(Reply::Score(0.0));
        let text = match reply {
            Reply::Never => std::future::pending().await,
            Reply::Raw(text) => text,
            Reply::Late(told, score) => {
                told.notified().await;
                in_full(score)
            }
            Reply::Score(score) => in_full(score),
        };
        stream.write_all(text.as_bytes()).await?;
        if !text.starts_with("HTTP/1.1 200 OK\r\ncontent-length") {
            return stream.shutdown().await;
        }
    }
}

/// An answer as it is documented.
fn in_full(score: f64) -> String {
    let rules = json!([{"id": "P106", "name": "Data centre", "operation": "+", "score": score}]);
    let data = json!({"id": "1", "state": "REVIEW", "fraud_score": score, "applied_rules": rules});
    let body = json!({"success": true, "error": {}, "data": data}).to_string();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Head and body of the next request; none when there is no other.
async fn request(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut text = Vec::new();
    loop {
        let mut part = [0; 4_096];
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Ok(None);
        }
        text.extend_from_slice(&part[..read]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if length.unwrap_or(0) <= body.len() {
            return Ok(Some(so_far));
        }
    }
}

/// Asks about everything that is not sure, as the settings say otherwise.
fn asks(world: &World, provider: &Provider, changed: &Value) -> World {
    let folder = tempfile::tempdir().unwrap();
    let file = settings(folder.path(), provider.port, changed);
    let settings = Settings::read(&file, |_| Some(KEY.to_owned())).unwrap();
    let external = External::new(settings, world.api.app.db.clone()).unwrap();
    let scorer = scorer(Arc::new(Host::nowhere())).asking(external);
    let app = App { scorer: Arc::new(scorer), ..world.api.app.clone() };
    let World { campaign, affiliate, link, .. } = world;
    World { api: world.api.again(app), campaign: campaign.clone(), affiliate: *affiliate, link: link.clone() }
}

fn settings(folder: &Path, port: u16, changed: &Value) -> std::path::PathBuf {
    // Whoever never answers is waited for in one test only; others have time however busy the machine is.
    let mut written = json!({
        "provider": "seon", "endpoint": format!("http://127.0.0.1:{port}/fraud-api/v2/"), "key_env": "KEY",
        "calls_per_day": 100, "timeout_ms": 1000, "between": [-6, 2],
    });
    written.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    let file = folder.join("external.json");
    std::fs::write(&file, written.to_string()).unwrap();
    file
}

impl World {
    /// A sale whose report says who the customer was; what was decided about it.
    async fn told(&self, order: &str, email: &str) -> Value {
        let click = self.click("192.0.2.0", BROWSER, 12).await;
        let sale = json!({
            "click_id": click, "amount": "100.00", "order_id": order, "ip": ADDRESS, "email": email,
        });
        let sold = timeout(Duration::from_secs(60), self.api.post("/api/v1/conversions", sale)).await;
        let sold = sold.expect("a provider is waited for no longer than its limit");
        assert_eq!(sold.status, StatusCode::CREATED, "{sold}");
        let id = sold.body["conversion_id"].as_str().unwrap();
        let conversion = self.api.get(&format!("/api/v1/conversions/{id}")).await.body;
        self.score_of(&conversion).await
    }
}

/// What a decision has of the provider: its reason's log-odds and whether it was asked for it, or that it was asked in vain.
fn said(score: &Value) -> String {
    let reason = score["reasons"].as_array().unwrap().iter().find(|reason| reason["code"] == "external");
    let degraded = score["degraded"].as_array().unwrap().iter().filter_map(Value::as_str);
    let in_vain: Vec<&str> = degraded.filter(|why| why.contains("provider")).collect();
    match reason {
        Some(reason) => {
            let is_remembered = score["record"]["external"]["is_remembered"] == true;
            let how = if is_remembered { "remembered" } else { "asked" };
            format!("{} {how}", reason["log_odds"])
        }
        None if in_vain.is_empty() => "nothing".to_owned(),
        None => in_vain.join(", "),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_provider_says_is_a_reason_and_is_remembered_of_the_same_customer() {
    let world = World::new().await;
    let provider = Provider::start([Reply::Score(20.0), Reply::Score(50.0)]).await;
    let asking = asks(&world, &provider, &json!({}));
    let first = asking.told("A1", MAIL).await;
    assert_eq!(said(&first), "1.0 asked");
    assert_eq!(first["log_odds"], json!(-3.0));
    assert_eq!(first["is_reproduced"], true, "without asking again");
    let reason = &first["reasons"][0];
    assert_eq!(reason["model_version"], "seon-v2");
    assert_eq!(reason["words"], "The provider seon gives it a score of 20 (REVIEW): Data centre.");
    assert_eq!(said(&asking.told("A2", MAIL).await), "1.0 remembered");
    assert_eq!(said(&asking.told("A3", "bob@other.example").await), "1.5 asked");
    asking.api.app.clock.advance(TimeDelta::hours(25));
    assert_eq!(said(&asking.told("A4", MAIL).await), "0.0 asked", "too long ago");
    let heard = provider.heard();
    assert_eq!(heard.len(), 3);
    assert!(heard[0].starts_with("POST /fraud-api/v2/ HTTP/1.1\r\n"), "{}", heard[0]);
    assert!(heard[0].contains(&format!("x-api-key: {KEY}\r\n")));
    let body: Value = serde_json::from_str(heard[0].split_once("\r\n\r\n").unwrap().1).unwrap();
    let told = json!([body["ip"], body["email_domain"], body["user_country"], body["email"]]);
    assert_eq!(told, json!(["203.0.113.0", "mail.example", "DE", null]));
    assert_eq!(body["affiliate_id"], world.affiliate.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_a_customer_was_is_told_where_that_is_wanted_and_kept_nowhere() {
    let world = World::new().await;
    let provider = Provider::start([]).await;
    let asking = asks(&world, &provider, &json!({"sends": ["address", "email", "device"]}));
    let score = asking.told("A1", MAIL).await;
    let body = provider.heard().remove(0);
    assert!(body.contains(ADDRESS) && body.contains(MAIL), "{body}");
    let conversion = score["conversion_id"].as_str().unwrap();
    let shown = asking.api.get(&format!("/api/v1/conversions/{conversion}")).await.text;
    for text in [score.to_string(), shown, everything(&asking.api.app.db).await] {
        assert!(!text.contains(ADDRESS) && !text.contains(MAIL), "{text}");
    }
}

/// All rows of all tables, as text.
async fn everything(db: &PgPool) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    )
    .fetch_all(db)
    .await
    .unwrap();
    assert!(tables.iter().any(|table| table == "conversions"));
    let mut rows = String::new();
    for table in tables {
        let query = format!("SELECT coalesce(string_agg(it::text, ' '), '') FROM {table} AS it");
        rows += &sqlx::query_scalar::<_, String>(AssertSqlSafe(query)).fetch_one(db).await.unwrap();
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_is_asked_about_what_is_clear_or_only_asked_about() {
    let world = World::new().await;
    let provider = Provider::start([]).await;
    let asking = asks(&world, &provider, &json!({"between": [-2, 0]}));
    let score = asking.told("A1", MAIL).await;
    assert_eq!((said(&score).as_str(), &score["log_odds"]), ("nothing", &json!(-4.0)));
    let asking = asks(&world, &provider, &json!({}));
    let click = asking.click("192.0.2.0", BROWSER, 600).await;
    let asked = json!({"conversions": [{"report": {"click_id": click, "ip": ADDRESS, "email": MAIL}}]});
    asking.api.made("/api/v1/score/conversions", asked).await;
    assert_eq!(provider.heard(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn two_processes_together_keep_to_the_budget_of_a_day() {
    let world = World::new().await;
    let provider = Provider::start([]).await;
    let budget = json!({"calls_per_day": 3});
    let (one, other) = (asks(&world, &provider, &budget), asks(&world, &provider, &budget));
    let mut found = Vec::new();
    for number in 0..3 {
        for (process, name) in [(&one, "one"), (&other, "other")] {
            let score = process.told(&format!("{name}{number}"), &format!("a@{name}{number}.example")).await;
            found.push(said(&score));
        }
    }
    assert_eq!(found.join("|"), "0.0 asked|0.0 asked|0.0 asked|nothing|nothing|nothing");
    assert_eq!(provider.heard().len(), 3);
    one.api.app.clock.advance(TimeDelta::days(1));
    assert_eq!(said(&other.told("tomorrow", MAIL).await), "0.0 asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_never_answers_costs_the_time_limit_and_is_named() {
    let world = World::new().await;
    let provider = Provider::start([Reply::Never]).await;
    let asking = asks(&world, &provider, &json!({"timeout_ms": 50}));
    let score = asking.told("A1", MAIL).await;
    assert_eq!(said(&score), "the provider seon does not answer within 50 ms");
    assert_eq!((&score["log_odds"], &score["is_reproduced"]), (&json!(-4.0), &json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_that_comes_too_late_is_there_for_the_next_conversion_of_the_customer() {
    let world = World::new().await;
    let told = Arc::new(Notify::new());
    let provider = Provider::start([Reply::Late(Arc::clone(&told), 20.0)]).await;
    // Whoever asks again before it is there waits in vain.
    (0..100).for_each(|_| provider.then(Reply::Never));
    let asking = asks(&world, &provider, &json!({"timeout_ms": 50}));
    assert_eq!(said(&asking.told("A0", MAIL).await), "the provider seon does not answer within 50 ms");
    told.notify_one();
    let mut found = String::new();
    for number in 1..100 {
        found = said(&asking.told(&format!("A{number}"), MAIL).await);
        if found == "1.0 remembered" {
            return;
        }
    }
    panic!("it was forgotten: {found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_no_answer_is_named_and_after_five_of_them_nobody_is_asked_for_a_while() {
    let world = World::new().await;
    let raw = |text: &str| Reply::Raw(text.to_owned());
    let refusal = r#"{"success":false,"error":{"code":"2002","message":"ana.secret@mail.example"}}"#;
    let provider = Provider::start([
        raw("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        raw("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        raw("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 900\r\n\r\n{\"success\": true"),
        raw("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\n<html>"),
        raw(&format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{refusal}",
            refusal.len()
        )),
    ])
    .await;
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    let logging = tracing::subscriber::set_default(subscriber);
    let asking = asks(&world, &provider, &json!({"sends": ["address", "email"]}));
    let mut found = Vec::new();
    for number in 0..6 {
        found.push(said(&asking.told(&format!("A{number}"), &format!("{number}{MAIL}")).await));
    }
    insta::assert_snapshot!(found.join("\n"), @"
    the provider seon answers with the status 429
    the provider seon answers with the status 500
    the provider seon broke its answer off
    the provider seon cannot be understood: its answer is not what is documented
    the provider seon cannot be understood: it refuses to answer, with the error 2002
    nothing
    ");
    assert_eq!(provider.heard().len(), 5);
    asking.api.app.clock.advance(TimeDelta::seconds(31));
    provider.then(Reply::Score(20.0));
    assert_eq!(said(&asking.told("A7", &format!("7{MAIL}")).await), "1.0 asked");
    drop(logging);
    let log = log.text();
    assert!(log.contains("seon answers with the status 429"), "{log}");
    for secret in [KEY, MAIL, ADDRESS] {
        assert!(!log.contains(secret) && !found.join(" ").contains(secret), "{log}");
    }
}

/// What is logged, for a test to read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
