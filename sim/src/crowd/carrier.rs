//! Strangers behind one carrier's address.

use domain::click::Device;

use crate::{
    dice::Dice,
    patterns::{Cast, Pattern, Unit, Way},
    rhythm::HOUR,
    visit::{script::Script, told::Stage},
};

/// A busy hour of an address that thousands of telephones share (carrier-grade NAT).
pub(super) const CARRIER: Pattern = Pattern {
    name: "carrier",
    doc: "Twenty to sixty people who have nothing to do with each other follow links of many affiliates within an hour, \
     with telephones behind one carrier's address.",
    taken_for: "a click farm, by rules that count clicks of one address",
    unit: Unit::Clicks,
    usual: 0.01,
    per_occurrence: 40.0,
    ..Pattern::crowd(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let (people, first) = (&cast.world.people, cast.visitor(at_us, dice));
    let address = people.carrier(&first, at_us);
    for _ in 0..dice.span(20, 61) {
        let person = people.somebody_in(first.country(), dice);
        let place = Some((address, people.handset(&person, Device::Mobile)));
        let link = cast.other_link(dice);
        let script = Script { place, ..cast.script() };
        cast.call_through(link, at_us + dice.span(0, HOUR), person, script, dice, stage);
    }
}
