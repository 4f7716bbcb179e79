//! Small tables of each family, with rows that meet their thresholds, miss values and tell times in seconds.

use models::graph::{
    Dim, ElementType, Graph, GraphError, TensorType, Value,
    attribution::{AdditiveHazard, Rule, Touches},
    calibration::{Isotonic, Platt},
    dense::{Activation, Autoencoder, Dense, Layer, Network},
    extended_forest::ExtendedForest,
    factors::{Factors, Precision},
    histogram::{Histogram, Side, Tail, Tails},
    isolation_forest::{Isolation, IsolationForest, Reasons},
    lifetime::{BgNbd, GammaGamma, Histories},
    linear::Linear,
    lookup::{Closed, Segments, Steps},
    preprocess::{Bend, Categories, Column, Numeric, Preprocess},
    told::{Range, Told},
    towers::{Tower, Towers},
    trees::{Combine, Leaves, Link, Trees},
};

use super::{Given, Sample};

const MARCH_S: f64 = 1_772_323_200.0;

/// A file of each family, and of each way to write it.
pub fn samples() -> Vec<Sample> {
    let rows = || vec![("x", Given::F64(2, ROWS.as_flattened().to_vec()))];
    let narrow = || {
        let values = ROWS.as_flattened().iter().map(|x| *x as f32).collect();
        vec![("x", Given::F32(2, values))]
    };
    let sample = |name, build| Sample { name, build, given: rows() };
    let mut users = vec![("user", Given::I64(vec![0, 1, 2, -1]))];
    let best = Sample { name: "factors", build: best, given: users.split_off(0) };
    let texts = ("channel", Given::Text(vec!["mail", "blog", "unheard of", "blog", "", "mail"]));
    let raw = vec![("x", Given::F64(2, ROWS.as_flattened().to_vec())), texts];
    vec![
        sample("trees", |graph| classes(graph, ElementType::F64)),
        Sample { name: "trees_float", build: |graph| classes(graph, ElementType::F32), given: narrow() },
        sample("trees_vectors", vectors),
        sample("isolation_forest", |graph| isolation(graph, Reasons::Without)),
        sample("isolation_forest_reasons", |graph| isolation(graph, Reasons::With)),
        sample("extended_forest", extended),
        sample("linear", linear),
        sample("dense", dense),
        sample("autoencoder", autoencoder),
        sample("histogram", histogram),
        sample("tails", tails),
        best,
        Sample { name: "towers", build: towers, given: suited() },
        Sample { name: "attribution", build: attribution, given: journeys() },
        Sample { name: "lifetime", build: lifetime, given: histories() },
        sample("calibration", calibration),
        Sample { name: "preprocess", build: preprocess, given: raw },
        sample("composition", composition),
    ]
}

const ROWS: [[f64; 2]; 6] = [
    [0.5, MARCH_S],
    [0.1, MARCH_S + 1.0],
    [f64::NAN, MARCH_S + 63.0],
    [-3.0, f64::NAN],
    [1e9, MARCH_S + 86_400.0],
    [0.500_000_1, MARCH_S - 1.0],
];

fn input(graph: &mut Graph, element: ElementType) -> Result<Value, GraphError> {
    graph.input("x", TensorType::rows(element, 2), "a number and a time in seconds since the epoch")
}

fn double(graph: &mut Graph) -> Result<Value, GraphError> {
    input(graph, ElementType::F64)
}

/// Two trees: one asks for times, one for a category, and missing values go left in it.
fn trees(leaves: Leaves, base: Vec<f64>, link: Link) -> Trees {
    Trees {
        roots: vec![0, 5],
        feature: vec![1, -1, 0, -1, -1, 0, -1, -1],
        threshold: vec![MARCH_S, 0.0, 0.5, 0.0, 0.0, 0.1, 0.0, 0.0],
        left: vec![1, 0, 3, 0, 0, 6, 0, 0],
        right: vec![2, 0, 4, 0, 0, 7, 0, 0],
        missing_left: vec![false, false, false, false, false, true, false, false],
        categories: Vec::new(),
        leaves,
        base,
        combine: Combine::Sum,
        link,
    }
}

