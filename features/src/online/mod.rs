//! The same values as offline, kept event by event in memory, for the moment at which a decision is made.
//!
//! What a [`State`] says at an instant is a function of the events that it was told, whatever their order: an event
//! told late counts from then on as if it had been there from the beginning, and leaves when it would have left.

mod cells;
mod duplicates;
mod events;
mod memory;
mod pending;
mod plan;
mod snapshot;
mod streams;
mod sweep;

use std::{collections::HashMap, sync::Arc};

use domain::event::{Event, Known};
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

pub use plan::Prepared;
pub use snapshot::SnapshotError;

use crate::{
    definition::{Feature, counts_from_us},
    entity::{Entity, Key, Keys, event_id},
    fact::Request,
    set::FeatureSet,
    value::Value,
    window::DAY,
};
use duplicates::Duplicates;
use memory::Memory;
use pending::Pending;
use plan::{Plan, Taken};
use sweep::Sweep;

/// How many entities whose time is over are looked at for each event: more than one event can bring.
const SWEPT_AT_ONCE: usize = 2 * Entity::ALL.len();

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For how many microseconds an id is remembered at least after it was last seen: an event that comes again later
    /// than this counts twice, and so this must be longer than any stream in front redelivers. An id takes some 20 to
    /// 40 bytes.
    pub duplicates_us: i64,
}

impl Default for Bounds {
    /// A week.
    fn default() -> Self {
        Self { duplicates_us: 7 * DAY }
    }
}

/// Everything that features need to know about the past.
#[derive(Debug)]
pub struct State {
    plan: Plan,
    bounds: Bounds,
    kept: Kept,
    /// The last event, taken apart; only its memory is used again.
    taken: Taken,
    /// Where the windows begin.
    horizon: Horizon,
}

/// Where each window of the plan begins at an instant.
#[derive(Debug)]
struct Horizon {
    at_us: i64,
    begins_us: Vec<i64>,
}

/// What a snapshot holds.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// For each kind of entity, what is known of each.
    entities: Vec<HashMap<Key, Memory, RandomState>>,
    duplicates: Duplicates,
    pending: Pending,
    sweep: Sweep,
    freshness: Freshness,
}

/// How far a state has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// The instant that the state has reached: the latest that it was told or asked about. It never goes back.
    pub now_us: i64,
    /// When the newest event that it was told was known.
    pub newest_known_at_us: Option<i64>,
    /// Events that were told, each once.
    pub events: u64,
    /// Events that were told again.
    pub duplicates: u64,
    /// Events that never count because their clock is too far ahead.
    pub implausible: u64,
}

impl Freshness {
    /// How long before an instant the newest event was known; none when there was no event yet.
    #[must_use]
    pub fn lag_us(&self, at_us: i64) -> Option<i64> {
        self.newest_known_at_us.map(|newest| at_us.saturating_sub(newest).max(0))
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It counts.
    Counts,
    /// It will count when its time has come: it happened by a clock that is ahead.
    Waits,
    /// It was told before.
    Duplicate,
    /// It never counts: its clock is too far ahead.
    Implausible,
}

/// A feature set with a feature that the state does not keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} has a feature that this state does not keep: make the state from definitions that include it")]
pub struct NotKept(String);

impl State {
    /// A state that knows nothing yet and keeps what these features need.
    #[must_use]
    pub fn new(features: &[Arc<Feature>], bounds: Bounds) -> Self {
        Self::of(Plan::new(features), bounds)
    }

    fn of(plan: Plan, bounds: Bounds) -> Self {
        let kept = Kept {
            entities: Entity::ALL.iter().map(|_| HashMap::default()).collect(),
            duplicates: Duplicates::default(),
            pending: Pending::default(),
            sweep: Sweep::default(),
            freshness: Freshness { now_us: i64::MIN, ..Freshness::default() },
        };
        let horizon = Horizon { at_us: i64::MIN, begins_us: vec![i64::MIN; plan.windows.len()] };
        Self { plan, bounds, kept, taken: Taken::nothing(), horizon }
    }

    /// Takes an event in. Where it was told before, the copy that was known first stands.
    pub fn observe(&mut self, known: &Known<Event>) -> Observed {
        self.advance(known.known_at_us);
        self.kept.sweep(&self.plan);
        let Some(counts_from_us) = counts_from_us(known) else {
            self.kept.freshness.implausible += 1;
            return Observed::Implausible;
        };
        let (id, now_us) = (event_id(&known.event), self.kept.freshness.now_us);
        let newest = &mut self.kept.freshness.newest_known_at_us;
        *newest = (*newest).max(Some(known.known_at_us));
        self.kept.duplicates.forget(now_us, self.bounds.duplicates_us);
        let (kind, occurred_at_us) = (known.event.kind(), known.event.occurred_at_us());
        if !self.kept.duplicates.is_new(kind, occurred_at_us, id, now_us) {
            self.kept.freshness.duplicates += 1;
            return Observed::Duplicate;
        }
        self.kept.freshness.events += 1;
        if now_us < counts_from_us {
            self.kept.pending.add(counts_from_us, known.event.clone());
            return Observed::Waits;
        }
        self.add(&known.event, id);
        Observed::Counts
    }

