//! How much of the ideal value lists come to in markets whose truth is known: `cargo run --release --example matching_market`,
//! with as many markets as are told (`-- 10`). [`train::matching::market`] says what a market is.
//!
//! Prints, for affiliates and for campaigns, the share of the ideal value in the ten best untried of each candidate, of the
//! public formula 0.5 · Jaccard of verticals + 0.3 · Jaccard of partners + 0.2 · cosine of features, and of who knows all
//! that can be seen; for newcomers and others; and what it costs that newcomers have their share of the places. ± is the
//! half width of a 95 % interval over markets (Student's t).
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{collections::BTreeSet, env, error::Error};

use statrs::distribution::{ContinuousCDF, StudentsT};
use train::matching::{
    Profiles, Scorer,
    candidates::named,
    exposure::keep_places,
    market::{Market, Plan, Share},
    top::{Eligible, Scored, of_scores},
};

const K: usize = 10;
const MARKETS: u64 = 10;
const NAMES: [&str; 4] = ["value", "cosine", "als", "popularity"];

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let markets = env::args().nth(1).map_or(Ok(MARKETS), |text| text.parse())?;
    let plan = Plan::default();
    for (way, of_campaigns) in [("affiliate → campaign", false), ("campaign → affiliate", true)] {
        let mut rows: Vec<(&str, Vec<Share>)> = Vec::new();
        let mut floors = Vec::new();
        for seed in 0..markets {
            let drawn = Market::draw(&plan, seed)?;
            let market = if of_campaigns { drawn.turned()? } else { drawn };
            for (name, share) in shares(&market)? {
                match rows.iter_mut().find(|row| row.0 == name) {
                    Some(row) => row.1.push(share),
                    None => rows.push((name, vec![share])),
                }
            }
            let new = if of_campaigns { plan.new_affiliates } else { plan.new_campaigns };
            floors.push(floor(&market, new)?);
        }
        println!("{way}, {markets} markets: share of the ideal value in the {K} best untried");
        for (name, shares) in &rows {
            let of = |part: fn(&Share) -> f64| told(&shares.iter().map(part).collect::<Vec<_>>());
            println!(
                "  {name:10} {}   newcomers {}   others {}",
                of(|it| it.all),
                of(|it| it.new),
                of(|it| it.warm)
            );
        }
        let of = |part: usize| told(&floors.iter().map(|it: &[f64; 3]| it[part]).collect::<Vec<_>>());
        println!("  places of newcomers {}, with a floor {}, which costs {}", of(0), of(1), of(2));
    }
    Ok(())
}

fn shares(market: &Market) -> Result<Vec<(&'static str, Share)>, Failed> {
    let mut shares = Vec::new();
    for name in NAMES {
        let candidate = named(name).ok_or("each name is a candidate's")?;
        shares.push((name, market.share((candidate.fit)(&market.seen, 1)?.as_ref(), K)));
    }
    let formula = Formula::new(market).ok_or("a drawn market has profiles")?;
    shares.push(("formula", market.share_of(K, |user| formula.scores(user))));
    shares.push(("ceiling", market.ceiling(K)));
    Ok(shares)
}

