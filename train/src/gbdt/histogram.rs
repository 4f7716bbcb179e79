//! For each bin of each feature, the sums over a node's rows, as whole numbers.
//!
//! A bin takes one addition of two 64-bit lanes per row: the first derivative, and the second one above the count of
//! rows. Where the second one is the same for all rows, as with squared loss, one lane is enough: the first above the
//! count. Eight features at a time, so that what is added to stays in the first cache while the rows of a block stay in
//! the second.

use std::{
    ops::{AddAssign, Sub},
    sync::{Mutex, PoisonError},
};

use rayon::prelude::*;

use super::{
    bins::{Bins, MISSING},
    block::{Block, PAGE, Place},
};

/// The largest derivative as a whole number is below 2 to this.
pub(super) const BITS: i32 = 30;
/// Rows that are counted in a lane before it is emptied: below 2 to this.
const COUNT_BITS: u32 = 17;
/// The rows of four blocks at most, which the count has room for.
const MOST_ROWS: usize = 1 << 16;
/// Fewer rows are not worth another thread.
const FEWEST_ROWS: usize = 1 << 12;
/// Features whose lanes fit into the first cache together.
const TILE: usize = 8;

/// The sums over some rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Of the first derivatives.
    pub gradient: i64,
    /// Of the second.
    pub hessian: i64,
    /// How many rows.
    pub rows: u32,
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.gradient += other.gradient;
        self.hessian += other.hessian;
        self.rows += other.rows;
    }
}

impl Sub for Sums {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }
}

/// The sums of each bin: feature after feature, with that of missing values after a feature's last bin.
pub(super) type Histogram = Vec<Sums>;

/// Lanes of one feature: of each bin, the first derivative, and the second above the count; or the first above the count.
type Lanes<const WIDTH: usize> = [[u64; WIDTH]; 256];
/// What two lanes of a page's features take.
const PAGE_LANES: usize = PAGE * 256 * 2;

/// Where the bins of features are in a histogram, and what is filled on the way there.
#[derive(Debug)]
pub(super) struct Histograms {
    /// Where those of each feature begin, and where the last ones end.
    begins: Vec<usize>,
    /// The second derivative of all rows, where they have the same.
    hessian: Option<i64>,
    /// Lanes to fill, all zero.
    lanes: Mutex<Vec<Vec<u64>>>,
    /// Histograms that nobody needs any more.
    free: Vec<Histogram>,
}

impl Histograms {
    pub(super) fn new(bins: &[Bins]) -> Self {
        let mut begins = vec![0];
        for bins in bins {
            begins.push(begins[begins.len() - 1] + bins.count() + 1);
        }
        Self { begins, hessian: None, lanes: Mutex::default(), free: Vec::new() }
    }

    /// From now on the second derivative is the same for all rows, or not.
    pub(super) fn know_hessian(&mut self, of_all: Option<i64>) {
        self.hessian = of_all;
    }

    /// Which part of a histogram is a feature's.
    pub(super) fn range(&self, feature: usize) -> std::ops::Range<usize> {
        self.begins[feature]..self.begins[feature + 1]
    }

    /// What is not needed any more is filled again later.
    pub(super) fn recycle(&mut self, histogram: Histogram) {
        self.free.push(histogram);
    }

    /// The histogram of a node's rows; of features on pages that the tree does not ask for it holds nothing.
    pub(super) fn of_node(&mut self, blocks: &[Block], node: usize, is_asked: &[bool]) -> Histogram {
        let mut histogram = self.free.pop().unwrap_or_default();
        histogram.clear();
        histogram.resize(self.begins[self.begins.len() - 1], Sums::default());
        let groups = groups(blocks, node);
        let mut rest = histogram.as_mut_slice();
        let mut pages = Vec::new();
        for (page, asked) in is_asked.chunks(PAGE).enumerate() {
            let features = page * PAGE..page * PAGE + asked.len();
            let length = self.begins[features.end] - self.begins[features.start];
            let (mine, others) = std::mem::take(&mut rest).split_at_mut(length);
            rest = others;
            if asked.contains(&true) {
                pages.push((features, Mutex::new(mine)));
            }
        }
        let tasks: Vec<_> =
            pages.iter().flat_map(|page| groups.iter().map(move |group| (page, group))).collect();
        tasks.into_par_iter().for_each(|((features, sums), group)| {
            let mut lanes = locked(&self.lanes).pop().unwrap_or_else(|| vec![0; PAGE_LANES]);
            match self.hessian {
                None => self.add::<2>(group, node, (features.clone(), sums), &mut lanes),
                Some(_) => self.add::<1>(group, node, (features.clone(), sums), &mut lanes),
            }
            locked(&self.lanes).push(lanes);
        });
        drop(pages);
        histogram
    }

