//! A version of `match` as the job publishes it, small enough to reckon by hand: a pair is worth 3 where both are of one
//! country and else 1, and 0.5 more where the campaign is one that does well.

use std::{collections::BTreeMap, path::Path};

use chrono::DateTime;
use models::{
    exact::Exact,
    fingerprint::Fingerprint,
    graph::{
        Dim, ElementType, Graph, Metadata, TensorType,
        pairs::{Asked, Pairs, Shared},
        told::{Range, Told},
        towers::{Tower, Towers},
        trees::{Leaves, Trees},
    },
    matching::{FILE, FORMAT, Gap, Grove, Like, Matches, Rule, Side, Usual, Value},
    registry::{
        Alias, Decision, Force, Promotion, Publication, Registry, Version,
        manifest::{About, ParityVector, Port, Signature, Training},
    },
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
};

use crate::host::Host;

pub const COUNTRIES: [&str; 2] = ["DE", "FR"];

/// Who is known, by id and the place of the country; campaigns besides by how well they do.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub affiliates: Vec<(String, usize)>,
    pub campaigns: Vec<(String, usize, f64)>,
    /// Places of affiliates and campaigns that had to do with each other.
    pub pairs: Vec<(usize, usize)>,
}

fn told() -> Told {
    let feature = |column| Range { column, low: 0.5, high: f64::INFINITY };
    Told { columns: 2, features: vec![feature(0), feature(1)] }
}

fn side(names: Vec<String>, countries: impl Iterator<Item = usize>) -> Side {
    let columns = COUNTRIES.map(|it| format!("country={it}")).to_vec();
    let told = countries.map(|country| vec![(country as u32, Exact(1.0))]).collect();
    Side { names, columns, numbers: 0, told }
}

fn value(world: &World) -> Value {
    let shared = Shared { features: [vec![0, 1], vec![0, 1]], same: vec![(0, 0), (1, 1)] };
    let (users, items) = (world.affiliates.len(), world.campaigns.len());
    let pairs = Pairs {
        told: [told(), told()],
        shared: vec![shared],
        effects: [vec![0.0; users], world.campaigns.iter().map(|it| it.2).collect()],
        crossed: [vec![0.0; 2 * items], vec![0.0; 2 * users]],
    };
    let names = ["user country=DE", "user country=FR", "item country=DE", "item country=FR", "same country"];
    let effects = ["item", "user", "item with such users", "user with such items"];
    let trees = Grove {
        roots: vec![0, 3],
        feature: vec![4, -1, -1, 5, -1, -1],
        threshold: vec![0.5, 0.0, 0.0, 0.1, 0.0, 0.0],
        left: vec![1, 0, 0, 4, 0, 0],
        right: vec![2, 0, 0, 5, 0, 0],
        missing_left: vec![true; 6],
        expected: vec![0.0, -1.0, 1.0, 0.0, 0.0, 0.5],
        base: 2.0,
    };
    Value { pairs, names: names.into_iter().chain(effects).map(str::to_owned).collect(), trees }
}

fn matches(world: &World, rule: Rule) -> Matches {
    let names = |all: Vec<&String>| all.into_iter().cloned().collect::<Vec<_>>();
    let of = |affiliate: usize| -> Vec<u32> {
        let mut items: Vec<u32> =
            world.pairs.iter().filter(|it| it.0 == affiliate).map(|it| it.1 as u32).collect();
        items.sort_unstable();
        items
    };
    let count = |campaign: usize| world.pairs.iter().filter(|it| it.1 == campaign).count() as u32;
    let gap = Gap {
        segment: vec![("country".to_owned(), "FR".to_owned())],
        items: 3,
        users: 1,
        expected_value: 1.25,
        recruit: vec![("device=mobile".to_owned(), 0.5)],
    };
    let like = Like { user: 1, likeness: 0.75, like: vec![0], reason: "both country=DE +0.500".to_owned() };
    let mut lookalikes = vec![Vec::new(); world.campaigns.len()];
    if let Some(first) = lookalikes.first_mut().filter(|_| 1 < world.affiliates.len()) {
        first.push(like);
    }
    Matches {
        format: FORMAT,
        called: ["affiliate", "campaign"].map(str::to_owned),
        unit: "mean value per click".to_owned(),
        currency: Some("EUR".to_owned()),
        users: side(
            names(world.affiliates.iter().map(|it| &it.0).collect()),
            world.affiliates.iter().map(|it| it.1),
        ),
        items: side(
            names(world.campaigns.iter().map(|it| &it.0).collect()),
            world.campaigns.iter().map(|it| it.1),
        ),
        pairs: (0..world.affiliates.len()).map(of).collect(),
        usual: Usual {
            all: Exact(1.5),
            items: (0..world.campaigns.len()).map(|it| (Exact(1.25), count(it))).collect(),
        },
        rule,
        lookalikes: Some(lookalikes),
        gaps: Some(vec![gap]),
    }
}

