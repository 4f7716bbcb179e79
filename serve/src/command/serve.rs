//! `tributary serve`: the API, and with `--all` everything else beside it in one process.

use std::{future::IntoFuture, net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, routing::get, serve::ListenerExt};
use clap::Args;
use domain::{Chance, Clock, fraud::Networks};
use sqlx::PgPool;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::sleep};
use tracking::{
    Tracker,
    background::{self, Background},
    config::Config,
    customer::Customers,
    hidden::Hidden,
    intake::{Intake, seal::Sealer},
    late_clicks, postback_routes,
    server::Server,
};
use url::Url;

use super::{
    database::Database,
    ending::{ended, ending},
    mail::Mail,
};
use crate::{
    api::{
        self,
        limits::{Limits, Place, room::Room},
    },
    app::App,
    health,
    host::{self, Host},
    jobs::{self, Choices, Workbench},
    matching::Matching,
    meters,
    pages::{self, Delivery, Pages},
    postbacks::courier::Courier,
    scoring::{
        self, Scorer,
        external::{External, settings::Settings},
    },
    state,
};

/// How long open requests may take to end once the process is asked to.
const DRAINING_PATIENCE: Duration = Duration::from_secs(10);
/// How often the limits forget who has been quiet.
const FORGETTING: Duration = Duration::from_secs(60);

/// So many requests may be in work for each connection, unless told otherwise: most of a request's time is not the database's.
const REQUESTS_A_CONNECTION: u32 = 16;
/// How many connections count what is asked of a provider outside.
const COUNTING: u32 = 2;

/// How the API is served.
#[derive(Debug, Args)]
pub struct Serve {
    /// Serve clicks and postbacks too, ship clicks and do the background jobs: everything in one process.
    #[arg(long, env = "TRIBUTARY_ALL")]
    all: bool,

    /// Address to listen on.
    #[arg(long, env = "TRIBUTARY_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// Where visitors reach the tracker, for the URLs of links; http:// and the address listened on when not given.
    #[arg(long, env = "TRIBUTARY_TRACKER_URL", value_name = "URL", value_parser = domain::campaign::page)]
    tracker_url: Option<Url>,

    /// Where browsers reach the pages: their cookies need https:// unless that is this machine. When not given, http:// and
    /// the address listened on if that is a loopback one, and otherwise https:// by a proxy in front.
    #[arg(long, env = "TRIBUTARY_PAGES_URL", value_name = "URL")]
    pages_url: Option<Url>,

    /// How many requests a minute one API key may make.
    #[arg(long, env = "TRIBUTARY_REQUESTS_PER_MINUTE", default_value = "1200", value_name = "NUMBER")]
    requests_per_minute: NonZeroU32,

    /// How many requests a minute without a valid key one address may make.
    #[arg(long, env = "TRIBUTARY_FAILURES_PER_MINUTE", default_value = "60", value_name = "NUMBER")]
    failures_per_minute: NonZeroU32,

    /// How many requests to the API may be in work at once: one more is answered at once with 503 and Retry-After. Half as
    /// many of those that may take long as there are connections. 16 for each connection when not given.
    #[arg(long, env = "TRIBUTARY_MAX_CONCURRENT", value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_concurrent: Option<u32>,

