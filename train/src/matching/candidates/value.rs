//! What a pair is worth: boosted trees on what is known of both sides and how it agrees, with what is particular to the user
//! and to the item, drawn towards nothing as far as they are little known.
//!
//! A row learns effects that were taken without it, so that trees trust them as much as they deserve.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::Arc,
};

use super::effects::Effects;
use crate::{
    anomaly::matrix::Matrix,
    gbdt::{self, Boosted, Examples, GbdtError, Settings, losses::Squared},
    matching::{
        Because, Candidate, Exported, Interaction, Interactions, MatchingError, Profiles, Reason, Scorer,
        Seen,
    },
};

pub(super) const VALUE: Candidate = Candidate {
    name: "value",
    doc: "What a pair is expected to be worth: boosted trees on features of both sides and shrunk effects of each.",
    fit: |seen, seed| Ok(Box::new(fit(seen, seed)?)),
};

/// The effects of a pair, as reasons name them.
const EFFECTS: [&str; 4] = ["item", "user", "item with such users", "user with such items"];

/// A fitted value model.
#[derive(Debug)]
pub struct Value {
    seen: Arc<Seen>,
    trees: Boosted,
    names: Vec<String>,
    shared: Shared,
    effects: [Effects; 4],
}

/// What both sides may have, by the same name: columns, and for each feature which of them it is of and its number there.
#[derive(Debug)]
struct Shared {
    columns: Vec<String>,
    users: Vec<Option<(u32, u32)>>,
    items: Vec<Option<(u32, u32)>>,
}

/// The column that a feature is of.
fn column(name: &str) -> &str {
    name.split_once('=').map_or(name, |(column, _)| column)
}

/// What is known of either side.
pub(super) struct Sides<'a> {
    pub(super) users: &'a Profiles,
    pub(super) items: &'a Profiles,
}

/// How many columns both sides have, and for each feature which of them it is of and its number there.
pub(super) struct Places<'a> {
    pub(super) columns: u32,
    pub(super) users: &'a [Option<(u32, u32)>],
    pub(super) items: &'a [Option<(u32, u32)>],
}

/// Learns what pairs are worth from those of which it is known.
///
/// # Errors
/// When there are no features, or trees cannot be grown.
pub fn fit(seen: &Arc<Seen>, seed: u64) -> Result<Value, MatchingError> {
    let sides = sides(seen)?;
    let shared = Shared::new(&sides);
    let effects = effects(seen, &sides);
    let rows = seen.interactions.rows();
    let weights = weights(&seen.interactions);
    let residuals = residuals(seen, &effects);
    let width = width(&sides, &shared);
    let mut values = Vec::with_capacity(rows.len() * width);
    for ((row, residual), weight) in rows.iter().zip(&residuals).zip(&weights) {
        let pair = (row.user as usize, row.item as usize);
        let known = effects_without(&effects, &sides, pair, residual, *weight);
        fill(&mut values, &sides, &shared, pair, known);
    }
    let table = Matrix::from_rows(width, values).map_err(GbdtError::from)?;
    let targets: Vec<f64> = rows.iter().map(|row| row.value).collect();
    let settings = Settings {
        trees: 300,
        leaves: 12,
        learning_rate: 0.05,
        min_rows: 20,
        l2: 1.0,
        row_fraction: 0.7,
        feature_fraction: 0.5,
        seed,
        ..Settings::default()
    };
    let examples = Examples { table: &table, targets: &targets, weights: Some(&weights) };
    let trees = gbdt::fit(&settings, &Squared, examples, None, &mut |_| ControlFlow::Continue(()))?;
    let names = names(&sides, &shared);
    Ok(Value { seen: Arc::clone(seen), trees, names, shared, effects })
}

/// How much each pair tells: one over its variance, which is what pairs differ by and what chance leaves in a mean of as many
/// rows as it rests on; one on average. Both parts are by moments: squared distances from the mean, with each pair alike and
/// with each row alike.
fn weights(all: &Interactions) -> Vec<f64> {
    let counts: Vec<f64> = all.counts().iter().map(|count| f64::from(*count)).collect();
    let (pairs, rows) = (counts.len() as f64, counts.iter().sum::<f64>());
    let mean = all.rows().iter().map(|row| row.value).sum::<f64>() / pairs;
    let squares = || all.rows().iter().map(|row| (row.value - mean) * (row.value - mean));
    let by_pairs = squares().sum::<f64>() / pairs;
    let by_rows = squares().zip(&counts).map(|(square, count)| count * square).sum::<f64>() / rows;
    let inverse = counts.iter().map(|count| 1.0 / count).sum::<f64>() / pairs;
    let apart = inverse - pairs / rows;
    let chance = if 1e-12 < apart { ((by_pairs - by_rows) / apart).max(0.0) } else { 0.0 };
    let between = (by_rows - chance * pairs / rows).max(0.0);
    if chance <= 0.0 {
        return vec![1.0; counts.len()];
    }
    let weights: Vec<f64> = counts.iter().map(|count| 1.0 / (between + chance / count)).collect();
    let scale = pairs / weights.iter().sum::<f64>();
    weights.into_iter().map(|weight| scale * weight).collect()
}

