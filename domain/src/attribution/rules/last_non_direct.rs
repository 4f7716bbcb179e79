//! The last touch that somebody sent gets all of the credit.

use crate::attribution::{Journey, Rule};

/// All of the credit to the latest touch that was not direct traffic. When all touches were direct, the last one gets it,
/// because somebody must.
pub struct LastNonDirect;

impl Rule for LastNonDirect {
    fn name(&self) -> &'static str {
        "last_non_direct"
    }

    fn doc(&self) -> &'static str {
        "The latest click that was not direct traffic gets all of the credit; if all were direct, the latest does."
    }

    fn weigh(&self, journey: &Journey<'_>, weights: &mut [f64]) {
        weights.fill(0.0);
        let last = weights.len().saturating_sub(1);
        let sent = (0..weights.len()).rev().find(|touch| !journey.is_direct(*touch));
        if let Some(weight) = weights.get_mut(sent.unwrap_or(last)) {
            *weight = 1.0;
        }
    }
}