fn classes(graph: &mut Graph, element: ElementType) -> Result<(), GraphError> {
    let x = input(graph, element)?;
    let value = vec![0.0, 0.7, 0.0, -0.2, 1.1, 0.0, 0.4, -1.5];
    let leaves = Leaves::OneTarget { target: vec![0, 1], value };
    let mut trees = trees(leaves, vec![0.1, 0.0, -0.3], Link::Softmax);
    if element == ElementType::F64 {
        // Whole numbers, of which a billion is one of the categories that go left.
        trees.categories = vec![Vec::new(); 8];
        trees.categories[2] = vec![3, 7, 1_000_000_000];
        trees.categories[5] = vec![1, 1_000_000_000];
    }
    let chances = trees.add(graph, &x)?;
    let class = graph.arg_max(&chances)?;
    graph.output("probabilities", &chances, "of three classes")?;
    graph.output("class", &class, "the likeliest")
}

fn vectors(graph: &mut Graph) -> Result<(), GraphError> {
    let x = double(graph)?;
    let values = (0..16).map(|at| f64::from(at) / 16.0).collect();
    let trees =
        Trees { combine: Combine::Mean, ..trees(Leaves::Vectors(values), vec![0.0, 0.0], Link::Identity) };
    let shares = trees.add(graph, &x)?;
    graph.output("shares", &shares, "of two classes")
}

fn forest() -> IsolationForest {
    IsolationForest {
        roots: vec![0, 5],
        feature: vec![0, -1, 1, -1, -1, 1, -1, -1],
        threshold: vec![0.5, 0.0, MARCH_S + 1.0, 0.0, 0.0, MARCH_S, 0.0, 0.0],
        left: vec![1, 1, 3, 3, 4, 6, 6, 7],
        right: vec![2, 1, 4, 3, 4, 7, 6, 7],
        samples: vec![16, 1, 15, 5, 10, 16, 12, 4],
        missing_left: vec![true, false, false, false, false, true, false, false],
        sample_size: 16,
    }
}

fn give(graph: &mut Graph, isolation: &Isolation) -> Result<(), GraphError> {
    graph.output("score", &isolation.score, "from 0 to 1; 0.5 is ordinary")?;
    isolation
        .reasons
        .as_ref()
        .map_or(Ok(()), |reasons| graph.output("reasons", reasons, "what each column adds"))
}

fn isolation(graph: &mut Graph, reasons: Reasons) -> Result<(), GraphError> {
    let x = double(graph)?;
    let isolation = forest().add(graph, &x, reasons)?;
    give(graph, &isolation)
}

fn extended(graph: &mut Graph) -> Result<(), GraphError> {
    let raw = double(graph)?;
    let x = preprocessing(0.0).add(graph, &raw)?.value;
    let planes = ExtendedForest {
        roots: vec![0],
        plane: vec![0, -1, 1, -1, -1],
        threshold: vec![0.25, 0.0, -0.5, 0.0, 0.0],
        left: vec![1, 0, 3, 0, 0],
        right: vec![2, 0, 4, 0, 0],
        samples: vec![16, 6, 10, 3, 7],
        planes: vec![1.0, -2.0, 0.5, 0.25],
        spreads: vec![1.0, 3.0],
        sample_size: 16,
    };
    let isolation = planes.add(graph, &x, Reasons::With)?;
    give(graph, &isolation)
}

/// A sensible scale for both columns.
fn preprocessing(fill: f64) -> Preprocess {
    let amount = Numeric { fill, bend: Bend::SignedLog, ..Numeric::default() };
    let time = Numeric { fill: MARCH_S, center: MARCH_S, scale: 3600.0, ..Numeric::default() };
    Preprocess { columns: vec![Column::Numeric(amount), Column::Numeric(time)] }
}

