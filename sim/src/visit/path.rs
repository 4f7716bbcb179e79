//! The visits of one journey, planned at its start: through which links, and with how much time between them.

use crate::{
    dice::{Dice, micros},
    rhythm::{DAY, SECOND},
    world::World,
};

/// No journey has more visits; one in five thousand would.
pub(crate) const MOST: usize = 8;

/// The probability that a visit is not the last (chosen: two in three journeys have one, as most published paths do).
const GOES_ON: f64 = 0.35;

/// The probability that the next visit comes through the same link again.
const SAME_AGAIN: f64 = 0.3;

/// One visit of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Step {
    /// Through which link: a position.
    pub(crate) link: u32,
    /// Whether it is an impression alone.
    pub(crate) view_only: bool,
    /// How long after the visit before, in microseconds.
    pub(crate) after_us: i64,
}

/// Some visits in their order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Path {
    steps: [Step; MOST],
    length: u8,
}

impl Path {
    /// A path of one click.
    pub(crate) fn single(link: u32) -> Self {
        let mut path = Self { length: 1, ..Self::default() };
        path.steps[0].link = link;
        path
    }

    /// What an honest visitor does who begins with this link.
    pub(crate) fn planned(world: &World, link: u32, dice: &mut Dice) -> Self {
        let mut path = Self::single(link);
        path.steps[0].view_only = world.is_view(link, dice);
        while usize::from(path.length) < MOST && dice.happens(GOES_ON) {
            path.goes_on(world, dice);
        }
        path
    }

    /// One more visit of the same campaign.
    fn goes_on(&mut self, world: &World, dice: &mut Dice) {
        let before = self.steps[usize::from(self.length).saturating_sub(1)].link;
        let campaign = world.campaign_of(before);
        let again = dice.happens(SAME_AGAIN) || campaign.links.is_empty();
        let link = if again { before } else { campaign.links[campaign.closers.draw(dice)] };
        // Log-normal gaps, nine hours in the middle (chosen: an evening and the next day).
        let gap = micros(dice.log_normal(9.0 * 3_600.0, 1.6)).clamp(SECOND, 20 * DAY);
        let step = Step { link, view_only: world.is_view(link, dice), after_us: gap };
        self.steps[usize::from(self.length)] = step;
        self.length += 1;
    }

    /// The visits.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps[..usize::from(self.length)]
    }
}
