//! How good lists of recommendations are, against everything that could have been recommended: no sampled negatives,
//! which put systems into a wrong order (Krichene and Rendle 2020, "On Sampled Metrics for Item Recommendation").
//!
//! With relevance 1 for the items of a user's test part and 0 for all others, `hits` the ranks from 1 to k that hold a
//! relevant item, and `n` the number of relevant items, per user:
//!
//! - recall@k = |hits| / n
//! - ndcg@k = Σ over hits of 1 / log₂(rank + 1), divided by the same sum over the ranks 1 to min(k, n) (Järvelin and
//!   Kekäläinen 2002, binary gains; the ideal list holds no more than k items, as in the package `implicit` and in
//!   RecSys' comparisons, e.g. Ferrari Dacrema, Cremonesi and Jannach 2019)
//! - map@k = mean over min(k, n) of the precision at each hit (the same package)
//!
//! Each is the mean over users with n of at least one. Users without an interaction to learn from count as new. Over all
//! lists together: coverage is the part of the items that is in any of them; exposure Gini is zero where all items are
//! shown equally often and near one where one item has every place (Gini 1912); novelty is the mean self-information
//! −log₂ of the part of users who had to do with an item, one added to both (Zhou et al. 2010).

use rayon::prelude::*;

use super::{
    Interaction, Interactions, Scorer,
    top::{Eligible, of_scores},
};

/// One user's ranked list: numbers of items, best first.
pub type List = Vec<u32>;

/// What lists are judged by, of some users.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accuracy {
    /// Of so many users.
    pub users: usize,
    /// The part of the relevant items that are in the list.
    pub recall: f64,
    /// Normalised discounted cumulative gain.
    pub ndcg: f64,
    /// Mean average precision.
    pub map: f64,
}

/// What lists are judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Of all users.
    pub all: Accuracy,
    /// Of users with something to learn from.
    pub warm: Accuracy,
    /// Of users without.
    pub new: Accuracy,
    /// As if the items with something to learn from were all that are relevant.
    pub warm_items: Accuracy,
    /// As if the items without were all that are relevant.
    pub new_items: Accuracy,
    /// The part of the items that is in any list.
    pub coverage: f64,
    /// How unequally places are shared out among items.
    pub gini: f64,
    /// Bits of surprise in a place.
    pub novelty: f64,
}

/// Recall, ndcg and average precision of one list. None where nothing is relevant.
#[must_use]
pub fn of_list(list: &[u32], relevant: &[u32], k: usize) -> Option<[f64; 3]> {
    if relevant.is_empty() {
        return None;
    }
    let most = k.min(relevant.len());
    let (mut hits, mut gain, mut precision) = (0.0, 0.0, 0.0);
    for (at, item) in list.iter().take(k).enumerate() {
        if relevant.contains(item) {
            hits += 1.0;
            gain += discount(at);
            precision += hits / (at + 1) as f64;
        }
    }
    let ideal: f64 = (0..most).map(discount).sum();
    Some([hits / relevant.len() as f64, gain / ideal, precision / most as f64])
}

/// What a hit counts at a place, counted from zero.
pub(super) fn discount(at: usize) -> f64 {
    1.0 / libm::log2(at as f64 + 2.0)
}

