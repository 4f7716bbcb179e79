//! So many clicks that some precede an order.

use crate::{
    dice::Dice,
    patterns::{Cast, Hours, Pattern, Unit},
    visit::{
        script::{Pace, Referral, Script},
        told::Stage,
    },
};

/// A click in the name of somebody who knows nothing of it.
pub(super) struct ClickFlooding;

impl Pattern for ClickFlooding {
    fn name(&self) -> &'static str {
        "click_flooding"
    }
    fn doc(&self) -> &'static str {
        "Clicks are sent in the names of real people's devices at all hours; the few who buy within three weeks do it \
         at any time after it, as likely late as soon."
    }
    fn taken_for(&self) -> &'static str {
        "banners, which many see and few follow to an order"
    }
    fn unit(&self) -> Unit {
        Unit::Clicks
    }
    fn usual(&self) -> f64 {
        0.04
    }
    fn hours(&self) -> Hours {
        Hours::Any
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
        let script =
            Script { persuades: 0.0, pace: Pace::Flat(21.0), referral: Referral::Hidden, ..cast.script() };
        let person = cast.visitor(at_us, dice);
        cast.call(at_us, person, script, dice, stage);
    }
}
