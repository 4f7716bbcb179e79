//! Isolation forests against a walk that counts its steps, and reasons against their definition.

use models::graph::{
    ElementType,
    extended_forest::ExtendedForest,
    isolation_forest::{Isolation, IsolationForest, Reasons, average_path_length},
};
use proptest::prelude::*;

use crate::{
    running::{Answers, Given, graph_of, refusal, run, run_on, same},
    trees::{POOL, rows},
};

const WIDTH: usize = 4;
const SAMPLE_SIZE: u32 = 64;

/// A tree as one thinks of it; a cut is a threshold on one column, or on a sum of several.
#[derive(Clone, Debug)]
enum Node<Cut> {
    Leaf(u32),
    Split { cut: Cut, missing_left: bool, left: Box<Self>, right: Box<Self> },
}

type Axis = (usize, f64);
/// Small whole numbers, so that sums are exact in any order.
type Plane = (Vec<i32>, f64);

impl<Cut> Node<Cut> {
    fn samples(&self) -> u32 {
        match self {
            Self::Leaf(samples) => *samples,
            Self::Split { left, right, .. } => left.samples() + right.samples(),
        }
    }

    fn expected(&self, depth: u32) -> f64 {
        match self {
            Self::Leaf(samples) => f64::from(depth) + average_path_length(*samples),
            Self::Split { left, right, .. } => {
                let weighted = |it: &Self| f64::from(it.samples()) * it.expected(depth + 1);
                (weighted(left) + weighted(right)) / f64::from(self.samples())
            }
        }
    }

    /// The path of a row, and its credits by column.
    fn walk(
        &self,
        depth: u32,
        goes_left: &dyn Fn(&Cut) -> Option<bool>,
        credit: &mut dyn FnMut(&Cut, f64),
    ) -> f64 {
        let Self::Split { cut, missing_left, left, right } = self else { return self.expected(depth) };
        let child = if goes_left(cut).unwrap_or(*missing_left) { left } else { right };
        credit(cut, child.expected(depth + 1) - self.expected(depth));
        child.walk(depth + 1, goes_left, credit)
    }
}

fn tree<Cut: Clone + std::fmt::Debug + 'static>(
    cut: impl Strategy<Value = Cut> + Clone + 'static,
) -> impl Strategy<Value = Node<Cut>> {
    (1_u32..20).prop_map(Node::Leaf).prop_recursive(6, 60, 2, move |inner| {
        let children = (inner.clone(), inner);
        (cut.clone(), any::<bool>(), children).prop_map(|(cut, missing_left, (left, right))| Node::Split {
            cut,
            missing_left,
            left: left.into(),
            right: right.into(),
        })
    })
}

fn flat(trees: &[Node<Axis>]) -> IsolationForest {
    fn flatten(node: &Node<Axis>, into: &mut IsolationForest) -> u32 {
        let place = into.feature.len();
        into.feature.push(-1);
        into.threshold.push(0.0);
        into.left.push(place as u32);
        into.right.push(place as u32);
        into.missing_left.push(false);
        into.samples.push(node.samples());
        if let Node::Split { cut: (feature, threshold), missing_left, left, right } = node {
            into.feature[place] = *feature as i32;
            into.threshold[place] = *threshold;
            into.missing_left[place] = *missing_left;
            into.left[place] = flatten(left, into);
            into.right[place] = flatten(right, into);
        }
        place as u32
    }
    let mut forest = IsolationForest { sample_size: SAMPLE_SIZE, ..IsolationForest::default() };
    for tree in trees {
        let root = flatten(tree, &mut forest);
        forest.roots.push(root);
    }
    forest
}

fn flat_extended(trees: &[Node<Plane>]) -> ExtendedForest {
    fn flatten(node: &Node<Plane>, into: &mut ExtendedForest) -> u32 {
        let place = into.plane.len();
        into.plane.push(-1);
        into.threshold.push(0.0);
        into.left.push(0);
        into.right.push(0);
        into.samples.push(node.samples());
        if let Node::Split { cut: (direction, threshold), left, right, .. } = node {
            into.plane[place] = (into.planes.len() / WIDTH) as i32;
            into.planes.extend(direction.iter().map(|it| f64::from(*it)));
            into.threshold[place] = *threshold;
            into.left[place] = flatten(left, into);
            into.right[place] = flatten(right, into);
        }
        place as u32
    }
    let mut forest =
        ExtendedForest { sample_size: SAMPLE_SIZE, spreads: SPREADS.to_vec(), ..ExtendedForest::default() };
    for tree in trees {
        let root = flatten(tree, &mut forest);
        forest.roots.push(root);
    }
    forest
}

