//! Which tier each partner is in, which one it was in, and how often partners move.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::Args;
use rayon::prelude::*;

use super::{
    input::Input,
    learned::{Learned, learn},
    perks::{Change, Perks},
};
use crate::{
    jobs::table::Table,
    partner::{Chances, Tier, Tiers},
};

/// How many months are looked back on.
const MONTHS: i32 = 6;
const MONTH_DAYS: i32 = 30;
/// Where Gold begins over where Silver does, where nobody says.
const GOLD_OVER_SILVER: f64 = 1.5;

/// Where tiers begin.
#[derive(Args, Clone, Debug)]
pub struct TierArgs {
    /// From which return (value over cost) on a partner is Silver [default: the return of the program]
    #[arg(long, value_name = "RETURN")]
    pub(super) silver: Option<f64>,
    /// From which return on a partner is Gold [default: 1.5 times that of Silver]
    #[arg(long, value_name = "RETURN")]
    pub(super) gold: Option<f64>,
    /// How probable a higher tier must be for a partner to rise to it
    #[arg(long, default_value_t = 0.7, value_name = "PROBABILITY")]
    pub(super) rise: f64,
    /// How improbable its tier must become for a partner to leave it
    #[arg(long, default_value_t = 0.3, value_name = "PROBABILITY")]
    pub(super) fall: f64,
    /// The partners.csv of last month, whose tiers are kept until they are improbable
    #[arg(long, value_name = "FILE")]
    pub(super) previous: Option<PathBuf>,
    /// What tiers give, as JSON: {"gold": {"perks": ["early access to new campaigns"], "rate_bonus": "2%"}, "silver": …}
    #[arg(long, value_name = "FILE")]
    perks: Option<PathBuf>,
}

/// A partner's tier.
pub(super) struct Place {
    pub(super) chances: Chances,
    pub(super) tier: Tier,
    /// Before, where that is known.
    pub(super) before: Option<Tier>,
}

/// How many partners changed their tier in a month.
pub(super) struct Month {
    /// Its last day.
    pub(super) end: i32,
    pub(super) moved: usize,
    pub(super) of: usize,
}

/// Everybody's tier.
pub(super) struct Placed {
    pub(super) silver: f64,
    pub(super) gold: f64,
    /// In the order of the partners.
    pub(super) places: Vec<Place>,
    /// As far as one can look back.
    pub(super) months: Vec<Month>,
    /// What tiers give, where somebody says so.
    pub(super) perks: Option<Perks>,
    pub(super) notes: Vec<String>,
}

impl Placed {
    pub(super) fn of(input: &Input, learned: &Learned, asked: &TierArgs) -> Result<Self> {
        let silver = asked.silver.unwrap_or_else(|| learned.program.returns());
        let gold = asked.gold.unwrap_or(GOLD_OVER_SILVER * silver);
        let tiers = Tiers::new(silver, gold, asked.rise, asked.fall)?;
        let perks = asked.perks.as_deref().map(Perks::read).transpose()?;
        let before = asked.previous.as_deref().map(previous).transpose()?.unwrap_or_default();
        let is_known = |name: &String| input.partners.iter().any(|partner| partner.name == *name);
        let notes = asked.previous.iter().filter_map(|path| strangers(path, before.keys().map(is_known)));
        let notes = notes.collect();
        let place = |(partner, standing): (&super::input::Listed, &super::learned::Standing)| {
            let before = before.get(&partner.name).copied();
            let tier = tiers.next(before.unwrap_or(Tier::Bronze), &standing.returns);
            Place { chances: tiers.chances(&standing.returns), tier, before }
        };
        let places = input.partners.iter().zip(&learned.standings).map(place).collect();
        Ok(Self { silver, gold, places, months: months(input, &tiers), perks, notes })
    }

    /// What a partner's move changes for it, where it moves and tiers give something.
    pub(super) fn change(&self, place: &Place) -> Option<Change> {
        let before = place.before.filter(|before| *before != place.tier)?;
        self.perks.as_ref().map(|perks| perks.change(before, place.tier))
    }

    /// How many have another tier than before, of how many whose tier before is known.
    pub(super) fn moved(&self) -> (usize, usize) {
        let known = || self.places.iter().filter_map(|place| place.before.map(|before| (before, place.tier)));
        (known().filter(|(before, now)| before != now).count(), known().count())
    }
}

/// What tiers would have been at the end of earlier months, beginning with Bronze for everybody; the first month only places
/// them and is not told.
fn months(input: &Input, tiers: &Tiers) -> Vec<Month> {
    let Some((last_day, _)) = input.last_day.zip(input.known_after) else { return Vec::new() };
    let ends: Vec<i32> = (0..=MONTHS).rev().map(|month| last_day - month * MONTH_DAYS).collect();
    // What is too little to learn from says nothing of tiers either.
    let learned: Vec<Option<Learned>> = ends.par_iter().map(|end| learn(input, Some(*end)).ok()).collect();
    let mut standing = vec![None; input.partners.len()];
    let mut months = Vec::new();
    for (end, learned) in ends.iter().zip(learned) {
        let Some(learned) = learned else { continue };
        let mut month = Month { end: *end, moved: 0, of: 0 };
        for (tier, now) in standing.iter_mut().zip(&learned.standings).filter(|(_, now)| 0 < now.conversions)
        {
            let next = tiers.next(tier.unwrap_or(Tier::Bronze), &now.returns);
            month.of += usize::from(tier.is_some());
            month.moved += usize::from(tier.is_some_and(|tier| tier != next));
            *tier = Some(next);
        }
        if 0 < month.of {
            months.push(month);
        }
    }
    months
}

/// The tiers of an earlier run, or of a list of somebody's own.
fn previous(path: &Path) -> Result<BTreeMap<String, Tier>> {
    let table = Table::read(path, &BTreeMap::new())?;
    let (names, words) = (table.names_of("partner_id")?, table.names_of("tier")?);
    let mut tiers = BTreeMap::new();
    for (row, (name, word)) in names.into_iter().zip(words).enumerate() {
        let Some(tier) = tier(word.trim()) else {
            bail!(
                "{}: {word:?} is no tier: expected gold, silver or bronze (or elite, vip or standard)",
                table.place(row, "tier")
            );
        };
        if tiers.insert(name, tier).is_some() {
            bail!("{}: a second row of this partner", table.place(row, "partner_id"));
        }
    }
    Ok(tiers)
}

/// A sentence where hardly anybody of an earlier run is known, which another program's must be then.
pub(in crate::jobs) fn strangers(path: &Path, known: impl Iterator<Item = bool>) -> Option<String> {
    let (count, known) = known.fold((0, 0), |(count, known), it| (count + 1, known + usize::from(it)));
    (2 * known < count).then(|| {
        format!(
            "of {count} partners of {} only {known} are among these: is it of another program, or are ids written otherwise?",
            path.display()
        )
    })
}

pub(super) fn tier(word: &str) -> Option<Tier> {
    Some(match word.to_lowercase().as_str() {
        "gold" | "elite" => Tier::Gold,
        "silver" | "vip" => Tier::Silver,
        "bronze" | "standard" => Tier::Bronze,
        _ => return None,
    })
}

/// What a tier is called in files.
pub(super) fn name(tier: Tier) -> &'static str {
    match tier {
        Tier::Gold => "gold",
        Tier::Silver => "silver",
        Tier::Bronze => "bronze",
    }
}
