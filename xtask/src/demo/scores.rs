//! Every conversion was decided about as it came in: with reasons that sum, and the same when it is decided again.

use anyhow::{Context, Result, ensure};
use client::Client;
use serde_json::{Value, json};

/// So much may be lost to how numbers are written.
const ROUNDING: f64 = 1e-9;

/// Looks at the decisions about as many conversions as were reported, asks for one more, and returns what the riskiest was
/// suspected of.
pub async fn check(client: &Client, conversions: u64) -> Result<String> {
    let scores = client.list("/scores").await?;
    let about = scores.iter().filter(|score| score["conversion_id"].is_string()).count() as u64;
    ensure!(about == conversions, "{conversions} conversions came in and {about} were decided about");
    scores.iter().try_for_each(check_sum)?;
    let risk = |score: &&Value| score["score"].as_u64();
    let riskiest = scores.iter().max_by_key(risk).context("there are scores")?;
    let id = riskiest["id"].as_str().context("a score has an id")?;
    let detail = client.get(&format!("/scores/{id}")).await?;
    ensure!(detail["is_reproduced"] == true, "{id} is decided otherwise today: {detail}");
    let asked = json!({"conversions": [{"conversion_id": riskiest["conversion_id"]}]});
    let again = client.post("/score/conversions", &asked).await?;
    check_sum(&again["scores"][0])?;
    let held = scores.iter().filter(|score| score["decision"] == "hold").count();
    let because = riskiest["reasons"].as_array().into_iter().flatten();
    let because = because
        .filter_map(|reason| reason["words"].as_str())
        .fold(String::new(), |all, words| all + "\n  - " + words);
    Ok(format!(
        "Fraud was decided about {about} conversions, in the shadow; {held} would have been held. The riskiest, with a score of \
         {} of 100:{because}\n",
        riskiest["score"]
    ))
}

/// Refuses a score that is not the sum of its reasons.
fn check_sum(score: &Value) -> Result<()> {
    let number = |value: &Value| value.as_f64().context("a score is made of numbers");
    let reasons = score["reasons"].as_array().context("a score has reasons")?;
    let parts = reasons.iter().map(|reason| number(&reason["log_odds"])).sum::<Result<f64>>()?;
    let gap = number(&score["base"])? + parts - number(&score["log_odds"])?;
    ensure!(gap.abs() < ROUNDING, "reasons do not sum to the score: {score}");
    Ok(())
}
