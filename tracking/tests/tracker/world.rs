//! A small program of affiliates and campaigns, a tracker in front of it, and a browser.

use std::{fmt::Write, future::Future, net::SocketAddr, num::NonZeroUsize, path::Path, time::Duration};

use domain::{Chance, Clock};
use embedded::{TestDatabase, test_database};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::Instant};
use tracking::{Tracker, config::Config, server::Server};
use uuid::Uuid;

/// A browser as people use it.
pub const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0";
/// Longer than anything here takes, and shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(30);

pub const ADVERTISER: Uuid = uuid::uuid!("01946000-0000-7000-8000-000000000001");
pub const AFFILIATE: Uuid = uuid::uuid!("01946000-0000-7000-8000-000000000002");
pub const CAMPAIGN: Uuid = uuid::uuid!("01946000-0000-7000-8000-000000000004");

/// One tracker with everything it needs, served on a free port.
pub struct World {
    pub database: TestDatabase,
    pub folder: TempDir,
    pub served: Served,
}

/// A tracker that answers.
pub struct Served {
    pub tracker: Tracker,
    pub address: SocketAddr,
    pub clock: Clock,
    server: JoinHandle<()>,
    background: JoinHandle<()>,
}

impl World {
    /// The usual tracker.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A tracker for which something was chosen.
    pub async fn with(choose: impl FnOnce(&mut Config)) -> Self {
        let database = test_database(&tracking::MIGRATOR).await;
        seed(database.pool()).await;
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        choose(&mut config);
        let served = Served::start(&config, database.pool().clone(), 1).await;
        Self { database, folder, served }
    }

    /// A request as a browser makes it.
    pub fn get(&self, path: &str) -> RequestBuilder {
        browser().get(format!("http://{}{path}", self.served.address))
    }

    /// The answer to such a request.
    pub async fn answer(&self, path: &str) -> Response {
        self.get(path).send().await.unwrap()
    }

    /// Waits until as many clicks are stored.
    pub async fn stored(&self, clicks: i64) {
        eventually("the clicks are stored", async || {
            count_clicks(self.database.pool()).await == Some(clicks)
        })
        .await;
    }
}

impl Served {
    /// Opens a tracker and serves it; one that goes on where another ended needs another seed for its ids.
    pub async fn start(config: &Config, pool: PgPool, seed: u64) -> Self {
        let clock = Clock::standing_at(chrono::DateTime::from_timestamp(1_736_900_000, 0).unwrap());
        let tracker = Tracker::open(config, pool, clock.clone(), Chance::seeded(seed)).await.unwrap();
        let background = tokio::spawn({
            let tracker = tracker.clone();
            async move { tracker.run_background().await }
        });
        let server = Server::bind(([127, 0, 0, 1], 0).into(), NonZeroUsize::MIN).await.unwrap();
        let address = server.local_addr().unwrap();
        let serving = server.serve(tracker.clone(), tracker.router(), std::future::pending());
        let server = tokio::spawn(async move { serving.await.unwrap() });
        Self { tracker, address, clock, server, background }
    }

    /// Ends the background as a defect in it would.
    pub fn lose_background(&self) {
        self.background.abort();
    }

    /// Stops serving, and ends the tracker as a shutdown does.
    pub async fn stop(self) {
        self.server.abort();
        self.tracker.shutdown().await;
        self.background.await.unwrap();
    }
}

/// The usual choices.
pub fn config(folder: &Path) -> Config {
    Config::new(folder.join("data"), "0123456789abcdef0123456789abcdef".parse().unwrap())
}

/// A browser that shows where it is sent instead of going there.
pub fn browser() -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().user_agent(FIREFOX).build().unwrap()
}

