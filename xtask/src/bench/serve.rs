//! How fast the service answers, on one core: a model over the Open Inference Protocol beside a bare echo of JSON and FastAPI,
//! decisions about conversions, postbacks; that no answer fails or is of two versions while its champion moves; and that all
//! that was decided comes out the same again from the lake.

mod asked;
mod reloads;
mod replay;
mod report;
mod stage;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::Args;

use self::{
    asked::{DIFFERENT, inferences, postbacks, scores},
    stage::Stage,
};
use super::{
    figure::Report,
    load::{Load, Pace, Seen},
};
use crate::cluster::Profile;

const WARM_UP: Duration = Duration::from_secs(2);
/// How many connections ask for inferences, and how many for what the database is asked for.
const INFERENCES_AT_ONCE: usize = 64;
const OTHERS_AT_ONCE: usize = 16;
/// What is to be reached in an open loop, a second.
const INFERENCES_S: u32 = 20_000;
const SCORES_S: u32 = 5_000;
const POSTBACKS_S: u32 = 1_000;
const RELOADS_S: u32 = 5_000;
/// After so many postbacks every connection has the plans of its statements, and by so many more it is found out how many a
/// second there may be.
const POSTBACKS_WARM: usize = 2_000;
const POSTBACKS_TRIED: usize = 4_000;
const TRYING: Duration = Duration::from_mins(10);

/// How much
#[derive(Args)]
pub struct Options {
    /// How long each case is measured, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=120))]
    seconds: u64,
    /// How often inferences are measured, by turns with the floor and the peer
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repetitions: u32,
    /// How often the champion moves under load; a bad version is offered after every tenth move
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    reloads: u32,
    /// How many decisions are made at least, to be made again from the lake; 0 for none
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    decisions: u64,
    /// Without FastAPI, for which pip needs the network the first time
    #[arg(long)]
    without_peer: bool,
    /// How the programs are built
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

impl Options {
    /// Whether nothing is left out.
    pub fn is_complete(&self) -> bool {
        let is_long = 10 <= self.seconds && 3 <= self.repetitions && 1_000 <= self.reloads;
        is_long && 100_000 <= self.decisions && !self.without_peer && self.profile == Profile::Release
    }

    fn bad(&self) -> u32 {
        self.reloads / reloads::MOVES_A_BAD_ONE
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// Who answers inferences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Everything in one process.
    Ours,
    /// The API in a process of its own.
    Alone,
    Floor,
    Peer,
}

/// What was asked in an open loop, at what a second, and what was seen.
struct Open {
    rate: u32,
    /// As fast as answers came, a second.
    closed: f64,
    seen: Seen,
}

/// Everything that was found.
struct Found {
    /// In a closed loop.
    inferences: Vec<(Who, Seen)>,
    /// In an open one, by who answers.
    paced: Vec<(Who, u32, Seen)>,
    scores: Open,
    postbacks: Open,
    reloads: Option<reloads::Outcome>,
    replay: Option<replay::Outcome>,
}

/// Sets the stage, asks, and reports.
pub async fn run(options: &Options) -> Result<Report> {
    let stage = Stage::set_up(options).await?;
    let (inferences, paced) = run_models(options, &stage)?;
    let scores = run_scores(options, &stage)?;
    let postbacks = run_postbacks(options, &stage)?;
    let reloads = if options.reloads == 0 {
        None
    } else {
        let rate = RELOADS_S.min(half(best(&inferences, Who::Ours)));
        Some(reloads::run(&stage, options.reloads, rate).await?)
    };
    let replay = match options.decisions {
        0 => None,
        decisions => Some(replay::run(&stage, decisions).await?),
    };
    let found = Found { inferences, paced, scores, postbacks, reloads, replay };
    Ok(report::report(options, &stage, &found))
}

fn load(address: SocketAddr, requests: Vec<String>, connections: usize, pace: Pace) -> Load {
    Load {
        address,
        requests,
        expected_status: 200,
        connections,
        warm_up: WARM_UP,
        length: Duration::ZERO,
        pace,
        at_most: None,
        bodies: Vec::new(),
        ids: None,
    }
}

/// Sends a load for so long; whatever is answered otherwise is an error.
fn answered(load: Load, stage: &Stage, length: Duration) -> Result<Seen> {
    let seen = Load { length, ..load }.run(&stage.cores.load)?;
    ensure!(seen.unexpected() == 0 && seen.broken == 0, "not every request was answered well: {seen:?}");
    Ok(seen)
}

/// Half of so many a second, which leaves room for what comes in bursts.
fn half(per_second: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "requests a second are neither"
    )]
    let half = (per_second / 2.0) as u32;
    half.max(1)
}

