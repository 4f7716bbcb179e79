//! Machines that click.

use domain::click::Device;

use crate::{
    dice::{Dice, micros},
    patterns::{Cast, Hours, Pattern, Unit, Way},
    visit::{
        handset::Handset,
        script::{Ending, Referral, Script},
        told::Stage,
    },
};

/// Ten to sixty clicks of one machine.
pub(super) const CLICK_FARM: Pattern = Pattern {
    name: "click_farm",
    doc: "A machine clicks a link some dozen times, every few seconds from a rented server; when it hides, every minute \
     or two from a home, with the agent of an ordinary browser.",
    taken_for: "an office whose people follow one link from one address",
    unit: Unit::Clicks,
    usual: 0.03,
    hours: Hours::Any,
    per_occurrence: 35.0,
    ..Pattern::scheme(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let (hides, person, people) = (cast.hides(dice), cast.visitor(at_us, dice), &cast.world.people);
    let place = if hides {
        (people.home(&person, at_us), Handset::of(dice.bits(), Device::Desktop))
    } else {
        (people.data_centre(person.country(), dice.bits()), Handset::automatic(dice.bits()))
    };
    let pause = if hides { 90.0 } else { 6.0 };
    let mut next_us = at_us;
    for _ in 0..dice.span(10, 61) {
        let script = Script {
            ending: Ending::Nothing,
            place: Some(place),
            referral: if hides { Referral::Page } else { Referral::Hidden },
            ..cast.script()
        };
        cast.call(next_us, person, script, dice, stage);
        next_us += micros(dice.exponential(pause)).max(1);
    }
}
