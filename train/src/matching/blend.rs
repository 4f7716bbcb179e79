//! Several candidates in one: their scores, each on a scale of its own user, added with weights that a part of the
//! interactions taught which the candidates did not see.

use std::sync::Arc;

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
/// The part of the interactions, or of the items, that weights are learned on.
const INNER: f64 = 0.25;

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
    known: Arc<Seen>,
}

#[derive(Debug)]
struct Member {
    name: &'static str,
    scorer: Box<dyn Scorer>,
    weight: f64,
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
    /// Fits the candidates on three quarters of the interactions, learns weights on the rest, and fits them on all.
    ///
    /// # Errors
    /// When a candidate cannot be fitted.
    pub fn fit(plan: &BlendPlan, seen: &Arc<Seen>, seed: u64) -> Result<Self, MatchingError> {
        let candidates: Vec<&Candidate> = plan.candidates.iter().filter_map(|name| named(name)).collect();
        let parts = Split::Random { test: INNER }.part(&seen.interactions, seed)?;
        let weights = weights(&candidates, plan.k, seen, &parts, seed)?;
        let member = |(candidate, weight): (&&Candidate, f64)| {
            Ok(Member { name: candidate.name, scorer: (candidate.fit)(seen, seed)?, weight })
        };
        let members = candidates.iter().zip(weights).map(member).collect::<Result<_, MatchingError>>()?;
        Ok(Self { members, known: Arc::clone(seen) })
    }

    /// The candidates and their weights.
    pub fn weights(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.members.iter().map(|member| (member.name, member.weight))
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

/// Weights that put what was held back as high as possible, by going through the candidates in turn.
fn weights(
    candidates: &[&Candidate],
    k: usize,
    seen: &Seen,
    parts: &Parts,
    seed: u64,
) -> Result<Vec<f64>, MatchingError> {
    let learned = seen.with(parts.train.clone())?;
    let fit = |candidate: &&Candidate| (candidate.fit)(&learned, seed);
    let scorers = candidates.iter().map(fit).collect::<Result<Vec<_>, _>>()?;
    let trial = |user: usize| trial(&scorers, parts, user);
    let trials: Vec<Trial> = (0..seen.interactions.users()).into_par_iter().filter_map(trial).collect();
    let mut weights = vec![0.0; candidates.len()];
    weights[0] = 1.0;
    let mut best = judged(&trials, &weights, 3 * k);
    for at in (0..ROUNDS).flat_map(|_| 1..candidates.len()) {
        let kept = weights[at];
        let mut chosen = kept;
        for weight in WEIGHTS {
            weights[at] = weight;
            let gain = judged(&trials, &weights, 3 * k);
            if best < gain {
                (best, chosen) = (gain, weight);
            }
        }
        weights[at] = chosen;
    }
    Ok(weights)
}

fn trial(scorers: &[Box<dyn Scorer>], parts: &Parts, user: usize) -> Option<Trial> {
    let relevant: Vec<u32> = parts.test.of_user(user).iter().map(|row| row.item).collect();
    if relevant.is_empty() {
        return None;
    }
    let eligible = unknown(&parts.train, user);
    let scaled: Vec<Vec<f64>> = scorers.iter().map(|scorer| scaled(scorer.scores(user))).collect();
    let mut items: Vec<u32> = scaled
        .iter()
        .flat_map(|scores| of_scores(scores, &eligible, BROUGHT))
        .map(|scored| scored.item)
        .collect();
    items.sort_unstable();
    items.dedup();
    let says = items.iter().flat_map(|item| scaled.iter().map(|scores| scores[*item as usize])).collect();
    Some(Trial { items, says, relevant })
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
        let mut best = Best::new(k);
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
        let mut total = vec![0.0; self.known.interactions.items()];
        for member in self.members.iter().filter(|member| 0.0 < member.weight) {
            let scores = scaled(member.scorer.scores(user));
            total.iter_mut().zip(scores).for_each(|(total, score)| *total += member.weight * score);
        }
        total
    }

    fn reasons(&self, user: usize, item: usize) -> Vec<Reason> {
        let (mut reasons, mut rest): (Vec<Reason>, f64) = (Vec::new(), 0.0);
        for member in self.members.iter().filter(|member| 0.0 < member.weight) {
            let (mean, spread) = scale(&member.scorer.scores(user));
            rest -= member.weight * mean / spread;
            let scaled = |reason: Reason| Reason {
                contribution: member.weight / spread * reason.contribution,
                ..reason
            };
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
