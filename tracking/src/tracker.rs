//! One tracker: what it knows, what it does in the background, and how it ends.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use domain::{Chance, Clock};
use maxminddb::Reader as Geography;
use sqlx::PgPool;
use tokio::{
    sync::{broadcast, watch},
    time::timeout,
};
use url::Url;

use crate::{
    config::Config,
    customer::Customers,
    directory::{self, Directory, Snapshot},
    meters::{Meters, Moment},
    redirect::{
        cookie::{Cookies, NameError},
        visitor::Visitors,
    },
    secret::Secret,
    stream::{self, CredentialsError, Progress, Shipped},
    wal::{self, Wal},
};

/// How long a shutdown goes on shipping; what is left stays in the log for the next start.
const SHIPPING_PATIENCE: Duration = Duration::from_secs(5);
/// How long a shutdown waits for shipping that was told to give up.
const GIVING_UP_PATIENCE: Duration = Duration::from_secs(2);

/// Why a tracker cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The click log refused.
    #[error("the click log in {folder} cannot be opened: {error}")]
    Log {
        /// Where it is.
        folder: PathBuf,
        /// Why not.
        error: wal::OpenError,
    },
    /// The folder for everything cannot be used.
    #[error("the data folder {folder} cannot be used: {error}")]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The file that was configured is no database of countries.
    #[error("{file} cannot be read as a database of countries: {error}")]
    Geography {
        /// Which file.
        file: PathBuf,
        /// Why not.
        error: maxminddb::MaxMindDbError,
    },
    /// The credentials for the stream are none.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The cookie has no usable name.
    #[error(transparent)]
    Cookie(#[from] NameError),
}

/// A tracker; clones are the same one.
#[derive(Clone)]
pub struct Tracker(pub(crate) Arc<State>);

/// What the tracker's requests share; they only read it.
pub(crate) struct State {
    pub clock: Clock,
    pub chance: Chance,
    pub directory: ArcSwapOption<Directory>,
    pub visitors: Arc<Visitors>,
    pub cookies: Cookies,
    pub fallback_url: Option<Url>,
    pub wal: Wal,
    pub meters: Meters,
    pub progress: Arc<Progress>,
    pool: PgPool,
    snapshot: Arc<Mutex<Snapshot>>,
    stream: stream::Settings,
    /// The folder of the log.
    log: PathBuf,
    loss_bound_ms: u64,
    /// Taken by whoever runs the background.
    reader: Mutex<Option<wal::Reader>>,
    gives_up: watch::Sender<bool>,
    has_ended: watch::Sender<bool>,
}

/// Says that the background has ended, however it did.
struct Ended<'a>(&'a watch::Sender<bool>);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

impl Tracker {
    /// Opens the log and loads the directory: from the database, or from disk while that is away. A tracker that
    /// has neither answers clicks with 503 until its background has reached the database.
    ///
    /// # Errors
    /// When the data folder, the log or a configured file cannot be used.
    pub async fn open(
        config: &Config,
        pool: PgPool,
        clock: Clock,
        chance: Chance,
    ) -> Result<Self, OpenError> {
        let folder = &config.data_dir;
        std::fs::create_dir_all(folder)
            .map_err(|error| OpenError::Folder { folder: folder.clone(), error })?;
        let log = folder.join("log");
        let (wal, reader) = Wal::open(&log, config.log_settings())
            .map_err(|error| OpenError::Log { folder: log.clone(), error })?;
        let loss_bound_ms = config.loss_bound_ms();
        if 0 < loss_bound_ms {
            tracing::warn!(
                loss_bound_ms,
                "answered clicks are on the disk up to {loss_bound_ms} ms and one sync later: so many a power cut loses"
            );
        }
        let state = State {
            clock,
            chance,
            directory: ArcSwapOption::empty(),
            visitors: Arc::new(visitors(config)?),
            cookies: Cookies::new(&config.cookie_name, &config.secret)?,
            fallback_url: config.fallback_url.clone(),
            wal,
            meters: Meters::default(),
            progress: Arc::new(Progress::default()),
            pool,
            snapshot: Arc::new(Mutex::new(Snapshot::new(folder))),
            stream: config.stream_settings()?,
            log,
            loss_bound_ms,
            reader: Mutex::new(Some(reader)),
            gives_up: watch::Sender::new(false),
            has_ended: watch::Sender::new(false),
        };
        let tracker = Self(Arc::new(state));
        tracker.load_directory().await;
        Ok(tracker)
    }

