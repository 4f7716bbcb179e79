//! Many orders in two hours, and then none.

use crate::{
    dice::Dice,
    patterns::{Cast, Hours, Pattern, Unit, Way},
    rhythm::HOUR,
    visit::{
        script::{Ending, Pace, Script},
        told::Stage,
    },
};

/// Orders that are paid with stolen cards or not at all.
pub(super) const CONVERSION_SPIKE: Pattern = Pattern {
    name: "conversion_spike",
    doc: "Twenty to sixty orders that nobody means come through one link within two hours, for two clicks in three.",
    taken_for: "a viral day, on which an affiliate has twenty times their usual visitors",
    unit: Unit::Orders,
    usual: 0.01,
    hours: Hours::Any,
    per_occurrence: 40.0,
    ..Pattern::scheme(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
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
