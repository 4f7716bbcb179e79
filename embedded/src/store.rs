//! What is asked of a server about its databases.

use sqlx::{AssertSqlSafe, Executor, PgConnection};

/// Whether there is a database of this name.
pub(crate) async fn exists(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(connection)
        .await
}

/// Makes a database as a copy of `template`, to which nobody may be connected.
pub(crate) async fn create(connection: &mut PgConnection, name: &str, template: &str) -> sqlx::Result<()> {
    let (name, template) = (quoted(name), quoted(template));
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"))).await.map(|_| ())
}

/// Drops a database, and the connections to it, if it exists.
pub(crate) async fn drop(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let name = quoted(name);
    connection
        .execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
        .await
        .map(|_| ())
}

/// Gives a database another name.
pub(crate) async fn rename(connection: &mut PgConnection, name: &str, new: &str) -> sqlx::Result<()> {
    let (name, new) = (quoted(name), quoted(new));
    connection.execute(AssertSqlSafe(format!("ALTER DATABASE {name} RENAME TO {new}"))).await.map(|_| ())
}

/// Databases whose names match `pattern` and carry a time at their third place that is more than `age_s` ago.
pub(crate) async fn older_than(
    connection: &mut PgConnection,
    pattern: &str,
    age_s: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT datname
         FROM pg_database
         WHERE datname ~ $1
           AND split_part(datname, '_', 3)::bigint < extract(epoch FROM now()) - $2",
    )
    .bind(pattern)
    .bind(age_s)
    .fetch_all(connection)
    .await
}

/// Seconds since 1970 by the server's clock.
pub(crate) async fn now(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT extract(epoch FROM now())::bigint").fetch_one(connection).await
}

/// Waits until nobody else on this server holds the lock and takes it until the connection ends.
pub(crate) async fn lock(connection: &mut PgConnection, number: i64) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_advisory_lock($1)").bind(number).execute(connection).await.map(|_| ())
}

/// Gives the lock back.
pub(crate) async fn unlock(connection: &mut PgConnection, number: i64) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(number).execute(connection).await.map(|_| ())
}

/// A name as SQL wants it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_another_statement() {
        assert_eq!(quoted("shop"), "\"shop\"");
        assert_eq!(quoted("a\"; DROP DATABASE b; --"), "\"a\"\"; DROP DATABASE b; --\"");
    }
}
