//! How a list of definitions is followed event by event: measures that several features need are kept once, and each
//! event is taken apart once.

use std::sync::Arc;

use domain::event::{Event, Kind};

use super::{
    events::Events,
    streams::{Change, EntityPlan},
};
use crate::{
    aggregate::Occurrence,
    definition::{Computed, Feature, Past},
    entity::Entity,
    fact::Fact,
    reading::{Input, MOST_NEEDED, Needed},
    set::{self, FeatureSet},
    value::Value,
    window::Window,
};

/// A list of definitions, taken apart.
#[derive(Debug)]
pub(super) struct Plan {
    /// All features, in the order of the list.
    pub features: Vec<Arc<Feature>>,
    pub windows: Vec<Window>,
    /// What is asked of an event of each kind.
    inputs: [Vec<Input>; Kind::ALL.len()],
    /// What is kept of each kind of entity.
    pub entities: [EntityPlan; Entity::ALL.len()],
    pub fingerprint: [u8; 32],
}

/// An event, taken apart.
#[derive(Debug)]
pub(super) struct Taken {
    pub kind: Kind,
    pub occurrence: Occurrence,
    pub inputs: Vec<Option<i64>>,
    /// For each window, when the event leaves it.
    pub leaves_us: Vec<i64>,
    /// For each kind of entity, what the event changes there.
    pub changes: [Change; Entity::ALL.len()],
}

/// Where the values of a feature set are read.
#[derive(Debug)]
pub struct Prepared {
    pub(super) plan: [u8; 32],
    /// The values when nothing at all is known.
    pub(super) nulls: Vec<Value>,
    /// Features of the past, by entity.
    pub(super) past: [Vec<Reading>; Entity::ALL.len()],
    /// Features of the request, with their place in the vector.
    pub(super) facts: Vec<(usize, Fact)>,
}

#[derive(Debug)]
pub(super) struct Reading {
    pub place: usize,
    pub past: Past,
    /// The places of the measures that it needs; the last of them fills what is left.
    pub measures: [usize; MOST_NEEDED],
    /// The value when nothing has happened.
    pub blank: Value,
}

impl Plan {
    pub(super) fn new(features: &[Arc<Feature>]) -> Self {
        let mut plan = Self {
            features: features.to_vec(),
            windows: Vec::new(),
            inputs: Default::default(),
            entities: Default::default(),
            fingerprint: set::fingerprint(features.iter().map(AsRef::as_ref)),
        };
        for feature in features {
            if let Computed::Past(past) = &feature.computed {
                past.needs(feature.entity).into_iter().for_each(|needed| plan.add(needed));
            }
        }
        plan.entities.iter_mut().for_each(EntityPlan::lay_out);
        plan
    }

    fn add(&mut self, needed: Needed) {
        let window = place_of(&mut self.windows, needed.window);
        let inputs = &mut self.inputs[needed.source as usize];
        self.entities[needed.entity as usize].add(needed, window, inputs);
    }

    /// Takes an event apart, into what the last one left behind.
    pub(super) fn take(&self, event: &Event, id: u128, taken: &mut Taken) {
        taken.kind = event.kind();
        taken.occurrence = Occurrence { at_us: event.occurred_at_us(), id };
        taken.inputs.clear();
        taken.inputs.extend(self.inputs[taken.kind as usize].iter().map(|input| input.of(event)));
        taken.leaves_us.clear();
        taken.leaves_us.extend(self.windows.iter().map(|window| window.leaves(taken.occurrence.at_us)));
    }

    /// The first instant of which something may still count for an entity.
    pub(super) fn begins_us(&self, of_entity: &EntityPlan, now_us: i64) -> i64 {
        let windows = of_entity.measures.iter().map(|measure| self.windows[measure.window]);
        windows.map(|window| window.begins(now_us)).min().unwrap_or(now_us)
    }

    /// Finds the measures from which the values of a set are read; none when the plan does not keep one of them.
    pub(super) fn prepare(&self, set: &FeatureSet) -> Option<Prepared> {
        let mut past: [Vec<Reading>; Entity::ALL.len()] = Default::default();
        let mut facts = Vec::new();
        for (place, feature) in set.features.iter().enumerate() {
            match &feature.computed {
                Computed::Request(fact) => facts.push((place, *fact)),
                Computed::Past(it) => {
                    past[feature.entity as usize].push(self.reading(place, feature.entity, it)?);
                }
            }
        }
        Some(Prepared { plan: self.fingerprint, nulls: vec![Value::Null; set.features.len()], past, facts })
    }

    fn reading(&self, place: usize, entity: Entity, past: &Past) -> Option<Reading> {
        let plan = &self.entities[entity as usize];
        let mut needed = past.needs(entity).into_iter().map(|needed| plan.place_of(&needed));
        let mut measures = [needed.next()??; MOST_NEEDED];
        for (number, found) in needed.enumerate() {
            measures[number + 1..].fill(found?);
        }
        let begins_us = vec![i64::MIN; self.windows.len()];
        let nothing = Events { plan, rows: &[], begins_us: &begins_us };
        let blank = past.read(&nothing, measures, 0);
        Some(Reading { place, past: past.clone(), measures, blank })
    }
}

/// Where something stands in a list; it is put at the end when it does not stand there yet.
pub(super) fn place_of<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

impl Taken {
    pub(super) fn nothing() -> Self {
        Self {
            kind: Kind::Click,
            occurrence: Occurrence { at_us: 0, id: 0 },
            inputs: Vec::new(),
            leaves_us: Vec::new(),
            changes: Default::default(),
        }
    }
}
