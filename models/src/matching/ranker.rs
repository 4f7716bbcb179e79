//! Lists with reasons from the tables of a version.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{Arc, OnceLock},
};

use super::{
    Matches, Rule, Side, Usual,
    glance::Line,
    value::Reader,
    words::{cause, worth},
};
use crate::{
    best::{Best, Eligible, Scored},
    graph::towers::Towers,
    registry::manifest::ParityVector,
    tensor::Tensor,
};

/// So many candidates are looked at a second time, by trees; of more, those are that a first look finds best.
const RERANKED: usize = 200;
/// First looks at so many pairs are kept, 4 bytes each.
const MOST_GLANCES: usize = 1 << 26;
/// How many reasons are told at most.
const TOLD: usize = 3;

/// A user or an item as a version knows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Party {
    /// Its number in the version; none of a stranger.
    pub(super) number: Option<u32>,
    /// What is told of it, by numbers of features, in order.
    pub(super) features: Vec<u32>,
    /// Those of them that the other side may have as well: the column, and the number there.
    pub(super) words: Vec<(u16, u32)>,
    /// Where the version has vectors, that of a stranger.
    pub(super) vector: Vec<f64>,
    /// Whether anything is told.
    pub(super) is_told: bool,
}

impl Party {
    /// Its number in the version; none of a stranger.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    /// Whether the version has learned from it, or is told anything of it that it knows.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.is_told
    }
}

/// A part of a score, as people read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// What it comes from.
    pub words: String,
    /// How much of the score comes from it.
    pub adds: f64,
}

/// What ranks.
#[derive(Debug)]
enum Kind {
    Vectors(Towers),
    Value(Box<Model>),
}

/// What pairs are worth, and what a first look at them says.
#[derive(Debug)]
struct Model {
    reader: Reader,
    line: Line,
    /// Of each item with each user whom the version knows, as soon as it was asked for.
    glances: Vec<OnceLock<Vec<f32>>>,
}

/// A version that is ready to rank.
#[derive(Debug)]
pub struct Ranker {
    matches: Matches,
    kind: Kind,
    users: Vec<Arc<Party>>,
    items: Vec<Arc<Party>>,
    numbers: [HashMap<String, u32>; 2],
}

/// Which side somebody is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Gets items.
    User,
    /// Is given to users.
    Item,
}

impl Ranker {
    /// Makes what was read ready.
    #[must_use]
    pub fn new(mut matches: Matches) -> Self {
        let rule = mem::replace(&mut matches.rule, Rule::Vectors(Towers::default()));
        let numbered = |side: &Side| side.names.iter().cloned().zip(0..).collect();
        let numbers = [numbered(&matches.users), numbered(&matches.items)];
        let kind = match rule {
            Rule::Vectors(towers) => Kind::Vectors(towers),
            Rule::Value(value) => {
                let (reader, line) = (Reader::new(*value), Line::default());
                let items = matches.items.names.len();
                let glances = (0..items).map(|_| OnceLock::new()).collect();
                Kind::Value(Box::new(Model { reader, line, glances }))
            }
        };
        let mut ranker = Self { matches, kind, users: Vec::new(), items: Vec::new(), numbers };
        let all = |part: Part, side: &Side| -> Vec<Arc<Party>> {
            let known = |number: usize| ranker.party(part, Some(number as u32), &side.raw(number));
            (0..side.names.len()).map(known).map(Arc::new).collect()
        };
        let (users, items) = (all(Part::User, &ranker.matches.users), all(Part::Item, &ranker.matches.items));
        if let Kind::Value(model) = &mut ranker.kind {
            model.line = Line::drawn(&model.reader, &users, &items);
        }
        (ranker.users, ranker.items) = (users, items);
        ranker
    }

    /// What it was made of, but for what ranks.
    #[must_use]
    pub fn matches(&self) -> &Matches {
        &self.matches
    }

    /// Whether scores are what pairs are expected to be worth.
    #[must_use]
    pub fn is_value(&self) -> bool {
        matches!(self.kind, Kind::Value(_))
    }

    fn side(&self, part: Part) -> &Side {
        match part {
            Part::User => &self.matches.users,
            Part::Item => &self.matches.items,
        }
    }

    /// Somebody whom the version learned from.
    #[must_use]
    pub fn known(&self, part: Part, name: &str) -> Option<&Arc<Party>> {
        let number = *self.numbers[part as usize].get(name)? as usize;
        match part {
            Part::User => self.users.get(number),
            Part::Item => self.items.get(number),
        }
    }

