//! What a simulation writes: measures, and the report.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{Compared, MEASURES, Mean, Said, pages};
use crate::jobs::folder::Folder;

/// Writes them.
pub(super) fn write(folder: &Folder, said: &Said) -> Result<()> {
    folder.put("metrics.json", &serde_json::to_vec_pretty(&metrics(said))?)?;
    folder.put("report.html", pages::report(said).render()?.as_bytes())
}

fn of(it: Mean) -> Value {
    json!({"mean": it.mean, "error": it.error, "low": it.low, "high": it.high})
}

fn metrics(said: &Said) -> Value {
    let settings: Map<String, Value> =
        said.compared.iter().map(|it| (it.setting.name.to_owned(), of_setting(it))).collect();
    let power = said.power.as_ref().ok().map(|it| {
        json!({
            "logs": it.logs,
            "better_a_decision": it.better,
            "found_by_rewards": it.late,
            "found_by_early_outcomes": it.early,
            "covered_by_rewards": it.late_covered,
            "covered_by_early_outcomes": it.early_covered,
            "same_called_better_by_rewards": it.late_fooled,
            "same_called_better_by_early_outcomes": it.early_fooled,
            "width_ratio": it.wider,
        })
    });
    json!({
        "worlds": said.args.seeds,
        "partners": said.args.partners_per_world,
        "months": said.args.months,
        "policy": said.policy_version,
        "relative_to_flat": settings,
        "off_policy": power,
        "off_policy_left_out": said.power.as_ref().err(),
    })
}

fn of_setting(compared: &Compared) -> Value {
    let policy = |(place, name): (usize, &'static str)| {
        let measures: Map<String, Value> = MEASURES
            .iter()
            .map(|(name, _, number)| ((*name).to_owned(), of(Mean::of(&compared.relative(place, *number)))))
            .collect();
        (name.to_owned(), Value::Object(measures))
    };
    let mut policies: Map<String, Value> = compared.names().into_iter().enumerate().map(policy).collect();
    let cut: Map<String, Value> =
        [1.0, 1.25, 1.5].iter().map(|better| (better.to_string(), of(compared.cut(*better)))).collect();
    policies.insert("good_partners_cut".to_owned(), Value::Object(cut));
    Value::Object(policies)
}
