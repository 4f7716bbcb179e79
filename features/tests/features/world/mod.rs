//! Small worlds in which everything that is awkward happens often: ties, late and repeated events, clocks that are
//! ahead, backfills of months; and the values of features straight from their definition.

pub mod reference;
pub mod stream;
