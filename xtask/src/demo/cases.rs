//! A case from beginning to end: decisions go live, an order comes too soon after its click and is held, a person turns it
//! down, and its commission is taken back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use client::{Browser, Message};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    STORED_PATIENCE,
    book::cents,
    summary::trial_balance,
    traffic::{BROWSERS, Scene},
};

const ORDER: &str = "N-too-soon";
const PAUSE: Duration = Duration::from_millis(100);

/// Plays it and tells what happened.
pub async fn play(scene: &Scene<'_>) -> Result<String> {
    let client = scene.client;
    let id = &hold(scene).await?;
    let cases = client.list("/cases").await?;
    ensure!(cases.len() == 1, "one conversion is held, and there are {} cases", cases.len());
    let case = cases[0]["id"].as_str().context("a case has an id")?;
    let detail = client.get(&format!("/cases/{case}")).await?;
    ensure!(detail.to_string().contains(id), "the case is not about the conversion that is held: {detail}");
    let (reason, revision) = (detail["reason"].clone(), detail["revision"].clone());
    let decision = json!({"revision": revision, "outcome": "reject", "reason": "fraud", "note": "Nobody orders so soon."});
    client.post(&format!("/cases/{case}/decide"), &decision).await?;
    let rejected = client.get(&format!("/conversions/{id}")).await?;
    ensure!(rejected["status"] == "rejected", "what was turned down is {}", rejected["status"]);
    let earned = client.list(&format!("/commissions?conversion_id={id}")).await?;
    let amounts = earned.iter().map(|line| line["amount"]["value"].as_str().and_then(cents));
    let left: i64 = amounts.sum::<Option<i64>>().context("an amount that is not in euros and cents")?;
    ensure!(left == 0 && 1 < earned.len(), "its commission was not taken back: {earned:?}");
    trial_balance(client).await?;
    let labels = client.list("/cases/labels").await?;
    ensure!(
        labels.iter().any(|label| label["conversion_id"] == *id),
        "the next training does not hear of it"
    );
    Ok(format!(
        "Decisions about fraud are live now. An order that came too soon after its click was held ({}), became {case}, and was \
         turned down: its commission is taken back, and the next training learns from it.\n",
        reason.as_str().unwrap_or_default()
    ))
}

/// Decisions go live, and an order is held: its conversion.
pub async fn hold(scene: &Scene<'_>) -> Result<String> {
    go_live(scene).await?;
    order(scene).await?;
    held(scene).await?["id"].as_str().map(str::to_owned).context("a conversion has an id")
}

/// Lets decisions hold what is suspected from now on.
async fn go_live(scene: &Scene<'_>) -> Result<()> {
    let now = scene.client.get("/fraud/settings").await?;
    let mut settings = now["settings"].clone();
    settings["mode"] = "live".into();
    let new = json!({"replaces": now["version"], "settings": settings, "note": "The demo holds what is suspected."});
    scene.client.post("/fraud/settings", &new).await.map(drop)
}

/// Somebody clicks, and has ordered before the page can be read.
async fn order(scene: &Scene<'_>) -> Result<()> {
    let browser = Browser { user_agent: BROWSERS[0], address: "203.0.113.77", cookie: "" };
    let landing = scene.client.click(Method::GET, &scene.program.links[0].url, browser).await?;
    let click = landing.click_id.context("the click has an id")?;
    let message = Message { id: "order-too-soon", at: scene.clock.now() };
    let fields = [
        ("click_id", click.as_str()),
        ("event", "sale"),
        ("amount", "79.00"),
        ("currency", "EUR"),
        ("order_id", ORDER),
        ("status", "pending"),
    ];
    let answer = scene.client.postback(&scene.program.shop, &message, &fields).await?;
    ensure!(answer.status.is_success(), "the order was answered with {}: {}", answer.status, answer.body);
    Ok(())
}

/// The conversion, once its click is stored and it was taken in.
async fn held(scene: &Scene<'_>) -> Result<Value> {
    let deadline = Instant::now() + STORED_PATIENCE;
    loop {
        let all = scene.client.list("/conversions").await?;
        if let Some(conversion) = all.into_iter().find(|it| it["order_id"] == ORDER) {
            ensure!(
                conversion["status"] == "on_hold",
                "an order that came too soon is {}",
                conversion["status"]
            );
            return Ok(conversion);
        }
        ensure!(
            Instant::now() < deadline,
            "the order was not taken in within {} s",
            STORED_PATIENCE.as_secs()
        );
        sleep(PAUSE).await;
    }
}
