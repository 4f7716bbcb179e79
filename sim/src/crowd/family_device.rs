//! A family with one tablet.

use domain::click::Device;

use crate::{
    dice::Dice,
    patterns::{Cast, Nature, Pattern, Unit},
    rhythm::HOUR,
    visit::{script::Script, told::Stage},
};

/// Several people who buy on one device, through links of several affiliates.
pub(super) struct FamilyDevice;

impl Pattern for FamilyDevice {
    fn name(&self) -> &'static str {
        "family_device"
    }
    fn doc(&self) -> &'static str {
        "Three to five visits of one household on one tablet within an evening, through links of several affiliates, \
         most of which end in an order."
    }
    fn taken_for(&self) -> &'static str {
        "a ring, by rules that count conversions or affiliates of one device"
    }
    fn nature(&self) -> Nature {
        Nature::Honest
    }
    fn unit(&self) -> Unit {
        Unit::Clicks
    }
    fn usual(&self) -> f64 {
        0.002
    }
    fn per_occurrence(&self) -> f64 {
        4.0
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
        let (people, first) = (&cast.world.people, cast.visitor(at_us, dice));
        let place = (people.home(&first, at_us), people.handset(&first, Device::Tablet));
        for _ in 0..dice.span(3, 6) {
            let person = people.housemate(&first, dice);
            let link = cast.other_link(dice);
            let script = Script { place: Some(place), persuades: 40.0, ..cast.script() };
            cast.call_through(link, at_us + dice.span(0, 4 * HOUR), person, script, dice, stage);
        }
    }
}
