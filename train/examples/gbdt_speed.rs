//! How fast boosted trees are grown, how much memory that takes beside the table, how good they are, and whether their file
//! says the same: `cargo run --release --example gbdt_speed -- table FOLDER 1000000`, and then
//! `… -- fit FOLDER logistic|squared 2`, which prints one line of JSON; `cargo xtask bench gbdt` reads it.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{BufWriter, Write},
    ops::ControlFlow,
    path::Path,
    time::Instant,
};

use models::graph::{ElementType, Graph, Metadata, TensorType};
use ort::{session::Session, value::Tensor};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use train::{
    anomaly::matrix::Matrix,
    gbdt::{Boosted, Examples, Settings, fit, losses},
};

const FEATURES: usize = 30;
/// Rows that are judged by, for each that is learned from.
const HELD_OUT: f64 = 0.1;
const SEED: u64 = 20_261_122;
/// Rows that a file is asked about at once.
const BATCH: usize = 10_000;

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["table", folder, rows] => write_table(Path::new(folder), rows.parse()?),
        ["fit", folder, loss, threads] => {
            rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
            measure(Path::new(folder), loss)
        }
        _ => Err("say `table FOLDER ROWS` or `fit FOLDER LOSS THREADS`".into()),
    }
}

/// Two tables, to learn from and to judge by, each as row-major doubles with a file of targets for each loss.
fn write_table(folder: &Path, rows: usize) -> Result<(), Failed> {
    fs::create_dir_all(folder)?;
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(SEED);
    for (which, rows) in [("learn", rows), ("held_out", (rows as f64 * HELD_OUT) as usize)] {
        let create =
            |name: &str| File::create(folder.join(format!("{which}_{name}.f64"))).map(BufWriter::new);
        let (mut table, mut labels, mut numbers) = (create("rows")?, create("logistic")?, create("squared")?);
        for _ in 0..rows {
            let row = row(&mut dice);
            let score = truth(&row);
            let label = f64::from(u8::from(dice.random::<f64>() < 1.0 / (1.0 + libm::exp(-score))));
            let number = score + normal(&mut dice);
            row.iter().try_for_each(|value| table.write_all(&value.to_le_bytes()))?;
            labels.write_all(&label.to_le_bytes())?;
            numbers.write_all(&number.to_le_bytes())?;
        }
    }
    Ok(())
}

/// Seconds since 1970, large amounts in cents, bell-shaped numbers, one with holes, counts, mostly zeros, and a share.
fn row(dice: &mut Xoshiro256PlusPlus) -> [f64; FEATURES] {
    let mut row = [0.0; FEATURES].map(|_: f64| normal(dice));
    row[0] = (1_772_323_200.0 + 15_552_000.0 * dice.random::<f64>()).floor();
    row[1] = libm::floor(libm::exp(23.0 + 2.0 * row[1]));
    row[26] = if dice.random::<f64>() < 0.1 { f64::NAN } else { row[26] };
    row[27] = libm::floor(10.0 * dice.random::<f64>() * dice.random::<f64>());
    row[28] = if dice.random::<f64>() < 0.8 { 0.0 } else { row[28].abs() };
    row[29] = dice.random();
    row
}

/// What targets scatter around: waves, steps, and features that need each other. Each can be seen alone, because how soon
/// trees come upon a bare product is a matter of luck.
fn truth(row: &[f64; FEATURES]) -> f64 {
    let month = (row[0] / 2_592_000.0).fract();
    let amount = (libm::log(row[1]) - 23.0) / 2.0;
    let together = 0.6 * row[3].max(0.0) * row[4] + if 0.0 < row[6] && row[7] < 0.5 { 0.5 } else { 0.0 };
    let holes = if row[26].is_nan() { 0.8 } else { 0.2 * row[26] };
    let many: f64 = (9..26).map(|at| 0.3 * row[at] / at as f64).sum();
    let wave = 0.5 * libm::sin(std::f64::consts::TAU * month) + 0.4 * libm::sin(2.0 * row[5]);
    wave + 0.5 * amount + 0.4 * row[2] + together - 0.2 * row[8] * row[8]
        + holes
        + many
        + 0.1 * row[27]
        + 0.5 * row[28] * row[29]
}

/// A standard normal number (Box and Muller 1958).
fn normal(dice: &mut Xoshiro256PlusPlus) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - dice.random::<f64>())).sqrt();
    radius * libm::cos(std::f64::consts::TAU * dice.random::<f64>())
}

