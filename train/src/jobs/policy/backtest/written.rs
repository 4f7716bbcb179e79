//! What a backtest writes: decisions, rates, partners, measures, and the report.

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Judged, Said, pages, said::Compared};
use crate::{
    jobs::{folder::Folder, policy::decide::Line},
    policy::{
        Interval, Judgement,
        backtest::{Estimate, Held, Outcome},
    },
};

/// Writes them.
pub(super) fn write(folder: &Folder, said: &Said) -> Result<()> {
    folder.put("decisions.jsonl", &decisions(said)?)?;
    folder.put("rates.csv", &rates(said)?)?;
    folder.put("partners.csv", &partners(said)?)?;
    folder.put("metrics.json", &serde_json::to_vec_pretty(&metrics(said))?)?;
    folder.put("report.html", pages::report(said).render()?.as_bytes())
}

#[derive(Serialize)]
struct OfPeriod<'a> {
    period_start: String,
    #[serde(flatten)]
    line: Line<'a>,
}

fn start(said: &Said, period: usize) -> String {
    said.file.history.bounds[period].format("%F").to_string()
}

fn decisions(said: &Said) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for one in &said.replayed.decided {
        let name = &said.file.history.partners[one.partner];
        let line = Line::new(name, &one.decision, said.rule.contract.notice_days);
        serde_json::to_writer(&mut bytes, &OfPeriod { period_start: start(said, one.period), line })?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn rates(said: &Said) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "partner_id",
        "period_start",
        "paid",
        "tiers",
        "policy",
        "known_level",
        "known_worth",
    ])?;
    for one in &said.replayed.decided {
        let paid = said.file.history.row(one.partner, one.period);
        writer.write_record([
            said.file.history.partners[one.partner].clone(),
            start(said, one.period),
            paid.map_or_else(String::new, |row| row.rate.to_string()),
            said.tier(one.partner, one.period).to_string(),
            one.rate.to_string(),
            one.level.to_string(),
            one.worth.to_string(),
        ])?;
    }
    Ok(writer.into_inner()?)
}

fn partners(said: &Said) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["partner_id", "paid_spend", "policy_spend", "spend_change", "paid_value", "policy_value"];
    writer.write_record(head)?;
    for (partner, paid, policy) in said.partners() {
        let value = |compared: &Compared| compared.outcome.partners[partner].0;
        let values = [paid, policy, policy - paid, value(said.paid()), value(said.policy())];
        let numbers = values.iter().map(ToString::to_string);
        writer.write_record(std::iter::once(said.file.history.partners[partner].clone()).chain(numbers))?;
    }
    Ok(writer.into_inner()?)
}

fn metrics(said: &Said) -> Value {
    let history = &said.file.history;
    let outcomes: Map<String, Value> =
        said.compared.iter().map(|it| (it.name.to_owned(), of_compared(said, it))).collect();
    let [winners, losers, same] = pages::winners(said);
    let responses: Vec<Value> =
        said.responses.iter().map(|it| json!({"elasticity": it.mean, "sd": it.sd})).collect();
    json!({
        "source": said.file.source,
        "partners": history.partners.len(),
        "periods": history.periods(),
        "decided_from": start(said, said.plan.from),
        "decisions": said.replayed.decided.len(),
        "rows_without_value": said.unknown,
        "policy": said.rule,
        "tiers": said.tiers.written(),
        "usual_rate": said.replayed.usual,
        "responses": responses,
        "outcomes": outcomes,
        "outcomes_are": "counterfactual: conversions follow rates as the fitted response says; paid is what happened",
        "partners_paid_more": winners,
        "partners_paid_less": losers,
        "partners_paid_the_same": same,
        "reasons": said.reasons().json(),
        "off_policy": match &said.asked {
            Ok(asked) => json!({
                "rates_tried": asked.grid,
                "judged": asked.judged.iter().map(of_judged).collect::<Vec<_>>(),
            }),
            Err(why) => json!({"refused": why}),
        },
        "seed": said.plan.seed,
    })
}

fn of_compared(said: &Said, compared: &Compared) -> Value {
    let paid = &said.paid().outcome;
    let mut value = of_outcome(&compared.outcome);
    value["against_paid"] = json!({
        "roi": compared.outcome.roi() / paid.roi() - 1.0,
        "profit": compared.outcome.profit() / paid.profit() - 1.0,
        "spend": compared.outcome.spend / paid.spend - 1.0,
    });
    value["with_weaker_response"] = of_outcome(&compared.weaker);
    value["with_stronger_response"] = of_outcome(&compared.stronger);
    value
}

fn of_outcome(outcome: &Outcome) -> Value {
    json!({
        "value": outcome.value,
        "cost": outcome.spend,
        "profit": outcome.profit(),
        "roi": outcome.roi(),
    })
}

fn of_judged(judged: &Judged) -> Value {
    let estimates: Map<String, Value> =
        judged.found.estimates.iter().map(|it| (it.estimator.to_owned(), of_estimate(it))).collect();
    json!({
        "policy": judged.policy,
        "rates_not_tried": match judged.held {
            Held::ToTried => "held to the nearest that was tried",
            Held::AsDecided => "as decided",
        },
        "decisions": judged.found.decisions,
        "share_beyond_tried": judged.found.beyond,
        "estimates": estimates,
    })
}

fn of_estimate(estimate: &Estimate) -> Value {
    let of = |it: &Interval| json!({"value": it.value, "low": it.low, "high": it.high, "error": it.error});
    match &estimate.found {
        Ok(Judgement { value, uplift, support, .. }) => json!({
            "profit_of_a_decision": of(value),
            "uplift": of(uplift),
            "rows": support.rows,
            "partners": support.partners,
            "effective_partners": support.effective_partners,
            "effective_rows": support.effective_rows,
            "mean_weight": support.mean_weight,
            "largest_weight": support.largest_weight,
            "clipped": support.clipped,
        }),
        Err(why) => json!({"refused": why.to_string()}),
    }
}
