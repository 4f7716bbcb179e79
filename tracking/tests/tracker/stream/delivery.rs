//! Whatever the stream delivers is stored once, by whichever tracker it was delivered to.

use std::{collections::BTreeSet, time::Duration};

use async_nats::jetstream::{
    consumer::{AckPolicy, PullConsumer, pull},
    stream,
};
use futures_util::StreamExt;
use tracking::{
    event::Event,
    wal::{Settings, Wal},
};

use super::{Account, CLUSTER, client, is_confirmed, number, on};
use crate::{
    outage::click as click_on,
    shipping::click,
    world::{Served, World, config, count_clicks, counted_clicks, eventually, seed},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn two_trackers_on_one_stream_store_every_click_once_and_listeners_hear_of_it() {
    let cluster = CLUSTER.read().await;
    let choose = on(&cluster.url(Account::TwoTrackers as usize));
    let world = World::with(&choose).await;
    let pool = world.database.pool();
    let folder = tempfile::tempdir().unwrap();
    let mut other = config(folder.path());
    choose(&mut other);
    let other = Served::start(&other, pool.clone(), 2).await;
    let (mut here, mut there) = (world.served.tracker.shipped(), other.tracker.shipped());
    tokio::join!(click_on(&world.served, 30), click_on(&other, 30));
    world.stored(60).await;
    assert_eq!(counted_clicks(pool).await, 60);

    let mut heard = BTreeSet::new();
    while heard.len() < 60 {
        let clicks = tokio::select! { clicks = here.recv() => clicks, clicks = there.recv() => clicks };
        heard.extend(clicks.unwrap().iter().map(|one| one.click));
    }
    is_confirmed(&world.served.tracker, 30).await;
    is_confirmed(&other.tracker, 30).await;
    let stored = |served: &Served| number(&served.tracker.metrics(), "tributary_events_stored_total");
    assert_eq!(stored(&world.served) + stored(&other), 60);
    world.served.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_click_that_the_database_never_takes_is_set_aside_and_confirmed() {
    let cluster = CLUSTER.read().await;
    let database = embedded::test_database(&tracking::MIGRATOR).await;
    seed(database.pool()).await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    on(&cluster.url(Account::Rejected as usize))(&mut config);
    std::fs::create_dir_all(&config.data_dir).unwrap();
    let (wal, reader) = Wal::open(&config.data_dir.join("log"), Settings::default()).unwrap();
    for number in 0..40 {
        let source = if [0, 17].contains(&number) { "a\0b" } else { "" };
        wal.append(Event::Click(click(number, source)).encode()).await.unwrap();
    }
    wal.close().await;
    drop((wal, reader));

    let served = Served::start(&config, database.pool().clone(), 1).await;
    is_confirmed(&served.tracker, 40).await;
    let metrics = served.tracker.metrics();
    assert_eq!(number(&metrics, "tributary_events_rejected_total"), 2);
    assert_eq!(number(&metrics, "tributary_stream_republished_total"), 0);
    served.stop().await;
    assert_eq!(count_clicks(database.pool()).await, Some(38));
    let rejected: i64 =
        sqlx::query_scalar("SELECT count(*) FROM rejected_clicks").fetch_one(database.pool()).await.unwrap();
    assert_eq!(rejected, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_another_tracker_left_is_delivered_again_and_what_an_operator_chose_stays() {
    let cluster = CLUSTER.read().await;
    let url = cluster.url(Account::Redelivered as usize);
    let operator = client(&url).await;
    let chosen = stream::Config {
        name: "TRIBUTARY_EVENTS".into(),
        subjects: vec!["tributary.events.>".into()],
        num_replicas: 1,
        max_messages: 1_000,
        ..stream::Config::default()
    };
    let stream = operator.create_stream(chosen).await.unwrap();
    let chosen = pull::Config {
        durable_name: Some("postgres".into()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(1),
        ..pull::Config::default()
    };
    let consumer: PullConsumer = stream.create_consumer(chosen).await.unwrap();
    for number in 0..10 {
        let event = Event::Click(click(number, "")).encode();
        operator.publish("tributary.events.click", event.into()).await.unwrap().await.unwrap();
    }
    // Of this version, and yet no event.
    operator
        .publish("tributary.events.click", bytes::Bytes::from_static(&[1, 255]))
        .await
        .unwrap()
        .await
        .unwrap();
    // Whoever this is dies with them.
    let taken = consumer.fetch().max_messages(10).messages().await.unwrap().count().await;
    assert_eq!(taken, 10);

    let world = World::with(on(&url)).await;
    world.stored(10).await;
    let metrics = world.served.tracker.metrics();
    assert_eq!(number(&metrics, "tributary_stream_redelivered_total"), 10);
    assert_eq!(counted_clicks(world.database.pool()).await, 10);
    eventually("nothing is left to be stored", async || {
        consumer.get_info().await.unwrap().ack_floor.stream_sequence == 11
    })
    .await;
    let stream = stream.get_info().await.unwrap().config;
    assert_eq!((stream.num_replicas, stream.max_messages), (1, 1_000));
    assert_eq!(consumer.get_info().await.unwrap().config.ack_wait, Duration::from_secs(1));
    world.served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_consumer_that_is_lost_is_made_anew_and_delivering_everything_again_changes_nothing() {
    let cluster = CLUSTER.read().await;
    let url = cluster.url(Account::ConsumerLost as usize);
    let world = World::with(on(&url)).await;
    click_on(&world.served, 20).await;
    world.stored(20).await;
    let stream = client(&url).await.get_stream("TRIBUTARY_EVENTS").await.unwrap();
    assert_eq!(stream.cached_info().config.num_replicas, 3);
    stream.delete_consumer("postgres").await.unwrap();
    eventually("all clicks are delivered again", async || {
        number(&world.served.tracker.metrics(), "tributary_events_shipped_total") == 40
    })
    .await;
    assert_eq!(number(&world.served.tracker.metrics(), "tributary_events_stored_total"), 20);
    assert_eq!(counted_clicks(world.database.pool()).await, 20);
    world.served.stop().await;
}
