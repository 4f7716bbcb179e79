//! Trees without a runtime say what ONNX Runtime says of the same file.

use proptest::prelude::*;

use super::*;
use crate::{
    graph::{
        ElementType, Graph as Drawn, Metadata, TensorType,
        trees::{Combine, Leaves, Link, Trees as Grown},
    },
    testing::runtime,
};

const WIDTH: usize = 4;

/// What grows: choices that follow from a number.
struct Choices(u64);

impl Choices {
    fn below(&mut self, end: u64) -> u64 {
        // The generator of Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn number(&mut self) -> f64 {
        [-2.5, -1.0, -0.0, 0.1, 0.3, 1.0, 7.25, 1e9][self.below(8) as usize] * (1.0 + self.below(3) as f64)
    }

    fn value(&mut self) -> f64 {
        if self.below(8) == 0 { f64::NAN } else { self.number() }
    }
}

fn grow(trees: &mut Grown, values: &mut Vec<f64>, depth: u64, choices: &mut Choices) -> u32 {
    let place = trees.feature.len();
    trees.feature.push(-1);
    trees.threshold.push(0.0);
    trees.left.push(0);
    trees.right.push(0);
    trees.missing_left.push(choices.below(2) == 0);
    values.push(choices.number() / 16.0);
    if 0 < depth && choices.below(5) != 0 {
        trees.feature[place] = choices.below(WIDTH as u64) as i32;
        trees.threshold[place] = choices.number();
        trees.left[place] = grow(trees, values, depth - 1, choices);
        trees.right[place] = grow(trees, values, depth - 1, choices);
    }
    u32::try_from(place).unwrap()
}

fn grown(seed: u64, link: Link) -> Grown {
    let mut choices = Choices(seed);
    let targets = 1 + choices.below(3);
    let mut trees = Grown { link, ..Grown::default() };
    trees.combine = [Combine::Sum, Combine::Mean][choices.below(2) as usize];
    trees.base = (0..targets).map(|_| choices.number() * choices.below(2) as f64).collect();
    let (mut target, mut value) = (Vec::new(), Vec::new());
    for _ in 0..1 + choices.below(20) {
        let depth = choices.below(7);
        let root = grow(&mut trees, &mut value, depth, &mut choices);
        trees.roots.push(root);
        target.push(choices.below(targets) as u32);
    }
    trees.leaves = Leaves::OneTarget { target, value };
    trees
}

fn drawn(trees: &Grown, element: ElementType) -> Vec<u8> {
    let mut graph = Drawn::new("trees");
    let rows = graph.input("x", TensorType::rows(element, WIDTH), "features").unwrap();
    let score = trees.add(&mut graph, &rows).unwrap();
    graph.output("score", &score, "what they say").unwrap();
    graph.finish(&Metadata::default()).unwrap()
}

fn rows(seed: u64, element: ElementType) -> Tensor {
    let mut choices = Choices(!seed);
    let values: Vec<f64> = (0..50 * WIDTH).map(|_| choices.value()).collect();
    let values = match element {
        ElementType::F32 => Values::Float32(values.into_iter().map(|value| value as f32).collect()),
        _ => Values::Float64(values),
    };
    Tensor::new(vec![50, WIDTH], values).unwrap()
}

