//! A market whose truth is known, to judge matching by: affiliates and campaigns, what a click of each pair is worth, and
//! the few pairs that have been tried.
//!
//! The logarithm of a pair's value is made of what can be seen – whether countries and verticals agree, and how a traffic
//! source does with a vertical – and of what cannot: how good each side is, and a taste of five dimensions. The shares are
//! such that who knew all that follows from what can be seen would reach about three quarters of the ideal.

use std::sync::Arc;

use crate::anomaly::{dice::Dice, matrix::Values};

use super::{
    Interaction, Interactions, MatchingError, Profiles, Scorer, Seen,
    top::{Eligible, of_scores},
};

const COUNTRIES: usize = 8;
const VERTICALS: usize = 10;
const SOURCES: usize = 6;
const TASTES: usize = 5;

/// How large a market is, and how much of it is hidden.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How many affiliates there are.
    pub affiliates: usize,
    /// How many campaigns there are.
    pub campaigns: usize,
    /// The part of the affiliates without any pair.
    pub new_affiliates: f64,
    /// The part of the campaigns without any pair.
    pub new_campaigns: f64,
    /// The part of all pairs that has been tried.
    pub density: f64,
    /// The standard deviation of the logarithm of what is particular to either side.
    pub quality: f64,
    /// The standard deviation of the logarithm of taste.
    pub taste: f64,
    /// The standard deviation of the logarithm of what was measured of a pair.
    pub noise: f64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            affiliates: 2_000,
            campaigns: 200,
            new_affiliates: 0.2,
            new_campaigns: 0.12,
            density: 0.02,
            quality: 0.25,
            taste: 0.35,
            noise: 0.5,
        }
    }
}

/// A market.
#[derive(Clone, Debug)]
pub struct Market {
    /// Affiliates as users and campaigns as items, with the pairs that have been tried and what they were worth.
    pub seen: Arc<Seen>,
    campaigns: usize,
    truth: Vec<f64>,
    visible: Vec<f64>,
}

/// What lists come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// Of all users, the value of their lists by that of the best lists.
    pub all: f64,
    /// Of those with pairs that have been tried.
    pub warm: f64,
    /// Of those without.
    pub new: f64,
}

/// One side of a market, of as many members each.
struct Side {
    country: Vec<usize>,
    verticals: Vec<Vec<usize>>,
    source: Vec<usize>,
    size: Vec<f64>,
    quality: Vec<f64>,
    taste: Vec<f64>,
}

impl Side {
    fn draw(count: usize, verticals: usize, dice: &mut Dice) -> Self {
        let mut side = Self {
            country: Vec::new(),
            verticals: Vec::new(),
            source: Vec::new(),
            size: Vec::new(),
            quality: Vec::new(),
            taste: Vec::new(),
        };
        for _ in 0..count {
            side.country.push(dice.index(COUNTRIES));
            let mut own: Vec<usize> = (0..1 + dice.index(verticals)).map(|_| dice.index(VERTICALS)).collect();
            own.sort_unstable();
            own.dedup();
            side.verticals.push(own);
            side.source.push(dice.index(SOURCES));
            side.size.push(dice.normal());
            side.quality.push(dice.normal());
            side.taste.extend((0..TASTES).map(|_| dice.normal() / libm::pow(TASTES as f64, 0.25)));
        }
        side
    }

    fn columns(&self, side: &str) -> Vec<(String, Values)> {
        let words = |prefix: &'static str, word: &dyn Fn(usize) -> String| {
            Values::Categories(
                (0..self.country.len()).map(|at| Some(format!("{prefix}{}", word(at)))).collect(),
            )
        };
        let verticals =
            |at: usize| self.verticals[at].iter().map(usize::to_string).collect::<Vec<_>>().join("|v");
        vec![
            ("country".to_owned(), words("c", &|at| self.country[at].to_string())),
            ("vertical".to_owned(), words("v", &verticals)),
            (format!("{side} source"), words("s", &|at| self.source[at].to_string())),
            (format!("{side} size"), Values::Numbers(self.size.clone())),
        ]
    }
}

impl Market {
    /// Draws a market.
    ///
    /// # Errors
    /// When the plan leaves nothing to learn from.
    pub fn draw(plan: &Plan, seed: u64) -> Result<Self, MatchingError> {
        let mut dice = Dice::new(seed, 0);
        let affiliates = Side::draw(plan.affiliates, 3, &mut dice);
        let campaigns = Side::draw(plan.campaigns, 2, &mut dice);
        let suits: Vec<f64> = (0..SOURCES * VERTICALS).map(|_| 0.4 * dice.normal()).collect();
        let (mut truth, mut visible) = (Vec::new(), Vec::new());
        for mine in 0..plan.affiliates {
            for theirs in 0..plan.campaigns {
                let seen = in_sight(&affiliates, &campaigns, &suits, mine, theirs);
                let liked: f64 = (0..TASTES)
                    .map(|at| affiliates.taste[mine * TASTES + at] * campaigns.taste[theirs * TASTES + at])
                    .sum::<f64>();
                let hidden = plan.quality * (affiliates.quality[mine] + campaigns.quality[theirs])
                    + plan.taste * liked;
                visible.push(libm::exp(seen));
                truth.push(libm::exp(seen + hidden));
            }
        }
        let rows = tried(plan, &truth, &visible, &mut dice);
        let interactions = Interactions::new(plan.affiliates, plan.campaigns, rows)?;
        let users = Profiles::from_columns(&affiliates.columns("affiliate"))?;
        let items = Profiles::from_columns(&campaigns.columns("campaign"))?;
        let seen = Seen::new(interactions, Some(users), Some(items))?;
        Ok(Self { seen, campaigns: plan.campaigns, truth, visible })
    }

