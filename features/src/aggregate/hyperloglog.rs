//! How many different things, of very many, in bounded memory.

use serde::{Deserialize, Serialize};

use crate::{value::real, window::NEVER};

/// Two to this power of registers.
pub const PRECISION: u32 = 12;
/// How many registers; the standard error is `1.04 / √REGISTERS`, 1.6 %.
pub const REGISTERS: usize = 1 << PRECISION;
/// How many registers are looked at together for what leaves.
const BLOCK: usize = 64;
/// The largest rank: one more than the bits that are left for leading zeros.
const HIGHEST: usize = 64 - PRECISION as usize + 1;

/// HyperLogLog (Flajolet, Fusy, Gandouet and Meunier, 2007) over a window. Each register keeps those ranks that are or
/// will once be its highest (Chabchoub and Hébrail, «Sliding HyperLogLog», 2010); it is therefore at every instant the
/// register of an ordinary HyperLogLog over what is in the window, and nothing is lost when things leave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HyperLogLog {
    /// For each register, ranks in the order in which they leave; each later one is lower.
    registers: Vec<Vec<(i64, u8)>>,
    /// How many registers have which highest rank.
    histogram: Vec<u32>,
    /// For each block of registers, the instant before which none of it changes by leaving.
    blocks_due_us: Vec<i64>,
    /// The first of those instants.
    due_us: i64,
}

impl Default for HyperLogLog {
    fn default() -> Self {
        let mut histogram = vec![0; HIGHEST + 1];
        histogram[0] = 1 << PRECISION;
        Self {
            registers: vec![Vec::new(); REGISTERS],
            histogram,
            blocks_due_us: vec![NEVER; REGISTERS / BLOCK],
            due_us: NEVER,
        }
    }
}

impl HyperLogLog {
    /// Counts something by its 64 well-mixed bits, until it leaves.
    pub fn add(&mut self, leaves_us: i64, bits: u64) {
        let (place, rank) = place_and_rank(bits);
        let register = &mut self.registers[place];
        let before = highest(register);
        let at = register.partition_point(|(leaves, _)| *leaves < leaves_us);
        if register[at..].first().is_some_and(|(_, longer)| rank <= *longer) {
            return;
        }
        let outdone = register[..at].iter().rev().take_while(|(_, shorter)| *shorter <= rank).count();
        let same = usize::from(register.get(at).is_some_and(|(leaves, _)| *leaves == leaves_us));
        register.splice(at - outdone..at + same, [(leaves_us, rank)]);
        let first_leaves_us = register[0].0;
        let after = highest(register);
        self.histogram[before] -= 1;
        self.histogram[after] += 1;
        let block_due_us = &mut self.blocks_due_us[place / BLOCK];
        *block_due_us = first_leaves_us.min(*block_due_us);
        self.due_us = self.due_us.min(first_leaves_us);
    }

    /// Forgets what has left. Only those blocks of registers are looked at of which one changes.
    pub fn expire(&mut self, now_us: i64) {
        if now_us < self.due_us {
            return;
        }
        let Self { registers, histogram, blocks_due_us, due_us } = self;
        for (block, block_due_us) in registers.chunks_mut(BLOCK).zip(&mut *blocks_due_us) {
            if *block_due_us <= now_us {
                block.iter_mut().for_each(|register| expire(register, now_us, histogram));
                let first = block.iter().filter_map(|register| register.first());
                *block_due_us = first.map(|(leaves_us, _)| *leaves_us).min().unwrap_or(NEVER);
            }
        }
        *due_us = blocks_due_us.iter().copied().min().unwrap_or(NEVER);
    }

    /// The instant before which nothing leaves.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        self.due_us
    }

    /// About how many different things there are.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        estimate(&self.histogram)
    }
}

/// Which register counts these bits, and how rare they are.
fn place_and_rank(bits: u64) -> (usize, u8) {
    let place = usize::try_from(bits >> (64 - PRECISION)).unwrap_or_default();
    let zeros = (bits << PRECISION).leading_zeros().min(64 - PRECISION);
    (place, u8::try_from(zeros + 1).unwrap_or(u8::MAX))
}

fn expire(register: &mut Vec<(i64, u8)>, now_us: i64, histogram: &mut [u32]) {
    let gone = register.iter().take_while(|(leaves_us, _)| *leaves_us <= now_us).count();
    if 0 < gone {
        histogram[highest(register)] -= 1;
        register.drain(..gone);
        histogram[highest(register)] += 1;
    }
}

fn highest(register: &[(i64, u8)]) -> usize {
    register.first().map_or(0, |(_, rank)| usize::from(*rank))
}

/// From how many registers have which rank (O. Ertl, «New cardinality estimation algorithms for HyperLogLog sketches»,
/// 2017, algorithm 6), without bias from nothing to billions.
fn estimate(histogram: &[u32]) -> f64 {
    let registers = real(1 << PRECISION);
    let share = |rank: usize| f64::from(histogram[rank]) / registers;
    let mut sum = registers * tau(1.0 - share(HIGHEST));
    for rank in (1..HIGHEST).rev() {
        sum = 0.5 * (sum + f64::from(histogram[rank]));
    }
    sum += registers * sigma(share(0));
    registers / (2.0 * std::f64::consts::LN_2) * (registers / sum)
}

/// `x + Σ x^(2^k) 2^(k−1)`.
fn sigma(mut x: f64) -> f64 {
    if 1.0 <= x {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum <= before {
            return sum;
        }
    }
}

/// `(1 − x − Σ (1 − x^(2^−k))² 2^−k) / 3`.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || 1.0 <= x {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x).powi(2) * weight;
        if before <= sum {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;

    /// Adds `many` things, of which the first half leaves at 10 and the others at 20.
    fn filled(many: u64) -> HyperLogLog {
        let mut sketch = HyperLogLog::default();
        (0..many).for_each(|thing| sketch.add(if thing < many / 2 { 10 } else { 20 }, mix(thing + 1)));
        sketch
    }

    /// Within three standard errors.
    fn check(sketch: &HyperLogLog, expected: u64) {
        let (found, expected) = (sketch.estimate(), real(i128::from(expected)));
        assert!((found - expected).abs() <= expected * 3.0 * 1.04 / 64.0, "{found} for {expected}");
    }

    #[test]
    fn many_and_few_are_estimated_within_the_error() {
        for many in [0, 1, 100, 1_000, 5_000, 10_000, 20_000, 100_000, 1_000_000] {
            check(&filled(many), many);
        }
    }

    #[test]
    fn what_leaves_is_as_if_it_had_never_been() {
        let mut sketch = filled(100_000);
        sketch.expire(10);
        let mut only_later = HyperLogLog::default();
        (50_000..100_000).for_each(|thing| only_later.add(20, mix(thing + 1)));
        assert_eq!(sketch.histogram, only_later.histogram);
        check(&sketch, 50_000);
        sketch.expire(20);
        assert_eq!(sketch.histogram, HyperLogLog::default().histogram);
    }
}
