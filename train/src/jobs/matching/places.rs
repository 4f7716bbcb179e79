//! Lists: the best that may be shown, places of newcomers, and places that chance fills.

use anyhow::{Context, Result, ensure};
use clap::Args;
use rayon::prelude::*;

use super::{input::Market, rules::Rules};
use crate::matching::{
    MatchingError, Reason, Scorer,
    explore::{Shown, fill},
    exposure::{Floor, keep_places},
    top::{Eligible, Scored, of_scores},
};

/// How places are filled.
#[derive(Args, Clone, Debug)]
pub(super) struct PlaceArgs {
    /// The rate at which chance fills a place with any item that may be shown, from 0 to 1; `propensity` tells each place's chance
    #[arg(long, default_value_t = 0.0, value_name = "RATE")]
    explore: f64,
    /// The least part of all places that newcomers have, where it costs least: from 0 to 1, or `population`, their part of all
    #[arg(long, value_name = "SHARE", value_parser = wanted)]
    newcomer_share: Option<Wanted>,
}

/// The part of the places that newcomers are to have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// As much as they are of the population.
    Population,
    /// So much.
    Share(f64),
}

fn wanted(text: &str) -> Result<Wanted> {
    if text == "population" {
        return Ok(Wanted::Population);
    }
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.map(Wanted::Share).context("expected a part from 0 to 1, such as 0.12, or population")
}

/// A place of a list.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) shown: Shown,
    pub(super) is_new: bool,
    pub(super) reasons: Vec<Reason>,
}

/// The lists of all users.
pub(super) struct Placed {
    /// How long a list is at most.
    pub(super) k: usize,
    pub(super) lists: Vec<Vec<Place>>,
    /// The part of the places that newcomers were to have, and what that did.
    pub(super) floor: Option<(f64, Floor)>,
    /// How many users may be shown fewer items than were asked for.
    pub(super) short: usize,
}

impl PlaceArgs {
    pub(super) fn check(&self) -> Result<()> {
        let is_rate = (0.0..=1.0).contains(&self.explore);
        ensure!(is_rate, "--explore is {}, and must be a rate from 0 to 1", self.explore);
        Ok(())
    }

    /// Whether chance fills places.
    pub(super) fn explores(&self) -> bool {
        0.0 < self.explore
    }

    /// The best lists with the places of newcomers, before chance fills any.
    pub(super) fn best(
        &self,
        scorer: &dyn Scorer,
        open: &(dyn Fn(usize) -> Eligible + Sync),
        market: &Market,
        k: usize,
    ) -> (Vec<Vec<Scored>>, Option<(f64, Floor)>) {
        let popularity = market.seen.interactions.popularity();
        let is_new = |item: u32| popularity[item as usize] == 0;
        let best = |only_new: bool| -> Vec<Vec<Scored>> {
            let of_user = |user: usize| {
                let mut open = open(user);
                if only_new {
                    let known = (0..open.len()).filter(|item| !is_new(*item as u32));
                    known.for_each(|item| open.remove(item));
                }
                of_scores(&scorer.scores(user), &open, k)
            };
            (0..market.users.len()).into_par_iter().map(of_user).collect()
        };
        let mut lists = best(false);
        let share = self.newcomer_share.map(|wanted| match wanted {
            Wanted::Share(share) => share,
            Wanted::Population => {
                let new = popularity.iter().filter(|count| **count == 0).count();
                new as f64 / popularity.len().max(1) as f64
            }
        });
        let floor = share.map(|share| (share, keep_places(&mut lists, &best(true), is_new, share)));
        (lists, floor)
    }

    /// The chance of each item to have one of a user's places, in order of items.
    pub(super) fn chances(&self, best: &[Scored], open: &Eligible) -> Vec<(u32, f64)> {
        let (places, count) = (best.len() as f64, open.count() as f64);
        let mut chances: Vec<(u32, f64)> = if self.explores() {
            open.iter().map(|item| (item as u32, self.explore / count)).collect()
        } else {
            Vec::new()
        };
        for scored in best {
            match chances.iter_mut().find(|it| it.0 == scored.item) {
                Some(chance) => chance.1 += (1.0 - self.explore) / places,
                None => chances.push((scored.item, (1.0 - self.explore) / places)),
            }
        }
        chances.sort_by_key(|it| it.0);
        chances
    }

    /// Fills all places of all users with what they do not have.
    pub(super) fn placed(
        &self,
        scorer: &dyn Scorer,
        rules: &Rules,
        market: &Market,
        (k, seed): (usize, u64),
    ) -> Result<Placed> {
        let known = &market.seen.interactions;
        let open = |user: usize| {
            let mut open = rules.open_to(user, known.items());
            known.of_user(user).iter().for_each(|row| open.remove(row.item as usize));
            open
        };
        let (best, floor) = self.best(scorer, &open, market, k);
        let popularity = known.popularity();
        let filled = |(user, best): (usize, &Vec<Scored>)| {
            let shown = fill(best, &scorer.scores(user), &open(user), self.explore, (seed, user as u64))?;
            let place = |shown: Shown| Place {
                shown,
                is_new: popularity[shown.item as usize] == 0,
                reasons: scorer.reasons(user, shown.item as usize),
            };
            Ok(shown.into_iter().map(place).collect::<Vec<Place>>())
        };
        let lists = best.par_iter().enumerate().map(filled).collect::<Result<Vec<_>, MatchingError>>()?;
        // Who has had nearly everything has no rule to thank for a short list.
        let is_short = |(user, list): (usize, &Vec<Place>)| {
            list.len() < k.min(known.items() - known.of_user(user).len())
        };
        let short = lists.iter().enumerate().filter(|it| is_short(*it)).count();
        Ok(Placed { k, lists, floor, short })
    }
}
