//! A day on which everybody comes.

use crate::{
    dice::{Dice, micros},
    patterns::{Cast, Nature, Pattern, Unit},
    visit::told::Stage,
};

/// A post that goes round the world.
pub(super) struct ViralDay;

impl Pattern for ViralDay {
    fn name(&self) -> &'static str {
        "viral_day"
    }
    fn doc(&self) -> &'static str {
        "Two hundred to six hundred visitors come through one link within a day, half of them in the first four hours."
    }
    fn taken_for(&self) -> &'static str {
        "a conversion spike or a flood, by rules that compare an hour with the hours before"
    }
    fn nature(&self) -> Nature {
        Nature::Honest
    }
    fn unit(&self) -> Unit {
        Unit::Clicks
    }
    fn usual(&self) -> f64 {
        0.01
    }
    fn per_occurrence(&self) -> f64 {
        400.0
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
        for _ in 0..dice.span(200, 601) {
            let comes_us = at_us + micros(dice.exponential(6.0 * 3_600.0).min(86_400.0));
            let person = cast.visitor(comes_us, dice);
            cast.call(comes_us, person, cast.script(), dice, stage);
        }
    }
}
