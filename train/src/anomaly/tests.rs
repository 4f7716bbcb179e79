//! What holds for every detector: the same bytes at any number of threads, and no input that stops it.

use super::{
    Detector, DetectorError,
    dice::Dice,
    ecod::Ecod,
    ensemble::Ensemble,
    extended::ExtendedForest,
    forest::{IsolationForest, Settings},
    hbos::{Bins, Hbos},
    matrix::Matrix,
};

fn all(table: &Matrix) -> Result<Vec<Box<dyn Detector>>, DetectorError> {
    let settings = Settings { trees: 20, seed: 3, ..Settings::default() };
    let few = || -> Result<Vec<Box<dyn Detector>>, DetectorError> {
        Ok(vec![
            Box::new(IsolationForest::fit(table, &settings)?),
            Box::new(ExtendedForest::fit(table, &settings)?),
            Box::new(Ecod::fit(table)?),
            Box::new(Hbos::fit(table, Bins::CubeRoot)?),
            #[cfg(feature = "torch")]
            Box::new(super::autoencoder::Autoencoder::fit(table, &quick())?),
        ])
    };
    let mut detectors = few()?;
    detectors.push(Box::new(Ensemble::new(few()?, table)?));
    Ok(detectors)
}

#[cfg(feature = "torch")]
fn quick() -> super::autoencoder::Settings {
    super::autoencoder::Settings { steps: 60, ..super::autoencoder::Settings::default() }
}

fn example() -> Matrix {
    let mut dice = Dice::new(1, 1);
    let rows = (0..1_500).flat_map(|row| {
        let (shared, own) = (dice.normal(), dice.normal());
        let missing = if row % 11 == 0 { f64::NAN } else { shared + own };
        [shared, missing, f64::from(row % 3), 7.0]
    });
    Matrix::from_rows(4, rows.collect()).unwrap()
}

fn at_threads(threads: usize, table: &Matrix) -> Vec<Vec<u64>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let of = |detector: Box<dyn Detector>| -> Vec<u64> {
            let blame = detector.blame(table.row(5));
            detector.scores(table).unwrap().iter().chain(&blame).map(|number| number.to_bits()).collect()
        };
        all(table).unwrap().into_iter().map(of).collect()
    })
}

#[test]
fn the_same_bytes_come_at_any_number_of_threads() {
    let table = example();
    let once = at_threads(1, &table);
    for threads in [2, 4] {
        assert_eq!(at_threads(threads, &table), once, "{threads} threads");
    }
}

#[test]
fn rows_are_scored_the_same_alone_and_among_others() {
    let table = example();
    for detector in all(&table).unwrap() {
        let together = detector.scores(&table).unwrap();
        let some = [0, 77, 1_499];
        let alone = detector.scores(&table.select(&some)).unwrap();
        let expected: Vec<f64> = some.iter().map(|&row| together[row]).collect();
        assert_eq!(alone, expected, "{}", detector.name());
    }
}

#[test]
fn no_table_of_numbers_stops_a_detector() {
    let far = f64::MAX;
    let tables = [
        (1, vec![3.0]),
        (2, vec![1.0, f64::NAN]),
        (1, vec![5.0; 300]),
        (2, vec![f64::NAN; 60]),
        (1, vec![far, -far, 0.0, 1.0]),
        (3, [1.0, 2.0, f64::NAN].repeat(400)),
        (2, (0..40).flat_map(|row| [f64::from(row), -f64::from(row)]).collect()),
    ];
    for (width, values) in tables {
        let table = Matrix::from_rows(width, values).unwrap();
        for detector in all(&table).unwrap() {
            let name = detector.name();
            let scores = detector.scores(&table).unwrap();
            assert!(scores.iter().all(|score| score.is_finite()), "{name}: {scores:?} for {table:?}");
            for strange in [vec![f64::NAN; width], vec![far; width], vec![-far; width]] {
                let row = Matrix::from_rows(width, strange).unwrap();
                assert!(!detector.scores(&row).unwrap()[0].is_nan(), "{name}: {row:?}");
                let blame = detector.blame(row.row(0));
                assert!(
                    blame.len() == width && blame.iter().all(|part| part.is_finite()),
                    "{name}: {blame:?}"
                );
            }
            let none = Matrix::from_rows(width, Vec::new()).unwrap();
            assert_eq!(detector.scores(&none).unwrap(), Vec::<f64>::new());
        }
    }
}

#[test]
fn nothing_to_learn_from_is_said() {
    let error = |table: &Matrix| all(table).err();
    assert_eq!(error(&Matrix::from_rows(2, Vec::new()).unwrap()), Some(DetectorError::NoRows));
    assert_eq!(error(&Matrix::from_rows(0, Vec::new()).unwrap()), Some(DetectorError::NoRows));
    let table = example();
    assert!(matches!(Ensemble::new(Vec::new(), &table).err(), Some(DetectorError::Setting { .. })));
    for detector in all(&table).unwrap() {
        let narrow = Matrix::from_rows(3, vec![0.0; 3]).unwrap();
        assert!(matches!(detector.scores(&narrow), Err(DetectorError::Matrix(_))), "{}", detector.name());
    }
}

#[test]
fn names_differ() {
    let detectors = all(&example()).unwrap();
    let mut names: Vec<&str> = detectors.iter().map(|detector| detector.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), detectors.len());
}

#[test]
fn a_row_that_every_member_finds_rare_is_blamed_on_the_feature_that_they_agree_on() {
    let mut values = example().values().to_vec();
    values[4 * 700] = 40.0;
    let table = Matrix::from_rows(4, values).unwrap();
    for detector in all(&table).unwrap() {
        let scores = detector.scores(&table).unwrap();
        let above = scores.iter().filter(|score| scores[700] < **score).count();
        assert!(above < 75, "{} has {above} rows above", detector.name());
        let guiltiest = super::reasons::guiltiest(&detector.blame(table.row(700)), 1)[0].feature;
        // Columns 0 and 1 follow from each other, and a network may think that it is the other that does not fit.
        let guilty = if detector.name() == "autoencoder" { 0..2 } else { 0..1 };
        assert!(guilty.contains(&guiltiest), "{} blames column {guiltiest}", detector.name());
    }
}
