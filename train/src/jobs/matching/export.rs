//! Who recommends, as a version of a model: its graph, and users of the lists that prove it.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::Clock;
use models::{
    graph::{Dim, ElementType, Graph, Metadata, TensorType, pairs::Asked, towers::Towers},
    registry::{
        Publication,
        gate::{Better, Gate},
        manifest::{About, Interval, Metric, ParityVector, Port, Signature, Training},
    },
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
};

use super::{LEVEL, Matching, Said, Way, pages, served};
use crate::{
    jobs::publish::{COMMIT, LICENCE, RegistryArgs},
    matching::{
        Exported,
        candidates::Value,
        top::{Eligible, Scored, of_scores},
    },
};

/// The job and, unless it is called otherwise, the model.
const JOB: &str = "match";
/// How many users the file is proved by at most, and by how many scores.
const PROVED: usize = 16;
const MOST_PROVED: usize = 200_000;
/// How far a number may be off.
const EXACT: f64 = 1e-6;
/// By how much the NDCG of a later version may be worse than the champion's.
const TOLERANCE: f64 = 0.02;

/// A graph, what it takes and gives, and what proves it.
struct File {
    model: Vec<u8>,
    signature: Signature,
    parity: ParityVector,
}

/// Publishes a version, if there is one and it is wanted; says which, or why none.
pub(super) fn published(
    publication: Result<Publication>,
    registry: &RegistryArgs,
    out: &Path,
) -> Result<Option<String>> {
    match publication {
        Ok(publication) => registry.publish(&publication, out),
        Err(error) => Ok(Some(format!("no version came of it: {error:#}"))),
    }
}

/// The file, and all that a version says of itself.
pub(super) fn publication(said: &Said, asked: &Matching, clock: &Clock) -> Result<Publication> {
    let way = &said.forth;
    let family = way.judged[way.chosen].model.name();
    let Some(exported) = way.scorer.exported() else {
        bail!(
            "{family} has no file; choose popularity, als, bpr, two-tower or value as --model for a version in the registry"
        );
    };
    let file = match &exported {
        Exported::Towers(towers) => of_towers(way, towers)?,
        Exported::Value(value) => of_value(way, value)?,
    };
    let files = served::files(said, asked, exported, &file.parity)?;
    let names: Vec<&str> =
        file.signature.inputs.iter().flat_map(|port| &port.columns).map(String::as_str).collect();
    let about = About {
        family,
        job: JOB.to_owned(),
        features: FeatureSchema::of_columns(JOB, &names),
        training: training(way, clock),
        seed: asked.run.seed,
        metrics: metrics(way),
        gates: vec![Gate { metric: "ndcg".to_owned(), better: Better::Higher, tolerance: TOLERANCE }],
        calibration: None,
        thresholds: Vec::new(),
        parity: vec![file.parity],
        signature: file.signature,
        commit: COMMIT.to_owned(),
        licence: LICENCE.to_owned(),
        created_at: clock.now(),
    };
    Ok(Publication { about, model: file.model, report: pages::report(said, asked).render()?, files })
}

fn port(name: &str, element: Element, width: Option<usize>, columns: Vec<String>) -> Port {
    let shape = [None].into_iter().chain(width.map(Some)).collect();
    Port { name: name.to_owned(), element, shape, columns }
}

/// A table of doubles, named.
fn doubles(name: &str, rows: usize, values: Vec<f64>) -> Result<(String, Tensor)> {
    Ok((name.to_owned(), Tensor::new(vec![rows, values.len() / rows], Values::Float64(values))?))
}

/// Numbers of users or items, one for each row, named.
fn numbers(name: &str, values: Vec<i64>) -> Result<(String, Tensor)> {
    Ok((name.to_owned(), Tensor::new(vec![values.len()], Values::Int64(values))?))
}

