//! Users who are like an item's best ones and do not have it, and users who are like each other.

use rayon::prelude::*;

use super::{input::Market, rules::Rules};
use crate::matching::{
    Interaction, Reason,
    alike::Alike,
    top::{Eligible, of_scores},
};

/// So many of an item's users, those whose pairs are worth most, are what others are to be like.
const BEST: usize = 5;
/// Above so many users nobody compares each with each.
const MOST_USERS: usize = 20_000;

/// Somebody who is like somebody else.
pub(super) struct Like {
    pub(super) user: u32,
    /// From 0 to 1.
    pub(super) likeness: f64,
    /// What both have, the most telling first.
    pub(super) reasons: Vec<Reason>,
}

/// Of each item, and of each user where there are not too many.
pub(super) struct Lookalikes {
    /// With the item's users that they are like.
    pub(super) of_items: Vec<(Vec<u32>, Vec<Like>)>,
    pub(super) of_users: Option<Vec<Vec<Like>>>,
}

impl Lookalikes {
    pub(super) fn of(market: &Market, rules: &Rules, k: usize) -> Self {
        let alike = Alike::new(&market.seen);
        let known = &market.seen.interactions;
        let users = known.users();
        let like = |group: &[u32], open: &Eligible| -> Vec<Like> {
            let like = of_scores(&alike.to(group), open, k).into_iter().filter(|it| 0.0 < it.score);
            let one = |scored: crate::matching::top::Scored| {
                let mut reasons = alike.reasons(scored.item as usize, group);
                reasons.sort_by(|one, other| {
                    other.contribution.total_cmp(&one.contribution).then(one.because.cmp(&other.because))
                });
                Like { user: scored.item, likeness: scored.score, reasons }
            };
            like.map(one).collect()
        };
        let of_item = |item: usize| {
            let mut rows: Vec<&Interaction> = known.of_item(item).collect();
            rows.sort_by(|one, other| other.value.total_cmp(&one.value).then(one.user.cmp(&other.user)));
            let best: Vec<u32> = rows.iter().take(BEST).map(|row| row.user).collect();
            let mut open = Eligible::none(users);
            (0..users).filter(|user| rules.may(*user, item)).for_each(|user| open.insert(user));
            rows.iter().for_each(|row| open.remove(row.user as usize));
            let likes = if best.is_empty() { Vec::new() } else { like(&best, &open) };
            (best, likes)
        };
        let of_user = |user: usize| {
            let mut others = Eligible::all(users);
            others.remove(user);
            like(&[user as u32], &others)
        };
        Self {
            of_items: (0..known.items()).into_par_iter().map(of_item).collect(),
            of_users: (users <= MOST_USERS).then(|| (0..users).into_par_iter().map(of_user).collect()),
        }
    }
}
