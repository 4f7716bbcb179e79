//! The moment of the click and of the postback: redirect, write-ahead log, stream, intake.

pub mod background;
pub mod config;
pub mod customer;
pub mod database;
pub mod directory;
pub mod event;
pub mod hidden;
pub mod hiding;
pub mod intake;
pub mod late_clicks;
mod meters;
pub mod observe;
mod patience;
pub mod problem;
pub mod redirect;
mod routes;
pub mod secret;
pub mod server;
pub mod store;
pub mod stream;
mod tracker;
pub mod wal;

pub use routes::postback_routes;
pub use stream::Shipped;
pub use tracker::{OpenError, Tracker, customers};

/// The schema that this release works with; the demo and the tests bring databases up to it.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");
