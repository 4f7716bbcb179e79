//! The extended isolation forest: questions about directions instead of single features, which leaves no artefacts
//! along the axes (Hariri, Carrasco Kind and Brunner 2019).

use rayon::prelude::*;

use super::{
    Detector, DetectorError, check_learnable,
    dice::Dice,
    forest::{Credits, Settings, average_path_length, height_limit, score_of},
    matrix::Matrix,
};

/// All trees behind one another. A row goes left if Σ weight × value ≤ offset, missing values taken from
/// [`ExtendedForest::medians`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Planes {
    /// Which plane a node asks about; −1 for a leaf.
    pub plane: Vec<i32>,
    /// The child on the near side; the node itself for a leaf.
    pub left: Vec<u32>,
    /// The child on the far side; the node itself for a leaf.
    pub right: Vec<u32>,
    /// How many rows of the tree's sample came here.
    pub samples: Vec<u32>,
    /// The path length that is expected from here on, as in the isolation forest.
    pub path: Vec<f64>,
    /// Where each tree begins.
    pub roots: Vec<u32>,
    /// Of each plane, one weight for each column: a random direction, relative to the columns' spread.
    pub weights: Vec<f64>,
    /// Of each plane, the point it goes through: one value for each column.
    pub points: Vec<f64>,
    /// Of each plane, the sum of weights × point.
    pub offsets: Vec<f64>,
}

/// A fitted extended isolation forest, with full extension: each direction has a part of every feature.
///
/// The paper draws directions in the features' own units, so that the feature with the greatest numbers decides;
/// here weights are divided by each feature's standard deviation, and units do not matter.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtendedForest {
    sample_size: u32,
    average_path: f64,
    medians: Vec<f64>,
    spreads: Vec<f64>,
    planes: Planes,
}

impl ExtendedForest {
    /// Grows a forest; the same table, settings and seed give the same forest at any number of threads.
    ///
    /// # Errors
    /// When there is nothing to learn from, or the settings are out of bounds.
    pub fn fit(table: &Matrix, settings: &Settings) -> Result<Self, DetectorError> {
        settings.check()?;
        check_learnable(table)?;
        let sample_size = settings.sample_size.min(table.rows());
        let limit = height_limit(sample_size);
        let rows = u32::try_from(table.rows()).map_err(|_| DetectorError::TooManyRows(table.rows()))?;
        let (medians, scales): (Vec<f64>, Vec<f64>) =
            (0..table.width()).into_par_iter().map(|column| middle_and_scale(table, column)).unzip();
        let grown: Vec<Planes> = (0..settings.trees as u64)
            .into_par_iter()
            .map(|tree| {
                let mut dice = Dice::new(settings.seed, tree);
                let sample = dice.sample(rows, sample_size);
                Growth::new(table, &medians, &scales, sample, dice).finish(limit)
            })
            .collect();
        let mut planes = Planes::default();
        grown.into_iter().for_each(|tree| planes.append(tree));
        let average_path = average_path_length(sample_size);
        let sample_size = u32::try_from(sample_size).map_err(|_| DetectorError::TooManyRows(sample_size))?;
        Ok(Self { sample_size, average_path, medians, spreads: scales, planes })
    }

    /// The trees as flat arrays, for another format.
    #[must_use]
    pub fn planes(&self) -> &Planes {
        &self.planes
    }

    /// What stands for a missing value: the median of each column.
    #[must_use]
    pub fn medians(&self) -> &[f64] {
        &self.medians
    }

    /// The standard deviation of each column, which directions are relative to.
    #[must_use]
    pub fn spreads(&self) -> &[f64] {
        &self.spreads
    }

    /// How many rows each tree was grown from (ψ).
    #[must_use]
    pub fn sample_size(&self) -> u32 {
        self.sample_size
    }

    /// c(ψ), which scores are relative to.
    #[must_use]
    pub fn average_path(&self) -> f64 {
        self.average_path
    }