/// Items for users; also for strangers, by what is told of them.
fn of_towers(way: &Way, towers: &Towers) -> Result<File> {
    let (items, k) = (towers.item_count(), way.placed.k);
    let told = way.market.seen.users.as_ref().filter(|_| 0 < towers.newcomers.told.columns);
    let columns = told.map(|told| told.columns()).unwrap_or_default();
    let mut graph = Graph::new(JOB);
    let user = TensorType::new(ElementType::I64, &[Dim::Batch]);
    let user = graph.input("user", user, "the number of the user among `users`, -1 of a stranger")?;
    let raw = TensorType::rows(ElementType::F64, columns.len());
    let raw =
        told.map(|_| graph.input("told", raw, "what is told of the user, for strangers")).transpose()?;
    let open = TensorType::rows(ElementType::F64, items);
    let open = graph.input("eligible", open, "1 for each item that may be shown, else 0")?;
    let suited = towers.add(&mut graph, (&user, raw.as_ref()), &open, k)?;
    graph.output("items", &suited.items, "numbers of items among `items`, best first")?;
    graph.output("scores", &suited.scores, "their scores; minus infinity where no more are eligible")?;
    graph.output("fit", &suited.all, "the score of every item")?;
    let model = graph.finish(&metadata(way, "which items suit users best")?)?;
    let ids = &way.market.items;
    let eligible = ids.iter().map(|id| format!("eligible {id}")).collect();
    let mut inputs = vec![port("user", Element::Int64, None, vec!["user".to_owned()])];
    inputs.extend(told.map(|_| port("told", Element::Float64, Some(columns.len()), columns)));
    inputs.push(port("eligible", Element::Float64, Some(items), eligible));
    let outputs = vec![
        port("items", Element::Int64, Some(k), Vec::new()),
        port("scores", Element::Float64, Some(k), Vec::new()),
        port("fit", Element::Float64, Some(items), ids.clone()),
    ];
    Ok(File { model, signature: Signature { inputs, outputs }, parity: towers_parity(way, towers)? })
}

/// Users with full lists from all over, who must get what they got, and each of them again as a stranger.
fn towers_parity(way: &Way, towers: &Towers) -> Result<ParityVector> {
    let (items, k) = (towers.item_count(), way.placed.k);
    let known = &way.market.seen.interactions;
    let full: Vec<usize> = (0..known.users()).filter(|user| suited(way, *user).len() == k).collect();
    let proved = spread(&full, PROVED.min(MOST_PROVED / (2 * items)).max(1));
    ensure!(
        !proved.is_empty(),
        "nobody's list has {k} items, by which the file could be proved; ask for fewer by --k"
    );
    let told = way.market.seen.users.as_ref().filter(|_| 0 < towers.newcomers.told.columns);
    let (mut users, mut raws, mut open) = (Vec::new(), Vec::new(), Vec::new());
    let (mut best, mut scores, mut fit) = (Vec::new(), Vec::new(), Vec::new());
    for (user, is_known) in proved.iter().flat_map(|user| [(*user, true), (*user, false)]) {
        let raw = told.map(|told| told.raw(user)).unwrap_or_default();
        let all = towers.scores(is_known.then_some(user), &raw);
        let mut eligible = Eligible::all(items);
        known.of_user(user).iter().for_each(|row| eligible.remove(row.item as usize));
        let list = of_scores(&all, &eligible, k);
        if is_known {
            let same = list.iter().zip(&suited(way, user)).all(|(one, other)| {
                one.item == other.item
                    && (one.score - other.score).abs() <= EXACT * other.score.abs().max(1.0)
            });
            ensure!(same, "the file would give {} another list", way.market.users[user]);
        }
        users.push(if is_known { user as i64 } else { -1 });
        raws.extend(raw);
        open.extend((0..items).map(|item| f64::from(u8::from(eligible.contains(item)))));
        best.extend(list.iter().map(|it| i64::from(it.item)));
        scores.extend(list.iter().map(|it| it.score));
        fit.extend(all);
    }
    let rows = users.len();
    let mut inputs = BTreeMap::from([numbers("user", users)?, doubles("eligible", rows, open)?]);
    if told.is_some() {
        inputs.extend([doubles("told", rows, raws)?]);
    }
    let best = ("items".to_owned(), Tensor::new(vec![rows, k], Values::Int64(best))?);
    let outputs = BTreeMap::from([best, doubles("scores", rows, scores)?, doubles("fit", rows, fit)?]);
    Ok(ParityVector { inputs, outputs, tolerance: EXACT })
}

/// A user's best items before rules, chance and newcomers' places, which a file knows nothing of.
fn suited(way: &Way, user: usize) -> Vec<Scored> {
    let known = &way.market.seen.interactions;
    let mut eligible = Eligible::all(known.items());
    known.of_user(user).iter().for_each(|row| eligible.remove(row.item as usize));
    of_scores(&way.scorer.scores(user), &eligible, way.placed.k)
}

/// Some of all, from the first to the last.
fn spread(all: &[usize], count: usize) -> Vec<usize> {
    let count = count.min(all.len());
    (0..count).map(|at| all[at * (all.len() - 1) / (count - 1).max(1)]).collect()
}

