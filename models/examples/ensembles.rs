//! Publishes two versions of boosted trees of thirty features, a hundred trees of depth six, that say different numbers, and
//! behind them versions that no service may take, each as a line of JSON:
//! `cargo run --example ensembles -- REGISTRY HOW_MANY_BAD`; `cargo xtask bench serve` does.
#![expect(clippy::print_stdout, reason = "what was published is told to whoever asked for it")]

use std::{collections::BTreeMap, env, error::Error, fs, path::Path};

use chrono::DateTime;
use models::{
    fingerprint::Fingerprint,
    graph::{
        ElementType, Graph, Metadata, TensorType,
        trees::{Leaves, Link, Trees},
    },
    registry::{
        ModelName, Publication, Registry,
        manifest::{About, ParityVector, Port, Signature, Training},
    },
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
};

const MODEL: &str = "ensemble";
const FEATURES: usize = 30;
const TREES: usize = 100;
const DEPTH: u32 = 6;
/// Rows whose answers the manifest has.
const KNOWN: usize = 16;
const TOLERANCE: f64 = 1e-5;
const SEED: u64 = 10;

type Failure = Box<dyn Error>;

/// A way to be bad: its name, how it is published, and what becomes of its files then.
struct Bad {
    name: &'static str,
    publish: fn(&mut Publication, &mut Dice) -> Result<(), Failure>,
    damage: fn(&Path, &mut Dice) -> Result<(), Failure>,
}

const BAD: [Bad; 10] = [
    Bad { name: "cut short", publish: as_it_is, damage: cut_short },
    Bad {
        name: "a bit flipped",
        publish: as_it_is,
        damage: |folder, dice| flip(&folder.join("model.onnx"), dice),
    },
    Bad {
        name: "a bit of the manifest flipped",
        publish: as_it_is,
        damage: |folder, dice| flip(&folder.join("manifest.json"), dice),
    },
    Bad {
        name: "no graph there",
        publish: as_it_is,
        damage: |folder, _| Ok(fs::remove_file(folder.join("model.onnx"))?),
    },
    Bad { name: "another file's hash", publish: as_it_is, damage: another },
    Bad { name: "no graph", publish: half, damage: nothing },
    Bad { name: "operators that nobody has defined", publish: too_new, damage: nothing },
    Bad {
        name: "another input",
        publish: |next, dice| put(next, drawn("rows", FEATURES, grown(dice))),
        damage: nothing,
    },
    Bad {
        name: "another shape",
        publish: |next, dice| put(next, drawn("x", FEATURES + 1, grown(dice))),
        damage: nothing,
    },
    Bad { name: "numbers that are none", publish: not_finite, damage: nothing },
];

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().ok_or("say where: ensembles REGISTRY HOW_MANY_BAD")?;
    let bad: usize = arguments.next().map_or(Ok(0), |number| number.parse())?;
    let (model, registry) = (MODEL.parse::<ModelName>()?, Registry::in_folder(&folder));
    let mut dice = Dice(SEED);
    let trees = grown(&mut dice);
    for base in [0.0, 0.25] {
        let version =
            registry.publish(&model, &publication(&Trees { base: vec![base], ..trees.clone() })?)?;
        println!("{{\"version\": {version}, \"bad\": null}}");
    }
    for Bad { name, publish, damage } in BAD.iter().cycle().take(bad) {
        let mut next = publication(&trees)?;
        publish(&mut next, &mut dice)?;
        let version = registry.publish(&model, &next)?;
        damage(&Path::new(&folder).join(format!("{MODEL}/{version}")), &mut dice)?;
        println!("{{\"version\": {version}, \"bad\": \"{name}\"}}");
    }
    Ok(())
}

fn as_it_is(_: &mut Publication, _: &mut Dice) -> Result<(), Failure> {
    Ok(())
}

fn nothing(_: &Path, _: &mut Dice) -> Result<(), Failure> {
    Ok(())
}

fn cut_short(folder: &Path, dice: &mut Dice) -> Result<(), Failure> {
    let path = folder.join("model.onnx");
    let bytes = fs::read(&path)?;
    Ok(fs::write(path, &bytes[..dice.below(bytes.len())])?)
}

fn flip(path: &Path, dice: &mut Dice) -> Result<(), Failure> {
    let mut bytes = fs::read(path)?;
    let place = dice.below(bytes.len());
    bytes[place] ^= 1 << dice.below(8);
    Ok(fs::write(path, bytes)?)
}

/// The sums of a version with other files.
fn another(folder: &Path, _: &mut Dice) -> Result<(), Failure> {
    let first = folder.with_file_name("2");
    Ok(fs::copy(first.join("model.onnx"), folder.join("model.onnx")).map(drop)?)
}

fn half(next: &mut Publication, _: &mut Dice) -> Result<(), Failure> {
    next.model.truncate(next.model.len() / 2);
    Ok(())
}

/// Asks for a set of operators that nobody has defined yet: `opset_import` is field 8 of a file, the version its field 2.
fn too_new(next: &mut Publication, _: &mut Dice) -> Result<(), Failure> {
    let named = next.model.windows(3).rposition(|part| part == [0x42, 0x02, 0x10]);
    let place = named.ok_or("the graph does not name its operators")?;
    next.model[place + 3] = 99;
    Ok(())
}