/// The trees with what each column is credited with, as a graph has them.
fn credited(trees: &Grove, columns: usize) -> Trees {
    let targets = 1 + columns;
    let mut leaves = vec![0.0; trees.feature.len() * targets];
    for root in trees.roots.iter().map(|root| *root as usize) {
        let (column, children) = (trees.feature[root] as usize, [trees.left[root], trees.right[root]]);
        for child in children.map(|child| child as usize) {
            leaves[child * targets] = trees.expected[child];
            leaves[child * targets + 1 + column] = trees.expected[child] - trees.expected[root];
        }
    }
    let mut base = vec![0.0; targets];
    base[0] = trees.base;
    let Grove { roots, feature, threshold, left, right, missing_left, .. } = trees.clone();
    let leaves = Leaves::Vectors(leaves);
    Trees { roots, feature, threshold, left, right, missing_left, leaves, base, ..Trees::default() }
}

fn port(name: &str, element: Element, width: Option<usize>, columns: &[&str]) -> Port {
    let shape = [None].into_iter().chain(width.map(Some)).collect();
    Port {
        name: name.to_owned(),
        element,
        shape,
        columns: columns.iter().map(|it| (*it).to_owned()).collect(),
    }
}

fn numbers(values: Vec<i64>) -> Tensor {
    Tensor::new(vec![values.len()], Values::Int64(values)).unwrap()
}

fn table(rows: usize, values: Vec<f64>) -> Tensor {
    Tensor::new(vec![rows, values.len() / rows], Values::Float64(values)).unwrap()
}

fn named<const N: usize>(all: [(&str, Tensor); N]) -> BTreeMap<String, Tensor> {
    all.map(|(name, tensor)| (name.to_owned(), tensor)).into()
}

/// A version by what pairs are worth.
pub fn of_value(world: &World) -> Publication {
    let model = value(world);
    let mut graph = Graph::new("match");
    let number = || TensorType::new(ElementType::I64, &[Dim::Batch]);
    let user = graph.input("user", number(), "").unwrap();
    let item = graph.input("item", number(), "").unwrap();
    let of_user = graph.input("user_told", TensorType::rows(ElementType::F64, 2), "").unwrap();
    let of_item = graph.input("item_told", TensorType::rows(ElementType::F64, 2), "").unwrap();
    let asked = Asked { numbers: [&user, &item], raw: [&of_user, &of_item] };
    let rows = model.pairs.add(&mut graph, &asked).unwrap();
    let said = credited(&model.trees, model.names.len()).add(&mut graph, &rows).unwrap();
    let expected = graph.columns(&said, &[0]).unwrap();
    let adds = graph.columns(&said, &(1..=model.names.len()).collect::<Vec<_>>()).unwrap();
    graph.output("expected", &expected, "").unwrap();
    graph.output("contributions", &adds, "").unwrap();
    let onnx = graph.finish(&Metadata::default()).unwrap();
    let names: Vec<&str> = model.names.iter().map(String::as_str).collect();
    let signature = Signature {
        inputs: vec![
            port("user", Element::Int64, None, &["user"]),
            port("item", Element::Int64, None, &["item"]),
            port("user_told", Element::Float64, Some(2), &["user country=DE", "user country=FR"]),
            port("item_told", Element::Float64, Some(2), &["item country=DE", "item country=FR"]),
        ],
        outputs: vec![
            port("expected", Element::Float64, Some(1), &["expected"]),
            port("contributions", Element::Float64, Some(names.len()), &names),
        ],
    };
    // The first affiliate and campaign are of one country, and the campaign does well.
    let told = vec![1.0, 0.0];
    let mut adds = vec![0.0; names.len()];
    (adds[4], adds[5]) = (1.0, 0.5);
    let inputs = [
        ("user", numbers(vec![0])),
        ("item", numbers(vec![0])),
        ("user_told", table(1, told.clone())),
        ("item_told", table(1, told)),
    ];
    let outputs = [("expected", table(1, vec![3.5])), ("contributions", table(1, adds))];
    let parity = ParityVector { inputs: named(inputs), outputs: named(outputs), tolerance: 1e-6 };
    publication(("value", onnx), signature, parity, &matches(world, Rule::Value(Box::new(model))))
}