    /// Lets time pass until `at_us`, so that events count whose time has come.
    pub fn advance(&mut self, at_us: i64) {
        if self.kept.freshness.now_us < at_us {
            while let Some((counts_from_us, event)) = self.kept.pending.next_due(at_us) {
                self.kept.freshness.now_us = counts_from_us;
                self.add(&event, event_id(&event));
            }
            self.kept.freshness.now_us = at_us;
        }
    }

    fn add(&mut self, event: &Event, id: u128) {
        let Self { plan, kept, taken, .. } = self;
        plan.take(event, id, taken);
        let now_us = kept.freshness.now_us;
        // All of them are found before any is changed: a processor waits for their memory at once then.
        let mut found: [Option<(Key, &mut Memory)>; Entity::ALL.len()] = Default::default();
        let tables = kept.entities.iter_mut().zip(&mut found);
        for ((entity, of_entity), (table, found)) in Entity::ALL.iter().zip(&plan.entities).zip(tables) {
            if !of_entity.find_change(*entity, taken, now_us) {
                continue;
            }
            let Some(key) = entity.key(event) else { continue };
            *found = Some((key, table.entry(key).or_default()));
        }
        for (entity, found) in Entity::ALL.iter().zip(found) {
            let Some((key, memory)) = found else { continue };
            memory.add(plan, *entity, taken, now_us);
            let change = &taken.changes[*entity as usize];
            memory.for_ever |= change.for_ever;
            let Some(leaves_us) = change.leaves_us else { continue };
            memory.leaves_us = memory.leaves_us.max(leaves_us);
            if !memory.is_scheduled {
                memory.is_scheduled = true;
                kept.sweep.schedule(*entity, key, leaves_us);
            }
        }
    }

    /// Finds out once where the values of a set are read.
    ///
    /// # Errors
    /// When the set has a feature that the state was not made for.
    pub fn prepare(&self, set: &FeatureSet) -> Result<Prepared, NotKept> {
        self.plan.prepare(set).ok_or_else(|| NotKept(set.full_name()))
    }

    /// Writes the values of a set at an instant into `values`, in the set's order, and returns the instant: `at_us`, or
    /// the latest that the state was told or asked about before, when that is later. Features of entities that `keys`
    /// does not name are null, as are those of the request where there is none.
    ///
    /// # Panics
    /// When `prepared` was made by a state of other definitions.
    pub fn vector(
        &mut self,
        prepared: &Prepared,
        keys: &Keys,
        request: Option<&Request<'_>>,
        at_us: i64,
        values: &mut Vec<Value>,
    ) -> i64 {
        self.vectors(prepared, std::slice::from_ref(keys), request, at_us, values)
    }

    /// The same for everything that could answer one request, one vector behind the other: of those beside one another
    /// that are about the same visitor, say, the visitor is looked up once.
    ///
    /// # Panics
    /// When `prepared` was made by a state of other definitions.
    pub fn vectors(
        &mut self,
        prepared: &Prepared,
        asked: &[Keys],
        request: Option<&Request<'_>>,
        at_us: i64,
        values: &mut Vec<Value>,
    ) -> i64 {
        assert_eq!(
            prepared.plan, self.plan.fingerprint,
            "a set is prepared by the state that it is read from"
        );
        self.advance(at_us);
        self.look_from_now();
        values.clear();
        let mut before: Option<&Keys> = None;
        for keys in asked {
            let begin = values.len();
            match before {
                None => {
                    values.extend_from_slice(&prepared.nulls);
                    for (place, fact) in &prepared.facts {
                        values[*place] = request.map_or(Value::Null, |request| fact.of(request));
                    }
                }
                Some(_) => values.extend_from_within(begin - prepared.nulls.len()..),
            }
            self.read(prepared, keys, before, &mut values[begin..]);
            before = Some(keys);
        }
        self.horizon.at_us
    }

