//! Tree ensembles against a walk down each tree, with ties at thresholds, missing values, categories and times in
//! seconds since the epoch.

use models::graph::{
    ElementType,
    trees::{Combine, Leaves, Link, Trees},
};
use proptest::prelude::*;

use crate::running::{Given, graph_of, refusal, run, run_on, same};

/// Thresholds and values come from here, so that they meet.
pub const POOL: [f64; 12] = [
    -1.5,
    -0.0,
    0.0,
    0.1,
    0.3,
    1.0,
    2.0,
    3.0,
    1_772_323_200.0,
    1_772_323_201.0,
    1_772_323_263.0,
    1_772_323_327.0,
];
const WIDTH: usize = 3;
const TARGETS: usize = 3;

/// A tree as one thinks of it.
#[derive(Clone, Debug)]
pub enum Node {
    Leaf(Vec<f64>),
    Split { feature: usize, rule: Rule, missing_left: bool, left: Box<Self>, right: Box<Self> },
}

#[derive(Clone, Debug)]
pub enum Rule {
    AtMost(f64),
    Among(Vec<u32>),
}

impl Node {
    fn at(&self, row: &[f64]) -> &[f64] {
        match self {
            Self::Leaf(values) => values,
            Self::Split { feature, rule, missing_left, left, right } => {
                let x = row[*feature];
                let goes_left = match rule {
                    _ if x.is_nan() => *missing_left,
                    Rule::AtMost(threshold) => x <= *threshold,
                    Rule::Among(set) => set.iter().any(|it| (x - f64::from(*it)).abs() <= 0.0),
                };
                if goes_left { left.at(row) } else { right.at(row) }
            }
        }
    }

    fn flatten(&self, tree: usize, into: &mut Trees) -> u32 {
        let place = into.feature.len();
        into.feature.push(-1);
        into.threshold.push(0.0);
        into.left.push(0);
        into.right.push(0);
        into.missing_left.push(false);
        into.categories.push(Vec::new());
        let leaf = if let Self::Leaf(values) = self { values.clone() } else { vec![0.0; TARGETS] };
        match &mut into.leaves {
            Leaves::OneTarget { value, .. } => value.push(leaf[tree % TARGETS]),
            Leaves::Vectors(values) => values.extend(leaf),
        }
        if let Self::Split { feature, rule, missing_left, left, right } = self {
            into.feature[place] = *feature as i32;
            into.missing_left[place] = *missing_left;
            match rule {
                Rule::AtMost(threshold) => into.threshold[place] = *threshold,
                Rule::Among(set) => into.categories[place].clone_from(set),
            }
            into.left[place] = left.flatten(tree, into);
            into.right[place] = right.flatten(tree, into);
        }
        place as u32
    }
}

fn flat(trees: &[Node], leaves: Leaves, combine: Combine, link: Link) -> Trees {
    let mut flat = Trees { leaves, combine, link, base: vec![0.25, 0.0, -1.0], ..Trees::default() };
    for (tree, node) in trees.iter().enumerate() {
        let root = node.flatten(tree, &mut flat);
        flat.roots.push(root);
        if let Leaves::OneTarget { target, .. } = &mut flat.leaves {
            target.push((tree % TARGETS) as u32);
        }
    }
    flat
}

fn one_target() -> Leaves {
    Leaves::OneTarget { target: Vec::new(), value: Vec::new() }
}

/// The scores of rows before the link.
fn reading(trees: &[Node], rows: &[f64], leaves: &Leaves, combine: Combine) -> Vec<f64> {
    let mut scores = Vec::new();
    for row in rows.chunks(WIDTH) {
        let mut sums = [0.0; TARGETS];
        for (tree, node) in trees.iter().enumerate() {
            let values = node.at(row);
            match leaves {
                Leaves::OneTarget { .. } => sums[tree % TARGETS] += values[tree % TARGETS],
                Leaves::Vectors(_) => sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
            }
        }
        let divisor = if combine == Combine::Mean { trees.len() as f64 } else { 1.0 };
        scores.extend(sums.iter().zip([0.25, 0.0, -1.0]).map(|(sum, base)| sum / divisor + base));
    }
    scores
}

