//! A sparse absorbing chain, and what it converts when it must not touch a channel.

use std::{collections::HashMap, mem, ops::Range};

use foldhash::fast::FixedState;

use super::{
    Effect, Effects,
    higher_order::{BITS, HigherOrderStatistics, Window, state},
};
use crate::attribution::Credit;

/// How many channels are avoided at once: their walks go side by side through the same steps, in one cache line each.
const LANES: usize = 8;

/// Walks are followed until at most this part of them is still under way.
const UNDER_WAY: f64 = 1e-15;

/// The bits of a window's last channel.
const NEWEST: Window = (1 << BITS) - 1;

type Lanes = [f64; LANES];

/// A chain whose states are the last channels of a walk.
#[derive(Clone, Debug)]
pub struct Chain {
    states: Vec<State>,
    /// The steps of all states, one state's after the other's.
    steps: Vec<Step>,
    /// Where walks begin.
    begin: Vec<Begin>,
    total: Credit,
    walks: f64,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// The channel of the last touch; the others were the last of states before, or the first of the walk.
    channel: u32,
    /// Where its steps begin and end.
    steps: (u32, u32),
    /// Of walks that leave this state, the part that converts, and the mean value that they bring.
    conversions: f64,
    value: f64,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    to: u32,
    part: f64,
}

#[derive(Clone, Copy, Debug)]
struct Begin {
    to: u32,
    window: Window,
    count: f64,
}

impl Begin {
    /// Whether one of the first channels, of which only the last is looked at on the way, is this one.
    fn touches(&self, channel: u32) -> bool {
        let touched = |place: u32| self.window >> (place * BITS) & NEWEST == Window::from(channel + 1);
        (0..Window::BITS / BITS).any(touched)
    }
}

impl Chain {
    pub(super) fn new(counts: &HigherOrderStatistics) -> Self {
        let mut steps: Vec<(Window, f64)> =
            counts.steps.iter().map(|(window, count)| (*window, *count)).collect();
        // By the state that a step leaves, then by its channel: the same chain from the same counts, whatever their order.
        steps.sort_unstable_by_key(|(window, _)| *window);
        let entered = steps.iter().map(|(window, _)| state(counts.order, *window));
        let mut states: Vec<Window> = entered.chain(counts.begins.keys().copied()).collect();
        states.sort_unstable();
        states.dedup();
        let places = states.iter().copied().zip(0_u32..);
        let places: HashMap<Window, u32, FixedState> = places.collect();
        let to = |window: Window| places[&state(counts.order, window)];
        let begin = counts.begins.iter().map(|(window, count)| Begin {
            to: to(*window),
            window: *window,
            count: *count,
        });
        let mut begin: Vec<Begin> = begin.collect();
        begin.sort_unstable_by_key(|begin| begin.to);
        let mut chain = Self {
            walks: begin.iter().map(|begin| begin.count).sum(),
            begin,
            states: Vec::with_capacity(states.len()),
            steps: Vec::with_capacity(steps.len()),
            total: Credit::default(),
        };
        let mut left = steps.as_slice();
        for (place, window) in (0..).zip(&states) {
            let own = left.partition_point(|(step, _)| step >> BITS <= *window);
            let (own, rest) = left.split_at(own);
            left = rest;
            let own = own.iter().map(|(step, count)| Step { to: to(*step), part: *count });
            chain.push(place, *window, own, counts);
        }
        chain
    }

    /// Appends a state. Steps from a state to itself are left out and the others raised in proportion: a walk that stays
    /// leaves in the end by the same steps.
    fn push(
        &mut self,
        place: u32,
        window: Window,
        steps: impl Iterator<Item = Step>,
        counts: &HigherOrderStatistics,
    ) {
        let end = counts.ends.get(&window).copied().unwrap_or_default();
        let first = self.steps.len();
        self.steps.extend(steps.filter(|step| step.to != place));
        let leaving: f64 =
            self.steps[first..].iter().map(|step| step.part).sum::<f64>() + end.conversions + end.nulls;
        self.steps[first..].iter_mut().for_each(|step| step.part /= leaving);
        self.total += Credit { conversions: end.conversions, value: end.value };
        self.states.push(State {
            channel: (window & NEWEST) as u32 - 1,
            steps: (place_of(first), place_of(self.steps.len())),
            conversions: end.conversions / leaving,
            value: end.value / leaving,
        });
    }