    /// Reads what is known of those whom `keys` names, but for whom the vector before named as well.
    fn read(&mut self, prepared: &Prepared, keys: &Keys, before: Option<&Keys>, values: &mut [Value]) {
        let Self { plan, kept, horizon, .. } = self;
        let mut found: [Option<&mut Memory>; Entity::ALL.len()] = Default::default();
        let tables = kept.entities.iter_mut().zip(&mut found);
        for ((entity, readings), (table, found)) in Entity::ALL.iter().zip(&prepared.past).zip(tables) {
            let key = keys.get(*entity);
            if readings.is_empty() || before.is_some_and(|before| before.get(*entity) == key) {
                continue;
            }
            for reading in readings {
                values[reading.place] = if key.is_some() { reading.blank } else { Value::Null };
            }
            *found = key.and_then(|key| table.get_mut(&key));
        }
        let seen_from = (&*horizon.begins_us, horizon.at_us);
        for ((entity, readings), found) in Entity::ALL.iter().zip(&prepared.past).zip(found) {
            if let Some(memory) = found {
                memory.read(plan, *entity, readings, seen_from, values);
            }
        }
    }

    /// What [`State::vector`] would say if the event of the request had been told a moment before: what is judged counts
    /// among what happened to those whom `keys` names, and the state stays as it is. An event that was told already counts
    /// once, for as long as ids are remembered ([`Bounds`]).
    ///
    /// # Panics
    /// When `prepared` was made by a state of other definitions.
    pub fn vector_if_told(
        &mut self,
        prepared: &Prepared,
        keys: &Keys,
        request: &Request<'_>,
        at_us: i64,
        values: &mut Vec<Value>,
    ) -> i64 {
        let at_us = self.vector(prepared, keys, Some(request), at_us, values);
        let (id, occurred_at_us) = (event_id(request.event), request.event.occurred_at_us());
        let is_told = self.kept.duplicates.knows(request.event.kind(), occurred_at_us, id);
        if !is_told && occurred_at_us <= at_us {
            self.tell_copies(prepared, keys, request.event, values);
        }
        at_us
    }

    /// Reads again what an event changes, from copies of what is known that were told of it.
    fn tell_copies(&mut self, prepared: &Prepared, keys: &Keys, event: &Event, values: &mut [Value]) {
        let Self { plan, kept, taken, horizon, .. } = self;
        let now_us = horizon.at_us;
        plan.take(event, event_id(event), taken);
        for (entity, readings) in Entity::ALL.iter().zip(&prepared.past) {
            let own = entity.key(event).filter(|key| !readings.is_empty() && keys.get(*entity) == Some(*key));
            let Some(key) = own else { continue };
            if plan.entities[*entity as usize].find_change(*entity, taken, now_us) {
                let known = kept.entities[*entity as usize].get(&key);
                let mut copy = known.cloned().unwrap_or_default();
                copy.add(plan, *entity, taken, now_us);
                copy.read(plan, *entity, readings, (&horizon.begins_us, now_us), values);
            }
        }
    }

    /// Finds out where the windows begin now.
    fn look_from_now(&mut self) {
        let now_us = self.kept.freshness.now_us;
        if self.horizon.at_us != now_us {
            self.horizon.at_us = now_us;
            self.horizon.begins_us.clear();
            self.horizon.begins_us.extend(self.plan.windows.iter().map(|window| window.begins(now_us)));
        }
    }

    /// How far it has come.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.kept.freshness
    }

    /// The features that it keeps.
    #[must_use]
    pub fn features(&self) -> &[Arc<Feature>] {
        &self.plan.features
    }

    /// How many of a kind of entity something is known of.
    #[must_use]
    pub fn entities(&self, entity: Entity) -> usize {
        self.kept.entities[entity as usize].len()
    }

    /// How many ids are remembered, to tell duplicates.
    #[must_use]
    pub fn remembered_ids(&self) -> usize {
        self.kept.duplicates.ids()
    }
}

impl Kept {
    /// Looks at some of the entities that are due.
    fn sweep(&mut self, plan: &Plan) {
        for _ in 0..SWEPT_AT_ONCE {
            let Some((entity, key)) = self.sweep.next(self.freshness.now_us) else { break };
            self.look_at(plan, entity, key);
        }
    }

    /// Forgets an entity of which nothing is left, and otherwise says when it is looked at again.
    fn look_at(&mut self, plan: &Plan, entity: Entity, key: Key) {
        let now_us = self.freshness.now_us;
        let table = &mut self.entities[entity as usize];
        let Some(known) = table.get_mut(&key) else { return };
        if now_us < known.leaves_us {
            self.sweep.schedule(entity, key, known.leaves_us);
            return;
        }
        if !known.for_ever {
            table.remove(&key);
            return;
        }
        known.is_scheduled = false;
        known.shrink(plan, entity, now_us);
    }
}