/// What pairs are worth.
fn of_value(way: &Way, value: &Value) -> Result<File> {
    let [users, items] = value.profiles();
    let mut graph = Graph::new(JOB);
    let number = || TensorType::new(ElementType::I64, &[Dim::Batch]);
    let rows = |width: usize| TensorType::rows(ElementType::F64, width);
    let user = graph.input("user", number(), "the number of the user among `users`, -1 of a stranger")?;
    let item = graph.input("item", number(), "the number of the item among `items`, -1 of a stranger")?;
    let (of_user, of_item) = (users.columns(), items.columns());
    let raw_user = graph.input("user_told", rows(of_user.len()), "what is told of the user")?;
    let raw_item = graph.input("item_told", rows(of_item.len()), "what is told of the item")?;
    let asked = Asked { numbers: [&user, &item], raw: [&raw_user, &raw_item] };
    let worth = value.add(&mut graph, &asked)?;
    graph.output("expected", &worth.expected, "what the pair is expected to be worth")?;
    graph.output(
        "contributions",
        &worth.contributions,
        "what each column adds to what all are expected to be",
    )?;
    let model = graph.finish(&metadata(way, "what pairs of a user and an item are worth")?)?;
    let told =
        |side: &str, names: Vec<String>| names.into_iter().map(|name| format!("{side} {name}")).collect();
    let one = |name: &str| vec![name.to_owned()];
    let inputs = vec![
        port("user", Element::Int64, None, one("user")),
        port("item", Element::Int64, None, one("item")),
        port("user_told", Element::Float64, Some(of_user.len()), told("user", of_user)),
        port("item_told", Element::Float64, Some(of_item.len()), told("item", of_item)),
    ];
    let names = value.names().to_vec();
    let outputs = vec![
        port("expected", Element::Float64, Some(1), one("expected")),
        port("contributions", Element::Float64, Some(names.len()), names),
    ];
    Ok(File { model, signature: Signature { inputs, outputs }, parity: value_parity(way, value)? })
}

/// Pairs of the lists from all over.
fn value_parity(way: &Way, value: &Value) -> Result<ParityVector> {
    let [of_users, of_items] = value.profiles();
    let listed: Vec<usize> =
        (0..way.market.users.len()).filter(|user| !suited(way, *user).is_empty()).collect();
    let (mut users, mut items) = (Vec::new(), Vec::new());
    let (mut user_told, mut item_told) = (Vec::new(), Vec::new());
    let (mut expected, mut contributions) = (Vec::new(), Vec::new());
    for user in spread(&listed, PROVED) {
        for it in &suited(way, user) {
            let (worth, adds) = value.worth(user, it.item as usize);
            let off = (worth - it.score).abs();
            ensure!(
                off <= EXACT * worth.abs().max(1.0),
                "the file would say that a pair is worth {worth}, not {}",
                it.score
            );
            users.push(user as i64);
            items.push(i64::from(it.item));
            user_told.extend(of_users.raw(user));
            item_told.extend(of_items.raw(it.item as usize));
            expected.push(worth);
            contributions.extend(adds);
        }
    }
    let rows = users.len();
    ensure!(0 < rows, "there are no lists by which the file could be proved");
    Ok(ParityVector {
        inputs: BTreeMap::from([
            numbers("user", users)?,
            numbers("item", items)?,
            doubles("user_told", rows, user_told)?,
            doubles("item_told", rows, item_told)?,
        ]),
        outputs: BTreeMap::from([
            doubles("expected", rows, expected)?,
            doubles("contributions", rows, contributions)?,
        ]),
        tolerance: EXACT,
    })
}

/// Who the numbers are.
fn metadata(way: &Way, doc: &str) -> Result<Metadata> {
    let names = |names: &[String]| serde_json::to_string(names).context("names are texts");
    let properties = [("users", names(&way.market.users)?), ("items", names(&way.market.items)?)];
    Ok(Metadata {
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc: format!(
            "{doc}; numbers are places in users and items, words are 1 where they are told and else 0"
        ),
        properties: properties.map(|(name, text)| (name.to_owned(), text)).into(),
    })
}

fn metrics(way: &Way) -> Vec<Metric> {
    let judged = &way.judged[way.chosen];
    let (all, [low, high]) = (&judged.metrics.all, judged.ndcg);
    let metric = |name: &str, value: f64| Metric { name: name.to_owned(), value, interval: None };
    let ndcg = Metric { interval: Some(Interval { low, high, level: LEVEL }), ..metric("ndcg", all.ndcg) };
    vec![
        ndcg,
        metric("recall", all.recall),
        metric("map", all.map),
        metric("coverage", judged.metrics.coverage),
    ]
}

/// From the first interaction to the last; without times the moment of training stands for it.
fn training(way: &Way, clock: &Clock) -> Training {
    let rows = way.market.seen.interactions.rows();
    let moment = |at_us: Option<i64>| {
        let at_us = at_us.filter(|_| way.market.is_timed)?;
        DateTime::<Utc>::from_timestamp_micros(at_us)
    };
    let times = || rows.iter().map(|row| row.ts_us);
    let now = clock.now();
    Training {
        from: moment(times().min()).unwrap_or(now - TimeDelta::microseconds(1)),
        to: moment(times().max().map(|at_us| at_us.saturating_add(1))).unwrap_or(now),
        rows: rows.len() as u64,
        data: way.market.data,
    }
}