    /// Somebody of whom these words are told, each with its column; those that the version knows count.
    #[must_use]
    pub fn stranger(&self, part: Part, words: &[(&str, &str)]) -> Party {
        let side = self.side(part);
        let mut raw = side.untold();
        for (column, word) in words {
            let is_it = |name: &&String| name.split_once('=').is_some_and(|it| it == (*column, *word));
            let place = side.columns.iter().skip(side.numbers).position(|name| is_it(&name));
            if let Some(place) = place {
                raw[side.numbers + place] = 1.0;
            }
        }
        self.party(part, None, &raw)
    }

    fn party(&self, part: Part, number: Option<u32>, raw: &[f64]) -> Party {
        let numbers = self.side(part).numbers;
        let is_told = number.is_some()
            || raw[..numbers].iter().any(|it| !it.is_nan())
            || raw[numbers..].iter().any(|it| 0.5 <= *it);
        let (mut features, mut words, mut vector) = (Vec::new(), Vec::new(), Vec::new());
        match &self.kind {
            Kind::Value(model) => {
                features = model.reader.features(part as usize, raw);
                words = model.reader.words(part as usize, &features);
            }
            Kind::Vectors(towers) if part == Part::User => {
                let told = if towers.newcomers.told.columns == 0 { &[][..] } else { raw };
                if number.is_none() {
                    vector = towers.newcomers.of(told);
                    let is_told = towers.newcomers.told.of(told).into_iter().zip(0..);
                    features = is_told.filter(|(is_told, _)| 0.5 < *is_told).map(|(_, it)| it).collect();
                }
            }
            Kind::Vectors(_) => {}
        }
        Party { number, features, words, vector, is_told }
    }

    /// How well an item suits a user; none where the version cannot say: it has no vector for an item that it does not know.
    #[must_use]
    pub fn score(&self, user: &Party, item: &Party) -> Option<f64> {
        match &self.kind {
            Kind::Value(model) => model.reader.worths_with((Part::User, user), [item].into_iter()).pop(),
            Kind::Vectors(towers) => product(towers, user, item),
        }
    }

    /// The best of the others that are open, best first; `part` is which side `one` is on. By trees at most two hundred are
    /// ranked, those that a first look finds best; a product of vectors is the same at any look.
    ///
    /// # Panics
    /// When there is not a bit for each of the others.
    #[must_use]
    pub fn best(
        &self,
        (part, one): (Part, &Party),
        others: &[Arc<Party>],
        open: &Eligible,
        k: usize,
    ) -> Vec<Scored> {
        assert_eq!(open.len(), others.len(), "a bit for each");
        let pair = |other: usize| match part {
            Part::User => (one, &*others[other]),
            Part::Item => (&*others[other], one),
        };
        let mut best = Best::new(k, others.len());
        match &self.kind {
            Kind::Vectors(towers) => {
                for other in open.iter() {
                    let (user, item) = pair(other);
                    if let Some(score) = product(towers, user, item) {
                        best.offer(other as u32, score);
                    }
                }
            }
            Kind::Value(model) => {
                let known = if part == Part::Item { self.glances(model, one) } else { None };
                let looked_at = looked_at(open, |other| {
                    let seen = known.zip(others[other].number).map(|(known, it)| known[it as usize]);
                    let (user, item) = pair(other);
                    seen.map_or_else(|| model.line.of(&model.reader, user, item), f64::from)
                });
                let others = looked_at.iter().map(|other| &*others[*other]);
                let worths = model.reader.worths_with((part, one), others);
                looked_at.iter().zip(worths).for_each(|(other, worth)| best.offer(*other as u32, worth));
            }
        }
        best.into_list()
    }

