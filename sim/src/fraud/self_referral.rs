//! Buying from oneself.

use domain::click::Device;

use crate::{
    dice::Dice,
    patterns::{Cast, Pattern, Unit, Way},
    visit::{
        script::{Ending, Pace, Script},
        told::Stage,
    },
};

/// An affiliate who orders through their own link.
pub(super) const SELF_REFERRAL: Pattern = Pattern {
    name: "self_referral",
    doc: "An affiliate orders through their own link from home, on their own device, and mostly under their own e-mail \
     address; when they hide, by telephone.",
    taken_for: "somebody else in the affiliate's household who buys there",
    unit: Unit::Orders,
    usual: 0.01,
    ..Pattern::scheme(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let (world, person) = (cast.world, cast.world.affiliates[cast.affiliate].person);
    let place = if cast.hides(dice) {
        (world.people.carrier(&person, at_us), world.people.handset(&person, Device::Mobile))
    } else {
        (world.people.home(&person, at_us), world.people.handset(&person, Device::Desktop))
    };
    let script = Script {
        ending: Ending::Staged,
        pace: Pace::Seconds(40.0, 1_800.0),
        place: Some(place),
        mailbox: Some(world.people.mailbox(&person)),
        ..cast.script()
    };
    cast.call(at_us, person, script, dice, stage);
}
