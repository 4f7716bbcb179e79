//! One isolation tree: random questions until every row stands alone, or the height is reached.

use super::{Trees, average_path_length};
use crate::anomaly::{dice::Dice, matrix::Matrix};

/// A question that divides some rows.
struct Question {
    feature: u32,
    threshold: f64,
    missing: Missing,
}

/// Where rows without the value go.
enum Missing {
    Left,
    Right,
    /// Where most rows go, because none here lacks the value.
    WithMost,
}

/// Grows a tree on some rows of a table.
pub(super) fn tree(table: &Matrix, mut rows: Vec<u32>, limit: u32, mut dice: Dice) -> Trees {
    let mut features: Vec<u32> = (0..table.width() as u32).collect();
    let mut tree = Trees::default();
    // Which part of `rows` each node has, in the order of the nodes.
    let mut spans = vec![(0, rows.len())];
    leaf(&mut tree, rows.len(), 0);
    let mut node = 0;
    while node < spans.len() {
        let (from, to) = spans[node];
        let depth = tree.depth[node];
        let here = &mut rows[from..to];
        let deeper = depth < limit && 1 < here.len();
        if let Some(question) = deeper.then(|| ask(table, here, &mut features, &mut dice)).flatten() {
            let left = divide(table, here, &question);
            let missing_left = match question.missing {
                Missing::Left => true,
                Missing::Right => false,
                Missing::WithMost => here.len() <= 2 * left,
            };
            tree.feature[node] = question.feature as i32;
            tree.threshold[node] = question.threshold;
            tree.missing_left[node] = missing_left;
            tree.left[node] = leaf(&mut tree, left, depth + 1);
            tree.right[node] = leaf(&mut tree, to - from - left, depth + 1);
            spans.push((from, from + left));
            spans.push((from + left, to));
        }
        node += 1;
    }
    expect_paths(&mut tree);
    tree
}

/// Adds a node that is a leaf as long as nothing is asked there, and says where.
fn leaf(tree: &mut Trees, samples: usize, depth: u32) -> u32 {
    let at = tree.len() as u32;
    tree.feature.push(-1);
    tree.threshold.push(0.0);
    tree.left.push(at);
    tree.right.push(at);
    tree.missing_left.push(false);
    tree.samples.push(samples as u32);
    tree.depth.push(depth);
    tree.path.push(f64::from(depth) + average_path_length(samples));
    at
}

/// A feature at random among those that differ in these rows, and a threshold at random between its least and its
/// greatest value; None when the rows are all alike. Where values are missing, they go to either side by chance, and
/// having one or not is itself a difference.
fn ask(table: &Matrix, rows: &[u32], features: &mut [u32], dice: &mut Dice) -> Option<Question> {
    let (width, values) = (table.width(), table.values());
    for tried in 0..features.len() {
        let other = tried + dice.index(features.len() - tried);
        features.swap(tried, other);
        let feature = features[tried];
        let (mut least, mut greatest, mut missing) = (f64::INFINITY, f64::NEG_INFINITY, 0);
        for &row in rows {
            let value = values[row as usize * width + feature as usize];
            least = if value < least { value } else { least };
            greatest = if greatest < value { value } else { greatest };
            missing += usize::from(value.is_nan());
        }
        if least < greatest {
            let drawn = dice.between(least, greatest);
            let threshold = if drawn < greatest { drawn } else { least };
            let missing = match missing {
                0 => Missing::WithMost,
                _ if dice.coin() => Missing::Left,
                _ => Missing::Right,
            };
            return Some(Question { feature, threshold, missing });
        }
        if 0 < missing && missing < rows.len() {
            return Some(Question { feature, threshold: f64::MAX, missing: Missing::Right });
        }
    }
    None
}

/// Puts the rows that go left before the others, and says how many they are.
fn divide(table: &Matrix, rows: &mut [u32], question: &Question) -> usize {
    let (width, values, feature) = (table.width(), table.values(), question.feature as usize);
    let missing_left = matches!(question.missing, Missing::Left);
    let mut left = 0;
    for at in 0..rows.len() {
        let value = values[rows[at] as usize * width + feature];
        rows.swap(left, at);
        left += usize::from(value <= question.threshold || (missing_left && value.is_nan()));
    }
    left
}

/// From the leaves up: what a node expects is the mean of what its children do, weighted with their samples.
fn expect_paths(tree: &mut Trees) {
    for node in (0..tree.len()).rev() {
        if 0 <= tree.feature[node] {
            let child = |child: u32| f64::from(tree.samples[child as usize]) * tree.path[child as usize];
            let sum = child(tree.left[node]) + child(tree.right[node]);
            tree.path[node] = sum / f64::from(tree.samples[node]);
        }
    }
}
