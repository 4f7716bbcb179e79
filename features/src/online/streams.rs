//! What an event changes in one kind of entity.
//!
//! A stream is those events of a kind that pass a filter and have an input. Measures of one stream differ in their
//! window and in what they measure, so that a filter is asked once for all of them.

use domain::event::Kind;

use super::{
    cells::Cells,
    events::Layout,
    plan::{Taken, place_of},
};
use crate::{
    aggregate::Measure,
    definition::{Condition, Filter},
    entity::Entity,
    field::Number,
    hash::of_text,
    reading::{Input, Needed},
    window::{NEVER, Window},
};

/// What is kept of one kind of entity.
#[derive(Debug, Default)]
pub(super) struct EntityPlan {
    needed: Vec<Needed>,
    /// Where each of those is found among events, in the same order.
    pub measures: Vec<Place>,
    streams: Vec<Stream>,
    /// For each kind of event, whom it changes.
    kinds: [OfKind; Kind::ALL.len()],
    /// How events are laid out while they are few.
    pub layout: Layout,
}

/// Where the numbers of one measure are found among events.
#[derive(Debug)]
pub(super) struct Place {
    /// The stream, as a bit.
    pub stream: i64,
    pub window: usize,
    /// Where the input stands in a row.
    pub input: usize,
    of_stream: usize,
}

#[derive(Debug)]
struct Stream {
    /// Its bit in a row; none beyond the 64th.
    bit: u64,
    /// Where the input stands in what was taken out of an event.
    input: usize,
    /// Where it stands among the inputs of a row; none where the row says it anyway.
    column: Option<usize>,
    additions: Vec<Addition>,
}

/// One measure to which an input is added for the length of a window.
#[derive(Clone, Copy, Debug)]
struct Addition {
    measure: usize,
    window: usize,
}

#[derive(Debug, Default)]
struct OfKind {
    groups: Vec<Group>,
    /// All windows of its measures.
    windows: Vec<usize>,
    /// What stands in the inputs of a row.
    columns: Vec<usize>,
}

/// The streams of one filter.
#[derive(Debug)]
struct Group {
    filter: Filter,
    tests: Vec<Test>,
    streams: Vec<usize>,
}

/// A [`Condition`] of what was taken out of the event.
#[derive(Debug)]
struct Test {
    input: usize,
    compare: Compare,
}

#[derive(Debug)]
enum Compare {
    Is(i64),
    IsNot(i64),
    Has,
    AtLeast(i64),
    Below(i64),
}

/// What one event changes in an entity.
#[derive(Debug, Default)]
pub(super) struct Change {
    streams: Vec<usize>,
    bits: u64,
    /// Whether something is to be kept for ever.
    pub for_ever: bool,
    /// When the last of the rest leaves.
    pub leaves_us: Option<i64>,
}

impl EntityPlan {
    pub(super) fn add(&mut self, needed: Needed, window: usize, inputs: &mut Vec<Input>) {
        if self.needed.contains(&needed) {
            return;
        }
        let input = place_of(inputs, needed.input);
        let of_kind = &mut self.kinds[needed.source as usize];
        place_of(&mut of_kind.windows, window);
        let group = of_kind.groups.iter().position(|group| group.filter == needed.filter);
        let group = group.unwrap_or_else(|| {
            let tests = needed.filter.0.iter().map(|condition| Test::of(*condition, inputs)).collect();
            of_kind.groups.push(Group { filter: needed.filter, tests, streams: Vec::new() });
            of_kind.groups.len() - 1
        });
        let is_told = matches!(needed.input, Input::Event | Input::Number(Number::OccurredAt));
        let column = (!is_told).then(|| place_of(&mut of_kind.columns, input));
        let group = &mut of_kind.groups[group];
        let stream = group.streams.iter().copied().find(|stream| self.streams[*stream].input == input);
        let stream = stream.unwrap_or_else(|| {
            let number = self.streams.len();
            let bit = u32::try_from(number).ok().and_then(|number| 1_u64.checked_shl(number)).unwrap_or(0);
            self.streams.push(Stream { bit, input, column, additions: Vec::new() });
            group.streams.push(number);
            number
        });
        let measure = self.needed.len();
        self.streams[stream].additions.push(Addition { measure, window });
        self.measures.push(Place {
            stream: self.streams[stream].bit.cast_signed(),
            window,
            input: 0,
            of_stream: stream,
        });
        self.needed.push(needed);
    }

    /// Decides how rows of events look, when everything that is needed is known.
    pub(super) fn lay_out(&mut self) {
        let asks_for_last = |needed: &Needed| needed.measure == Measure::Last && needed.input != Input::Event;
        let inputs = self.kinds.iter().map(|of_kind| of_kind.columns.len()).max().unwrap_or_default();
        self.layout = Layout { has_ids: self.needed.iter().any(asks_for_last), inputs };
        for place in &mut self.measures {
            place.input = self.layout.place(self.streams[place.of_stream].column);
        }
    }

