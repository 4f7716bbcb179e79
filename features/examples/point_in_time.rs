//! How long it takes to join tables point in time, beside polars' own `join_asof`: a million rows, ten views of a million
//! rows, fifty values. `cargo xtask bench features` runs it and reads the line of JSON that it prints.
//!
//! `point_in_time prepare FOLDER [ROWS]` writes the tables; `point_in_time ours|polars FOLDER` reads and joins them.
#![expect(clippy::print_stdout, reason = "what it measured is what it is for")]

use std::{error::Error, fs::File, path::Path, time::Instant};

use domain::{AffiliateId, Chance};
use features::offline::{table, training::join, view::ViewFile};
use mimalloc::MiMalloc;
use polars::prelude::{
    AsofJoinBy, AsofStrategy, Column, DataFrame, DataType, Float64Chunked, Int64Chunked, IntoColumn,
    NewChunkedArray, ParquetReader, ParquetWriter, SerReader, SortMultipleOptions, StringChunked, TimeUnit,
    TimeZone,
};
use uuid::Uuid;

/// As in the services, for both.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const SEED: u64 = 1;
const VIEWS: usize = 10;
const VALUES: usize = 5;
/// Of how many different keys.
const KEYS: u64 = 100_000;
/// Over how long instants are spread, in microseconds: 90 days.
const LENGTH_US: u64 = 90 * 86_400_000_000;
const BEGIN_US: i64 = 1_769_904_000_000_000;
/// How much later a change is known: all by the same, so that one order serves polars as well.
const KNOWN_LATER_US: i64 = 5_000_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "point_in_time prepare FOLDER [ROWS] | ours FOLDER | polars FOLDER";
    let (what, folder) = match &arguments[..] {
        [what, folder, ..] => (what.as_str(), Path::new(folder)),
        _ => return Err(usage.into()),
    };
    match what {
        "prepare" => prepare(folder, arguments.get(2).map_or(Ok(1_000_000), |rows| rows.parse())?),
        "ours" => measure(folder, ours),
        "polars" => measure(folder, by_polars),
        _ => Err(usage.into()),
    }
}

fn file_of(folder: &Path, view: usize) -> std::path::PathBuf {
    folder.join(format!("view{view}.parquet"))
}

/// Rows sorted by time, as change logs are.
fn table_of(chance: &Chance, rows: usize, time: &str, values: usize) -> Outcome<DataFrame> {
    let mut instants: Vec<i64> = (0..rows).map(|_| BEGIN_US + chance.below(LENGTH_US) as i64).collect();
    instants.sort_unstable();
    let key = |_| {
        AffiliateId::from(Uuid::from_u128(u128::from(chance.below(KEYS)) * 0x9e37_79b9_7f4a_7c15)).to_string()
    };
    let mut columns = vec![
        stamps(time, &instants)?,
        StringChunked::from_iter_values("affiliate_id".into(), (0..rows).map(key)).into_column(),
    ];
    if 0 < values {
        let known: Vec<i64> = instants.iter().map(|at| at + KNOWN_LATER_US).collect();
        columns.push(stamps("known_at", &known)?);
    }
    for value in 0..values {
        let numbers = (0..rows).map(|_| chance.below(1_000_000) as f64 / 1_000.0);
        columns.push(Float64Chunked::from_iter_values(format!("value{value}").into(), numbers).into_column());
    }
    Ok(DataFrame::new(rows, columns)?)
}

fn stamps(name: &str, micros: &[i64]) -> Outcome<Column> {
    let time = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    Ok(Int64Chunked::from_slice(name.into(), micros).into_column().cast(&time)?)
}

fn prepare(folder: &Path, rows: usize) -> Outcome<()> {
    let chance = Chance::seeded(SEED);
    std::fs::create_dir_all(folder)?;
    let write = |path: &Path, mut frame: DataFrame| -> Outcome<()> {
        ParquetWriter::new(File::create(path)?).finish(&mut frame)?;
        Ok(())
    };
    write(&folder.join("rows.parquet"), table_of(&chance, rows, "at", 0)?)?;
    for view in 0..VIEWS {
        write(&file_of(folder, view), table_of(&chance, rows, "occurred_at", VALUES)?)?;
    }
    Ok(())
}

fn measure(folder: &Path, contestant: impl FnOnce(&Path) -> Outcome<DataFrame>) -> Outcome<()> {
    let begun = Instant::now();
    let joined = contestant(folder)?;
    let seconds = begun.elapsed().as_secs_f64();
    // Before the check below, which copies columns.
    let peak = peak_kib();
    // Both have to find the same, value by value.
    let sorted = joined.sort(["at", "affiliate_id"], SortMultipleOptions::default())?;
    let mut sum = 0.0;
    let mut missing = 0;
    let values: Vec<&Column> =
        sorted.columns().iter().filter(|column| *column.dtype() == DataType::Float64).collect();
    for (place, column) in values.iter().enumerate() {
        missing += column.null_count();
        let weighted = column.f64()?.iter().enumerate();
        sum +=
            weighted.map(|(row, it)| it.unwrap_or(-1.0) * ((row * (place + 1)) % 1_009) as f64).sum::<f64>();
    }
    println!(
        "{{\"seconds\":{seconds:.4},\"peak_kib\":{peak},\"rows\":{},\"values\":{},\"missing\":{missing},\"sum\":{sum}}}",
        joined.height(),
        values.len()
    );
    Ok(())
}

/// The most memory that this process ever had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn ours(folder: &Path) -> Outcome<DataFrame> {
    let mut frame = table::read(&folder.join("rows.parquet"))?;
    let rows = frame.clone();
    let at_us = table::instants(folder, rows.column("at")?)?;
    let views: Vec<ViewFile> = (0..VIEWS)
        .map(|view| ViewFile {
            path: file_of(folder, view),
            keys: vec!["affiliate_id".to_owned()],
            ttl_us: None,
        })
        .collect();
    join(&mut frame, &rows, &at_us, &views, &mut Vec::new())?;
    Ok(frame)
}

/// What one would write by hand: each view read and joined by the moment at which it was known. It would be wrong about
/// corrections that come in late, and for the tables here it is not, because there are none.
fn by_polars(folder: &Path) -> Outcome<DataFrame> {
    let read = |path: &Path| -> Outcome<DataFrame> { Ok(ParquetReader::new(File::open(path)?).finish()?) };
    let mut frame = read(&folder.join("rows.parquet"))?;
    for view in 0..VIEWS {
        let mut other = read(&file_of(folder, view))?.drop("occurred_at")?;
        for value in 0..VALUES {
            other.rename(&format!("value{value}"), format!("view{view}_value{value}").into())?;
        }
        frame = frame.join_asof_by(
            &other,
            "at",
            "known_at",
            ["affiliate_id"],
            ["affiliate_id"],
            AsofStrategy::Backward,
            None,
            true,
            false,
        )?;
        if frame.get_column_index("known_at").is_some() {
            frame = frame.drop("known_at")?;
        }
    }
    Ok(frame)
}