/// Judges one list for each user, at `k`.
///
/// # Panics
/// When there is not one list for each user.
#[must_use]
pub fn judge(lists: &[List], train: &Interactions, test: &Interactions, k: usize) -> Metrics {
    assert_eq!(lists.len(), test.users(), "one list for each user");
    let popularity = train.popularity();
    let of_users = |user: &dyn Fn(usize) -> bool, item: &(dyn Fn(u32) -> bool + Sync)| {
        let users: Vec<usize> = (0..lists.len()).filter(|it| user(*it)).collect();
        let one = |user: &usize| {
            let relevant: Vec<u32> =
                test.of_user(*user).iter().map(|row| row.item).filter(|it| item(*it)).collect();
            of_list(&lists[*user], &relevant, k)
        };
        mean(&users.par_iter().map(one).collect::<Vec<_>>())
    };
    let (everyone, everything) = (|_: usize| true, |_: u32| true);
    let is_warm = |user: usize| !train.of_user(user).is_empty();
    let is_known = |item: u32| 0 < popularity[item as usize];
    let mut shown = vec![0_usize; test.items()];
    lists.iter().flat_map(|list| list.iter().take(k)).for_each(|item| shown[*item as usize] += 1);
    Metrics {
        all: of_users(&everyone, &everything),
        warm: of_users(&is_warm, &everything),
        new: of_users(&|user| !is_warm(user), &everything),
        warm_items: of_users(&everyone, &is_known),
        new_items: of_users(&everyone, &|item| !is_known(item)),
        coverage: shown.iter().filter(|count| 0 < **count).count() as f64 / shown.len().max(1) as f64,
        gini: gini(&shown),
        novelty: novelty(&shown, &popularity, train.users()),
    }
}

/// How well scores tell what pairs are worth, among pairs that happened: of each user with two of `test` or more, the half
/// that is scored highest; its value, all users' together, between that of a half drawn by chance, which is 0, and that of
/// the half that is worth most, which is 1. Lists of judged items alone (Sakai 2007, "Alternatives to Bpref"): an item that
/// nobody tried does not count as worthless. None where no user has two pairs of different worth.
#[must_use]
pub fn value_order(scorer: &dyn Scorer, test: &Interactions) -> Option<f64> {
    let of_user = |user: usize| {
        let rows = test.of_user(user);
        let half = rows.len() / 2;
        if half == 0 {
            return [0.0; 2];
        }
        let scores = scorer.scores(user);
        let mut tried = Eligible::none(test.items());
        rows.iter().for_each(|row| tried.insert(row.item as usize));
        let chosen = of_scores(&scores, &tried, half);
        let is_chosen = |row: &&Interaction| chosen.iter().any(|scored| scored.item == row.item);
        let had: f64 = rows.iter().filter(is_chosen).map(|row| row.value).sum();
        let mut values: Vec<f64> = rows.iter().map(|row| row.value).collect();
        values.sort_unstable_by(|one, other| other.total_cmp(one));
        let best: f64 = values[..half].iter().sum();
        let chance = values.iter().sum::<f64>() * half as f64 / rows.len() as f64;
        [had - chance, best - chance]
    };
    let each: Vec<[f64; 2]> = (0..test.users()).into_par_iter().map(of_user).collect();
    let [had, best] = each.iter().fold([0.0; 2], |sum, it| [sum[0] + it[0], sum[1] + it[1]]);
    (1e-12 < best).then(|| had / best)
}

fn mean(users: &[Option<[f64; 3]>]) -> Accuracy {
    let known: Vec<[f64; 3]> = users.iter().flatten().copied().collect();
    let of = |which: usize| known.iter().map(|it| it[which]).sum::<f64>() / known.len().max(1) as f64;
    Accuracy { users: known.len(), recall: of(0), ndcg: of(1), map: of(2) }
}

/// How unequally places are shared out.
fn gini(shown: &[usize]) -> f64 {
    let mut sorted = shown.to_vec();
    sorted.sort_unstable();
    let (count, total) = (sorted.len() as f64, sorted.iter().sum::<usize>() as f64);
    if total <= 0.0 {
        return 0.0;
    }
    let weighted: f64 = sorted.iter().enumerate().map(|(at, it)| (at + 1) as f64 * *it as f64).sum();
    2.0 * weighted / (count * total) - (count + 1.0) / count
}

fn novelty(shown: &[usize], popularity: &[usize], users: usize) -> f64 {
    let total: usize = shown.iter().sum();
    let bits = |(shown, known): (&usize, &usize)| {
        *shown as f64 * libm::log2((users + 1) as f64 / (*known + 1) as f64)
    };
    shown.iter().zip(popularity).map(bits).sum::<f64>() / total.max(1) as f64
}
