//! Boosted trees as a file: what ONNX Runtime says of a row is what the trainer says, to the bit where the file is in
//! double precision.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{collections::BTreeMap, env, ops::ControlFlow, path::Path, sync::OnceLock};

use models::graph::{ElementType, Graph, Metadata, TensorType};
use ort::{
    environment::Environment,
    session::{Session, SessionInputValue},
    value::Tensor,
};
use train::{
    anomaly::matrix::{Matrix, Values},
    gbdt::{Boosted, Examples, Settings, fit, losses},
};

const ROWS: usize = 6_000;

fn environment() -> &'static Environment {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let library = env::var_os("ORT_DYLIB_PATH").expect("cargo sets it from .cargo/config.toml");
        ort::init_from(Path::new(&library)).unwrap().with_name("gbdt").build().unwrap()
    })
}

/// Numbers between 0 and 1 that look like chance (Weyl 1916).
fn unit(row: usize, column: usize) -> f64 {
    let step =
        [0.618_033_988_749_894_9, 0.754_877_666_246_692_8, 0.569_840_290_998_053_3, 0.819_172_513_396_164_4];
    (step[column] * (row + 1) as f64).fract()
}

/// Epoch seconds with parts of them, cents beyond what single precision holds, a number with holes, and categories.
fn table() -> Matrix {
    let numbers = |of: &dyn Fn(usize) -> f64| Values::Numbers((0..ROWS).map(of).collect());
    let country =
        |row: usize| (!row.is_multiple_of(17)).then(|| format!("c{:02}", (30.0 * unit(row, 3)) as u32));
    let named = [
        ("second".to_owned(), numbers(&|row| 1_772_323_200.0 + (1e5 * unit(row, 0)).floor() / 4.0)),
        ("cents".to_owned(), numbers(&|row| (9e12 * unit(row, 1)).floor())),
        ("rate".to_owned(), numbers(&|row| if row.is_multiple_of(5) { f64::NAN } else { unit(row, 2) })),
        ("country".to_owned(), Values::Categories((0..ROWS).map(country).collect())),
    ];
    Matrix::learn(&named).unwrap()
}

fn targets(loss: &str) -> Vec<f64> {
    let target = |row: usize| {
        let rate = if row.is_multiple_of(5) { 0.9 } else { unit(row, 2) };
        let wave = (unit(row, 0) * 40.0).sin()
            + (unit(row, 1) * 25.0).cos() * rate
            + (unit(row, 3) * 30.0).floor() % 3.0;
        match loss {
            "logistic" => f64::from(u8::from(1.0 < wave)),
            "tweedie" => (100.0 * (wave - 1.0)).max(0.0),
            _ => wave,
        }
    };
    (0..ROWS).map(target).collect()
}

fn file(model: &Boosted, element: ElementType) -> Vec<u8> {
    let mut graph = Graph::new("gbdt");
    let rows = graph.input("x", TensorType::rows(element, model.columns.len()), "features").unwrap();
    let [score, prediction] = model.add(&mut graph, &rows).unwrap();
    graph.output("score", &score, "before the link").unwrap();
    graph.output("prediction", &prediction, "after it").unwrap();
    graph.finish(&Metadata::default()).unwrap()
}

fn run(bytes: &[u8], input: SessionInputValue<'static>, threads: usize) -> BTreeMap<String, Vec<f64>> {
    let builder = Session::builder(environment()).unwrap();
    let mut session = builder.with_intra_threads(threads).unwrap().commit_from_memory(bytes).unwrap();
    let answers = session.run(vec![("x".to_owned(), input)]).unwrap();
    let numbers = |value: &ort::value::ValueRef<'_>| {
        let doubles = value.try_extract_tensor::<f64>().map(|(_, it)| it.to_vec());
        let floats =
            || value.try_extract_tensor::<f32>().map(|(_, it)| it.iter().map(|it| f64::from(*it)).collect());
        doubles.or_else(|_| floats()).unwrap()
    };
    answers.iter().map(|(name, value)| (name.to_owned(), numbers(&value))).collect()
}

#[test]
fn a_file_says_what_the_trainer_says() {
    let table = table();
    for loss in ["squared", "logistic", "tweedie", "quantile:0.9"] {
        let targets = targets(loss);
        let learn = Examples { table: &table, targets: &targets, weights: None };
        let settings = Settings { trees: 120, ..Settings::default() };
        let loss = losses::parse(loss).unwrap();
        let model = fit(&settings, &*loss, learn, None, &mut |_| ControlFlow::Continue(())).unwrap();
        let sets = model.trees.categories.iter().filter(|set| !set.is_empty()).count();
        assert!(0 < sets, "no split asks for categories");

        let double = file(&model, ElementType::F64);
        let width = table.width();
        for threads in [1, 3] {
            let given = Tensor::from_array(([ROWS, width], table.values().to_vec())).unwrap().into();
            let answers = run(&double, given, threads);
            let scores = model.scores(&table).unwrap();
            let off =
                scores.iter().zip(&answers["score"]).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
            assert_eq!(off, 0, "{loss:?} with {threads} threads");
            for (expected, found) in model.predictions(&table).unwrap().iter().zip(&answers["prediction"]) {
                assert!(
                    (expected - found).abs() <= 1e-14 * expected.abs().max(1.0),
                    "{loss:?}: {expected} {found}"
                );
            }
        }
        // One row alone, which ONNX Runtime may give to several threads tree by tree.
        let given = Tensor::from_array(([1, width], table.row(7).to_vec())).unwrap().into();
        let alone = run(&double, given, 3)["score"][0];
        assert_eq!(alone.to_bits(), model.scores(&table.select(&[7])).unwrap()[0].to_bits());

        let single = file(&model, ElementType::F32);
        let narrow: Vec<f32> = table.values().iter().map(|value| *value as f32).collect();
        let widened =
            Matrix::from_rows(width, narrow.iter().map(|value| f64::from(*value)).collect()).unwrap();
        let given = Tensor::from_array(([ROWS, width], narrow)).unwrap().into();
        let answers = run(&single, given, 1);
        for (expected, found) in model.scores(&widened).unwrap().iter().zip(&answers["score"]) {
            assert!(
                (expected - found).abs() <= 1e-5 * expected.abs().max(1.0),
                "{loss:?}: {expected} {found}"
            );
        }
    }
}