/// Of the columns, the first holds categories and the others numbers.
fn tree(rule: impl Strategy<Value = (usize, Rule)> + Clone + 'static) -> impl Strategy<Value = Node> {
    let leaf = prop::collection::vec(-2.0..2.0, TARGETS).prop_map(Node::Leaf);
    leaf.prop_recursive(5, 40, 2, move |inner| {
        let children = (inner.clone(), inner);
        (rule.clone(), any::<bool>(), children).prop_map(|((feature, rule), missing_left, (left, right))| {
            Node::Split { feature, rule, missing_left, left: left.into(), right: right.into() }
        })
    })
}

fn threshold() -> impl Strategy<Value = (usize, Rule)> + Clone + 'static {
    (1..WIDTH, prop::sample::select(&POOL).prop_map(Rule::AtMost))
}

fn any_rule() -> impl Strategy<Value = (usize, Rule)> + Clone + 'static {
    let small = prop::collection::vec(0_u32..4, 1..4).prop_map(Rule::Among);
    let large = prop::collection::vec(0_u32..2_000_000, 1..50).prop_map(|mut set| {
        set.extend([0, 2]);
        Rule::Among(set)
    });
    prop_oneof![threshold(), (Just(0), small), (Just(0), large)]
}

pub fn rows(width: usize) -> impl Strategy<Value = Vec<f64>> {
    let others = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -7.25, 0.2, 1e300];
    let value = prop_oneof![4 => prop::sample::select(&POOL), 1 => prop::sample::select(others.to_vec())];
    prop::collection::vec(value, width * 8..=width * 8)
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn boosted_trees_add_up(trees in prop::collection::vec(tree(any_rule()), 1..7), rows in rows(WIDTH)) {
        let leaves = one_target();
        let flat = flat(&trees, leaves.clone(), Combine::Sum, Link::Identity);
        let answers = run_on((WIDTH, &rows), |graph, x| Ok(vec![("score", flat.add(graph, x)?)]));
        same(&answers["score"], &reading(&trees, &rows, &leaves, Combine::Sum), 1e-12);
    }

    #[test]
    fn a_forest_of_class_vectors_is_averaged(
        trees in prop::collection::vec(tree(threshold()), 1..7), rows in rows(WIDTH),
    ) {
        let leaves = Leaves::Vectors(Vec::new());
        let flat = flat(&trees, leaves.clone(), Combine::Mean, Link::Identity);
        let answers = run_on((WIDTH, &rows), |graph, x| Ok(vec![("score", flat.add(graph, x)?)]));
        same(&answers["score"], &reading(&trees, &rows, &leaves, Combine::Mean), 3e-7);
    }

    #[test]
    fn class_vectors_and_categories_go_together(
        trees in prop::collection::vec(tree(any_rule()), 1..5), rows in rows(WIDTH),
    ) {
        let leaves = Leaves::Vectors(Vec::new());
        let flat = flat(&trees, leaves.clone(), Combine::Sum, Link::Identity);
        let answers = run_on((WIDTH, &rows), |graph, x| Ok(vec![("score", flat.add(graph, x)?)]));
        same(&answers["score"], &reading(&trees, &rows, &leaves, Combine::Sum), 3e-7);
    }

    #[test]
    fn links_make_chances(trees in prop::collection::vec(tree(threshold()), 1..7), rows in rows(WIDTH)) {
        let scores = reading(&trees, &rows, &one_target(), Combine::Sum);
        let with = |link| flat(&trees, one_target(), Combine::Sum, link);
        let answers = run_on((WIDTH, &rows), |graph, x| {
            let softmax = with(Link::Softmax).add(graph, x)?;
            let class = graph.arg_max(&softmax)?;
            Ok(vec![("logistic", with(Link::Logistic).add(graph, x)?), ("softmax", softmax), ("class", class)])
        });
        let logistic: Vec<f64> = scores.iter().map(|score| sigmoid(*score)).collect();
        same(&answers["logistic"], &logistic, 1e-12);
        for (row, (found, scores)) in answers["softmax"].chunks(TARGETS).zip(scores.chunks(TARGETS)).enumerate() {
            let whole: f64 = scores.iter().map(|score| score.exp()).sum();
            same(found, &scores.iter().map(|score| score.exp() / whole).collect::<Vec<f64>>(), 1e-12);
            let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!(best - scores[answers["class"][row] as usize] <= 1e-12);
        }
    }

    /// Every float value goes where it would go in double.
    #[test]
    fn on_floats_no_value_changes_sides(
        trees in prop::collection::vec(tree(threshold()), 1..5), rows in rows(WIDTH), steps in -2_i32..3,
    ) {
        let narrow: Vec<f32> = rows.iter().map(|x| moved(*x as f32, steps)).collect();
        let wide: Vec<f64> = narrow.iter().map(|x| f64::from(*x)).collect();
        let leaves = one_target();
        let flat = flat(&trees, leaves.clone(), Combine::Sum, Link::Identity);
        let bytes = graph_of((ElementType::F32, WIDTH), |graph, x| Ok(vec![("score", flat.add(graph, x)?)]));
        let answers = run(&bytes, &[("x", Given::F32(WIDTH, narrow))]);
        same(&answers["score"], &reading(&trees, &wide, &leaves, Combine::Sum), 1e-6);
    }
}

