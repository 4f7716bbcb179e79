//! Colleagues who follow one link.

use domain::click::Device;

use crate::{
    dice::Dice,
    patterns::{Cast, Pattern, Unit, Way},
    rhythm::MINUTE,
    visit::{script::Script, told::Stage},
};

/// A newsletter that goes round in an office.
pub(super) const OFFICE: Pattern = Pattern {
    name: "office",
    doc: "Ten to fifty colleagues follow the same link within an hour and a half, each at their own computer, behind one \
     address.",
    taken_for: "a click farm, by rules that count clicks of one address",
    unit: Unit::Clicks,
    usual: 0.005,
    per_occurrence: 30.0,
    ..Pattern::crowd(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let (people, first) = (&cast.world.people, cast.visitor(at_us, dice));
    let address = people.office(first.country(), dice.bits());
    for _ in 0..dice.span(10, 51) {
        let person = people.somebody_in(first.country(), dice);
        let place = Some((address, people.handset(&person, Device::Desktop)));
        let script = Script { place, ..cast.script() };
        cast.call(at_us + dice.span(0, 90 * MINUTE), person, script, dice, stage);
    }
}
