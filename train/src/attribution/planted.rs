//! Journeys of which it is known who caused each conversion.

use rand::{Rng, RngExt};

use super::{Examples, Factor, Journey, Touch, hazard::DAY_S, tests::unit};

const CHANNELS: u32 = 12;
const CAMPAIGNS: u32 = 3;
const OBSERVED_S: f64 = 40.0 * DAY_S;
const MOST_TOUCHES: usize = 8;

/// How touches work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each adds to the hazard from its moment on.
    Hazard,
    /// Each adds to the probability.
    Additive,
    /// Each may convince alone.
    NoisyOr,
    /// Two of unlike parity add 0.6 of the weaker one.
    Synergy,
    /// A later one counts half as much again.
    Order,
}

/// Journeys, and for each conversion its row and the credit of its touches and of nobody.
pub(super) struct World {
    pub(super) examples: Examples,
    pub(super) truth: Vec<(usize, (Vec<f64>, f64))>,
}

impl World {
    pub(super) fn organic_share(&self) -> f64 {
        let organic: f64 = self.truth.iter().map(|(_, (_, organic))| organic).sum();
        organic / self.truth.len() as f64
    }
}

/// What a channel's touch does alone: from 0.02 to 0.13.
fn effect(channel: u32) -> f64 {
    0.02 + 0.01 * f64::from(channel)
}

fn organic(campaign: u32) -> f64 {
    0.01 + 0.005 * f64::from(campaign)
}

fn decay(channel: u32) -> f64 {
    0.3 + 0.2 * f64::from(channel)
}

pub(super) fn plant(kind: Kind, journeys: usize, dice: &mut impl Rng) -> World {
    let factors = vec![Factor { name: "device".to_owned(), values: 2 }];
    let mut world =
        World { examples: Examples::new(CHANNELS as usize, CAMPAIGNS as usize, factors), truth: Vec::new() };
    for row in 0..journeys {
        let campaign = dice.random_range(0..CAMPAIGNS);
        let (mut touches, mut at_s) = (Vec::new(), 0.0);
        while touches.len() < MOST_TOUCHES {
            touches.push(Touch { channel: dice.random_range(0..CHANNELS), at_s });
            at_s -= libm::log(1.0 - unit(dice)) * DAY_S;
            if unit(dice) < 0.5 {
                break;
            }
        }
        let (converted_s, shares) = match kind {
            Kind::Hazard => by_hazard(campaign, &mut touches, dice),
            _ => at_the_end(kind, campaign, &touches, dice),
        };
        let categories: Vec<u32> = touches.iter().map(|_| dice.random_range(0..2)).collect();
        let journey = Journey {
            campaign,
            touches: &touches,
            categories: &categories,
            until_s: OBSERVED_S,
            converted_s,
        };
        world.examples.push(journey).unwrap();
        if converted_s.is_some() {
            world.truth.push((row, shares));
        }
    }
    world
}

type Planted = (Option<f64>, (Vec<f64>, f64));

/// The first of everything that may cause the conversion causes it; later touches never happen.
fn by_hazard(campaign: u32, touches: &mut Vec<Touch>, dice: &mut impl Rng) -> Planted {
    let rate = organic(campaign) / 10.0;
    let mut at_s = -libm::log(1.0 - unit(dice)) / rate * DAY_S;
    for touch in &*touches {
        let (luck, strength) = (-libm::log(1.0 - unit(dice)), effect(touch.channel));
        if luck < strength {
            let days = -libm::log(1.0 - luck / strength) / decay(touch.channel);
            at_s = f64::min(at_s, touch.at_s + days * DAY_S);
        }
    }
    if OBSERVED_S <= at_s {
        return (None, (Vec::new(), 0.0));
    }
    touches.retain(|touch| touch.at_s <= at_s);
    let hazard = |touch: &Touch| {
        let pace = decay(touch.channel);
        effect(touch.channel) * pace * libm::exp(-pace * (at_s - touch.at_s) / DAY_S)
    };
    let hazards: Vec<f64> = touches.iter().map(hazard).collect();
    let total = rate + hazards.iter().sum::<f64>();
    (Some(at_s), (hazards.iter().map(|hazard| hazard / total).collect(), rate / total))
}

/// Everything is decided after the last touch; the credit is the Shapley value of the probability.
fn at_the_end(kind: Kind, campaign: u32, touches: &[Touch], dice: &mut impl Rng) -> Planted {
    let worth = |set: usize| worth(kind, campaign, touches, set);
    let all = (1_usize << touches.len()) - 1;
    let total = worth(all);
    let last_s = touches.last().map_or(0.0, |touch| touch.at_s);
    let at_s = last_s - libm::log(1.0 - unit(dice)) * DAY_S;
    if total <= unit(dice) || OBSERVED_S <= at_s {
        return (None, (Vec::new(), 0.0));
    }
    let orders = |of: usize| (1..=of).map(|one| one as f64).product::<f64>();
    let share = |place: usize| {
        let without = (0..=all).filter(|set| set >> place & 1 == 0);
        let adds = without.map(|set| {
            let others = set.count_ones() as usize;
            let weight = orders(others) * orders(touches.len() - others - 1) / orders(touches.len());
            weight * (worth(set | 1 << place) - worth(set))
        });
        adds.sum::<f64>() / total
    };
    (Some(at_s), ((0..touches.len()).map(share).collect(), worth(0) / total))
}

fn worth(kind: Kind, campaign: u32, touches: &[Touch], set: usize) -> f64 {
    let chosen = || {
        touches
            .iter()
            .enumerate()
            .filter(move |(place, _)| set >> place & 1 == 1)
            .map(|(_, touch)| touch.channel)
    };
    let alone: f64 = chosen().map(effect).sum();
    let sum = organic(campaign) + alone;
    match kind {
        Kind::Hazard | Kind::Additive => sum,
        Kind::NoisyOr => {
            1.0 - (1.0 - organic(campaign)) * chosen().map(|channel| 1.0 - effect(channel)).product::<f64>()
        }
        Kind::Order => sum + chosen().skip(1).map(|channel| 0.5 * effect(channel)).sum::<f64>(),
        Kind::Synergy => {
            let pairs = chosen()
                .enumerate()
                .flat_map(|(place, one)| chosen().skip(place + 1).map(move |two| (one, two)));
            let unlike = pairs.filter(|(one, two)| one % 2 != two % 2);
            sum + unlike.map(|(one, two)| 0.6 * f64::min(effect(one), effect(two))).sum::<f64>()
        }
    }
}