    /// Where these are counted: `local`, in each process on its own, or for all processes together on a server that
    /// speaks Redis' protocol (Valkey, Redis 6.2 or newer), such as `redis://:password@counter:6379` (or `rediss://`).
    #[arg(
        long,
        env = "TRIBUTARY_LIMITS",
        hide_env_values = true,
        default_value = "local",
        value_name = "PLACE",
        value_parser = Hidden::<Place>::new()
    )]
    limits: Place,

    /// Registry of the models that decide: a folder, or s3://BUCKET/FOLDER; no model decides when not given.
    #[arg(long, env = "TRIBUTARY_REGISTRY", value_name = "REGISTRY")]
    registry: Option<PathBuf>,

    /// Table of networks and their classes (`network,class`), for decisions about fraud: which addresses are shared by many,
    /// and which are of servers and tunnels. Without it rules that have to know stay silent.
    #[arg(long, env = "TRIBUTARY_NETWORKS", value_name = "FILE")]
    networks: Option<PathBuf>,

    /// Settings of external scores, as JSON: a provider outside that is asked about conversions that are neither clearly
    /// honest nor clearly fraud (docs/external-scores.md). Nobody outside is asked when not given.
    #[arg(long, env = "TRIBUTARY_EXTERNAL_SCORES", value_name = "FILE")]
    external_scores: Option<PathBuf>,

    /// How often chance fills a place of a list of recommendations, from 0 to 1: what it shows there is logged with its
    /// chance, so that other lists can be judged by it.
    #[arg(long, env = "TRIBUTARY_EXPLORING", default_value_t = 0.05, value_name = "RATE", value_parser = rate)]
    exploring: f64,

    /// How many connections to the database may be open for requests.
    #[arg(long, env = "TRIBUTARY_CONNECTIONS", default_value_t = 16, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,

    /// How many more for pages.
    #[arg(long, env = "TRIBUTARY_PAGE_CONNECTIONS", default_value_t = 8, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    page_connections: u32,

    /// How many more for shipping and background jobs, with --all.
    #[arg(long, env = "TRIBUTARY_WORKER_CONNECTIONS", default_value_t = 8, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(4..=100))]
    worker_connections: u32,

    /// Write sign-in links that are asked for in the browser to the log, where no mail leaves: for trying out, as whoever reads
    /// the log can sign in as anybody.
    #[arg(long, env = "TRIBUTARY_LINKS_TO_LOG", conflicts_with = "smtp_url")]
    links_to_log: bool,

    #[command(flatten)]
    mail: Mail,

    #[command(flatten)]
    choices: Choices,

    #[command(flatten)]
    database: Database,

    #[command(flatten)]
    tracking: Config,
}

impl Serve {
    /// Serves until the process is asked to end, then ends what it has begun.
    pub async fn run(self) -> anyhow::Result<()> {
        let ending = ending()?;
        let cannot_listen = format!("cannot listen on {}", self.listen);
        if self.all {
            let server = Server::bind(self.listen, self.tracking.workers()).await.context(cannot_listen)?;
            return self.run_all(server.answering_here(api::is_brief), ending).await;
        }
        let listener = TcpListener::bind(self.listen).await.context(cannot_listen)?;
        let address = listener.local_addr()?;
        let customers = tracking::customers(&self.tracking)?;
        let app = self.app(address, Clock::system(), Chance::system(), customers).await?;
        tokio::spawn(forget_the_quiet(app.clone()));
        follow(&app, &app.db);
        let (api, _) = api::router(app.clone());
        let api = api.merge(self.pages(&app, address)?);
        let clock = app.clock.clone();
        let numbers = move || async move { meters::answer(meters::of_decisions(clock.now())) };
        let routes = api.merge(health::routes(app.db.clone())).route("/metrics", get(numbers));
        tracing::info!(%address, "serving the API on {address}");
        let served = serve(listener, routes, ending).await;
        app.matching.journal.flush(&app.db).await;
        served
    }

