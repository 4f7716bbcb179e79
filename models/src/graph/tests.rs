//! What a graph refuses, what it says then, and that it writes what it was told.

use prost::Message;

use super::{
    Dim, ElementType, Graph, GraphError, Metadata, Tensor, TensorType, Value,
    ensemble::{Branch, Ensemble, Rule, round_down},
    proto,
};

fn rows(graph: &mut Graph, name: &str, width: usize) -> Value {
    graph.input(name, TensorType::rows(ElementType::F64, width), "for a test").expect("a name of its own")
}

fn check<T: std::fmt::Debug>(result: Result<T, GraphError>, says: &str) {
    let sentence = result.expect_err("it is wrong").to_string();
    assert!(sentence.contains(says), "{sentence}");
}

#[test]
fn a_wrong_graph_is_refused_where_it_goes_wrong() {
    let (mut graph, mut other) = (Graph::new("one"), Graph::new("other"));
    let (x, y) = (rows(&mut graph, "x", 3), rows(&mut graph, "y", 4));
    rows(&mut other, "a", 3);
    let foreign = rows(&mut other, "b", 2);
    check(graph.add(&x, &foreign), "Add is given the value b, which this graph does not have");
    check(graph.output("z", &foreign, ""), "an output is given the value b");
    check(graph.add(&x, &y), "Add cannot work on double[batch, 3] and double[batch, 4]: an axis is 3 long");
    check(graph.input("x", TensorType::rows(ElementType::F32, 1), ""), "the name x is taken");
    check(graph.output("y", &x, ""), "the name y is taken");
    check(graph.input("", TensorType::rows(ElementType::F32, 1), ""), "has no name");
    let narrow = graph.cast(&x, ElementType::F32).expect("numbers are cast");
    check(graph.mul(&x, &narrow), "the elements differ, double and float; cast one of them");
    check(graph.matmul(&x, &y), "the first has 3 columns and the second batch rows");
    check(graph.not(&x), "it takes bool, not double");
    check(graph.top(&x, 4), "there are no 4 largest of 3");
    check(graph.sum(&x, 2), "there is no axis 2");
    check(graph.squeeze(&x, 1), "axis 1 has length 3");
    check(graph.gather(&x, 1, &y), "indices are int64, not double");
    check(graph.finish(&Metadata::default()), "no output");
    check(Tensor::f64(&[2, 2], vec![1.0]), "a tensor of shape [2, 2] has 4 elements, and 1 are given");
    check(graph.floats("k", &narrow, &[], &[1e300]), "does not fit into single precision");
}

#[test]
fn trees_that_are_none_are_refused() {
    let mut graph = Graph::new("trees");
    let x = rows(&mut graph, "x", 2);
    let leaf = |weight| Branch::Leaf(vec![(0, weight)]);
    let split = |feature, threshold, left, right| {
        let rule = Rule::AtMost(threshold);
        Branch::Split { feature, rule, missing_left: false, left, right }
    };
    let mut attempt = |nodes: Vec<Branch>, says: &str| {
        let trees = Ensemble { family: "trees", targets: 1, roots: vec![0], nodes };
        check(graph.apply_ensemble(trees, &x), says);
    };
    attempt(vec![split(2, 0.0, 1, 2), leaf(0.0), leaf(1.0)], "node 0 asks for column 2 of 2");
    attempt(vec![split(1, 0.0, 1, 1), leaf(0.0)], "node 1 is reached by two ways");
    attempt(vec![split(1, 0.0, 0, 1), leaf(0.0)], "node 0 is reached by two ways");
    attempt(vec![split(1, 0.0, 1, 9), leaf(0.0)], "node 9 does not exist");
    attempt(vec![split(1, f64::NAN, 1, 2), leaf(0.0), leaf(1.0)], "its threshold is NaN");
    attempt(vec![leaf(f64::NAN)], "leaf 0 adds NaN to target 0 of 1");
    attempt(vec![Branch::Leaf(vec![(1, 1.0)])], "leaf 0 adds 1 to target 1 of 1");
}

