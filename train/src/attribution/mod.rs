//! Attribution that is learned: from journeys that converted and journeys that did not, what each touch adds to the hazard
//! of a conversion; the credit for a conversion is each touch's share of the hazard at that moment, and what is left is
//! organic.
//!
//! The hazard is a sum (Zhang, Wei and Ren 2014, "Multi-Touch Attribution in Online Advertising with Survival Theory"):
//! what happens without any touch, and for each touch its channel's effect, times what is usual in the campaign, for a
//! later touch, for a repeated touch, and for its device or whatever else is told of it. All are positive, and those that
//! are seldom seen are drawn towards what is usual, as strongly as predicts held-out journeys best.
//!
//! Time is read in one of two ways ([`Timing`], [`LEARNERS`]), which whoever learns declares.

mod examples;
mod fit;
mod hazard;
mod layout;
mod learned;
mod likelihood;
mod pace;
mod settings;

#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;

pub use examples::{ExampleError, Examples, Factor, Journey, Organic, Touch, UNKNOWN};
pub use fit::{Fitted, Trial, fit};
pub use layout::Timing;
pub use learned::{Learned, Shares, Trust};
pub use settings::{Fallback, FitError, Settings, Strengths};

/// A way to learn attribution.
#[derive(Clone, Copy, Debug)]
pub struct Learner {
    /// Its name in reports.
    pub name: &'static str,
    /// One sentence for the report.
    pub doc: &'static str,
    /// How it reads time.
    pub timing: Timing,
}

/// The ways to learn that [`Settings::timing`] names. To add one: a variant of [`Timing`] with its hazard, and its line here.
pub static LEARNERS: &[Learner] = &[
    Learner {
        name: "decaying",
        doc: "Each touch raises the hazard at once, and what it adds fades at its channel's pace; organic conversions come at a steady rate.",
        timing: Timing::Decaying,
    },
    Learner {
        name: "deciding",
        doc: "The touches of a journey persuade together, the customer decides after the last of them at a pace that all share, and some would have bought without any.",
        timing: Timing::Deciding,
    },
];