    async fn app(
        &self,
        address: SocketAddr,
        clock: Clock,
        chance: Chance,
        customers: Arc<Customers>,
    ) -> anyhow::Result<App> {
        let tracker_url = match &self.tracker_url {
            Some(url) => url.clone(),
            None => format!("http://{address}/").parse().context("the address cannot be written as a URL")?,
        };
        let (requests, failures) = (self.requests_per_minute, self.failures_per_minute);
        let models = self.registry.as_deref().map_or(Ok(Host::nowhere()), Host::open)?;
        let models = Arc::new(models);
        let limits = Limits::new(requests, failures, &self.tracking.secret).with_room(self.room());
        let limits = limits.counted_at(&self.limits).await?;
        let networks = self.networks()?;
        let scorer = Scorer::new(Arc::clone(&models), networks, Arc::clone(&customers), chance.clone());
        let scorer = match self.external()? {
            Some(external) => scorer.asking(external),
            None => scorer,
        };
        Ok(App {
            db: self.database.pool_for_requests(self.connections)?,
            log_db: self.database.pool_for_log()?,
            clock,
            chance,
            limits: Arc::new(limits),
            keys: Arc::default(),
            trusted_proxies: self.tracking.trusted_proxies.clone().into(),
            sealer: Sealer::new(&self.tracking.secret),
            customers,
            tracker_url: Arc::new(tracker_url),
            models,
            scorer: Arc::new(scorer),
            learned: Arc::default(),
            matching: Arc::new(Matching::new(self.exploring)),
            courier: Courier::new(&self.tracking.secret, self.choices.reach()),
            uploads: self.choices.uploads().map(Arc::from),
        })
    }

    /// The pages, which are told what happens from now on.
    fn pages(&self, app: &App, address: SocketAddr) -> anyhow::Result<Router> {
        let scheme = if address.ip().is_loopback() { "http" } else { "https" };
        let here =
            || format!("{scheme}://{address}/").parse().context("the address cannot be written as a URL");
        let url = self.pages_url.clone().map_or_else(here, Ok)?;
        let delivery = match self.mail.post((&app.clock, &app.chance))? {
            Some(post) => Some(Delivery::Mail(post)),
            None => self.links_to_log.then_some(Delivery::Log),
        };
        let app = App { db: self.database.pool_for_pages(self.page_connections)?, ..app.clone() };
        let pages = Pages::new(app, url).bringing_links(delivery);
        tokio::spawn(pages::follow(pages.clone()));
        Ok(pages::router(pages))
    }

    /// What may take long leaves half of the connections to others.
    fn room(&self) -> Room {
        let all = self.max_concurrent.unwrap_or(REQUESTS_A_CONNECTION * self.connections);
        let many = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Room::new(many(all), many(self.connections.div_ceil(2)))
    }

    fn networks(&self) -> anyhow::Result<Networks> {
        let Some(file) = &self.networks else { return Ok(Networks::default()) };
        let place = file.display();
        let table = std::fs::read_to_string(file).with_context(|| format!("{place} cannot be read"))?;
        Networks::read(&table).with_context(|| format!("{place} is no table of networks"))
    }

    /// Whom outside decisions about fraud may ask.
    fn external(&self) -> anyhow::Result<Option<External>> {
        let Some(file) = &self.external_scores else { return Ok(None) };
        let settings = Settings::read(file, |name| std::env::var(name).ok());
        let settings = settings.with_context(|| format!("{} is not fit", file.display()))?;
        let connections = self.database.pool_for_background(COUNTING)?;
        let external = External::new(settings, connections);
        Ok(Some(external.context("no certificates are found that providers could be known by")?))
    }

