//! The first touch gets all of the credit.

use crate::attribution::{Journey, Rule};

/// All of the credit to the earliest touch within the campaign's window.
pub struct FirstClick;

impl Rule for FirstClick {
    fn name(&self) -> &'static str {
        "first_click"
    }

    fn doc(&self) -> &'static str {
        "The earliest click within the campaign's window gets all of the credit."
    }

    fn weigh(&self, _: &Journey<'_>, weights: &mut [f64]) {
        weights.fill(0.0);
        if let Some(first) = weights.first_mut() {
            *first = 1.0;
        }
    }
}
