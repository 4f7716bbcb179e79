//! A family with one tablet.

use domain::click::Device;

use crate::{
    dice::Dice,
    patterns::{Cast, Pattern, Unit, Way},
    rhythm::HOUR,
    visit::{script::Script, told::Stage},
};

/// Several people who buy on one device, through links of several affiliates.
pub(super) const FAMILY_DEVICE: Pattern = Pattern {
    name: "family_device",
    doc: "Three to five visits of one household on one tablet within an evening, through links of several affiliates, \
     most of which end in an order.",
    taken_for: "a ring, by rules that count conversions or affiliates of one device",
    unit: Unit::Clicks,
    usual: 0.002,
    per_occurrence: 4.0,
    ..Pattern::crowd(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let (people, first) = (&cast.world.people, cast.visitor(at_us, dice));
    let place = (people.home(&first, at_us), people.handset(&first, Device::Tablet));
    for _ in 0..dice.span(3, 6) {
        let person = people.housemate(&first, dice);
        let link = cast.other_link(dice);
        let script = Script { place: Some(place), persuades: 40.0, ..cast.script() };
        cast.call_through(link, at_us + dice.span(0, 4 * HOUR), person, script, dice, stage);
    }
}
