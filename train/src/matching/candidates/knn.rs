//! Items that are like those that the user had to do with: the same users had to do with them, where users of few items
//! say more than users of many (BM25: Robertson and Walker 1994, as weights of a sparse table).

use std::sync::Arc;

use rayon::prelude::*;

use crate::matching::{
    Because, Candidate, Fitted, Interactions, MatchingError, Reason, Scorer, Seen, top::Best,
};

pub(super) const KNN: Candidate = Candidate {
    name: "knn",
    doc: "Items whose users are those of the items that the user had to do with (nearest neighbours, BM25).",
    fit,
};

/// How fast more of the same stops to count.
const SATURATION: f64 = 1.2;
/// How much less the users of an item say that has many.
const LENGTH: f64 = 0.75;
/// How many neighbours an item keeps.
const NEIGHBOURS: usize = 200;

#[derive(Debug)]
struct Knn {
    seen: Arc<Seen>,
    /// Of each item, those like it and how much, by number.
    neighbours: Vec<Vec<(u32, f64)>>,
}

fn fit(seen: &Arc<Seen>, _seed: u64) -> Result<Fitted, MatchingError> {
    let all = &seen.interactions;
    let popularity = all.popularity();
    let mean = all.len() as f64 / all.items() as f64;
    let rarity: Vec<f64> = (0..all.users())
        .map(|user| libm::log(all.items() as f64) - libm::log1p(all.of_user(user).len() as f64))
        .map(|rarity| rarity.max(0.0))
        .collect();
    let length: Vec<f64> = popularity
        .iter()
        .map(|count| (SATURATION + 1.0) / (SATURATION * (1.0 - LENGTH + LENGTH * *count as f64 / mean) + 1.0))
        .collect();
    let of_item = |item: usize| neighbours(all, &rarity, &length, item);
    let neighbours = (0..all.items()).into_par_iter().map(of_item).collect();
    Ok(Box::new(Knn { seen: Arc::clone(seen), neighbours }))
}

fn neighbours(all: &Interactions, rarity: &[f64], length: &[f64], item: usize) -> Vec<(u32, f64)> {
    let mut alike = vec![0.0; all.items()];
    for row in all.of_item(item) {
        let squared = rarity[row.user as usize] * rarity[row.user as usize];
        all.of_user(row.user as usize).iter().for_each(|other| alike[other.item as usize] += squared);
    }
    let mut best = Best::new(NEIGHBOURS, alike.len());
    for (other, alike) in alike.iter().enumerate() {
        if 0.0 < *alike && other != item {
            best.offer(other as u32, alike * length[item] * length[other]);
        }
    }
    let mut kept: Vec<(u32, f64)> = best.into_list().iter().map(|one| (one.item, one.score)).collect();
    kept.sort_unstable_by_key(|(other, _)| *other);
    kept
}

impl Scorer for Knn {
    fn scores(&self, user: usize) -> Vec<f64> {
        let mut scores = vec![0.0; self.neighbours.len()];
        for row in self.seen.interactions.of_user(user) {
            for (other, alike) in &self.neighbours[row.item as usize] {
                scores[*other as usize] += alike;
            }
        }
        scores
    }

    fn reasons(&self, user: usize, item: usize) -> Vec<Reason> {
        let alike = |own: u32| {
            let near = &self.neighbours[own as usize];
            let at = near.binary_search_by_key(&(item as u32), |(other, _)| *other).ok()?;
            Some(Reason { because: Because::Item(own), contribution: near[at].1 })
        };
        self.seen.interactions.of_user(user).iter().filter_map(|row| alike(row.item)).collect()
    }
}
