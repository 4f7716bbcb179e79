//! Popularity for users of whom a candidate can say nothing.

use std::sync::Arc;

use rayon::prelude::*;

use super::{Because, Fitted, MatchingError, Reason, Scorer, Seen, candidates::named};

/// A candidate's scores, but for users without interactions whom it gives the same score for every item: these get what is
/// popular.
#[derive(Debug)]
pub struct OrPopular {
    scorer: Fitted,
    popularity: Fitted,
    /// Who gets what is popular.
    untold: Vec<bool>,
}

impl OrPopular {
    /// Asks the candidate about everybody who has no interactions.
    ///
    /// # Errors
    /// When popularity cannot be fitted.
    pub fn new(scorer: Fitted, seen: &Arc<Seen>, seed: u64) -> Result<Self, MatchingError> {
        let popularity = named("popularity").expect("popularity is a candidate");
        let popularity = (popularity.fit)(seen, seed)?;
        let known = &seen.interactions;
        let is_untold = |user: usize| known.of_user(user).is_empty() && are_alike(&scorer.scores(user));
        let untold = (0..known.users()).into_par_iter().map(is_untold).collect();
        Ok(Self { scorer, popularity, untold })
    }
}

/// Whether scores do not tell items apart.
fn are_alike(scores: &[f64]) -> bool {
    scores.windows(2).all(|pair| (pair[0] + 0.0).total_cmp(&(pair[1] + 0.0)).is_eq())
}

impl Scorer for OrPopular {
    fn scores(&self, user: usize) -> Vec<f64> {
        let scorer = if self.untold[user] { &self.popularity } else { &self.scorer };
        scorer.scores(user)
    }

    fn reasons(&self, user: usize, item: usize) -> Vec<Reason> {
        if !self.untold[user] {
            return self.scorer.reasons(user, item);
        }
        vec![Reason { because: Because::Untold, contribution: self.popularity.scores(user)[item] }]
    }

    fn without(&self, user: usize, item: usize, because: &Because) -> Option<f64> {
        if self.untold[user] { None } else { self.scorer.without(user, item, because) }
    }
}
