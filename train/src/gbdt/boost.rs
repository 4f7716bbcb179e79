//! Tree after tree, each against what the ones before it still get wrong (Friedman 2001).

use std::ops::ControlFlow;

use models::graph::trees::{Leaves, Trees};
use rayon::prelude::*;

use super::{
    Boosted, GbdtError, Loss, Settings,
    bins::Bins,
    block::Block,
    grow::Grower,
    histogram::{BITS, Histograms},
    tree::Tree,
};
use crate::anomaly::{dice::Dice, matrix::Matrix};

/// Streams of chance for the features of trees; those for their rows have the numbers below.
const FEATURES: u64 = 1 << 63;
/// Leaf values are whole multiples of this part of how far scores reach, as a power of two: sums are exact up to 2⁸
/// times as far.
const GRID: i32 = -45;

/// Rows with what was found out about them.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    /// What is known of them; columns with levels hold categories, all others numbers.
    pub table: &'a Matrix,
    /// One for each row.
    pub targets: &'a [f64],
    /// How much each row counts, where they do not count alike.
    pub weights: Option<&'a [f64]>,
}

/// What is known after each tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// How many trees there are.
    pub trees: usize,
    /// The weighted mean loss of the held-out rows, where there are any.
    pub held_out_loss: Option<f64>,
}

impl Examples<'_> {
    fn check(&self, loss: &dyn Loss, which: &'static str) -> Result<(), GbdtError> {
        let rows = self.table.rows();
        if rows == 0 {
            return Err(GbdtError::NoRows(which));
        }
        if u32::try_from(rows).is_err() {
            return Err(GbdtError::TooManyRows(rows));
        }
        let counts = [("targets", Some(self.targets)), ("weights", self.weights)];
        for (what, numbers) in counts.into_iter().filter_map(|(what, it)| it.map(|it| (what, it))) {
            if numbers.len() != rows {
                return Err(GbdtError::Count { what, found: numbers.len(), rows });
            }
        }
        if let Some(weights) = self.weights {
            if let Some(row) = weights.iter().position(|it| !(it.is_finite() && 0.0 <= *it)) {
                return Err(GbdtError::Weight { row, value: weights[row] });
            }
            if weights.iter().all(|weight| *weight <= 0.0) {
                return Err(GbdtError::NoWeight);
            }
        }
        loss.check(self.targets, self.weights)
    }

    /// The targets and weights of a block's rows.
    fn of(&self, block: &Block) -> (&[f64], Option<&[f64]>) {
        let rows = block.first..block.first + block.rows();
        (&self.targets[rows.clone()], self.weights.map(|weights| &weights[rows]))
    }

    /// The weighted mean loss; blocks are added in their order.
    fn mean_loss(&self, loss: &dyn Loss, blocks: &[Block]) -> f64 {
        let of_block = |block: &Block| {
            let (targets, weights) = self.of(block);
            loss.sum(targets, &block.scores, weights)
        };
        let losses: Vec<f64> = blocks.par_iter().map(of_block).collect();
        let total = self.weights.map_or(self.targets.len() as f64, |weights| weights.iter().sum());
        losses.iter().sum::<f64>() / total
    }
}

/// Grows trees. The same rows, settings and seed give the same trees at any number of threads. `watch` hears of each
/// tree and may break off.
///
/// # Errors
/// When settings are out of bounds, rows and targets are not what the loss needs, or `watch` breaks off.
pub fn fit(
    settings: &Settings,
    loss: &dyn Loss,
    learn: Examples<'_>,
    held_out: Option<Examples<'_>>,
    watch: &mut dyn FnMut(Round) -> ControlFlow<()>,
) -> Result<Boosted, GbdtError> {
    if learn.table.width() == 0 {
        return Err(GbdtError::NoColumns);
    }
    settings.check(learn.table)?;
    learn.check(loss, "learning")?;
    if let Some(held_out) = &held_out {
        held_out.table.check_width(learn.table.width())?;
        held_out.check(loss, "held-out")?;
    } else if settings.patience.is_some() {
        return Err(GbdtError::NothingToStopBy);
    }
    let bins = Bins::of_table(learn.table, settings.bins, settings.seed)?;
    let mut run = Run::new(settings, loss, &bins, learn, held_out);
    let mut best = (0, f64::INFINITY);
    for tree in 1..=settings.trees {
        let grown = run.next(tree);
        let held_out_loss = run.held_out_loss();
        if let Some(loss) = held_out_loss
            && (loss < best.1 || tree == 1)
        {
            best = (tree, loss);
        }
        run.rounds.push(Round { trees: tree, held_out_loss });
        if watch(Round { trees: tree, held_out_loss }).is_break() {
            return Err(GbdtError::Stopped);
        }
        let enough = settings.patience.is_some_and(|patience| best.0 + patience <= tree);
        let stuck = grown == 1 && 1.0 <= settings.row_fraction && 1.0 <= settings.feature_fraction;
        if enough || stuck {
            break;
        }
    }
    Ok(run.finish(if settings.patience.is_some() { best.0 } else { usize::MAX }))
}