    /// What a first look says of an item with each user whom the version knows; none where that takes too much room.
    fn glances<'a>(&self, model: &'a Model, item: &Party) -> Option<&'a [f32]> {
        let room = model.glances.len().saturating_mul(self.users.len());
        let kept = model.glances.get(item.number? as usize).filter(|_| room <= MOST_GLANCES)?;
        let look = |user: &Arc<Party>| model.line.of(&model.reader, user, item) as f32;
        Some(kept.get_or_init(|| self.users.iter().map(look).collect()))
    }

    /// Why a pair has its score, the strongest first: the parts that add most, but none without which it would not be lower.
    #[must_use]
    pub fn reasons(&self, user: &Party, item: &Party) -> Vec<Reason> {
        let called = self.called();
        match &self.kind {
            Kind::Vectors(towers) => told_by_vectors(towers, (user, item), &self.matches.users, called),
            Kind::Value(model) => {
                let (reader, mut row) = (&model.reader, Vec::new());
                reader.fill(&mut row, user, item);
                let worth = reader.worths(&row)[0];
                let credits = reader.credits(&row);
                let mut columns: Vec<usize> = (0..row.len()).filter(|it| 0.0 < credits[*it]).collect();
                let order = |column: &usize| (credits[*column], &reader.names()[*column]);
                columns.sort_by(|one, other| {
                    let (one, other) = (order(one), order(other));
                    other.0.total_cmp(&one.0).then(one.1.cmp(other.1))
                });
                let matters = |column: &usize| reader.without(&row, *column) < worth;
                let named = columns.into_iter().filter(matters).take(TOLD);
                named
                    .map(|it| Reason { words: cause(&reader.names()[it], called), adds: credits[it] })
                    .collect()
            }
        }
    }

    /// The same in one line: what both have in common, what the pair is worth beside what is usual, and what adds most.
    #[must_use]
    pub fn why(&self, (user, item): (&Party, &Party), score: f64, reasons: &[Reason]) -> String {
        let Matches { usual, unit, .. } = &self.matches;
        let called = self.called();
        let mut words = Vec::new();
        if let Kind::Value(model) = &self.kind {
            let shared = model.reader.shared(user, item);
            words.push(worth((score, &shared), (usual, item.number), (called[1], unit)));
        }
        words.extend(reasons.iter().map(|it| format!("{} +{:.3}", it.words, it.adds)));
        if let (Kind::Vectors(towers), Some(mine), Some(number)) = (&self.kind, user.number, item.number) {
            let had = self.matches.pairs.get(mine as usize).map_or(&[][..], Vec::as_slice);
            words.extend(self.most_alike(towers, had, number));
        }
        if words.is_empty() {
            words.push(self.usual_of(usual, item, called));
        }
        words.join("; ")
    }

    fn usual_of(&self, usual: &Usual, item: &Party, called: [&str; 2]) -> String {
        let pairs = item.number.and_then(|it| usual.items.get(it as usize)).map_or(0, |it| it.1);
        let (users, one) = (self.matches.users.names.len(), called[0]);
        format!("{pairs} of {users} {one}s had to do with it, and nothing else sets it apart")
    }

    /// Which of the items that a user had is most like this one, by the angle between their vectors.
    fn most_alike(&self, towers: &Towers, had: &[u32], item: u32) -> Option<String> {
        let row = |item: u32| &towers.items[item as usize * towers.rank..(item as usize + 1) * towers.rank];
        let length = |row: &[f64]| row.iter().map(|it| it * it).sum::<f64>().sqrt();
        let angle = |other: &u32| {
            let (one, other) = (row(item), row(*other));
            let product: f64 = one.iter().zip(other).map(|(one, other)| one * other).sum();
            product / (length(one) * length(other)).max(f64::MIN_POSITIVE)
        };
        let alike = had.iter().filter(|other| **other != item).map(|other| (other, angle(other)));
        let (other, angle) = alike.max_by(|one, other| one.1.total_cmp(&other.1).then(other.0.cmp(one.0)))?;
        let name = &self.matches.items.names[*other as usize];
        (0.0 < angle).then(|| format!("like {name} by {:.0} %", 100.0 * angle))
    }

    fn called(&self) -> [&str; 2] {
        self.matches.called.each_ref().map(String::as_str)
    }

    /// Whether this says what the graph says, by what proves the graph.
    ///
    /// # Errors
    /// With a sentence that says where it does not.
    pub fn prove(&self, proofs: &[ParityVector]) -> Result<(), String> {
        for proof in proofs {
            let wrong = match &self.kind {
                Kind::Vectors(_) => self.differs_by_vectors(proof),
                Kind::Value(model) => self.differs_by_value(&model.reader, proof),
            };
            match wrong {
                None => return Err("what proves the graph has other inputs and outputs than it".to_owned()),
                Some(false) => {}
                Some(true) => return Err("it does not say what the graph says".to_owned()),
            }
        }
        Ok(())
    }

    /// None where tensors are missing.
    fn differs_by_vectors(&self, proof: &ParityVector) -> Option<bool> {
        let users = numbers(proof.inputs.get("user")?);
        let fit = proof.outputs.get("fit")?;
        let told = rows(&proof.inputs, "told", users.len());
        let untold = self.matches.users.untold();
        for (row, user) in users.iter().enumerate() {
            let raw = told.as_ref().map_or(&untold, |told| &told[row]);
            let user = self.party(Part::User, u32::try_from(*user).ok(), raw);
            for (at, item) in self.items.iter().enumerate() {
                let expected = fit.values().at(row * self.items.len() + at)?;
                if is_off(self.score(&user, item)?, expected, proof.tolerance) {
                    return Some(true);
                }
            }
        }
        Some(false)
    }

    fn differs_by_value(&self, reader: &Reader, proof: &ParityVector) -> Option<bool> {
        let [users, items] = [proof.inputs.get("user")?, proof.inputs.get("item")?].map(numbers);
        let of_user = rows(&proof.inputs, "user_told", users.len())?;
        let of_item = rows(&proof.inputs, "item_told", users.len())?;
        let (expected, adds) = (proof.outputs.get("expected")?, proof.outputs.get("contributions")?);
        let width = reader.names().len();
        for row in 0..users.len() {
            let user = self.party(Part::User, u32::try_from(users[row]).ok(), &of_user[row]);
            let item = self.party(Part::Item, u32::try_from(items[row]).ok(), &of_item[row]);
            // Also what is told of both is what the graph was told.
            let is_other = |known: &[Arc<Party>], party: &Party| {
                party.number.is_some_and(|it| known.get(it as usize).is_none_or(|known| **known != *party))
            };
            let mut columns = Vec::new();
            reader.fill(&mut columns, &user, &item);
            let credits = reader.credits(&columns);
            let is_wrong = (0..width).any(|column| {
                let expected = adds.values().at(row * width + column);
                expected.is_none_or(|it| is_off(credits[column], it, proof.tolerance))
            });
            let is_worth = !is_off(reader.worths(&columns)[0], expected.values().at(row)?, proof.tolerance);
            if is_wrong || !is_worth || is_other(&self.users, &user) || is_other(&self.items, &item) {
                return Some(true);
            }
        }
        Some(false)
    }
}

