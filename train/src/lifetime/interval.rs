//! Intervals that hold what nine of ten customers will spend, also where most of them spend nothing.
//!
//! Customers of one segment and about one prediction are a group, and what such customers spent on later time, as
//! multiples of what was predicted for them, is the predictive distribution of the group. An interval begins at zero
//! unless hardly anybody in the group spends nothing. Where more than nine of ten spend nothing, an interval of zero alone
//! would hold too many; there, a customer drawn by chance gets one that tells of a purchase instead, just as often as it
//! takes (randomised conformal prediction, Vovk, Gammerman and Shafer 2005, section 2.2).

use super::{Prediction, Segment};
use crate::anomaly::dice::Dice;

/// What part of customers an interval is to hold.
pub const LEVEL: f64 = 0.9;
/// How many customers a group has at least, and how many groups a segment has at most.
const LEAST: usize = 150;
const GROUPS: usize = 40;
/// The stream of chance that draws customers.
const STREAM: u64 = 0x6c74_7602;

/// The predictive distributions of all groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Intervals {
    /// Of each segment, its groups in the order of their predictions.
    pub segments: Vec<(Segment, Vec<Group>)>,
    /// The groups of customers whose segment was too small.
    pub all: Vec<Group>,
}

/// Customers of about one prediction; amounts are multiples of their predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// The highest prediction.
    pub up_to: f64,
    /// Where the interval begins.
    pub lower: f64,
    /// Where it ends.
    pub upper: f64,
    /// How often a customer gets an interval that tells of a purchase instead.
    pub purchase_chance: f64,
    /// That interval.
    pub purchase: (f64, f64),
}

impl Intervals {
    /// Learns from predictions for later time and what was spent then.
    #[must_use]
    pub fn learn(predicted: &[f64], actual: &[f64], segments: &[Segment]) -> Self {
        let groups = |is_in: &dyn Fn(usize) -> bool| {
            let mut rows: Vec<usize> =
                (0..predicted.len()).filter(|row| is_in(*row) && 0.0 < predicted[*row]).collect();
            rows.sort_by(|one, other| predicted[*one].total_cmp(&predicted[*other]));
            let count = GROUPS.min(rows.len() / LEAST);
            let group = |number: usize| {
                let rows = &rows[number * rows.len() / count..(number + 1) * rows.len() / count];
                let multiples = rows.iter().map(|row| actual[*row] / predicted[*row]).collect();
                Group { up_to: predicted[rows[rows.len() - 1]], ..Group::of(multiples) }
            };
            (0..count).map(group).collect::<Vec<Group>>()
        };
        let mut all = groups(&|_| true);
        if all.is_empty() {
            // Fewer customers than one group needs still tell more than none.
            let told = predicted.iter().zip(actual).filter(|(predicted, _)| 0.0 < **predicted);
            let multiples = told.map(|(predicted, spent)| spent / predicted).collect();
            all.push(Group { up_to: f64::INFINITY, ..Group::of(multiples) });
        }
        let of_segment = |segment: Segment| (segment, groups(&|row| segments[row] == segment));
        Self { segments: Segment::ALL.map(of_segment).to_vec(), all }
    }

    /// The groups that predictions of a segment are looked up in.
    pub(super) fn groups(&self, segment: Segment) -> &[Group] {
        let own = self.segments.iter().find(|(of, _)| *of == segment);
        own.map(|(_, groups)| groups).filter(|groups| !groups.is_empty()).unwrap_or(&self.all)
    }

    /// The group of a prediction.
    pub(super) fn group(&self, prediction: &Prediction) -> Option<&Group> {
        let groups = self.groups(prediction.segment);
        let place = groups.partition_point(|group| group.up_to < prediction.mean);
        groups.get(place).or(groups.last())
    }

    /// Gives a prediction its bounds. The same customer, prediction and seed get the same ones.
    pub fn bound(&self, prediction: &mut Prediction, seed: u64) {
        let Some(group) = self.group(prediction) else { return };
        let drawn = Dice::new(seed ^ STREAM, prediction.customer as u64).unit() < group.purchase_chance;
        let (lower, upper) = if drawn { group.purchase } else { (group.lower, group.upper) };
        (prediction.lower, prediction.upper) = (lower * prediction.mean, upper * prediction.mean);
    }
}

impl Group {
    fn of(mut multiples: Vec<f64>) -> Self {
        multiples.sort_unstable_by(f64::total_cmp);
        let bought = multiples.partition_point(|multiple| *multiple <= 0.0);
        let idle = bought as f64 / multiples.len().max(1) as f64;
        let mut group =
            Self { up_to: 0.0, lower: 0.0, upper: 0.0, purchase_chance: 0.0, purchase: (1.0, 1.0) };
        if LEVEL < idle {
            let purchases = &multiples[bought..];
            let (mut held, mut purchase) = (0.0, (1.0, 1.0));
            if !purchases.is_empty() {
                purchase = (purchases[0], quantile(purchases, LEVEL));
                held = LEVEL * (1.0 - idle);
            }
            (group.purchase, group.purchase_chance) = (purchase, (idle - LEVEL) / (idle - held));
            return group;
        }
        let tail = 0.5 * (1.0 - LEVEL);
        if idle < tail {
            (group.lower, group.upper) = (quantile(&multiples, tail), quantile(&multiples, 1.0 - tail));
        } else {
            group.upper = quantile(&multiples, LEVEL);
        }
        group
    }
}

/// The least value that a part of n + 1 values, of which all but one are known, is not above.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 1.0 };
    let place = (part * (sorted.len() + 1) as f64).ceil() as usize;
    sorted[place.saturating_sub(1).min(last)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of customers whose interval holds what they spend, where a part of them spends nothing.
    fn coverage(idle: f64) -> f64 {
        let mut dice = Dice::new(5, 6);
        let mut draw = || if dice.unit() < idle { 0.0 } else { -20.0 * libm::log(1.0 - dice.unit()) };
        let learned: Vec<f64> = (0..20_000).map(|_| draw()).collect();
        let predicted: Vec<f64> = (0..20_000).map(|row| 1.0 + f64::from(row) * 1e-4).collect();
        let intervals = Intervals::learn(&predicted, &learned, &vec![Segment::Loyal; 20_000]);
        let held = (0..20_000).filter(|row| {
            let mut prediction = Prediction {
                customer: *row,
                mean: predicted[*row],
                lower: 0.0,
                upper: 0.0,
                p_active: 1.0,
                segment: Segment::Loyal,
            };
            intervals.bound(&mut prediction, 1);
            (prediction.lower..=prediction.upper).contains(&draw())
        });
        held.count() as f64 / 20_000.0
    }

    #[test]
    fn nine_of_ten_are_held_however_many_spend_nothing() {
        for idle in [0.0, 0.02, 0.07, 0.3, 0.6, 0.85, 0.92, 0.97, 1.0] {
            let found = coverage(idle);
            assert!((found - LEVEL).abs() < 0.01, "{found} of {idle}");
        }
    }
}
