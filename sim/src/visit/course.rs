//! What a journey is going to be. It follows from the journey's key, and is made again whenever it is needed: a
//! journey that waits keeps nothing but what it follows from.

use domain::{SessionId, click::Device};
use uuid::Uuid;

use super::{
    credit::Game,
    journey::Journey,
    loss::Cause,
    path::{MOST, Path, Touch},
    script::{Ending, Pace},
};
use crate::{
    dice::Dice,
    patterns::{self, Seizure},
    rhythm::{HOUR, awake},
    world::World,
};

/// How many journeys of several visits go on at another machine though tracking sees both halves (chosen).
const MOVES: f64 = 0.2;

/// The streams of a journey; a visit has the one of its number.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Visit(usize),
    Plan,
    End,
    PushedIn,
    Order,
    Session(usize),
    Customer,
    Case,
    Replay,
}

impl Part {
    fn number(self) -> u64 {
        match self {
            Self::Visit(number) => 1 << 8 | number as u64,
            Self::Session(number) => 2 << 8 | number as u64,
            Self::Plan => 3 << 8,
            Self::End => 4 << 8,
            Self::PushedIn => 5 << 8,
            Self::Order => 6 << 8,
            Self::Customer => 7 << 8,
            Self::Case => 8 << 8,
            Self::Replay => 9 << 8,
        }
    }
}

/// A key that belongs to a part of what belongs to another key.
pub(crate) fn key_of(key: u64, part: Part) -> u64 {
    crate::dice::mixed(key ^ crate::dice::mixed(part.number()))
}

/// The visits that a journey is going to have.
pub(crate) struct Course {
    key: u64,
    pub(crate) path: Path,
    /// When each of them is.
    times: [i64; MOST],
    pub(crate) lost: Option<Cause>,
    /// What it begins on.
    device: Device,
    /// From which visit on another machine is used; that may be the order alone, or none.
    moves_at: usize,
}

/// How a journey goes on after its last visit.
pub(crate) struct End {
    pub(crate) orders: bool,
    pub(crate) order_us: i64,
    /// Who pushes in before the order.
    pub(crate) seizure: Option<Seizure>,
}

impl Course {
    pub(crate) fn of(journey: &Journey, world: &World) -> Self {
        let mut dice = Dice::of(key_of(journey.key, Part::Plan));
        let honest = journey.is_honest();
        let path = match journey.link() {
            None => Path::default(),
            Some(link) if honest => Path::planned(world, link, &mut dice),
            Some(link) => Path::single(link),
        };
        let visits = path.steps().len();
        let lost = if honest { world.settings.losses.draw(&mut dice) } else { None };
        let device = super::person::device(&mut dice);
        let moves = lost.is_none() && honest && 1 < visits && dice.happens(MOVES);
        let moves_at = match lost {
            _ if moves => 1 + dice.index(visits - 1),
            Some(Cause::CrossDevice) => visits,
            _ => MOST + 1,
        };
        let (mut times, mut at_us) = ([journey.begun_us; MOST], journey.begun_us);
        for (time, step) in times.iter_mut().zip(path.steps()).skip(1) {
            at_us = awake(journey.person.country(), at_us + step.after_us, &mut dice);
            *time = at_us;
        }
        Self { key: journey.key, path, times, lost, device, moves_at }
    }

    /// When a visit is; the journey's beginning when there is none.
    pub(crate) fn at_us(&self, number: usize) -> i64 {
        self.times[number]
    }

    /// The last visit's number.
    pub(crate) fn last(&self) -> Option<usize> {
        self.path.steps().len().checked_sub(1)
    }

    /// What is in somebody's hands at a visit, or (one beyond the last visit) at the order.
    pub(crate) fn device(&self, number: usize) -> Device {
        match self.device {
            held if number < self.moves_at => held,
            // Who began on a telephone goes on at a computer, and the other way round.
            Device::Mobile => Device::Desktop,
            _ => Device::Mobile,
        }
    }

    /// Whether somebody holds the same thing at both.
    pub(crate) fn same_device(&self, one: usize, other: usize) -> bool {
        (one < self.moves_at) == (other < self.moves_at)
    }

    /// Whether our tracker gets to see a visit.
    pub(crate) fn is_seen(&self, number: usize) -> bool {
        self.path.steps()[number].touch != Touch::Offline && self.lost != Some(Cause::Blocker)
    }

    /// The visit of the browser that a click belongs to: one for each machine, or for each click where the browser
    /// throws cookies away.
    pub(crate) fn session(&self, number: usize) -> SessionId {
        let first = match self.lost {
            Some(Cause::Prevention) => number,
            _ if number < self.moves_at => 0,
            _ => self.moves_at,
        };
        Dice::of(key_of(self.key, Part::Session(first))).id(self.times[first])
    }

    /// A visit's stream, of which its id is the first draw.
    pub(crate) fn visit(&self, number: usize) -> (Uuid, Dice) {
        let mut dice = Dice::of(key_of(self.key, Part::Visit(number)));
        (dice.id(self.times[number]), dice)
    }

    /// What the visits do together.
    pub(crate) fn game(&self, journey: &Journey, world: &World) -> Game {
        let factor = journey.script.as_ref().map_or(1.0, |script| script.persuades);
        game(world, journey.campaign(world), &self.path, factor)
    }

    /// What comes after the last visit.
    pub(crate) fn end(&self, journey: &Journey, world: &World) -> End {
        let mut dice = Dice::of(key_of(self.key, Part::End));
        let Some(last) = self.last() else {
            return End { orders: true, order_us: journey.begun_us, seizure: None };
        };
        let luck = dice.unit();
        let orders = match journey.ending() {
            Ending::AsPersuaded => luck < self.game(journey, world).probability(),
            Ending::Staged | Ending::Invented | Ending::Organic => true,
            Ending::Nothing => false,
        };
        let pace = journey.script.as_ref().map_or(Pace::Human, |script| script.pace);
        let campaign = journey.campaign(world);
        let (last_us, decides_days) = (self.times[last], world.campaign(campaign).vertical.decides_days);
        let mut order_us = last_us + pace.delay_us(decides_days, &mut dice);
        if pace == Pace::Human && last_us + 2 * HOUR < order_us {
            order_us = awake(journey.person.country(), order_us, &mut dice);
        }
        let seizure = journey.is_honest().then(|| patterns::seizure(world, campaign, &mut dice)).flatten();
        let seizure = seizure.map(|it| Seizure { lead_us: it.lead_us.min(order_us - last_us), ..it });
        End { orders, order_us, seizure }
    }
}

/// What the visits of a path do together, each by `factor` as much as usual.
pub(crate) fn game(world: &World, campaign: u32, path: &Path, factor: f64) -> Game {
    let campaign = world.campaign(campaign);
    let visits = path.steps().iter().map(|step| {
        let effect = world.link(step.link).effect * step.touch.persuades() * factor;
        (effect, world.affiliate_of(step.link).source)
    });
    Game { together: campaign.together, organic: campaign.vertical.organic, visits: visits.collect() }
}
