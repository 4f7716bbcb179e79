//! What an operator sees, and what a visitor is told when a click cannot be kept.

use std::time::Duration;

use embedded::test_database;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;
use tracking::database::pool_for_requests;

use super::world::{Served, World, browser, config, eventually, shown};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_numbers_add_up_and_are_there_for_prometheus() {
    let world = World::new().await;
    for _ in 0..3 {
        world.answer("/c/spring").await;
    }
    world.stored(3).await;
    let numbers = world.answer("/metrics").await.text().await.unwrap();
    let total = |name: &str| {
        let line =
            numbers.lines().find(|line| line.starts_with(&format!("tributary_events_{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(total("accepted_total"), 3);
    assert_eq!(total("accepted_total"), total("durable_total") + total("refused_total") + total("in_flight"));
    assert!(numbers.contains("tributary_visit_seconds_bucket{le=\"0.001\"}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn at_every_moment_under_load_each_click_is_durable_refused_or_in_flight() {
    let world = World::with(|config| config.log_queue = 2).await;
    let url = format!("http://{}/c/spring", world.served.address);
    let mut visitors = JoinSet::new();
    for _ in 0..16 {
        let (browser, url) = (browser(), url.clone());
        visitors.spawn(async move {
            for _ in 0..60 {
                browser.get(&url).send().await.unwrap();
            }
        });
    }
    let mut seen = Numbers::default();
    let mut scrapes = 0;
    while visitors.try_join_next().is_some() || !visitors.is_empty() {
        let now = Numbers::read(&world).await;
        assert_eq!(now.accepted, now.durable + now.refused + now.in_flight, "{now:?}");
        assert!(seen.accepted <= now.accepted && seen.durable <= now.durable && seen.refused <= now.refused);
        assert!(now.answered <= now.accepted, "{now:?}");
        seen = now;
        scrapes += 1;
    }
    assert!(10 < scrapes, "only {scrapes} scrapes");
    let end = Numbers::read(&world).await;
    assert_eq!((end.accepted, end.answered, end.in_flight), (960, 960, 0));
}

/// What a scrape says of clicks.
#[derive(Debug, Default)]
struct Numbers {
    accepted: u64,
    durable: u64,
    refused: u64,
    in_flight: u64,
    answered: u64,
}

impl Numbers {
    async fn read(world: &World) -> Self {
        let page = world.answer("/metrics").await.text().await.unwrap();
        let number = |name: &str| {
            let line = page.lines().find(|line| line.starts_with(&format!("tributary_{name} "))).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        Self {
            accepted: number("events_accepted_total"),
            durable: number("events_durable_total"),
            refused: number("events_refused_total"),
            in_flight: number("events_in_flight"),
            answered: number("visit_seconds_count"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn health_says_whether_clicks_are_taken() {
    let world = World::new().await;
    assert_eq!(world.answer("/health/live").await.status(), 200);
    assert_eq!(world.answer("/health/ready").await.status(), 200);
    world.served.tracker.shutdown().await;
    let answer = world.answer("/health/ready").await;
    assert_eq!(answer.status(), 503);
    insta::assert_snapshot!(answer.text().await.unwrap(), @r#"{"type":"urn:tributary:problem:not_ready","title":"Clicks cannot be taken","status":503,"code":"not_ready","detail":"the click log cannot be written"}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tracker_whose_shipping_has_ended_is_not_ready_and_still_shuts_down() {
    let world = World::new().await;
    world.answer("/c/spring").await;
    world.stored(1).await;
    world.served.lose_background();
    eventually("the tracker is not ready", async || world.served.tracker.check_ready().is_err()).await;
    let answer = world.answer("/health/ready").await;
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("clicks are kept but no longer stored"));
    let shutdown = tokio::time::timeout(Duration::from_secs(4), world.served.tracker.shutdown());
    shutdown.await.expect("nothing is waited for that has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_request_asks_the_database_for_ends_in_time() {
    let database = test_database(&tracking::MIGRATOR).await;
    let pool = pool_for_requests(database.url().parse().unwrap(), 2);
    let limits: (String, String, String) = sqlx::query_as(
        "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
                current_setting('idle_in_transaction_session_timeout')",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(limits, ("15s".to_owned(), "10s".to_owned(), "30s".to_owned()));
    assert_eq!(
        (pool.options().get_max_connections(), pool.options().get_acquire_timeout().as_secs()),
        (2, 5)
    );
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_click_that_cannot_be_kept_is_refused_with_a_time_to_come_back() {
    let world = World::new().await;
    world.served.tracker.shutdown().await;
    let answer = world.answer("/c/spring").await;
    insta::assert_snapshot!(shown(&answer), @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 160
    content-type: application/problem+json
    retry-after: 1
    "#);
    insta::assert_snapshot!(answer.text().await.unwrap(), @r#"{"type":"urn:tributary:problem:click_refused","title":"The click cannot be recorded right now","status":503,"code":"click_refused","detail":"the log is closed"}"#);
    let counts = world.served.tracker.counts();
    assert_eq!((counts.accepted, counts.refused), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tracker_that_knows_no_links_yet_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = PgPoolOptions::new().connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
    let served = Served::start(&config(folder.path()), nowhere, 1).await;
    let answer = browser().get(format!("http://{}/c/spring", served.address)).send().await.unwrap();
    insta::assert_snapshot!(shown(&answer), @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 107
    content-type: application/problem+json
    retry-after: 5
    "#);
    assert!(served.tracker.check_ready().is_err());
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_tracker_on_the_same_folder_is_refused() {
    let world = World::new().await;
    let config = config(world.folder.path());
    let pool = world.database.pool().clone();
    let second =
        tracking::Tracker::open(&config, pool, domain::Clock::system(), domain::Chance::system()).await;
    let Err(error) = second else { panic!("it opened") };
    assert!(error.to_string().ends_with("cannot be opened: another process uses this log"), "{error}");
}
