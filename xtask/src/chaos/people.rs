//! Who goes on while things break: visitors who buy, a shop that reports until it is heard, and programs that ask.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use client::{Browser, Client, Message};
use domain::{Chance, ClickId, Clock};
use reqwest::{Method, StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::demo::{program::Program, traffic::BROWSERS};

/// Whoever waits for longer has had no answer.
const PATIENCE: Duration = Duration::from_secs(35);
const BETWEEN: Duration = Duration::from_millis(20);
/// How long a shop waits before it reports again.
const AGAIN: Duration = Duration::from_millis(500);
/// A report is sent so often at most.
const REPORTS: usize = 120;

/// Everybody, and what they were promised.
pub struct People {
    /// How they reach Tributary.
    pub client: Client,
    /// Set when they shall go home.
    pub is_over: AtomicBool,
    /// How many faults there were so far.
    pub faults: AtomicU64,
    program: Program,
    http: reqwest::Client,
    base: String,
    key: String,
    seen: Mutex<Tally>,
}

/// What was promised, and how it was answered.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Clicks that were redirected with an id.
    pub clicks: Vec<Uuid>,
    /// Orders whose report was accepted.
    pub orders: Vec<String>,
    /// Reports that had to be sent again.
    pub again: u64,
    /// Answers of the model.
    pub inferences: u64,
    /// Scores of conversions.
    pub scores: u64,
    /// Scores that were put off: 503, or 429, with the seconds after which to come again.
    pub put_off: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} clicks and {} orders were accepted and are stored, {} reports had to be sent again; {} inferences, none refused; {} \
             scores and {} put off",
            self.clicks.len(),
            self.orders.len(),
            self.again,
            self.inferences,
            self.scores,
            self.put_off
        )
    }
}

impl People {
    /// Before anybody has come.
    pub fn new(client: Client, program: Program, (base, key): (String, String)) -> Self {
        Self {
            client,
            is_over: AtomicBool::new(false),
            faults: AtomicU64::new(0),
            program,
            http: reqwest::Client::new(),
            base,
            key,
            seen: Mutex::default(),
        }
    }

    /// What was promised so far.
    pub fn tally(&self) -> Tally {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, what: impl FnOnce(&mut Tally)) {
        what(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Acquire)
    }

    /// Visitors click, whatever happens, and every fourth buys.
    pub async fn shop(self: std::sync::Arc<Self>, clock: Clock, chance: Chance) -> Result<()> {
        while self.goes_on() {
            let link = &self.program.links[usize::try_from(chance.below(self.program.links.len() as u64))?];
            let address = format!("203.0.113.{}", 1 + chance.below(250));
            let browser = Browser { user_agent: BROWSERS[0], address: &address, cookie: "" };
            let landing = self.client.click(Method::GET, &link.url, browser).await?;
            let click: ClickId = landing.click_id.context("a visitor was sent on without an id")?.parse()?;
            self.note(|tally| tally.clicks.push(click.uuid()));
            if chance.below(4) == 0 {
                self.report(click, &clock).await?;
            }
            sleep(BETWEEN).await;
        }
        Ok(())
    }

    /// The shop reports an order until it is accepted.
    async fn report(&self, click: ClickId, clock: &Clock) -> Result<()> {
        let (order, click) = (format!("chaos-{click}"), click.to_string());
        let fields = [
            ("click_id", click.as_str()),
            ("event", "sale"),
            ("amount", "49.90"),
            ("currency", "EUR"),
            ("order_id", order.as_str()),
            ("status", "approved"),
        ];
        for _ in 0..REPORTS {
            let message = Message { id: &order, at: clock.now() };
            match self.client.postback(&self.program.shop, &message, &fields).await {
                Ok(answer) if answer.status.is_success() => {
                    self.note(|tally| tally.orders.push(order.clone()));
                    return Ok(());
                }
                Ok(answer) => ensure!(
                    answer.status == StatusCode::SERVICE_UNAVAILABLE,
                    "a report was answered with {}: {}",
                    answer.status,
                    answer.body
                ),
                // Put off for longer than the client waits.
                Err(_) => {}
            }
            self.note(|tally| tally.again += 1);
            sleep(AGAIN).await;
        }
        anyhow::bail!("{order} was never accepted")
    }

    /// A program asks a model, which is always answered.
    pub async fn infer(self: std::sync::Arc<Self>) -> Result<()> {
        let inputs =
            json!([{"name": "features", "shape": [1, 3], "datatype": "FP64", "data": [1.0, 2.0, 3.0]}]);
        let body = json!({ "inputs": inputs });
        while self.goes_on() {
            let (status, told, _) = self.ask("/v2/models/fraud/infer", &body).await?;
            ensure!(status == StatusCode::OK, "an inference was answered with {status}: {told}");
            self.note(|tally| tally.inferences += 1);
            sleep(BETWEEN).await;
        }
        Ok(())
    }

    /// A program asks for scores, and comes again when it is put off.
    pub async fn score(self: std::sync::Arc<Self>) -> Result<()> {
        let (affiliate, campaign) = (&self.program.affiliates[0].id, &self.program.campaign);
        let told = json!({"campaign_id": campaign, "affiliate_id": affiliate, "report": {"amount": "10.00"}});
        let body = json!({ "conversions": [told] });
        while self.goes_on() {
            let (status, told, again) = self.ask("/api/v1/score/conversions", &body).await?;
            match status {
                StatusCode::OK => self.note(|tally| tally.scores += 1),
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS if again => {
                    self.note(|tally| tally.put_off += 1);
                }
                _ => anyhow::bail!("a score was answered with {status}, Retry-After {again}: {told}"),
            }
            sleep(BETWEEN).await;
        }
        Ok(())
    }

    /// The status of an answer, what it says, and whether it says when to come again.
    async fn ask(&self, path: &str, body: &Value) -> Result<(StatusCode, String, bool)> {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.key).json(body);
        let answer =
            timeout(PATIENCE, request.send()).await.with_context(|| format!("{path} had no answer"))??;
        let (status, again) = (answer.status(), answer.headers().contains_key(RETRY_AFTER));
        Ok((status, answer.text().await?, again))
    }
}
