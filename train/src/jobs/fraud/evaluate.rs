//! What the job says of rows, and how good that is.

use std::collections::BTreeMap;

use anyhow::Result;
use models::registry::manifest::{self, Interval, Metric};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    Settings,
    fitted::{Fitted, Scored},
    pages,
};
use crate::{
    anomaly::{
        calibrate::Calibration,
        conformal,
        metrics::{Estimate, Ranked},
        reasons::guiltiest,
    },
    jobs::{Evaluation, Work},
};

/// How many reasons a row is given.
const REASONS: usize = 3;
/// How often the judged rows are drawn anew for the interval of the average precision.
const RESAMPLES: usize = 400;
/// The confidence of all intervals.
const LEVEL: f64 = 0.95;

/// Scores of one detector held against labels.
pub(super) struct Judged {
    pub(super) name: String,
    pub(super) ranked: Ranked,
    pub(super) roc_auc: Estimate,
    pub(super) average_precision: Estimate,
    /// Which share of the guilty is found at the false-positive rate that was asked for.
    pub(super) recall: f64,
}

/// One row as it is written.
pub(super) struct Told {
    pub(super) row: usize,
    pub(super) flagged: bool,
    /// The guiltiest features and their shares of the row's strangeness.
    pub(super) reasons: Vec<(usize, f64)>,
}

/// Writes what there is to say.
pub(super) fn evaluate(work: &Work<'_, Settings>, model: &Fitted) -> Result<Evaluation> {
    let judged = judge(work, model)?;
    let told: Vec<Told> = (0..work.input.rows).into_par_iter().map(|row| told(model, row)).collect();
    let published = judged.iter().find(|it| it.name == model.published.detector().name());
    let mut metrics = Vec::new();
    if let Some(judged) = published {
        metrics.push(metric("roc_auc", judged.roc_auc));
        metrics.push(metric("average_precision", judged.average_precision));
    }
    let flagged = work.split.test.iter().filter(|row| told[**row].flagged).count();
    metrics.push(metric("flagged_share", conformal::share(flagged, work.split.test.len())));
    let honest = honest(work);
    if !honest.is_empty() {
        let wrong = honest.iter().filter(|row| told[**row].flagged).count();
        metrics.push(metric("false_positive_rate", conformal::share(wrong, honest.len())));
    }
    let files = vec![
        ("scores.csv".to_owned(), scores(work, model, &told)?),
        ("metrics.json".to_owned(), serde_json::to_vec_pretty(&measures(work, model, &judged, &metrics))?),
    ];
    Ok(Evaluation {
        calibration: calibration(work, model),
        thresholds: vec![threshold(work, model)],
        report: pages::report(work, model, &judged, &told),
        summary: summary(work, model, &judged, flagged),
        metrics,
        files,
    })
}

/// Each detector on the rows that judge and that somebody has judged.
fn judge(work: &Work<'_, Settings>, model: &Fitted) -> Result<Vec<Judged>> {
    let Some(labels) = &work.input.labels else { return Ok(Vec::new()) };
    let rows: Vec<(usize, bool)> =
        work.split.test.iter().filter_map(|row| Some((*row, labels[*row]?))).collect();
    let guilty = rows.iter().filter(|(_, label)| *label).count();
    if guilty == 0 || guilty == rows.len() {
        return Ok(Vec::new());
    }
    let labels: Vec<bool> = rows.iter().map(|(_, label)| *label).collect();
    model
        .each
        .iter()
        .map(|Scored { name, scores }| {
            let of_rows: Vec<f64> = rows.iter().map(|(row, _)| scores[*row]).collect();
            let ranked = Ranked::new(&of_rows, &labels)?;
            Ok(Judged {
                name: (*name).to_owned(),
                roc_auc: ranked.roc_auc_interval(),
                average_precision: ranked.average_precision_interval(RESAMPLES, work.seed),
                recall: ranked.at_false_positive_rate(work.settings.false_positive_rate).recall,
                ranked,
            })
        })
        .collect()
}

