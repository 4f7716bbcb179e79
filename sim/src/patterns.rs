//! What is planted besides ordinary visitors: schemes of fraud, and the honest crowds that look like them. A pattern is
//! one file in `fraud/` or `crowd/` and one line in the list there.

use serde::Serialize;

use crate::{
    crowd,
    dice::Dice,
    fraud,
    visit::{
        actor::Actor,
        journey::Journey,
        person::Person,
        script::{Referral, Script},
        told::Stage,
    },
    world::World,
};

/// Whether a pattern is meant to deceive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// It is.
    Fraud,
    /// It only looks like it.
    Honest,
}

impl Nature {
    /// The word for it in the truth.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fraud => "fraud",
            Self::Honest => "honest",
        }
    }
}

/// What the intensity of a pattern counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Its share of all recorded clicks.
    Clicks,
    /// Its orders for each honest order that visits led to.
    Orders,
    /// The share of the honest journeys' orders that it seizes.
    Seized,
}

impl Unit {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clicks => "clicks",
            Self::Orders => "orders",
            Self::Seized => "seized",
        }
    }
}

/// When a pattern happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hours {
    /// When people are about.
    Waking,
    /// At any hour alike.
    Any,
}

/// One kind of fraud, or one kind of honest crowd.
pub(crate) struct Pattern {
    /// Its name in the truth and in settings.
    pub(crate) name: &'static str,
    /// What happens, as a sentence for the manual.
    pub(crate) doc: &'static str,
    /// For fraud, the honest look-alike; for a crowd, the naive rule that it fools.
    pub(crate) taken_for: &'static str,
    /// Whether it is fraud.
    pub(crate) nature: Nature,
    /// What its intensity counts.
    pub(crate) unit: Unit,
    /// How much of it there usually is.
    pub(crate) usual: f64,
    /// When it happens.
    pub(crate) hours: Hours,
    /// How many accounts act together, at least.
    pub(crate) accounts: usize,
    /// How many clicks or orders (as its unit says) one occurrence has, on average.
    pub(crate) per_occurrence: f64,
    /// How it comes about.
    pub(crate) way: Way,
}

/// How a pattern comes about.
pub(crate) enum Way {
    /// It begins now and then.
    Happens(fn(&Cast<'_>, i64, &mut Dice, &mut Stage)),
    /// It pushes in before an order: so many seconds before it, from and to, and from where.
    PushesIn((f64, f64), Referral),
}

impl Pattern {
    /// The most that makes sense of any pattern.
    pub(crate) const MOST: f64 = 0.5;

    /// A scheme of one account, one click or order at a time, in waking hours.
    pub(crate) const fn scheme(way: Way) -> Self {
        Self {
            name: "",
            doc: "",
            taken_for: "",
            nature: Nature::Fraud,
            unit: Unit::Clicks,
            usual: 0.0,
            hours: Hours::Waking,
            accounts: 1,
            per_occurrence: 1.0,
            way,
        }
    }

    /// A crowd of honest people.
    pub(crate) const fn crowd(way: Way) -> Self {
        Self { nature: Nature::Honest, ..Self::scheme(way) }
    }
}

/// Who and what takes part when a pattern happens.
pub(crate) struct Cast<'a> {
    pub(crate) world: &'a World,
    /// The pattern's position.
    pub(crate) pattern: usize,
    /// The number of this occurrence.
    pub(crate) group: u64,
    /// Who is behind it; for an honest crowd, whose visitors they are. A position.
    pub(crate) affiliate: usize,
    /// One of their links.
    pub(crate) link: u32,
}

impl Cast<'_> {
    pub(crate) fn campaign(&self) -> u32 {
        self.world.link(self.link).campaign
    }

    /// A script in which nothing is different yet.
    pub(crate) fn script(&self) -> Script {
        Script::plain(self.pattern, self.group)
    }

    /// Somebody whom the campaign is for.
    pub(crate) fn visitor(&self, at_us: i64, dice: &mut Dice) -> Person {
        self.world.visitor(self.campaign(), at_us, dice)
    }

    /// Calls a visitor who follows a script through the cast's link.
    pub(crate) fn call(
        &self,
        at_us: i64,
        person: Person,
        script: Script,
        dice: &mut Dice,
        stage: &mut Stage,
    ) {
        self.call_through(self.link, at_us, person, script, dice, stage);
    }

    /// The same through another link.
    pub(crate) fn call_through(
        &self,
        link: u32,
        at_us: i64,
        person: Person,
        script: Script,
        dice: &mut Dice,
        stage: &mut Stage,
    ) {
        let journey = Journey::scripted(at_us, person, link, script, dice.bits());
        stage.call(at_us, Actor::Journey(journey));
    }

    /// A link of somebody else who follows no scheme, or the cast's own.
    pub(crate) fn other_link(&self, dice: &mut Dice) -> u32 {
        let link = u32::try_from(dice.index(self.world.links.len())).unwrap_or(self.link);
        self.unless_schemer(link)
    }

