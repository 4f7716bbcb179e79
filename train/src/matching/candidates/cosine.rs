//! Items with the features that the user has, or that the user's items have.

use std::{collections::BTreeMap, sync::Arc};

use crate::matching::{Because, Candidate, Fitted, MatchingError, Profiles, Reason, Scorer, Seen};

pub(super) const COSINE: Candidate = Candidate {
    name: "cosine",
    doc: "Items whose features, the rarer the more, are those of the user and of the user's items.",
    fit,
};

#[derive(Debug)]
struct Cosine {
    seen: Arc<Seen>,
    /// Of items, each row of length one.
    items: Profiles,
    /// Of each user, the features of items that the user has by the same name; each row of length one, or empty.
    own: Vec<Vec<(u32, f64)>>,
}

fn fit(seen: &Arc<Seen>, _seed: u64) -> Result<Fitted, MatchingError> {
    let Some(profiles) = &seen.items else {
        return Err(MatchingError::Needs { candidate: COSINE.name, needs: "features of items" });
    };
    let items = profiles.scaled();
    let place: BTreeMap<&str, u32> = items.names().iter().map(String::as_str).zip(0..).collect();
    let mut own = vec![Vec::new(); seen.interactions.users()];
    if let Some(users) = seen.users.as_ref().map(Profiles::scaled) {
        for (user, own) in own.iter_mut().enumerate() {
            let shared = users.row(user).iter().filter_map(|(feature, weight)| {
                Some((*place.get(users.names()[*feature as usize].as_str())?, *weight))
            });
            *own = shared.collect();
            scale(own);
        }
    }
    Ok(Box::new(Cosine { seen: Arc::clone(seen), items, own }))
}

/// Makes a vector one long.
fn scale(row: &mut [(u32, f64)]) {
    let length = row.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
    if 0.0 < length {
        row.iter_mut().for_each(|(_, weight)| *weight /= length);
    }
}

impl Cosine {
    /// How much the user likes each feature.
    fn taste(&self, user: usize) -> Vec<f64> {
        let mut liked = vec![0.0; self.items.names().len()];
        for row in self.seen.interactions.of_user(user) {
            for (feature, weight) in self.items.row(row.item as usize) {
                liked[*feature as usize] += weight;
            }
        }
        let length = liked.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
        if 0.0 < length {
            liked.iter_mut().for_each(|weight| *weight /= length);
        }
        self.own[user].iter().for_each(|(feature, weight)| liked[*feature as usize] += weight);
        liked
    }
}

impl Scorer for Cosine {
    fn scores(&self, user: usize) -> Vec<f64> {
        let taste = self.taste(user);
        let of = |item| {
            self.items.row(item).iter().map(|(feature, weight)| weight * taste[*feature as usize]).sum()
        };
        (0..self.items.len()).map(of).collect()
    }

    fn reasons(&self, user: usize, item: usize) -> Vec<Reason> {
        let taste = self.taste(user);
        let of = |(feature, weight): &(u32, f64)| Reason {
            because: Because::Feature(self.items.names()[*feature as usize].clone()),
            contribution: weight * taste[*feature as usize],
        };
        self.items.row(item).iter().map(of).filter(|reason| reason.contribution != 0.0).collect()
    }
}
