//! Several candidates in one: their scores, each on a scale of its own user, added with weights that a part of the
//! interactions taught which the candidates did not see.

use std::{ops::Range, sync::Arc};

use rayon::prelude::*;

use super::{
    Because, Candidate, Interactions, MatchingError, Parts, Reason, Scorer, Seen, Split,
    candidates::named,
    metrics::of_list,
    top::{Best, Eligible, of_scores},
};

/// The weights that are tried for each candidate beside the first one's 1.
const WEIGHTS: [f64; 8] = [0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0];
/// How often each weight is tried.
const ROUNDS: usize = 2;
/// How many items each candidate brings into the trial.
const BROUGHT: usize = 60;
/// How many times as long as asked for are the lists that weights are learned on.
const LONGER: usize = 3;
/// The part of the interactions, or of the items, that weights are learned on.
const INNER: f64 = 0.25;
/// Newcomers have weights of their own where they are at least this part of the items.
const NEWCOMERS: f64 = 0.05;

/// What is blended.
#[derive(Clone, Debug, PartialEq)]
pub struct BlendPlan {
    /// The names of the candidates; the first counts 1 and all others as much as helps.
    pub candidates: Vec<&'static str>,
    /// How many items a list has; weights are learned on lists of three times as many, which vary less by chance.
    pub k: usize,
}

/// A fitted blend.
#[derive(Debug)]
pub struct Blend {
    members: Vec<Member>,
    /// Which items nobody had to do with yet.
    new: Vec<bool>,
}

#[derive(Debug)]
struct Member {
    name: &'static str,
    scorer: Box<dyn Scorer>,
    weight: f64,
    /// For items that nobody had to do with yet.
    new_weight: f64,
}

impl BlendPlan {
    /// What suits the interactions: content only where there are features of items.
    #[must_use]
    pub fn for_data(seen: &Seen, k: usize) -> Self {
        let mut candidates = vec!["ease", "als", "knn", "popularity"];
        if seen.items.is_some() {
            candidates.push("cosine");
        }
        Self { candidates, k }
    }
}

impl Blend {
    /// Fits the candidates on three quarters of the interactions, learns weights on the rest, and fits them on all. Where
    /// there are newcomers among the items, their weights are learned in the same way on items that were taken away whole.
    ///
    /// # Errors
    /// When a candidate cannot be fitted.
    pub fn fit(plan: &BlendPlan, seen: &Arc<Seen>, seed: u64) -> Result<Self, MatchingError> {
        let candidates: Vec<&Candidate> = plan.candidates.iter().filter_map(|name| named(name)).collect();
        let count = candidates.len();
        let mut first = vec![0.0; count];
        first[..count.min(1)].fill(1.0);
        let parts = Split::Random { test: INNER }.part(&seen.interactions, seed)?;
        let trials = trials(&candidates, seen, &parts, seed, |user| unknown(&parts.train, user))?;
        let weights = ascend(&trials, first, 1..count, plan.k.saturating_mul(LONGER));
        let mut new_weights = weights.clone();
        let popularity = seen.interactions.popularity();
        let newcomers = popularity.iter().filter(|count| **count == 0).count();
        if seen.items.is_some() && NEWCOMERS * popularity.len() as f64 <= newcomers as f64 {
            let parts = Split::NewItems { test: INNER }.part(&seen.interactions, seed)?;
            let mut taken = Eligible::none(popularity.len());
            parts.test.rows().iter().for_each(|row| taken.insert(row.item as usize));
            let trials = self::trials(&candidates, seen, &parts, seed, |_| taken.clone())?;
            new_weights = ascend(&trials, vec![1.0; count], 0..count, plan.k.saturating_mul(LONGER));
            let scale = weights.iter().sum::<f64>() / new_weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            new_weights.iter_mut().for_each(|weight| *weight *= scale);
        }
        let member = |(candidate, (weight, new_weight)): (&&Candidate, (f64, f64))| {
            Ok(Member { name: candidate.name, scorer: (candidate.fit)(seen, seed)?, weight, new_weight })
        };
        let members = candidates.iter().zip(weights.into_iter().zip(new_weights));
        let members = members.map(member).collect::<Result<_, MatchingError>>()?;
        let new = popularity.iter().map(|count| *count == 0).collect();
        Ok(Self { members, new })
    }

    /// The candidates, and their weights for known items and for newcomers.
    pub fn weights(&self) -> impl Iterator<Item = (&'static str, f64, f64)> {
        self.members.iter().map(|member| (member.name, member.weight, member.new_weight))
    }
}

/// The mean and the standard deviation of scores.
fn scale(scores: &[f64]) -> (f64, f64) {
    let count = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let spread = (scores.iter().map(|score| (score - mean) * (score - mean)).sum::<f64>() / count).sqrt();
    (mean, if 0.0 < spread { spread } else { 1.0 })
}

/// A user's trial: for each item that any candidate brought, what each candidate says, and the items that were held back.
struct Trial {
    items: Vec<u32>,
    says: Vec<f64>,
    relevant: Vec<u32>,
}

