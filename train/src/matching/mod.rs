//! The right item for a user and the right user for an item: candidates that rank, their blend, the best under eligibility,
//! budgets and fairness, and reasons.
//!
//! Users and items are numbers; which of affiliates and campaigns are which is the caller's choice, and both ways are worth
//! asking. A caller makes [`Interactions`], [`Profiles`] where more is known, and [`Seen`] of both; fits one of
//! [`CANDIDATES`] or a [`Blend`]; takes lists by [`lists`] or [`Scorer::scores`] with [`top::of_scores`], and reasons by
//! [`Scorer::reasons`]; [`OrPopular`] has something for those of whom nothing is known. The candidate
//! `value` predicts what a pair is worth rather than whether it happens. [`assign`] shares places out under capacities and
//! budgets, [`explore`] shows some by chance and says with which, [`exposure`] keeps places for newcomers, [`off_policy`] says
//! what lists would have brought, and [`alike`] who is like whom. All is the same at any number of threads.

pub mod alike;
pub mod assign;
mod blend;
pub mod candidates;
pub mod explore;
pub mod exposure;
mod interactions;
mod inverse;
pub mod market;
pub mod metrics;
pub mod off_policy;
pub mod profiles;
mod ridge;
mod split;
#[cfg(test)]
mod tests;
mod untold;

use rayon::prelude::*;

pub use blend::{Blend, BlendPlan};
pub use candidates::{Because, CANDIDATES, Candidate, Exported, Fitted, Reason, Scorer, Seen};
pub use interactions::{Interaction, Interactions};
pub use models::best as top;
pub use profiles::Profiles;
pub use split::{Parts, Split};
pub use untold::OrPopular;

use crate::gbdt::GbdtError;

/// Why nothing could be matched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MatchingError {
    /// A number outside of its table.
    #[error("{what} {number} is not among {size}; number them from zero")]
    Unknown {
        /// User or item.
        what: &'static str,
        /// The number.
        number: u32,
        /// How many there are.
        size: usize,
    },
    /// A value that is no number.
    #[error("the value of row {row} is {value}; values are finite numbers")]
    Value {
        /// The row, counted from zero.
        row: usize,
        /// What it is.
        value: f64,
    },
    /// Rows or columns that are not as many as others.
    #[error("there are {found} rows of {what} where there must be {rows}; give one for each")]
    Ragged {
        /// What there are too many or too few of.
        what: String,
        /// How many there are.
        found: usize,
        /// How many there must be.
        rows: usize,
    },
    /// A share of nothing or of all.
    #[error("the share to judge on is {0}, but must be above 0 and below 1")]
    Share(f64),
    /// A part without interactions.
    #[error("no interactions are left to {0}; give more of them, or another share")]
    EmptyPart(&'static str),
    /// A candidate needs what was not given.
    #[error("{candidate} compares {needs}, and there are none; give them, or choose another model")]
    Needs {
        /// The candidate's name.
        candidate: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// A matrix without inverse.
    #[error("the interactions leave a system of equations without a solution; ask for more ridge")]
    Singular,
    /// A number that makes no sense where it stands.
    #[error("{what} {number} is {value}, but must be {allowed}")]
    Setting {
        /// What it is.
        what: &'static str,
        /// Which of them.
        number: usize,
        /// Its value.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// A candidate whose library this program was built without.
    #[error("{0} is not built in; build with the feature `torch`, or choose another model")]
    NotBuiltIn(String),
    /// Libtorch could not do what a network asked of it.
    #[error("libtorch failed: {0}")]
    Torch(String),
    /// Trees could not be grown.
    #[error(transparent)]
    Trees(#[from] GbdtError),
}

/// The best `k` items of each user, best first, but those that the user had to do with.
#[must_use]
pub fn lists(scorer: &dyn Scorer, known: &Interactions, k: usize) -> Vec<metrics::List> {
    let all = top::Eligible::all(known.items());
    lists_among(scorer, known, &all, k)
}

/// The best `k` of some items for each user, best first, but those that the user had to do with.
#[must_use]
pub fn lists_among(
    scorer: &dyn Scorer,
    known: &Interactions,
    eligible: &top::Eligible,
    k: usize,
) -> Vec<metrics::List> {
    let of_user = |user: usize| {
        let mut mine = eligible.clone();
        known.of_user(user).iter().for_each(|row| mine.remove(row.item as usize));
        top::of_scores(&scorer.scores(user), &mine, k).into_iter().map(|scored| scored.item).collect()
    };
    (0..known.users()).into_par_iter().map(of_user).collect()
}
