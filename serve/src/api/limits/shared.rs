//! One count for all processes, on a server that speaks Redis' protocol, for as long as it answers.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{Arc, LazyLock, Weak},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, RedisError, Script, ScriptInvocation,
    aio::MultiplexedConnection,
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::rate::{Rate, Standing};

/// How long a request waits to be counted: within a data centre a count takes less than a millisecond.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);
/// How long it may take to connect, for which no request waits.
const CONNECTING_PATIENCE: Duration = Duration::from_secs(1);
/// How long a server that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How every key begins that is ours on the server.
const PREFIX: &str = "tributary:limit";
/// How many counts may wait to be sent; the default would hold up requests that come at once.
const QUEUE: usize = 4_096;

/// The algorithm, and what calls it with the server's own time: the clocks of the processes do not matter.
const ALGORITHM: &str = include_str!("gcra.lua");
const BY_THE_SERVERS_CLOCK: &str = "
local time = redis.call('TIME')
return count(KEYS[1], tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(ARGV[1]), tonumber(ARGV[2]))";

static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new(&format!("{ALGORITHM}{BY_THE_SERVERS_CLOCK}")));

/// The count that is shared. Whenever the server does not do what it should, nobody asks it any more until it has
/// counted a probe.
pub(super) struct Shared {
    client: Client,
    /// What the server is called in the log.
    address: String,
    patience: Duration,
    connection: ArcSwapOption<MultiplexedConnection>,
    /// Wakes [`keep_connected`].
    lost: Arc<Notify>,
}

#[derive(Debug, thiserror::Error)]
enum CountError {
    #[error("no answer within {} ms", .0.as_millis())]
    Slow(Duration),
    #[error(transparent)]
    Redis(#[from] RedisError),
}

impl Shared {
    /// Connects to the server, or goes on trying to if that fails.
    pub(super) async fn open(server: ConnectionInfo, patience: Duration) -> anyhow::Result<Arc<Self>> {
        let address = server.addr().to_string();
        let shared = Arc::new(Self {
            client: Client::open(server)?,
            address,
            patience,
            connection: ArcSwapOption::empty(),
            lost: Arc::default(),
        });
        if let Err(error) = shared.connect().await {
            shared.tell_lost(&error);
        }
        tokio::spawn(keep_connected(Arc::downgrade(&shared), shared.lost.clone()));
        Ok(shared)
    }

    /// Counts a request of `who`; nothing when the server cannot, which does not hold the request up for long.
    pub(super) async fn count(&self, rate: &Rate, who: impl fmt::Display) -> Option<Standing> {
        let connection = self.connection.load_full()?;
        let key = format!("{PREFIX}:{}:{who}", rate.name);
        match ask(&connection, rate, &key, self.patience).await {
            Ok(standing) => Some(standing),
            Err(error) => {
                self.lose(connection, &error);
                None
            }
        }
    }

    /// Gives a connection up on which something went wrong. Many requests may find that, and one of them says it.
    fn lose(&self, connection: Arc<MultiplexedConnection>, error: &CountError) {
        let used = Some(connection);
        let before = self.connection.compare_and_swap(&used, None);
        if before.as_ref().map(Arc::as_ptr) == used.as_ref().map(Arc::as_ptr) {
            self.tell_lost(error);
        }
    }

    /// Says so, once for each connection, and has another one made.
    fn tell_lost(&self, error: &CountError) {
        tracing::warn!(
            server = self.address,
            "{} does not count requests: {error}; this process counts its own until it does",
            self.address
        );
        self.lost.notify_one();
    }

    /// Connects, and uses the connection if the server counts on it as fast as it must.
    async fn connect(&self) -> Result<(), CountError> {
        // Both patiences are ours.
        let configuration = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let connecting = self.client.get_multiplexed_async_connection_with_config(&configuration);
        let connecting = timeout(CONNECTING_PATIENCE, connecting).await;
        let connection = connecting.map_err(|_| CountError::Slow(CONNECTING_PATIENCE))??;
        // So many are allowed that it is never refused: then the server must write, too.
        let probe = Rate::per_minute("probe", NonZeroU32::MAX);
        let key = format!("{PREFIX}:{}", probe.name);
        // The first time the server may have to be told the script.
        ask(&connection, &probe, &key, CONNECTING_PATIENCE).await?;
        ask(&connection, &probe, &key, self.patience).await?;
        self.connection.store(Some(Arc::new(connection)));
        tracing::info!(server = self.address, "requests are counted on {}", self.address);
        Ok(())
    }

