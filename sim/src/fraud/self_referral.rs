//! Buying from oneself.

use domain::click::Device;

use crate::{
    dice::Dice,
    patterns::{Cast, Pattern, Unit},
    visit::{
        script::{Ending, Pace, Script},
        told::Stage,
    },
};

/// An affiliate who orders through their own link.
pub(super) struct SelfReferral;

impl Pattern for SelfReferral {
    fn name(&self) -> &'static str {
        "self_referral"
    }
    fn doc(&self) -> &'static str {
        "An affiliate orders through their own link from home, on their own device, and mostly under their own e-mail \
         address; when they hide, by telephone."
    }
    fn taken_for(&self) -> &'static str {
        "somebody else in the affiliate's household who buys there"
    }
    fn unit(&self) -> Unit {
        Unit::Orders
    }
    fn usual(&self) -> f64 {
        0.01
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
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
}
