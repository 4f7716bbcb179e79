//! One definition of a feature, two computations of it, which agree: event by event for serving, and over all that
//! happened for training.

pub mod aggregate;
pub mod definition;
pub mod defs;
pub mod entity;
pub mod evidence;
pub mod fact;
pub mod field;
pub mod hash;
pub mod import;
pub mod lake;
pub mod mail;
mod named;
pub mod offline;
pub mod online;
pub mod reading;
pub mod set;
pub mod sources;
pub mod value;
pub mod window;
