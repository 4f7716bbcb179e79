//! Clicks arrive in the database once each, and whoever waits for them is told.

use std::collections::BTreeSet;

use domain::{
    ClickId,
    click::{Asked, Click, Device, Tags},
};
use embedded::test_database;
use tracking::{
    event::Event,
    store,
    wal::{Settings, Wal},
};
use uuid::Uuid;

use super::world::{
    ADVERTISER, AFFILIATE, CAMPAIGN, Served, World, config, count_clicks, counted_clicks, eventually, seed,
};

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
        again.tracker.metrics().contains("tributary_events_shipped_total 10\n")
    })
    .await;
    assert!(again.tracker.metrics().contains("tributary_events_stored_total 0\n"));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_click_that_the_database_never_takes_is_set_aside_and_all_others_are_stored() {
    let database = test_database(&tracking::MIGRATOR).await;
    seed(database.pool()).await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    std::fs::create_dir_all(&config.data_dir).unwrap();
    let (wal, reader) = Wal::open(&config.data_dir.join("log"), Settings::default()).unwrap();
    for number in 0..40 {
        let source = if [0, 17].contains(&number) { "a\0b" } else { "" };
        wal.append(Event::Click(click(number, source)).encode()).await.unwrap();
    }
    wal.close().await;
    drop((wal, reader));

    let served = Served::start(&config, database.pool().clone(), 1).await;
    eventually("all clicks are done with", async || {
        served.tracker.metrics().contains("tributary_events_shipped_total 40\n")
    })
    .await;
    let metrics = served.tracker.metrics();
    assert!(metrics.contains("tributary_events_stored_total 38\n"), "{metrics}");
    assert!(metrics.contains("tributary_events_rejected_total 2\n"), "{metrics}");
    served.stop().await;
    assert_eq!(count_clicks(database.pool()).await, Some(38));
    assert_eq!(counted_clicks(database.pool()).await, 38);
    let rejected: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT sqlstate, event FROM rejected_clicks ORDER BY id")
            .fetch_all(database.pool())
            .await
            .unwrap();
    let expected = [0, 17].map(|number| ("22021".to_owned(), Event::Click(click(number, "a\0b")).encode()));
    assert_eq!(rejected, expected);
}

