//! Rows parted by time: a model learns from the past, is calibrated on what came then, and is judged on what came last.

use anyhow::{Result, ensure};
use clap::Args;

/// Which part of the rows is for what.
#[derive(Args, Clone, Copy, Debug)]
pub struct SplitArgs {
    /// The share of the rows, the latest but for those that judge, that thresholds and calibration come from
    #[arg(long, default_value_t = 0.2, value_name = "SHARE")]
    pub calibration: f64,
    /// The share of the rows, the latest, that the model is judged on
    #[arg(long, default_value_t = 0.2, value_name = "SHARE")]
    pub test: f64,
}

/// Rows by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What the model learns from.
    pub fit: Vec<usize>,
    /// Where thresholds and probabilities come from.
    pub calibrate: Vec<usize>,
    /// What it is judged on.
    pub test: Vec<usize>,
    /// Whether these are three parts; without times all rows are all three, and what is said of them is said of rows that
    /// the model has seen.
    pub by_time: bool,
}

impl SplitArgs {
    /// Parts rows at instants, so that rows of one instant stay together.
    ///
    /// # Errors
    /// When a share is none, or a part would be empty.
    pub fn part(&self, times_us: Option<&[i64]>, rows: usize) -> Result<Split> {
        for (name, share) in [("--calibration", self.calibration), ("--test", self.test)] {
            ensure!(
                (0.0..1.0).contains(&share) && 0.0 < share,
                "{name} is {share}, and must be above 0 and below 1"
            );
        }
        ensure!(
            self.calibration + self.test < 1.0,
            "--calibration and --test leave nothing to learn from: together they must be below 1"
        );
        let all: Vec<usize> = (0..rows).collect();
        let Some(times_us) = times_us else {
            return Ok(Split { fit: all.clone(), calibrate: all.clone(), test: all, by_time: false });
        };
        let mut sorted = times_us.to_vec();
        sorted.sort_unstable();
        let at = |share: f64| sorted.get((rows as f64 * share) as usize).copied().unwrap_or(i64::MAX);
        let calibrate_from = at(1.0 - self.calibration - self.test);
        let test_from = at(1.0 - self.test);
        let part = |from: i64, to: i64| -> Vec<usize> {
            all.iter().copied().filter(|row| from <= times_us[*row] && times_us[*row] < to).collect()
        };
        let split = Split {
            fit: part(i64::MIN, calibrate_from),
            calibrate: part(calibrate_from, test_from),
            test: part(test_from, i64::MAX),
            by_time: true,
        };
        for (name, part) in
            [("learn from", &split.fit), ("calibrate on", &split.calibrate), ("judge on", &split.test)]
        {
            ensure!(!part.is_empty(), "no rows are left to {name}: too many of them have the same time");
        }
        Ok(split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USUAL: SplitArgs = SplitArgs { calibration: 0.2, test: 0.2 };

    #[test]
    fn without_times_all_rows_are_everything() {
        let split = USUAL.part(None, 3).unwrap();
        assert_eq!(
            (split.fit.len(), split.calibrate.len(), split.test.len(), split.by_time),
            (3, 3, 3, false)
        );
    }

    #[test]
    fn rows_of_one_instant_alone_cannot_be_parted() {
        let told = USUAL.part(Some(&[7; 10]), 10).unwrap_err().to_string();
        assert_eq!(told, "no rows are left to learn from: too many of them have the same time");
        let told = SplitArgs { calibration: 0.5, test: 0.6 }.part(None, 10).unwrap_err().to_string();
        assert!(told.contains("together they must be below 1"), "{told}");
    }

    proptest! {
        #[test]
        fn nothing_learned_from_is_later_than_what_is_judged(
            times in prop::collection::vec(0_i64..50, 40..200),
        ) {
            let Ok(split) = USUAL.part(Some(&times), times.len()) else { return Ok(()) };
            let mut rows = [split.fit.clone(), split.calibrate.clone(), split.test.clone()].concat();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..times.len()).collect::<Vec<_>>());
            let latest = |part: &[usize]| part.iter().map(|row| times[*row]).max();
            let earliest = |part: &[usize]| part.iter().map(|row| times[*row]).min();
            prop_assert!(latest(&split.fit) < earliest(&split.calibrate));
            prop_assert!(latest(&split.calibrate) < earliest(&split.test));
        }
    }
}
