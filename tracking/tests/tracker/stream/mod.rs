//! Clicks over a NATS cluster: the same promises as on one machine, whatever happens to the servers.

mod cluster;
mod delivery;
mod loss;
mod setting;

use std::{sync::LazyLock, time::Duration};

use embedded::nats::Cluster;
use tokio::sync::RwLock;
use tracking::{Tracker, config::Config};

use super::world::eventually;

/// The cluster of all these tests. Each has an account of its own; those that harm servers have all to themselves.
/// It is never dropped, because statics are not: watchdogs end it with this process.
static CLUSTER: LazyLock<RwLock<Cluster>> =
    LazyLock::new(|| RwLock::new(Cluster::start(3).unwrap_or_else(|error| panic!("{error}"))));

/// The account of each test.
#[derive(Clone, Copy)]
enum Account {
    TwoTrackers,
    Rejected,
    Redelivered,
    ConsumerLost,
    Purged,
    Wiped,
    KilledTracker,
    Switched,
    Harmed,
    AllAway,
}

/// Chooses the stream of an account.
fn on(url: &str) -> impl Fn(&mut Config) + use<> {
    let engine: tracking::stream::Engine = url.parse().unwrap();
    move |config| config.stream = engine.clone()
}

/// One of the tracker's numbers.
fn number(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
}

/// Waits until the tracker knows that everything in its log is stored.
async fn is_confirmed(tracker: &Tracker, clicks: u64) {
    eventually("the tracker knows that its clicks are stored", async || {
        number(&tracker.metrics(), "tributary_stream_confirmed_total") == clicks
    })
    .await;
    let metrics = tracker.metrics();
    assert_eq!(number(&metrics, "tributary_stream_unpublished"), 0);
    assert_eq!(number(&metrics, "tributary_stream_unconfirmed"), 0);
}

/// A client of the tests' own.
async fn client(url: &str) -> async_nats::jetstream::Context {
    let (_, rest) = url.split_once("nats://").unwrap();
    let (login, _) = rest.split_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let servers: Vec<async_nats::ServerAddr> = url.split(',').map(|server| server.parse().unwrap()).collect();
    let options = async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
    let client = options.connection_timeout(Duration::from_secs(5)).connect(servers).await.unwrap();
    async_nats::jetstream::new(client)
}
