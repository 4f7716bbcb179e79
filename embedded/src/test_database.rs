//! A database of its own for every test, copied from one template that was migrated once.

use std::{
    future::Future,
    ops::Deref,
    process,
    str::FromStr,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use sha2::{Digest, Sha256};
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{secret::hex, server::Postgres, store};

/// Begins the names of the databases made here.
const PREFIX: &str = "tributary_test";
/// Tests run side by side; together their pools must fit into the server's connections.
const POOL_SIZE: u32 = 8;
/// A database left behind by a killed test is dropped once no test could still be using it.
const LEFT_BEHIND_S: i64 = 3600;
/// Held while a template is made, so that test processes that start together make it once.
const TEMPLATE_LOCK: i64 = 0x7472_6962;

/// A migrated database that only one test sees. It is dropped by and by after this value, if the server still runs.
#[derive(Debug)]
pub struct TestDatabase {
    pool: PgPool,
    name: String,
    server: PgConnectOptions,
}

impl TestDatabase {
    /// The pool through which the test talks to its database.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Where another process finds this database.
    pub fn url(&self) -> String {
        self.server.clone().database(&self.name).to_url_lossy().into()
    }
}

impl Deref for TestDatabase {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.pool
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (name, server) = (self.name.clone(), self.server.clone());
        // Another thread, which nobody waits for: the server ends the test's last sessions before it drops their
        // database, and one that is just logging in needs the very thread that would wait here. The test may also
        // have stopped the server. What is left behind is swept up by a later run.
        thread::spawn(move || {
            block_on(async {
                let mut connection = server.connect().await?;
                store::drop(&mut connection, &name).await
            })
        });
    }
}

/// Makes a database for one test with every migration of `migrator` applied.
///
/// The server is the one `DATABASE_URL` names (`cargo xtask test` names one; any database on it will do, its user
/// must be allowed to create databases), else one that this test process starts for itself and that ends with it.
/// The first caller of a set of migrations makes the template, every test copies it, also across processes.
///
/// # Panics
///
/// When there is no such server or a migration fails, saying which: a test has nothing better to do.
pub async fn test_database(migrator: &Migrator) -> TestDatabase {
    let server = server();
    make(migrator, &server)
        .await
        .unwrap_or_else(|error| panic!("cannot make a database for this test: {error}"))
}

async fn make(migrator: &Migrator, server: &PgConnectOptions) -> Result<TestDatabase, sqlx::Error> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let mut connection = server.connect().await?;
    let template = template(&mut connection, migrator, server).await?;
    let now = store::now(&mut connection).await?;
    let name = format!("{PREFIX}_{now}_{}_{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    store::create(&mut connection, &name, &template).await?;
    connection.close().await?;
    let pool =
        PgPoolOptions::new().max_connections(POOL_SIZE).connect_lazy_with(server.clone().database(&name));
    Ok(TestDatabase { pool, name, server: server.clone() })
}

/// The server for the tests of this process. When it is our own it is never dropped, because statics are not: the
/// watchdog stops it and removes its data when this process ends.
fn server() -> PgConnectOptions {
    static OURS: LazyLock<Result<Postgres, String>> =
        LazyLock::new(|| Postgres::start_temporary().map_err(|error| error.to_string()));
    let url = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
    let url = url.unwrap_or_else(|| match &*OURS {
        Ok(server) => server.url("postgres"),
        Err(error) => panic!("{error}"),
    });
    PgConnectOptions::from_str(&url)
        .unwrap_or_else(|error| panic!("DATABASE_URL is not a Postgres URL: {error}"))
}

/// The name of the template for these migrations, made now unless it exists.
async fn template(
    connection: &mut PgConnection,
    migrator: &Migrator,
    server: &PgConnectOptions,
) -> sqlx::Result<String> {
    let name = format!("{PREFIX}_template_{}", fingerprint(migrator));
    if store::exists(connection, &name).await? {
        return Ok(name);
    }
    store::lock(connection, TEMPLATE_LOCK).await?;
    // Somebody may have made it while we waited.
    if !store::exists(connection, &name).await? {
        make_template(connection, &name, migrator, server).await?;
        sweep(connection).await?;
    }
    store::unlock(connection, TEMPLATE_LOCK).await?;
    Ok(name)
}

/// The template gets its name last, so that one whose making was interrupted is never used.
async fn make_template(
    connection: &mut PgConnection,
    name: &str,
    migrator: &Migrator,
    server: &PgConnectOptions,
) -> sqlx::Result<()> {
    let unfinished = format!("{name}_unfinished");
    store::drop(connection, &unfinished).await?;
    store::create(connection, &unfinished, "template0").await?;
    let mut inside = server.clone().database(&unfinished).connect().await?;
    migrator.run(&mut inside).await?;
    inside.close().await?;
    store::rename(connection, &unfinished, name).await
}

/// Drops what killed tests left behind.
async fn sweep(connection: &mut PgConnection) -> sqlx::Result<()> {
    let pattern = format!(r"^{PREFIX}_\d+_\d+_\d+$");
    for name in store::older_than(connection, &pattern, LEFT_BEHIND_S).await? {
        store::drop(connection, &name).await?;
    }
    Ok(())
}

/// Equal for equal sets of migrations, and short enough for a name.
fn fingerprint(migrator: &Migrator) -> String {
    let mut hash = Sha256::new();
    for migration in migrator.iter() {
        hash.update(migration.version.to_be_bytes());
        hash.update(&migration.checksum);
    }
    hex(&hash.finalize()[..8])
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("cannot make a runtime: {error}"))
        .block_on(future)
}