    /// How many states there are.
    #[must_use]
    pub fn states(&self) -> usize {
        self.states.len()
    }

    /// The removal effects of a range of channels, in their order. Each eight of them cost the same, so ranges that begin
    /// at multiples of eight waste nothing.
    #[must_use]
    pub fn effects(&self, channels: Range<u32>) -> Vec<Effect> {
        let mut effects = Vec::with_capacity(channels.len());
        for first in channels.clone().step_by(LANES) {
            let left = self.without_each(first);
            let lanes = left.iter().take((channels.end - first) as usize);
            effects.extend(lanes.map(|left| Effect {
                conversions: lost(self.total.conversions, left.conversions * self.walks),
                value: lost(self.total.value, left.value * self.walks),
            }));
        }
        effects
    }

    /// All effects together with what there is to divide; `channels` are those of all channels, from 0 up.
    #[must_use]
    pub fn complete(&self, channels: Vec<Effect>) -> Effects {
        let conversion_rate = if 0.0 < self.walks { self.total.conversions / self.walks } else { 0.0 };
        Effects { channels, total: self.total, conversion_rate }
    }

    /// What a walk brings on average when it ends at the channel `first`, at the one after it, and so on.
    ///
    /// Walks are followed forwards: a state holds the part of all walks that is there, hands it on to its successors, and has
    /// none left until some come again; it keeps what is too little to matter. What is still held in the end has not
    /// converted, and could at most: so it bounds the error.
    fn without_each(&self, first: u32) -> [Credit; LANES] {
        let mut here: Vec<Lanes> = vec![[0.0; LANES]; self.states.len()];
        // A bit for each state that was handed something: sweeps pass over 64 others at a glance.
        let mut handed = vec![0_u64; self.states.len().div_ceil(64)];
        for begin in &self.begin {
            let lanes =
                (first..).map(|avoided| if begin.touches(avoided) { 0.0 } else { begin.count / self.walks });
            here[begin.to as usize].iter_mut().zip(lanes).for_each(|(lane, part)| *lane = part);
            handed[begin.to as usize / 64] |= 1 << (begin.to % 64);
        }
        let enough = UNDER_WAY / self.states.len() as f64;
        let (mut conversions, mut value) = ([0.0; LANES], [0.0; LANES]);
        while handed.iter().any(|states| *states != 0) {
            for word in 0..handed.len() {
                // What comes during its own sweep waits for the next one: states that hand to each other would hold up the rest.
                let mut states = mem::take(&mut handed[word]);
                while states != 0 {
                    let place = word * 64 + states.trailing_zeros() as usize;
                    states &= states - 1;
                    let state = &self.states[place];
                    if let Some(avoided) = here[place].get_mut(state.channel.wrapping_sub(first) as usize) {
                        *avoided = 0.0;
                    }
                    if here[place].iter().all(|walks| *walks <= enough) {
                        continue;
                    }
                    let walks = mem::replace(&mut here[place], [0.0; LANES]);
                    for lane in 0..LANES {
                        conversions[lane] += walks[lane] * state.conversions;
                        value[lane] += walks[lane] * state.value;
                    }
                    for step in &self.steps[state.steps.0 as usize..state.steps.1 as usize] {
                        let there = &mut here[step.to as usize];
                        (0..LANES).for_each(|lane| there[lane] += walks[lane] * step.part);
                        handed[step.to as usize / 64] |= 1 << (step.to % 64);
                    }
                }
            }
        }
        std::array::from_fn(|lane| Credit { conversions: conversions[lane], value: value[lane] })
    }
}

fn place_of(step: usize) -> u32 {
    u32::try_from(step).expect("there are fewer than four billion steps")
}

/// The part of `all` that is lost when `left` is left, kept within 0 and 1 against rounding.
fn lost(all: f64, left: f64) -> f64 {
    if 0.0 < all { (1.0 - left / all).clamp(0.0, 1.0) } else { 0.0 }
}
