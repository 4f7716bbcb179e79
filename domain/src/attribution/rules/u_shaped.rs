//! Who began and who finished share most of the credit.

use crate::attribution::{Journey, Rule};

/// 40 % to the first touch, 40 % to the last, 20 % shared by those between. Two touches get half each, a single one gets
/// all: what is left over goes to the peaks in proportion.
pub struct UShaped;

impl Rule for UShaped {
    fn name(&self) -> &'static str {
        "u_shaped"
    }

    fn doc(&self) -> &'static str {
        "40% of the credit for the first click, 40% for the last, 20% shared by those between."
    }

    fn weigh(&self, _: &Journey<'_>, weights: &mut [f64]) {
        let touches = weights.len();
        weights.fill(0.2 / touches.saturating_sub(2).max(1) as f64);
        if let [first, .., last] = weights {
            (*first, *last) = (0.4, 0.4);
        }
    }
}
