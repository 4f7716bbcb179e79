//! Requests for whoever has just begun: each is sent, its answer is checked, and then it is printed as it can be typed.

use anyhow::{Context, Result, ensure};
use client::Client;
use serde_json::{Value, json};

use super::program::Program;

/// A request that works, and what its answer has to have.
struct Try {
    /// What it shows.
    shows: &'static str,
    path: String,
    /// None of a GET.
    body: Option<Value>,
    check: fn(&Value) -> Result<()>,
}

/// Sends each request, refuses an answer that is not what it should be, and returns the lines to type.
pub async fn check(client: &Client, program: &Program, (base, key): (&str, &str)) -> Result<String> {
    let mut text = format!("Try it:\n\n  KEY={key}\n");
    for one in tries(client, program).await? {
        let answer = match &one.body {
            Some(body) => client.post(&one.path, body).await?,
            None => client.get(&one.path).await?,
        };
        (one.check)(&answer).with_context(|| format!("{}: {answer}", one.path))?;
        text += &format!("\n  # {}\n  {}\n", one.shows, line(&one, base));
    }
    Ok(text)
}

async fn tries(client: &Client, program: &Program) -> Result<Vec<Try>> {
    let conversions = client.list("/conversions").await?;
    let clicked =
        conversions.iter().find(|one| one["click_id"].is_string() && one["affiliate_id"].is_string());
    let clicked = clicked.context("somebody clicked and bought")?;
    let (affiliate, campaign) = (&program.affiliates[0].id, &program.campaign);
    let amount = json!({"value": "80.00", "currency": "EUR"});
    Ok(vec![
        Try {
            shows: "how probable fraud is of an order, by rules and the model, and why",
            path: "/score/conversions".to_owned(),
            body: Some(json!({"conversions": [{"conversion_id": clicked["id"]}]})),
            check: scored,
        },
        Try {
            shows: "who has credit for it, and what other models would have said",
            path: "/attribute".to_owned(),
            body: Some(json!({"conversion_id": clicked["id"]})),
            check: attributed,
        },
        Try {
            shows: "what a sale of 80 EUR would earn now, and how that comes about",
            path: "/commissions/quote".to_owned(),
            body: Some(json!({"affiliate_id": affiliate, "campaign_id": campaign, "amount": amount})),
            check: quoted,
        },
        Try {
            shows: "whom the campaign should invite",
            path: format!("/campaigns/{campaign}/recommendations"),
            body: None,
            check: recommended,
        },
        Try {
            shows: "what the partner should advertise",
            path: format!("/affiliates/{affiliate}/recommendations"),
            body: None,
            check: recommended,
        },
    ])
}

/// As somebody types it in a shell.
fn line(one: &Try, base: &str) -> String {
    let start = format!("curl -sS -H \"Authorization: Bearer $KEY\" {base}/api/v1{}", one.path);
    match &one.body {
        Some(body) => format!("{start} -H 'Content-Type: application/json' -d '{body}'"),
        None => start,
    }
}

fn scored(answer: &Value) -> Result<()> {
    let score = &answer["scores"][0];
    ensure!(score["degraded"] == json!([]), "something could not be asked");
    let reasons = score["reasons"].as_array().context("a score has reasons")?;
    ensure!(reasons.iter().any(|reason| reason["model_version"].is_string()), "the model said nothing");
    Ok(())
}

fn attributed(answer: &Value) -> Result<()> {
    let models = answer["models"].as_array().context("models say something")?;
    let learned = models.iter().find(|one| one["model"] == "learned");
    ensure!(learned.is_some_and(|one| one["version"] == 1), "the model was not asked");
    let shares = answer["recorded"].as_array().context("the division has shares")?;
    ensure!(!shares.is_empty(), "nobody has credit");
    Ok(())
}

fn quoted(answer: &Value) -> Result<()> {
    ensure!(answer["commission"] == json!({"value": "8.00", "currency": "EUR"}), "10 % of 80 EUR is 8 EUR");
    Ok(())
}

fn recommended(answer: &Value) -> Result<()> {
    let list = answer["data"].as_array().context("there is a list")?;
    ensure!(!list.is_empty() && list.iter().all(|one| one["why"].is_string()), "a place without a reason");
    ensure!(answer["model"]["version"] == 1, "the model was not asked");
    Ok(())
}
