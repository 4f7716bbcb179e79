//! What an autoencoder is for: combinations that do not go together, and whose fault that is.

use super::*;
use crate::anomaly::{
    metrics::Ranked,
    planted::{Kind, Plan, plant},
    reasons::guiltiest,
};

const PLAN: Plan =
    Plan { ordinary: 3_000, planted: 60, width: 12, causes: 2, noise: 0.1, kind: Kind::Swap, seed: 1 };

fn quick(seed: u64) -> Settings {
    Settings { steps: 800, batch: 128, seed, ..Settings::default() }
}

#[test]
fn what_does_not_go_together_is_found_and_blamed_on_the_right_feature() {
    let planted = plant(&PLAN).unwrap();
    let fitted = Autoencoder::fit(&planted.table, &quick(0)).unwrap();
    let ranked = Ranked::new(&fitted.scores(&planted.table).unwrap(), &planted.labels).unwrap();
    assert!(0.95 < ranked.roc_auc(), "{}", ranked.roc_auc());
    let guilty: Vec<bool> = (0..planted.table.rows())
        .filter_map(|row| Some((row, planted.guilty[row]?)))
        .map(|(row, feature)| guiltiest(&fitted.blame(planted.table.row(row)), 1)[0].feature == feature)
        .collect();
    let right = guilty.iter().filter(|right| **right).count();
    assert!(54 <= right, "{right} of {}", guilty.len());
    assert!(fitted.held_out_error() < 0.4, "{}", fitted.held_out_error());
}

#[test]
fn a_seed_is_a_network() {
    let table = plant(&Plan { ordinary: 300, ..PLAN }).unwrap().table;
    let fit = |seed| Autoencoder::fit(&table, &Settings { steps: 60, ..quick(seed) }).unwrap();
    assert_eq!(fit(1), fit(1));
    assert_ne!(fit(1), fit(2));
}

#[test]
fn settings_out_of_bounds_are_refused() {
    let table = Matrix::from_rows(1, vec![1.0, 2.0]).unwrap();
    for settings in [
        Settings { swapped: 0.0, ..quick(0) },
        Settings { learning_rate: f64::NAN, ..quick(0) },
        Settings { steps: 0, ..quick(0) },
    ] {
        assert!(matches!(Autoencoder::fit(&table, &settings), Err(DetectorError::Setting { .. })));
    }
}