fn moved(x: f32, steps: i32) -> f32 {
    let one = |x: f32| if steps < 0 { x.next_down() } else { x.next_up() };
    (0..steps.abs()).fold(x, |x, _| one(x))
}

/// The pitfall: a threshold between two floats, rounded to the nearest, may land on a value that is above it.
#[test]
fn the_nearest_float_would_send_times_the_wrong_way() {
    let first = 1_772_323_200_u32;
    let times: Vec<f32> = (0..64).map(|step| (first + 128 * step) as f32).collect();
    // Halfway between neighbours and a bit more, so that the nearest float is the upper one.
    let thresholds: Vec<f64> = (0..64).map(|step| f64::from(first + 128 * step) + 65.0).collect();
    let mut flat = Trees {
        leaves: Leaves::OneTarget { target: vec![0; 64], value: Vec::new() },
        base: vec![0.0],
        ..Trees::default()
    };
    for threshold in &thresholds {
        let root = flat.feature.len() as u32;
        flat.roots.push(root);
        flat.feature.extend([0, -1, -1]);
        flat.threshold.extend([*threshold, 0.0, 0.0]);
        flat.left.extend([root + 1, 0, 0]);
        flat.right.extend([root + 2, 0, 0]);
        if let Leaves::OneTarget { value, .. } = &mut flat.leaves {
            value.extend([0.0, 1.0, 0.0]);
        }
    }
    let bytes = graph_of((ElementType::F32, 1), |graph, x| Ok(vec![("left", flat.add(graph, x)?)]));
    let answers = run(&bytes, &[("x", Given::F32(1, times.clone()))]);
    let count = |goes_left: &dyn Fn(f32, f64) -> bool| -> Vec<f64> {
        times.iter().map(|x| thresholds.iter().filter(|it| goes_left(*x, **it)).count() as f64).collect()
    };
    let exact = count(&|x, threshold| f64::from(x) <= threshold);
    let nearest = count(&|x, threshold| x <= threshold as f32);
    same(&answers["left"], &exact, 0.0);
    let wrong = nearest.iter().zip(&exact).filter(|(nearest, exact)| exact < nearest).count();
    assert_eq!(wrong, 63, "with the nearest float all but the first row would have gone wrong");
}

#[test]
fn tables_that_contradict_themselves_are_refused() {
    let leaf = Node::Leaf(vec![1.0, 2.0, 3.0]);
    let right = flat(&[leaf], one_target(), Combine::Sum, Link::Identity);
    let says = |change: fn(&mut Trees), words: &str| {
        let mut wrong = right.clone();
        change(&mut wrong);
        let sentence = refusal(WIDTH, |graph, x| wrong.add(graph, x));
        assert!(sentence.contains(words), "{sentence}");
    };
    let mixed = |it: &mut Trees| {
        it.feature = vec![0, 0, -1, -1, -1];
        it.categories = vec![vec![1], Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        it.threshold = vec![0.0; 5];
        it.left = vec![1, 3, 0, 0, 0];
        it.right = vec![2, 4, 0, 0, 0];
        it.missing_left = vec![false; 5];
        it.leaves = Leaves::OneTarget { target: vec![0], value: vec![0.0; 5] };
    };
    says(mixed, "column 0 is asked for a category and for a number");
    says(|it| it.threshold.clear(), "trees: there are 0 thresholds, and there must be 1");
    says(|it| it.feature[0] = 3, "trees: node 0 is reached by two ways");
    says(|it| it.roots.clear(), "there are 1 targets of trees, and there must be 0");
    says(|it| it.roots[0] = 9, "node 9 does not exist; there are 1");
    says(|it| it.leaves = Leaves::Vectors(vec![0.0]), "there are 1 values of nodes, and there must be 3");
}