    /// A link of somebody to the same campaign.
    pub(crate) fn same_campaign(&self, dice: &mut Dice) -> u32 {
        let links = &self.world.campaign(self.campaign()).links;
        self.unless_schemer(links.get(dice.index(links.len())).copied().unwrap_or(self.link))
    }

    fn unless_schemer(&self, link: u32) -> u32 {
        let affiliate = self.world.affiliate_of(link);
        let there = affiliate.joined_at_us <= self.world.settings.start_us;
        if affiliate.scheme.is_none() && there { link } else { self.link }
    }

    /// Whether this occurrence imitates honest habits.
    pub(crate) fn hides(&self, dice: &mut Dice) -> bool {
        dice.happens(self.world.settings.stealth)
    }
}

/// A click that pushes in before an order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seizure {
    pub(crate) pattern: usize,
    pub(crate) group: u64,
    pub(crate) link: u32,
    pub(crate) lead_us: i64,
    pub(crate) referral: Referral,
}

/// Every pattern: the schemes of fraud first.
pub(crate) fn all() -> impl Iterator<Item = &'static Pattern> {
    fraud::SCHEMES.iter().chain(crowd::CROWDS)
}

/// The pattern at a position.
pub(crate) fn get(position: usize) -> &'static Pattern {
    let schemes = fraud::SCHEMES.len();
    if position < schemes { &fraud::SCHEMES[position] } else { &crowd::CROWDS[position - schemes] }
}

/// Which share of all clicks patterns make.
pub(crate) fn share_of_clicks(intensities: &[f64]) -> f64 {
    let clicks = all().zip(intensities).filter(|(pattern, _)| pattern.unit == Unit::Clicks);
    clicks.map(|(_, intensity)| intensity).sum()
}

/// How often a pattern begins in an ordinary minute.
pub(crate) fn beginnings(world: &World, position: usize) -> f64 {
    let (pattern, intensity) = (get(position), world.intensities[position]);
    let all = match pattern.unit {
        Unit::Clicks => world.pace.clicks,
        Unit::Orders => world.pace.orders,
        Unit::Seized => 0.0,
    };
    intensity * all / pattern.per_occurrence
}

/// Whether somebody seizes an order that an honest journey leads to.
pub(crate) fn seizure(world: &World, campaign: u32, dice: &mut Dice) -> Option<Seizure> {
    let mut luck = dice.unit();
    for (position, pattern) in all().enumerate() {
        let Way::PushesIn((least, most), referral) = pattern.way else { continue };
        if luck < world.intensities[position] {
            return Some(Seizure {
                pattern: position,
                group: dice.bits() >> 16,
                link: dice.one(world.campaign(campaign).seizers.get(&position)?),
                lead_us: crate::dice::micros(dice.between(least, most)),
                referral,
            });
        }
        luck -= world.intensities[position];
    }
    None
}

/// What there is to know about a pattern.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Description {
    /// Its name in the truth and in settings.
    pub name: &'static str,
    /// Whether it is fraud.
    pub nature: Nature,
    /// What happens.
    pub doc: &'static str,
    /// For fraud, the honest look-alike; for a crowd, the naive rule that it fools.
    pub taken_for: &'static str,
    /// What its intensity counts.
    pub unit: Unit,
    /// How much of it there usually is.
    pub usual: f64,
}

/// Every pattern that a world may hold, the schemes of fraud first.
#[must_use]
pub fn descriptions() -> Vec<Description> {
    let describe = |pattern: &'static Pattern| Description {
        name: pattern.name,
        nature: pattern.nature,
        doc: pattern.doc,
        taken_for: pattern.taken_for,
        unit: pattern.unit,
        usual: pattern.usual,
    };
    all().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_docs_are_sentences() {
        let names: BTreeSet<_> = all().map(|pattern| pattern.name).collect();
        assert_eq!(names.len(), all().count());
        for pattern in all() {
            assert!(pattern.doc.ends_with('.') && 20 < pattern.doc.len(), "{}", pattern.name);
            assert!(10 < pattern.taken_for.len(), "{}", pattern.name);
            assert!(0.0 < pattern.usual && pattern.usual <= Pattern::MOST, "{}", pattern.name);
        }
    }

    #[test]
    fn the_manual_lists_every_pattern_as_it_is() {
        let row = |it: &Description| {
            let Description { name, doc, taken_for, usual, .. } = it;
            let (nature, unit) = (it.nature.name(), it.unit.name());
            format!("| `{name}` | {nature} | {usual} of {unit} | {doc} | {taken_for} |\n")
        };
        let table: String = descriptions().iter().map(row).collect();
        let manual = include_str!("../../docs/simulator.md");
        assert!(
            manual.ends_with(&format!("|---|---|---|---|---|\n{table}")),
            "docs/simulator.md should end with\n{table}"
        );
    }

    #[test]
    fn a_position_leads_back_to_its_pattern() {
        for (position, pattern) in all().enumerate() {
            assert_eq!(get(position).name, pattern.name);
            let honest = fraud::SCHEMES.len() <= position;
            assert_eq!(pattern.nature == Nature::Honest, honest, "{}", pattern.name);
        }
    }
}
