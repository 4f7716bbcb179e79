//! Some of one kind of entity, followed through time and asked when their turn comes.

use std::sync::{Arc, Mutex, PoisonError};

use domain::event::{Event, Kind, Known};

use super::{
    asked::{Asked, NOBODY, Who},
    column::Column,
};
use crate::{
    definition::{Computed, Feature},
    entity::{Entity, Keys},
    online::{Bounds, Prepared, State},
    set::FeatureSet,
    value::Value,
};

/// The features of one kind of entity, and the columns that their values go into.
pub(super) struct Group {
    entity: Entity,
    set: FeatureSet,
    /// Which kinds of events matter.
    minds: [bool; Kind::ALL.len()],
    /// In the order of the set.
    columns: Mutex<Vec<Column>>,
}

impl Group {
    /// The features of one kind of entity, for so many rows.
    pub(super) fn new(entity: Entity, features: Vec<Arc<Feature>>, rows: usize) -> Self {
        let mut minds = [false; Kind::ALL.len()];
        for feature in &features {
            if let Computed::Past(past) = &feature.computed {
                past.needs(entity).iter().for_each(|needed| minds[needed.source as usize] = true);
            }
        }
        let columns = features.iter().map(|feature| Column::missing(&feature.computed, rows)).collect();
        let set = FeatureSet { name: entity.name().to_owned(), version: 1, features };
        Self { entity, set, minds, columns: Mutex::new(columns) }
    }

    /// Its columns, in the order of its features.
    pub(super) fn into_columns(self) -> Vec<Column> {
        self.columns.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its features.
    pub(super) fn features(&self) -> &[Arc<Feature>] {
        &self.set.features
    }
}

/// Events that were taken apart together, and for each group those that are about somebody who is asked about.
pub(super) struct Chunk {
    events: Vec<Known<Event>>,
    /// For each group: the event's place, and the number of whom it is about.
    about: Vec<Vec<(u32, u32)>>,
}

impl Chunk {
    /// Finds out whom events are about.
    pub(super) fn new(events: Vec<Known<Event>>, groups: &[Group], asked: &Asked) -> Self {
        let about = |(group, who): (&Group, &Who)| {
            let meant = (0..).zip(&events).filter(|(_, known)| group.minds[known.event.kind() as usize]);
            let about =
                meant.filter_map(|(place, known)| Some((place, who.known(group.entity.key(&known.event)?)?)));
            about.collect()
        };
        let about = groups.iter().zip(asked.who()).map(about).collect();
        Self { events, about }
    }

    /// When the last of them became known.
    pub(super) fn last_known_us(&self) -> Option<i64> {
        self.events.last().map(|known| known.known_at_us)
    }
}

/// Some of one kind of entity.
pub(super) struct Shard<'a> {
    group: &'a Group,
    /// Which group that is.
    place: usize,
    /// Of those whose number leaves this rest when it is divided by so many.
    rest: u32,
    of: u32,
    state: State,
    prepared: Prepared,
    /// The rows that ask about them, by time.
    rows: Vec<u32>,
    /// How many of them have their values.
    answered: usize,
    values: Vec<Value>,
}

impl<'a> Shard<'a> {
    /// One of `of` shards of a group.
    pub(super) fn new(groups: &'a [Group], place: usize, (rest, of): (u32, u32), asked: &Asked) -> Self {
        let group = &groups[place];
        let who = &asked.who()[place];
        // The lake has each event once, and so there is no need to remember for long which ones were told.
        let state = State::new(&group.set.features, Bounds { duplicates_us: 0 });
        let prepared = state.prepare(&group.set);
        let prepared = prepared.unwrap_or_else(|error| unreachable!("it was made for these: {error}"));
        let is_mine = |number: u32| number != NOBODY && number % of == rest;
        let mine = (0..).zip(&who.of_row).filter(|(_, number)| is_mine(**number));
        let mut rows: Vec<u32> = mine.map(|(row, _)| row).collect();
        rows.sort_by_key(|row| asked.at_us()[*row as usize]);
        Self { group, place, rest, of, state, prepared, rows, answered: 0, values: Vec::new() }
    }

    /// Follows events, and answers what is asked before they became known.
    pub(super) fn follow(&mut self, chunks: &[Chunk], asked: &Asked) {
        for chunk in chunks {
            for (place, number) in &chunk.about[self.place] {
                if number % self.of != self.rest {
                    continue;
                }
                let known = &chunk.events[*place as usize];
                self.answer(known.known_at_us, asked);
                self.state.observe(known);
            }
        }
        // What becomes known at the very last instant may go on in the next block.
        if let Some(until_us) = chunks.last().and_then(Chunk::last_known_us) {
            self.answer(until_us, asked);
        }
    }

    /// Answers what is asked about instants before this one.
    fn answer(&mut self, before_us: i64, asked: &Asked) {
        let rows = self.rows[self.answered..].iter();
        let due = rows.take_while(|row| asked.at_us()[**row as usize] < before_us).count();
        self.answer_next(due, asked);
    }

    /// Answers all that was not answered yet: nothing more will become known.
    pub(super) fn answer_rest(&mut self, asked: &Asked) {
        self.answer_next(self.rows.len() - self.answered, asked);
    }

    fn answer_next(&mut self, many: usize, asked: &Asked) {
        if many == 0 {
            return;
        }
        let who = &asked.who()[self.place];
        let mut columns = self.group.columns.lock().unwrap_or_else(PoisonError::into_inner);
        for row in &self.rows[self.answered..self.answered + many] {
            let row = *row as usize;
            let key = who.keys[who.of_row[row] as usize];
            let keys = Keys::default().with(self.group.entity, key);
            self.state.vector(&self.prepared, &keys, None, asked.at_us()[row], &mut self.values);
            columns.iter_mut().zip(&self.values).for_each(|(column, value)| column.set(row, *value));
        }
        self.answered += many;
    }
}