/// The candidates that are worth a second look: all, where they are few.
fn looked_at(open: &Eligible, glance: impl Fn(usize) -> f64) -> Vec<usize> {
    if open.count() <= RERANKED {
        return open.iter().collect();
    }
    let mut best = Best::new(RERANKED, open.len());
    open.iter().for_each(|other| best.offer(other as u32, glance(other)));
    best.into_list().into_iter().map(|it| it.item as usize).collect()
}

fn vector_of<'a>(towers: &'a Towers, user: &'a Party) -> &'a [f64] {
    let row = |number: u32| &towers.users[number as usize * towers.rank..(number as usize + 1) * towers.rank];
    user.number.map_or(&user.vector, row)
}

fn product(towers: &Towers, user: &Party, item: &Party) -> Option<f64> {
    let number = item.number? as usize;
    let item = &towers.items[number * towers.rank..(number + 1) * towers.rank];
    Some(item.iter().zip(vector_of(towers, user)).map(|(one, other)| one * other).sum())
}

/// What each word adds that is told of a stranger; of others, and where a tower bends, nobody can say.
fn told_by_vectors(
    towers: &Towers,
    (user, item): (&Party, &Party),
    side: &Side,
    called: [&str; 2],
) -> Vec<Reason> {
    let tower = &towers.newcomers;
    let (Some(number), None, true) = (item.number, user.number, tower.bend.is_empty()) else {
        return Vec::new();
    };
    let row = &towers.items[number as usize * towers.rank..(number as usize + 1) * towers.rank];
    let adds = |feature: usize| -> f64 {
        let weights = &tower.weights[feature * towers.rank..(feature + 1) * towers.rank];
        weights.iter().zip(row).map(|(one, other)| one * other).sum()
    };
    let mut reasons: Vec<Reason> = user
        .features
        .iter()
        .map(|feature| *feature as usize)
        .filter_map(|feature| {
            let name = side.columns.get(tower.told.features[feature].column)?;
            Some(Reason { words: format!("{} {name}", called[0]), adds: adds(feature) })
        })
        .filter(|reason| 0.0 < reason.adds)
        .collect();
    reasons.sort_by(|one, other| other.adds.total_cmp(&one.adds).then(one.words.cmp(&other.words)));
    reasons.truncate(TOLD);
    reasons
}

fn is_off(found: f64, expected: f64, tolerance: f64) -> bool {
    let off = (found - expected).abs();
    off.is_nan() || tolerance * expected.abs().max(1.0) < off
}

fn numbers(tensor: &Tensor) -> Vec<i64> {
    (0..tensor.values().len()).filter_map(|at| tensor.values().at(at)).map(|number| number as i64).collect()
}

/// A table of so many rows, row by row.
fn rows(tensors: &BTreeMap<String, Tensor>, name: &str, count: usize) -> Option<Vec<Vec<f64>>> {
    let values = tensors.get(name)?.values();
    let width = values.len() / count.max(1);
    let row = |row: usize| (row * width..(row + 1) * width).filter_map(|at| values.at(at)).collect();
    Some((0..count).map(row).collect())
}
