//! Accounts that buy from each other.

use domain::click::Device;

use crate::{
    dice::{Dice, mixed},
    patterns::{Cast, Pattern, Unit, Way},
    visit::{
        handset::Handset,
        script::{Ending, Pace, Script},
        told::Stage,
    },
};

/// Three accounts or more with one account for payouts, a few addresses, and a few devices.
pub(super) const REFERRAL_RING: Pattern = Pattern {
    name: "referral_ring",
    doc: "Three accounts that are paid to one account order through each other's links, from two homes and on four \
     devices that they share.",
    taken_for: "a family on one device",
    unit: Unit::Orders,
    usual: 0.01,
    accounts: 3,
    ..Pattern::scheme(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
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
