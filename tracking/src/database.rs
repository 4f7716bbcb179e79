//! Connections to the database for those who wait for an answer.

use std::time::Duration;

use sqlx::{
    Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// How long a request waits for a free connection before it is answered with 503.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(5);
/// A connection answered when it was put back; so much later it is asked again before a request gets it.
const FRESH: Duration = Duration::from_secs(1);

/// Connections for answering requests: no statement takes long, and none waits long for another. They are opened when
/// they are needed, because a program starts without its database.
pub fn pool_for_requests(options: PgConnectOptions, connections: u32) -> PgPool {
    let patience = [
        ("statement_timeout", "15s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "30s"),
    ];
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_PATIENCE);
    let pool = pool.test_before_acquire(false).before_acquire(|connection, standing| {
        Box::pin(async move {
            if FRESH < standing.idle_for {
                connection.ping().await?;
            }
            Ok(true)
        })
    });
    pool.connect_lazy_with(options.options(patience))
}
