//! What most had to do with; of items that nobody had, what their features let expect.

use std::sync::Arc;

use models::graph::towers::{Tower, Towers};

use crate::matching::{
    Because, Candidate, Exported, Fitted, MatchingError, Reason, Scorer, Seen, ridge::Ridge,
};

pub(super) const POPULARITY: Candidate = Candidate {
    name: "popularity",
    doc: "What most had to do with; newcomers by what is expected of their features.",
    fit,
};

/// What squared slopes cost.
const PENALTY: f64 = 10.0;

#[derive(Debug)]
struct Popularity {
    seen: Arc<Seen>,
    scores: Vec<f64>,
    expected: Option<Ridge>,
}

fn fit(seen: &Arc<Seen>, _seed: u64) -> Result<Fitted, MatchingError> {
    let counts = seen.interactions.popularity();
    let mut scores: Vec<f64> = counts.iter().map(|count| libm::log1p(*count as f64)).collect();
    let known: Vec<(usize, f64)> =
        (0..counts.len()).filter(|item| 0 < counts[*item]).map(|item| (item, 1.0)).collect();
    let mut expected = None;
    if let Some(profiles) = &seen.items {
        let ridge = Ridge::fit(profiles, &known, |item| vec![scores[item]], 1, PENALTY)?;
        for item in (0..counts.len()).filter(|item| counts[*item] == 0) {
            scores[item] = ridge.predict(profiles.row(item))[0];
        }
        expected = Some(ridge);
    }
    Ok(Box::new(Popularity { seen: Arc::clone(seen), scores, expected }))
}

impl Scorer for Popularity {
    fn scores(&self, _user: usize) -> Vec<f64> {
        self.scores.clone()
    }

    fn reasons(&self, _user: usize, item: usize) -> Vec<Reason> {
        let known = self.seen.interactions.of_item(item).len();
        let (Some(ridge), Some(profiles), 0) = (&self.expected, &self.seen.items, known) else {
            return vec![Reason { because: Because::Popularity, contribution: self.scores[item] }];
        };
        let (rest, features) = ridge.contributions(profiles.row(item));
        let named = features.into_iter().map(|(feature, contribution)| Reason {
            because: Because::Feature(profiles.names()[feature as usize].clone()),
            contribution,
        });
        named.chain([Reason { because: Because::Rest, contribution: rest }]).collect()
    }

    fn exported(&self) -> Option<Exported<'_>> {
        let users = vec![1.0; self.seen.interactions.users()];
        let newcomers = Tower { bias: vec![1.0], ..Tower::default() };
        Some(Exported::Towers(Towers { rank: 1, users, newcomers, items: self.scores.clone() }))
    }
}
