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
    let [one, other] = way.market.called;
    match because {
        Because::Popularity => "many had to do with it".to_owned(),
        Because::Item(item) => format!("had to do with {}", way.market.items[*item as usize]),
        Because::Feature(name) => match name.as_str() {
            "item" => format!("the {other} in general"),
            "user" => format!("the {one} in general"),
            "item with such users" => format!("the {other} with such {one}s"),
            "user with such items" => format!("the {one} with such {other}s"),
            name => match (name.strip_prefix("user "), name.strip_prefix("item ")) {
                (Some(name), _) => format!("{one} {name}"),
                (_, Some(name)) => format!("{other} {name}"),
                (None, None) => name.to_owned(),
            },
        },
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
    let all = &seen.interactions;
    let of_item: Vec<(f64, f64)> = all
        .of_item(item as usize)
        .map(|row| {
            let at = all.first_of_user(row.user as usize);
            let place = all.of_user(row.user as usize).partition_point(|it| it.item < row.item);
            (row.value, f64::from(all.counts()[at + place]))
        })
        .collect();
    let of_all = || all.rows().iter().zip(all.counts()).map(|(row, count)| (row.value, f64::from(*count)));
    let mean = |rows: &mut dyn Iterator<Item = (f64, f64)>| {
        let (sum, count) =
            rows.fold((0.0, 0.0), |sum, (value, count)| (sum.0 + value * count, sum.1 + count));
        sum / f64::max(count, 1.0)
    };
    let (usual, whose) = match of_item.len() {
        0 => (mean(&mut of_all()), format!("of all pairs, as the {other} is new")),
        1 => (mean(&mut of_item.iter().copied()), format!("of the {other} in 1 pair")),
        count => (mean(&mut of_item.iter().copied()), format!("of the {other} in {count} pairs")),
    };
    let unit = if way.market.is_lake { "mean value per click" } else { "mean value" };
    let told = if 0.0 < usual {
        format!("{:.1} × the {unit} {whose} ({score:.3} against {usual:.3})", score / usual)
    } else {
        format!("{score:.3} against the {unit} of {usual:.3} {whose}")
    };
    if shared.is_empty() { told } else { format!("fits {}: {told}", shared.join(", ")) }
}
