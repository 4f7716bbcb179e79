//! What the job writes: predictions, measures, and the report.

use anyhow::Result;
use models::registry::Publication;
use serde_json::{Map, Value, json};

use super::{Ltv, Said, date_of};
use crate::{
    jobs::folder::Folder,
    lifetime::{Fitted, Measures, Metrics},
};

/// How many reasons are told at most, and how much a feature must make of a difference.
const TOLD: usize = 3;
const WORTH: f64 = 0.005;

/// Writes them.
pub(super) fn write(
    folder: &Folder,
    said: &Said,
    asked: &Ltv,
    publication: Option<&Publication>,
) -> Result<()> {
    folder.put("predictions.csv", &predictions(said)?)?;
    folder.put("metrics.json", &serde_json::to_vec_pretty(&metrics(said, asked))?)?;
    publication.map_or(Ok(()), |it| folder.put("model.onnx", &it.model))
}

fn predictions(said: &Said) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["customer_id", "predicted", "lower", "upper", "p_active", "segment", "reasons"];
    writer.write_record(head)?;
    let names = said.learned.reasoned();
    for (it, reasons) in said.predictions.iter().zip(said.reasons.chunks(names.len())) {
        let numbers = [it.mean, it.lower, it.upper, it.p_active].map(|number| number.to_string());
        let [mean, lower, upper, p_active] = &numbers;
        let name = &said.customers.names[it.customer];
        let why = why(&names, reasons);
        writer.write_record([name, mean, lower, upper, p_active, it.segment.name(), &why])?;
    }
    Ok(writer.into_inner()?)
}

/// The features that make the most difference, and what each multiplies what is expected with.
fn why(names: &[String], reasons: &[f64]) -> String {
    let mut places: Vec<usize> = (0..names.len()).filter(|place| WORTH <= reasons[*place].abs()).collect();
    places.sort_by(|one, other| reasons[*other].abs().total_cmp(&reasons[*one].abs()));
    let words =
        places.iter().take(TOLD).map(|place| format!("{} ×{:.2}", names[*place], libm::exp(reasons[*place])));
    words.collect::<Vec<_>>().join("; ")
}

fn metrics(said: &Said, asked: &Ltv) -> Value {
    let learned = &said.learned;
    let models: Map<String, Value> =
        said.judged.iter().map(|it| (it.name.to_owned(), of_model(&it.metrics))).collect();
    let candidates: Map<String, Value> =
        learned.fitted.iter().map(|it| (it.name.to_owned(), of_candidate(it))).collect();
    let forecasts = learned.level.forecasts.iter();
    let forecasts: Vec<Value> =
        forecasts.map(|(day, log)| json!({"from": date_of(*day), "log_ratio": log})).collect();
    json!({
        "source": said.customers.source,
        "calibration_end": asked.calibration_end,
        "horizon_days": asked.horizon_days,
        "customers": said.predictions.len(),
        "predicted_total": said.predictions.iter().map(|it| it.mean).sum::<f64>(),
        "chosen": learned.best().name,
        "candidates": candidates,
        "compared_on": {"from": date_of(learned.inner.cutoff), "days": learned.inner.days},
        "models": models,
        "not_judged": said.unjudged,
        "shift": {
            "age_index": learned.moved.age_index,
            "set_aside": learned.moved.set_aside,
            "forecasts": forecasts,
            "forecast_days": learned.level.days,
            "correction": learned.level.correction,
        },
        "bg_nbd": {
            "r": learned.anchor.bg_nbd.r,
            "alpha": learned.anchor.bg_nbd.alpha,
            "a": learned.anchor.bg_nbd.a,
            "b": learned.anchor.bg_nbd.b,
        },
        "seed": asked.run.seed,
    })
}

fn of_candidate(fitted: &Fitted) -> Value {
    json!({"score": fitted.score, "held_out": of(&fitted.inner), "raw_total": fitted.raw_total})
}

fn of_model(metrics: &Metrics) -> Value {
    let mut all = of(&metrics.all);
    let segments: Map<String, Value> =
        metrics.segments.iter().map(|(segment, it)| (segment.name().to_owned(), of(it))).collect();
    all["segments"] = Value::Object(segments);
    all
}

fn of(it: &Measures) -> Value {
    json!({
        "customers": it.customers,
        "gini": it.gini,
        "spearman": it.spearman,
        "decile_mape": it.decile_wmape,
        "rmse": it.rmse,
        "total_ratio": it.total_ratio,
        "coverage": it.coverage,
    })
}
