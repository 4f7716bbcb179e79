//! What deciding writes: decisions for machines and for people, standings for the next run, measures, and the report.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::commission::dynamic::{RateDecision, RateReason};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Said, cost, pages};
use crate::jobs::folder::Folder;

/// Writes them.
pub(super) fn write(folder: &Folder, said: &Said) -> Result<()> {
    folder.put("decisions.jsonl", &lines(said)?)?;
    folder.put("decisions.csv", &rows(said)?)?;
    folder.put("standings.json", &serde_json::to_vec_pretty(&said.standings)?)?;
    folder.put("metrics.json", &serde_json::to_vec_pretty(&metrics(said))?)?;
    folder.put("report.html", pages::report(said).render()?.as_bytes())
}

/// A decision as the platform takes it: the record itself, and whose it is.
#[derive(Serialize)]
pub(in crate::jobs::policy) struct Line<'a> {
    pub(in crate::jobs::policy) partner_id: &'a str,
    #[serde(flatten)]
    pub(in crate::jobs::policy) decision: &'a RateDecision,
    pub(in crate::jobs::policy) change_ppm: i64,
    pub(in crate::jobs::policy) propensity_ppm: u32,
    pub(in crate::jobs::policy) notice_days: u16,
    pub(in crate::jobs::policy) words: String,
}

impl<'a> Line<'a> {
    pub(in crate::jobs::policy) fn new(
        partner_id: &'a str,
        decision: &'a RateDecision,
        notice_days: u16,
    ) -> Self {
        Self {
            partner_id,
            decision,
            change_ppm: decision.change_ppm(),
            propensity_ppm: decision.propensity_ppm(),
            notice_days,
            words: decision.words(),
        }
    }
}

fn lines(said: &Said) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for it in &said.decisions {
        let notice_days = it.standing.contract.notice_days;
        serde_json::to_writer(&mut bytes, &Line::new(&it.partner.name, &it.decision, notice_days))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn rows(said: &Said) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["partner_id", "previous", "next", "change_points", "effective_at", "notice_days", "mode"];
    let tail = ["flags", "final_after_days", "propensity", "policy_version", "model_version", "words"];
    let reasons = RateReason::ALL.iter().map(|reason| reason.name());
    writer.write_record(head.into_iter().chain(reasons).chain(tail))?;
    let of_points = |ppm: i64| (ppm as f64 / 1e4).to_string();
    for it in &said.decisions {
        let decision = &it.decision;
        let part = |reason: &RateReason| -> i64 {
            decision.parts.iter().filter(|part| part.reason == *reason).map(|part| part.ppm).sum()
        };
        let flags: Vec<&str> = decision.flags.iter().map(|flag| flag.name()).collect();
        let mut row = vec![
            it.partner.name.clone(),
            decision.previous.to_string(),
            decision.next.to_string(),
            of_points(decision.change_ppm()),
            decision.effective_at.map_or_else(String::new, |at| at.to_rfc3339()),
            it.standing.contract.notice_days.to_string(),
            decision.mode.name().to_owned(),
        ];
        row.extend(RateReason::ALL.iter().map(|reason| of_points(part(reason))));
        row.extend([
            flags.join(" "),
            decision.final_after_days.map_or_else(String::new, |days| days.to_string()),
            (f64::from(decision.propensity_ppm()) / 1e6).to_string(),
            decision.policy_version.clone(),
            decision.model_version.clone(),
            decision.words(),
        ]);
        writer.write_record(row)?;
    }
    Ok(writer.into_inner()?)
}

/// How many rates go up, down, stay, and are announced already.
pub(super) fn moves(said: &Said) -> [usize; 4] {
    let count = |holds: &dyn Fn(&RateDecision) -> bool| {
        said.decisions.iter().filter(|it| holds(&it.decision)).count()
    };
    let is_told =
        |decision: &RateDecision| decision.parts.iter().any(|part| part.reason == RateReason::Notice);
    [
        count(&|it| 0 < it.change_ppm()),
        count(&|it| it.change_ppm() < 0),
        count(&|it| it.change_ppm() == 0 && !is_told(it)),
        count(&|it| it.change_ppm() == 0 && is_told(it)),
    ]
}

/// What all are expected to cost until the next decisions: at the previous rates, and at those that were decided.
pub(super) fn costs(said: &Said) -> [f64; 2] {
    let sum = |rate: &dyn Fn(&RateDecision) -> domain::Rate| -> f64 {
        let costs =
            said.decisions.iter().map(|it| cost(&it.partner, it.decision.previous, rate(&it.decision)));
        costs.sum()
    };
    [sum(&|it| it.previous), sum(&|it| it.next)]
}

fn metrics(said: &Said) -> Value {
    let [up, down, kept, announced] = moves(said);
    let [before, after] = costs(said);
    let mut flags: BTreeMap<&str, usize> = BTreeMap::new();
    for flag in said.decisions.iter().flat_map(|it| &it.decision.flags) {
        *flags.entry(flag.name()).or_default() += 1;
    }
    let change: i64 = said.decisions.iter().map(|it| it.decision.change_ppm()).sum();
    json!({
        "source": said.source,
        "at": said.at,
        "policy": said.rule,
        "partners": said.decisions.len(),
        "raised": up,
        "lowered": down,
        "kept": kept,
        "announced_before": announced,
        "change_ppm": change,
        "reasons": said.reasons().json(),
        "flags": flags,
        "expected_cost_before": before,
        "expected_cost_after": after,
        "rates_that_differ_from_standings": said.differing,
        "partners_that_stand": said.standings.partners.len(),
        "notes": said.notes,
        "seed": said.seed,
    })
}
