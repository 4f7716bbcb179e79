//! Machines that click.

use domain::click::Device;

use crate::{
    dice::{Dice, micros},
    patterns::{Cast, Hours, Pattern, Unit},
    visit::{
        handset::Handset,
        script::{Ending, Referral, Script},
        told::Stage,
    },
};

/// Ten to sixty clicks of one machine.
pub(super) struct ClickFarm;

impl Pattern for ClickFarm {
    fn name(&self) -> &'static str {
        "click_farm"
    }
    fn doc(&self) -> &'static str {
        "A machine clicks a link some dozen times, every few seconds from a rented server; when it hides, every minute \
         or two from a home, with the agent of an ordinary browser."
    }
    fn taken_for(&self) -> &'static str {
        "an office whose people follow one link from one address"
    }
    fn unit(&self) -> Unit {
        Unit::Clicks
    }
    fn usual(&self) -> f64 {
        0.03
    }
    fn hours(&self) -> Hours {
        Hours::Any
    }
    fn per_occurrence(&self) -> f64 {
        35.0
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
        let (hides, person, people) = (cast.hides(dice), cast.visitor(at_us, dice), &cast.world.people);
        let place = if hides {
            (people.home(&person, at_us), Handset::of(dice.bits(), Device::Desktop))
        } else {
            (people.data_centre(person.country, dice.bits()), Handset::automatic(dice.bits()))
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
}
