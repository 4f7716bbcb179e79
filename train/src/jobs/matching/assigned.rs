//! Who gets what where neither side has room for all.

use anyhow::{Result, ensure};
use rayon::prelude::*;

use super::{Model, Way, rules::Rules};
use crate::matching::{
    assign::{Assignment, Edge, Market},
    top::of_scores,
};

/// So many pairs of each user come into question.
const PAIRS: usize = 100;

/// What is shared out.
pub(super) struct Shares {
    pub(super) market: Market,
    pub(super) assignment: Assignment,
    /// What each side has room for: of users, and of items.
    pub(super) limits: [Vec<Limit>; 2],
}

/// Of one user or item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// What it has; none where nobody says so.
    pub(super) room: Option<f64>,
    pub(super) used: f64,
    /// What another unit of it would be worth.
    pub(super) price: f64,
}

/// Shares out by what pairs are expected to be worth. A user of whom nobody says otherwise takes as many items as a list has,
/// and an item as many users as there are.
pub(super) fn shares(way: &Way, rules: &Rules, k: usize) -> Result<Shares> {
    let model = way.judged[way.chosen].model;
    ensure!(
        model == Model::Value,
        "--assign needs scores that are worth as much with one user as with another, and {} recommends: say --model \
         value, which takes values that differ and features of both sides",
        model.name()
    );
    let room = way.market.room.as_ref().expect("room is read where --assign is said");
    let known = &way.market.seen.interactions;
    let of_user = |user: usize| {
        let mut open = rules.open_to(user, known.items());
        known.of_user(user).iter().for_each(|row| open.remove(row.item as usize));
        let best = of_scores(&way.scorer.scores(user), &open, PAIRS);
        let edge = |scored: crate::matching::top::Scored| Edge {
            bidder: user as u32,
            campaign: scored.item,
            value: scored.score,
            cost: room.costs[scored.item as usize],
        };
        best.into_iter().filter(|scored| 0.0 < scored.score).map(edge).collect::<Vec<Edge>>()
    };
    let edges: Vec<Edge> =
        (0..known.users()).into_par_iter().map(of_user).collect::<Vec<_>>().into_iter().flatten().collect();
    let all = |item: usize| room.costs[item] * known.users() as f64;
    let budgets = room.budgets.iter().enumerate().map(|(item, budget)| budget.unwrap_or_else(|| all(item)));
    let taken = |capacity: &Option<u32>| capacity.unwrap_or(u32::try_from(k).unwrap_or(u32::MAX));
    let market =
        Market { edges, capacities: room.capacities.iter().map(taken).collect(), budgets: budgets.collect() };
    let assignment = market.assign()?;
    let mut used = [vec![0.0; known.users()], vec![0.0; known.items()]];
    for pair in &assignment.pairs {
        let edge = &market.edges[pair.edge];
        used[0][edge.bidder as usize] += pair.share;
        used[1][edge.campaign as usize] += pair.share * edge.cost;
    }
    let limit =
        |(room, (used, price)): (Option<f64>, (&f64, &f64))| Limit { room, used: *used, price: *price };
    let [of_users, of_items] = &used;
    let users = market.capacities.iter().map(|it| Some(f64::from(*it)));
    let limits = [
        users.zip(of_users.iter().zip(&assignment.bidder_prices)).map(limit).collect(),
        room.budgets
            .iter()
            .copied()
            .zip(of_items.iter().zip(&assignment.campaign_prices))
            .map(limit)
            .collect(),
    ];
    Ok(Shares { market, assignment, limits })
}