fn linear(graph: &mut Graph) -> Result<(), GraphError> {
    let raw = double(graph)?;
    let x = preprocessing(0.0).add(graph, &raw)?.value;
    let linear = Linear { weights: vec![0.3, -0.5], bias: vec![0.1], link: Link::Logistic };
    let chance = linear.add(graph, &x)?;
    let reasons = linear.add_reasons(graph, &x, &[0.5, 0.0])?;
    graph.output("probability", &chance, "of the positive class")?;
    graph.output("reasons", &reasons, "what each column adds to the log-odds")
}

fn layer(inputs: usize, outputs: usize, activation: Activation) -> Layer {
    let weights = (0..inputs * outputs).map(|at| (at as f64 * 0.7).sin()).collect();
    Layer { weights, bias: (0..outputs).map(|at| (at as f64).cos() / 4.0).collect(), activation }
}

fn dense(graph: &mut Graph) -> Result<(), GraphError> {
    let raw = double(graph)?;
    let prepared = preprocessing(0.0).add(graph, &raw)?.value;
    let x = graph.cast(&prepared, ElementType::F32)?;
    let trunk =
        Dense { layers: vec![layer(2, 4, Activation::LeakyRelu(0.1)), layer(4, 3, Activation::Tanh)] };
    let heads =
        [Activation::Softmax, Activation::Softplus, Activation::Silu, Activation::Sigmoid, Activation::Relu];
    let network = Network { trunk, heads: heads.map(|it| Dense { layers: vec![layer(3, 2, it)] }).to_vec() };
    for (answer, name) in network.add(graph, &x)?.iter().zip(["class", "rate", "gate", "chance", "amount"]) {
        graph.output(name, answer, "a head")?;
    }
    Ok(())
}

fn autoencoder(graph: &mut Graph) -> Result<(), GraphError> {
    let raw = double(graph)?;
    let prepared = preprocessing(0.0).add(graph, &raw)?.value;
    let x = graph.cast(&prepared, ElementType::F32)?;
    let network = Dense { layers: vec![layer(2, 1, Activation::Tanh), layer(1, 2, Activation::Identity)] };
    let it = Autoencoder { network, usual_error: vec![0.5, 2.0] }.add(graph, &x)?;
    graph.output("errors", &it.errors, "of each column")?;
    graph.output("score", &it.score, "their mean")
}

fn histogram(graph: &mut Graph) -> Result<(), GraphError> {
    let x = double(graph)?;
    let columns = vec![
        Steps { edges: vec![0.0, 0.1, 0.5], values: vec![3.0, 1.0, 0.5, 2.0], missing: 4.0 },
        Steps { edges: vec![MARCH_S, MARCH_S + 1.0], values: vec![0.1, 0.2, 0.3], missing: 0.7 },
    ];
    let sums = Histogram { columns, closed: Closed::Right }.add(graph, &x)?;
    graph.output("parts", &sums.parts, "of each column")?;
    graph.output("score", &sums.score, "their sum")
}

fn tails(graph: &mut Graph) -> Result<(), GraphError> {
    let x = double(graph)?;
    let tail = |edges: Vec<f64>, skewed: Side| Tail {
        edges,
        left: vec![2.0, 1.0, 0.0],
        right: vec![0.0, 0.5, 3.0],
        skewed,
        missing: 0.25,
    };
    let columns = vec![tail(vec![0.1, 0.5], Side::Left), tail(vec![MARCH_S, MARCH_S + 1.0], Side::Right)];
    let sums = Tails { columns, closed: Closed::Left }.add(graph, &x)?;
    graph.output("parts", &sums.parts, "of the largest sum")?;
    graph.output("score", &sums.score, "the largest sum")
}

