//! The SQL of the API: one file per table or view; each function takes a connection, the caller owns the transaction.

pub mod advertisers;
pub mod affiliates;
pub mod api_keys;
pub mod audit;
pub mod campaigns;
pub mod columns;
pub mod commissions;
pub mod conversions;
pub mod dashboard;
pub mod fraud;
pub mod hierarchy;
pub mod idempotency_keys;
pub mod imports;
pub mod jobs;
pub mod lake;
pub mod ledger;
pub mod links;
pub mod outbox;
pub mod program;
pub mod rate_contracts;
pub mod rate_decisions;
pub mod recommendations;
pub mod sessions;
pub mod users;
