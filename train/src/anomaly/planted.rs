//! Tables with anomalies of known kind and known guilt, for detectors and their reasons to be measured on.

use super::{
    dice::Dice,
    matrix::{Matrix, MatrixError},
};

/// What makes a planted row an anomaly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// One feature lies this many standard deviations from its mean, to either side.
    Shift(f64),
    /// One feature has the value of another row half the ranks away: ordinary by itself, but it does not go with the
    /// others.
    Swap,
    /// Every feature has the value of another row each: all ordinary, and nothing goes together.
    Scramble,
}

/// What a table is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Ordinary rows.
    pub ordinary: usize,
    /// Planted rows.
    pub planted: usize,
    /// Features.
    pub width: usize,
    /// Hidden causes that all features follow from; fewer make features depend on each other more.
    pub causes: usize,
    /// The standard deviation of each feature's own noise, where what follows from the causes has one.
    pub noise: f64,
    /// How rows are planted.
    pub kind: Kind,
    /// What all chance follows from.
    pub seed: u64,
}

/// A table with planted anomalies.
#[derive(Debug, Clone, PartialEq)]
pub struct Planted {
    /// All rows; planted ones stand at random places.
    pub table: Matrix,
    /// For each row, whether it was planted.
    pub labels: Vec<bool>,
    /// For each row, the feature that was changed; None where none was, or all.
    pub guilty: Vec<Option<usize>>,
}

/// Makes a table: each feature is a smooth function of the hidden causes, linear or bent, with noise of its own.
///
/// # Errors
/// When the plan makes no table, because a shift is infinite.
pub fn plant(plan: &Plan) -> Result<Planted, MatrixError> {
    let mut dice = Dice::new(plan.seed, 0);
    let world = World::new(plan, &mut dice);
    let rows = plan.ordinary + plan.planted;
    let mut values: Vec<Vec<f64>> = (0..rows).map(|_| world.row(plan, &mut dice)).collect();
    let by_rank: Vec<Vec<f64>> = (0..plan.width).map(|column| sorted(&values, column)).collect();
    let mut order: Vec<usize> = (0..rows).collect();
    dice.shuffle(&mut order);
    let (mut labels, mut guilty) = (vec![false; rows], vec![None; rows]);
    for &row in &order[..plan.planted] {
        labels[row] = true;
        let feature = dice.index(plan.width);
        guilty[row] = Some(feature);
        match plan.kind {
            Kind::Shift(deviations) => {
                let side = if dice.coin() { deviations } else { -deviations };
                let (mean, deviation) = moments(&by_rank[feature]);
                values[row][feature] = mean + side * deviation;
            }
            Kind::Swap => {
                let ranks = &by_rank[feature];
                let rank = ranks.partition_point(|value| *value < values[row][feature]);
                values[row][feature] = ranks[(rank + rows / 2) % rows];
            }
            Kind::Scramble => {
                guilty[row] = None;
                let other = |ranks: &Vec<f64>| ranks[dice.index(rows)];
                values[row] = by_rank.iter().map(other).collect();
            }
        }
    }
    let table = Matrix::from_rows(plan.width, values.concat())?;
    Ok(Planted { table, labels, guilty })
}

/// How features follow from causes.
struct World {
    /// Of each feature, one weight for each cause; of length one.
    weights: Vec<Vec<f64>>,
    bends: Vec<Bend>,
}

#[derive(Clone, Copy)]
enum Bend {
    Straight,
    Saturating,
    Skewed,
    Folded,
}

impl World {
    fn new(plan: &Plan, dice: &mut Dice) -> Self {
        let weights = (0..plan.width).map(|_| {
            let raw: Vec<f64> = (0..plan.causes).map(|_| dice.normal()).collect();
            let length = raw.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
            raw.into_iter().map(|weight| weight / length).collect()
        });
        let weights = weights.collect();
        let bends = [Bend::Straight, Bend::Saturating, Bend::Skewed, Bend::Folded];
        Self { weights, bends: (0..plan.width).map(|feature| bends[feature % bends.len()]).collect() }
    }

    fn row(&self, plan: &Plan, dice: &mut Dice) -> Vec<f64> {
        let causes: Vec<f64> = (0..plan.causes).map(|_| dice.normal()).collect();
        let feature = |(weights, bend): (&Vec<f64>, &Bend)| {
            let cause: f64 = weights.iter().zip(&causes).map(|(weight, cause)| weight * cause).sum();
            bend.of(cause) + plan.noise * dice.normal()
        };
        self.weights.iter().zip(&self.bends).map(feature).collect()
    }
}

impl Bend {
    /// A function whose values have about mean zero and standard deviation one for a standard normal argument.
    fn of(self, cause: f64) -> f64 {
        match self {
            Self::Straight => cause,
            Self::Saturating => libm::tanh(1.5 * cause) / 0.75,
            Self::Skewed => (libm::exp(0.5 * cause) - 1.133) / 0.604,
            Self::Folded => libm::sin(1.5 * cause) / 0.7,
        }
    }
}

fn sorted(rows: &[Vec<f64>], column: usize) -> Vec<f64> {
    let mut values: Vec<f64> = rows.iter().map(|row| row[column]).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan =
        Plan { ordinary: 900, planted: 100, width: 6, causes: 2, noise: 0.1, kind: Kind::Swap, seed: 4 };

    #[test]
    fn planted_rows_are_counted_and_swapped_values_have_all_been_seen() {
        let planted = plant(&PLAN).unwrap();
        assert_eq!((planted.table.rows(), planted.table.width()), (1_000, 6));
        assert_eq!(planted.labels.iter().filter(|label| **label).count(), 100);
        assert!(planted.guilty.iter().zip(&planted.labels).all(|(guilty, label)| guilty.is_some() == *label));
        assert_eq!(planted, plant(&PLAN).unwrap());
        for column in 0..6 {
            let ordinary = planted.table.column(column).zip(&planted.labels).filter(|(_, label)| !**label);
            let (least, greatest) = ordinary.fold((0.0_f64, 0.0_f64), |(least, greatest), (value, _)| {
                (least.min(value), greatest.max(value))
            });
            // A value of another planted row may lie a little beyond all ordinary ones.
            assert!(planted.table.column(column).all(|value| least - 2.0 < value && value < greatest + 2.0));
        }
    }

    #[test]
    fn a_shift_is_as_far_as_it_says() {
        let planted = plant(&Plan { kind: Kind::Shift(12.0), ..PLAN }).unwrap();
        for (row, guilty) in planted.guilty.iter().enumerate() {
            if let Some(feature) = guilty {
                assert!(8.0 < planted.table.row(row)[*feature].abs());
            }
        }
    }
}
