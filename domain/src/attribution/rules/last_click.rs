//! The last touch before the conversion gets all of the credit.

use crate::attribution::{Journey, Rule};

/// All of the credit to the latest touch within the campaign's window (S87).
pub struct LastClick;

impl Rule for LastClick {
    fn name(&self) -> &'static str {
        "last_click"
    }

    fn doc(&self) -> &'static str {
        "The latest click within the campaign's window gets all of the credit."
    }

    fn weigh(&self, _: &Journey<'_>, weights: &mut [f64]) {
        weights.fill(0.0);
        if let Some(last) = weights.last_mut() {
            *last = 1.0;
        }
    }
}