const SPREADS: [f64; WIDTH] = [1.0, 0.5, 20.0, 3.0];

/// The score of each row and its reasons, as they are defined.
fn reading<Cut>(
    trees: &[Node<Cut>],
    rows: &[f64],
    goes_left: impl Fn(&[f64], &Cut) -> Option<bool>,
    share: impl Fn(&Cut, usize) -> f64,
) -> (Vec<f64>, Vec<f64>) {
    let unit = trees.len() as f64 * average_path_length(SAMPLE_SIZE);
    let (mut scores, mut reasons) = (Vec::new(), Vec::new());
    for row in rows.chunks(WIDTH) {
        let mut credits = [0.0; WIDTH];
        let mut path = 0.0;
        for tree in trees {
            path += tree.walk(0, &|cut| goes_left(row, cut), &mut |cut, change| {
                credits.iter_mut().enumerate().for_each(|(at, credit)| *credit += change * share(cut, at));
            });
        }
        scores.push((-path / unit).exp2());
        reasons.extend(credits.map(|credit| -credit / unit));
    }
    (scores, reasons)
}

fn axis_reading(trees: &[Node<Axis>], rows: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let goes_left = |row: &[f64], (feature, threshold): &Axis| {
        let x = row[*feature];
        (!x.is_nan()).then_some(x <= *threshold)
    };
    reading(trees, rows, goes_left, |(feature, _), at| f64::from(u8::from(*feature == at)))
}

fn axis() -> impl Strategy<Value = Axis> + Clone + 'static {
    (0..WIDTH, prop::sample::select(&POOL))
}

/// log₂ of the score is the base and the reasons, which is the sense of them.
fn adds_up(answers: &Answers, base: f64) {
    for (score, reasons) in answers["score"].iter().zip(answers["reasons"].chunks(WIDTH)) {
        let whole = base + reasons.iter().sum::<f64>();
        assert!((score.log2() - whole).abs() <= 1e-6, "{} is not {whole}", score.log2());
    }
}

