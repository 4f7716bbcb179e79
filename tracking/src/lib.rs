//! The moment of the click and of the postback: redirect, write-ahead log, shipper, intake.

pub mod problem;
pub mod wal;
