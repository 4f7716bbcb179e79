//! Monotone calibration: predictions are bent, never reordered, so that groups of customers get what such groups spent.

/// Where groups end, as parts of all customers, besides every twentieth: a few customers at the top are a large part of what
/// is spent.
const TOP: [f64; 1] = [0.98];
/// Each group has at least this many customers.
const LEAST: usize = 40;

/// A rising curve through the origin, by points; beyond the last point it goes on in proportion.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Predictions as parts of their mean, and what they become; both rise.
    pub points: Vec<(f64, f64)>,
}

impl Calibration {
    /// Learns from predictions and what was spent at another time. Customers are grouped by prediction, and groups pooled
    /// where their means would fall (isotonic regression by pool-adjacent-violators, Ayer and others 1955); half of what
    /// is found is taken to be particular to that time, so that the curve runs through the geometric means of predictions
    /// and amounts, with straight lines between them. None where there are too few customers to tell.
    #[must_use]
    pub fn learn(predicted: &[f64], actual: &[f64]) -> Option<Self> {
        let ends = ends(predicted.len());
        let [foretold, spent] = [predicted, actual].map(|it| it.iter().sum::<f64>());
        if ends.len() < 3 || foretold <= 0.0 || spent <= 0.0 {
            return None;
        }
        let mut rows: Vec<usize> = (0..predicted.len()).collect();
        rows.sort_by(|one, other| predicted[*one].total_cmp(&predicted[*other]));
        let mut pools: Vec<[f64; 3]> = Vec::with_capacity(ends.len());
        let mut begin = 0;
        for end in ends {
            let rows = &rows[std::mem::replace(&mut begin, end)..end];
            let sum = |of: &[f64]| rows.iter().map(|row| of[*row]).sum::<f64>();
            let (count, from, to) = (rows.len() as f64, sum(predicted) / foretold, sum(actual) / spent);
            // As if one more had spent what was predicted, so that no group becomes nothing.
            pools.push([count, from, (count * to + from) / (count + 1.0)]);
            while let [.., one, other] = pools[..]
                && other[2] / other[0] <= one[2] / one[0]
            {
                pools.pop();
                *pools.last_mut()? = [one[0] + other[0], one[1] + other[1], one[2] + other[2]];
            }
        }
        let count = predicted.len() as f64;
        let point = |[rows, from, to]: &[f64; 3]| (from * count / rows, (from * to).sqrt() * count / rows);
        let points: Vec<(f64, f64)> = pools.iter().map(point).collect();
        let rises = points.windows(2).all(|pair| pair[0].0 < pair[1].0);
        (rises && points.iter().all(|(from, _)| 0.0 < *from)).then_some(Self { points })
    }

    /// What a prediction, as a part of the mean prediction, becomes.
    #[must_use]
    pub fn of(&self, prediction: f64) -> f64 {
        let place = self.points.partition_point(|(from, _)| *from < prediction);
        let Some(&(to_from, to)) = self.points.get(place) else {
            return self.points.last().map_or(prediction, |(from, to)| prediction * to / from);
        };
        let (from_from, from) = if place == 0 { (0.0, 0.0) } else { self.points[place - 1] };
        from + (to - from) * (prediction - from_from) / (to_from - from_from)
    }
}

/// Where groups end, in a list of so many customers.
fn ends(customers: usize) -> Vec<usize> {
    let parts = (1..20).map(|part| f64::from(part) / 20.0).chain(TOP);
    let mut ends: Vec<usize> = Vec::new();
    for end in parts.map(|part| (part * customers as f64) as usize) {
        if ends.last().unwrap_or(&0) + LEAST <= end && end + LEAST <= customers {
            ends.push(end);
        }
    }
    ends.push(customers);
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bent_curve_is_straightened_half_the_way() {
        let predicted: Vec<f64> = (1..=2000).map(|row| f64::from(row) / 1000.0).collect();
        let spent: Vec<f64> = predicted.iter().map(|it| it * it).collect();
        let bent = Calibration::learn(&predicted, &spent).unwrap();
        let mean: f64 = spent.iter().sum::<f64>() / 2000.0;
        for at in [0.2, 0.9, 1.6] {
            let halfway = (at * at * at / mean).sqrt();
            assert!((bent.of(at) - halfway).abs() < 0.02, "{at}: {} is not {halfway}", bent.of(at));
        }
    }

    proptest! {
        #[test]
        fn order_is_kept(rows in prop::collection::vec((0.01..9.0, 0.0..100.0), 150..400)) {
            let (predicted, spent): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
            if let Some(bent) = Calibration::learn(&predicted, &spent) {
                let path: Vec<f64> = (0..300).map(|step| bent.of(f64::from(step) / 30.0)).collect();
                prop_assert!(path.windows(2).all(|pair| pair[0] <= pair[1]));
            }
        }
    }
}
