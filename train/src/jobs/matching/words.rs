//! Why an item suits a user, in words and numbers from the model's own contributions.

use super::{Model, Way};
use crate::matching::{Because, Reason, Scorer};

/// How many reasons are told at most.
const TOLD: usize = 3;

/// What speaks for a pair; never nothing.
pub(super) fn why(way: &Way, user: usize, item: u32, score: f64, reasons: &[Reason]) -> String {
    let named = named(&*way.scorer, (user, item), score, reasons);
    let mut words: Vec<String> = named
        .iter()
        .map(|reason| format!("{} +{:.3}", cause(way, &reason.because), reason.contribution))
        .collect();
    if way.judged[way.chosen].model == Model::Value {
        words.insert(0, worth(way, user, item, score));
    }
    if words.is_empty() {
        let known = &way.market.seen.interactions;
        let [one, _] = way.market.called;
        words.push(format!(
            "{} of {} {one}s had to do with it, and nothing else sets it apart",
            known.of_item(item as usize).len(),
            known.users()
        ));
    }
    words.join("; ")
}

/// What adds most to a score, but nothing without which it would not be lower.
fn named<'a>(
    scorer: &dyn Scorer,
    (user, item): (usize, u32),
    score: f64,
    reasons: &'a [Reason],
) -> Vec<&'a Reason> {
    let mut told: Vec<&Reason> =
        reasons.iter().filter(|it| it.because != Because::Rest && 0.0 < it.contribution).collect();
    told.sort_by(|one, other| {
        other.contribution.total_cmp(&one.contribution).then(one.because.cmp(&other.because))
    });
    let matters = |reason: &&Reason| {
        let without = scorer.without(user, item as usize, &reason.because);
        without.is_none_or(|without| without < score)
    };
    told.into_iter().filter(matters).take(TOLD).collect()
}

pub(super) fn cause(way: &Way, because: &Because) -> String {
    let [one, _] = way.market.called;
    match because {
        Because::Popularity => "many had to do with it".to_owned(),
        Because::Item(item) => format!("had to do with {}", way.market.items[*item as usize]),
        Because::Feature(name) => models::matching::cause(name, way.market.called),
        Because::Untold => format!("nothing is known of the {one}, and many had to do with it"),
        Because::Rest => "the rest".to_owned(),
    }
}

/// What both have in common, and what the pair is expected to be worth beside what the item brings elsewhere.
fn worth(way: &Way, user: usize, item: u32, score: f64) -> String {
    let (seen, [_, other]) = (&way.market.seen, way.market.called);
    let names = |profiles: &Option<crate::matching::Profiles>, row: usize| -> Vec<String> {
        profiles
            .iter()
            .flat_map(|it| it.row(row).iter().map(|at| it.names()[at.0 as usize].clone()))
            .collect()
    };
    let own = names(&seen.users, user);
    let shared: Vec<String> =
        names(&seen.items, item as usize).into_iter().filter(|name| own.contains(name)).collect();
    models::matching::worth((score, &shared), (&way.usual, Some(item)), (other, way.market.unit()))
}