/// Every user's trial on parts of the interactions.
fn trials(
    candidates: &[&Candidate],
    seen: &Seen,
    parts: &Parts,
    seed: u64,
    eligible: impl Fn(usize) -> Eligible + Sync,
) -> Result<Vec<Trial>, MatchingError> {
    let learned = seen.with(parts.train.clone())?;
    let fit = |candidate: &&Candidate| (candidate.fit)(&learned, seed);
    let scorers = candidates.iter().map(fit).collect::<Result<Vec<_>, _>>()?;
    let trial = |user: usize| {
        let relevant: Vec<u32> = parts.test.of_user(user).iter().map(|row| row.item).collect();
        (!relevant.is_empty()).then(|| trial(&scorers, &eligible(user), user, relevant))
    };
    Ok((0..seen.interactions.users()).into_par_iter().filter_map(trial).collect())
}

fn trial(scorers: &[Box<dyn Scorer>], eligible: &Eligible, user: usize, relevant: Vec<u32>) -> Trial {
    let scaled: Vec<Vec<f64>> = scorers.iter().map(|scorer| scaled(scorer.scores(user))).collect();
    let mut items: Vec<u32> = scaled
        .iter()
        .flat_map(|scores| of_scores(scores, eligible, BROUGHT))
        .map(|scored| scored.item)
        .collect();
    items.sort_unstable();
    items.dedup();
    let says = items.iter().flat_map(|item| scaled.iter().map(|scores| scores[*item as usize])).collect();
    Trial { items, says, relevant }
}

/// Weights that put what was held back as high as possible, by going through some of the candidates in turn.
fn ascend(trials: &[Trial], mut weights: Vec<f64>, free: Range<usize>, k: usize) -> Vec<f64> {
    let mut best = judged(trials, &weights, k);
    for at in (0..ROUNDS).flat_map(|_| free.clone()) {
        let mut chosen = weights[at];
        for weight in WEIGHTS {
            weights[at] = weight;
            let gain = judged(trials, &weights, k);
            if best < gain {
                (best, chosen) = (gain, weight);
            }
        }
        weights[at] = chosen;
    }
    weights
}

fn scaled(mut scores: Vec<f64>) -> Vec<f64> {
    let (mean, spread) = scale(&scores);
    scores.iter_mut().for_each(|score| *score = (*score - mean) / spread);
    scores
}

/// All items but the user's own.
fn unknown(known: &Interactions, user: usize) -> Eligible {
    let mut eligible = Eligible::all(known.items());
    known.of_user(user).iter().for_each(|row| eligible.remove(row.item as usize));
    eligible
}

/// The mean ndcg of the lists that weights make.
fn judged(trials: &[Trial], weights: &[f64], k: usize) -> f64 {
    let one = |trial: &Trial| {
        let mut best = Best::new(k, trial.items.len());
        for (item, says) in trial.items.iter().zip(trial.says.chunks_exact(weights.len())) {
            best.offer(*item, says.iter().zip(weights).map(|(said, weight)| said * weight).sum());
        }
        let list: Vec<u32> = best.into_list().iter().map(|scored| scored.item).collect();
        of_list(&list, &trial.relevant, k).map_or(0.0, |[_, ndcg, _]| ndcg)
    };
    let each: Vec<f64> = trials.par_iter().map(one).collect();
    each.iter().sum::<f64>() / trials.len().max(1) as f64
}

impl Scorer for Blend {
    fn scores(&self, user: usize) -> Vec<f64> {
        let mut total = vec![0.0; self.new.len()];
        for member in self.members.iter().filter(|member| 0.0 < member.weight.max(member.new_weight)) {
            let scores = scaled(member.scorer.scores(user));
            for ((total, score), new) in total.iter_mut().zip(scores).zip(&self.new) {
                *total += score * if *new { member.new_weight } else { member.weight };
            }
        }
        total
    }

    fn reasons(&self, user: usize, item: usize) -> Vec<Reason> {
        let (mut reasons, mut rest): (Vec<Reason>, f64) = (Vec::new(), 0.0);
        for member in &self.members {
            let weight = if self.new[item] { member.new_weight } else { member.weight };
            if weight <= 0.0 {
                continue;
            }
            let (mean, spread) = scale(&member.scorer.scores(user));
            rest -= weight * mean / spread;
            let scaled =
                |reason: Reason| Reason { contribution: weight / spread * reason.contribution, ..reason };
            reasons.extend(member.scorer.reasons(user, item).into_iter().map(scaled));
        }
        reasons.push(Reason { because: Because::Rest, contribution: rest });
        merged(reasons)
    }
}

/// One reason for each cause, the strongest first.
fn merged(mut reasons: Vec<Reason>) -> Vec<Reason> {
    reasons.sort_by(|a, b| a.because.cmp(&b.because));
    let mut merged: Vec<Reason> = reasons
        .chunk_by(|a, b| a.because == b.because)
        .map(|same| Reason {
            because: same[0].because.clone(),
            contribution: same.iter().map(|reason| reason.contribution).sum(),
        })
        .collect();
    merged.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    merged
}
