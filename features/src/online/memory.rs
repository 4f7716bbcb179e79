//! What is known of one entity, and until when it has to be.
//!
//! An event is written down as a row. When there is no room for another, all rows go into cells together: what a cell
//! touches in memory is then touched once for many events, and most entities never need cells at all.

use serde::{Deserialize, Serialize};

use super::{
    cells::Cells,
    events::{AT, Events, FEW},
    plan::{Plan, Reading, Taken},
    streams::EntityPlan,
};
use crate::{entity::Entity, value::Value};

/// What is known of one entity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The events that are in no cell.
    rows: Vec<i64>,
    /// What was made of all others, where there were any.
    cells: Option<Box<Cells>>,
    /// When the last of what leaves has left.
    pub leaves_us: i64,
    /// Whether there is something that never leaves.
    pub for_ever: bool,
    /// Whether it will be looked at again.
    pub is_scheduled: bool,
}

impl Memory {
    /// Adds an event, taken apart.
    pub(super) fn add(&mut self, plan: &Plan, entity: Entity, taken: &Taken, now_us: i64) {
        let of_entity = &plan.entities[entity as usize];
        let most = FEW * of_entity.layout.length();
        if most <= self.rows.len() {
            self.make_room(plan, of_entity, now_us);
        }
        of_entity.write(&mut self.rows, entity, taken);
    }

    /// Forgets rows of which nothing counts any more, or else puts all of them into cells.
    fn make_room(&mut self, plan: &Plan, of_entity: &EntityPlan, now_us: i64) {
        let before = self.rows.len();
        if self.cells.is_none() {
            forget(&mut self.rows, of_entity.layout.length(), plan.begins_us(of_entity, now_us));
        }
        if self.rows.len() == before {
            let cells = self.cells.get_or_insert_with(|| of_entity.cells());
            settle(cells, &mut self.rows, plan, of_entity, now_us);
        }
    }

    /// Reads values of a set.
    pub(super) fn read(
        &mut self,
        plan: &Plan,
        entity: Entity,
        readings: &[Reading],
        (begins_us, now_us): (&[i64], i64),
        values: &mut [Value],
    ) {
        let of_entity = &plan.entities[entity as usize];
        let Self { rows, cells, .. } = self;
        if let Some(cells) = cells {
            settle(cells, rows, plan, of_entity, now_us);
            for reading in readings {
                values[reading.place] = reading.past.read(&**cells, reading.measures, now_us);
            }
        } else {
            let events = Events { plan: of_entity, rows, begins_us };
            for reading in readings {
                values[reading.place] = reading.past.read(&events, reading.measures, now_us);
            }
        }
    }

    /// Forgets what has left and gives its memory back.
    pub(super) fn shrink(&mut self, plan: &Plan, entity: Entity, now_us: i64) {
        let of_entity = &plan.entities[entity as usize];
        forget(&mut self.rows, of_entity.layout.length(), plan.begins_us(of_entity, now_us));
        self.rows.shrink_to_fit();
        if let Some(cells) = &mut self.cells {
            settle(cells, &mut self.rows, plan, of_entity, now_us);
            cells.shrink();
        }
    }
}

/// Puts rows into cells, from which what has left is taken away.
fn settle(cells: &mut Cells, rows: &mut Vec<i64>, plan: &Plan, of_entity: &EntityPlan, now_us: i64) {
    cells.settle(now_us);
    if !rows.is_empty() {
        of_entity.add_to(cells, rows, &plan.windows, now_us);
        rows.clear();
    }
}

/// Forgets events that have left every window.
fn forget(rows: &mut Vec<i64>, length: usize, begins_us: i64) {
    let still = rows.chunks_exact(length).filter(|row| begins_us <= row[AT]);
    let still: Vec<i64> = still.flatten().copied().collect();
    if still.len() < rows.len() {
        *rows = still;
    }
}
