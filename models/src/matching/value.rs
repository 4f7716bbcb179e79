//! What a pair is worth, computed as its graph computes it: columns of the pair, and boosted trees on them.

use serde::{Deserialize, Serialize};

use super::{
    Matches,
    quick::Quick,
    ranker::{Part, Party},
};
use crate::graph::pairs::Pairs;

/// How many columns a pair has for what is particular to either side.
const EFFECTS: usize = 4;

/// The tables of a value model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// How a pair becomes columns.
    pub pairs: Pairs,
    /// What the columns are called.
    pub names: Vec<String>,
    /// The trees on them.
    pub trees: Grove,
}

/// Trees whose leaves add up: row i of each table describes node i, and children come after their parent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grove {
    /// The first node of each tree.
    pub roots: Vec<u32>,
    /// The column that a node asks for, or −1 for a leaf.
    pub feature: Vec<i32>,
    /// `x ≤ threshold` goes left.
    #[serde(with = "crate::exact::many")]
    pub threshold: Vec<f64>,
    /// The node where the rule holds.
    pub left: Vec<u32>,
    /// The other one.
    pub right: Vec<u32>,
    /// Whether a missing value (NaN) goes left.
    pub missing_left: Vec<bool>,
    /// What each node expects: what a leaf adds, and the mean of what its tree says elsewhere.
    #[serde(with = "crate::exact::many")]
    pub expected: Vec<f64>,
    /// What is added to all.
    #[serde(with = "crate::exact::one")]
    pub base: f64,
}

/// The value of pairs, made ready.
#[derive(Debug)]
pub(super) struct Reader {
    value: Value,
    nodes: Vec<Node>,
    /// Of each feature of users and of items, which shared column it is of and its number there.
    places: [Vec<Option<(u16, u32)>>; 2],
    quick: Option<Quick>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    threshold: f64,
    /// The column that it asks for; u32::MAX for a leaf.
    column: u32,
    left: u32,
    right: u32,
    missing_left: bool,
}

const LEAF: u32 = u32::MAX;

impl Grove {
    fn fault(&self, columns: usize) -> Option<String> {
        let nodes = self.feature.len();
        let lengths = [self.threshold.len(), self.left.len(), self.right.len(), self.missing_left.len()];
        if lengths.iter().any(|length| *length != nodes) || self.expected.len() != nodes {
            return Some("its trees have tables of different lengths".to_owned());
        }
        let asks = |node: usize| columns as i64 <= i64::from(self.feature[node]);
        let is_lost = |node: usize, child: u32| child as usize <= node || nodes <= child as usize;
        let wrong = (0..nodes).any(|node| {
            0 <= self.feature[node]
                && (asks(node) || is_lost(node, self.left[node]) || is_lost(node, self.right[node]))
        });
        let is_rootless = self.roots.iter().any(|root| nodes <= *root as usize);
        (wrong || is_rootless).then(|| "its trees lead nowhere".to_owned())
    }
}

impl Value {
    pub(super) fn fault(&self, matches: &Matches) -> Option<String> {
        let Self { pairs, names, trees } = self;
        let [users, items] = [matches.users.names.len(), matches.items.names.len()];
        let [of_user, of_item] = [0, 1].map(|side: usize| pairs.told[side].features.len());
        let holds = pairs.effects[0].len() == users
            && pairs.effects[1].len() == items
            && pairs.crossed[0].len() == items * of_user
            && pairs.crossed[1].len() == users * of_item
            && names.len() == of_user + of_item + pairs.shared.len() + EFFECTS
            && pairs.shared.len() <= usize::from(u16::MAX);
        let sides = [&matches.users, &matches.items];
        let is_told = pairs.told.iter().zip(sides).all(|(told, side)| {
            told.columns == side.columns.len() && told.features.iter().all(|it| it.column < told.columns)
        });
        let is_shared = pairs.shared.iter().all(|shared| {
            let within = |side: usize, width: usize| shared.features[side].iter().all(|it| *it < width);
            within(0, of_user)
                && within(1, of_item)
                && shared.same.iter().all(|it| it.0 < of_user && it.1 < of_item)
        });
        if !(holds && is_told && is_shared) {
            return Some("its tables of pairs are not as many and as long as it says".to_owned());
        }
        trees.fault(names.len())
    }
}