/// A version by vectors: the country, and how well campaigns do.
pub fn of_vectors(world: &World) -> Publication {
    let of = |country: usize, more: f64| {
        [f64::from(u8::from(country == 0)), f64::from(u8::from(country == 1)), more]
    };
    let towers = Towers {
        rank: 3,
        users: world.affiliates.iter().flat_map(|it| of(it.1, 1.0)).collect(),
        newcomers: Tower {
            told: told(),
            weights: [of(0, 1.0), of(1, 1.0)].concat(),
            bias: vec![0.0; 3],
            bend: Vec::new(),
        },
        items: world.campaigns.iter().flat_map(|it| of(it.1, it.2)).collect(),
    };
    let items = world.campaigns.len();
    let mut graph = Graph::new("match");
    let user = graph.input("user", TensorType::new(ElementType::I64, &[Dim::Batch]), "").unwrap();
    let raw = graph.input("told", TensorType::rows(ElementType::F64, 2), "").unwrap();
    let open = graph.input("eligible", TensorType::rows(ElementType::F64, items), "").unwrap();
    let suited = towers.add(&mut graph, (&user, Some(&raw)), &open, 1).unwrap();
    graph.output("items", &suited.items, "").unwrap();
    graph.output("scores", &suited.scores, "").unwrap();
    graph.output("fit", &suited.all, "").unwrap();
    let onnx = graph.finish(&Metadata::default()).unwrap();
    let names: Vec<&str> = world.campaigns.iter().map(|it| it.0.as_str()).collect();
    let eligible: Vec<String> = names.iter().map(|it| format!("eligible {it}")).collect();
    let eligible: Vec<&str> = eligible.iter().map(String::as_str).collect();
    let signature = Signature {
        inputs: vec![
            port("user", Element::Int64, None, &["user"]),
            port("told", Element::Float64, Some(2), &["country=DE", "country=FR"]),
            port("eligible", Element::Float64, Some(items), &eligible),
        ],
        outputs: vec![
            port("items", Element::Int64, Some(1), &[]),
            port("scores", Element::Float64, Some(1), &[]),
            port("fit", Element::Float64, Some(items), &names),
        ],
    };
    let fit = towers.scores(Some(0), &[]);
    let best =
        (0..items).max_by(|one, other| fit[*one].total_cmp(&fit[*other]).then(other.cmp(one))).unwrap();
    let inputs = [
        ("user", numbers(vec![0])),
        ("told", table(1, vec![1.0, 0.0])),
        ("eligible", table(1, vec![1.0; items])),
    ];
    let outputs = [
        ("items", Tensor::new(vec![1, 1], Values::Int64(vec![best as i64])).unwrap()),
        ("scores", table(1, vec![fit[best]])),
        ("fit", table(1, fit)),
    ];
    let parity = ParityVector { inputs: named(inputs), outputs: named(outputs), tolerance: 1e-6 };
    publication(("als", onnx), signature, parity, &matches(world, Rule::Vectors(towers)))
}

fn publication(
    (family, model): (&str, Vec<u8>),
    signature: Signature,
    parity: ParityVector,
    matches: &Matches,
) -> Publication {
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    let names: Vec<&str> =
        signature.inputs.iter().flat_map(|port| &port.columns).map(String::as_str).collect();
    let about = About {
        family: family.to_owned(),
        job: "match".to_owned(),
        features: FeatureSchema::of_columns("match", &names),
        training: Training { from: at(0), to: at(1_769_900_000), rows: 1, data: Fingerprint::of(b"none") },
        seed: 1,
        metrics: Vec::new(),
        gates: Vec::new(),
        calibration: None,
        thresholds: Vec::new(),
        parity: vec![parity],
        signature,
        commit: "0123abc".to_owned(),
        licence: "Apache-2.0".to_owned(),
        created_at: at(1_769_900_000),
    };
    let files = BTreeMap::from([(FILE.to_owned(), serde_json::to_vec(matches).unwrap())]);
    Publication { about, model, report: "<h1>match</h1>\n".to_owned(), files }
}

/// Makes it the champion of a registry in this folder.
pub fn serve(folder: &Path, publication: &Publication) -> Version {
    let registry = Registry::in_folder(folder);
    let model = crate::matching::MODEL.parse().unwrap();
    let version = registry.publish(&model, publication).unwrap();
    let decision = Decision {
        by: "ana".to_owned(),
        why: "the first".to_owned(),
        at: DateTime::from_timestamp(0, 0).unwrap(),
    };
    let promotion = Promotion { model, version, alias: Alias::Champion, decision, force: Force::No };
    registry.promote(&promotion, Host::open(folder).unwrap().runtime().unwrap()).unwrap();
    version
}
