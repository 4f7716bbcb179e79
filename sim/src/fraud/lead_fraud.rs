//! Leads that are nobody.

use domain::{campaign::EventKind, click::Device};

use crate::{
    dice::{Dice, micros},
    patterns::{Cast, Hours, Pattern, Unit, Way},
    visit::{
        handset::Handset,
        person::{DISPOSABLE, Mailbox, hash},
        script::{Ending, Pace, Script},
        told::Stage,
    },
};

/// A batch of invented people.
pub(super) const LEAD_FRAUD: Pattern = Pattern {
    name: "lead_fraud",
    doc: "Some dozen invented people sign up one after the other within seconds of their clicks, three in five with \
     disposable and the others with generated addresses; when it hides, they take minutes and come from homes.",
    taken_for: "a campus whose students sign up for the same offer in the same hour",
    unit: Unit::Orders,
    usual: 0.03,
    hours: Hours::Any,
    per_occurrence: 15.0,
    ..Pattern::scheme(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let world = cast.world;
    let pays_for_leads =
        |link: &&u32| matches!(world.campaign_of(**link).vertical.kind, EventKind::Lead | EventKind::Trial);
    // Where the affiliate has no campaign that pays for leads, orders are invented instead.
    let link =
        world.affiliates[cast.affiliate].links.iter().find(pays_for_leads).copied().unwrap_or(cast.link);
    let (hides, server) = (cast.hides(dice), dice.bits());
    let mut next_us = at_us;
    for _ in 0..dice.span(5, 26) {
        let person = world.visitor(world.link(link).campaign, next_us, dice);
        let address = if hides {
            world.people.home(&person, next_us)
        } else {
            world.people.data_centre(person.country(), server ^ dice.below(3))
        };
        let disposable = dice.happens(0.6);
        let domain = if disposable { dice.one(&DISPOSABLE) } else { "gmail.com" };
        let script = Script {
            ending: Ending::Invented,
            pace: if hides { Pace::Seconds(60.0, 900.0) } else { Pace::Seconds(4.0, 40.0) },
            place: Some((address, Handset::of(dice.bits(), Device::Desktop))),
            mailbox: Some(Mailbox { hash: hash(dice), domain }),
            ..cast.script()
        };
        cast.call_through(link, next_us, person, script, dice, stage);
        next_us += micros(dice.exponential(if hides { 1_200.0 } else { 50.0 })).max(1);
    }
}
