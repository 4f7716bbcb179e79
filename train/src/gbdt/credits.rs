//! Additive reasons that a graph can say as well: on the way down, each question is credited with the change in what the
//! tree expects (Saabas 2014; Palczewska et al. 2014), so that credits and base add up to the score.

use models::graph::{
    Graph, GraphError, Value,
    trees::{Leaves, Link, Trees},
};

use super::model::{Boosted, Contributions};

/// How the score of a row came about.
pub(super) fn credits(model: &Boosted, row: &[f64]) -> Contributions {
    let expected = expected(model);
    let mut credits = Contributions { base: model.trees.base[0], features: vec![0.0; row.len()] };
    for root in &model.trees.roots {
        let mut node = *root as usize;
        credits.base += expected[node];
        while let Some(child) = model.next(node, row) {
            if let Ok(feature) = usize::try_from(model.trees.feature[node]) {
                credits.features[feature] += expected[child] - expected[node];
            }
            node = child;
        }
    }
    credits
}

/// What each node expects: the mean of what its tree says of the rows that came to it. Children come after their parent.
pub(super) fn expected(model: &Boosted) -> Vec<f64> {
    let mut expected = vec![0.0; model.trees.feature.len()];
    for node in (0..expected.len()).rev() {
        expected[node] = if model.trees.feature[node] < 0 {
            model.value(node)
        } else {
            let children = [model.trees.left[node], model.trees.right[node]].map(|child| child as usize);
            let of = |child: usize| model.covers[child] / model.covers[node] * expected[child];
            of(children[0]) + of(children[1])
        };
    }
    expected
}

/// Adds the trees with a target for the score, and one for the credit of each feature.
pub(super) fn add(model: &Boosted, graph: &mut Graph, rows: &Value) -> Result<[Value; 2], GraphError> {
    let (features, expected) = (model.columns.len(), expected(model));
    let targets = 1 + features;
    let mut leaves = vec![0.0; model.trees.feature.len() * targets];
    for root in &model.trees.roots {
        // Nodes with what was credited on the way to them.
        let mut open = vec![(*root as usize, vec![0.0; features])];
        while let Some((node, credits)) = open.pop() {
            let Ok(feature) = usize::try_from(model.trees.feature[node]) else {
                leaves[node * targets] = model.value(node);
                leaves[node * targets + 1..(node + 1) * targets].copy_from_slice(&credits);
                continue;
            };
            for child in [model.trees.left[node], model.trees.right[node]].map(|child| child as usize) {
                let mut credits = credits.clone();
                credits[feature] += expected[child] - expected[node];
                open.push((child, credits));
            }
        }
    }
    let mut base = vec![0.0; targets];
    base[0] = model.trees.base[0];
    let trees = Trees { leaves: Leaves::Vectors(leaves), link: Link::Identity, base, ..model.trees.clone() };
    let said = trees.add(graph, rows)?;
    let by_feature: Vec<usize> = (1..targets).collect();
    Ok([graph.columns(&said, &[0])?, graph.columns(&said, &by_feature)?])
}
