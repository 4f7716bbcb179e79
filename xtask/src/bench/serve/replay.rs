//! What was decided under load, and more that is asked about stored conversions, is brought into the lake and decided again.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use domain::ConversionId;
use serde_json::json;
use sqlx::{Connection, PgConnection, types::Uuid};
use tokio::time::sleep;

use super::{
    asked::scores_of,
    stage::{DATABASE, Stage},
};
use crate::{
    bench::{
        load::{Load, Pace},
        serving::{self, Serving},
    },
    external,
};

/// Stored conversions in one request, so that the load reads the answer at once.
const AT_ONCE: usize = 10;
const CONNECTIONS: usize = 4;
const ASKING: Duration = Duration::from_mins(5);
/// Until the lake has everything.
const PATIENCE: Duration = Duration::from_mins(10);
const PAUSE: Duration = Duration::from_secs(1);

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Decisions that were made again.
    pub decisions: f64,
    /// Of these, how many came out otherwise.
    pub different: f64,
    /// Decisions whose features were computed again.
    pub compared: f64,
    /// Values of features that were held against each other.
    pub values: f64,
    /// Values that are others.
    pub mismatches: f64,
    /// How long it took.
    pub took: Duration,
    /// All in the command's own words.
    pub words: String,
}

/// Lets so many decisions be made in all, and makes them again.
pub async fn run(stage: &Stage, decisions: u64) -> Result<Outcome> {
    let mut db = PgConnection::connect(&stage.database_url).await?;
    let all = "SELECT count(*) FROM fraud_scores";
    let made: i64 = sqlx::query_scalar(all).fetch_one(&mut db).await?;
    ask(stage, &mut db, decisions.saturating_sub(made.unsigned_abs())).await?;
    let made: i64 = sqlx::query_scalar(all).fetch_one(&mut db).await?;
    let lake = stage.folder().join("lake").display().to_string();
    export(stage, &lake, made.unsigned_abs()).await?;
    let begin = Instant::now();
    let mut replay = stage.cluster.command();
    // What differs is counted in the words that it prints, and the report says so.
    let output = external::output(replay.args(["lake", "replay", "--lake", &lake]))?;
    let told = String::from_utf8(output.stdout.clone())?;
    let words = told.lines().find(|line| line.contains("were made again")).map(str::to_owned);
    let words = words.with_context(|| format!("nothing was replayed: {}", external::last_words(&output)))?;
    let took = begin.elapsed();
    told.lines().filter(|line| *line != words).take(5).for_each(|finding| println!("{finding}"));
    let numbers: Vec<f64> = words.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [decisions, different, compared, mismatches, values, _] = numbers[..] else {
        anyhow::bail!("these words are no replay's: {words}")
    };
    Ok(Outcome { decisions, different, compared, values, mismatches, took, words })
}

/// Has stored conversions scored, one after the other and again, until there were so many.
async fn ask(stage: &Stage, db: &mut PgConnection, many: u64) -> Result<()> {
    let stored: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM conversions ORDER BY id").fetch_all(db).await?;
    let bodies = stored.chunks_exact(AT_ONCE).map(|ids| {
        let asked = ids.iter().map(|id| json!({"conversion_id": ConversionId::from(*id)}));
        json!({"conversions": asked.collect::<Vec<_>>()})
    });
    let requests: Vec<String> = bodies.map(|body| scores_of(stage, &body)).collect();
    if many == 0 || requests.is_empty() {
        return Ok(());
    }
    let load = Load {
        at_most: Some(many.div_ceil(AT_ONCE as u64)),
        warm_up: Duration::ZERO,
        ..super::load(stage.address, requests, CONNECTIONS, Pace::Closed)
    };
    super::answered(load, stage, ASKING).map(drop)
}

/// A worker brings everything into the lake.
async fn export(stage: &Stage, lake: &str, decisions: u64) -> Result<()> {
    let (address, folder) = (serving::free_address()?, stage.folder().join("worker"));
    std::fs::create_dir_all(&folder)?;
    let mut worker = stage.cluster.command();
    worker.args(["worker", "--lake", lake, "--listen", &address.to_string()]);
    let worker = Serving::start(worker, address, &stage.cores, &folder)?;
    let deadline = Instant::now() + PATIENCE;
    while in_lake(stage.cluster.command(), lake).unwrap_or_default() < decisions {
        ensure!(Instant::now() < deadline, "{DATABASE} was not brought into the lake in time");
        sleep(PAUSE).await;
    }
    worker.stop()?;
    external::read(stage.cluster.command().args(["lake", "compact", "--lake", lake])).map(drop)
}

/// How many decisions the lake has, merged or not.
fn in_lake(mut summary: Command, lake: &str) -> Result<u64> {
    let told = external::read(summary.args(["lake", "summary", "--lake", lake]))?;
    let line =
        told.lines().find(|line| line.starts_with("decisions")).context("the lake tells of decisions")?;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let number = |field: Option<&&str>| field.and_then(|it| it.parse::<u64>().ok()).unwrap_or_default();
    Ok(number(fields.get(2)) + number(fields.last()))
}
