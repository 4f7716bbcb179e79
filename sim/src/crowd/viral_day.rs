//! A day on which everybody comes.

use crate::{
    dice::{Dice, micros},
    patterns::{Cast, Pattern, Unit, Way},
    visit::told::Stage,
};

/// A post that goes round the world.
pub(super) const VIRAL_DAY: Pattern = Pattern {
    name: "viral_day",
    doc: "Two hundred to six hundred visitors come through one link within a day, half of them in the first four hours.",
    taken_for: "a conversion spike or a flood, by rules that compare an hour with the hours before",
    unit: Unit::Clicks,
    usual: 0.01,
    per_occurrence: 400.0,
    ..Pattern::crowd(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    for _ in 0..dice.span(200, 601) {
        let comes_us = at_us + micros(dice.exponential(6.0 * 3_600.0).min(86_400.0));
        let person = cast.visitor(comes_us, dice);
        cast.call(comes_us, person, cast.script(), dice, stage);
    }
}
