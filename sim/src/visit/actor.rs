//! Everybody who waits for their cue. Actors share nothing, so that none changes what another does, and keep no more
//! than what the rest follows from: a network has millions of them.

use super::{case::Case, customer::Customer, journey::Journey, told::Stage};
use crate::{fraud::replayed_postback::Replay, world::World};

/// Something that happens in its own time: it is woken when its time has come, tells what happens then, and says when
/// it wants to be woken again.
pub(crate) trait Play {
    /// Does what is due at `at_us`, and says when there is more to do.
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64>;
}

/// Who waits.
#[derive(Debug)]
pub(crate) enum Actor {
    Journey(Journey),
    Customer(Customer),
    Case(Case),
    Replay(Box<Replay>),
}

impl Play for Actor {
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64> {
        match self {
            Self::Journey(journey) => journey.wake(at_us, world, stage),
            Self::Customer(customer) => customer.wake(at_us, world, stage),
            Self::Case(case) => case.wake(at_us, world, stage),
            Self::Replay(replay) => replay.wake(at_us, world, stage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_waits_takes_more_than_a_line_of_cache() {
        assert!(size_of::<Actor>() <= 64, "{}", size_of::<Actor>());
    }
}