    /// Whether requests are counted on the server at this moment.
    #[cfg(test)]
    pub(super) fn is_connected(&self) -> bool {
        self.connection.load().is_some()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.lost.notify_one();
    }
}

/// Connects anew whenever the connection was lost, until nobody counts any more.
async fn keep_connected(shared: Weak<Shared>, lost: Arc<Notify>) {
    loop {
        lost.notified().await;
        loop {
            sleep(PAUSE).await;
            let Some(shared) = shared.upgrade() else { return };
            if shared.connect().await.is_ok() {
                break;
            }
        }
    }
}

async fn ask(
    connection: &MultiplexedConnection,
    rate: &Rate,
    key: &str,
    patience: Duration,
) -> Result<Standing, CountError> {
    let invocation = invocation(&COUNT, rate, key);
    let mut connection = connection.clone();
    let asked = timeout(patience, invocation.invoke_async::<(bool, u64)>(&mut connection)).await;
    let (refused, taken) = asked.map_err(|_| CountError::Slow(patience))??;
    Ok(rate.standing(!refused, Duration::from_nanos(taken)))
}

fn invocation<'a>(script: &'a Script, rate: &Rate, key: &str) -> ScriptInvocation<'a> {
    let mut invocation = script.key(key);
    invocation.arg(nanos(rate.interval())).arg(nanos(rate.tolerance()));
    invocation
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use embedded::valkey::Valkey;
    use governor::{
        RateLimiter,
        clock::{Clock, FakeRelativeClock},
        middleware::StateInformationMiddleware,
    };
    use proptest::{
        collection::vec,
        prelude::{Just, Strategy, prop_oneof},
        prop_assert_eq,
        test_runner::{Config, TestRunner},
    };
    use redis::{AsyncCommands, aio::ConnectionLike};

    use super::*;
    use crate::api::limits::{Place, tests::wait_until};

    /// The same algorithm by a clock of the test. A key expires by the server's clock, so here none may.
    static BY_OUR_CLOCK: LazyLock<Script> = LazyLock::new(|| {
        let called = "
            local told = count(KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[1]), tonumber(ARGV[2]))
            redis.call('PERSIST', KEYS[1])
            return told";
        Script::new(&format!("{ALGORITHM}{called}"))
    });

    async fn connected(server: &Valkey) -> MultiplexedConnection {
        let client = Client::open(server.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    async fn count_at(db: &mut impl ConnectionLike, rate: &Rate, key: &str, now_us: u64) -> Standing {
        let mut invocation = invocation(&BY_OUR_CLOCK, rate, key);
        invocation.arg(now_us);
        let (refused, taken) = invocation.invoke_async::<(bool, u64)>(db).await.unwrap();
        rate.standing(!refused, Duration::from_nanos(taken))
    }

    fn rate(per_minute: u32) -> Rate {
        Rate::per_minute("test", NonZeroU32::new(per_minute).unwrap())
    }

    /// Quotas with the times between requests, in microseconds, from none to more than the whole window.
    fn visits() -> impl Strategy<Value = (u32, u64, Vec<u64>)> {
        let quotas = prop_oneof![1..8_u32, Just(60), Just(1_200), Just(999_983), Just(u32::MAX)];
        quotas.prop_flat_map(|quota| {
            let interval_us = 60_000_000 / u64::from(quota);
            let gap = prop_oneof![
                4 => Just(0),
                4 => 0..=2 * interval_us,
                1 => 0..=90_000_000_u64,
            ];
            (Just(quota), 1_700_000_000_000_000..1_900_000_000_000_000_u64, vec(gap, 1..60))
        })
    }

    #[test]
    fn the_server_and_the_process_count_alike() {
        let server = Valkey::start().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let db = runtime.block_on(connected(&server));
        let mut runner =
            TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
        let counted_alike = runner.run(&visits(), |(quota, begin_us, gaps)| {
            let (rate, clock) = (rate(quota), FakeRelativeClock::default());
            let here = RateLimiter::dashmap_with_clock(rate.quota, clock.clone());
            let here = here.with_middleware::<StateInformationMiddleware>();
            runtime.block_on(db.clone().del::<_, ()>("bucket")).unwrap();
            let mut now_us = begin_us;
            for gap_us in gaps {
                now_us += gap_us;
                clock.advance(Duration::from_micros(gap_us));
                let expected = match here.check_key(&()) {
                    Ok(state) => Standing::Passes { remaining: state.remaining_burst_capacity() },
                    Err(refused) => Standing::Waits(refused.wait_time_from(clock.now())),
                };
                let found = runtime.block_on(count_at(&mut db.clone(), &rate, "bucket", now_us));
                prop_assert_eq!(found, expected);
            }
            Ok(())
        });
        counted_alike.unwrap();
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_does_not_hold_anybody_up_for_as_long() {
        let server = Valkey::start().unwrap();
        let (mut db, rate) = (connected(&server).await, rate(2));
        let hour_us = 3_600_000_000;
        let mut at = async |now_us: u64| count_at(&mut db, &rate, "bucket", now_us).await;
        let second_us = 1_000_000;
        assert_eq!(at(hour_us).await, Standing::Passes { remaining: 1 });
        assert_eq!(at(hour_us).await, Standing::Passes { remaining: 0 });
        assert_eq!(at(second_us).await, Standing::Waits(Duration::from_secs(30)));
        assert_eq!(at(11 * second_us).await, Standing::Waits(Duration::from_secs(20)));
        assert_eq!(at(31 * second_us).await, Standing::Passes { remaining: 0 });
    }

    #[tokio::test]
    async fn what_is_no_bucket_counts_as_an_empty_one() {
        let server = Valkey::start().unwrap();
        let (mut db, rate) = (connected(&server).await, rate(3));
        for rubbish in ["", "1", "-5 17", "1e300 1e300", "7 x", "nan nan"] {
            db.set::<_, _, ()>("bucket", rubbish).await.unwrap();
            let found = count_at(&mut db, &rate, "bucket", 1).await;
            assert_eq!(found, Standing::Passes { remaining: 2 }, "{rubbish:?}");
        }
        db.del::<_, ()>("bucket").await.unwrap();
        db.lpush::<_, _, ()>("bucket", "a list").await.unwrap();
        assert_eq!(count_at(&mut db, &rate, "bucket", 1).await, Standing::Passes { remaining: 2 });
        // A full bucket is a full bucket, however large the number.
        db.set::<_, _, ()>("bucket", "99999999999999999999 1").await.unwrap();
        assert_eq!(count_at(&mut db, &rate, "bucket", 1).await, Standing::Waits(Duration::from_secs(20)));
    }

    #[tokio::test]
    async fn a_key_lives_no_longer_than_it_says_anything() {
        let server = Valkey::start().unwrap();
        let Ok(Place::Server(at)) = server.url().parse() else { panic!("{} is a server", server.url()) };
        let shared = Shared::open(*at, CONNECTING_PATIENCE).await.unwrap();
        let mut db = connected(&server).await;
        for requests in 1..4_i64 {
            shared.count(&rate(60), "somebody").await.unwrap();
            let left_ms: i64 = db.pttl("tributary:limit:test:somebody").await.unwrap();
            let is_bound = 0 < left_ms && left_ms <= 1_000 * requests;
            assert!(is_bound, "{left_ms} ms after {requests} requests");
        }
    }

    #[tokio::test]
    async fn an_outage_and_its_end_are_each_said_once() {
        let log = Log::default();
        // Other tests may be heard as well: this server's address tells them apart.
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_env_filter("serve::api::limits=info");
        tracing::subscriber::set_global_default(subscriber.with_writer(log.clone()).finish()).unwrap();
        let mut server = Valkey::start().unwrap();
        let Ok(Place::Server(at)) = server.url().parse() else { panic!("{} is a server", server.url()) };
        let shared = Shared::open(*at, CONNECTING_PATIENCE).await.unwrap();
        server.kill().unwrap();
        for _ in 0..20 {
            assert_eq!(shared.count(&rate(60), "somebody").await, None);
        }
        // Long enough for an attempt to connect that fails.
        sleep(PAUSE + PAUSE / 2).await;
        server.restart().unwrap();
        wait_until(|| shared.is_connected()).await;
        let address = format!("127.0.0.1:{}", server.port());
        let said = log.0.lock().unwrap().clone();
        let lines = std::str::from_utf8(&said).unwrap().lines().filter(|line| line.contains(&address));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(lines[0].contains("requests are counted on"), "{lines:#?}");
        assert!(lines[1].contains("does not count requests"), "{lines:#?}");
        assert!(lines[2].contains("requests are counted on"), "{lines:#?}");
    }

    /// What was said, for a test to read.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Log {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }
}
