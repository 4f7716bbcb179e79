//! The value model as a graph: raw features of both sides go in, and what the pair is worth comes out, with what adds to it.

use models::{
    graph::{
        Graph, GraphError, Value as Node,
        pairs::{Asked, MOST, Pairs, Shared},
    },
    matching,
};

use super::value::Value;
use crate::matching::Profiles;

/// What the graph says of pairs.
#[derive(Clone, Debug)]
pub struct Worth {
    /// Batch × 1: what they are worth.
    pub expected: Node,
    /// Batch × columns: what each column adds, question by question on the way down the trees.
    pub contributions: Node,
}

impl Value {
    /// What is known of users and of items.
    #[must_use]
    pub fn profiles(&self) -> [&Profiles; 2] {
        let sides = self.sides();
        [sides.users, sides.items]
    }

    /// Adds what a pair becomes, and the trees.
    ///
    /// # Errors
    /// When effects are too many for a table.
    pub fn add(&self, graph: &mut Graph, asked: &Asked<'_>) -> Result<Worth, GraphError> {
        let rows = self.pairs().add(graph, asked)?;
        let [expected, contributions] = self.trees().add_with_credits(graph, &rows)?;
        Ok(Worth { expected, contributions })
    }

    /// What the graph says of a pair: its worth, and what each column adds to it beside the same number for all.
    #[must_use]
    pub fn worth(&self, user: usize, item: usize) -> (f64, Vec<f64>) {
        let row = self.columns_of(user, item);
        let said = self.trees().credits(&row);
        (said.base + said.features.iter().sum::<f64>(), said.features)
    }

    /// The tables of what the graph says, for whoever computes it without one.
    #[must_use]
    pub fn tables(&self) -> matching::Value {
        matching::Value { pairs: self.pairs(), names: self.names().to_vec(), trees: self.trees().grove() }
    }

    fn pairs(&self) -> Pairs {
        let ([users, items], places) = (self.profiles(), self.places());
        let numbered = |places: &[Option<(u32, u32)>], column: u32| -> Vec<(usize, u32)> {
            let of_column =
                places.iter().enumerate().filter_map(|(feature, place)| Some((feature, (*place)?)));
            of_column
                .filter(|(_, place)| place.0 == column)
                .map(|(feature, place)| (feature, place.1))
                .collect()
        };
        let shared = |column: u32| {
            let (mine, theirs) = (numbered(places.users, column), numbered(places.items, column));
            let same = mine.iter().flat_map(|(one, number)| {
                theirs.iter().filter(move |(_, other)| other == number).map(move |(other, _)| (*one, *other))
            });
            let features = |all: &[(usize, u32)]| all.iter().map(|(feature, _)| *feature).collect();
            Shared { same: same.collect(), features: [features(&mine), features(&theirs)] }
        };
        let [of_items, of_users, with_users, with_items] = self.effects();
        let own = |effects: &super::effects::Effects, count: usize| {
            // A table that is too long is refused by its graph.
            (0..count.min(MOST) as u64).map(|number| effects.of(number)).collect::<Vec<f64>>()
        };
        let (user_count, item_count) = (users.len(), items.len());
        Pairs {
            told: [users.told(), items.told()],
            shared: (0..places.columns).map(shared).collect(),
            effects: [own(of_users, user_count), own(of_items, item_count)],
            crossed: [
                own(with_users, item_count * users.names().len()),
                own(with_items, user_count * items.names().len()),
            ],
        }
    }
}