fn sides(seen: &Seen) -> Result<Sides<'_>, MatchingError> {
    match (&seen.users, &seen.items) {
        (Some(users), Some(items)) => Ok(Sides { users, items }),
        _ => Err(MatchingError::Needs { candidate: VALUE.name, needs: "features of users and of items" }),
    }
}

impl Shared {
    fn new(sides: &Sides<'_>) -> Self {
        let columns_of = |profiles: &Profiles| -> BTreeSet<String> {
            profiles.names().iter().map(|name| column(name).to_owned()).collect()
        };
        let columns: Vec<String> =
            columns_of(sides.users).intersection(&columns_of(sides.items)).cloned().collect();
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let mut places = |profiles: &Profiles| -> Vec<Option<(u32, u32)>> {
            let mut place = |name: &String| {
                let at = columns.binary_search_by(|it| it.as_str().cmp(column(name))).ok()?;
                let next = numbers.len() as u32;
                Some((at as u32, *numbers.entry(name.clone()).or_insert(next)))
            };
            profiles.names().iter().map(&mut place).collect()
        };
        let (users, items) = (places(sides.users), places(sides.items));
        Self { columns, users, items }
    }

    /// Of each shared column, how much of what either side has both have (Jaccard 1901).
    fn agreement(&self, sides: &Sides<'_>, (user, item): (usize, usize)) -> Vec<f64> {
        let of = |row: &[(u32, f64)], places: &[Option<(u32, u32)>]| -> Vec<(u32, u32)> {
            row.iter().filter_map(|(feature, _)| places[*feature as usize]).collect()
        };
        let (mine, theirs) = (of(sides.users.row(user), &self.users), of(sides.items.row(item), &self.items));
        let one = |column: u32| {
            let count = |words: &[(u32, u32)]| words.iter().filter(|(at, _)| *at == column).count();
            let both = mine.iter().filter(|word| word.0 == column && theirs.contains(word)).count();
            let either = count(&mine) + count(&theirs) - both;
            if either == 0 { f64::NAN } else { both as f64 / either as f64 }
        };
        (0..self.columns.len() as u32).map(one).collect()
    }
}

fn width(sides: &Sides<'_>, shared: &Shared) -> usize {
    sides.users.names().len() + sides.items.names().len() + shared.columns.len() + EFFECTS.len()
}

/// What the columns of a pair's row are called.
fn names(sides: &Sides<'_>, shared: &Shared) -> Vec<String> {
    let user = sides.users.names().iter().map(|name| format!("user {name}"));
    let item = sides.items.names().iter().map(|name| format!("item {name}"));
    let same = shared.columns.iter().map(|name| format!("same {name}"));
    user.chain(item).chain(same).chain(EFFECTS.map(str::to_owned)).collect()
}

/// Adds a pair's row.
fn fill(values: &mut Vec<f64>, sides: &Sides<'_>, shared: &Shared, pair: (usize, usize), effects: [f64; 4]) {
    for (profiles, row) in [(sides.users, pair.0), (sides.items, pair.1)] {
        let first = values.len();
        values.resize(first + profiles.names().len(), 0.0);
        profiles.row(row).iter().for_each(|(feature, weight)| values[first + *feature as usize] = *weight);
    }
    values.extend(shared.agreement(sides, pair));
    values.extend(effects);
}

/// What the row is above expectation where each effect is learned.
type Residuals = [f64; 3];

/// Effects of items, then of users, and then of either with the features of the other, each of what those before leave.
fn effects(seen: &Seen, sides: &Sides<'_>) -> [Effects; 4] {
    let all = &seen.interactions;
    let weights = weights(all);
    let mean = mean(seen);
    let rows = || all.rows().iter().zip(&weights);
    let of_items: Vec<(u64, f64, f64)> =
        rows().map(|(row, weight)| (u64::from(row.item), row.value - mean, *weight)).collect();
    let items = Effects::fit(&of_items);
    let of_users: Vec<(u64, f64, f64)> = rows()
        .map(|(row, weight)| (u64::from(row.user), row.value - mean - items.of(row.item.into()), *weight))
        .collect();
    let users = Effects::fit(&of_users);
    let (mut with_users, mut with_items) = (Vec::new(), Vec::new());
    for (row, weight) in rows() {
        let left = row.value - mean - items.of(row.item.into()) - users.of(row.user.into());
        for (feature, _) in sides.users.row(row.user as usize) {
            with_users.push((group(row.item as usize, *feature, sides.users), left, *weight));
        }
        for (feature, _) in sides.items.row(row.item as usize) {
            with_items.push((group(row.user as usize, *feature, sides.items), left, *weight));
        }
    }
    let with_users = Effects::fit(&with_users);
    let with_items = Effects::fit(&with_items);
    [items, users, with_users, with_items]
}

