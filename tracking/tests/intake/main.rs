//! The intake of postbacks, through its real router, on a real Postgres.

mod cancellation;
mod forgeries;
mod histories;
mod model;
mod refusals;
mod reports;
mod store;
mod world;
