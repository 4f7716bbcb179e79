//! What the job writes: flags, proposals, rings, measures, and the report.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, SecondsFormat};
use domain::{conversion::ConversionStatus, fraud::score::Part};
use serde_json::{Map, Value, json};

use super::{Found, measures::name, pages};
use crate::jobs::folder::Folder;

/// What would become of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proposal {
    /// It was approved, and would be held for a person to look at.
    Hold,
    /// It was held or turned down, and would pass.
    Release,
}

impl Proposal {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
        }
    }
}

/// Writes everything; says what came of it.
pub(super) fn write(found: &Found<'_>, folder: &Folder) -> Result<String> {
    folder.put("flags.csv", &flags(found)?)?;
    folder.put("proposals.csv", &proposals(found)?)?;
    folder.put("rings.csv", &rings(found)?)?;
    let measures = measures(found);
    folder.put("metrics.json", &serde_json::to_vec_pretty(&measures)?)?;
    let report = pages::report(found);
    folder.put("report.html", report.render()?.as_bytes())?;
    Ok(report.intro)
}

impl Found<'_> {
    /// What changes, by the row's place.
    pub(super) fn proposals(&self) -> Vec<(usize, ConversionStatus, Proposal)> {
        let proposal = |place: usize| {
            let status = self.past.status(self.past.rows[place].conversion, i64::MAX);
            let proposal = match (status, self.is_held(place)) {
                (ConversionStatus::Approved, true) => Proposal::Hold,
                (ConversionStatus::OnHold | ConversionStatus::Rejected, false) => Proposal::Release,
                _ => return None,
            };
            Some((place, status, proposal))
        };
        self.test().filter_map(proposal).collect()
    }

    /// The reasons of a row with what each did to the score, the most telling first.
    fn reasons(&self, place: usize) -> String {
        let told = |part: &Part| format!("{}:{:+.3}", name(part.reason), part.log_odds.value());
        self.decided.scores[place].reasons().iter().map(told).collect::<Vec<_>>().join(" ")
    }
}

fn flags(found: &Found<'_>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "conversion_id",
        "affiliate_id",
        "campaign_id",
        "known_at",
        "part",
        "base",
        "score",
        "probability",
        "decision",
        "flagged",
        "bound",
        "reasons",
        "rules_version",
        "scale_version",
        "policy_version",
        "models",
    ])?;
    for (place, row) in found.past.rows.iter().enumerate() {
        let (score, decision) = (&found.decided.scores[place], &found.decided.decisions[place]);
        let models: Vec<String> =
            row.models.iter().map(|it| format!("{}@{}", it.model, it.version)).collect();
        let part = if place < found.decided.calibrating { "calibration" } else { "test" };
        writer.write_record([
            row.conversion.to_string(),
            row.affiliate.to_string(),
            row.campaign.to_string(),
            instant(row.known_us),
            part.to_owned(),
            score.base.value().to_string(),
            score.log_odds.value().to_string(),
            score.probability().to_string(),
            decision.verdict.to_string(),
            u8::from(found.is_held(place)).to_string(),
            decision.bound.to_string(),
            found.reasons(place),
            found.rules.version().to_string(),
            score.scale_version.to_string(),
            decision.policy_version.to_string(),
            models.join(" "),
        ])?;
    }
    Ok(writer.into_inner()?)
}

fn proposals(found: &Found<'_>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "conversion_id",
        "affiliate_id",
        "campaign_id",
        "status",
        "proposal",
        "amount_minor",
        "commission_minor",
        "currency",
        "risk",
        "reasons",
    ])?;
    for (place, status, proposal) in found.proposals() {
        let row = &found.past.rows[place];
        writer.write_record([
            row.conversion.to_string(),
            row.affiliate.to_string(),
            row.campaign.to_string(),
            status.to_string(),
            proposal.name().to_owned(),
            row.amount.minor.to_string(),
            row.commission.map(|money| money.minor.to_string()).unwrap_or_default(),
            row.amount.currency.code().to_owned(),
            found.decided.scores[place].risk().to_string(),
            found.reasons(place),
        ])?;
    }
    Ok(writer.into_inner()?)
}

fn rings(found: &Found<'_>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["affiliate_id", "with", "why"])?;
    for (one, other, why) in &found.past.joined {
        writer.write_record([one.to_string(), other.to_string(), why.clone()])?;
    }
    Ok(writer.into_inner()?)
}

fn measures(found: &Found<'_>) -> Value {
    let rules: Map<String, Value> =
        found.of_rules().iter().map(|(code, of)| (code.to_string(), json!(of))).collect();
    let mut changes: BTreeMap<(&str, &str), (u64, i64)> = BTreeMap::new();
    for (place, _, proposal) in found.proposals() {
        let row = &found.past.rows[place];
        let change = changes.entry((proposal.name(), row.amount.currency.code())).or_default();
        *change = (change.0 + 1, change.1.saturating_add(row.commission.map_or(0, |money| money.minor)));
    }
    let changes = changes.iter().map(|((proposal, currency), (conversions, commission))| {
        json!({"proposal": proposal, "currency": currency, "conversions": conversions, "commission_minor": commission})
    });
    let (fell, asked) = found.reasons_that_matter();
    let queue: Vec<f64> = found.queue().iter().map(|place| place.stake).collect();
    let decided = &found.decided;
    json!({
        "conversions": found.past.rows.len(),
        "calibrating": decided.calibrating,
        "decided": found.test().len(),
        "held": found.test().filter(|row| found.is_held(*row)).count(),
        "rules_version": found.rules.version(),
        "scale": decided.scale,
        "uncalibrated": decided.uncalibrated,
        "policy": decided.policy,
        "rules": rules,
        "rules_not_asked": found.past.missing,
        "weeks": found.weeks(),
        "queue_stakes": queue,
        "proposals": changes.collect::<Vec<_>>(),
        "pairs_joined": found.past.joined.len(),
        "without_first_reason": {"held": asked, "fell": fell},
        "judged": found.judged(),
    })
}

/// As people write it.
pub(super) fn instant(at_us: i64) -> String {
    let at = DateTime::from_timestamp_micros(at_us);
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}