/// The rows that judge and that somebody found honest.
fn honest(work: &Work<'_, Settings>) -> Vec<usize> {
    let is_honest =
        |row: &usize| work.input.labels.as_ref().is_some_and(|labels| labels[*row] == Some(false));
    work.split.test.iter().copied().filter(|row| is_honest(row)).collect()
}

fn told(model: &Fitted, row: usize) -> Told {
    let blame = model.blame(row);
    let whole: f64 = blame.iter().map(|part| part.max(0.0)).sum();
    let share = |blame: f64| if 0.0 < whole { blame / whole } else { 0.0 };
    let reasons = guiltiest(&blame, REASONS).into_iter().map(|reason| (reason.feature, share(reason.blame)));
    Told { row, flagged: model.threshold.flags(model.scores()[row]), reasons: reasons.collect() }
}

fn metric(name: &str, estimate: Estimate) -> Metric {
    let interval = Interval { low: estimate.low, high: estimate.high, level: LEVEL };
    Metric { name: name.to_owned(), value: estimate.value, interval: Some(interval) }
}

fn threshold(work: &Work<'_, Settings>, model: &Fitted) -> manifest::Threshold {
    let threshold = &model.threshold;
    let seen = if work.split.by_time { "" } else { "; of rows that the model has seen" };
    manifest::Threshold {
        name: "review".to_owned(),
        output: "score".to_owned(),
        value: threshold.score,
        aim: format!("at most {} of ordinary rows are above it{seen}", threshold.target),
        reached: Some(metric("false_positive_rate", threshold.rate)),
    }
}

fn calibration(work: &Work<'_, Settings>, model: &Fitted) -> Option<manifest::Calibration> {
    let (method, parameters) = match &model.calibration {
        Calibration::Isotonic(it) => (
            "isotonic",
            BTreeMap::from([
                ("scores".to_owned(), it.scores.clone()),
                ("probabilities".to_owned(), it.probabilities.clone()),
            ]),
        ),
        Calibration::Platt(it) => (
            "platt",
            BTreeMap::from([
                ("slope".to_owned(), vec![it.slope]),
                ("intercept".to_owned(), vec![it.intercept]),
            ]),
        ),
        Calibration::Rank(_) => return None,
    };
    let times = work.input.times_us.as_ref()?;
    let moment = |at_us: i64| chrono::DateTime::from_timestamp_micros(at_us);
    let of_rows = || work.split.calibrate.iter().map(|row| times[*row]);
    Some(manifest::Calibration {
        method: method.to_owned(),
        from: moment(of_rows().min()?)?,
        to: moment(of_rows().max()?.saturating_add(1))?,
        rows: work.split.calibrate.len() as u64,
        parameters,
    })
}

/// A line for each row: what names it, what each detector scores it, and why.
fn scores(work: &Work<'_, Settings>, model: &Fitted, told: &[Told]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let probability = if model.calibration.is_probability() { "probability" } else { "rank" };
    let mut head = vec!["row".to_owned()];
    head.extend(work.input.ids.iter().map(|(name, _)| name.clone()));
    head.extend(model.each.iter().map(|it| it.name.to_owned()));
    head.extend([probability, "flagged", "part"].map(str::to_owned));
    for place in 1..=REASONS {
        head.extend([format!("reason_{place}"), format!("value_{place}"), format!("share_{place}")]);
    }
    writer.write_record(&head)?;
    let mut parts = vec!["fit"; work.input.rows];
    if work.split.by_time {
        work.split.calibrate.iter().for_each(|row| parts[*row] = "calibration");
        work.split.test.iter().for_each(|row| parts[*row] = "test");
    }
    for told in told {
        let row = told.row;
        let mut line = vec![(row + 1).to_string()];
        line.extend(work.input.ids.iter().map(|(_, names)| names[row].clone()));
        line.extend(model.each.iter().map(|it| it.scores[row].to_string()));
        line.push(model.calibration.apply(model.scores()[row]).to_string());
        line.push(u8::from(told.flagged).to_string());
        line.push(parts[row].to_owned());
        for place in 0..REASONS {
            let reason = told.reasons.get(place);
            let cells = reason.map(|(feature, share)| {
                [name(model, *feature), value(model, row, *feature), format!("{share:.4}")]
            });
            line.extend(cells.unwrap_or_default());
        }
        writer.write_record(&line)?;
    }
    Ok(writer.into_inner()?)
}

