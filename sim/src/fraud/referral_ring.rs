//! Accounts that buy from each other.

use domain::click::Device;

use crate::{
    dice::{Dice, mixed},
    patterns::{Cast, Pattern, Unit},
    visit::{
        handset::Handset,
        script::{Ending, Pace, Script},
        told::Stage,
    },
};

/// Three accounts or more with one account for payouts, a few addresses, and a few devices.
pub(super) struct ReferralRing;

impl Pattern for ReferralRing {
    fn name(&self) -> &'static str {
        "referral_ring"
    }
    fn doc(&self) -> &'static str {
        "Three accounts that are paid to one account order through each other's links, from two homes and on four \
         devices that they share."
    }
    fn taken_for(&self) -> &'static str {
        "a family on one device"
    }
    fn unit(&self) -> Unit {
        Unit::Orders
    }
    fn usual(&self) -> f64 {
        0.01
    }
    fn accounts(&self) -> usize {
        3
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
        let world = cast.world;
        let ring = world.affiliates[cast.affiliate].ring;
        let all = world.perpetrators[cast.pattern].iter().map(|&it| it as usize);
        let others: Vec<usize> =
            all.filter(|&it| world.affiliates[it].ring == ring && it != cast.affiliate).collect();
        let buyer = others.get(dice.index(others.len())).copied().unwrap_or(cast.affiliate);
        let (person, hides) = (world.affiliates[buyer].person, cast.hides(dice));
        let home = if dice.happens(0.5) { buyer } else { cast.affiliate };
        let address = if hides {
            world.people.carrier(&person, at_us)
        } else {
            world.people.home(&world.affiliates[home].person, at_us)
        };
        let device = mixed(mixed(ring.unwrap_or(0) ^ world.settings.seed.0) ^ dice.below(4));
        let script = Script {
            ending: Ending::Staged,
            pace: Pace::Seconds(40.0, 7_200.0),
            place: Some((address, Handset::of(device, Device::Mobile))),
            mailbox: Some(world.people.mailbox(&person)),
            ..cast.script()
        };
        cast.call(at_us, person, script, dice, stage);
    }
}
