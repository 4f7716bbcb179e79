//! The intake of postbacks, through its real router, on a real Postgres.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod cancellation;
mod customers;
mod forgeries;
mod histories;
mod judges;
mod model;
mod refusals;
mod repeats;
mod reports;
mod store;
mod world;
