//! The SQL of the API: one file per table or view; each function takes a connection, the caller owns the transaction.

pub mod affiliates;
pub mod api_keys;
pub mod columns;
pub mod hierarchy;
pub mod idempotency_keys;
pub mod outbox;
