//! Somebody who compares.

use crate::{
    dice::Dice,
    patterns::{Cast, Pattern, Unit, Way},
    rhythm::HOUR,
    visit::{person::device, script::Script, told::Stage},
};

/// An honest journey through many affiliates in one day.
pub(super) const EAGER_SHOPPER: Pattern = Pattern {
    name: "eager_shopper",
    doc: "Somebody looks at offers of four to six affiliates on one device within a day, each a visit of its own.",
    taken_for: "cookie stuffing, by rules that count the affiliates of one device",
    unit: Unit::Clicks,
    usual: 0.005,
    per_occurrence: 5.0,
    ..Pattern::crowd(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let person = cast.visitor(at_us, dice);
    let handset = cast.world.people.handset(&person, device(dice));
    for _ in 0..dice.span(4, 7) {
        let place = Some((cast.world.people.home(&person, at_us), handset));
        let script = Script { place, persuades: 1.5, ..cast.script() };
        let link = cast.same_campaign(dice);
        cast.call_through(link, at_us + dice.span(0, 20 * HOUR), person, script, dice, stage);
    }
}
