//! One order, told several times.

use crate::{
    dice::{Dice, micros},
    patterns::{Cast, Pattern, Unit},
    truth::{Credit, Truth},
    visit::{
        case::Case,
        journey::label,
        sale::Order,
        script::{Ending, Script},
        told::{self, Actor, Stage},
    },
    world::World,
};

/// The report of a real order is sent again, as it is or with another number.
pub(super) struct ReplayedPostback;

impl Pattern for ReplayedPostback {
    fn name(&self) -> &'static str {
        "replayed_postback"
    }
    fn doc(&self) -> &'static str {
        "The report of an honest order is sent up to three more times within hours, half of them with the number of the \
         order changed."
    }
    fn taken_for(&self) -> &'static str {
        "a delivery that is repeated because its answer was lost, under the same id"
    }
    fn unit(&self) -> Unit {
        Unit::Orders
    }
    fn usual(&self) -> f64 {
        0.005
    }
    fn per_occurrence(&self) -> f64 {
        2.0
    }
    fn happen(&self, cast: &Cast<'_>, at_us: i64, dice: &mut Dice, stage: &mut Stage) {
        let replays = u32::try_from(dice.span(1, 4)).unwrap_or(1);
        let script = Script { ending: Ending::Organic, replays, ..cast.script() };
        let person = cast.visitor(at_us, dice);
        cast.call(at_us, person, script, dice, stage);
    }
}

/// A report that is sent again.
pub(crate) struct Replay {
    order: Order,
    /// Pattern, link, group.
    of: (usize, u32, u64),
    after_us: i64,
    dice: Dice,
}

impl Replay {
    /// The `number`-th replay of an order's report, counted from 0.
    pub(crate) fn of(order: &Order, of: (usize, u32, u64), number: u32, key: u64) -> Self {
        let (mut order, mut dice) = (order.clone(), Dice::of(key));
        if dice.happens(0.5) {
            order.order_id.push('-');
            order.order_id.push_str(&(number + 2).to_string());
        }
        let after_us = micros(dice.log_normal(3_600.0, 1.5)).max(1);
        order.at_us += after_us;
        Self { order, of, after_us, dice }
    }

    /// How long after the order.
    pub(crate) fn after_us(&self) -> i64 {
        self.after_us
    }
}

impl Actor for Replay {
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64> {
        let (event, id, known_at_us) = self.order.event(world, &mut self.dice);
        let name = told::name(&event);
        if stage.tell(world, event, known_at_us, &mut self.dice) {
            let (pattern, link, group) = self.of;
            stage.label(at_us, label(world, name, pattern, link, group));
            let credit = Credit {
                conversion: id,
                real: false,
                organic_ppm: 1_000_000,
                visits: Vec::new(),
                together: world.campaign(self.order.campaign).together,
                lost: None,
                won_by: None,
            };
            stage.reveal(at_us, id.uuid(), Truth::Credit(credit));
            let case = Case::opened(world, &self.order, id, None, true, self.dice.bits());
            stage.call(known_at_us + 1, case);
        }
        None
    }
}
