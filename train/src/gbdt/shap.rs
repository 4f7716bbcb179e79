//! Exact additive reasons: the Shapley values of a tree's features, where a feature that is not known sends a row down
//! both ways in the parts that the rows of training took (TreeSHAP: Lundberg, Erion and Lee 2018, algorithm 2;
//! Lundberg et al. 2020).

use super::model::{Boosted, Contributions};

/// So many steps of ways are made room for: those to the leaves of trees of ten levels.
const ROOM: usize = 64;

/// A feature that was asked for on the way.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Its column; None for the root, where nothing was asked.
    feature: Option<usize>,
    /// The part of the rows that come this way where the feature is not known.
    unknown: f64,
    /// Whether the row itself comes this way: one or zero.
    known: f64,
    /// How much sets of features of each size weigh.
    weight: f64,
}

/// How the score of a row came about. Ways lie one behind the other in a single list, each a copy of the one that it goes on
/// from, so that no step asks for memory.
pub(super) fn contributions(model: &Boosted, row: &[f64]) -> Contributions {
    let mut features = vec![0.0; row.len()];
    let mut base = model.trees.base[0];
    let mut ways = Vec::with_capacity(ROOM);
    for root in &model.trees.roots {
        let root = *root as usize;
        base += expected(model, root);
        let start = Step { feature: None, unknown: 1.0, known: 1.0, weight: 0.0 };
        descend(model, row, root, (&mut ways, 0), start, &mut features);
    }
    Contributions { base, features }
}

/// The mean of what a tree said of the rows it saw.
fn expected(model: &Boosted, node: usize) -> f64 {
    if model.trees.feature[node] < 0 {
        return model.value(node);
    }
    let sides = [model.trees.left[node], model.trees.right[node]].map(|child| child as usize);
    sides.iter().map(|child| share(model, node, *child) * expected(model, *child)).sum()
}

/// The part of a node's rows that a child has.
fn share(model: &Boosted, node: usize, child: usize) -> f64 {
    model.covers[child] / model.covers[node]
}

/// Goes on from a node; the way to it is the end of the list of ways, from `begin` on.
fn descend(
    model: &Boosted,
    row: &[f64],
    node: usize,
    (ways, begin): (&mut Vec<Step>, usize),
    step: Step,
    features: &mut [f64],
) {
    let own = ways.len();
    ways.extend_from_within(begin..);
    extend(ways, own, step);
    let (Ok(feature), Some(hot)) = (usize::try_from(model.trees.feature[node]), model.next(node, row)) else {
        let path = &ways[own..];
        for at in 1..path.len() {
            let weight = unwound(path, at);
            if let Some(feature) = path[at].feature {
                features[feature] += weight * (path[at].known - path[at].unknown) * model.value(node);
            }
        }
        ways.truncate(own);
        return;
    };
    let [left, right] = [model.trees.left[node], model.trees.right[node]].map(|child| child as usize);
    let cold = if hot == left { right } else { left };
    let mut before = (1.0, 1.0);
    if let Some(at) = ways[own..].iter().position(|step| step.feature == Some(feature)) {
        before = (ways[own + at].unknown, ways[own + at].known);
        unwind(&mut ways[own..], at);
        ways.pop();
    }
    for (child, known) in [(hot, before.1), (cold, 0.0)] {
        let unknown = before.0 * share(model, node, child);
        let step = Step { feature: Some(feature), unknown, known, weight: 0.0 };
        descend(model, row, child, (ways, own), step, features);
    }
    ways.truncate(own);
}

/// Adds a feature to the way.
fn extend(ways: &mut Vec<Step>, begin: usize, mut step: Step) {
    let length = ways.len() - begin;
    step.weight = if length == 0 { 1.0 } else { 0.0 };
    ways.push(step);
    let path = &mut ways[begin..];
    let all = (length + 1) as f64;
    for at in (0..length).rev() {
        path[at + 1].weight += step.known * path[at].weight * (at + 1) as f64 / all;
        path[at].weight *= step.unknown * (length - at) as f64 / all;
    }
}

/// Takes a feature off the way, as if it had not been asked for; what is left is one shorter.
fn unwind(path: &mut [Step], at: usize) {
    let last = path.len() - 1;
    let Step { unknown, known, .. } = path[at];
    let all = path.len() as f64;
    let mut next = path[last].weight;
    for place in (0..last).rev() {
        if 0.0 < known {
            let weight = path[place].weight;
            path[place].weight = next * all / ((place + 1) as f64 * known);
            next = weight - path[place].weight * unknown * (last - place) as f64 / all;
        } else {
            path[place].weight = path[place].weight * all / (unknown * (last - place) as f64);
        }
    }
    for place in at..last {
        let Step { feature, unknown, known, .. } = path[place + 1];
        path[place] = Step { feature, unknown, known, ..path[place] };
    }
}

/// The sum of the weights of the way without a feature.
fn unwound(path: &[Step], at: usize) -> f64 {
    let last = path.len() - 1;
    let Step { unknown, known, .. } = path[at];
    let all = path.len() as f64;
    let (mut next, mut total) = (path[last].weight, 0.0);
    for place in (0..last).rev() {
        if 0.0 < known {
            let weight = next * all / ((place + 1) as f64 * known);
            total += weight;
            next = path[place].weight - weight * unknown * (last - place) as f64 / all;
        } else {
            total += path[place].weight * all / (unknown * (last - place) as f64);
        }
    }
    total
}
