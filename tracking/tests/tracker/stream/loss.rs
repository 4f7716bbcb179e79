//! What a stream has acknowledged and lost is in the log still, and comes into the database all the same.

use sqlx::PgPool;

use super::{Account, CLUSTER, client, is_confirmed, number, on};
use crate::{
    outage::{click, database},
    process::Process,
    world::{Served, browser, config, count_clicks, counted_clicks, eventually},
};

/// Takes clicks while the database is away, until the stream has acknowledged all of them.
async fn publish(served: &Served, clicks: usize) {
    click(served, clicks).await;
    eventually("the stream has acknowledged", async || {
        number(&served.tracker.metrics(), "tributary_stream_published_total") == clicks as u64
    })
    .await;
}

/// The same with a program of its own.
async fn publish_with(process: &Process, clicks: usize, published: u64) {
    let root = format!("http://{}", process.address);
    for _ in 0..clicks {
        assert_eq!(browser().get(format!("{root}/c/spring")).send().await.unwrap().status(), 302);
    }
    eventually("the stream has acknowledged", async || {
        let metrics = browser().get(format!("{root}/metrics")).send().await.unwrap().text().await.unwrap();
        published <= number(&metrics, "tributary_stream_published_total")
    })
    .await;
}

async fn are_stored_once(pool: &PgPool, clicks: i64) {
    eventually("all clicks are stored", async || count_clicks(pool).await == Some(clicks)).await;
    assert_eq!(counted_clicks(pool).await, clicks);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_the_stream_lost_is_published_again_although_it_remembers_the_ids() {
    let cluster = CLUSTER.read().await;
    let url = cluster.url(Account::Purged as usize);
    let (mut postgres, pool) = database().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    on(&url)(&mut config);
    let served = Served::start(&config, pool.clone(), 1).await;
    postgres.halt().unwrap();
    publish(&served, 50).await;
    let stream = client(&url).await.get_stream("TRIBUTARY_EVENTS").await.unwrap();
    // The tracker may make it anew at the same moment, and then the cluster sometimes leaves the first one unanswered.
    eventually("the consumer is lost", async || stream.delete_consumer("postgres").await.is_ok()).await;
    stream.purge().await.unwrap();
    postgres.resume().unwrap();
    are_stored_once(&pool, 50).await;
    is_confirmed(&served.tracker, 50).await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn when_all_servers_lose_their_disks_everything_unstored_is_published_again() {
    let mut cluster = CLUSTER.write().await;
    let (mut postgres, pool) = database().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    on(&cluster.url(Account::Wiped as usize))(&mut config);
    let served = Served::start(&config, pool.clone(), 1).await;
    click(&served, 20).await;
    are_stored_once(&pool, 20).await;
    is_confirmed(&served.tracker, 20).await;
    postgres.halt().unwrap();
    click(&served, 30).await;
    eventually("the stream has acknowledged", async || {
        number(&served.tracker.metrics(), "tributary_stream_published_total") == 50
    })
    .await;
    for server in 0..3 {
        cluster.wipe(server).unwrap();
    }
    for server in 0..3 {
        cluster.restart(server).unwrap();
    }
    cluster.wait_until_ready().unwrap();
    postgres.resume().unwrap();
    are_stored_once(&pool, 50).await;
    is_confirmed(&served.tracker, 50).await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tracker_killed_between_publishing_and_confirming_loses_nothing() {
    let cluster = CLUSTER.read().await;
    let url = cluster.url(Account::KilledTracker as usize);
    let (mut postgres, pool) = database().await;
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start_with(folder.path(), &postgres.url("postgres"), &url);
    postgres.halt().unwrap();
    publish_with(&process, 40, 40).await;
    process.kill();
    // The stream forgets them too, so that only the log has them.
    client(&url).await.get_stream("TRIBUTARY_EVENTS").await.unwrap().purge().await.unwrap();
    postgres.resume().unwrap();
    let process = Process::start_with(folder.path(), &postgres.url("postgres"), &url);
    are_stored_once(&pool, 40).await;
    process.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_engine_may_be_changed_there_and_back_on_the_same_log() {
    let cluster = CLUSTER.read().await;
    let url = cluster.url(Account::Switched as usize);
    let (mut postgres, pool) = database().await;
    let database_url = postgres.url("postgres");
    let folder = tempfile::tempdir().unwrap();
    // Once with the database, so that the links are known without it.
    let process = Process::start(folder.path(), &database_url);
    postgres.halt().unwrap();
    publish_with(&process, 10, 0).await;
    process.kill();
    let process = Process::start_with(folder.path(), &database_url, &url);
    publish_with(&process, 10, 20).await;
    process.kill();
    let process = Process::start(folder.path(), &database_url);
    publish_with(&process, 10, 0).await;
    postgres.resume().unwrap();
    are_stored_once(&pool, 30).await;
    process.kill();

    let process = Process::start_with(folder.path(), &database_url, &url);
    publish_with(&process, 10, 10).await;
    are_stored_once(&pool, 40).await;
    process.kill();
}
