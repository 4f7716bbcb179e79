//! A tracker that is killed in the middle of its work has lost nothing that it had answered.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use domain::{Chance, ClickId};
use embedded::test_database;
use reqwest::header;
use tokio::task::JoinSet;

use super::{
    process::Process,
    world::{browser, counted_clicks, eventually, seed},
};

const ROUNDS: u32 = 20;
const CLIENTS: usize = 8;
const SEED: u64 = 20_261;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn killed_under_load_it_has_lost_no_acknowledged_click() {
    let database = test_database(&tracking::MIGRATOR).await;
    seed(database.pool()).await;
    let folder = tempfile::tempdir().unwrap();
    let chance = Chance::seeded(SEED);
    let mut acknowledged = HashSet::new();
    for _ in 0..ROUNDS {
        let process = Process::start(folder.path(), &database.url());
        let clicking = Clicking::start(process.address);
        let moment = Duration::from_millis(20 + chance.below(150));
        tokio::time::sleep(moment).await;
        process.kill();
        acknowledged.extend(clicking.end().await);
    }
    assert!(ROUNDS as usize <= acknowledged.len(), "only {} clicks were answered", acknowledged.len());

    let _process = Process::start(folder.path(), &database.url());
    let ids: Vec<_> = acknowledged.iter().map(|click| click.uuid()).collect();
    eventually("every acknowledged click is stored", async || {
        let missing: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM unnest($1::uuid[]) AS acknowledged (id) WHERE NOT EXISTS (
                 SELECT FROM clicks WHERE clicks.id = acknowledged.id
             )",
        )
        .bind(&ids)
        .fetch_one(database.pool())
        .await
        .unwrap();
        missing == 0
    })
    .await;
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM clicks").fetch_one(database.pool()).await.unwrap();
    assert_eq!(counted_clicks(database.pool()).await, rows, "each is counted once");
}

/// Visitors who click until they are told to stop or nobody answers.
struct Clicking {
    clients: JoinSet<Vec<ClickId>>,
    ends: Arc<AtomicBool>,
}

impl Clicking {
    fn start(address: SocketAddr) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let ends = ends.clone();
            clients.spawn(async move {
                let (browser, url) = (browser(), format!("http://{address}/c/spring"));
                let mut acknowledged = Vec::new();
                while !ends.load(Relaxed) {
                    let Ok(answer) = browser.get(&url).send().await else { break };
                    assert_eq!(answer.status(), 302);
                    let location = answer.headers()[header::LOCATION].to_str().unwrap();
                    let (_, click) = location.split_once("shop_click=").unwrap();
                    acknowledged.push(click.split('#').next().unwrap().parse().unwrap());
                }
                acknowledged
            });
        }
        Self { clients, ends }
    }

    async fn end(self) -> Vec<ClickId> {
        self.ends.store(true, Relaxed);
        self.clients.join_all().await.concat()
    }
}
