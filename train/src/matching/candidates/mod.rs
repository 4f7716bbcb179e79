//! Ways to rank items for a user, one file each, in one list.

mod als;
mod bpr;
mod cosine;
mod ease;
mod effects;
mod factors;
mod knn;
mod popularity;
#[cfg(feature = "torch")]
mod two_tower;
mod value;
mod value_graph;

use std::{fmt::Debug, sync::Arc};

use models::graph::towers::Towers;

pub use als::{Als, fit as fit_als};
pub use bpr::{Against, Bpr, fit as fit_bpr};
pub use ease::{Ease, fit as fit_ease};
pub use factors::Factors;
#[cfg(feature = "torch")]
pub use two_tower::{TwoTower, fit as fit_two_tower};
pub use value::{Value, fit as fit_value};

use super::{Interactions, MatchingError, Profiles};

/// What there is to learn from.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Who had to do with what.
    pub interactions: Interactions,
    /// What is known of users, one row for each.
    pub users: Option<Profiles>,
    /// What is known of items, one row for each.
    pub items: Option<Profiles>,
}

impl Seen {
    /// Puts together what is known.
    ///
    /// # Errors
    /// When there is not one profile for each user and item, or no interaction.
    pub fn new(
        interactions: Interactions,
        users: Option<Profiles>,
        items: Option<Profiles>,
    ) -> Result<Arc<Self>, MatchingError> {
        let profiles = [
            ("user profiles", &users, interactions.users()),
            ("item profiles", &items, interactions.items()),
        ];
        for (what, profiles, rows) in profiles {
            if let Some(profiles) = profiles.as_ref().filter(|profiles| profiles.len() != rows) {
                return Err(MatchingError::Ragged { what: what.to_owned(), found: profiles.len(), rows });
            }
        }
        if interactions.is_empty() {
            return Err(MatchingError::EmptyPart("learn from"));
        }
        Ok(Arc::new(Self { interactions, users, items }))
    }

    /// The same profiles with other interactions.
    ///
    /// # Errors
    /// When there is no interaction.
    pub fn with(&self, interactions: Interactions) -> Result<Arc<Self>, MatchingError> {
        Self::new(interactions, self.users.clone(), self.items.clone())
    }

    /// The same from the items' side: they are the users.
    ///
    /// # Errors
    /// When there is no interaction.
    pub fn turned(&self) -> Result<Arc<Self>, MatchingError> {
        Self::new(self.interactions.turned(), self.items.clone(), self.users.clone())
    }
}

/// Why an item is recommended: a part of its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// What it comes from.
    pub because: Because,
    /// How much of the score comes from it.
    pub contribution: f64,
}

/// What a part of a score comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// How many had to do with the item.
    Popularity,
    /// Another item, with which the user had to do.
    Item(u32),
    /// A feature of the item, or one that user and item share.
    Feature(String),
    /// That nothing is known of the user, who therefore gets what is popular, or expected to be.
    Untold,
    /// What is the same for all, or could not be said of anything.
    Rest,
}

/// A fitted candidate.
pub trait Scorer: Debug + Send + Sync {
    /// A score for each item, the higher the better; those of one user compare with each other.
    fn scores(&self, user: usize) -> Vec<f64>;

    /// What a score comes from; the contributions add up to it.
    fn reasons(&self, user: usize, item: usize) -> Vec<Reason>;

    /// The score if what a reason names were not so; none where nobody can say without learning again.
    fn without(&self, _user: usize, _item: usize, _because: &Because) -> Option<f64> {
        None
    }

    /// What says the same in a graph; None where nothing does.
    fn exported(&self) -> Option<Exported<'_>> {
        None
    }
}

/// What says the same as a scorer in a graph.
#[derive(Clone, Debug)]
pub enum Exported<'a> {
    /// Vectors of users and items.
    Towers(Towers),
    /// Trees on columns of a pair.
    Value(&'a Value),
}

/// A fitted candidate of any kind.
pub type Fitted = Box<dyn Scorer>;

/// A way to rank items.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its name on a command line and in reports.
    pub name: &'static str,
    /// One sentence for the manual.
    pub doc: &'static str,
    /// Learns; all chance follows from the seed.
    pub fit: fn(&Arc<Seen>, u64) -> Result<Fitted, MatchingError>,
}

/// The candidates. To add one: its file and its line.
pub static CANDIDATES: &[Candidate] = &[
    popularity::POPULARITY,
    knn::KNN,
    cosine::COSINE,
    ease::EASE,
    als::ALS,
    bpr::BPR,
    #[cfg(feature = "torch")]
    two_tower::TWO_TOWER,
    value::VALUE,
];

/// The candidate of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Candidate> {
    CANDIDATES.iter().find(|candidate| candidate.name == name)
}
