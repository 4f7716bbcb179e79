//! Cookies for clicks that nobody made.

use crate::{
    dice::Dice,
    patterns::{Cast, Pattern, Unit},
    visit::{
        script::{Referral, Script},
        told::Stage,
    },
};

/// Three clicks at once that a visitor of a page never made.
pub(super) struct CookieStuffing;

impl Pattern for CookieStuffing {
    fn name(&self) -> &'static str {
        "cookie_stuffing"
    }
    fn doc(&self) -> &'static str {
        "A page opens three links unseen within a second; who buys later anyway counts as the affiliate's customer."
    }
    fn taken_for(&self) -> &'static str {
        "a visitor who opens several offers of one page in tabs"
    }
    fn unit(&self) -> Unit {
        Unit::Clicks
    }
    fn usual(&self) -> f64 {
        0.02
    }
    fn per_occurrence(&self) -> f64 {
        3.0
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
        let person = cast.visitor(at_us, dice);
        let here = cast.world.people.whereabouts(&person, at_us, dice);
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
}
