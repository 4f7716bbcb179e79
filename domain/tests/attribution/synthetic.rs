//! Synthetic journeys with a planted truth, the same bytes as their generator in Python made for `expected.json`.
//!
//! Everything is drawn by counter from 64-bit hashes (splitmix64), so journey i is the same whoever asks for it. Lengths are
//! geometric (0.62 for each further touch, at most 20), the first channel and the steps between channels follow Zipf's law,
//! a quarter of touches repeat their channel, and a journey converts with the noisy-or of its distinct channels.

use domain::attribution::{Journeys, journeys::Row};

const SEED: u64 = 20_240_601;
const MOST_TOUCHES: usize = 20;
const GOES_ON: f64 = 0.62;
const REPEATS: f64 = 0.25;
const CONVERTS_ALONE: f64 = 0.01;

fn splitmix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn hash(stream: u64, i: u64, t: u64) -> u64 {
    let seed = splitmix(SEED.wrapping_mul(0x100_0000_01B3).wrapping_add(stream));
    splitmix(splitmix(seed ^ i).wrapping_add(t))
}

fn unit(stream: u64, i: u64, t: u64) -> f64 {
    (hash(stream, i, t) >> 11) as f64 / 9_007_199_254_740_992.0
}

/// A world of so many channels.
pub struct World {
    channels: usize,
    /// The cumulated shares of ranks.
    ranks: Vec<f64>,
    /// How often each channel alone converts.
    converts: Vec<f64>,
}

/// One journey, in room that the next one uses again.
#[derive(Default)]
pub struct Made {
    pub touches: Vec<u32>,
    pub seconds_before: Vec<u32>,
    pub converted: bool,
    pub cents: u64,
}

impl World {
    pub fn of(channels: usize) -> Self {
        let mut sum = 0.0;
        let mut ranks: Vec<f64> = (1..=channels)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        ranks.iter_mut().for_each(|rank| *rank /= sum);
        let converts = |channel| 0.002 + 0.06 * unit(9, channel, 0) * unit(9, channel, 0);
        Self { channels, ranks, converts: (0..channels as u64).map(converts).collect() }
    }

    pub fn make(&self, i: u64, made: &mut Made) {
        made.touches.clear();
        made.seconds_before.clear();
        let (mut lost, mut elapsed) = (1.0 - CONVERTS_ALONE, 0_u64);
        for t in 0..MOST_TOUCHES as u64 {
            if 0 < t && GOES_ON <= unit(1, i, t) {
                break;
            }
            let drawn = unit(2, i, t);
            let rank = self.ranks.partition_point(|rank| *rank <= drawn).min(self.channels - 1);
            let channel = match made.touches.last() {
                None => rank,
                Some(previous) if unit(3, i, t) < REPEATS => *previous as usize,
                Some(previous) => (*previous as usize * 7 + 3 + rank) % self.channels,
            };
            if !made.touches.contains(&(channel as u32)) {
                lost *= 1.0 - self.converts[channel];
            }
            if 0 < t {
                elapsed += 300 << (hash(4, i, t) % 11);
            }
            made.touches.push(channel as u32);
            made.seconds_before.push(elapsed as u32);
        }
        made.seconds_before.iter_mut().for_each(|seconds| *seconds = elapsed as u32 - *seconds);
        made.converted = unit(5, i, 0) < 1.0 - lost;
        made.cents = if made.converted { 500 + hash(6, i, 0) % 19_500 } else { 0 };
    }
}

/// The first `count` journeys of a world of so many channels.
pub fn journeys(count: usize, channels: usize) -> Journeys {
    let (world, mut made) = (World::of(channels), Made::default());
    let mut journeys = Journeys::with_capacity(count, count * 27 / 10);
    for i in 0..count as u64 {
        world.make(i, &mut made);
        let row = Row {
            touches: &made.touches,
            seconds_before: &made.seconds_before,
            lead: None,
            conversions: f64::from(u8::from(made.converted)),
            value: made.cents as f64 / 100.0,
            nulls: f64::from(u8::from(!made.converted)),
        };
        journeys.push(row).expect("the generator makes journeys that make sense");
    }
    journeys
}
