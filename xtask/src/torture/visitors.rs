//! Visitors who click, and write down what they were told.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use domain::ClickId;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    book::{Acknowledged, Diary},
    http::{Answer, Connection},
    plan::Load,
    world::{CLICK_PARAM, LINKS},
};

/// A tracker that answers nobody for so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// A browser as people use it, with a page of changing length where the visitor comes from, so that records have
/// many lengths and segments of the log end everywhere.
const AGENT: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Referer: https://blog.example/";
const LONGEST_REFERRER: u64 = 300;
/// How long one who was refused waits, which is far less than is asked of them.
const RETRY: Duration = Duration::from_millis(2);

/// Numbers for visits, each given once.
pub(super) type Numbers = Arc<AtomicU64>;

/// Some visitors of one tracker.
pub(super) struct Visitors {
    clients: JoinSet<Result<Diary>>,
    ends: Arc<AtomicBool>,
}

impl Visitors {
    /// They begin to click.
    pub(super) fn start(address: SocketAddr, load: Load, numbers: &Numbers) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for _ in 0..load.visitors {
            clients.spawn(visit(address, load.pause, numbers.clone(), ends.clone()));
        }
        Self { clients, ends }
    }

    /// They end, each after the answer they wait for, or because there is none any more.
    pub(super) async fn end(mut self) -> Result<Vec<Diary>> {
        self.ends.store(true, Relaxed);
        let mut diaries = Vec::new();
        let all = async {
            while let Some(ended) = self.clients.join_next().await {
                diaries.push(ended.context("a visitor panicked")??);
            }
            anyhow::Ok(())
        };
        match timeout(PATIENCE, all).await {
            Ok(ended) => ended?,
            Err(_) => bail!("visitors were not answered within {} s", PATIENCE.as_secs()),
        }
        Ok(diaries)
    }
}

/// Clicks until told to stop, or until the tracker is gone.
async fn visit(
    address: SocketAddr,
    pause: Duration,
    numbers: Numbers,
    ends: Arc<AtomicBool>,
) -> Result<Diary> {
    let mut diary = Diary::default();
    // One who comes when the tracker is gone has sent nothing.
    let Ok(mut connection) = Connection::open(address).await else { return Ok(diary) };
    while !ends.load(Relaxed) {
        let visit = numbers.fetch_add(1, Relaxed);
        let link = LINKS[(visit % LINKS.len() as u64) as usize];
        let page = "x".repeat((visit * 37 % LONGEST_REFERRER) as usize);
        let path = format!("/c/{link}?sub1={visit}");
        let asked = Instant::now();
        let Ok(answer) = connection.get(&path, &format!("{AGENT}{page}\r\n")).await else {
            diary.unanswered.push(visit);
            break;
        };
        let at = Instant::now();
        diary.longest_wait = diary.longest_wait.max(at - asked);
        match answer.status {
            302 => diary.acknowledged.push(Acknowledged { visit, click: click_in(&answer)?, at }),
            503 => {
                diary.refused.push(visit);
                sleep(RETRY).await;
            }
            status => bail!("visit {visit} was answered with {status}: {}", answer.body),
        }
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
    Ok(diary)
}

/// The click's id in the page that the visitor is sent to.
fn click_in(answer: &Answer) -> Result<ClickId> {
    let location = answer.header("location").context("a redirect without a Location")?;
    let (_, behind) = location
        .split_once(&format!("{CLICK_PARAM}="))
        .with_context(|| format!("a redirect without a click's id: {location}"))?;
    let id = behind.split(['&', '#']).next().unwrap_or(behind);
    id.parse().with_context(|| format!("a redirect with a wrong click's id: {location}"))
}