#[test]
fn a_file_holds_what_was_told_and_nothing_else() {
    let build = || {
        let mut graph = Graph::new("sums");
        let x = rows(&mut graph, "x", 2);
        let bias = graph.constant("bias", Tensor::f64(&[2], vec![0.5, -1.0]).expect("two numbers"));
        let shifted = graph.add(&x, &bias).expect("two columns each");
        let total = graph.sum(&shifted, 1).expect("an axis");
        graph.output("total", &total, "the sum").expect("a name of its own");
        graph.output("same", &total, "again").expect("a name of its own");
        graph.output("echo", &x, "what came").expect("a name of its own");
        let properties = [("b", "2"), ("a", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let metadata = Metadata {
            producer_version: "9".to_owned(),
            doc: "sums".to_owned(),
            properties: properties.into_iter().collect(),
        };
        graph.finish(&metadata).expect("it is whole")
    };
    assert_eq!(build(), build());
    let model = proto::Model::decode(build().as_slice()).expect("a model");
    assert_eq!(model.metadata_props.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(
        (model.ir_version, model.opset_import.len(), model.producer_name.as_str()),
        (10, 1, "tributary")
    );
    let graph = model.graph.expect("a graph");
    let nodes: Vec<(&str, &str)> =
        graph.node.iter().map(|node| (node.op_type.as_str(), node.output[0].as_str())).collect();
    assert_eq!(nodes, [("Add", "Add/2"), ("ReduceSum", "total"), ("Identity", "same"), ("Identity", "echo")]);
    let output = graph.output[0].kind.clone().and_then(|kind| kind.tensor_type).expect("a tensor");
    assert_eq!(
        output,
        *TensorType::rows(ElementType::F64, 1).proto().tensor_type.as_ref().expect("a tensor")
    );
    assert_eq!(graph.initializer[0].raw_data.as_ref().map(Vec::len), Some(16));
}

#[test]
fn shapes_are_what_the_operators_make_of_them() {
    let mut graph = Graph::new("shapes");
    let x = rows(&mut graph, "x", 3);
    let wide = graph.unsqueeze(&x, -1).expect("a new axis");
    assert_eq!(wide.kind().to_string(), "double[batch, 3, 1]");
    let steps = graph.constant("steps", Tensor::f64(&[3, 4], vec![0.0; 12]).expect("twelve"));
    let under = graph.at_most(&steps, &wide).expect("they broadcast");
    assert_eq!(under.kind().to_string(), "bool[batch, 3, 4]");
    let (values, places) = graph.top(&x, 2).expect("two of three");
    assert_eq!(
        (values.kind().to_string(), places.kind().shape[1]),
        ("double[batch, 2]".into(), Dim::Fixed(2))
    );
    let both = graph.concat(&[&x, &values], 1).expect("beside each other");
    assert_eq!(both.kind().to_string(), "double[batch, 5]");
    assert_eq!(graph.columns(&both, &[4, 0]).expect("two columns").kind().to_string(), "double[batch, 2]");
    assert_eq!(graph.arg_max(&x).expect("a class").kind().to_string(), "int64[batch]");
}

#[test]
fn a_threshold_is_rounded_to_the_float_below() {
    let pairs = [
        (0.1, 0.1_f32.next_down()),
        (0.5, 0.5),
        (1_772_323_201.0, 1_772_323_200.0),
        (1_772_323_327.0, 1_772_323_200.0),
        (-1e-60, (-0.0_f32).next_down()),
        (1e-60, 0.0),
        (1e39, f32::MAX),
        (f64::INFINITY, f32::INFINITY),
        (-1e39, f32::NEG_INFINITY),
    ];
    for (threshold, expected) in pairs {
        assert_eq!(round_down(threshold).to_bits(), expected.to_bits(), "{threshold}");
    }
}
