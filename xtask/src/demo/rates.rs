//! A rate that follows value: what a partner agreed to, a decision, and what the partner is told of it.

use anyhow::{Context, Result, ensure};
use client::Client;
use domain::{
    Clock, Money, Rate,
    commission::dynamic::{
        Churn, ChurnAction, Contract, Evidence, Exploring, Policy, RateDecision, RateMode, Standing,
    },
};
use serde_json::{Value, json};

use super::program::Program;

/// Lets a policy decide the first affiliate's rate for what its customers may be worth, and returns what the affiliate sees
/// of that.
pub async fn change(client: &Client, program: &Program, clock: &Clock) -> Result<String> {
    let (affiliate, campaign) = (&program.affiliates[0], &program.campaign);
    let contract = contract()?;
    let mut agreed = serde_json::to_value(contract)?;
    agreed["affiliate_id"] = json!(affiliate.id);
    client.post(&format!("/campaigns/{campaign}/rate-contracts"), &agreed).await?;
    let standing = Standing::new(contract, "10%".parse()?);
    let decision = policy()?.decide(&standing, &evidence()?, 0, clock.now())?;
    let mut row = serde_json::to_value(&decision)?;
    row["affiliate_id"] = json!(affiliate.id);
    row["campaign_id"] = json!(campaign);
    client.post("/rate-decisions", &json!({"decisions": [row]})).await?;
    let told = client.get(&format!("/affiliates/{}/rates?campaign_id={campaign}", affiliate.id)).await?;
    check(&told, &decision)?;
    let why = told["announced"][0]["why"].as_str().context("a change says why")?;
    let from = decision.effective_at.context("a change has a date")?.format("%F");
    let now = told["now"]["why"].as_str().context("a rate says why")?;
    Ok(format!("The rate of {}:\n  - now: {now}\n  - from {from} on: {why}\n", affiliate.name))
}

/// Refuses an answer that is not what was decided.
fn check(told: &Value, decision: &RateDecision) -> Result<()> {
    let announced = &told["announced"][0];
    ensure!(told["now"]["rate"] == "10%", "the rate changed before its date: {told}");
    ensure!(
        announced["rate"] == json!(decision.next) && announced["from"] == json!(decision.effective_at),
        "what is announced is not what was decided: {announced}"
    );
    let reasons = announced["reasons"].as_array().context("a change has reasons")?;
    let sum: i64 = reasons.iter().filter_map(|reason| reason["ppm"].as_i64()).sum();
    ensure!(sum == decision.change_ppm(), "reasons sum to {sum} millionths: {announced}");
    Ok(())
}

fn contract() -> Result<Contract> {
    Ok(Contract {
        floor: "6%".parse()?,
        cap: "18%".parse()?,
        step: "3%".parse()?,
        period_days: 30,
        notice_days: 14,
        exploring: Rate { ppm: 0 },
    })
}

fn policy() -> Result<Policy> {
    Ok(Policy {
        version: "demo-1".to_owned(),
        target: "33%".parse()?,
        best_share: Rate::ONE,
        grain: "0.1%".parse()?,
        dead_band: "0.5%".parse()?,
        reversal_band: "1%".parse()?,
        calm_days: 90,
        quality_weight: "10%".parse()?,
        churn: Churn { from_ppm: 2_000_000, then: ChurnAction::Flag },
        exploring: Exploring::NEVER,
        mode: RateMode::Live,
    })
}

/// Customers who buy for about 100 EUR and are worth 45 EUR more.
fn evidence() -> Result<Evidence> {
    let currency = "EUR".parse()?;
    Ok(Evidence {
        model_version: "demo".to_owned(),
        value: Money::new(4_500, currency),
        value_lower: Money::new(3_800, currency),
        base: Money::new(10_000, currency),
        conversions: 40.0,
        churn_ratio: 1.0,
        fraud_risk: 0.02,
        quality: 0.6,
        elasticity: None,
    })
}
