//! Cookies for clicks that nobody made.

use crate::{
    dice::Dice,
    patterns::{Cast, Pattern, Unit, Way},
    visit::{
        person::device,
        script::{Referral, Script},
        told::Stage,
    },
};

/// Three clicks at once that a visitor of a page never made.
pub(super) const COOKIE_STUFFING: Pattern = Pattern {
    name: "cookie_stuffing",
    doc: "A page opens three links unseen within a second; who buys later anyway counts as the affiliate's customer.",
    taken_for: "a visitor who opens several offers of one page in tabs",
    unit: Unit::Clicks,
    usual: 0.02,
    per_occurrence: 3.0,
    ..Pattern::scheme(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let person = cast.visitor(at_us, dice);
    let here = cast.world.people.whereabouts(&person, device(dice), at_us, dice);
    let hides = cast.hides(dice);
    for _ in 0..3 {
        let link = cast.world.link_by(cast.affiliate, dice);
        let script = Script {
            persuades: 0.0,
            place: Some((here.address, here.handset)),
            referral: if hides {
                Referral::Page
            } else {
                Referral::Elsewhere("https://forum.example/thread")
            },
            ..cast.script()
        };
        cast.call_through(link, at_us + dice.span(0, 1_000_000), person, script, dice, stage);
    }
}
