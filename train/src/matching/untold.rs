//! Popularity for users of whom a candidate can say nothing.

use std::sync::Arc;

use models::graph::towers::{Tower, Towers};
use rayon::prelude::*;

use super::{Because, Exported, Fitted, MatchingError, Reason, Scorer, Seen, candidates::named};

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

    fn exported(&self) -> Option<Exported<'_>> {
        match self.scorer.exported()? {
            Exported::Towers(towers) => {
                let popularity = self.popularity.scores(0);
                Some(Exported::Towers(or_popular(&towers, &popularity, &self.untold)))
            }
            Exported::Value(value) => Some(Exported::Value(value)),
        }
    }
}

/// Vectors longer by one, which is how popular an item is, and 1 for users who get that.
fn or_popular(towers: &Towers, popularity: &[f64], untold: &[bool]) -> Towers {
    let Tower { told, weights, bias, bend } = &towers.newcomers;
    let rank = towers.rank;
    let popular = || vec![0.0; rank].into_iter().chain([1.0]);
    let longer = |vector: &[f64]| vector.iter().copied().chain([0.0]).collect::<Vec<f64>>();
    let users = towers.users.chunks_exact(rank).zip(untold);
    let users = users.flat_map(|(vector, untold)| if *untold { popular().collect() } else { longer(vector) });
    let items = towers.items.chunks_exact(rank).zip(popularity);
    let items = items.flat_map(|(vector, popularity)| vector.iter().copied().chain([*popularity]));
    let said = |item: &[f64]| item.iter().zip(bias).map(|(one, other)| one * other).sum::<f64>();
    let scores: Vec<f64> = towers.items.chunks_exact(rank).map(said).collect();
    let is_untold = weights.is_empty() && bend.is_empty() && are_alike(&scores);
    let mut bend: Vec<f64> = bend.chunks_exact(rank).flat_map(longer).collect();
    if !bend.is_empty() {
        bend.extend(vec![0.0; rank + 1]);
    }
    let newcomers = Tower {
        told: told.clone(),
        weights: weights.chunks_exact(rank).flat_map(longer).collect(),
        bias: if is_untold { popular().collect() } else { longer(bias) },
        bend,
    };
    Towers { rank: rank + 1, users: users.collect(), newcomers, items: items.collect() }
}
