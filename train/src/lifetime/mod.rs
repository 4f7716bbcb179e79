//! What a customer will spend: purchases and their amounts as probability models know them (BG/NBD, Gamma-Gamma), and what
//! tables of features add to that.
//!
//! The probability models tell the level: how totals go on as customers age and leave. Candidates learn from earlier moments
//! by how much which customers differ from it. Who is worth more than whom carries over from there to now, totals do not.

mod bg_nbd;
pub mod candidates;
mod features;
mod gamma_gamma;
mod graph;
mod interval;
mod isotonic;
mod learn;
mod linear;
mod metrics;
#[cfg(test)]
mod planted;
mod shift;
mod special;
#[cfg(test)]
mod tests;
mod transactions;
mod windows;

pub use bg_nbd::BgNbd;
pub use features::{Anchor, FEATURES, Feature, Snapshot};
pub use gamma_gamma::GammaGamma;
pub use graph::{Rows, Said};
pub use interval::{Group, Intervals, LEVEL};
pub use isotonic::Calibration;
pub use learn::{Fitted, Learned, Plan, learn};
pub use linear::{Linear, Reads, Scale, Shape, Term};
pub(crate) use metrics::spearman;
pub use metrics::{Decile, Measures, Metrics, judge, resampled};
pub use shift::{Level, Moved};
pub use transactions::{Purchase, Segment, Summary, Transactions};
pub use windows::{Span, Training, Window};

use crate::{anomaly::matrix::MatrixError, gbdt::GbdtError};

/// What is predicted of a customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The customer's number.
    pub customer: usize,
    /// What the customer is expected to spend over the horizon.
    pub mean: f64,
    /// Nine of ten customers spend at least this and at most `upper`.
    pub lower: f64,
    /// Nine of ten customers spend at least `lower` and at most this.
    pub upper: f64,
    /// The chance to be still a customer, by BG/NBD.
    pub p_active: f64,
    /// The group of customers it is judged in.
    pub segment: Segment,
}

/// Why nothing could be learned or predicted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LifetimeError {
    /// There is nothing to learn from.
    #[error("there are no transactions; give at least one")]
    NoTransactions,
    /// Columns of different length.
    #[error("there are {found} {what} for {rows} rows; give one for each row")]
    Ragged {
        /// What there are too many or too few of.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        rows: usize,
    },
    /// An amount that is none.
    #[error("the amount of row {row} is {value}; amounts are numbers from -1e12 to 1e12")]
    Amount {
        /// The row, counted from zero.
        row: usize,
        /// What it is.
        value: f64,
    },
    /// An instant that no calendar has.
    #[error(
        "the instant of row {row} is {value} microseconds, which is millions of years away; check its unit"
    )]
    Instant {
        /// The row, counted from zero.
        row: usize,
        /// What it is.
        value: i64,
    },
    /// Nothing can be said of the time between purchases.
    #[error(
        "none of {0} customers came back and paid before the end of calibration; choose a later end, or give more customers"
    )]
    NoRepeats(usize),
    /// Too little happened before the end of calibration.
    #[error(
        "before day {end} too little happened to learn {horizon_days} days from: it takes 100 customers of whom 20 came back, and 20 who bought in the last quarter of a horizon; choose a later end of calibration or a shorter horizon"
    )]
    NoWindow {
        /// The horizon.
        horizon_days: u32,
        /// The end of calibration.
        end: i32,
    },
    /// Nothing to predict, or more than anybody knows.
    #[error("the horizon is {0} days; give 7 to 3660")]
    Horizon(u32),
    /// A name that no candidate has.
    #[error("there is no candidate called {name}; there are {known}")]
    UnknownCandidate {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A stack of nothing.
    #[error("a stack is made of other candidates; name some beside it")]
    NothingToStack,
    /// A table that is not like the one that was learned from.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// The library that trains networks failed.
    #[error("libtorch failed: {0}")]
    Torch(String),
    /// Trees could not be grown.
    #[error(transparent)]
    Trees(#[from] GbdtError),
}
