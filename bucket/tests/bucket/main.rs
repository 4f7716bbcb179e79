//! A bucket on a real store: what is promised there, also when several write at once and when the store is in trouble.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod conditions;
mod objects;
mod relay;
mod trouble;

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use bucket::{Bucket, Tag, Written};
use embedded::objects::S3;

/// The store that all tests use that do not hurt it.
fn server() -> &'static S3 {
    static SERVER: OnceLock<S3> = OnceLock::new();
    SERVER.get_or_init(|| S3::start().unwrap())
}

/// A folder of a test's own.
fn folder(name: &str) -> Bucket {
    on(server(), name)
}

fn on(server: &S3, folder: &str) -> Bucket {
    Bucket::with(&server.address(folder), server.variables()).unwrap()
}

/// A folder on the store, but for one variable.
fn with(variable: &str, value: &str) -> Bucket {
    let mut variables = server().variables();
    variables.iter_mut().find(|(name, _)| *name == variable).unwrap().1 = value.to_owned();
    Bucket::with(&server().address("mistaken"), variables).unwrap()
}

/// The tag of what was written.
fn done(written: Written) -> Tag {
    match written {
        Written::Done(tag) => tag,
        Written::Late => panic!("another was first"),
    }
}

/// What this gives, and how long it took.
fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    (what(), begin.elapsed())
}