    /// The same market seen from the campaigns: they are the users, and affiliates the items.
    ///
    /// # Errors
    /// None that a drawn market could have.
    pub fn turned(&self) -> Result<Self, MatchingError> {
        let all = &self.seen.interactions;
        let across = |values: &[f64]| -> Vec<f64> {
            let of = |item: usize| (0..all.users()).map(move |user| values[user * self.campaigns + item]);
            (0..self.campaigns).flat_map(of).collect()
        };
        Ok(Self {
            seen: self.seen.turned()?,
            campaigns: all.users(),
            truth: across(&self.truth),
            visible: across(&self.visible),
        })
    }

    /// What a click of each pair is worth, users × items.
    #[must_use]
    pub fn truth(&self) -> &[f64] {
        &self.truth
    }

    /// The share of the ideal value that the best `k` untried items of each user come to, as a scorer has them.
    #[must_use]
    pub fn share(&self, scorer: &dyn Scorer, k: usize) -> Share {
        self.share_of(k, |user| scorer.scores(user))
    }

    /// The share that who knew all that follows from what can be seen would reach.
    #[must_use]
    pub fn ceiling(&self, k: usize) -> Share {
        self.share_of(k, |user| self.visible[user * self.campaigns..(user + 1) * self.campaigns].to_vec())
    }

    /// The share that the best by `scores` come to.
    pub fn share_of(&self, k: usize, scores: impl Fn(usize) -> Vec<f64>) -> Share {
        let all = &self.seen.interactions;
        let mut sums = [[0.0; 2]; 2];
        for user in 0..all.users() {
            let truth = &self.truth[user * self.campaigns..(user + 1) * self.campaigns];
            let mut untried = Eligible::all(self.campaigns);
            all.of_user(user).iter().for_each(|row| untried.remove(row.item as usize));
            let value = |scores: &[f64]| -> f64 {
                of_scores(scores, &untried, k).iter().map(|best| truth[best.item as usize]).sum()
            };
            let sum = &mut sums[usize::from(all.of_user(user).is_empty())];
            sum[0] += value(&scores(user));
            sum[1] += value(truth);
        }
        let part = |[got, ideal]: [f64; 2]| if 0.0 < ideal { got / ideal } else { 0.0 };
        Share {
            all: part([sums[0][0] + sums[1][0], sums[0][1] + sums[1][1]]),
            warm: part(sums[0]),
            new: part(sums[1]),
        }
    }
}

/// What can be seen of a pair's value.
fn in_sight(affiliates: &Side, campaigns: &Side, suits: &[f64], mine: usize, theirs: usize) -> f64 {
    let (own, wanted) = (&affiliates.verticals[mine], &campaigns.verticals[theirs]);
    let both = own.iter().filter(|vertical| wanted.contains(vertical)).count() as f64;
    let either = (own.len() + wanted.len()) as f64 - both;
    let country = if affiliates.country[mine] == campaigns.country[theirs] { 0.5 } else { 0.0 };
    let suited: f64 =
        wanted.iter().map(|vertical| suits[affiliates.source[mine] * VERTICALS + vertical]).sum();
    country + 0.9 * both / either + suited / wanted.len() as f64 + 0.15 * campaigns.size[theirs]
        - 0.1 * affiliates.size[mine]
}

/// The pairs that have been tried, better ones rather than worse, and what they were measured to be worth.
fn tried(plan: &Plan, truth: &[f64], visible: &[f64], dice: &mut Dice) -> Vec<Interaction> {
    let mut new = |count: usize, part: f64| -> Vec<bool> {
        let mut new = vec![false; count];
        let chosen = dice.sample(count as u32, libm::round(count as f64 * part) as usize);
        chosen.iter().for_each(|at| new[*at as usize] = true);
        new
    };
    let new_affiliates = new(plan.affiliates, plan.new_affiliates);
    let new_campaigns = new(plan.campaigns, plan.new_campaigns);
    let known = |at: usize| !new_affiliates[at / plan.campaigns] && !new_campaigns[at % plan.campaigns];
    let total: f64 = (0..truth.len()).filter(|at| known(*at)).map(|at| visible[at]).sum();
    let wanted = plan.density * truth.len() as f64;
    let mut rows = Vec::new();
    for at in (0..truth.len()).filter(|at| known(*at)) {
        let noise = libm::exp(plan.noise * dice.normal() - plan.noise * plan.noise / 2.0);
        if dice.unit() < wanted * visible[at] / total {
            let (user, item) = ((at / plan.campaigns) as u32, (at % plan.campaigns) as u32);
            rows.push(Interaction { user, item, value: truth[at] * noise, ts_us: rows.len() as i64 });
        }
    }
    rows
}
