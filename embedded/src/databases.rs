//! Databases on any server one may connect to, ours or another.

use std::str::FromStr;

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use crate::store;

/// Makes an empty database called `name` on the server of `url`, in place of an older one of that name, and returns
/// its URL. The database in `url` is used for connecting only.
pub async fn empty_database(url: &str, name: &str) -> sqlx::Result<String> {
    let mut connection = PgConnection::connect(url).await?;
    store::drop(&mut connection, name).await?;
    store::create(&mut connection, name, "template0").await?;
    connection.close().await?;
    url_of(url, name)
}

/// Makes a database called `name` on the server of `url` unless there is one, and returns its URL.
pub async fn database(url: &str, name: &str) -> sqlx::Result<String> {
    let mut connection = PgConnection::connect(url).await?;
    if !store::exists(&mut connection, name).await? {
        store::create(&mut connection, name, "template0").await?;
    }
    connection.close().await?;
    url_of(url, name)
}

/// Drops a database called `name` on the server of `url`, if there is one, with whoever is connected to it.
pub async fn drop_database(url: &str, name: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    store::drop(&mut connection, name).await?;
    connection.close().await
}

fn url_of(server: &str, database: &str) -> sqlx::Result<String> {
    Ok(PgConnectOptions::from_str(server)?.database(database).to_url_lossy().into())
}
