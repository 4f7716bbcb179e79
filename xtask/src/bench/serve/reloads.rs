//! The champion moves back and forth under load, and bad versions are offered: through the API, and by whoever writes into the
//! registry's folder.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    asked::{DIFFERENT, inferences, rows},
    stage::{MODEL, Stage},
};
use crate::bench::load::{Load, Pace, Running, Seen};

/// How long one load lasts; there are as many as it takes.
const LENGTH: Duration = Duration::from_secs(20);
const CONNECTIONS: usize = 32;
/// After so many moves a bad version is offered.
pub const MOVES_A_BAD_ONE: u32 = 10;
/// So long the service may take to look at what was named in its registry.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// What came of it.
#[derive(Default)]
pub struct Outcome {
    /// How long each move took, from the request to its answer.
    pub moves_ms: Vec<f64>,
    /// How many bad versions were offered through the API, and how many were named in the registry's folder.
    pub offered: [u32; 2],
    /// Those of them that were taken, and those of which nobody said what is wrong.
    pub taken: u32,
    pub unexplained: u32,
    /// The kinds of bad versions.
    pub kinds: BTreeSet<String>,
    /// What the loads saw, at so many a second.
    pub seen: Vec<Seen>,
    pub rate: u32,
}

/// Moves the champion so often, while so many inferences a second are asked.
pub async fn run(stage: &Stage, moves: u32, rate: u32) -> Result<Outcome> {
    let mut outcome = Outcome { rate, ..Outcome::default() };
    let load = load(stage, rate).await?;
    let (mut moved, mut bad) = (0, stage.bad.iter());
    while moved < moves {
        let mut running = load.start(&stage.cores.load)?;
        while moved < moves && !running.is_over()? {
            moved += 1;
            move_to(stage, 1 + moved % 2, &mut outcome).await?;
            if moved % MOVES_A_BAD_ONE == 0
                && let Some((version, kind)) = bad.next()
            {
                offer(stage, *version, &mut outcome).await?;
                outcome.kinds.insert(kind.clone());
            }
        }
        outcome.seen.push(running.finish()?);
    }
    name_each_kind(stage, &load, &mut outcome).await?;
    Ok(outcome)
}

/// Inferences of which each may be answered in two ways: wholly by the first version, or wholly by the second.
async fn load(stage: &Stage, rate: u32) -> Result<Load> {
    let http = reqwest::Client::new();
    let base = stage.cluster.base_url();
    let mut answers = vec![Vec::new(); DIFFERENT];
    // Each version is told by its number once it is champion or challenger.
    promote(stage, json!({"version": 2, "alias": "challenger", "why": "its answers are kept"})).await?;
    for version in [1, 2] {
        for (place, body) in rows(DIFFERENT).into_iter().enumerate() {
            let url = format!("{base}/v2/models/{MODEL}/versions/{version}/infer");
            let asked = http.post(url).bearer_auth(&stage.cluster.api_key).body(body);
            answers[place].push(asked.send().await?.error_for_status()?.text().await?);
        }
    }
    ensure!(answers.iter().all(|both| both[0] != both[1]), "the two versions say the same");
    Ok(Load {
        address: stage.address,
        requests: inferences(&stage.cluster.api_key, DIFFERENT),
        expected_status: 200,
        connections: CONNECTIONS,
        warm_up: Duration::ZERO,
        length: LENGTH,
        pace: Pace::PerSecond(rate),
        at_most: None,
        bodies: answers,
        ids: None,
    })
}

async fn promote(stage: &Stage, body: Value) -> Result<(StatusCode, Value)> {
    let url = format!("{}/api/v1/models/{MODEL}/promote", stage.cluster.base_url());
    let asked = reqwest::Client::new().post(url).bearer_auth(&stage.cluster.api_key).json(&body);
    let answer = asked.send().await?;
    Ok((answer.status(), answer.json().await?))
}

async fn move_to(stage: &Stage, version: u32, outcome: &mut Outcome) -> Result<()> {
    let begin = Instant::now();
    let (status, told) = promote(stage, json!({"version": version, "why": "a benchmark"})).await?;
    ensure!(
        status.is_success() && told["champion"]["serves"] == version,
        "version {version} was not made champion: {status} {told}"
    );
    outcome.moves_ms.push(begin.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// Offers a bad version through the API.
async fn offer(stage: &Stage, version: u32, outcome: &mut Outcome) -> Result<()> {
    let (status, told) = promote(stage, json!({"version": version, "why": "a benchmark"})).await?;
    outcome.offered[0] += 1;
    outcome.taken += u32::from(status.is_success());
    let sentence = told["detail"].as_str().unwrap_or_default();
    outcome.unexplained += u32::from(!sentence.contains(MODEL));
    Ok(())
}

/// Names a bad version of each kind champion, in the registry's own file.
async fn name_each_kind(stage: &Stage, load: &Load, outcome: &mut Outcome) -> Result<()> {
    let mut named = BTreeSet::new();
    let mut running: Option<Running> = None;
    for (version, kind) in stage.bad.iter().filter(|(_, kind)| named.insert(kind)) {
        let is_over = running.as_mut().map(Running::is_over).transpose()?.unwrap_or(true);
        if is_over {
            outcome.seen.extend(running.take().map(Running::finish).transpose()?);
            running = Some(load.start(&stage.cores.load)?);
        }
        name(stage, *version)?;
        let champion = looked_at(stage, *version).await?;
        outcome.offered[1] += 1;
        outcome.taken += u32::from(champion["serves"] == *version);
        let sentence = champion["refused"].as_str().unwrap_or_default();
        outcome.unexplained += u32::from(!sentence.contains(MODEL));
        outcome.kinds.insert(kind.clone());
    }
    outcome.seen.extend(running.map(Running::finish).transpose()?);
    Ok(())
}

fn name(stage: &Stage, version: u32) -> Result<()> {
    let path = stage.registry.join(MODEL).join("aliases.json");
    let mut aliases: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    let champion = aliases["champion"].clone();
    let history = aliases["history"].as_array_mut().context("aliases have a history")?;
    let mut step = history.first().context("something was promoted")?.clone();
    (step["from"], step["to"]) = (champion, version.into());
    history.push(step);
    aliases["champion"] = version.into();
    let beside = path.with_extension("beside");
    fs::write(&beside, aliases.to_string())?;
    Ok(fs::rename(beside, path)?)
}

/// What the service says of the champion once it has looked at this version.
async fn looked_at(stage: &Stage, version: u32) -> Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    let about = format!("{MODEL} {version} ");
    let about_none = format!("{MODEL} has no version {version}");
    loop {
        let champion = stage.client.get(&format!("/models/{MODEL}")).await?["champion"].clone();
        let refused = champion["refused"].as_str().unwrap_or_default();
        let has_looked = refused.contains(&about) || refused.contains(&about_none);
        if has_looked || champion["serves"] == version || deadline < Instant::now() {
            return Ok(champion);
        }
        sleep(PAUSE).await;
    }
}