fn outputs(it: Isolation) -> Vec<(&'static str, models::graph::Value)> {
    let reasons = it.reasons.map(|reasons| ("reasons", reasons));
    [("score", it.score)].into_iter().chain(reasons).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_forest_counts_the_steps(trees in prop::collection::vec(tree(axis()), 1..9), rows in rows(WIDTH)) {
        let forest = flat(&trees);
        let answers = run_on((WIDTH, &rows), |graph, x| Ok(outputs(forest.add(graph, x, Reasons::Without)?)));
        let (scores, _) = axis_reading(&trees, &rows);
        same(&answers["score"], &scores, 1e-12);
        prop_assert!(!answers.contains_key("reasons"));
    }

    #[test]
    fn its_reasons_are_the_changes_along_the_path(
        trees in prop::collection::vec(tree(axis()), 1..9), rows in rows(WIDTH),
    ) {
        let forest = flat(&trees);
        let mut base = f64::NAN;
        let answers = run_on((WIDTH, &rows), |graph, x| {
            let isolation = forest.add(graph, x, Reasons::With)?;
            base = isolation.base;
            Ok(outputs(isolation))
        });
        let (scores, reasons) = axis_reading(&trees, &rows);
        same(&answers["score"], &scores, 1e-7);
        same(&answers["reasons"], &reasons, 1e-7);
        adds_up(&answers, base);
    }

    #[test]
    fn on_floats_it_counts_the_same_steps(
        trees in prop::collection::vec(tree(axis()), 1..9), rows in rows(WIDTH),
    ) {
        let narrow: Vec<f32> = rows.iter().map(|x| *x as f32).collect();
        let wide: Vec<f64> = narrow.iter().map(|x| f64::from(*x)).collect();
        let forest = flat(&trees);
        for wanted in [Reasons::With, Reasons::Without] {
            let bytes = graph_of((ElementType::F32, WIDTH), |graph, x| Ok(outputs(forest.add(graph, x, wanted)?)));
            let answers = run(&bytes, &[("x", Given::F32(WIDTH, narrow.clone()))]);
            same(&answers["score"], &axis_reading(&trees, &wide).0, 1e-6);
        }
    }

    #[test]
    fn an_extended_forest_cuts_along_planes(
        trees in prop::collection::vec(
            tree((prop::collection::vec(-3_i32..4, WIDTH), -9.0_f64..9.0)), 1..6,
        ),
        rows in prop::collection::vec(
            prop_oneof![9 => (-40_i32..40).prop_map(|it| f64::from(it) / 4.0), 1 => Just(f64::NAN)], WIDTH * 8,
        ),
    ) {
        let forest = flat_extended(&trees);
        if forest.planes.is_empty() {
            return Ok(());
        }
        let mut base = f64::NAN;
        let answers = run_on((WIDTH, &rows), |graph, x| {
            let isolation = forest.add(graph, x, Reasons::With)?;
            base = isolation.base;
            Ok(outputs(isolation))
        });
        let goes_left = |row: &[f64], (direction, threshold): &Plane| {
            let projection: f64 = direction.iter().zip(row).map(|(element, x)| f64::from(*element) * x).sum();
            Some(projection <= *threshold)
        };
        let share = |(direction, _): &Plane, at: usize| {
            let sizes: Vec<f64> =
                direction.iter().zip(SPREADS).map(|(element, spread)| f64::from(element.abs()) * spread).collect();
            let whole: f64 = sizes.iter().sum();
            if 0.0 < whole { sizes[at] / whole } else { 1.0 / WIDTH as f64 }
        };
        let (scores, reasons) = reading(&trees, &rows, goes_left, share);
        same(&answers["score"], &scores, 1e-7);
        same(&answers["reasons"], &reasons, 1e-7);
        adds_up(&answers, base);
        let answers = run_on((WIDTH, &rows), |graph, x| Ok(outputs(forest.add(graph, x, Reasons::Without)?)));
        same(&answers["score"], &scores, 1e-12);
    }
}

#[test]
fn path_lengths_are_those_of_the_paper() {
    let harmonic = |n: u32| (1..=n).map(|i| 1.0 / f64::from(i)).sum::<f64>();
    same(&[average_path_length(0), average_path_length(1), average_path_length(2)], &[0.0, 0.0, 1.0], 0.0);
    let exact = |n: u32| 2.0 * harmonic(n - 1) - 2.0 * f64::from(n - 1) / f64::from(n);
    assert!((average_path_length(256) - exact(256)).abs() < 0.005);
    same(&[average_path_length(256)], &[10.244_770_920_119_92], 1e-9);
}

#[test]
fn a_forest_that_cannot_be_is_refused() {
    let says = |change: fn(&mut IsolationForest), words: &str| {
        let mut forest = flat(&[Node::Leaf(3)]);
        change(&mut forest);
        let sentence = refusal(WIDTH, |graph, x| forest.add(graph, x, Reasons::With));
        assert!(sentence.contains(words), "{sentence}");
    };
    says(|it| it.sample_size = 1, "isolation forest: trees are grown from at least 2 rows");
    says(|it| it.samples.clear(), "there are 0 sample counts, and there must be 1");
    says(|it| it.feature[0] = 0, "node 0 is reached by two ways");
    says(|it| it.missing_left = vec![true; 2], "there are 2 ways of missing values");
    let mut forest = flat_extended(&[Node::Leaf(3)]);
    let sentence = refusal(WIDTH, |graph, x| forest.add(graph, x, Reasons::With));
    assert!(sentence.contains("there are 0 elements of planes, and there must be 4"), "{sentence}");
    forest.planes = vec![1.0, f64::NAN, 0.0, 0.0];
    let sentence = refusal(WIDTH, |graph, x| forest.add(graph, x, Reasons::With));
    assert!(sentence.contains("plane 0 is not finite"), "{sentence}");
    forest.planes[1] = 0.0;
    forest.plane[0] = 1;
    let sentence = refusal(WIDTH, |graph, x| forest.add(graph, x, Reasons::With));
    assert!(sentence.contains("node 0 asks for plane 1 of 1"), "{sentence}");
}
