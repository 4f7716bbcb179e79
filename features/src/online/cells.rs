//! What is known of an entity that much happened to: one cell for each measure.

use serde::{Deserialize, Serialize};

use crate::{
    aggregate::{Cell, Measure, Occurrence},
    reading::Measured,
    window::NEVER,
};

/// Cells, and when something leaves each of them, so that none is looked at before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Cells {
    cells: Box<[Cell]>,
    /// For each cell, the instant before which nothing leaves it.
    due_us: Box<[i64]>,
    /// The first of those instants.
    next_due_us: i64,
}

impl Cells {
    pub(super) fn new(measures: impl Iterator<Item = Measure>) -> Self {
        let cells: Box<[Cell]> = measures.map(Cell::new).collect();
        let due_us = cells.iter().map(|_| NEVER).collect();
        Self { cells, due_us, next_due_us: NEVER }
    }

    /// Takes away what has left by `now_us`. This comes before anything is added or read.
    pub(super) fn settle(&mut self, now_us: i64) {
        if now_us < self.next_due_us {
            return;
        }
        let mut next_due_us = NEVER;
        for (cell, due_us) in self.cells.iter_mut().zip(&mut self.due_us) {
            if *due_us <= now_us {
                cell.expire(now_us);
                *due_us = cell.due_us();
            }
            next_due_us = next_due_us.min(*due_us);
        }
        self.next_due_us = next_due_us;
    }

    /// Adds to a cell what stays until `leaves_us`.
    pub(super) fn add(&mut self, place: usize, leaves_us: i64, occurrence: Occurrence, input: i64) {
        self.cells[place].add(leaves_us, occurrence, input);
        self.due_us[place] = self.due_us[place].min(leaves_us);
        self.next_due_us = self.next_due_us.min(leaves_us);
    }

    /// Gives memory back that a busier time needed.
    pub(super) fn shrink(&mut self) {
        self.cells.iter_mut().for_each(Cell::shrink);
    }
}

impl Measured for Cells {
    fn count(&self, place: usize) -> u64 {
        match &self.cells[place] {
            Cell::Count(count) => count.total(),
            _ => 0,
        }
    }

    fn sum(&self, place: usize) -> i128 {
        match &self.cells[place] {
            Cell::Sum(sum) => sum.total(),
            _ => 0,
        }
    }

    fn least(&self, place: usize) -> Option<i64> {
        match &self.cells[place] {
            Cell::Least(least) => least.number(),
            _ => None,
        }
    }

    fn greatest(&self, place: usize) -> Option<i64> {
        match &self.cells[place] {
            Cell::Greatest(least) => least.number().map(|turned| !turned),
            _ => None,
        }
    }

    fn last(&self, place: usize) -> Option<i64> {
        match &self.cells[place] {
            Cell::Last(last) => last.number(),
            _ => None,
        }
    }

    fn latest_us(&self, place: usize) -> Option<i64> {
        match &self.cells[place] {
            Cell::Last(last) => last.occurred_at_us(),
            _ => None,
        }
    }

    fn distinct(&self, place: usize) -> u64 {
        match &self.cells[place] {
            Cell::Distinct(distinct) => distinct.size(),
            _ => 0,
        }
    }

    fn entropy(&self, place: usize) -> Option<f64> {
        match &self.cells[place] {
            Cell::Entropy(entropy) => entropy.bits(),
            _ => None,
        }
    }

    fn quantile(&self, place: usize, thousandths: u16) -> Option<f64> {
        match &self.cells[place] {
            Cell::Quantile(sketch) => sketch.quantile(thousandths),
            _ => None,
        }
    }

    fn least_gap_us(&self, place: usize) -> Option<i64> {
        match &self.cells[place] {
            Cell::Gap(gap) => gap.least_us(),
            _ => None,
        }
    }
}