/// The part of the places that newcomers have by themselves and with a floor of `new`, and the part of the true value that
/// the floor costs.
fn floor(market: &Market, new: f64) -> Result<[f64; 3], Failed> {
    let all = &market.seen.interactions;
    let candidate = named("value").ok_or("value is a candidate")?;
    let scorer: Box<dyn Scorer> = (candidate.fit)(&market.seen, 1)?;
    let popularity = all.popularity();
    let is_new = |item: u32| popularity[item as usize] == 0;
    let best = |only_new: bool| -> Vec<Vec<Scored>> {
        let of_user = |user: usize| {
            let mut open = Eligible::all(all.items());
            let is_closed = |item: &usize| all.contains(user, *item) || only_new && !is_new(*item as u32);
            (0..all.items()).filter(is_closed).for_each(|item| open.remove(item));
            of_scores(&scorer.scores(user), &open, K)
        };
        (0..all.users()).map(of_user).collect()
    };
    let mut lists = best(false);
    let places = |lists: &[Vec<Scored>]| {
        let new = lists.iter().flatten().filter(|it| is_new(it.item)).count();
        new as f64 / lists.iter().map(Vec::len).sum::<usize>() as f64
    };
    let worth = |lists: &[Vec<Scored>]| -> f64 {
        let of = |(user, list): (usize, &Vec<Scored>)| -> f64 {
            list.iter().map(|it| market.truth()[user * all.items() + it.item as usize]).sum()
        };
        lists.iter().enumerate().map(of).sum()
    };
    let before = (places(&lists), worth(&lists));
    let kept = keep_places(&mut lists, &best(true), is_new, new);
    Ok([before.0, kept.share, 1.0 - worth(&lists) / before.1])
}

/// The mean and the half width of its interval.
fn told(values: &[f64]) -> String {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|it| (it - mean) * (it - mean)).sum();
    let error = (squares / f64::max(count - 1.0, 1.0) / count).sqrt();
    let reach = StudentsT::new(0.0, 1.0, f64::max(count - 1.0, 1.0)).map_or(0.0, |it| it.inverse_cdf(0.975));
    format!("{mean:.4} ± {:.4}", reach * error)
}

/// What matching by rules usually is: both sides' verticals, the partners that they have in common, and their features.
struct Formula<'a> {
    market: &'a Market,
    users: &'a Profiles,
    items: &'a Profiles,
    /// Those who had to do with any item of each user's, and with each item.
    partners: [Vec<BTreeSet<u32>>; 2],
}

impl<'a> Formula<'a> {
    fn new(market: &'a Market) -> Option<Self> {
        let seen = &market.seen;
        let all = &seen.interactions;
        let of_item = |item: usize| all.of_item(item).map(|row| row.user).collect::<BTreeSet<u32>>();
        let of_items: Vec<BTreeSet<u32>> = (0..all.items()).map(of_item).collect();
        let of_user = |user: usize| {
            let others = all.of_user(user).iter().flat_map(|row| &of_items[row.item as usize]);
            others.copied().filter(|other| *other as usize != user).collect()
        };
        let of_users = (0..all.users()).map(of_user).collect();
        let (users, items) = (seen.users.as_ref()?, seen.items.as_ref()?);
        Some(Self { market, users, items, partners: [of_users, of_items] })
    }

    fn scores(&self, user: usize) -> Vec<f64> {
        let words = |profiles: &'a Profiles, row: usize, prefix: &'static str| {
            let names = profiles.row(row).iter().map(|(at, _)| profiles.names()[*at as usize].as_str());
            names.filter(move |name| name.starts_with(prefix)).collect::<BTreeSet<&str>>()
        };
        let of = |item: usize| {
            let both = |prefix| (words(self.users, user, prefix), words(self.items, item, prefix));
            let (verticals, features) = (both("vertical="), both(""));
            let common = features.0.intersection(&features.1).count() as f64;
            let length = (features.0.len() as f64 * features.1.len() as f64).sqrt();
            0.5 * jaccard(&verticals.0, &verticals.1)
                + 0.3 * jaccard(&self.partners[0][user], &self.partners[1][item])
                + 0.2 * if 0.0 < length { common / length } else { 0.0 }
        };
        (0..self.market.seen.interactions.items()).map(of).collect()
    }
}

/// What both have of what either has (Jaccard 1901).
fn jaccard<T: Ord>(one: &BTreeSet<T>, other: &BTreeSet<T>) -> f64 {
    let both = one.intersection(other).count() as f64;
    let either = (one.len() + other.len()) as f64 - both;
    if 0.0 < either { both / either } else { 0.0 }
}
