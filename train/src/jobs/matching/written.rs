//! What the job writes: recommendations, measures, and the report.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{Judged, LEVEL, Matching, Said, pages};
use crate::{
    jobs::folder::Folder,
    matching::{Because, Reason, metrics::Accuracy},
};

/// How many reasons are told at most.
const TOLD: usize = 3;

/// Writes them.
pub(super) fn write(folder: &Folder, said: &Said, asked: &Matching) -> Result<()> {
    folder.put("recommendations.csv", &recommendations(said)?)?;
    folder.put("metrics.json", &serde_json::to_vec_pretty(&metrics(said, asked))?)?;
    folder.put("report.html", pages::report(said, asked).render()?.as_bytes())
}

fn recommendations(said: &Said) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["user", "item", "rank", "score", "reason"])?;
    for (user, items) in said.market.users.iter().zip(&said.recommended) {
        for (rank, it) in items.iter().enumerate() {
            let (rank, score) = ((rank + 1).to_string(), format!("{:?}", it.score));
            let reason = why(&it.reasons, &said.market.items);
            writer.write_record([user, &said.market.items[it.item as usize], &rank, &score, &reason])?;
        }
    }
    Ok(writer.into_inner()?)
}

/// What adds most to a score, in words.
fn why(reasons: &[Reason], items: &[String]) -> String {
    let mut told: Vec<&Reason> =
        reasons.iter().filter(|it| it.because != Because::Rest && 0.0 < it.contribution).collect();
    told.sort_by(|one, other| {
        other.contribution.total_cmp(&one.contribution).then(one.because.cmp(&other.because))
    });
    let words = told.into_iter().take(TOLD).map(|reason| {
        let what = match &reason.because {
            Because::Popularity => "many had to do with it".to_owned(),
            Because::Item(item) => format!("had to do with {}", items[*item as usize]),
            Because::Feature(feature) => feature.clone(),
            Because::Untold => "nothing is known of the user, and many had to do with it".to_owned(),
            Because::Rest => "the rest".to_owned(),
        };
        format!("{what} +{:.3}", reason.contribution)
    });
    words.collect::<Vec<_>>().join("; ")
}

fn metrics(said: &Said, asked: &Matching) -> Value {
    let k = asked.k;
    let models: Map<String, Value> =
        said.judged.iter().map(|it| (it.model.name(), of_model(it, k))).collect();
    let known = &said.market.seen.interactions;
    json!({
        "source": said.market.source,
        "data": said.market.data.to_string(),
        "users": known.users(),
        "items": known.items(),
        "pairs": known.len(),
        "learned_from": said.parts.train.len(),
        "judged_on": said.parts.test.len(),
        "recommends": said.judged[said.chosen].model.name(),
        "models": models,
        "notes": said.market.notes,
        "seed": asked.run.seed,
    })
}

fn of_model(judged: &Judged, k: usize) -> Value {
    let it = &judged.metrics;
    let mut told = accuracy(&it.all, k);
    told["ndcg_interval"] = json!({"low": judged.ndcg[0], "high": judged.ndcg[1], "level": LEVEL});
    if let Some(value) = judged.value {
        told[format!("value@{k}")] = json!(value);
    }
    told["coverage"] = json!(it.coverage);
    told["exposure_gini"] = json!(it.gini);
    told["novelty"] = json!(it.novelty);
    for (name, part) in [
        ("warm_users", &it.warm),
        ("new_users", &it.new),
        ("warm_items", &it.warm_items),
        ("new_items", &it.new_items),
    ] {
        told[name] = accuracy(part, k);
    }
    if !judged.weights.is_empty() {
        let of = |[known, new]: [f64; 2]| json!({"known_items": known, "new_items": new});
        told["weights"] = judged.weights.iter().map(|(name, weights)| (name.clone(), of(*weights))).collect();
    }
    told
}

fn accuracy(it: &Accuracy, k: usize) -> Value {
    let mut told = Map::new();
    told.insert("users".to_owned(), json!(it.users));
    for (name, value) in [("recall", it.recall), ("ndcg", it.ndcg), ("map", it.map)] {
        told.insert(format!("{name}@{k}"), json!(value));
    }
    Value::Object(told)
}