    /// How one row's mean path length came about. Each question's change in the expected path length is shared among the
    /// features as they share in its direction, each in units of its own spread: what a graph can say in the same node.
    #[must_use]
    pub fn credits(&self, row: &[f64]) -> Credits {
        let row = filled(row, &self.medians);
        let (planes, width) = (&self.planes, self.medians.len());
        let mut credits = Credits { base: 0.0, features: vec![0.0; width] };
        for &root in &planes.roots {
            let mut node = root as usize;
            credits.base += planes.path[node];
            while let Some((plane, child)) = planes.next(node, &row) {
                let change = planes.path[child] - planes.path[node];
                let direction = planes.weights[plane * width..(plane + 1) * width].iter().zip(&self.spreads);
                let sizes = direction.map(|(weight, spread)| (weight * spread).abs());
                let whole: f64 = sizes.clone().sum();
                for (credit, size) in credits.features.iter_mut().zip(sizes) {
                    *credit += change * if 0.0 < whole { size / whole } else { 1.0 / width as f64 };
                }
                node = child;
            }
        }
        let trees = planes.roots.len() as f64;
        credits.base /= trees;
        credits.features.iter_mut().for_each(|credit| *credit /= trees);
        credits
    }

    fn score(&self, row: &[f64]) -> f64 {
        let row = filled(row, &self.medians);
        let mut sum = 0.0;
        for &root in &self.planes.roots {
            let mut node = root as usize;
            while let Some((_, child)) = self.planes.next(node, &row) {
                node = child;
            }
            sum += self.planes.path[node];
        }
        score_of(sum / self.planes.roots.len() as f64, self.average_path)
    }
}

impl Detector for ExtendedForest {
    fn name(&self) -> &'static str {
        "eiforest"
    }

    fn scores(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError> {
        table.check_width(self.medians.len())?;
        let rows = table.values().par_chunks(table.width());
        Ok(rows.with_min_len(256).map(|row| self.score(row)).collect())
    }

    fn blame(&self, row: &[f64]) -> Vec<f64> {
        self.credits(row).features.into_iter().map(|credit| -credit).collect()
    }
}

impl Planes {
    /// The plane that a node asks about, and the child that a row without missing values goes to; None at a leaf.
    fn next(&self, node: usize, row: &[f64]) -> Option<(usize, usize)> {
        let plane = usize::try_from(self.plane[node]).ok()?;
        let weights = &self.weights[plane * row.len()..(plane + 1) * row.len()];
        let left = along(weights, row) <= self.offsets[plane];
        let child = if left { self.left[node] } else { self.right[node] };
        Some((plane, child as usize))
    }

    fn append(&mut self, tree: Self) {
        let offset = u32::try_from(self.plane.len()).expect("a forest has fewer than 2³² nodes");
        let planes = i32::try_from(self.offsets.len()).expect("a forest has fewer than 2³¹ planes");
        self.roots.push(offset);
        self.plane.extend(tree.plane.iter().map(|&plane| if plane < 0 { plane } else { plane + planes }));
        self.left.extend(tree.left.iter().map(|child| child + offset));
        self.right.extend(tree.right.iter().map(|child| child + offset));
        self.samples.extend(tree.samples);
        self.path.extend(tree.path);
        self.weights.extend(tree.weights);
        self.points.extend(tree.points);
        self.offsets.extend(tree.offsets);
    }
}

fn along(weights: &[f64], row: &[f64]) -> f64 {
    weights.iter().zip(row).map(|(weight, value)| weight * value).sum()
}

fn filled(row: &[f64], medians: &[f64]) -> Vec<f64> {
    row.iter().zip(medians).map(|(&value, &median)| if value.is_nan() { median } else { value }).collect()
}

/// The median and the standard deviation of what is there of a column; zero where it does not vary.
fn middle_and_scale(table: &Matrix, column: usize) -> (f64, f64) {
    let mut values: Vec<f64> = table.column(column).filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let Some(&median) = values.get(values.len() / 2) else { return (0.0, 0.0) };
    let count = values.len() as f64;
    let mean = values.iter().map(|value| value / count).sum::<f64>();
    let variance = values.iter().map(|value| (value - mean) * (value - mean) / count).sum::<f64>();
    let varies = values.first() < values.last() && variance.is_finite();
    (median, if varies { variance.sqrt() } else { 0.0 })
}

