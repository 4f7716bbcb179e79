//! A version that is worse than the champion does not take its place, unless a person says why.

use serde::{Deserialize, Serialize};

use super::manifest::{About, Metric};

/// What a version must not lose against the champion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Which metric.
    pub metric: String,
    /// Which way it is better.
    pub better: Better,
    /// By how much it may be worse, in the metric's unit.
    pub tolerance: f64,
}

/// Which way a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// As `roc_auc`.
    Higher,
    /// As a false-positive rate.
    Lower,
}

/// The gates that a version does not pass, each in a sentence: the rules of both count, so that a version cannot leave
/// out what its predecessor was held to. A metric that the champion lacks holds nobody back.
#[must_use]
pub fn failed(candidate: &About, champion: &About) -> Vec<String> {
    let own = candidate.gates.iter().filter(|gate| !champion.gates.iter().any(|it| it.metric == gate.metric));
    champion.gates.iter().chain(own).filter_map(|gate| gate.failure(candidate, champion)).collect()
}

impl Gate {
    fn failure(&self, candidate: &About, champion: &About) -> Option<String> {
        let held = champion.metric(&self.metric)?;
        let Some(new) = candidate.metric(&self.metric) else {
            return Some(format!("it does not say its {}, and the champion has {}", self.metric, said(held)));
        };
        let loss = match self.better {
            Better::Higher => held.value - new.value,
            Better::Lower => new.value - held.value,
        };
        // Not `tolerance < loss`: what is no number does not pass.
        if loss <= self.tolerance {
            return None;
        }
        let Self { metric, tolerance, .. } = self;
        Some(format!(
            "its {metric} is {}, worse than the champion's {} by more than {tolerance}",
            said(new),
            said(held)
        ))
    }
}

/// A metric with its interval.
#[must_use]
pub fn said(metric: &Metric) -> String {
    let interval = metric.interval.map(|it| format!(" [{:.4}, {:.4}]", it.low, it.high));
    format!("{:.4}{}", metric.value, interval.unwrap_or_default())
}
