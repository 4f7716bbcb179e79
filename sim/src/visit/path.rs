//! The visits of one journey, planned at its start: through which links, and with how much time between them.

use serde::Serialize;

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

/// How somebody meets what an affiliate says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Touch {
    /// They follow a link.
    #[default]
    Click,
    /// They are shown an advertisement.
    Impression,
    /// They hear or read of it where no tracker is: in a podcast, in print, from a speaker.
    Offline,
}

impl Touch {
    /// How much of a click's effect it has (chosen).
    pub(crate) fn persuades(self) -> f64 {
        match self {
            Self::Click => 1.0,
            Self::Impression => 0.3,
            Self::Offline => 0.6,
        }
    }
}

/// One visit of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Step {
    /// Through which link: a position.
    pub(crate) link: u32,
    /// What it is.
    pub(crate) touch: Touch,
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
        path.steps[0].touch = world.touch(link, dice);
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
        let step = Step { link, touch: world.touch(link, dice), after_us: gap };
        self.steps[usize::from(self.length)] = step;
        self.length += 1;
    }

    /// The visits.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps[..usize::from(self.length)]
    }
}