fn best(inferences: &[(Who, Seen)], who: Who) -> f64 {
    inferences.iter().filter(|it| it.0 == who).map(|it| it.1.per_second()).fold(0.0, f64::max)
}

type Inferences = (Vec<(Who, Seen)>, Vec<(Who, u32, Seen)>);

fn run_models(options: &Options, stage: &Stage) -> Result<Inferences> {
    let requests = inferences(&stage.cluster.api_key, DIFFERENT);
    let mut all = vec![(Who::Ours, stage.address), (Who::Alone, stage.alone), (Who::Floor, stage.floor)];
    all.extend(stage.peer.as_ref().ok().map(|peer| (Who::Peer, *peer)));
    let (mut closed, mut paced) = (Vec::new(), Vec::new());
    let ask = |address, pace| {
        answered(load(address, requests.clone(), INFERENCES_AT_ONCE, pace), stage, options.length())
    };
    for _ in 0..options.repetitions {
        for (who, address) in &all {
            closed.push((*who, ask(*address, Pace::Closed)?));
        }
    }
    for _ in 0..options.repetitions {
        for (who, address) in &all {
            let most = if *who == Who::Peer { Who::Peer } else { Who::Floor };
            let rate = INFERENCES_S.min(half(best(&closed, most)));
            paced.push((*who, rate, ask(*address, Pace::PerSecond(rate))?));
        }
    }
    Ok((closed, paced))
}

fn run_scores(options: &Options, stage: &Stage) -> Result<Open> {
    let ask =
        |pace| answered(load(stage.address, scores(stage), OTHERS_AT_ONCE, pace), stage, options.length());
    let closed = ask(Pace::Closed)?.per_second();
    let rate = SCORES_S.min(half(closed));
    Ok(Open { rate, closed, seen: ask(Pace::PerSecond(rate))? })
}

/// No postback is sent twice, so that there are as many as are sent.
fn run_postbacks(options: &Options, stage: &Stage) -> Result<Open> {
    let all = |run: &str, many: usize| -> Result<Load> {
        Ok(Load {
            at_most: Some(many as u64),
            warm_up: Duration::ZERO,
            ..load(stage.address, postbacks(stage, run, many)?, OTHERS_AT_ONCE, Pace::Closed)
        })
    };
    answered(all("warm", POSTBACKS_WARM)?, stage, TRYING)?;
    let tried = all("tried", POSTBACKS_TRIED)?;
    let begin = Instant::now();
    let seen = answered(tried, stage, TRYING)?;
    let closed = super::figure::count(seen.answered) / begin.elapsed().as_secs_f64();
    let rate = POSTBACKS_S.min(half(closed));
    let length = options.length();
    let many = u64::from(rate) * (WARM_UP + length).as_secs();
    let requests = postbacks(stage, "paced", usize::try_from(many)?)?;
    let paced =
        Load { at_most: Some(many), ..load(stage.address, requests, OTHERS_AT_ONCE, Pace::PerSecond(rate)) };
    Ok(Open { rate, closed, seen: answered(paced, stage, length)? })
}
