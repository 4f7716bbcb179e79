//! What every request of the API is served with: the database, time, chance, and how the installation is set up.

use std::{path::Path, sync::Arc};

use domain::{Chance, Clock};
use ipnet::IpNet;
use sqlx::{PgPool, Postgres, Transaction};
use tracking::{customer::Customers, intake::seal::Sealer};
use url::Url;

use crate::{
    api::{known_keys::KnownKeys, limits::Limits},
    attribution::Learned,
    host::Host,
    matching::Matching,
    postbacks::courier::Courier,
    scoring::Scorer,
};

/// The state of the API; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The one database.
    pub db: PgPool,
    /// The same, for decisions that somebody only asked for: what is written there is seen at once and on the disk a moment later.
    pub log_db: PgPool,
    /// What time it is.
    pub clock: Clock,
    /// Where random bytes come from.
    pub chance: Chance,
    /// How many requests a key may make.
    pub limits: Arc<Limits>,
    /// Keys that were looked up lately.
    pub keys: Arc<KnownKeys>,
    /// Whose word is taken for the address that a request came from.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Seals the secrets that advertisers share with us.
    pub sealer: Sealer,
    /// Hides who customers are that are reported.
    pub customers: Arc<Customers>,
    /// Where visitors reach the tracker: links are shown with this in front.
    pub tracker_url: Arc<Url>,
    /// The models that decide, as far as there are any.
    pub models: Arc<Host>,
    /// What a model has learned about journeys.
    pub learned: Arc<Learned>,
    /// What lists of recommendations are made with.
    pub matching: Arc<Matching>,
    /// Who decides about fraud.
    pub scorer: Arc<Scorer>,
    /// Who tells partners' own systems what happened.
    pub courier: Courier,
    /// Where files wait to be read into the event lake, if there is one.
    pub uploads: Option<Arc<Path>>,
}

impl App {
    /// Begins a transaction; dropping it takes everything back.
    pub async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        tracking::store::begin(&self.db).await
    }
}