    async fn load_directory(&self) {
        let State { pool, directory, snapshot, .. } = &*self.0;
        let loading = directory::load(pool, directory, snapshot);
        match timeout(directory::FIRST_LOAD_PATIENCE, loading).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::warn!(%error, "the directory cannot be loaded from the database"),
            Err(_) => tracing::warn!("the database does not answer in time"),
        }
        match snapshot.lock().unwrap_or_else(PoisonError::into_inner).load() {
            Ok(Some(contents)) => {
                directory.store(Some(Arc::new(Directory::new(&contents))));
                tracing::info!("links are served as they were when the directory was last kept on disk");
            }
            Ok(None) => tracing::warn!("there is no directory on disk; clicks wait for the database"),
            Err(error) => tracing::error!(%error, "the directory on disk cannot be read"),
        }
    }

    /// Ships clicks and follows the directory, until [`Tracker::shutdown`]; to be run once, beside the server.
    pub async fn run_background(&self) {
        let reader = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(reader) = reader else { return };
        // Also when the background is cut off or panics, or a shutdown would wait for an end that has been.
        let _ended = Ended(&self.0.has_ended);
        let State { pool, clock, directory, snapshot, progress, stream, .. } = &*self.0;
        let shipping = stream::Shipping::new(pool, clock, reader, progress);
        tokio::select! {
            () = shipping.run(stream, self.0.gives_up.subscribe()) => {}
            () = directory::follow(pool, directory, snapshot) => {}
        }
    }

    /// Whether the background has been there and is no more.
    pub(crate) fn has_ended(&self) -> bool {
        *self.0.has_ended.borrow()
    }

    /// Ends the tracker after the server has stopped: accepts nothing more, makes everything durable, and ships what
    /// the database takes in time. What is left stays in the log.
    pub async fn shutdown(&self) {
        self.0.wal.close().await;
        let is_running = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        if !is_running {
            return;
        }
        let mut has_ended = self.0.has_ended.subscribe();
        if timeout(SHIPPING_PATIENCE, has_ended.wait_for(|ended| *ended)).await.is_err() {
            tracing::warn!(
                "the last clicks are not known to be stored in time; they stay in the log for the next start"
            );
            self.0.gives_up.send_replace(true);
            if timeout(GIVING_UP_PATIENCE, has_ended.wait_for(|ended| *ended)).await.is_err() {
                tracing::error!("shipping does not end; it is left behind, and nothing in the log is lost");
            }
        }
    }

    /// Clicks as they arrive in the database, in batches; whoever lags is told so and should look at everything.
    pub fn shipped(&self) -> broadcast::Receiver<Arc<[Shipped]>> {
        self.0.progress.subscribe()
    }

    /// Knows customers as this tracker knows visitors; the secret is the installation's.
    pub fn customers(&self, secret: &Secret) -> Arc<Customers> {
        Arc::new(Customers::new(self.0.visitors.clone(), secret))
    }

    /// What the click log has counted since the tracker was opened.
    pub fn counts(&self) -> wal::Counts {
        self.0.wal.counts()
    }

    /// The tracker's numbers as Prometheus reads them.
    pub fn metrics(&self) -> String {
        let State { meters, progress, directory, loss_bound_ms, .. } = &*self.0;
        let occupied = wal::occupied(&self.0.log);
        let directory = directory.load();
        let answering = meters.answering();
        let (confirmed, published) = (progress.confirmed.get(), progress.published.get());
        let moment = Moment {
            meters,
            progress,
            answering,
            confirmed,
            published,
            lag_s: progress.lag_s(self.0.clock.now()),
            counts: self.0.wal.counts(),
            sync_times: self.0.wal.sync_times(),
            occupied,
            loss_bound_ms: *loss_bound_ms,
            directory: directory.as_deref(),
        };
        moment.render()
    }
}

/// Knows customers where no tracker is.
///
/// # Errors
/// When the file of countries cannot be read.
pub fn customers(config: &Config) -> Result<Arc<Customers>, OpenError> {
    Ok(Arc::new(Customers::new(Arc::new(visitors(config)?), &config.secret)))
}

fn visitors(config: &Config) -> Result<Visitors, OpenError> {
    let geography = config.geo_file.as_deref().map(geography).transpose()?;
    Ok(Visitors::new(config.trusted_proxies.clone(), geography, &config.secret))
}

fn geography(file: &Path) -> Result<Geography<Vec<u8>>, OpenError> {
    Geography::open_readfile(file).map_err(|error| OpenError::Geography { file: file.to_owned(), error })
}