    /// Whether an entity begins as a few events: their rows have a bit for every stream.
    pub(super) fn keeps_events(&self) -> bool {
        self.streams.iter().all(|stream| stream.bit != 0)
    }

    /// Cells for all measures, with nothing in them.
    pub(super) fn cells(&self) -> Box<Cells> {
        Box::new(Cells::new(self.needed.iter().map(|needed| needed.measure)))
    }

    /// Where a measure is kept.
    pub(super) fn place_of(&self, needed: &Needed) -> Option<usize> {
        self.needed.iter().position(|known| known == needed)
    }

    /// Finds out what an event, taken apart, changes here, and whether that is anything.
    pub(super) fn find_change(&self, entity: Entity, taken: &mut Taken, now_us: i64) -> bool {
        let Taken { kind, inputs, leaves_us, changes, .. } = taken;
        let of_kind = &self.kinds[*kind as usize];
        let change = &mut changes[entity as usize];
        change.streams.clear();
        change.bits = 0;
        for group in of_kind.groups.iter().filter(|group| group.passes(inputs)) {
            for number in &group.streams {
                let stream = &self.streams[*number];
                if inputs[stream.input].is_some() {
                    change.streams.push(*number);
                    change.bits |= stream.bit;
                }
            }
        }
        if change.streams.is_empty() {
            return false;
        }
        let leaves_us = of_kind.windows.iter().map(|window| leaves_us[*window]);
        change.for_ever = leaves_us.clone().any(|leaves_us| leaves_us == NEVER);
        change.leaves_us = leaves_us.filter(|leaves_us| now_us < *leaves_us && *leaves_us != NEVER).max();
        change.for_ever || change.leaves_us.is_some()
    }

    /// Writes an event behind the others.
    pub(super) fn write(&self, rows: &mut Vec<i64>, entity: Entity, taken: &Taken) {
        let columns = &self.kinds[taken.kind as usize].columns;
        let inputs = columns.iter().map(|input| taken.inputs[*input].unwrap_or_default());
        self.layout.write(rows, taken.occurrence, taken.changes[entity as usize].bits, inputs);
    }

    /// Adds an event to cells.
    pub(super) fn add_to(&self, cells: &mut Cells, entity: Entity, taken: &Taken, now_us: i64) {
        for number in &taken.changes[entity as usize].streams {
            let stream = &self.streams[*number];
            let input = taken.inputs[stream.input].unwrap_or_default();
            for addition in &stream.additions {
                let leaves_us = taken.leaves_us[addition.window];
                if now_us < leaves_us {
                    cells.add(addition.measure, leaves_us, taken.occurrence, input);
                }
            }
        }
    }

    /// Adds an event to cells that was written as a row.
    pub(super) fn replay(&self, cells: &mut Cells, row: &[i64], windows: &[Window], now_us: i64) {
        let (occurrence, bits) = self.layout.read(row);
        for stream in self.streams.iter().filter(|stream| stream.bit & bits != 0) {
            let input = row[self.layout.place(stream.column)];
            for addition in &stream.additions {
                let leaves_us = windows[addition.window].leaves(occurrence.at_us);
                if now_us < leaves_us {
                    cells.add(addition.measure, leaves_us, occurrence, input);
                }
            }
        }
    }
}

impl Test {
    fn of(condition: Condition, inputs: &mut Vec<Input>) -> Self {
        let bits = |name: &str| of_text(name).cast_signed();
        let (input, compare) = match condition {
            Condition::Is(category, name) => (Input::Category(category), Compare::Is(bits(name))),
            Condition::IsNot(category, name) => (Input::Category(category), Compare::IsNot(bits(name))),
            Condition::Has(category) => (Input::Category(category), Compare::Has),
            Condition::AtLeast(number, least) => (Input::Number(number), Compare::AtLeast(least)),
            Condition::Below(number, bound) => (Input::Number(number), Compare::Below(bound)),
        };
        Self { input: place_of(inputs, input), compare }
    }

    fn passes(&self, inputs: &[Option<i64>]) -> bool {
        match (&self.compare, inputs[self.input]) {
            (Compare::Is(name), found) => found == Some(*name),
            (Compare::IsNot(name), found) => found != Some(*name),
            (Compare::Has, found) => found.is_some(),
            (Compare::AtLeast(least), found) => found.is_some_and(|value| *least <= value),
            (Compare::Below(bound), found) => found.is_some_and(|value| value < *bound),
        }
    }
}

impl Group {
    fn passes(&self, inputs: &[Option<i64>]) -> bool {
        self.tests.iter().all(|test| test.passes(inputs))
    }
}
