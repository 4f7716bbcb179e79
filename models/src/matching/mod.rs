//! Who is recommended to whom: what a version of `match` carries beside its graph, and lists with reasons from it.
//!
//! A service ranks hundreds of candidates for every request and explains a few. It reads the tables of the graph from a file
//! of the version and computes by them what the graph computes; [`Ranker::prove`] holds that against the numbers that the
//! graph itself is proved by, so that the two cannot differ.

mod glance;
mod quick;
mod ranker;
#[cfg(test)]
mod tests;
mod value;
mod words;

use serde::{Deserialize, Serialize};

pub use ranker::{Part, Party, Ranker, Reason};
pub use value::{Grove, Value};
pub use words::{cause, worth};

use crate::{exact::Exact, graph::towers::Towers};

/// What the file of a version is called.
pub const FILE: &str = "matches.json";
/// The format that this release writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// What a service has to know to recommend by a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matches {
    /// [`FORMAT`].
    pub format: u32,
    /// What a user and an item are called in sentences.
    pub called: [String; 2],
    /// What scores are compared with in sentences, such as `mean value per click`.
    pub unit: String,
    /// What values are in, where that is known.
    pub currency: Option<String>,
    /// Who is known, and what is told of each.
    pub users: Side,
    /// The same of items.
    pub items: Side,
    /// The items that each user had to do with, ascending.
    pub pairs: Vec<Vec<u32>>,
    /// What pairs were worth.
    pub usual: Usual,
    /// What ranks.
    pub rule: Rule,
    /// Of each item, users who are like its best ones; none where the job was not asked.
    pub lookalikes: Option<Vec<Vec<Like>>>,
    /// Segments that more items ask for than users have; none where the job was not asked.
    pub gaps: Option<Vec<Gap>>,
}

/// Users or items.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Who they are, by their numbers.
    pub names: Vec<String>,
    /// The columns that are told, as the graph takes them.
    pub columns: Vec<String>,
    /// So many of them, the first ones, are numbers, which may be missing; the others are words.
    pub numbers: usize,
    /// What is told of each: numbers that are there, and a 1 for each word.
    pub told: Vec<Vec<(u32, Exact)>>,
}

/// What pairs were worth before, in the mean of what they rest on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    /// Over all pairs.
    pub all: Exact,
    /// Of each item, and in how many pairs; 0 in none.
    pub items: Vec<(Exact, u32)>,
}

/// What ranks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Vectors of users and items, whose product is the score.
    Vectors(Towers),
    /// What a pair is expected to be worth.
    Value(Box<Value>),
}

/// A user who is like an item's best ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Like {
    /// Who.
    pub user: u32,
    /// From 0 to 1.
    pub likeness: f64,
    /// Whom it is like.
    pub like: Vec<u32>,
    /// What both have, in words and numbers.
    pub reason: String,
}

/// A segment that more items ask for than users have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// A column and a word of it, each.
    pub segment: Vec<(String, String)>,
    /// How many items ask for it.
    pub items: u32,
    /// How many users have it.
    pub users: u32,
    /// What pairs of these items are worth.
    pub expected_value: f64,
    /// What else the users had whose pairs were worth more, and by how much.
    pub recruit: Vec<(String, f64)>,
}

impl Default for Exact {
    fn default() -> Self {
        Self(0.0)
    }
}

impl Side {
    /// What is told of one, column by column, as the graph takes it.
    #[must_use]
    pub fn raw(&self, number: usize) -> Vec<f64> {
        let mut raw = self.untold();
        self.told[number].iter().for_each(|(column, value)| raw[*column as usize] = value.0);
        raw
    }

    /// What is told of somebody of whom nothing is.
    #[must_use]
    pub fn untold(&self) -> Vec<f64> {
        let mut raw = vec![0.0; self.columns.len()];
        raw[..self.numbers].fill(f64::NAN);
        raw
    }

    fn fault(&self, whose: &str) -> Option<String> {
        let columns = self.columns.len();
        if columns < self.numbers || self.told.len() != self.names.len() {
            return Some(format!("it does not tell of each of its {whose}"));
        }
        let far = self.told.iter().flatten().any(|(column, _)| columns <= *column as usize);
        far.then(|| format!("it tells of its {whose} what is in no column"))
    }
}

impl Matches {
    /// Reads the file.
    ///
    /// # Errors
    /// With a sentence, when it does not hold together or is of a newer release.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if FORMAT < format {
            return Err(format!(
                "it has format {format}, and this release reads up to {FORMAT}: use the newer release"
            ));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        read.fault().map_or(Ok(read), Err)
    }

    fn fault(&self) -> Option<String> {
        let [users, items] = [self.users.names.len(), self.items.names.len()];
        let is_beyond = |all: &[Vec<u32>]| all.iter().flatten().any(|item| items <= *item as usize);
        if self.pairs.len() != users || is_beyond(&self.pairs) || self.usual.items.len() != items {
            return Some("it does not tell the pairs of its users and items".to_owned());
        }
        let mut likes = self.lookalikes.iter().flatten().flatten();
        let is_far = |user: &u32| users <= *user as usize;
        if self.lookalikes.as_ref().is_some_and(|all| all.len() != items)
            || likes.any(|like| is_far(&like.user) || like.like.iter().any(&is_far))
        {
            return Some("its lookalikes are nobody it knows".to_owned());
        }
        let of_sides = self.users.fault("users").or_else(|| self.items.fault("items"));
        of_sides.or_else(|| match &self.rule {
            Rule::Vectors(towers) => fault_of_towers(towers, self),
            Rule::Value(value) => value.fault(self),
        })
    }
}

fn fault_of_towers(towers: &Towers, matches: &Matches) -> Option<String> {
    let (rank, newcomers) = (towers.rank, &towers.newcomers);
    let lengths = [
        (towers.users.len(), matches.users.names.len() * rank),
        (towers.items.len(), matches.items.names.len() * rank),
        (newcomers.bias.len(), rank),
        (newcomers.weights.len(), newcomers.told.features.len() * rank),
    ];
    let is_bent = newcomers.bend.is_empty() || newcomers.bend.len() == rank * rank;
    let columns = newcomers.told.columns;
    let is_told = newcomers.told.features.iter().all(|range| range.column < columns)
        && (columns == 0 || columns == matches.users.columns.len());
    let holds = 0 < rank && is_bent && is_told && lengths.iter().all(|(found, wanted)| found == wanted);
    (!holds).then(|| "its vectors are not as many and as long as it says".to_owned())
}