/// One tree while it grows.
struct Growth<'a> {
    width: usize,
    scales: &'a [f64],
    /// The sample, its missing values filled, row after row.
    values: Vec<f64>,
    /// Positions in the sample, in the order of the nodes that have them.
    rows: Vec<u32>,
    dice: Dice,
    tree: Planes,
}

impl<'a> Growth<'a> {
    fn new(table: &Matrix, medians: &[f64], scales: &'a [f64], sample: Vec<u32>, dice: Dice) -> Self {
        let values = sample.iter().flat_map(|&row| filled(table.row(row as usize), medians)).collect();
        let rows = (0..sample.len() as u32).collect();
        Self { width: table.width(), scales, values, rows, dice, tree: Planes::default() }
    }

    fn finish(mut self, limit: u32) -> Planes {
        let mut spans = vec![(0, self.rows.len(), 0)];
        self.leaf(self.rows.len(), 0);
        let mut node = 0;
        while node < spans.len() {
            let (from, to, depth) = spans[node];
            if depth < limit && 1 < to - from && self.ask(from, to) {
                let left = self.divide(from, to);
                self.tree.plane[node] = self.tree.offsets.len() as i32 - 1;
                self.tree.left[node] = self.leaf(left, depth + 1);
                self.tree.right[node] = self.leaf(to - from - left, depth + 1);
                spans.push((from, from + left, depth + 1));
                spans.push((from + left, to, depth + 1));
            }
            node += 1;
        }
        self.expect_paths();
        self.tree
    }

    fn leaf(&mut self, samples: usize, depth: u32) -> u32 {
        let tree = &mut self.tree;
        let at = tree.plane.len() as u32;
        tree.plane.push(-1);
        tree.left.push(at);
        tree.right.push(at);
        tree.samples.push(samples as u32);
        tree.path.push(f64::from(depth) + average_path_length(samples));
        at
    }

    /// Adds a plane in a random direction through a random point of the box around some rows, or says that they are all
    /// alike. Features that do not vary here have no part in it. One side may be empty, as in the paper.
    fn ask(&mut self, from: usize, to: usize) -> bool {
        let (mut offset, mut varies) = (0.0, false);
        for column in 0..self.width {
            let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
            for &row in &self.rows[from..to] {
                let value = self.values[row as usize * self.width + column];
                (least, greatest) = (least.min(value), greatest.max(value));
            }
            let (normal, point) = (self.dice.normal(), self.dice.between(least, greatest));
            let scaled = least < greatest && 0.0 < self.scales[column];
            let weight = if scaled { normal / self.scales[column] } else { 0.0 };
            varies |= scaled;
            offset += weight * point;
            self.tree.weights.push(weight);
            self.tree.points.push(point);
        }
        if !varies {
            let planes = self.tree.offsets.len() * self.width;
            self.tree.weights.truncate(planes);
            self.tree.points.truncate(planes);
            return false;
        }
        self.tree.offsets.push(offset);
        true
    }

    /// Puts the rows on the near side of the last plane before the others, and says how many they are.
    fn divide(&mut self, from: usize, to: usize) -> usize {
        let plane = self.tree.offsets.len() - 1;
        let weights = &self.tree.weights[plane * self.width..];
        let here = &mut self.rows[from..to];
        let mut left = 0;
        for at in 0..here.len() {
            let row = here[at] as usize * self.width;
            here.swap(left, at);
            let near = along(weights, &self.values[row..row + self.width]) <= self.tree.offsets[plane];
            left += usize::from(near);
        }
        left
    }

    fn expect_paths(&mut self) {
        let tree = &mut self.tree;
        for node in (0..tree.plane.len()).rev() {
            if 0 <= tree.plane[node] {
                let child = |child: u32| f64::from(tree.samples[child as usize]) * tree.path[child as usize];
                let sum = child(tree.left[node]) + child(tree.right[node]);
                tree.path[node] = sum / f64::from(tree.samples[node]);
            }
        }
    }
}