fn measure(folder: &Path, loss: &str) -> Result<(), Failed> {
    let numbers = |name: &str| -> Result<Vec<f64>, Failed> {
        let bytes = fs::read(folder.join(format!("{name}.f64")))?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    };
    let table = Matrix::from_rows(FEATURES, numbers("learn_rows")?)?;
    let targets = numbers(&format!("learn_{loss}"))?;
    let judged_by = losses::parse(loss)?;
    let learn = Examples { table: &table, targets: &targets, weights: None };
    // Forgets what the process took at most until now (Linux 4.0).
    fs::write("/proc/self/clear_refs", "5")?;
    let before_mib = memory_mib("VmRSS:")?;
    let (begun, cpu) = (Instant::now(), cpu_s()?);
    let model = fit(&Settings::default(), &*judged_by, learn, None, &mut |_| ControlFlow::Continue(()))?;
    let (wall_s, cpu_s) = (begun.elapsed().as_secs_f64(), cpu_s()? - cpu);
    let extra_mib = memory_mib("VmHWM:")? - before_mib;
    let held_out = Matrix::from_rows(FEATURES, numbers("held_out_rows")?)?;
    let (truth, scores) = (numbers(&format!("held_out_{loss}"))?, model.scores(&held_out)?);
    let quality = if loss == "logistic" { auc(&truth, &scores) } else { rmse(&truth, &scores) };
    let off = rows_off(&model, &held_out, &scores)?;
    println!(
        "{{\"loss\": \"{loss}\", \"wall_s\": {wall_s}, \"cpu_s\": {cpu_s}, \"extra_mib\": {extra_mib}, \"quality\": {quality}, \
         \"trees\": {}, \"asked_rows\": {}, \"rows_off\": {off}}}",
        model.len(),
        held_out.rows()
    );
    Ok(())
}

/// Of how many rows the file says another number than the trainer, be it by one bit.
fn rows_off(model: &Boosted, table: &Matrix, scores: &[f64]) -> Result<usize, Failed> {
    let mut graph = Graph::new("gbdt");
    let rows = graph.input("x", TensorType::rows(ElementType::F64, FEATURES), "features")?;
    let [score, _] = model.add(&mut graph, &rows)?;
    graph.output("score", &score, "before the link")?;
    let bytes = graph.finish(&Metadata::default())?;
    let library = env::var_os("ORT_DYLIB_PATH").ok_or("ORT_DYLIB_PATH is not set; run this with cargo")?;
    let environment = ort::init_from(Path::new(&library))?.with_name("gbdt_speed").build()?;
    let mut session = Session::builder(&environment)?.commit_from_memory(&bytes)?;
    let mut off = 0;
    for (rows, scores) in table.values().chunks(BATCH * FEATURES).zip(scores.chunks(BATCH)) {
        let given = Tensor::from_array(([scores.len(), FEATURES], rows.to_vec()))?;
        let answers = session.run(ort::inputs!["x" => given])?;
        let (_, said) = answers["score"].try_extract_tensor::<f64>()?;
        off += scores.iter().zip(said).filter(|(ours, file)| ours.to_bits() != file.to_bits()).count();
    }
    Ok(off)
}

/// The chance that a row of class 1 is above one of class 0, where equal ones count a half (Mann and Whitney 1947).
fn auc(labels: &[f64], scores: &[f64]) -> f64 {
    let mut rows: Vec<(f64, f64)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut negatives, mut won, mut positives) = (0.0, 0.0, 0.0);
    for equal in rows.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let ones: f64 = equal.iter().map(|(_, label)| label).sum();
        let zeros = equal.len() as f64 - ones;
        won += ones * (negatives + 0.5 * zeros);
        (negatives, positives) = (negatives + zeros, positives + ones);
    }
    won / (negatives * positives)
}

fn rmse(targets: &[f64], scores: &[f64]) -> f64 {
    let squares: f64 = targets.iter().zip(scores).map(|(target, score)| (target - score).powi(2)).sum();
    (squares / targets.len() as f64).sqrt()
}

/// Seconds of cores that this process has used, in user and system mode: fields 14 and 15 of its stat, in hundredths.
fn cpu_s() -> Result<f64, Failed> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').ok_or("the kernel does not say how long this runs")?;
    let ticks: Vec<f64> =
        rest.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

fn memory_mib(field: &str) -> Result<f64, Failed> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field of memory")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1_024.0)
}
