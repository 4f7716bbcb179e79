//! So many clicks that some precede an order.

use crate::{
    dice::Dice,
    patterns::{Cast, Hours, Pattern, Unit, Way},
    visit::{
        script::{Pace, Referral, Script},
        told::Stage,
    },
};

/// A click in the name of somebody who knows nothing of it.
pub(super) const CLICK_FLOODING: Pattern = Pattern {
    name: "click_flooding",
    doc: "Clicks are sent in the names of real people's devices at all hours; the few who buy within three weeks do it \
     at any time after it, as likely late as soon.",
    taken_for: "banners, which many see and few follow to an order",
    unit: Unit::Clicks,
    usual: 0.04,
    hours: Hours::Any,
    ..Pattern::scheme(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let script =
        Script { persuades: 0.0, pace: Pace::Flat(21.0), referral: Referral::Hidden, ..cast.script() };
    let person = cast.visitor(at_us, dice);
    cast.call(at_us, person, script, dice, stage);
}