/// A click of its own for every number, on the link `spring`.
pub fn click(number: u128, source: &str) -> Click {
    let id = Uuid::from_u128(0x0194_6000_0000_7000_8000_0000_0001_0000 + number);
    Click {
        id: ClickId::from(id),
        occurred_at_us: 1_736_900_000_000_000,
        link: uuid::uuid!("01946000-0000-7000-8000-000000000010").into(),
        affiliate: AFFILIATE.into(),
        campaign: CAMPAIGN.into(),
        advertiser: ADVERTISER.into(),
        session: id.into(),
        tags: Tags { source: source.to_owned(), ..Tags::default() },
        address_hash: [7; 16],
        network: [203, 0, 113, 0].into(),
        country: String::new(),
        device: Device::Desktop,
        user_agent: String::new(),
        referrer: String::new(),
        asked: Asked::default(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clicks_that_come_again_after_their_day_was_dropped_are_set_aside_and_not_counted_again() {
    let database = test_database(&tracking::MIGRATOR).await;
    seed(database.pool()).await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    std::fs::create_dir_all(&config.data_dir).unwrap();
    let old: Vec<Click> = (0..20).map(|number| click(number, "")).collect();
    let mut new = click(20, "");
    new.id = ClickId::from(Uuid::from_u128(0x0195_6000_0000_7000_8000_0000_0001_0000));
    let day = old[0].id.made_at().unwrap().date_naive();
    let mut tx = store::begin(database.pool()).await.unwrap();
    store::clicks::ensure_partition(&mut tx, day).await.unwrap();
    store::clicks::insert(&mut tx, &old, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    sqlx::query("SELECT drop_click_day($1, 'epoch')").bind(day).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();

    let (wal, reader) = Wal::open(&config.data_dir.join("log"), Settings::default()).unwrap();
    for click in old.iter().chain([&new]) {
        wal.append(Event::Click(click.clone()).encode()).await.unwrap();
    }
    wal.close().await;
    drop((wal, reader));
    let served = Served::start(&config, database.pool().clone(), 1).await;
    eventually("all clicks are done with", async || {
        served.tracker.metrics().contains("tributary_events_shipped_total 21\n")
    })
    .await;
    assert!(served.tracker.metrics().contains("tributary_events_rejected_total 20\n"));
    assert!(served.tracker.metrics().contains("tributary_events_stored_total 1\n"));
    served.stop().await;
    let audit: (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT counted, stored, dropped, by_hour, by_day FROM link_click_audit WHERE 0 < counted",
    )
    .fetch_one(database.pool())
    .await
    .unwrap();
    assert_eq!(audit, (21, 1, 20, 21, 21));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_click_is_stored_once_within_a_batch_across_batches_and_across_trackers() {
    let database = test_database(&tracking::MIGRATOR).await;
    seed(database.pool()).await;
    let clicks: Vec<Click> = [0, 1, 2, 1, 0].map(tagged).into();
    let mut one = store::begin(database.pool()).await.unwrap();
    store::clicks::ensure_partition(&mut one, clicks[0].id.made_at().unwrap().date_naive()).await.unwrap();
    one.commit().await.unwrap();
    let mut one = store::begin(database.pool()).await.unwrap();
    assert_eq!(store::clicks::insert(&mut one, &clicks, chrono::DateTime::UNIX_EPOCH).await.unwrap(), 3);

    // Another tracker does not see what is not committed, waits for it, and is refused as a whole.
    let (pool, late) = (database.pool().clone(), [0, 3].map(tagged));
    let racing = tokio::spawn(async move {
        let mut other = store::begin(&pool).await.unwrap();
        store::clicks::insert(&mut other, &late, chrono::DateTime::UNIX_EPOCH).await
    });
    eventually("the other tracker waits", async || {
        let waiting = sqlx::query_scalar("SELECT count(*) FROM pg_locks WHERE NOT granted");
        waiting.fetch_one(database.pool()).await.is_ok_and(|waiting: i64| waiting == 1)
    })
    .await;
    one.commit().await.unwrap();
    let refused = racing.await.unwrap().unwrap_err();
    assert!(refused.as_database_error().unwrap().is_unique_violation(), "{refused}");

    let mut other = store::begin(database.pool()).await.unwrap();
    let again = [0, 3].map(tagged);
    assert_eq!(store::clicks::insert(&mut other, &again, chrono::DateTime::UNIX_EPOCH).await.unwrap(), 1);
    other.commit().await.unwrap();
    assert_eq!(count_clicks(database.pool()).await, Some(4));
    assert_eq!(counted_clicks(database.pool()).await, 4);
    let counted: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT sum(clicks)::bigint FROM affiliate_hours), (SELECT sum(clicks)::bigint FROM link_days)",
    )
    .fetch_one(database.pool())
    .await
    .unwrap();
    assert_eq!(counted, (4, 4));
    let tags: Vec<(i16, String, i64)> =
        sqlx::query_as("SELECT tag, value, clicks FROM tag_hours ORDER BY tag, value COLLATE \"C\"")
            .fetch_all(database.pool())
            .await
            .unwrap();
    let expected = [(0, MATERIAL, 2), (1, "shelf", 4), (10, "a", 2), (10, "b", 2)];
    assert_eq!(tags, expected.map(|(tag, value, clicks)| (tag, value.to_owned(), clicks)));
}

const MATERIAL: &str = "mat_01JH0000000000000000000000";

/// A click with sub-ids, and every other one of a material; the others name one as it is never printed.
fn tagged(number: u128) -> Click {
    let mut click = click(number, "");
    let is_even = number.is_multiple_of(2);
    click.tags.subs[0] = "shelf".to_owned();
    click.tags.subs[9] = if is_even { "a" } else { "b" }.to_owned();
    click.tags.utm[4] = if is_even { MATERIAL.to_owned() } else { MATERIAL.to_lowercase() };
    click
}
