//! What is known of one entity, and until when it has to be.

use serde::{Deserialize, Serialize};

use super::{
    cells::Cells,
    events::{AT, Events, FEW},
    plan::{Plan, Reading, Taken},
    streams::EntityPlan,
};
use crate::{entity::Entity, value::Value};

/// What is known of one entity.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Memory {
    record: Record,
    /// When the last of what leaves has left.
    pub leaves_us: i64,
    /// Whether there is something that never leaves.
    pub for_ever: bool,
    /// Whether it will be looked at again.
    pub is_scheduled: bool,
}

#[derive(Debug, Serialize, Deserialize)]
enum Record {
    /// The events themselves, as rows.
    Events(Vec<i64>),
    /// What was made of them.
    Cells(Box<Cells>),
}

impl Memory {
    /// Of somebody to whom nothing happened.
    pub(super) fn nothing(plan: &EntityPlan) -> Self {
        let record =
            if plan.keeps_events() { Record::Events(Vec::new()) } else { Record::Cells(plan.cells()) };
        Self { record, leaves_us: i64::MIN, for_ever: false, is_scheduled: false }
    }

    /// Adds an event, taken apart.
    pub(super) fn add(&mut self, plan: &Plan, entity: Entity, taken: &Taken, now_us: i64) {
        let of_entity = &plan.entities[entity as usize];
        if let Record::Events(rows) = &mut self.record {
            let most = FEW * of_entity.layout.length();
            if most <= rows.len() {
                forget(rows, of_entity.layout.length(), plan.begins_us(of_entity, now_us));
            }
            if rows.len() < most {
                of_entity.write(rows, entity, taken);
                return;
            }
            self.record = Record::Cells(grown(plan, of_entity, rows, now_us));
        }
        if let Record::Cells(cells) = &mut self.record {
            cells.settle(now_us);
            of_entity.add_to(cells, entity, taken, now_us);
        }
    }

    /// Reads values of a set.
    pub(super) fn read(
        &mut self,
        plan: &EntityPlan,
        begins_us: &[i64],
        readings: &[Reading],
        now_us: i64,
        values: &mut [Value],
    ) {
        match &mut self.record {
            Record::Events(rows) => {
                let events = Events { plan, rows, begins_us };
                for reading in readings {
                    values[reading.place] = reading.past.read(&events, reading.measures, now_us);
                }
            }
            Record::Cells(cells) => {
                cells.settle(now_us);
                for reading in readings {
                    values[reading.place] = reading.past.read(&**cells, reading.measures, now_us);
                }
            }
        }
    }

    /// Forgets what has left and gives its memory back.
    pub(super) fn shrink(&mut self, plan: &Plan, entity: Entity, now_us: i64) {
        let of_entity = &plan.entities[entity as usize];
        match &mut self.record {
            Record::Events(rows) => {
                forget(rows, of_entity.layout.length(), plan.begins_us(of_entity, now_us));
                rows.shrink_to_fit();
            }
            Record::Cells(cells) => {
                cells.settle(now_us);
                cells.shrink();
            }
        }
    }
}

/// Forgets events that have left every window.
fn forget(rows: &mut Vec<i64>, length: usize, begins_us: i64) {
    let still: Vec<i64> =
        rows.chunks_exact(length).filter(|row| begins_us <= row[AT]).flatten().copied().collect();
    if still.len() < rows.len() {
        *rows = still;
    }
}

/// The cells that there would be, had the events gone there.
fn grown(plan: &Plan, of_entity: &EntityPlan, rows: &[i64], now_us: i64) -> Box<Cells> {
    let mut cells = of_entity.cells();
    for row in rows.chunks_exact(of_entity.layout.length()) {
        of_entity.replay(&mut cells, row, &plan.windows, now_us);
    }
    cells
}
