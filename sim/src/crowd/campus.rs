//! Students who hear of the same offer.

use domain::click::Device;

use crate::{
    dice::Dice,
    patterns::{Cast, Pattern, Unit, Way},
    rhythm::HOUR,
    visit::{script::Script, told::Stage},
};

/// An offer for students that goes round on a campus.
pub(super) const CAMPUS: Pattern = Pattern {
    name: "campus",
    doc: "Forty to a hundred and twenty students follow the same link within three hours behind one address; three times \
     as many as usual buy.",
    taken_for: "lead fraud, by rules that count conversions of one address",
    unit: Unit::Clicks,
    usual: 0.005,
    per_occurrence: 80.0,
    ..Pattern::crowd(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let (people, first) = (&cast.world.people, cast.visitor(at_us, dice));
    let address = people.campus(first.country(), dice.bits());
    for _ in 0..dice.span(40, 121) {
        let person = people.somebody_in(first.country(), dice);
        let kind = if dice.happens(0.6) { Device::Mobile } else { Device::Desktop };
        let place = Some((address, people.handset(&person, kind)));
        let script = Script { place, persuades: 3.0, ..cast.script() };
        cast.call(at_us + dice.span(0, 3 * HOUR), person, script, dice, stage);
    }
}