pub(super) fn name(model: &Fitted, feature: usize) -> String {
    model.table.columns()[feature].name.clone()
}

/// The value of a feature as it stood in the file.
fn value(model: &Fitted, row: usize, feature: usize) -> String {
    let value = model.table.row(row)[feature];
    if value.is_nan() {
        return String::new();
    }
    match &model.table.columns()[feature].levels {
        Some(levels) => levels.get(value as usize).cloned().unwrap_or_else(|| "other".to_owned()),
        None => value.to_string(),
    }
}

fn measures(work: &Work<'_, Settings>, model: &Fitted, judged: &[Judged], metrics: &[Metric]) -> Value {
    let estimate = |it: Estimate| json!({"value": it.value, "low": it.low, "high": it.high});
    let models: Map<String, Value> = judged
        .iter()
        .map(|it| {
            let said = json!({
                "roc_auc": it.roc_auc.value,
                "average_precision": it.average_precision.value,
                "roc_auc_interval": estimate(it.roc_auc),
                "average_precision_interval": estimate(it.average_precision),
                "recall_at_false_positive_rate": it.recall,
            });
            (it.name.clone(), said)
        })
        .collect();
    let split = work.split;
    let second_stage = model.supervised().map(|it| {
        let growing = &it.growing;
        json!({
            "found_guilty": model.learned_guilty, "log_loss_unseen": it.loss, "trials": work.settings.search,
            "trees": growing.trees, "leaves": growing.leaves, "learning_rate": growing.learning_rate,
            "min_rows": growing.min_rows, "l2": growing.l2, "row_fraction": growing.row_fraction,
            "feature_fraction": growing.feature_fraction,
        })
    });
    json!({
        "second_stage": second_stage,
        "published": model.published.detector().name(),
        "models": models,
        "metrics": metrics,
        "threshold": {"score": model.threshold.score, "target": model.threshold.target,
                      "expected_false_positive_rate": estimate(model.threshold.rate)},
        "rows": {"all": work.input.rows, "fit": split.fit.len(), "calibration": split.calibrate.len(),
                 "test": split.test.len(), "split_by_time": split.by_time},
        "interval_level": LEVEL,
        "seed": work.seed,
    })
}

/// Says so when more is flagged than the threshold promises, and than chance would do.
fn drift(work: &Work<'_, Settings>, model: &Fitted, flagged: usize) -> Option<String> {
    let share = conformal::share(flagged, work.split.test.len());
    let expected = model.threshold.rate.high;
    (work.split.by_time && expected < share.low).then(|| {
        format!(
            "\nthat is {:.1} %, and at most {:.1} % were to be expected: these rows are unlike those that gave the threshold, \
             by fraud or because everybody has changed; `features check` says which features have moved",
            100.0 * share.value,
            100.0 * expected
        )
    })
}

fn summary(work: &Work<'_, Settings>, model: &Fitted, judged: &[Judged], flagged: usize) -> String {
    let test = work.split.test.len();
    let mut told = format!(
        "{}: {flagged} of {test} rows {} are flagged, for at most {} of ordinary ones",
        model.published.detector().name(),
        if work.split.by_time { "that came last" } else { "(all of which it has seen)" },
        work.settings.false_positive_rate
    );
    if let Some(guilty) = model.learned_guilty {
        told.push_str(&format!(
            "\nthe second stage learned from {guilty} rows that had been found guilty in time"
        ));
    }
    told.extend(drift(work, model, flagged));
    for it in judged {
        told.push_str(&format!(
            "\n{:12} ROC-AUC {:.4} ({:.4} to {:.4}), average precision {:.4} ({:.4} to {:.4})",
            it.name,
            it.roc_auc.value,
            it.roc_auc.low,
            it.roc_auc.high,
            it.average_precision.value,
            it.average_precision.low,
            it.average_precision.high
        ));
    }
    told
}
