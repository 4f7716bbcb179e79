//! Many orders in two hours, and then none.

use crate::{
    dice::Dice,
    patterns::{Cast, Hours, Pattern, Unit},
    rhythm::HOUR,
    visit::{
        script::{Ending, Pace, Script},
        told::Stage,
    },
};

/// Orders that are paid with stolen cards or not at all.
pub(super) struct ConversionSpike;

impl Pattern for ConversionSpike {
    fn name(&self) -> &'static str {
        "conversion_spike"
    }
    fn doc(&self) -> &'static str {
        "Twenty to sixty orders that nobody means come through one link within two hours, for two clicks in three."
    }
    fn taken_for(&self) -> &'static str {
        "a viral day, on which an affiliate has twenty times their usual visitors"
    }
    fn unit(&self) -> Unit {
        Unit::Orders
    }
    fn usual(&self) -> f64 {
        0.01
    }
    fn hours(&self) -> Hours {
        Hours::Any
    }
    fn per_occurrence(&self) -> f64 {
        40.0
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
        for order in 0..dice.span(20, 61) {
            let mut visit = |ending, dice: &mut Dice| {
                let begins_us = at_us + dice.span(0, 2 * HOUR);
                let script = Script { ending, pace: Pace::Seconds(20.0, 900.0), ..cast.script() };
                let person = cast.visitor(begins_us, dice);
                cast.call(begins_us, person, script, dice, stage);
            };
            visit(Ending::Invented, dice);
            if order % 2 == 1 {
                visit(Ending::Nothing, dice);
            }
        }
    }
}