fn best(graph: &mut Graph) -> Result<(), GraphError> {
    let users = TensorType::new(ElementType::I64, &[Dim::Batch]);
    let users = graph.input("user", users, "a number, outside the table for an unknown one")?;
    let factors = Factors {
        rank: 2,
        users: vec![1.0, 0.5, -0.5, 2.0, 0.0, 0.25],
        items: vec![0.5, 1.0, 1.0, -1.0, 0.0, 2.0, -1.5, 0.5],
        user_bias: vec![0.1, 0.0, -0.1],
        item_bias: vec![0.0, 0.2, 0.0, 0.4],
        mean: 3.0,
        unknown_user: vec![0.1, 0.9],
        element: Precision::Single,
    };
    let best = factors.add_best(graph, &users, 3)?;
    graph.output("items", &best.items, "best first")?;
    graph.output("scores", &best.scores, "how well they fit")
}

/// A known user and two strangers, of whom one is told a number and the other nothing.
fn suited() -> Vec<(&'static str, Given)> {
    vec![
        ("user", Given::I64(vec![1, -1, -1])),
        ("told", Given::F64(1, vec![3.0, 0.5, f64::NAN])),
        ("eligible", Given::F64(3, vec![1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0])),
    ]
}

fn towers(graph: &mut Graph) -> Result<(), GraphError> {
    let users = TensorType::new(ElementType::I64, &[Dim::Batch]);
    let user = graph.input("user", users, "a number, -1 of a stranger")?;
    let told = graph.input("told", TensorType::rows(ElementType::F64, 1), "a number")?;
    let eligible =
        graph.input("eligible", TensorType::rows(ElementType::F64, 3), "1 for each that may be shown")?;
    let range = |low: f64, high: f64| Range { column: 0, low, high };
    let towers = Towers {
        rank: 2,
        users: vec![1.0, 0.5, -0.5, 2.0],
        newcomers: Tower {
            told: Told { columns: 1, features: vec![range(f64::MIN, 1.0), range(1.0, f64::INFINITY)] },
            weights: vec![0.5, -1.0, -0.25, 1.5],
            bias: vec![0.125, 0.25],
            bend: vec![0.5, 0.0, -0.5, 1.0],
        },
        items: vec![0.5, 1.0, 1.0, -1.0, 0.0, 2.0],
    };
    let suited = towers.add(graph, (&user, Some(&told)), &eligible, 2)?;
    graph.output("items", &suited.items, "best first")?;
    graph.output("scores", &suited.scores, "how well they fit")
}

/// Journeys of two touches, one of an unknown channel, of none, and one that is too old for any effect.
fn journeys() -> Vec<(&'static str, Given)> {
    let day_s = 86_400.0;
    let ages = vec![2.0 * day_s, 60.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1e9, 0.0, 0.0];
    vec![
        ("channel", Given::I64Rows(3, vec![0, 0, -1, 7, 1, 0, -1, -1, -1, 0, -1, -1])),
        ("age", Given::F64(3, ages)),
        ("campaign", Given::I64(vec![0, 9, 0, 0])),
        ("device", Given::I64Rows(3, vec![0, 1, -1, -1, 1, 0, 0, 0, 0, 0, 0, 0])),
    ]
}

fn attribution(graph: &mut Graph) -> Result<(), GraphError> {
    let numbers = |graph: &mut Graph, name| {
        graph.input(name, TensorType::rows(ElementType::I64, 3), "numbers, below zero where there is none")
    };
    let channel = numbers(graph, "channel")?;
    let age = graph.input("age", TensorType::rows(ElementType::F64, 3), "seconds before the conversion")?;
    let campaign = graph.input("campaign", TensorType::new(ElementType::I64, &[Dim::Batch]), "a number")?;
    let device = numbers(graph, "device")?;
    let hazard = AdditiveHazard {
        organic: vec![0.01, 0.02],
        effect: vec![0.5, 0.3],
        later: vec![1.5, 1.0],
        repeat: vec![1.0, 0.5],
        factors: vec![("device".to_owned(), vec![1.0, 0.8, 0.9])],
        channel: vec![1.0, 2.0, 1.5],
        decay_per_day: Some(vec![0.5, 3.0, 1.0]),
        nothing: 1e-9,
        rule: Rule::LastClick,
    };
    let credit = hazard.add(graph, &Touches { channel, age, campaign, factors: vec![device] })?;
    graph.output("weights", &credit.weights, "of each touch")?;
    graph.output("organic", &credit.organic, "of nobody")?;
    graph.output("fallback", &credit.by_rule, "whether a rule divided the credit")
}