/// Where a fit is.
struct Run<'a> {
    settings: &'a Settings,
    loss: &'a dyn Loss,
    grower: Grower<'a>,
    learn: Examples<'a>,
    blocks: Vec<Block>,
    held_out: Option<(Examples<'a>, Vec<Block>)>,
    /// What leaf values are whole multiples of, a power of two.
    grid: f64,
    trees: Trees,
    covers: Vec<f64>,
    gains: Vec<f64>,
    rounds: Vec<Round>,
}

impl<'a> Run<'a> {
    fn new(
        settings: &'a Settings,
        loss: &'a dyn Loss,
        bins: &'a [Bins],
        learn: Examples<'a>,
        held_out: Option<Examples<'a>>,
    ) -> Self {
        let start = loss.start(learn.targets, learn.weights);
        let reach = loss.reach(learn.targets, start).max(start.abs()).max(f64::MIN_POSITIVE * 1e30);
        let grid = power_of_two(exponent(reach) + GRID);
        let start = snapped(start, grid);
        let mut blocks = Block::of_table(learn.table, bins, start);
        for block in &mut blocks {
            block.slopes.resize(block.rows(), [0.0; 2]);
            block.whole.resize(block.rows(), [0; 2]);
        }
        let trees = Trees {
            leaves: Leaves::OneTarget { target: Vec::new(), value: Vec::new() },
            base: vec![start],
            link: loss.link(),
            ..Trees::default()
        };
        Self {
            settings,
            loss,
            grower: Grower { settings, bins, histograms: Histograms::new(bins) },
            held_out: held_out.map(|it| (it, Block::of_table(it.table, bins, start))),
            learn,
            blocks,
            grid,
            trees,
            covers: Vec::new(),
            gains: Vec::new(),
            rounds: Vec::new(),
        }
    }

    /// Grows the `number`-th tree, and says how many nodes it has.
    fn next(&mut self, number: usize) -> usize {
        let unit = self.derive(number as u64);
        let is_asked = self.asked(number as u64);
        let mut tree = self.grower.grow(&mut self.blocks, unit, &is_asked);
        self.settle(&mut tree);
        let sees_all = 1.0 <= self.settings.row_fraction;
        let add = |block: &mut Block| if sees_all { block.add_leaves(&tree) } else { block.add_tree(&tree) };
        self.blocks.par_iter_mut().for_each(add);
        if let Some((_, blocks)) = &mut self.held_out {
            blocks.par_iter_mut().for_each(|block| block.add_tree(&tree));
        }
        tree.append(self.grower.bins, &mut self.trees, &mut self.covers, &mut self.gains);
        tree.nodes.len()
    }

