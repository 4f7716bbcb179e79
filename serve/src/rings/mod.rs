//! Rings of an installation's partners: what they were seen with is kept, who hangs together is found, and what follows from it
//! is decided.

mod deciding;
mod declaring;
mod finding;
mod seeing;

pub use self::{
    deciding::decide_again,
    declaring::{Undeclared, declare},
    finding::find,
    seeing::{device_of, see},
};