    /// Adds the rows of a node in some blocks to the sums of some features, by way of lanes that are zero before and after.
    fn add<const WIDTH: usize>(
        &self,
        blocks: &[Block],
        node: usize,
        (features, sums): (std::ops::Range<usize>, &Mutex<&mut [Sums]>),
        lanes: &mut [u64],
    ) {
        let lanes: &mut [Lanes<WIDTH>] = lanes.as_chunks_mut().0.as_chunks_mut().0;
        let lanes = &mut lanes[..features.len()];
        blocks.iter().for_each(|block| fill(block, node, features.start, lanes));
        let begin = self.begins[features.start];
        let mut sums = locked(sums);
        for (feature, lanes) in features.zip(lanes) {
            let range = self.range(feature);
            self.empty(lanes, &mut sums[range.start - begin..range.end - begin]);
        }
    }

    /// Adds lanes to sums, and leaves them at zero.
    fn empty<const WIDTH: usize>(&self, lanes: &mut Lanes<WIDTH>, sums: &mut [Sums]) {
        let count = sums.len() - 1;
        let from = lanes[..count].iter().chain([&lanes[usize::from(MISSING)]]);
        for (sums, lane) in sums.iter_mut().zip(from) {
            let rows = lane[WIDTH - 1] & ((1 << COUNT_BITS) - 1);
            let above = lane[WIDTH - 1] as i64 >> COUNT_BITS;
            let (gradient, hessian) = match self.hessian {
                Some(hessian) => (above, hessian * rows as i64),
                None => (lane[0] as i64, above),
            };
            *sums += Sums { gradient, hessian, rows: rows as u32 };
        }
        lanes.fill([0; WIDTH]);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Blocks that are worked on by one thread: so many that threads are busy, and so few that counts have room.
fn groups(blocks: &[Block], node: usize) -> Vec<&[Block]> {
    let all: usize = blocks.iter().map(|block| block.rows_in(node).len()).sum();
    let most = (all / (2 * rayon::current_num_threads())).clamp(FEWEST_ROWS, MOST_ROWS);
    let (mut groups, mut from, mut rows) = (Vec::new(), 0, 0);
    for (at, block) in blocks.iter().enumerate() {
        let here = block.rows_in(node).len();
        if from < at && most < rows + here {
            groups.push(&blocks[from..at]);
            (from, rows) = (at, 0);
        }
        rows += here;
    }
    groups.push(&blocks[from..]);
    groups
}

/// Adds the rows of a node in one block to the lanes of features, tile by tile.
fn fill<const WIDTH: usize>(block: &Block, node: usize, first: usize, lanes: &mut [Lanes<WIDTH>]) {
    let rows = block.rows_in(node);
    if rows.is_empty() {
        return;
    }
    fetch(block.bins(), block.place(first), rows);
    for (tile, lanes) in lanes.chunks_mut(TILE).enumerate() {
        let feature = first + tile * TILE;
        let task = Tile { bins: block.bins(), place: block.place(feature), rows, whole: &block.whole };
        match lanes.len() {
            1 => task.add::<1, WIDTH>(lanes),
            2 => task.add::<2, WIDTH>(lanes),
            3 => task.add::<3, WIDTH>(lanes),
            4 => task.add::<4, WIDTH>(lanes),
            5 => task.add::<5, WIDTH>(lanes),
            6 => task.add::<6, WIDTH>(lanes),
            7 => task.add::<7, WIDTH>(lanes),
            _ => task.add::<TILE, WIDTH>(lanes),
        }
    }
}

/// Reads one byte at both ends of each row's bins and makes nothing of them: many rows come to the second cache at once,
/// where adding up would wait for them one after the other.
fn fetch(bins: &[u8], Place { at, stride }: Place, rows: &[u16]) {
    let seen = rows.iter().fold(0, |seen, row| {
        let from = at + usize::from(*row) * stride;
        seen ^ bins[from] ^ bins[from + stride - 1]
    });
    std::hint::black_box(seen);
}

struct Tile<'a> {
    bins: &'a [u8],
    place: Place,
    rows: &'a [u16],
    whole: &'a [[i32; 2]],
}

impl Tile<'_> {
    fn add<const FEATURES: usize, const WIDTH: usize>(&self, lanes: &mut [Lanes<WIDTH>]) {
        let lanes: &mut [Lanes<WIDTH>; FEATURES] = lanes.try_into().expect("a tile has as many features");
        let Place { at, stride } = self.place;
        for row in self.rows {
            let row = usize::from(*row);
            let [gradient, hessian] = self.whole[row].map(|it| i64::from(it) as u64);
            let counted = (if WIDTH == 1 { gradient } else { hessian }) << COUNT_BITS | 1;
            let added: [u64; WIDTH] =
                std::array::from_fn(|lane| if lane + 1 == WIDTH { counted } else { gradient });
            let from = at + row * stride;
            let bins: &[u8; FEATURES] =
                self.bins[from..from + FEATURES].try_into().expect("a row has as many bins");
            for (lanes, bin) in lanes.iter_mut().zip(bins) {
                let lane = &mut lanes[usize::from(*bin)];
                *lane = std::array::from_fn(|at| lane[at].wrapping_add(added[at]));
            }
        }
    }
}

/// What remains of a node without one of its children, in place.
pub(super) fn subtract(from: &mut [Sums], child: &[Sums]) {
    for (from, child) in from.iter_mut().zip(child) {
        *from = *from - *child;
    }
}
