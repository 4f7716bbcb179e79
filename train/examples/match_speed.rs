//! What matching costs, and how good it is: `cargo run --release --example match_speed -- log FOLDER 1000000` writes a log of
//! interactions; `… -- als FOLDER 2` learns vectors of it on two threads and judges them; `… -- nearest 100000 64` finds
//! the ten nearest of so many vectors. Each prints one line of JSON; `cargo xtask bench match` reads it.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{
    env,
    error::Error,
    fs::{self, File},
    hint::black_box,
    io::{BufWriter, Write},
    path::Path,
    thread,
    time::Instant,
};

use models::{best::Eligible, nearest::Vectors};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use train::matching::{
    Interaction, Interactions, Seen,
    candidates::{Als, Factors, fit_als},
    metrics::of_list,
    top::of_scores,
};

const SEED: u64 = 20_261_122;
/// A user has so many interactions on the mean, an item this many times as many.
const EACH: usize = 20;
const ITEMS: usize = 5;
const TASTES: usize = 40;
/// One interaction of so many is held out; one user of so many judges.
const HELD_OUT: usize = 5;
const JUDGES: usize = 25;
const K: usize = 10;
/// How often a search is timed, and how many queries are asked at once.
const SEARCHES: usize = 400;
const BATCH: usize = 64;

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["log", folder, rows] => write_log(Path::new(folder), rows.parse()?),
        ["als", folder, threads] => {
            rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
            learn(Path::new(folder))
        }
        ["nearest", rows, width] => search(rows.parse()?, width.parse()?),
        _ => Err("say `log FOLDER ROWS`, `als FOLDER THREADS` or `nearest ROWS WIDTH`".into()),
    }
}

/// Pairs of users and items as little-endian 32-bit numbers, `learn.u32` and `held_out.u32`: users have two of forty tastes,
/// items are of one, and of each the earlier are had by more.
fn write_log(folder: &Path, rows: usize) -> Result<(), Failed> {
    fs::create_dir_all(folder)?;
    let (users, items) = sizes(rows);
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let create = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
    let (mut learn, mut held_out) = (create("learn.u32")?, create("held_out.u32")?);
    let tastes: Vec<[usize; 2]> =
        (0..users).map(|_| [dice.random_range(0..TASTES), dice.random_range(0..TASTES)]).collect();
    for row in 0..rows {
        let user = dice.random_range(0..users);
        let taste = match dice.random_range(0..10) {
            0..5 => tastes[user][0],
            5..8 => tastes[user][1],
            _ => dice.random_range(0..TASTES),
        };
        let place = libm::pow(dice.random::<f64>(), 2.5) * (items / TASTES) as f64;
        let item = place as usize * TASTES + taste;
        let file = if row % HELD_OUT == 0 { &mut held_out } else { &mut learn };
        file.write_all(&(user as u32).to_le_bytes())?;
        file.write_all(&(item as u32).to_le_bytes())?;
    }
    Ok(())
}

/// How many users and items a log of so many rows has.
fn sizes(rows: usize) -> (usize, usize) {
    let users = (rows / EACH).max(2);
    (users, (users / ITEMS).next_multiple_of(TASTES))
}

fn read(folder: &Path) -> Result<[Interactions; 2], Failed> {
    let pairs = |name: &str| -> Result<Vec<[u32; 2]>, Failed> {
        let bytes = fs::read(folder.join(name))?;
        let number = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        let numbers: Vec<u32> = bytes.as_chunks().0.iter().map(number).collect();
        Ok(numbers.as_chunks().0.to_vec())
    };
    let (learn, held_out) = (pairs("learn.u32")?, pairs("held_out.u32")?);
    let (users, items) = sizes(learn.len() + held_out.len());
    let table = |pairs: Vec<[u32; 2]>| {
        let row = |[user, item]: [u32; 2]| Interaction { user, item, value: 1.0, ts_us: 0 };
        Interactions::new(users, items, pairs.into_iter().map(row).collect())
    };
    Ok([table(learn)?, table(held_out)?])
}

fn learn(folder: &Path) -> Result<(), Failed> {
    let [known, held_out] = read(folder)?;
    let seen = Seen::new(known, None, None)?;
    let plan = Als { factors: 64, regularization: 0.01, alpha: 1.0, iterations: 15 };
    let (begun, cpu) = (Instant::now(), process_s()?);
    let factors = fit_als(&plan, &seen, SEED)?;
    let (wall_s, cpu_s) = (begun.elapsed().as_secs_f64(), process_s()? - cpu);
    println!(
        "{{\"what\": \"als\", \"wall_s\": {wall_s}, \"cpu_s\": {cpu_s}, \"ndcg\": {}, \"users\": {}, \"items\": {}, \"pairs\": {}}}",
        ndcg(&factors, &seen.interactions, &held_out),
        held_out.users(),
        held_out.items(),
        seen.interactions.len()
    );
    Ok(())
}

