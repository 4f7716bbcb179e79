//! The moment of the click and of the postback: redirect, write-ahead log, shipper, intake.

pub mod event;
pub mod problem;
pub mod redirect;
pub mod secret;
pub mod wal;
