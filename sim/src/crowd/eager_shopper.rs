//! Somebody who compares.

use crate::{
    dice::Dice,
    patterns::{Cast, Nature, Pattern, Unit},
    rhythm::HOUR,
    visit::{script::Script, told::Stage},
};

/// An honest journey through many affiliates in one day.
pub(super) struct EagerShopper;

impl Pattern for EagerShopper {
    fn name(&self) -> &'static str {
        "eager_shopper"
    }
    fn doc(&self) -> &'static str {
        "Somebody looks at offers of four to six affiliates on one device within a day, each a visit of its own."
    }
    fn taken_for(&self) -> &'static str {
        "cookie stuffing, by rules that count the affiliates of one device"
    }
    fn nature(&self) -> Nature {
        Nature::Honest
    }
    fn unit(&self) -> Unit {
        Unit::Clicks
    }
    fn usual(&self) -> f64 {
        0.005
    }
    fn per_occurrence(&self) -> f64 {
        5.0
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
        let person = cast.visitor(at_us, dice);
        let here = cast.world.people.whereabouts(&person, at_us, dice);
        for _ in 0..dice.span(4, 7) {
            let place = Some((cast.world.people.home(&person, at_us), here.handset));
            let script = Script { place, persuades: 1.5, ..cast.script() };
            let link = cast.same_campaign(dice);
            cast.call_through(link, at_us + dice.span(0, 20 * HOUR), person, script, dice, stage);
        }
    }
}