/// Who came back, who bought once long ago, and who has only just bought.
fn histories() -> Vec<(&'static str, Given)> {
    let rows = [[2.0, 213.0, 272.0, 20.0], [0.0, 0.0, 400.0, f64::NAN], [0.0, 0.0, 0.0, 0.0]];
    vec![("history", Given::F64(4, rows.as_flattened().to_vec()))]
}

fn lifetime(graph: &mut Graph) -> Result<(), GraphError> {
    let rows = TensorType::rows(ElementType::F64, 4);
    let rows = graph.input("history", rows, "frequency, recency, age, mean amount")?;
    let mut column = |place| graph.columns(&rows, &[place]);
    let [frequency, recency, age, mean_amount] = [column(0)?, column(1)?, column(2)?, column(3)?];
    let known = Histories { frequency, recency, age, mean_amount };
    let purchases = BgNbd { r: 0.243, alpha: 30.9, a: 0.793, b: 2.426 }.add(graph, &known, 182.0)?;
    let amount = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 }.add(graph, &known)?;
    graph.output("expected", &purchases.expected, "purchases in the span")?;
    graph.output("p_alive", &purchases.p_alive, "the chance to be still a customer")?;
    graph.output("amount", &amount, "of a purchase")
}

fn line() -> Segments {
    Segments { x: vec![-3.0, 0.1, 0.5, 2.0], y: vec![0.0, 0.2, 0.2, 0.9], missing: 0.5 }
}

fn calibration(graph: &mut Graph) -> Result<(), GraphError> {
    let x = double(graph)?;
    let score = graph.columns(&x, &[0])?;
    let isotonic = Isotonic { line: line() }.add(graph, &score)?;
    let platt = Platt { slope: 2.0, offset: -1.0 }.add(graph, &score)?;
    graph.output("isotonic", &isotonic, "a broken line")?;
    graph.output("platt", &platt, "a sigmoid")
}

fn preprocess(graph: &mut Graph) -> Result<(), GraphError> {
    let x = double(graph)?;
    let channel = graph.input("channel", TensorType::rows(ElementType::Text, 1), "a category by name")?;
    let amount = Numeric { bend: Bend::Quantiles(line()), tells_missing: true, ..Numeric::default() };
    let time = Numeric {
        center: MARCH_S,
        scale: 60.0,
        lowest: MARCH_S,
        highest: MARCH_S + 3600.0,
        ..amount.clone()
    };
    let time = Numeric { bend: Bend::Straight, tells_missing: false, ..time };
    let columns = vec![Column::Numeric(amount), Column::Numeric(time)];
    let prepared = Preprocess { columns }.add(graph, &x)?.value;
    let names = Categories { names: ["blog", "mail"].map(str::to_owned).to_vec() };
    let one_hot = names.add_one_hot(graph, &channel, ElementType::F64)?;
    let code = names.add_codes(graph, &channel, ElementType::F64)?;
    let all = graph.concat(&[&prepared, &one_hot, &code], 1)?;
    graph.output("prepared", &all, "what a model works on")
}

fn composition(graph: &mut Graph) -> Result<(), GraphError> {
    let raw = double(graph)?;
    let columns = vec![
        Column::Numeric(Numeric::default()),
        Column::Numeric(Numeric { fill: MARCH_S, ..Numeric::default() }),
    ];
    let prepared = Preprocess { columns }.add(graph, &raw)?;
    let isolation = forest().add(graph, &prepared.value, Reasons::With)?;
    let line = Segments { x: vec![0.3, 0.6, 0.8], y: vec![0.0, 0.1, 0.9], missing: f64::NAN };
    let chance = Isotonic { line }.add(graph, &isolation.score)?;
    give(graph, &isolation)?;
    graph.output("probability", &chance, "of an anomaly")
}