    async fn run_all(self, server: Server, ending: watch::Receiver<bool>) -> anyhow::Result<()> {
        let address = server.local_addr()?;
        let (clock, chance) = (Clock::system(), Chance::system());
        let background = self.database.pool_for_background(self.worker_connections)?;
        let tracker =
            Tracker::open(&self.tracking, background.clone(), clock.clone(), chance.clone()).await?;
        let customers = tracker.customers(&self.tracking.secret);
        let app = self.app(address, clock, chance, customers).await?;
        tokio::spawn(forget_the_quiet(app.clone()));
        follow(&app, &background);
        let intake = |pool| Intake {
            pool,
            clock: app.clock.clone(),
            chance: app.chance.clone(),
            sealer: app.sealer.clone(),
            judge: Some(app.scorer.clone()),
        };
        let (taking, waiting) = (intake(app.db.clone()), intake(background));
        let mut tasks = JoinSet::new();
        tasks.spawn(take_in_as_clicks_arrive(tracker.clone(), waiting.clone(), ending.clone()));
        tasks.spawn({
            let ending = ending.clone();
            let bench = Workbench {
                intake: waiting,
                secret: self.tracking.secret.clone(),
                scorer: Some(app.scorer.clone()),
                courier: app.courier.clone(),
                open: Arc::default(),
                choices: self.choices.clone(),
            };
            async move { jobs::work(&bench, &ending).await }
        });
        let beside = Background::new().context("the background cannot start")?;
        beside.spawn(&mut tasks, {
            let tracker = tracker.clone();
            async move { tracker.run_background().await }
        });
        tracing::info!(%address, "serving the API, clicks and postbacks on {address}");
        let routes = all_routes(&app, &tracker, taking).merge(self.pages(&app, address)?);
        let asked = ending.clone();
        let serving = async { Ok(server.serve(tracker.clone(), routes, ended(ending)).await?) };
        let served = background::serve_beside(&mut tasks, || *asked.borrow(), serving).await;
        tracker.shutdown().await;
        app.matching.journal.flush(&app.db).await;
        // Nobody tells the jobs to end when serving failed: they are cut off, which is safe as after a crash.
        served?;
        background::end(tasks).await
    }
}

/// Keeps up with what others change: models, settings, and what happened.
fn follow(app: &App, db: &PgPool) {
    tokio::spawn(host::follow(app.models.clone()));
    tokio::spawn(scoring::follow(app.scorer.clone(), db.clone()));
    tokio::spawn(state::follow(app.scorer.clone(), db.clone()));
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| "it must be a rate from 0 to 1, such as 0.05".to_owned())
}

fn all_routes(app: &App, tracker: &Tracker, intake: Intake) -> Router {
    let (api, _) = api::router(app.clone());
    let (of_tracker, clock) = (tracker.clone(), app.clock.clone());
    let numbers = move || async move { meters::answer(of_tracker.metrics() + &meters::page(clock.now())) };
    let routes = api.merge(postback_routes(intake, app.customers.clone())).merge(tracker.click_routes());
    routes.merge(tracker.health_routes()).route("/metrics", get(numbers))
}

async fn serve(listener: TcpListener, routes: Router, ending: watch::Receiver<bool>) -> anyhow::Result<()> {
    let listener = listener.tap_io(|stream| {
        // An answer is one small packet: it must not wait for another.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(ended(ending.clone()));
    let drained = async {
        ended(ending).await;
        sleep(DRAINING_PATIENCE).await;
    };
    tokio::select! {
        served = server.into_future() => Ok(served?),
        () = drained => Ok(()),
    }
}

/// Takes in what waited for a click as soon as the click is stored, without waiting for the worker's next look.
async fn take_in_as_clicks_arrive(tracker: Tracker, intake: Intake, ending: watch::Receiver<bool>) {
    tokio::select! {
        () = late_clicks::follow(&intake, tracker.shipped()) => {}
        () = ended(ending) => {}
    }
}

async fn forget_the_quiet(app: App) {
    let mut interval = tokio::time::interval(FORGETTING);
    loop {
        interval.tick().await;
        app.limits.forget_the_quiet();
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        serve: super::Serve,
    }

    fn parse(limits: &str) -> Result<String, String> {
        let flags = ["serve", "--database-url", "postgres://db.example/tributary", "--secret"];
        let flags = flags.into_iter().chain(["0123456789abcdef0123456789abcdef", "--limits", limits]);
        let parsed = Command::try_parse_from(flags);
        parsed.map(|command| format!("{:?}", command.serve.limits)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_password_of_the_limits_is_never_shown() {
        assert_eq!(parse("local").unwrap(), "Local");
        assert_eq!(parse("redis://:hunter2@counter.example").unwrap(), "Server(counter.example:6379)");
        let refused = parse("redis://me:hunter2@counter.example/first").unwrap_err();
        assert!(refused.contains("--limits <PLACE>") && !refused.contains("hunter2"), "{refused}");
    }
}
