//! Who began, who made the lead and who finished share most of the credit.

use super::UShaped;
use crate::attribution::{Journey, Rule};

const PEAK: f64 = 0.3;
const REST: f64 = 0.1;

/// 30 % to the first touch, 30 % to the one that made the lead, 30 % to the last, 10 % shared by the others.
///
/// A touch that is two peaks in one, for example the first touch that also made the lead, gets both parts. When there are
/// no others, the peaks share their tenth in proportion: two touches of which the first made the lead get two thirds and
/// one third. Without a lead the rule is [`UShaped`].
pub struct WShaped;

impl Rule for WShaped {
    fn name(&self) -> &'static str {
        "w_shaped"
    }

    fn doc(&self) -> &'static str {
        "30% of the credit each for the first click, the click that made the lead and the last, 10% shared by the others; without a lead 40%, 20% and 40%."
    }

    fn weigh(&self, journey: &Journey<'_>, weights: &mut [f64]) {
        let (last, lead) = match journey.lead {
            Some(lead) if (lead as usize) < weights.len() => (weights.len() - 1, lead as usize),
            _ => return UShaped.weigh(journey, weights),
        };
        let peaks = [0, lead, last];
        weights.fill(0.0);
        for peak in peaks {
            weights[peak] += PEAK;
        }
        let others = weights.iter().filter(|weight| **weight <= 0.0).count();
        for weight in weights.iter_mut().filter(|weight| **weight <= 0.0) {
            *weight = REST / others as f64;
        }
    }
}
