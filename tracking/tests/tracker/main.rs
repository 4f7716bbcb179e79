//! The tracker as the world meets it: over HTTP, with a real database that comes and goes.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod closed;
mod connections;
mod directory;
mod impressions;
mod kill;
mod landing;
mod operations;
mod outage;
mod process;
mod redirect;
mod shipping;
mod stream;
mod world;
