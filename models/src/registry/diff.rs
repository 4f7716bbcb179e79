//! What changed between two versions: metrics with how far they moved, and every other line of the manifest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Registry,
    manifest::{Manifest, Metric},
    name::{ModelName, Version},
    read::ReadError,
};

/// What changed from one version to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// Of each metric that one of them has.
    pub metrics: Vec<MetricChange>,
    /// Of everything else.
    pub changes: Vec<Change>,
}

/// How a metric moved.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricChange {
    /// Which one.
    pub name: String,
    /// In the first version.
    pub before: Option<Metric>,
    /// In the second.
    pub after: Option<Metric>,
}

/// A line of the manifest that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where: `training.rows`, `thresholds.hold.value`.
    pub place: String,
    /// In the first version, if there.
    pub before: Option<String>,
    /// In the second, if there.
    pub after: Option<String>,
}

impl Registry {
    /// What changed from one version of a model to another.
    ///
    /// # Errors
    /// When one of them is not there or damaged.
    pub fn diff(&self, model: &ModelName, before: Version, after: Version) -> Result<Diff, ReadError> {
        Ok(between(&self.manifest(model, before)?, &self.manifest(model, after)?))
    }
}

fn between(before: &Manifest, after: &Manifest) -> Diff {
    let names: Vec<&str> =
        before.about.metrics.iter().chain(&after.about.metrics).map(|it| it.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    let metrics = names.into_iter().filter(|name| seen.insert(*name)).map(|name| MetricChange {
        name: name.to_owned(),
        before: before.about.metric(name).cloned(),
        after: after.about.metric(name).cloned(),
    });
    let (old, new) = (lines(before), lines(after));
    let places: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = places.into_iter().filter(|place| old.get(*place) != new.get(*place));
    let changes = changed.map(|place| Change {
        place: place.clone(),
        before: old.get(place).cloned(),
        after: new.get(place).cloned(),
    });
    Diff { metrics: metrics.collect(), changes: changes.collect() }
}

/// Every value of a manifest by its place, but for the metrics, the version and the numbers of parity vectors.
fn lines(manifest: &Manifest) -> BTreeMap<String, String> {
    let mut value = serde_json::to_value(manifest).expect("a manifest has text keys and finite numbers only");
    let mut found = BTreeMap::new();
    if let Some(fields) = value.as_object_mut() {
        ["metrics", "version", "parity"].iter().for_each(|field| drop(fields.remove(*field)));
    }
    flatten("", &value, &mut found);
    let parity: Vec<String> = manifest.about.parity.iter().map(|it| format!("to {}", it.tolerance)).collect();
    found.insert("parity".to_owned(), format!("{} vectors: {}", parity.len(), parity.join(", ")));
    found
}

fn flatten(place: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let below = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| flatten(&below(name), value, found)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                // What has a name keeps its place when another comes before it.
                let name = item.get("name").or_else(|| item.get("metric")).or(Some(item));
                match name.and_then(Value::as_str) {
                    Some(name) if item.is_string() => drop(found.insert(below(name), "there".to_owned())),
                    Some(name) => flatten(&below(name), item, found),
                    None => flatten(&below(&(index + 1).to_string()), item, found),
                }
            }
        }
        Value::String(text) => drop(found.insert(place.to_owned(), text.clone())),
        other => drop(found.insert(place.to_owned(), other.to_string())),
    }
}