/// Of lists over all items, by every so manieth user.
fn ndcg(factors: &Factors, known: &Interactions, held_out: &Interactions) -> f64 {
    let of_user = |user: usize| {
        let relevant: Vec<u32> = held_out
            .of_user(user)
            .iter()
            .map(|row| row.item)
            .filter(|it| !known.contains(user, *it as usize))
            .collect();
        let mut eligible = Eligible::all(known.items());
        known.of_user(user).iter().for_each(|row| eligible.remove(row.item as usize));
        let scores = train::matching::Scorer::scores(factors, user);
        let list: Vec<u32> = of_scores(&scores, &eligible, K).iter().map(|it| it.item).collect();
        of_list(&list, &relevant, K).map(|[_, ndcg, _]| ndcg)
    };
    let each: Vec<f64> = (0..known.users()).step_by(JUDGES).filter_map(of_user).collect();
    each.iter().sum::<f64>() / each.len() as f64
}

fn search(rows: usize, width: usize) -> Result<(), Failed> {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| normal(&mut dice) as f32).collect() };
    let (items, queries) = (numbers(rows * width), numbers(SEARCHES * width));
    let all = Eligible::all(rows);
    let mut tenth = Eligible::none(rows);
    (0..rows).filter(|_| dice.random::<f64>() < 0.1).for_each(|row| tenth.insert(row));
    let vectors = Vectors::new(width, items.clone())?;
    let queries: Vec<&[f32]> = queries.chunks_exact(width).collect();
    let floor_ms = median_ms(&queries, |_| {
        black_box(sum(&items));
    });
    let all_ms = median_ms(&queries, |query| {
        black_box(vectors.nearest(query, &all, K));
    });
    let tenth_ms = median_ms(&queries, |query| {
        black_box(vectors.nearest(query, &tenth, K));
    });
    let asked: Vec<(&[f32], &Eligible)> = queries.iter().map(|query| (*query, &all)).collect();
    let (begun, halves) = (Instant::now(), asked.chunks(asked.len().div_ceil(2)));
    let busy_s: Vec<Result<f64, String>> = thread::scope(|scope| {
        let threads: Vec<_> = halves.map(|half| scope.spawn(|| batches(&vectors, half))).collect();
        threads
            .into_iter()
            .map(|it| it.join().unwrap_or_else(|_| Err("a thread stopped".to_owned())))
            .collect()
    });
    let wall_s = begun.elapsed().as_secs_f64();
    let busy_s: f64 = busy_s.into_iter().sum::<Result<f64, String>>()?;
    println!(
        "{{\"what\": \"nearest\", \"floor_ms\": {floor_ms}, \"all_ms\": {all_ms}, \"tenth_ms\": {tenth_ms}, \
         \"batched_per_s\": {}, \"batched_per_core_s\": {}}}",
        SEARCHES as f64 / wall_s,
        SEARCHES as f64 / busy_s
    );
    Ok(())
}

/// Searches by batches; says how long a core was busy with it.
fn batches(vectors: &Vectors, asked: &[(&[f32], &Eligible)]) -> Result<f64, String> {
    let before = thread_s()?;
    for batch in asked.chunks(BATCH) {
        black_box(vectors.nearest_of_each(batch, K));
    }
    Ok(thread_s()? - before)
}

/// The floor: the same bytes read once.
fn sum(numbers: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for chunk in numbers.as_chunks::<16>().0 {
        sums.iter_mut().zip(chunk).for_each(|(sum, number)| *sum += number);
    }
    sums.iter().sum()
}

fn median_ms(queries: &[&[f32]], mut work: impl FnMut(&[f32])) -> f64 {
    let mut took: Vec<f64> = Vec::with_capacity(queries.len());
    for query in queries {
        let begun = Instant::now();
        work(query);
        took.push(1e3 * begun.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    took[took.len() / 2]
}

/// A standard normal number (Box and Muller 1958).
fn normal(dice: &mut Xoshiro256PlusPlus) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - dice.random::<f64>())).sqrt();
    radius * libm::cos(std::f64::consts::TAU * dice.random::<f64>())
}

/// How long cores were busy with this thread (Linux).
fn thread_s() -> Result<f64, String> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").map_err(|error| error.to_string())?;
    let busy_ns = text.split_whitespace().next().and_then(|it| it.parse::<f64>().ok());
    busy_ns.map(|it| it / 1e9).ok_or_else(|| format!("schedstat says {text:?}"))
}

/// How long cores were busy with this process (Linux, in hundredths of a second).
fn process_s() -> Result<f64, Failed> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| {
        fields.get(place).ok_or("stat is shorter than it was")?.parse::<f64>().map_err(Failed::from)
    };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
