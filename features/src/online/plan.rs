//! How a list of definitions is followed event by event: measures that several features need are kept once, a filter is
//! asked once for all of them, and each event is taken apart once.

use std::{collections::HashMap, sync::Arc};

use domain::event::{Event, Kind};

use crate::{
    aggregate::{Cell, Occurrence},
    definition::{Computed, Condition, Feature, Filter, Past},
    entity::Entity,
    fact::Fact,
    hash::of_text,
    reading::{Input, Needed},
    set::{self, FeatureSet},
    window::{NEVER, Window},
};

/// A list of definitions, taken apart.
#[derive(Debug)]
pub(super) struct Plan {
    /// All features, in the order of the list.
    pub features: Vec<Arc<Feature>>,
    windows: Vec<Window>,
    /// What is asked of an event of each kind.
    inputs: [Vec<Input>; Kind::ALL.len()],
    /// What is kept of each kind of entity.
    pub entities: [EntityPlan; Entity::ALL.len()],
    pub fingerprint: [u8; 32],
}

/// What is kept of one kind of entity.
#[derive(Debug, Default)]
pub(super) struct EntityPlan {
    needed: Vec<Needed>,
    /// What there is of an entity that nothing happened to.
    pub blank: Vec<Cell>,
    /// For each kind of event, whom it changes.
    groups: [Vec<Group>; Kind::ALL.len()],
}

/// What changes when an event passes a filter.
#[derive(Debug)]
struct Group {
    filter: Filter,
    tests: Vec<Test>,
    additions: Vec<Addition>,
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

/// One measure to which an input is added for the length of a window.
#[derive(Debug)]
struct Addition {
    cell: usize,
    window: usize,
    input: usize,
}

/// An event, taken apart.
#[derive(Debug)]
pub(super) struct Taken {
    pub kind: Kind,
    pub occurrence: Occurrence,
    inputs: Vec<Option<i64>>,
    leaves_us: Vec<i64>,
}

/// Where the values of a feature set are read.
#[derive(Debug)]
pub struct Prepared {
    pub(super) plan: [u8; 32],
    pub(super) features: usize,
    /// Features of the past, by entity.
    pub(super) past: Vec<(Entity, Vec<Reading>)>,
    /// Features of the request, with their place in the vector.
    pub(super) facts: Vec<(usize, Fact)>,
}

#[derive(Debug)]
pub(super) struct Reading {
    pub place: usize,
    pub past: Past,
    pub cells: Vec<usize>,
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
        plan
    }

    fn add(&mut self, needed: Needed) {
        let entity = &mut self.entities[needed.entity as usize];
        if entity.needed.contains(&needed) {
            return;
        }
        let inputs = &mut self.inputs[needed.source as usize];
        let addition = Addition {
            cell: entity.needed.len(),
            window: place_of(&mut self.windows, needed.window),
            input: place_of(inputs, needed.input),
        };
        let groups = &mut entity.groups[needed.source as usize];
        match groups.iter_mut().find(|group| group.filter == needed.filter) {
            Some(group) => group.additions.push(addition),
            None => groups.push(Group {
                filter: needed.filter,
                tests: needed.filter.0.iter().map(|condition| Test::of(*condition, inputs)).collect(),
                additions: vec![addition],
            }),
        }
        entity.blank.push(Cell::new(needed.measure));
        entity.needed.push(needed);
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

    /// Finds the measures from which the values of a set are read; none when the plan does not keep one of them.
    pub(super) fn prepare(&self, set: &FeatureSet) -> Option<Prepared> {
        let mut past: HashMap<Entity, Vec<Reading>> = HashMap::new();
        let mut facts = Vec::new();
        for (place, feature) in set.features.iter().enumerate() {
            match &feature.computed {
                Computed::Request(fact) => facts.push((place, *fact)),
                Computed::Past(it) => {
                    let known = &self.entities[feature.entity as usize].needed;
                    let cell = |needed: Needed| known.iter().position(|known| *known == needed);
                    let cells = it.needs(feature.entity).into_iter().map(cell).collect::<Option<_>>()?;
                    past.entry(feature.entity).or_default().push(Reading { place, past: it.clone(), cells });
                }
            }
        }
        let mut past: Vec<_> = past.into_iter().collect();
        past.sort_by_key(|(entity, _)| *entity);
        Some(Prepared { plan: self.fingerprint, features: set.features.len(), past, facts })
    }
}

/// Where something stands in a list; it is put at the end when it does not stand there yet.
fn place_of<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
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

impl Taken {
    pub(super) fn nothing() -> Self {
        let occurrence = Occurrence { at_us: 0, id: 0 };
        Self { kind: Kind::Click, occurrence, inputs: Vec::new(), leaves_us: Vec::new() }
    }
}

impl EntityPlan {
    /// Whether events of a kind may change anything here.
    pub(super) fn minds(&self, kind: Kind) -> bool {
        !self.groups[kind as usize].is_empty()
    }

    /// Whether an event, taken apart, still changes anything here at `now_us`.
    pub(super) fn is_changed_by(&self, taken: &Taken, now_us: i64) -> bool {
        let mut groups = self.groups[taken.kind as usize].iter();
        groups.any(|group| {
            group.passes(taken) && group.additions.iter().any(|it| it.leaves_us(taken, now_us).is_some())
        })
    }

    /// Adds an event, taken apart, to the cells of an entity that it is about. Returns whether something is to be
    /// kept for ever, and when the last of the rest leaves.
    pub(super) fn add(&self, taken: &Taken, now_us: i64, cells: &mut [Cell]) -> (bool, Option<i64>) {
        let (mut for_ever, mut last) = (false, None);
        for group in self.groups[taken.kind as usize].iter().filter(|group| group.passes(taken)) {
            for addition in &group.additions {
                let (Some(leaves_us), Some(input)) =
                    (addition.leaves_us(taken, now_us), taken.inputs[addition.input])
                else {
                    continue;
                };
                let cell = &mut cells[addition.cell];
                cell.expire(now_us);
                cell.add(leaves_us, taken.occurrence, input);
                if leaves_us == NEVER {
                    for_ever = true;
                } else {
                    last = last.max(Some(leaves_us));
                }
            }
        }
        (for_ever, last)
    }
}

impl Group {
    fn passes(&self, taken: &Taken) -> bool {
        self.tests.iter().all(|test| test.passes(&taken.inputs))
    }
}

impl Addition {
    /// When the event leaves; none when it has left already, and when it has nothing to add.
    fn leaves_us(&self, taken: &Taken, now_us: i64) -> Option<i64> {
        taken.inputs[self.input]?;
        Some(taken.leaves_us[self.window]).filter(|leaves_us| now_us < *leaves_us)
    }
}
