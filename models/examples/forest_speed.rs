//! How fast a file of an isolation forest of 100 trees × 256 rows with 30 features loads and answers, with its reasons
//! and without, as a line of JSON for each: `cargo run --release --example forest_speed`; `cargo xtask bench models` reads it.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{env, error::Error, fmt::Debug, path::Path, thread, time::Instant};

use models::graph::{
    ElementType, Graph, Metadata, TensorType,
    isolation_forest::{IsolationForest, Reasons},
};
use ort::{
    environment::Environment,
    session::Session,
    value::{PrimitiveTensorElementType, TensorRef},
};

const TREES: usize = 100;
const SAMPLE: usize = 256;
const FEATURES: usize = 30;
const HEIGHT: u32 = 8;
const BATCH: usize = 4096;
const SEED: u64 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let library = env::var_os("ORT_DYLIB_PATH").ok_or("ORT_DYLIB_PATH is not set; run this with cargo")?;
    let environment = ort::init_from(Path::new(&library))?.with_name("forest_speed").build()?;
    let mut dice = Dice(SEED);
    let rows: Vec<f64> = (0..BATCH * FEATURES).map(|_| dice.normal()).collect();
    let forest = grow(&rows, &mut dice);
    let cores = thread::available_parallelism()?.get();
    for (element, name) in [(ElementType::F64, "double"), (ElementType::F32, "float")] {
        for (reasons, with) in [(Reasons::Without, "without reasons"), (Reasons::With, "with reasons")] {
            let bytes = file(&forest, element, reasons)?;
            let figures = match element {
                ElementType::F32 => {
                    let rows: Vec<f32> = rows.iter().map(|x| *x as f32).collect();
                    measure(&environment, &bytes, (&rows, cores))?
                }
                _ => measure(&environment, &bytes, (&rows, cores))?,
            };
            let Figures { load_ms, p50_us, p99_us, rows_s } = figures;
            let (one, all) = (rows_s[0], rows_s[1]);
            println!(
                "{{\"case\": \"{name}, {with}\", \"kib\": {}, \"load_ms\": {load_ms}, \"p50_us\": {p50_us}, \"p99_us\": {p99_us}, \
                 \"rows_s\": {one}, \"rows_s_all\": {all}}}",
                bytes.len() / 1024
            );
        }
    }
    Ok(())
}

fn file(forest: &IsolationForest, element: ElementType, reasons: Reasons) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut graph = Graph::new("forest");
    let x = graph.input("x", TensorType::rows(element, FEATURES), "features")?;
    let isolation = forest.add(&mut graph, &x, reasons)?;
    graph.output("score", &isolation.score, "score")?;
    if let Some(reasons) = &isolation.reasons {
        graph.output("reasons", reasons, "reasons")?;
    }
    Ok(graph.finish(&Metadata::default())?)
}

/// What a file takes: loading at best, a row alone, and batches at best, on one thread and on all.
struct Figures {
    load_ms: f64,
    p50_us: f64,
    p99_us: f64,
    rows_s: [f64; 2],
}

fn measure<T: PrimitiveTensorElementType + Debug + Copy + 'static>(
    environment: &Environment,
    bytes: &[u8],
    (rows, cores): (&[T], usize),
) -> Result<Figures, Box<dyn Error>> {
    let load = |threads: usize| -> ort::Result<(Session, f64)> {
        let begin = Instant::now();
        let session =
            Session::builder(environment)?.with_intra_threads(threads)?.commit_from_memory(bytes)?;
        Ok((session, begin.elapsed().as_secs_f64() * 1e3))
    };
    let (mut session, mut load_ms) = load(1)?;
    for _ in 0..4 {
        load_ms = load_ms.min(load(1)?.1);
    }
    let mut took: Vec<f64> = Vec::new();
    for round in 0..6 {
        for row in rows.chunks(FEATURES) {
            let begin = Instant::now();
            session.run(ort::inputs![TensorRef::from_array_view(([1, FEATURES], row))?])?;
            if 0 < round {
                took.push(begin.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    took.sort_unstable_by(f64::total_cmp);
    let rows_s = [in_batches(&mut session, rows)?, in_batches(&mut load(cores)?.0, rows)?];
    Ok(Figures { load_ms, p50_us: took[took.len() / 2], p99_us: took[took.len() * 99 / 100], rows_s })
}

/// Rows a second, at best.
fn in_batches<T: PrimitiveTensorElementType + Debug + Copy + 'static>(
    session: &mut Session,
    rows: &[T],
) -> Result<f64, Box<dyn Error>> {
    let mut best_s = f64::INFINITY;
    for _ in 0..20 {
        let begin = Instant::now();
        session.run(ort::inputs![TensorRef::from_array_view(([BATCH, FEATURES], rows))?])?;
        best_s = best_s.min(begin.elapsed().as_secs_f64());
    }
    Ok(BATCH as f64 / best_s)
}

fn grow(rows: &[f64], dice: &mut Dice) -> IsolationForest {
    let mut forest = IsolationForest { sample_size: SAMPLE as u32, ..IsolationForest::default() };
    for _ in 0..TREES {
        let sample: Vec<usize> = (0..SAMPLE).map(|_| (dice.share() * BATCH as f64) as usize).collect();
        let root = branch(&mut forest, rows, &sample, HEIGHT, dice);
        forest.roots.push(root);
    }
    forest
}

fn branch(forest: &mut IsolationForest, rows: &[f64], sample: &[usize], height: u32, dice: &mut Dice) -> u32 {
    let place = forest.feature.len();
    forest.feature.push(-1);
    forest.threshold.push(0.0);
    forest.left.push(place as u32);
    forest.right.push(place as u32);
    forest.samples.push(sample.len() as u32);
    let feature = (dice.share() * FEATURES as f64) as usize;
    let value = |row: &usize| rows[row * FEATURES + feature];
    let lowest = sample.iter().map(value).fold(f64::INFINITY, f64::min);
    let highest = sample.iter().map(value).fold(f64::NEG_INFINITY, f64::max);
    if height < 1 || sample.len() < 2 || highest <= lowest {
        return place as u32;
    }
    let threshold = lowest + dice.share() * (highest - lowest);
    let (left, right): (Vec<usize>, Vec<usize>) = sample.iter().partition(|row| value(row) <= threshold);
    forest.feature[place] = feature as i32;
    forest.threshold[place] = threshold;
    forest.left[place] = branch(forest, rows, &left, height - 1, dice);
    forest.right[place] = branch(forest, rows, &right, height - 1, dice);
    place as u32
}

/// Steele and others' SplitMix64 (2014).
struct Dice(u64);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: twelve shares less six.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}
