//! Chance for training: each tree, column or batch has a stream of its own, keyed by the seed and its number, so that
//! neither the order of work nor the number of threads moves anything.

use foldhash::{HashSet, HashSetExt};
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

/// One stream of chance (xoshiro256++, Blackman and Vigna 2021).
#[derive(Clone, Debug)]
pub(crate) struct Dice(Xoshiro256PlusPlus);

/// One step of SplitMix64 (Steele, Lea, Flood 2014).
fn mixed(bits: u64) -> u64 {
    SplitMix64::seed_from_u64(bits).next_u64()
}

impl Dice {
    /// The stream of the `index`-th thing that a seed makes.
    pub(crate) fn new(seed: u64, index: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(mixed(mixed(seed) ^ index)))
    }

    /// A position in a list of `length` things, which must not be empty.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.0.random_range(0..length)
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// True or false, as a fair coin falls.
    pub(crate) fn coin(&mut self) -> bool {
        self.0.random()
    }

    /// A number in `low..=high`, also where their difference is more than a float can hold.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = self.unit();
        let span = high - low;
        let at = if span.is_finite() { low + span * unit } else { low * (1.0 - unit) + high * unit };
        at.clamp(low, high)
    }

    /// Two independent standard normal numbers (Box and Muller 1958).
    pub(crate) fn two_normals(&mut self) -> [f64; 2] {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        let angle = std::f64::consts::TAU * self.unit();
        [radius * libm::cos(angle), radius * libm::sin(angle)]
    }

    /// A standard normal number.
    pub(crate) fn normal(&mut self) -> f64 {
        self.two_normals()[0]
    }

    /// Some of the positions `0..length`, each at most once, in no particular order: `count` of them, or all.
    pub(crate) fn sample(&mut self, length: u32, count: usize) -> Vec<u32> {
        let all = length as usize;
        if all <= count {
            return (0..length).collect();
        }
        if all < 4 * count {
            let mut positions: Vec<u32> = (0..length).collect();
            for at in 0..count {
                let other = at + self.index(all - at);
                positions.swap(at, other);
            }
            positions.truncate(count);
            return positions;
        }
        // Few of many: a draw that came up before is drawn again, less than once in three times.
        let (mut seen, mut positions) = (HashSet::with_capacity(count), Vec::with_capacity(count));
        while positions.len() < count {
            let position = self.0.random_range(0..length);
            if seen.insert(position) {
                positions.push(position);
            }
        }
        positions
    }

    /// Puts a list into random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for left in (1..list.len()).rev() {
            let other = self.index(left + 1);
            list.swap(left, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_each_position_at_most_once_and_all_equally_often() {
        for (length, count) in [(5, 9), (10, 4), (1_000, 3), (1_000, 300), (256, 256)] {
            let mut sample = Dice::new(1, 2).sample(length, count);
            sample.sort_unstable();
            sample.dedup();
            assert_eq!(sample.len(), count.min(length as usize));
            assert!(sample.iter().all(|&position| position < length));
        }
        let mut hits = [0_u32; 40];
        for stream in 0..4_000 {
            for position in Dice::new(7, stream).sample(40, 5) {
                hits[position as usize] += 1;
            }
        }
        // 500 expected, with a standard deviation of 21.
        assert!(hits.iter().all(|hits| (400..600).contains(hits)), "{hits:?}");
    }

    #[test]
    fn numbers_between_two_ends_stay_there_even_where_their_distance_overflows() {
        let mut dice = Dice::new(3, 3);
        for _ in 0..1_000 {
            let far = dice.between(f64::MIN, f64::MAX);
            assert!(far.is_finite());
            let near = dice.between(1.0, 1.0 + f64::EPSILON);
            assert!((1.0..=1.0 + f64::EPSILON).contains(&near));
        }
    }
}