proptest! {
    #[test]
    fn sums_are_those_of_the_runtime_to_the_bit(seed: u64, is_double: bool) {
        let element = if is_double { ElementType::F64 } else { ElementType::F32 };
        let file = drawn(&grown(seed, Link::Identity), element);
        let mut judge = Graph::open(&runtime(), &file).unwrap();
        let trees = Trees::of(&file, &mut judge).expect("it is nothing but trees");
        let rows = rows(seed, element);
        let (judged, said) = (judge.run(&[&rows]).unwrap(), trees.run(&[&rows]).unwrap());
        let bits = |all: &[Tensor]| (0..all[0].values().len()).map(|place| all[0].values().at(place).unwrap().to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(judged[0].shape(), said[0].shape());
        prop_assert_eq!(bits(&judged), bits(&said));
    }

    #[test]
    fn chances_are_those_of_the_runtime(seed: u64, is_double: bool, is_logistic: bool) {
        let element = if is_double { ElementType::F64 } else { ElementType::F32 };
        let link = if is_logistic { Link::Logistic } else { Link::Exponential };
        let file = drawn(&grown(seed, link), element);
        let mut judge = Graph::open(&runtime(), &file).unwrap();
        let trees = Trees::of(&file, &mut judge);
        // Where the runtime's exponential overflows in another place than ours, it is the runtime that is asked.
        prop_assert!(trees.is_some() || !is_logistic);
        if let Some(trees) = trees {
            let rows = rows(seed, element);
            let (judged, said) = (judge.run(&[&rows]).unwrap(), trees.run(&[&rows]).unwrap());
            for place in 0..said[0].values().len() {
                let (judged, said) = (judged[0].values().at(place).unwrap(), said[0].values().at(place).unwrap());
                prop_assert!(trees.agrees(judged, said), "{} is {}", judged, said);
            }
        }
    }
}

/// Whether a file is computed without the runtime, which is judged by the same file or another one.
fn is_taken(file: &[u8], judge: &[u8]) -> bool {
    Trees::of(file, &mut Graph::open(&runtime(), judge).unwrap()).is_some()
}

#[test]
fn whatever_else_a_graph_does_is_left_to_the_runtime() {
    let plain = grown(1, Link::Logistic);
    let file = drawn(&plain, ElementType::F64);
    assert!(is_taken(&file, &file));
    let softmax = drawn(&Grown { link: Link::Softmax, ..plain.clone() }, ElementType::F64);
    assert!(!is_taken(&softmax, &softmax), "it asks for more than sums");
    let other = drawn(&Grown { base: vec![0.5; plain.base.len()], ..plain }, ElementType::F64);
    assert!(!is_taken(&file, &other), "the runtime says something else");
    assert!(!is_taken(b"no file", &file));
}

/// What is no tree, or asks for what is not there, is left to the runtime, which may refuse it; nobody goes in circles.
#[test]
fn what_is_no_forest_is_not_taken() {
    let file = drawn(&grown(3, Link::Identity), ElementType::F64);
    let mut judge = Graph::open(&runtime(), &file).unwrap();
    let model = proto::Model::decode(file.as_slice()).unwrap();
    let changed = |name: &str, change: fn(&mut Vec<i64>)| {
        let mut model = model.clone();
        let node = &mut model.graph.as_mut().unwrap().node[0];
        change(&mut node.attribute.iter_mut().find(|it| it.name == name).unwrap().ints);
        model.encode_to_vec()
    };
    assert!(Trees::of(&file, &mut judge).is_some());
    let circle: fn(&mut Vec<i64>) = |all| all.iter_mut().for_each(|it| *it = 0);
    let beyond: fn(&mut Vec<i64>) = |all| all.iter_mut().for_each(|it| *it = 1 << 40);
    let below: fn(&mut Vec<i64>) = |all| all.iter_mut().for_each(|it| *it = -1);
    let changes: [fn(&mut Vec<i64>); 3] = [beyond, below, Vec::clear];
    for name in
        ["nodes_truenodeids", "nodes_falsenodeids", "tree_roots", "nodes_featureids", "leaf_targetids"]
    {
        for change in changes {
            assert!(Trees::of(&changed(name, change), &mut judge).is_none(), "{name}");
        }
    }
    let mut ring = proto::Model::decode(changed("nodes_trueleafs", circle).as_slice()).unwrap();
    let node = &mut ring.graph.as_mut().unwrap().node[0];
    circle(&mut node.attribute.iter_mut().find(|it| it.name == "nodes_truenodeids").unwrap().ints);
    assert!(Trees::of(&ring.encode_to_vec(), &mut judge).is_none());
}

#[test]
fn rows_of_another_shape_or_kind_are_not_taken() {
    let file = drawn(&grown(2, Link::Identity), ElementType::F32);
    let trees = Trees::of(&file, &mut Graph::open(&runtime(), &file).unwrap()).unwrap();
    assert!(trees.run(&[&rows(1, ElementType::F32)]).is_some());
    assert!(trees.run(&[&rows(1, ElementType::F64)]).is_none());
    let wide = Tensor::new(vec![1, WIDTH + 1], Values::Float32(vec![0.0; WIDTH + 1])).unwrap();
    assert!(trees.run(&[&wide]).is_none() && trees.run(&[]).is_none());
}