impl Reader {
    pub(super) fn new(value: Value) -> Self {
        let trees = &value.trees;
        let node = |at: usize| Node {
            threshold: trees.threshold[at],
            column: u32::try_from(trees.feature[at]).unwrap_or(LEAF),
            left: trees.left[at],
            right: trees.right[at],
            missing_left: trees.missing_left[at],
        };
        let nodes = (0..trees.feature.len()).map(node).collect();
        let mut places = [0, 1].map(|side: usize| vec![None; value.pairs.told[side].features.len()]);
        for (column, shared) in value.pairs.shared.iter().enumerate() {
            let column = column as u16;
            // What is the same on both sides has the number of the item's feature; the user's others have none of theirs.
            let others = value.pairs.told[1].features.len() as u32;
            shared.features[1].iter().for_each(|it| places[1][*it] = Some((column, *it as u32)));
            let number = |feature: usize| {
                let same = shared.same.iter().find(|(one, _)| *one == feature);
                same.map_or(others + feature as u32, |(_, other)| *other as u32)
            };
            shared.features[0].iter().for_each(|it| places[0][*it] = Some((column, number(*it))));
        }
        let (shared, columns) = (value.pairs.shared.len(), value.names.len());
        let quick = Quick::new(&value.trees, (columns - EFFECTS - shared, columns));
        Self { value, nodes, places, quick }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.value.names
    }

    pub(super) fn pairs(&self) -> &Pairs {
        &self.value.pairs
    }

    /// The first column of what both sides share.
    fn first_shared(&self) -> usize {
        self.value.names.len() - EFFECTS - self.value.pairs.shared.len()
    }

    /// The features that are told by these numbers, in order.
    pub(super) fn features(&self, side: usize, raw: &[f64]) -> Vec<u32> {
        let told = self.value.pairs.told[side].features.iter().zip(0..);
        let is_told = |range: &crate::graph::told::Range| {
            range.low <= raw[range.column] && raw[range.column] < range.high
        };
        told.filter(|(range, _)| is_told(range)).map(|(_, feature)| feature).collect()
    }

    /// What both sides share of each column (Jaccard 1901; NaN where neither has anything).
    pub(super) fn agreement(&self, user: &Party, item: &Party) -> impl Iterator<Item = f64> {
        let (mine, theirs) = (&user.words, &item.words);
        (0..self.value.pairs.shared.len() as u16).map(move |column| {
            let count = |words: &[(u16, u32)]| words.iter().filter(|word| word.0 == column).count();
            let both = mine.iter().filter(|word| word.0 == column && theirs.contains(word)).count();
            let either = count(mine) + count(theirs) - both;
            if either == 0 { f64::NAN } else { both as f64 / either as f64 }
        })
    }

    /// Of features, those of columns that both sides have.
    pub(super) fn words(&self, side: usize, features: &[u32]) -> Vec<(u16, u32)> {
        features.iter().filter_map(|feature| self.places[side][*feature as usize]).collect()
    }

    /// What is particular to the item, to the user, to the item with such users, and to the user with such items.
    pub(super) fn effects(&self, user: &Party, item: &Party) -> [f64; EFFECTS] {
        let Pairs { told, effects, crossed, .. } = &self.value.pairs;
        let own = |effects: &[f64], party: &Party| party.number.map_or(0.0, |it| effects[it as usize]);
        let mean = |table: &[f64], width: usize, of: &Party, with: &Party| {
            let Some(number) = of.number else { return 0.0 };
            let row = &table[number as usize * width..(number as usize + 1) * width];
            let sum: f64 = with.features.iter().map(|feature| row[*feature as usize]).sum();
            // In single precision, as the graph has it, so that sums in another order are the same.
            f64::from((sum / with.features.len().max(1) as f64) as f32)
        };
        [
            own(&effects[1], item),
            own(&effects[0], user),
            mean(&crossed[0], told[0].features.len(), item, user),
            mean(&crossed[1], told[1].features.len(), user, item),
        ]
    }

    /// Adds the columns of a pair.
    pub(super) fn fill(&self, rows: &mut Vec<f64>, user: &Party, item: &Party) {
        let first = rows.len();
        rows.resize(first + self.first_shared(), 0.0);
        let of_user = self.value.pairs.told[0].features.len();
        user.features.iter().for_each(|feature| rows[first + *feature as usize] = 1.0);
        item.features.iter().for_each(|feature| rows[first + of_user + *feature as usize] = 1.0);
        rows.extend(self.agreement(user, item));
        rows.extend(self.effects(user, item));
    }

    fn child(&self, node: Node, row: &[f64]) -> u32 {
        let value = row[node.column as usize];
        let left = value <= node.threshold || node.missing_left && value.is_nan();
        if left { node.left } else { node.right }
    }

