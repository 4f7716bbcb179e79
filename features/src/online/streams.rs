//! What an event changes in one kind of entity.
//!
//! A stream is those events of a kind that pass a filter and have an input. Measures of one stream differ in their
//! window and in what they measure, so that a filter is asked once for all of them.

use domain::event::Kind;

use super::{
    cells::Cells,
    events::{AT, Layout, Mark},
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The stream.
    pub mark: Mark,
    pub window: usize,
    /// Where the input stands in a row.
    pub input: usize,
    of_stream: usize,
}

#[derive(Debug)]
struct Stream {
    mark: Mark,
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
    /// The streams that the event belongs to.
    marks: Vec<i64>,
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
            self.streams.push(Stream { mark: Mark::of(number), input, column, additions: Vec::new() });
            group.streams.push(number);
            number
        });
        let measure = self.needed.len();
        self.streams[stream].additions.push(Addition { measure, window });
        self.measures.push(Place { mark: self.streams[stream].mark, window, input: 0, of_stream: stream });
        self.needed.push(needed);
    }

    /// Decides where things stand, when everything that is needed is known: measures that one event changes beside one
    /// another, so that they lie in memory as they are used; and how rows of events look.
    pub(super) fn lay_out(&mut self) {
        let groups = self.kinds.iter().flat_map(|of_kind| &of_kind.groups);
        let streams: Vec<usize> = groups.flat_map(|group| group.streams.iter().copied()).collect();
        let mut order = Vec::new();
        for stream in streams {
            for addition in &mut self.streams[stream].additions {
                order.push(addition.measure);
                addition.measure = order.len() - 1;
            }
        }
        self.needed = order.iter().map(|measure| self.needed[*measure]).collect();
        self.measures = order.iter().map(|measure| self.measures[*measure]).collect();
        let asks_for_last = |needed: &Needed| needed.measure == Measure::Last && needed.input != Input::Event;
        let inputs = self.kinds.iter().map(|of_kind| of_kind.columns.len()).max().unwrap_or_default();
        let marks = Mark::words(self.streams.len());
        self.layout = Layout { marks, has_ids: self.needed.iter().any(asks_for_last), inputs };
        for place in &mut self.measures {
            place.input = self.layout.place(self.streams[place.of_stream].column);
        }
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
        change.marks.clear();
        change.marks.resize(self.layout.marks, 0);
        let mut is_meant = false;
        for group in of_kind.groups.iter().filter(|group| group.passes(inputs)) {
            for number in &group.streams {
                let stream = &self.streams[*number];
                if inputs[stream.input].is_some() {
                    stream.mark.set(&mut change.marks);
                    is_meant = true;
                }
            }
        }
        if !is_meant {
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
        self.layout.write(rows, taken.occurrence, &taken.changes[entity as usize].marks, inputs);
    }

    /// Adds events that were written as rows to cells, one cell after the other.
    pub(super) fn add_to(&self, cells: &mut Cells, rows: &[i64], windows: &[Window], now_us: i64) {
        for stream in &self.streams {
            let input = self.layout.place(stream.column);
            for addition in &stream.additions {
                let window = windows[addition.window];
                for row in self.layout.rows(rows) {
                    let leaves_us = window.leaves(row[AT]);
                    if stream.mark.is_on(row) && now_us < leaves_us {
                        cells.add(addition.measure, leaves_us, self.layout.occurrence(row), row[input]);
                    }
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
