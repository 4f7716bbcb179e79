//! What the demo found in the product, compared with what it sent, and told to a person.

use anyhow::{Context, Result, ensure};
use client::Client;
use serde_json::Value;

use super::{
    book::{cents, euros},
    program::Program,
    traffic::Sent,
};

/// One line of the summary's table.
struct Row {
    name: &'static str,
    clicks: u64,
    conversions: u64,
    accrued: i64,
    payable: i64,
}

/// What Tributary says happened.
pub struct Found {
    rows: Vec<Row>,
    trial_balance: Vec<(String, String)>,
    example: Value,
}

/// Reads everything back through the API and refuses numbers that are not exactly those that were sent.
pub async fn check(client: &Client, program: &Program, sent: &Sent, stored_clicks: i64) -> Result<Found> {
    let links = client.list("/links").await?;
    let commissions = client.list("/commissions").await?;
    let conversions = client.list("/conversions").await?;
    let mut rows = Vec::new();
    for (position, affiliate) in program.affiliates.iter().enumerate() {
        let of = |status: &str| total(&commissions, &affiliate.id, status);
        let mine = |link: &&Value| {
            program.links.iter().any(|known| known.affiliate == position && link["id"] == known.id.as_str())
        };
        let count = |field: &str| links.iter().filter(mine).filter_map(|link| link[field].as_u64()).sum();
        let row = Row {
            name: affiliate.name,
            clicks: count("clicks"),
            conversions: count("conversions"),
            accrued: of("accrued")?,
            payable: of("payable")?,
        };
        let (found, expected) = (row.accrued + row.payable, sent.book.of(&affiliate.id));
        ensure!(found == expected, "{} has {} EUR instead of {}", row.name, euros(found), euros(expected));
        rows.push(row);
    }
    let counted: u64 = rows.iter().map(|row| row.clicks).sum();
    let stored = u64::try_from(stored_clicks).context("a count of rows")?;
    ensure!(
        counted == sent.clicks && stored == sent.clicks,
        "{} clicks were accepted, {stored} stored, {counted} counted",
        sent.clicks
    );
    let found = conversions.len() as u64;
    ensure!(found == sent.conversions, "{} conversions were reported and {found} found", sent.conversions);
    let trial_balance = trial_balance(client).await?;
    let example = commissions.iter().find(|line| line["level"] == 1).context("no second-tier commission")?;
    let id = example["id"].as_str().context("a commission has an id")?;
    let example = client.get(&format!("/commissions/{id}")).await?;
    Ok(Found { rows, trial_balance, example })
}

fn total(commissions: &[Value], affiliate: &str, status: &str) -> Result<i64> {
    let mine =
        commissions.iter().filter(|line| line["affiliate_id"] == affiliate && line["status"] == status);
    let amounts = mine.map(|line| line["amount"]["value"].as_str().and_then(cents));
    amounts.sum::<Option<i64>>().context("an amount that is not in euros and cents")
}

/// What is left of each currency when everything is added up, which has to be nothing.
pub async fn trial_balance(client: &Client) -> Result<Vec<(String, String)>> {
    let answer = client.get("/ledger/trial-balance").await?;
    let mut differences = Vec::new();
    for line in answer["currencies"].as_array().context("a trial balance has its currencies")? {
        let difference =
            line["difference"]["value"].as_str().context("a trial balance has its difference")?;
        let currency = line["difference"]["currency"].as_str().context("a trial balance has its currency")?;
        ensure!(cents(difference) == Some(0), "the trial balance is {difference} {currency} instead of zero");
        differences.push((currency.to_owned(), difference.to_owned()));
    }
    ensure!(!differences.is_empty(), "the ledger is empty");
    Ok(differences)
}

/// Prints what a person wants to see.
pub fn tell(sent: &Sent, found: &Found, base: &str) -> String {
    let mut text = format!(
        "\n{:<22}{:>8}{:>13}{:>14}{:>14}\n",
        "affiliate", "clicks", "conversions", "accrued EUR", "payable EUR"
    );
    for row in &found.rows {
        let (accrued, payable) = (euros(row.accrued), euros(row.payable));
        text +=
            &format!("{:<22}{:>8}{:>13}{accrued:>14}{payable:>14}\n", row.name, row.clicks, row.conversions);
    }
    text += &format!(
        "\n{} clicks accepted = {} rows stored; {} visits by crawlers not counted\n\
         {} conversions; {} reports came before their click was stored; {} repeated ones changed nothing; \
         {} forged ones were refused\n",
        sent.clicks, sent.clicks, sent.uncounted, sent.conversions, sent.early, sent.repeats, sent.forged
    );
    for (currency, difference) in &found.trial_balance {
        text += &format!("trial balance {difference} {currency}; every commission as expected to the cent\n");
    }
    text += "\nHow one commission came about:\n";
    for step in found.example["trace"]["steps"].as_array().into_iter().flatten() {
        text += &format!("  - {}\n", step["text"].as_str().unwrap_or_default());
    }
    text + &format!(
        "\nAPI            {base}/api/v1  (described at {base}/api/openapi.json)\n\
         metrics        {base}/metrics\n"
    )
}