/// Polls until something is true.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut is_true: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true().await {
        assert!(Instant::now() < deadline, "it did not happen in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How many clicks are stored; nothing while the database is away.
pub async fn count_clicks(pool: &PgPool) -> Option<i64> {
    sqlx::query_scalar("SELECT count(*) FROM clicks").fetch_one(pool).await.ok()
}

/// The sum of the links' counters.
pub async fn counted_clicks(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT sum(clicks)::bigint FROM links").fetch_one(pool).await.unwrap()
}

/// The status and the headers that a test may rely on, one a line.
pub fn shown(response: &Response) -> String {
    let mut shown = response.status().to_string();
    let mut names: Vec<_> = response.headers().keys().filter(|name| *name != "date").collect();
    names.sort_by_key(|name| name.as_str());
    for name in names {
        for value in response.headers().get_all(name) {
            write!(shown, "\n{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    shown
}

/// Fills a database with one advertiser, two affiliates, three campaigns and a link into each.
pub async fn seed(pool: &PgPool) {
    sqlx::raw_sql(
        "INSERT INTO advertisers (id, name, click_param, created_at)
         VALUES ('01946000-0000-7000-8000-000000000001', 'Shop', 'shop_click', 'epoch');
         INSERT INTO affiliates (id, name, email, status, created_at, updated_at)
         VALUES ('01946000-0000-7000-8000-000000000002', 'Blog', 'a@blog.example', 'approved', 'epoch', 'epoch'),
                ('01946000-0000-7000-8000-000000000003', 'Mill', 'b@mill.example', 'suspended', 'epoch', 'epoch');
         INSERT INTO campaigns
             (id, advertiser_id, name, status, currency, landing_url, allowed_hosts, fallback_url, events,
              cookie_days, created_at, updated_at)
         SELECT id::uuid, '01946000-0000-7000-8000-000000000001', name, name, 'EUR',
                'https://shop.example/spring?utm_source=page&lang=en#top', '{*.shop.example}', fallback, '[]',
                7, 'epoch', 'epoch'
         FROM (VALUES
             ('01946000-0000-7000-8000-000000000004', 'active', NULL),
             ('01946000-0000-7000-8000-000000000005', 'paused', NULL),
             ('01946000-0000-7000-8000-000000000006', 'ended', NULL),
             ('01946000-0000-7000-8000-000000000007', 'ended', 'https://shop.example/over')
         ) AS seeded (id, name, fallback);
         INSERT INTO links (id, code, affiliate_id, campaign_id, landing_url, custom_params, created_at)
         SELECT id::uuid, code, affiliate::uuid, campaign::uuid, page, params::jsonb, 'epoch'
         FROM (VALUES
             ('01946000-0000-7000-8000-000000000010', 'spring', '01946000-0000-7000-8000-000000000002',
              '01946000-0000-7000-8000-000000000004', NULL, '{}'),
             ('01946000-0000-7000-8000-000000000011', 'shoes', '01946000-0000-7000-8000-000000000002',
              '01946000-0000-7000-8000-000000000004', 'https://m.shop.example/shoes',
              '{\"utm_medium\": \"affiliate\", \"sub2\": \"review\", \"v\": 2}'),
             ('01946000-0000-7000-8000-000000000012', 'paused', '01946000-0000-7000-8000-000000000002',
              '01946000-0000-7000-8000-000000000005', NULL, '{}'),
             ('01946000-0000-7000-8000-000000000013', 'ended', '01946000-0000-7000-8000-000000000002',
              '01946000-0000-7000-8000-000000000006', NULL, '{}'),
             ('01946000-0000-7000-8000-000000000014', 'over', '01946000-0000-7000-8000-000000000002',
              '01946000-0000-7000-8000-000000000007', NULL, '{}'),
             ('01946000-0000-7000-8000-000000000015', 'mill', '01946000-0000-7000-8000-000000000003',
              '01946000-0000-7000-8000-000000000004', NULL, '{}')
         ) AS seeded (id, code, affiliate, campaign, page, params)",
    )
    .execute(pool)
    .await
    .unwrap();
}
