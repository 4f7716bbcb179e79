//! What all reports of rates show: how far rates move, and why.

use std::collections::BTreeMap;

use domain::commission::dynamic::{RateDecision, RateReason};
use serde_json::{Map, Value, json};

use crate::report::{Line, Plot, Section, Table};

/// How often and how far each reason moved rates.
pub(super) struct Reasons {
    decisions: usize,
    /// In how many decisions, by how much together, and by how much in either direction, in parts per million.
    sums: BTreeMap<RateReason, (u64, i64, u64)>,
}

impl Reasons {
    pub(super) fn of<'a>(all: impl Iterator<Item = &'a RateDecision>) -> Self {
        let mut reasons = Self { decisions: 0, sums: BTreeMap::new() };
        for decision in all {
            reasons.decisions += 1;
            for part in &decision.parts {
                let sum = reasons.sums.entry(part.reason).or_default();
                *sum = (sum.0 + 1, sum.1 + part.ppm, sum.2 + part.ppm.unsigned_abs());
            }
        }
        reasons
    }

    pub(super) fn section(&self) -> Section {
        let many = self.decisions.max(1) as f64;
        let row = |(reason, (count, sum, size)): (&RateReason, &(u64, i64, u64))| {
            vec![
                reason.words().to_owned(),
                count.to_string(),
                format!("{:+.2}", *sum as f64 / 1e4 / many),
                format!("{:.2}", *size as f64 / 1e4 / many),
            ]
        };
        let change: i64 = self.sums.values().map(|(_, sum, _)| sum).sum();
        Section {
            heading: "Why rates move".to_owned(),
            text: format!(
                "What each reason did, in percentage points of the mean decision. The reasons of each decision sum to its change \
                 exactly, and so these sum to the mean change of {:+.2} points.",
                change as f64 / 1e4 / many
            ),
            tables: vec![Table {
                head: head(&["reason", "decisions", "mean move", "mean size"]),
                rows: self.sums.iter().map(row).collect(),
            }],
            plots: Vec::new(),
        }
    }

    pub(super) fn json(&self) -> Value {
        let one = |(reason, (count, sum, size)): (&RateReason, &(u64, i64, u64))| {
            (reason.name().to_owned(), json!({"decisions": count, "ppm": sum, "size_ppm": size}))
        };
        Value::Object(self.sums.iter().map(one).collect::<Map<_, _>>())
    }
}

/// How many of `what` change by how much: bars `width` parts per million wide, the middle one around no change.
pub(super) fn changes(title: &str, what: &str, all: impl Iterator<Item = i64>, width: i64) -> Plot {
    let mut counts = BTreeMap::<i64, usize>::new();
    for change in all {
        *counts.entry((change + width / 2).div_euclid(width)).or_default() += 1;
    }
    let (least, most) =
        (counts.keys().min().copied().unwrap_or(0), counts.keys().max().copied().unwrap_or(0));
    let of_points = |bin: i64| (bin as f64 - 0.5) * width as f64 / 1e4;
    let bar = |bin: i64| [of_points(bin), counts.get(&bin).copied().unwrap_or(0) as f64];
    Plot::new(title, ("percentage points", what))
        .with(Line::bars(what, (least..=most + 1).map(bar).collect()))
}

/// Names of columns.
pub(super) fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Parts per million as percentage points with their sign.
pub(super) fn points(ppm: i64) -> String {
    format!("{:+} points", ppm as f64 / 1e4)
}

/// A fraction as a percentage with its sign.
pub(super) fn signed(fraction: f64) -> String {
    format!("{:+.1} %", 100.0 * fraction)
}