    /// What each pair of these columns is worth. Tree by tree, so that each stays near while all rows go down it.
    pub(super) fn worths(&self, rows: &[f64]) -> Vec<f64> {
        let width = self.value.names.len();
        let mut worths = vec![0.0; rows.len() / width];
        for root in &self.value.trees.roots {
            for (worth, row) in worths.iter_mut().zip(rows.chunks_exact(width)) {
                let mut at = *root;
                loop {
                    let node = self.nodes[at as usize];
                    if node.column == LEAF {
                        break;
                    }
                    at = self.child(node, row);
                }
                *worth += self.value.trees.expected[at as usize];
            }
        }
        worths.iter_mut().for_each(|worth| *worth += self.value.trees.base);
        worths
    }

    /// What pairs of one with each of the others are worth; `part` is which side the one is on. The same numbers as those of
    /// [`Self::worths`], in a fraction of the time.
    pub(super) fn worths_with<'a>(
        &self,
        (part, one): (Part, &Party),
        others: impl Iterator<Item = &'a Party>,
    ) -> Vec<f64> {
        let pair = |other: &'a Party| match part {
            Part::User => (one, other),
            Part::Item => (other, one),
        };
        let Some(quick) = &self.quick else {
            let mut rows = Vec::new();
            others.map(pair).for_each(|(user, item)| self.fill(&mut rows, user, item));
            return self.worths(&rows);
        };
        let of_user = self.value.pairs.told[0].features.len();
        let first = |is_user: bool| if is_user { 0 } else { of_user };
        let (is_user, shared) = (part == Part::User, self.first_shared());
        let effects = shared + self.value.pairs.shared.len();
        // What is particular to the one is the same in all pairs.
        let own = effects + usize::from(is_user);
        let mut begun = quick.untold();
        one.features.iter().for_each(|it| quick.ask(&mut begun, first(is_user) + *it as usize, 1.0));
        let own_effects = &self.value.pairs.effects[usize::from(!is_user)];
        quick.ask(&mut begun, own, one.number.map_or(0.0, |it| own_effects[it as usize]));
        let mut left = begun.clone();
        let worth = |other: &'a Party| {
            let (user, item) = pair(other);
            left.copy_from_slice(&begun);
            other.features.iter().for_each(|it| quick.ask(&mut left, first(!is_user) + *it as usize, 1.0));
            for (column, share) in (shared..).zip(self.agreement(user, item)) {
                quick.ask(&mut left, column, share);
            }
            for (column, effect) in (effects..).zip(self.effects(user, item)).filter(|it| it.0 != own) {
                quick.ask(&mut left, column, effect);
            }
            quick.sum(&left)
        };
        others.map(worth).collect()
    }

    /// What each column of a pair adds, question by question on the way down the trees (Saabas 2014).
    pub(super) fn credits(&self, row: &[f64]) -> Vec<f64> {
        let mut credits = vec![0.0; row.len()];
        let expected = &self.value.trees.expected;
        for root in &self.value.trees.roots {
            let mut at = *root;
            loop {
                let node = self.nodes[at as usize];
                if node.column == LEAF {
                    break;
                }
                let child = self.child(node, row);
                credits[node.column as usize] += expected[child as usize] - expected[at as usize];
                at = child;
            }
        }
        credits
    }

    /// What is expected of a pair before anything is asked: what contributions add to.
    #[cfg(test)]
    pub(super) fn expected_of_all(&self) -> f64 {
        let trees = &self.value.trees;
        trees.base + trees.roots.iter().map(|root| trees.expected[*root as usize]).sum::<f64>()
    }

    /// What the pair would be worth without what a column says; a feature of one side goes with what it has in common.
    pub(super) fn without(&self, row: &[f64], column: usize) -> f64 {
        let mut row = row.to_vec();
        row[column] = 0.0;
        let of_user = self.value.pairs.told[0].features.len();
        let place = match column.checked_sub(of_user) {
            None => self.places[0][column],
            Some(feature) => self.places[1].get(feature).copied().flatten(),
        };
        if let Some((shared, _)) = place {
            let agreement = &mut row[self.first_shared() + usize::from(shared)];
            if !agreement.is_nan() {
                *agreement = 0.0;
            }
        }
        self.worths(&row)[0]
    }

    /// The words that both sides have.
    pub(super) fn shared(&self, user: &Party, item: &Party) -> Vec<String> {
        let of_user = self.value.pairs.told[0].features.len();
        let is_shared = |feature: &&u32| {
            let place = self.places[1][**feature as usize];
            place.is_some_and(|place| user.words.contains(&place))
        };
        let name = |feature: &u32| {
            let name = &self.value.names[of_user + *feature as usize];
            name.strip_prefix("item ").unwrap_or(name).to_owned()
        };
        item.features.iter().filter(is_shared).map(name).collect()
    }
}
