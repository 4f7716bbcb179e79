//! Every touch gets the same part of the credit.

use crate::attribution::{Journey, Rule};

/// The same credit for every touch; a channel that touched twice gets two parts.
pub struct Linear;

impl Rule for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn doc(&self) -> &'static str {
        "Every click within the campaign's window gets the same part of the credit."
    }

    fn weigh(&self, _: &Journey<'_>, weights: &mut [f64]) {
        weights.fill(1.0);
    }
}
