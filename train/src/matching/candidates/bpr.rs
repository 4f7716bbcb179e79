//! Vectors that put what a user had to do with before what not (BPR: Rendle, Freudenthaler, Gantner and Schmidt-Thieme 2009),
//! by stochastic gradients.
//!
//! Users and items are dealt into as many groups by chance in each epoch; a user's item and the one it is compared with are
//! of one group. So groups of users and of items can be paired in rounds in which no two pairs touch the same vector
//! (Gemulla, Nijkamp, Haas and Sismanis 2011), and the result is the same at any number of threads.

use std::sync::Arc;

use models::nearest::product;
use rayon::prelude::*;

use super::Factors;
use crate::{
    anomaly::dice::Dice,
    matching::{Candidate, Interactions, MatchingError, Seen},
};

pub(super) const BPR: Candidate = Candidate {
    name: "bpr",
    doc: "Vectors of users and items that put known items before others (Bayesian personalised ranking).",
    fit: |seen, seed| Ok(Box::new(fit(&Bpr::default(), seen, seed)?)),
};

/// Into how many groups users and items are dealt.
const GROUPS: usize = 8;

/// How vectors are learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bpr {
    /// How long vectors are, beside the items' own number.
    pub factors: usize,
    /// How far a step goes.
    pub learning_rate: f64,
    /// What squared vectors cost.
    pub regularization: f64,
    /// How often each interaction is compared with another item.
    pub epochs: usize,
    /// What it is compared with.
    pub against: Against,
}

/// What known items are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// Any other item, as in the paper.
    AnyItem,
    /// An item of another interaction, so that popular items are compared more often, as in the package `implicit`.
    PopularItems,
}

impl Default for Bpr {
    fn default() -> Self {
        Self {
            factors: 32,
            learning_rate: 0.02,
            regularization: 0.01,
            epochs: 100,
            against: Against::AnyItem,
        }
    }
}

/// The vectors of one group of users or items, and who is in it.
#[derive(Clone, Debug)]
struct Group {
    members: Vec<u32>,
    vectors: Vec<f32>,
}

/// Where each user or item is: its group and its place there.
type Places = Vec<(u32, u32)>;

/// A comparison waiting: a place among users, and one among items.
type Pair = (u32, u32);

/// Learns vectors.
///
/// # Errors
/// When newcomers cannot be placed.
pub fn fit(plan: &Bpr, seen: &Arc<Seen>, seed: u64) -> Result<Factors, MatchingError> {
    let all = &seen.interactions;
    // The last number of an item is its own, and that of every user is one.
    let width = plan.factors + 1;
    let start = |side: u64, rows: usize, last: f32| -> Vec<f32> {
        let mut dice = Dice::new(seed, side);
        let mut number = |at: usize| {
            if at % width == plan.factors { last } else { ((dice.unit() - 0.5) / plan.factors as f64) as f32 }
        };
        (0..rows * width).map(&mut number).collect()
    };
    let (mut users, mut items) = (start(0, all.users(), 1.0), start(1, all.items(), 0.0));
    for epoch in 0..plan.epochs as u64 {
        let mut dice = Dice::new(seed, 2 + epoch);
        let (mut user_groups, user_places) = deal(&users, width, &mut dice);
        let (mut item_groups, item_places) = deal(&items, width, &mut dice);
        let pairs = pairs(all, &user_places, &item_places);
        for round in 0..GROUPS {
            item_groups.rotate_left(usize::from(0 < round));
            let work = user_groups.par_iter_mut().zip(&mut item_groups).enumerate();
            work.for_each(|(group, (users, items))| {
                let pairs = &pairs[group * GROUPS + (group + round) % GROUPS];
                let stream = (epoch * GROUPS as u64 + round as u64) * GROUPS as u64 + group as u64;
                let dice = Dice::new(seed ^ (1 << 63), stream);
                learn(plan, all, (users, items), pairs, dice);
            });
        }
        gather(&user_groups, width, &mut users);
        gather(&item_groups, width, &mut items);
    }
    let own = |rows: &[f32]| rows.chunks_exact(width).flat_map(|row| &row[..plan.factors]).copied().collect();
    let bias = items.chunks_exact(width).map(|row| row[plan.factors]).collect();
    Factors::new(seen, plan.factors, own(&users), own(&items), bias)
}

/// Deals rows into groups by chance.
fn deal(rows: &[f32], width: usize, dice: &mut Dice) -> (Vec<Group>, Places) {
    let mut order: Vec<u32> = (0..(rows.len() / width) as u32).collect();
    dice.shuffle(&mut order);
    let mut places = vec![(0, 0); order.len()];
    let mut groups = vec![Group { members: Vec::new(), vectors: Vec::new() }; GROUPS];
    for (at, row) in order.iter().enumerate() {
        let group = &mut groups[at % GROUPS];
        places[*row as usize] = ((at % GROUPS) as u32, group.members.len() as u32);
        group.members.push(*row);
        group.vectors.extend(&rows[*row as usize * width..(*row as usize + 1) * width]);
    }
    (groups, places)
}

/// The interactions of each pair of groups.
fn pairs(all: &Interactions, users: &Places, items: &Places) -> Vec<Vec<Pair>> {
    let mut pairs = vec![Vec::new(); GROUPS * GROUPS];
    for row in all.rows() {
        let (user, item) = (users[row.user as usize], items[row.item as usize]);
        pairs[user.0 as usize * GROUPS + item.0 as usize].push((user.1, item.1));
    }
    pairs
}

fn gather(groups: &[Group], width: usize, rows: &mut [f32]) {
    for group in groups {
        for (member, vector) in group.members.iter().zip(group.vectors.chunks_exact(width)) {
            rows[*member as usize * width..(*member as usize + 1) * width].copy_from_slice(vector);
        }
    }
}

/// Compares as many interactions of two groups with other items as there are.
fn learn(plan: &Bpr, all: &Interactions, groups: (&mut Group, &mut Group), pairs: &[Pair], mut dice: Dice) {
    let (users, items) = groups;
    let width = plan.factors + 1;
    let (rate, keep) = (plan.learning_rate as f32, 1.0 - (plan.learning_rate * plan.regularization) as f32);
    for _ in 0..pairs.len() {
        let (user, liked) = pairs[dice.index(pairs.len())];
        let other = match plan.against {
            Against::AnyItem => dice.index(items.members.len()) as u32,
            Against::PopularItems => pairs[dice.index(pairs.len())].1,
        };
        let member = users.members[user as usize] as usize;
        if all.contains(member, items.members[other as usize] as usize) {
            continue;
        }
        let (liked, other) = (liked as usize * width, other as usize * width);
        let user = &mut users.vectors[user as usize * width..(user as usize + 1) * width];
        let ahead = product(user, &items.vectors[liked..liked + width])
            - product(user, &items.vectors[other..other + width]);
        let pull = rate / (1.0 + libm::expf(ahead));
        for (at, mine) in user.iter_mut().enumerate() {
            let (before, one, two) = (*mine, items.vectors[liked + at], items.vectors[other + at]);
            if at < plan.factors {
                *mine = keep * before + pull * (one - two);
            }
            items.vectors[liked + at] = keep * one + pull * before;
            items.vectors[other + at] = keep * two - pull * before;
        }
    }
}
