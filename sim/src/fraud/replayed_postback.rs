//! One order, told several times.

use domain::event::Kind;

use crate::{
    dice::{Dice, micros},
    patterns::{Cast, Pattern, Unit, Way},
    truth::{Credit, EventName, Truth},
    visit::{
        actor::{Actor, Play},
        case::{Case, Origin},
        journey::label,
        order::Order,
        script::{Ending, Script},
        told::Stage,
    },
    world::World,
};

/// The report of a real order is sent again, as it is or with another number.
pub(super) const REPLAYED_POSTBACK: Pattern = Pattern {
    name: "replayed_postback",
    doc: "The report of an honest order is sent up to three more times within hours, half of them with the number of the \
     order changed.",
    taken_for: "a delivery that is repeated because its answer was lost, under the same id",
    unit: Unit::Orders,
    usual: 0.005,
    per_occurrence: 2.0,
    ..Pattern::scheme(Way::Happens(happen))
};

fn happen(cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
    let replays = u32::try_from(dice.span(1, 4)).unwrap_or(1);
    let script = Script { ending: Ending::Organic, replays, ..cast.script() };
    let person = cast.visitor(at_us, dice);
    cast.call(at_us, person, script, dice, stage);
}

/// A report that is sent again.
#[derive(Debug)]
pub(crate) struct Replay {
    order: Order,
    /// Pattern, link, group.
    of: (usize, u32, u64),
    after_us: i64,
    key: u64,
}

impl Replay {
    /// The `number`-th replay of an order's report, counted from 0.
    pub(crate) fn of(order: &Order, of: (usize, u32, u64), number: u32, key: u64) -> Self {
        let (mut order, mut dice) = (order.clone(), Dice::of(key));
        order.suffix = dice.happens(0.5).then_some(number + 2);
        let after_us = micros(dice.log_normal(3_600.0, 1.5)).max(1);
        order.at_us += after_us;
        Self { order, of, after_us, key: dice.bits() }
    }

    /// How long after the order.
    pub(crate) fn after_us(&self) -> i64 {
        self.after_us
    }
}

impl Play for Replay {
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64> {
        let mut dice = Dice::of(self.key);
        let booked = self.order.booked(world, &mut dice);
        if self.order.tell(world, booked, stage) {
            let name = EventName { kind: Kind::Conversion, id: booked.id.uuid() };
            let (pattern, link, group) = self.of;
            stage.label(at_us, label(world, name, pattern, link, group));
            let credit = Credit {
                conversion: booked.id,
                real: false,
                person: 0,
                channel: self.order.channel,
                organic_ppm: 1_000_000,
                visits: Vec::new(),
                together: world.campaign(self.order.campaign).together,
                lost: None,
                won_by: None,
            };
            stage.reveal(at_us, name.id, Truth::Credit(credit));
        }
        let paid = self.order.pay(world, stage);
        let case = Case::opened(&self.order, booked.id, dice.bits(), Origin::Replayed, paid)
            .of_pattern(self.of.0, world);
        stage.call(booked.known_at_us + 1, Actor::Case(case));
        None
    }
}
