//! How good models are on what was held out, and which of them recommends.

use std::sync::Arc;

use anyhow::Result;
use rayon::prelude::*;

use super::{Fitted, LEVEL, Model, Objective, input::Market};
use crate::{
    anomaly::dice::Dice,
    matching::{
        Parts, Seen,
        candidates::named,
        lists,
        metrics::{List, Metrics, judge, of_list, value_order},
    },
};

/// How often users are drawn again for an interval.
const DRAWN: u64 = 400;
/// The stream of chance that draws users.
const STREAM: u64 = 0x6d61_7463;
/// Below so much of all pairs a market is thin.
const THIN: f64 = 0.05;

/// How good a model is on what was held out.
pub(super) struct Judged {
    pub(super) model: Model,
    pub(super) metrics: Metrics,
    /// Where the normalised discounted cumulative gain lies, by drawing users again.
    pub(super) ndcg: [f64; 2],
    /// By how much it is above that of what is popular, and where that lies.
    pub(super) over_popularity: [f64; 3],
    /// What users had of the items in their lists, over the most that as many items could have brought them; none where
    /// all interactions are worth the same.
    pub(super) value: Option<f64>,
    /// How well known pairs are put in the order of their worth; none where that cannot be told.
    pub(super) value_order: Option<f64>,
    pub(super) weights: Vec<(String, [f64; 2])>,
}

/// What models are judged by.
pub(super) struct Judge<'a> {
    parts: &'a Parts,
    k: usize,
    seed: u64,
    is_valued: bool,
    /// What each user had of the list of what is popular.
    popular: Vec<Option<f64>>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(learned: &Arc<Seen>, parts: &'a Parts, k: usize, seed: u64) -> Result<Self> {
        let popularity = named("popularity").expect("popularity is a candidate");
        let scorer = (popularity.fit)(learned, seed)?;
        let tested = parts.test.rows();
        let is_valued = tested.windows(2).any(|pair| pair[0].value.total_cmp(&pair[1].value).is_ne());
        let popular = gains(&lists(&*scorer, &parts.train, k), parts, k);
        Ok(Self { parts, k, seed, is_valued, popular })
    }

    pub(super) fn judged(&self, model: Model, fitted: Fitted) -> Judged {
        let (parts, k) = (self.parts, self.k);
        let lists = lists(&*fitted.scorer, &parts.train, k);
        let metrics = judge(&lists, &parts.train, &parts.test, k);
        let gains = gains(&lists, parts, k);
        let above = |(own, popular): (&Option<f64>, &Option<f64>)| Some((*own)? - (*popular)?);
        let above: Vec<Option<f64>> = gains.iter().zip(&self.popular).map(above).collect();
        let [low, high] = self.interval(&above);
        Judged {
            model,
            metrics,
            ndcg: self.interval(&gains),
            over_popularity: [mean(&above), low, high],
            value: self.is_valued.then(|| value_share(&lists, parts, k)),
            value_order: if self.is_valued { value_order(&*fitted.scorer, &parts.test) } else { None },
            weights: fitted.weights,
        }
    }

    /// Between which values the mean over users lies (percentile bootstrap, Efron 1979).
    fn interval(&self, of_users: &[Option<f64>]) -> [f64; 2] {
        let known: Vec<f64> = of_users.iter().flatten().copied().collect();
        let mean = |number: u64| {
            let mut dice = Dice::new(self.seed ^ STREAM, number);
            let sum: f64 = known.iter().map(|_| known[dice.index(known.len())]).sum();
            sum / known.len() as f64
        };
        let mut means: Vec<f64> = (0..DRAWN).into_par_iter().map(mean).collect();
        means.sort_unstable_by(f64::total_cmp);
        [0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL].map(|part| means[(part * (DRAWN - 1) as f64).round() as usize])
    }
}

fn mean(of_users: &[Option<f64>]) -> f64 {
    of_users.iter().flatten().sum::<f64>() / of_users.iter().flatten().count().max(1) as f64
}

/// The normalised discounted cumulative gain of each user who has something to be judged by.
fn gains(lists: &[List], parts: &Parts, k: usize) -> Vec<Option<f64>> {
    let gain = |(user, list): (usize, &List)| {
        let relevant: Vec<u32> = parts.test.of_user(user).iter().map(|row| row.item).collect();
        of_list(list, &relevant, k).map(|[_, ndcg, _]| ndcg)
    };
    lists.par_iter().enumerate().map(gain).collect()
}

/// What the first `k` items of each list were worth to its user, over what the `k` best would have been; values below zero
/// count as they are, and a user whose best is worth nothing does not count.
fn value_share(lists: &[List], parts: &Parts, k: usize) -> f64 {
    let (mut had, mut best) = (0.0, 0.0);
    for (user, list) in lists.iter().enumerate() {
        let held = parts.test.of_user(user);
        let mut values: Vec<f64> = held.iter().map(|row| row.value).collect();
        values.sort_unstable_by(|one, other| other.total_cmp(one));
        let most: f64 = values.iter().take(k).filter(|value| 0.0 < **value).sum();
        if 0.0 < most {
            best += most;
            let shown = held.iter().filter(|row| list.iter().take(k).any(|item| *item == row.item));
            had += shown.map(|row| row.value).sum::<f64>();
        }
    }
    if 0.0 < best { had / best } else { 0.0 }
}

/// The best by what lists are for: of several that are as good, the first. Where values cannot tell, the value model is the
/// one that is made for them.
pub(super) fn chosen(judged: &[Judged], objective: Objective) -> usize {
    let by = |measure: &dyn Fn(&Judged) -> f64| {
        let best = |one: &usize, other: &usize| {
            measure(&judged[*one]).total_cmp(&measure(&judged[*other])).then(other.cmp(one))
        };
        (0..judged.len()).max_by(best).unwrap_or_default()
    };
    if objective == Objective::Interactions {
        return by(&|it| it.metrics.all.ndcg);
    }
    if judged.iter().any(|it| it.value_order.is_some()) {
        return by(&|it| it.value_order.unwrap_or(f64::NEG_INFINITY));
    }
    let value = judged.iter().position(|it| it.model == Model::Value);
    value.unwrap_or_else(|| by(&|it| it.metrics.all.ndcg))
}

/// What a reader should know of how models were judged.
pub(super) fn notes(judged: &[Judged], parts: &Parts, market: &Market) -> Vec<String> {
    let known = &market.seen.interactions;
    let density = known.len() as f64 / (known.users() as f64 * known.items() as f64);
    let by_identities = [Model::Knn, Model::Ease, Model::Als, Model::Bpr, Model::Blend];
    let has_features = market.seen.users.is_some() || market.seen.items.is_some();
    let is_by_identity =
        |it: &&Judged| by_identities.contains(&it.model) && !(has_features && it.model == Model::Blend);
    let asked: Vec<&Judged> = judged.iter().filter(is_by_identity).collect();
    let none_is_better = !asked.is_empty() && asked.iter().all(|it| it.over_popularity[1] <= 0.0);
    let mut notes = Vec::new();
    if density < THIN && none_is_better {
        let names: Vec<String> = asked.iter().map(|it| it.model.name()).collect();
        notes.push(format!(
            "{:.2} % of all pairs are known, {:.1} for each {}: by these alone {} do not beat what is popular; features \
             of both sides tell more",
            100.0 * density,
            parts.train.len() as f64 / known.users().max(1) as f64,
            market.called[0],
            names.join(", ")
        ));
    }
    notes
}
