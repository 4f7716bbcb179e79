//! The database goes and comes back; clicks do not notice.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
};

use embedded::Postgres;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::task::JoinHandle;

use super::world::{Served, browser, config, count_clicks, counted_clicks, eventually, seed};

/// A visitor who clicks without a pause, and is redirected every time.
pub struct Visitor {
    clicks: Arc<AtomicI64>,
    has_enough: Arc<AtomicBool>,
    clicking: JoinHandle<()>,
}

impl Visitor {
    pub fn start(served: &Served) -> Self {
        let url = format!("http://{}/c/spring", served.address);
        let clicks = Arc::new(AtomicI64::new(0));
        let has_enough = Arc::new(AtomicBool::new(false));
        let (counter, stops) = (clicks.clone(), has_enough.clone());
        let clicking = tokio::spawn(async move {
            let browser = browser();
            while !stops.load(Relaxed) {
                assert_eq!(browser.get(&url).send().await.unwrap().status(), 302);
                counter.fetch_add(1, Relaxed);
            }
        });
        Self { clicks, has_enough, clicking }
    }

    /// Lets the visitor hear the last answer, and sees to it that every one was a redirect.
    pub async fn stop(self) {
        self.has_enough.store(true, Relaxed);
        self.clicking.await.unwrap();
    }

    pub async fn has_clicked_more(&self, clicks: i64) {
        let enough = self.clicks.load(Relaxed) + clicks;
        eventually("the visitor is redirected", async || enough < self.clicks.load(Relaxed)).await;
    }
}

/// A throw-away server with the program in it.
pub async fn database() -> (Postgres, PgPool) {
    let postgres = Postgres::start_temporary().unwrap();
    let pool = PgPoolOptions::new().max_connections(4).connect_lazy(&postgres.url("postgres")).unwrap();
    tracking::MIGRATOR.run(&pool).await.unwrap();
    seed(&pool).await;
    (postgres, pool)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_the_database_is_away_clicks_are_redirected_and_stored_when_it_is_back() {
    let (mut postgres, pool) = database().await;
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&config(folder.path()), pool.clone(), 1).await;
    let visitor = Visitor::start(&served);
    visitor.has_clicked_more(50).await;
    postgres.halt().unwrap();
    visitor.has_clicked_more(200).await;
    assert!(served.tracker.check_ready().is_ok());
    postgres.resume().unwrap();
    visitor.has_clicked_more(50).await;
    visitor.stop().await;

    let counts = served.tracker.counts();
    assert_eq!((counts.durable, counts.refused), (counts.accepted, 0));
    let accepted = counts.accepted as i64;
    eventually("all clicks are stored", async || count_clicks(&pool).await == Some(accepted)).await;
    assert_eq!(counted_clicks(&pool).await, accepted);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_restart_without_the_database_serves_what_was_known() {
    let (mut postgres, pool) = database().await;
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&config(folder.path()), pool.clone(), 1).await;
    postgres.halt().unwrap();
    click(&served, 20).await;
    served.stop().await;

    let served = Served::start(&config(folder.path()), pool.clone(), 2).await;
    assert!(served.tracker.check_ready().is_ok());
    click(&served, 30).await;
    postgres.resume().unwrap();
    eventually("all clicks are stored", async || count_clicks(&pool).await == Some(50)).await;
    assert_eq!(counted_clicks(&pool).await, 50);
    served.stop().await;
}

pub async fn click(served: &Served, clicks: usize) {
    let browser = browser();
    let url = format!("http://{}/c/spring", served.address);
    for _ in 0..clicks {
        assert_eq!(browser.get(&url).send().await.unwrap().status(), 302);
    }
}
