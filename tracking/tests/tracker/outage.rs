//! The database goes and comes back; clicks do not notice.

use embedded::Postgres;
use sqlx::{PgPool, postgres::PgPoolOptions};

use super::world::{Served, browser, config, count_clicks, counted_clicks, eventually, seed};

fn pool(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(4).connect_lazy(url).unwrap()
}

async fn click(served: &Served, clicks: usize) {
    let browser = browser();
    let url = format!("http://{}/c/spring", served.address);
    for _ in 0..clicks {
        assert_eq!(browser.get(&url).send().await.unwrap().status(), 302);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_the_database_is_away_clicks_are_served_and_stored_when_it_is_back() {
    let mut postgres = Postgres::start_temporary().unwrap();
    let url = postgres.database("outage").await.unwrap();
    let pool = pool(&url);
    tracking::MIGRATOR.run(&pool).await.unwrap();
    seed(&pool).await;
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&config(folder.path()), pool.clone(), 1).await;
    click(&served, 50).await;
    eventually("the first clicks are stored", async || count_clicks(&pool).await == Some(50)).await;

    postgres.halt().unwrap();
    click(&served, 200).await;
    assert!(served.tracker.check_ready().is_ok());

    // A restart in the middle: links come from the snapshot, clicks stay in the log.
    served.stop().await;
    let served = Served::start(&config(folder.path()), pool.clone(), 2).await;
    assert!(served.tracker.check_ready().is_ok());
    click(&served, 100).await;

    postgres.resume().unwrap();
    eventually("all clicks are stored", async || count_clicks(&pool).await == Some(350)).await;
    assert_eq!(counted_clicks(&pool).await, 350);
    let counts = served.tracker.counts();
    assert_eq!((counts.accepted, counts.durable, counts.refused, counts.in_flight), (100, 100, 0, 0));
    served.stop().await;
}