fn mean(seen: &Seen) -> f64 {
    let weights = weights(&seen.interactions);
    let sum: f64 =
        seen.interactions.rows().iter().zip(&weights).map(|(row, weight)| row.value * weight).sum();
    sum / weights.iter().sum::<f64>()
}

/// The number of a row with a feature, of which there may be more than 2³².
fn group(row: usize, feature: u32, profiles: &Profiles) -> u64 {
    row as u64 * profiles.names().len() as u64 + u64::from(feature)
}

fn residuals(seen: &Seen, [items, users, ..]: &[Effects; 4]) -> Vec<Residuals> {
    let mean = mean(seen);
    let of = |row: &Interaction| {
        let (of_item, of_user) = (items.of(row.item.into()), users.of(row.user.into()));
        [row.value - mean, row.value - mean - of_item, row.value - mean - of_item - of_user]
    };
    seen.interactions.rows().iter().map(of).collect()
}

/// A pair's effects as `of` tells those of groups; the two of features are means over them.
fn pair_effects(
    effects: &[Effects; 4],
    sides: &Sides<'_>,
    (user, item): (usize, usize),
    of: impl Fn(&Effects, u64, usize) -> f64,
) -> [f64; 4] {
    let mean = |which: usize, row: usize, profiles: &Profiles, features: &[(u32, f64)]| {
        let one = |feature: &(u32, f64)| of(&effects[which], group(row, feature.0, profiles), 2);
        // In single precision, so that a graph's sums in another order are the same.
        f64::from((features.iter().map(one).sum::<f64>() / features.len().max(1) as f64) as f32)
    };
    [
        of(&effects[0], item as u64, 0),
        of(&effects[1], user as u64, 1),
        mean(2, item, sides.users, sides.users.row(user)),
        mean(3, user, sides.items, sides.items.row(item)),
    ]
}

fn effects_without(
    effects: &[Effects; 4],
    sides: &Sides<'_>,
    pair: (usize, usize),
    residuals: &Residuals,
    weight: f64,
) -> [f64; 4] {
    pair_effects(effects, sides, pair, |effects, group, residual| {
        effects.without(group, residuals[residual], weight)
    })
}

impl Value {
    /// The names of a pair's columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn trees(&self) -> &Boosted {
        &self.trees
    }

    pub(super) fn effects(&self) -> &[Effects; 4] {
        &self.effects
    }

    pub(super) fn places(&self) -> Places<'_> {
        let Shared { columns, users, items } = &self.shared;
        Places { columns: columns.len() as u32, users, items }
    }

    pub(super) fn sides(&self) -> Sides<'_> {
        sides(&self.seen).expect("a value model is fitted on features of both sides")
    }

    pub(super) fn columns_of(&self, user: usize, item: usize) -> Vec<f64> {
        let mut row = Vec::with_capacity(self.names.len());
        self.row(&mut row, user, item);
        row
    }

    fn row(&self, values: &mut Vec<f64>, user: usize, item: usize) {
        let sides = self.sides();
        let known = pair_effects(&self.effects, &sides, (user, item), |effects, group, _| effects.of(group));
        fill(values, &sides, &self.shared, (user, item), known);
    }
}

impl Scorer for Value {
    fn scores(&self, user: usize) -> Vec<f64> {
        let mut values = Vec::new();
        (0..self.seen.interactions.items()).for_each(|item| self.row(&mut values, user, item));
        let table = Matrix::from_rows(self.names.len(), values).expect("rows are as wide as their names");
        self.trees.scores(&table).expect("the table is as wide as the one that was learned from")
    }

    fn reasons(&self, user: usize, item: usize) -> Vec<Reason> {
        let said = self.trees.contributions(&self.columns_of(user, item));
        let named = self.names.iter().zip(said.features).filter(|(_, it)| *it != 0.0);
        let named = named
            .map(|(name, contribution)| Reason { because: Because::Feature(name.clone()), contribution });
        named.chain([Reason { because: Because::Rest, contribution: said.base }]).collect()
    }

    /// A feature of one side is taken away with what it has in common with the other side.
    fn without(&self, user: usize, item: usize, because: &Because) -> Option<f64> {
        let Because::Feature(name) = because else { return None };
        let at = self.names.iter().position(|it| it == name)?;
        let mut row = self.columns_of(user, item);
        let same = self.names.len() - EFFECTS.len() - self.shared.columns.len();
        let side = name.strip_prefix("user ").or(name.strip_prefix("item ")).filter(|_| at < same);
        let shared = side
            .and_then(|name| self.shared.columns.binary_search_by(|it| it.as_str().cmp(column(name))).ok());
        row[at] = 0.0;
        if let Some(agreement) = shared.map(|column| &mut row[same + column]).filter(|it| !it.is_nan()) {
            *agreement = 0.0;
        }
        let table = Matrix::from_rows(self.names.len(), row).expect("a row is as wide as its names");
        self.trees.scores(&table).ok().map(|scores| scores[0])
    }

    fn exported(&self) -> Option<Exported<'_>> {
        Some(Exported::Value(self))
    }
}
