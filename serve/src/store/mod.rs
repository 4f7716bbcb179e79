//! The SQL of the API: one file per table or view; each function takes a connection, the caller owns the transaction.

pub mod advertisers;
pub mod affiliates;
pub mod api_keys;
pub mod appeals;
pub mod attribution;
pub mod campaigns;
pub mod case_events;
pub mod case_labels;
pub mod case_numbers;
pub mod cases;
pub mod columns;
pub mod commissions;
pub mod conversions;
pub mod decisions;
pub mod fraud;
pub mod hierarchy;
pub mod idempotency_keys;
pub mod imports;
pub mod jobs;
pub mod lake;
pub mod ledger;
pub mod links;
pub mod outbox;
pub mod rate_contracts;
pub mod rate_decisions;
pub mod recommendations;
