//! Clicks arrive in the database once each, and whoever waits for them is told.

use std::collections::BTreeSet;

use super::world::{Served, World, config, counted_clicks, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn rows_and_counters_agree_and_listeners_hear_of_every_click() {
    let world = World::new().await;
    let mut shipped = world.served.tracker.shipped();
    for _ in 0..20 {
        world.answer("/c/spring").await;
        world.answer("/c/shoes").await;
    }
    world.stored(40).await;
    let counters: Vec<(String, i64)> =
        sqlx::query_as("SELECT code, clicks FROM links WHERE 0 < clicks ORDER BY code")
            .fetch_all(world.database.pool())
            .await
            .unwrap();
    assert_eq!(counters, [("shoes".to_owned(), 20), ("spring".to_owned(), 20)]);
    let stored: BTreeSet<(uuid::Uuid, uuid::Uuid)> = sqlx::query_as("SELECT id, session_id FROM clicks")
        .fetch_all(world.database.pool())
        .await
        .unwrap()
        .into_iter()
        .collect();
    let mut heard = BTreeSet::new();
    while heard.len() < stored.len() {
        heard.extend(shipped.recv().await.unwrap().iter().map(|one| (one.click.uuid(), one.session.uuid())));
    }
    assert_eq!(heard, stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clicks_of_several_days_find_their_partitions() {
    let world = World::new().await;
    for _ in 0..3 {
        world.answer("/c/spring").await;
        world.served.clock.advance(chrono::TimeDelta::days(1));
    }
    world.stored(3).await;
    let partitions: Vec<(String, i64)> =
        sqlx::query_as("SELECT tableoid::regclass::text, count(*) FROM clicks GROUP BY 1 ORDER BY 1")
            .fetch_all(world.database.pool())
            .await
            .unwrap();
    let names: Vec<_> = partitions.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(names, ["clicks_20250115 1", "clicks_20250116 1", "clicks_20250117 1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn shipping_the_same_clicks_again_changes_nothing() {
    let world = World::new().await;
    for _ in 0..10 {
        world.answer("/c/spring").await;
    }
    world.stored(10).await;
    // Somebody loses what was remembered: everything in the log is shipped again. The segment that is being written
    // is kept until the next one has begun, so it still has all of them.
    let World { database, folder, served } = world;
    served.stop().await;
    let log = folder.path().join("data/log");
    std::fs::remove_file(log.join("shipped")).unwrap();
    let again = Served::start(&config(folder.path()), database.pool().clone(), 2).await;
    eventually("the clicks are shipped again", async || {
        again.tracker.metrics().contains("tributary_clicks_shipped_total 10\n")
    })
    .await;
    assert!(again.tracker.metrics().contains("tributary_clicks_stored_total 0\n"));
    assert_eq!(counted_clicks(database.pool()).await, 10);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_shutdown_ships_what_was_accepted_and_refuses_the_rest() {
    let World { database, folder, served } = World::new().await;
    let tracker = served.tracker.clone();
    let url = format!("http://{}/c/spring", served.address);
    for _ in 0..5 {
        super::world::browser().get(&url).send().await.unwrap();
    }
    served.stop().await;
    assert_eq!(super::world::count_clicks(database.pool()).await, Some(5));
    assert!(tracker.check_ready().is_err());
    drop(folder);
}
