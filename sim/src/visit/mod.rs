//! What visitors do: who they are, what they see and follow, what persuades them, and what they buy.

pub(crate) mod actor;
pub(crate) mod address;
pub(crate) mod case;
pub(crate) mod course;
pub(crate) mod credit;
pub(crate) mod customer;
pub(crate) mod handset;
pub(crate) mod journey;
pub(crate) mod loss;
pub(crate) mod order;
pub(crate) mod path;
pub(crate) mod person;
pub(crate) mod sale;
pub(crate) mod script;
pub(crate) mod told;
