//! Students who hear of the same offer.

use domain::click::Device;

use crate::{
    dice::Dice,
    patterns::{Cast, Nature, Pattern, Unit},
    rhythm::HOUR,
    visit::{script::Script, told::Stage},
};

/// An offer for students that goes round on a campus.
pub(super) struct Campus;

impl Pattern for Campus {
    fn name(&self) -> &'static str {
        "campus"
    }
    fn doc(&self) -> &'static str {
        "Forty to a hundred and twenty students follow the same link within three hours behind one address; three times \
         as many as usual buy."
    }
    fn taken_for(&self) -> &'static str {
        "lead fraud, by rules that count conversions of one address"
    }
    fn nature(&self) -> Nature {
        Nature::Honest
    }
    fn unit(&self) -> Unit {
        Unit::Clicks
    }
    fn usual(&self) -> f64 {
        0.005
    }
    fn per_occurrence(&self) -> f64 {
        80.0
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
        let (people, first) = (&cast.world.people, cast.visitor(at_us, dice));
        let address = people.campus(first.country, dice.bits());
        for _ in 0..dice.span(40, 121) {
            let person = people.somebody_in(first.country, dice);
            let kind = if dice.happens(0.6) { Device::Mobile } else { Device::Desktop };
            let place = Some((address, people.handset(&person, kind)));
            let script = Script { place, persuades: 3.0, ..cast.script() };
            cast.call(at_us + dice.span(0, 3 * HOUR), person, script, dice, stage);
        }
    }
}
