//! Who was a customer already when time began: as many as a network has that has always run as it runs now.

use super::World;
use crate::{
    arrivals::UNLED,
    dice::{Lots, Part, micros, real},
    rhythm::DAY,
    visit::{course::Course, customer::Customer, journey::Journey, told::Stage},
};

/// How many come at a time, so that what is told of them need not be kept.
const AT_A_TIME: u64 = 1_024;

/// By how much several visits may persuade more than the first alone; the few that do more are taken as if they did not.
const PERSUADES_MORE: f64 = 4.0;

/// Customers who have not been called yet.
pub(crate) struct Regulars {
    /// How many are left, and of how many.
    left: u64,
    /// Links by how many customers they have: new ones, times how long these stay.
    links: Lots,
    /// Campaigns by how many customers they have whom nobody sent.
    campaigns: Lots,
}

impl Regulars {
    pub(crate) fn of(world: &World) -> Self {
        let stays = |campaign: u32| world.campaign(campaign).vertical.stays_days;
        let traffic = world.link_traffic();
        let weights = world.links.iter().zip(&traffic);
        let weights: Vec<f64> = weights
            .map(|(link, traffic)| {
                let organic = world.campaign(link.campaign).vertical.organic;
                traffic * (link.effect + organic) * stays(link.campaign)
            })
            .collect();
        let orders =
            world.links.iter().zip(&traffic).map(|(link, traffic)| {
                traffic * (link.effect + world.campaign(link.campaign).vertical.organic)
            });
        let mean_days = weights.iter().sum::<f64>() / orders.sum::<f64>().max(1e-300);
        let mean = world.pace.orders * (1.0 + UNLED) * 1_440.0 * mean_days;
        let mut dice = world.settings.seed.dice(Part::Regulars, u64::MAX);
        let left = if world.settings.warm_up_days == 0 { 0 } else { dice.poisson(mean) };
        let everywhere = (0..).take(world.campaigns.len()).map(stays);
        Self { left, links: Lots::new(weights), campaigns: Lots::new(everywhere) }
    }

    /// Calls some of those who are left; false when there are none.
    pub(crate) fn come(&mut self, world: &World, began_us: i64, stage: &mut Stage) -> bool {
        let some = self.left.min(AT_A_TIME);
        for _ in 0..some {
            self.left -= 1;
            if let Some(journey) = self.won(world, began_us) {
                Customer::from_before(journey, began_us, world, stage);
            }
        }
        0 < some
    }

    /// The journey that won one of them; none when that would be before all time.
    fn won(&self, world: &World, began_us: i64) -> Option<Journey> {
        let mut dice = world.settings.seed.dice(Part::Regulars, self.left);
        if dice.happens(UNLED / (1.0 + UNLED)) {
            let campaign = u32::try_from(self.campaigns.draw(&mut dice)).unwrap_or(0);
            let won_us = began_us - age_us(world, campaign, &mut dice);
            let person = world.visitor(campaign, won_us, &mut dice);
            return (0 <= won_us).then(|| Journey::organic(won_us, person, campaign, dice.bits()));
        }
        // Whoever had not joined by then had somebody else in their place.
        let (link, begun_us) = (0..64).find_map(|_| {
            let link = u32::try_from(self.links.draw(&mut dice)).unwrap_or(0);
            let begun_us = began_us - age_us(world, world.link(link).campaign, &mut dice);
            let there = world.affiliate_of(link).joined_at_us <= begun_us;
            (there && 0 <= begun_us).then_some((link, begun_us))
        })?;
        let campaign = world.link(link).campaign;
        let person = world.visitor(campaign, begun_us, &mut dice);
        let lone = world.link(link).effect + world.campaign(campaign).vertical.organic;
        let key = (0..64).find_map(|_| {
            let (key, luck) = (dice.bits(), dice.unit());
            let journey = Journey::honest(begun_us, person, link, key);
            let persuaded = Course::of(&journey, world).game(&journey, world).probability();
            (luck * PERSUADES_MORE * lone < persuaded).then_some(key)
        })?;
        Some(Journey::honest(begun_us, person, link, key).that_orders())
    }
}

/// For how long somebody has been a customer of this campaign.
fn age_us(world: &World, campaign: u32, dice: &mut crate::dice::Dice) -> i64 {
    let stays = world.campaign(campaign).vertical.stays_days;
    micros(dice.exponential(stays * real(DAY.unsigned_abs()) / 1e6))
}