fn not_finite(next: &mut Publication, dice: &mut Dice) -> Result<(), Failure> {
    let mut trees = grown(dice);
    trees.link = Link::Exponential;
    trees.base = vec![1e3];
    put(next, drawn("x", FEATURES, trees))
}

fn put(next: &mut Publication, drawn: Result<Vec<u8>, Failure>) -> Result<(), Failure> {
    next.model = drawn?;
    Ok(())
}

/// Trees as boosting grows them: each asks six times, and its leaves say little.
fn grown(dice: &mut Dice) -> Trees {
    let mut trees = Trees { link: Link::Logistic, base: vec![0.0], ..Trees::default() };
    let (mut target, mut value) = (Vec::new(), Vec::new());
    for _ in 0..TREES {
        let root = branch(&mut trees, &mut value, DEPTH, dice);
        trees.roots.push(root);
        target.push(0);
    }
    trees.leaves = Leaves::OneTarget { target, value };
    trees
}

fn branch(trees: &mut Trees, value: &mut Vec<f64>, depth: u32, dice: &mut Dice) -> u32 {
    let place = trees.feature.len();
    let node = u32::try_from(place).unwrap_or(u32::MAX);
    trees.feature.push(-1);
    trees.threshold.push(0.0);
    trees.left.push(node);
    trees.right.push(node);
    value.push(0.2 * (dice.share() - 0.5));
    if depth == 0 {
        return node;
    }
    trees.feature[place] = i32::try_from(dice.below(FEATURES)).unwrap_or_default();
    trees.threshold[place] = dice.share();
    trees.left[place] = branch(trees, value, depth - 1, dice);
    trees.right[place] = branch(trees, value, depth - 1, dice);
    node
}

fn drawn(input: &str, width: usize, trees: Trees) -> Result<Vec<u8>, Failure> {
    let mut graph = Graph::new(MODEL);
    let rows = graph.input(input, TensorType::rows(ElementType::F32, width), "features")?;
    let score = trees.add(&mut graph, &rows)?;
    graph.output("score", &score, "the chance of it")?;
    Ok(graph.finish(&Metadata::default())?)
}

/// What the trees say of a row.
fn said(trees: &Trees, row: &[f32]) -> f64 {
    let Leaves::OneTarget { value, .. } = &trees.leaves else { return f64::NAN };
    let leaf = |root: &u32| {
        let mut node = *root as usize;
        while let Ok(feature) = usize::try_from(trees.feature[node]) {
            let goes_left = f64::from(row[feature]) <= trees.threshold[node];
            node = if goes_left { trees.left[node] } else { trees.right[node] } as usize;
        }
        value[node]
    };
    let sum = trees.base[0] + trees.roots.iter().map(leaf).sum::<f64>();
    1.0 / (1.0 + libm::exp(-sum))
}

fn publication(trees: &Trees) -> Result<Publication, Failure> {
    let mut dice = Dice(SEED);
    let numbers: Vec<f32> = (0..KNOWN * FEATURES).map(|_| dice.share() as f32).collect();
    let scores = numbers.chunks(FEATURES).map(|row| said(trees, row) as f32).collect();
    let names: Vec<String> = (0..FEATURES).map(|number| format!("feature_{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let tensor = |width, values| Tensor::new(vec![KNOWN, width], Values::Float32(values));
    let port = |name: &str, columns: &[&str], width| {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Port { name: name.to_owned(), element: Element::Float32, shape: vec![None, Some(width)], columns }
    };
    let at = |seconds| DateTime::from_timestamp(seconds, 0).ok_or("it is an instant");
    let parity = ParityVector {
        inputs: BTreeMap::from([("x".to_owned(), tensor(FEATURES, numbers)?)]),
        outputs: BTreeMap::from([("score".to_owned(), tensor(1, scores)?)]),
        tolerance: TOLERANCE,
    };
    let about = About {
        family: "trees".to_owned(),
        job: "bench".to_owned(),
        features: FeatureSchema::of_columns("bench_v1", &names),
        signature: Signature {
            inputs: vec![port("x", &names, FEATURES)],
            outputs: vec![port("score", &[], 1)],
        },
        training: Training { from: at(0)?, to: at(1)?, rows: 1, data: Fingerprint::of(b"none") },
        seed: SEED,
        metrics: Vec::new(),
        gates: Vec::new(),
        calibration: None,
        thresholds: Vec::new(),
        parity: vec![parity],
        commit: "0000000".to_owned(),
        licence: "Apache-2.0".to_owned(),
        created_at: at(0)?,
    };
    let model = drawn("x", FEATURES, trees.clone())?;
    Ok(Publication { about, model, report: "<h1>ensemble</h1>\n".to_owned(), files: BTreeMap::new() })
}

/// Steele and others' SplitMix64 (2014).
struct Dice(u64);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: usize) -> usize {
        (self.share() * end as f64) as usize
    }
}