    /// Derives the loss at all rows, as whole numbers of the units that come back, and draws those that the tree sees.
    fn derive(&mut self, number: u64) -> [f64; 2] {
        let (loss, learn) = (self.loss, &self.learn);
        let derive = |block: &mut Block| {
            let (targets, weights) = learn.of(block);
            let Block { scores, slopes, .. } = block;
            loss.derivatives(targets, scores, weights, slopes);
            let reach = |all: Reach, slopes: &[f32; 2]| all.with(Reach::of(*slopes));
            slopes.iter().fold(Reach::NONE, reach)
        };
        let Reach { most, least } =
            self.blocks.par_iter_mut().map(derive).reduce(|| Reach::NONE, Reach::with);
        let shifts = most.map(|most| if 0.0 < most { BITS - 1 - exponent(f64::from(most)) } else { 0 });
        let times = shifts.map(power_of_two);
        let alike = (most[1] <= least).then(|| i64::from(nearest(least, times[1])));
        self.grower.histograms.know_hessian(alike);
        let Settings { row_fraction, seed, .. } = *self.settings;
        self.blocks.par_iter_mut().enumerate().for_each(|(at, block)| {
            for (whole, slopes) in block.whole.iter_mut().zip(&block.slopes) {
                *whole = [nearest(slopes[0], times[0]), nearest(slopes[1], times[1])];
            }
            block.begin(row_fraction, Dice::new(seed, number << 32 | at as u64));
        });
        shifts.map(|shift| power_of_two(-shift))
    }

    /// Which features the tree may ask for.
    fn asked(&self, number: u64) -> Vec<bool> {
        let width = self.grower.bins.len();
        let count = (self.settings.feature_fraction * width as f64).ceil() as usize;
        let mut asked = vec![false; width];
        for feature in Dice::new(self.settings.seed, FEATURES | number).sample(width as u32, count.max(1)) {
            asked[feature as usize] = true;
        }
        asked
    }

    /// Gives the leaves of a tree their values.
    fn settle(&self, tree: &mut Tree) {
        let (settings, loss) = (self.settings, self.loss);
        let leaves = tree.nodes.par_iter_mut().enumerate().filter(|(_, node)| node.split.is_none());
        leaves.for_each(|(place, node)| {
            let mut best = node.output;
            if loss.renews() {
                best = loss.renewed(&mut self.residuals(place)).unwrap_or(0.0);
                best = best.max(node.bounds[0]).min(node.bounds[1]);
            }
            node.value = snapped(settings.learning_rate * best, self.grid);
        });
    }

    /// What the rows of a node lack, with their weights.
    fn residuals(&self, node: usize) -> Vec<(f64, f64)> {
        let of_block = |block: &'_ Block| -> Vec<(f64, f64)> {
            let (targets, weights) = self.learn.of(block);
            let residual = |row: &u16| {
                let row = usize::from(*row);
                (targets[row] - block.scores[row], weights.map_or(1.0, |weights| weights[row]))
            };
            block.rows_in(node).iter().map(residual).collect()
        };
        self.blocks.iter().flat_map(of_block).collect()
    }

    fn held_out_loss(&self) -> Option<f64> {
        self.held_out.as_ref().map(|(examples, blocks)| examples.mean_loss(self.loss, blocks))
    }

    /// The first trees of what was grown.
    fn finish(self, trees: usize) -> Boosted {
        let mut boosted = Boosted {
            columns: self.learn.table.columns().to_vec(),
            trees: self.trees,
            covers: self.covers,
            gains: self.gains,
            rounds: self.rounds,
        };
        boosted.keep(trees);
        boosted
    }
}

/// How large derivatives are.
#[derive(Clone, Copy)]
struct Reach {
    /// The largest, whatever their sign.
    most: [f32; 2],
    /// The least second one.
    least: f32,
}

impl Reach {
    const NONE: Self = Self { most: [0.0; 2], least: f32::INFINITY };

    fn of(slopes: [f32; 2]) -> Self {
        Self { most: slopes.map(f32::abs), least: slopes[1] }
    }

    fn with(self, other: Self) -> Self {
        let most = [self.most[0].max(other.most[0]), self.most[1].max(other.most[1])];
        Self { most, least: self.least.min(other.least) }
    }
}

/// The greatest e with 2ᵉ not above a number that is finite and above zero.
fn exponent(value: f64) -> i32 {
    let exponent = (value.to_bits() >> 52) as i32 & 0x7ff;
    exponent.max(1) - 1023
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent.clamp(-1022, 1023) + 1023) as u64) << 52)
}

/// A derivative as a whole number: adding 3 · 2⁵¹ rounds to the nearest and leaves it in the lowest bits.
fn nearest(slope: f32, times: f64) -> i32 {
    (f64::from(slope) * times + 6_755_399_441_055_744.0).to_bits() as i32
}

/// The nearest whole multiple of a power of two.
fn snapped(value: f64, grid: f64) -> f64 {
    (value / grid).round() * grid
}
