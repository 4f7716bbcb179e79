//! What is known of an entity that little happened to: the events themselves, from which every measure is taken anew.
//!
//! Most addresses, visits and devices are of this kind. An event is a row of numbers: when it happened, the streams of
//! events that it belongs to as bits, its id where somebody asks for the last of several, and its inputs.

use super::streams::EntityPlan;
use crate::{
    aggregate::{Occurrence, distinct, entropy, gap, quantile},
    reading::Measured,
};

/// So many events are kept themselves; when there are more, they go into cells.
pub(super) const FEW: usize = 16;

/// Where it stands in a row when the event happened.
pub(super) const AT: usize = 0;
/// Where the marks of its streams begin.
const MARKS: usize = 1;

/// How rows are laid out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    /// How many numbers hold the marks of streams.
    pub marks: usize,
    /// Whether rows have an id.
    pub has_ids: bool,
    /// How many inputs a row has.
    pub inputs: usize,
}

/// A stream's bit in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    word: usize,
    bit: i64,
}

impl Mark {
    /// That of the stream of this number.
    pub(super) fn of(number: usize) -> Self {
        Self { word: number / 64, bit: 1_i64.rotate_left(u32::try_from(number % 64).unwrap_or_default()) }
    }

    /// How many numbers hold the marks of so many streams.
    pub(super) fn words(streams: usize) -> usize {
        streams.div_ceil(64)
    }

    pub(super) fn set(self, marks: &mut [i64]) {
        marks[self.word] |= self.bit;
    }

    /// Whether an event belongs to the stream.
    pub(super) fn is_on(self, row: &[i64]) -> bool {
        row[MARKS + self.word] & self.bit != 0
    }
}

impl Layout {
    /// How long a row is.
    pub(super) fn length(self) -> usize {
        self.first_input() + self.inputs
    }

    /// Where an input stands: in its column, or, when it has none, where the row says when the event happened.
    pub(super) fn place(self, column: Option<usize>) -> usize {
        column.map_or(AT, |column| self.first_input() + column)
    }

    fn id(self) -> usize {
        MARKS + self.marks
    }

    fn first_input(self) -> usize {
        if self.has_ids { self.id() + 2 } else { self.id() }
    }

    /// Writes a row behind others.
    pub(super) fn write(
        self,
        rows: &mut Vec<i64>,
        occurrence: Occurrence,
        marks: &[i64],
        inputs: impl Iterator<Item = i64>,
    ) {
        let end = rows.len() + self.length();
        if rows.is_empty() {
            rows.reserve_exact(end);
        }
        rows.push(occurrence.at_us);
        rows.extend_from_slice(marks);
        if self.has_ids {
            let bytes = occurrence.id.to_be_bytes();
            let (halves, _) = bytes.as_chunks::<8>();
            rows.extend(halves.iter().map(|half| i64::from_be_bytes(*half)));
        }
        rows.extend(inputs);
        rows.resize(end, 0);
    }

    /// One row after the other.
    pub(super) fn rows(self, rows: &[i64]) -> impl Iterator<Item = &[i64]> {
        rows.chunks_exact(self.length())
    }

    /// When a row's event happened, and its id, where rows have one.
    pub(super) fn occurrence(self, row: &[i64]) -> Occurrence {
        let half = |place: usize| u128::from(row[place].cast_unsigned());
        let id = if self.has_ids { (half(self.id()) << 64) | half(self.id() + 1) } else { 0 };
        Occurrence { at_us: row[AT], id }
    }
}

/// The events of an entity, seen at an instant.
#[derive(Clone, Copy)]
pub(super) struct Events<'a> {
    pub plan: &'a EntityPlan,
    pub rows: &'a [i64],
    /// For each window of the plan, its beginning.
    pub begins_us: &'a [i64],
}

impl<'a> Events<'a> {
    /// The rows that contribute to a measure.
    fn of(self, place: usize) -> impl Iterator<Item = &'a [i64]> {
        let measure = &self.plan.measures[place];
        let begins_us = self.begins_us[measure.window];
        let contributes = move |row: &&[i64]| measure.mark.is_on(row) && begins_us <= row[AT];
        self.rows.chunks_exact(self.plan.layout.length()).filter(contributes)
    }

    /// What those rows say.
    fn inputs(self, place: usize) -> impl Iterator<Item = i64> {
        let input = self.plan.measures[place].input;
        self.of(place).map(move |row| row[input])
    }

    /// The same in a list of its own, of which so many places are taken.
    fn listed(self, place: usize) -> ([i64; FEW], usize) {
        let (mut list, mut taken) = ([0; FEW], 0);
        for (input, free) in self.inputs(place).zip(&mut list) {
            *free = input;
            taken += 1;
        }
        (list, taken)
    }
}

impl Measured for Events<'_> {
    fn count(&self, place: usize) -> u64 {
        u64::try_from(self.of(place).count()).unwrap_or(u64::MAX)
    }

    fn sum(&self, place: usize) -> i128 {
        self.inputs(place).map(i128::from).sum()
    }

    fn least(&self, place: usize) -> Option<i64> {
        self.inputs(place).min()
    }

    fn greatest(&self, place: usize) -> Option<i64> {
        self.inputs(place).max()
    }

    fn last(&self, place: usize) -> Option<i64> {
        let latest = self.of(place).max_by_key(|row| self.plan.layout.occurrence(row))?;
        Some(latest[self.plan.measures[place].input])
    }

    fn latest_us(&self, place: usize) -> Option<i64> {
        self.of(place).map(|row| row[AT]).max()
    }

    fn distinct(&self, place: usize) -> u64 {
        let (mut members, many) = self.listed(place);
        distinct::of(&mut members[..many])
    }

    fn entropy(&self, place: usize) -> Option<f64> {
        let (mut categories, many) = self.listed(place);
        entropy::of(&mut categories[..many])
    }

    fn quantile(&self, place: usize, thousandths: u16) -> Option<f64> {
        let (mut numbers, many) = self.listed(place);
        quantile::of(&mut numbers[..many], thousandths)
    }

    fn least_gap_us(&self, place: usize) -> Option<i64> {
        let input = self.plan.measures[place].input;
        let (mut events, mut taken) = ([(0, 0); FEW], 0);
        for (row, free) in self.of(place).zip(&mut events) {
            *free = (row[AT], row[input]);
            taken += 1;
        }
        gap::of(&mut events[..taken])
    }
}
