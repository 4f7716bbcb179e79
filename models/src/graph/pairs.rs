//! What is known of a pair of a user and an item: what is told of both, how much of it they share, and what is particular
//! to each of them.

use serde::{Deserialize, Serialize};

use super::{
    Graph, GraphError, Value,
    told::{Told, row_of},
    trees::check,
};

const FAMILY: &str = "pairs";
/// A table of effects has no more numbers than this.
pub const MOST: usize = 1 << 25;

/// How a pair becomes columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    /// What is told of users, and what of items.
    pub told: [Told; 2],
    /// The columns that both sides have: of each, pairs of a feature of users and one of items that are the same.
    pub shared: Vec<Shared>,
    /// What is particular to each known user, and to each known item.
    #[serde(with = "crate::exact::both")]
    pub effects: [Vec<f64>; 2],
    /// What is particular to each known item with each feature of users, and to each known user with each feature of items,
    /// row by row.
    #[serde(with = "crate::exact::both")]
    pub crossed: [Vec<f64>; 2],
}

/// A column that both sides have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shared {
    /// Its features among those of users, and among those of items.
    pub features: [Vec<usize>; 2],
    /// Those of users and of items that are the same.
    pub same: Vec<(usize, usize)>,
}

/// Users and items, a pair in each row of the batch.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// int64\[batch\]: the numbers of the user and the item, −1 of those who are not known.
    pub numbers: [&'a Value; 2],
    /// Batch × raw columns, double: what is told of the user, and of the item.
    pub raw: [&'a Value; 2],
}

impl Pairs {
    /// Batch × columns: features of the user, features of the item, what they share of each shared column (Jaccard 1901; NaN
    /// where neither has anything), and the four effects: of the item, of the user, of the item with the features of the user,
    /// and of the user with those of the item, these two as means in single precision.
    pub fn add(&self, graph: &mut Graph, asked: &Asked<'_>) -> Result<Value, GraphError> {
        let [users, items] = [self.effects[0].len(), self.effects[1].len()];
        let [of_user, of_item] = [self.told[0].features.len(), self.told[1].features.len()];
        if MOST < (items * of_user).max(users * of_item) {
            let reason = format!(
                "effects of {items} items with {of_user} features, or of {users} users with {of_item}, are more than {MOST} \
                 numbers; tell fewer features"
            );
            return Err(GraphError::table(FAMILY, reason));
        }
        check(FAMILY, "effects of items with features of users", items * of_user, self.crossed[0].len())?;
        check(FAMILY, "effects of users with features of items", users * of_item, self.crossed[1].len())?;
        let told = [self.told[0].add(graph, asked.raw[0])?, self.told[1].add(graph, asked.raw[1])?];
        let user = row_of(graph, FAMILY, asked.numbers[0], users)?;
        let item = row_of(graph, FAMILY, asked.numbers[1], items)?;
        let mut columns = told.to_vec();
        for shared in &self.shared {
            columns.push(shared.add(graph, &told)?);
        }
        columns.push(own(graph, &self.effects[1], &item, asked.raw[0])?);
        columns.push(own(graph, &self.effects[0], &user, asked.raw[0])?);
        columns.push(crossed(graph, &self.crossed[0], (&item, items), &told[0])?);
        columns.push(crossed(graph, &self.crossed[1], (&user, users), &told[1])?);
        graph.concat(&columns.iter().collect::<Vec<_>>(), 1)
    }
}

/// What is particular to a row, batch × 1; nothing to who is not known.
fn own(graph: &mut Graph, effects: &[f64], row: &Value, like: &Value) -> Result<Value, GraphError> {
    let table: Vec<f64> = effects.iter().copied().chain([0.0]).collect();
    let table = graph.floats("effects", like, &[table.len(), 1], &table)?;
    graph.gather(&table, 0, row)
}

/// The mean over the features that are told, batch × 1.
fn crossed(
    graph: &mut Graph,
    effects: &[f64],
    (row, rows): (&Value, usize),
    told: &Value,
) -> Result<Value, GraphError> {
    let width = told.width(FAMILY)?;
    let table: Vec<f64> = effects.iter().copied().chain(vec![0.0; width]).collect();
    let table = graph.floats("crossed", told, &[rows + 1, width], &table)?;
    let mine = graph.gather(&table, 0, row)?;
    let mine = graph.mul(&mine, told)?;
    let sum = graph.sum(&mine, 1)?;
    let count = graph.sum(told, 1)?;
    let one = graph.scalar("one", told, 1.0)?;
    let count = graph.max(&count, &one)?;
    let mean = graph.div(&sum, &count)?;
    // Sums in another order are the same here, so that no row changes sides in a tree.
    let single = graph.cast(&mean, super::ElementType::F32)?;
    graph.cast(&single, told.element())
}

impl Shared {
    /// How much of what either has both have, batch × 1.
    fn add(&self, graph: &mut Graph, told: &[Value; 2]) -> Result<Value, GraphError> {
        let count = |graph: &mut Graph, side: usize| -> Result<Value, GraphError> {
            let mine = graph.columns(&told[side], &self.features[side])?;
            graph.sum(&mine, 1)
        };
        let (of_user, of_item) = (count(graph, 0)?, count(graph, 1)?);
        let mut either = graph.add(&of_user, &of_item)?;
        let mut both = graph.scalar("none", &either, 0.0)?;
        if !self.same.is_empty() {
            let (mine, theirs): (Vec<usize>, Vec<usize>) = self.same.iter().copied().unzip();
            let (mine, theirs) = (graph.columns(&told[0], &mine)?, graph.columns(&told[1], &theirs)?);
            let same = graph.mul(&mine, &theirs)?;
            both = graph.sum(&same, 1)?;
            either = graph.sub(&either, &both)?;
        }
        let one = graph.scalar("one", &either, 1.0)?;
        let nobody = graph.less(&either, &one)?;
        let missing = graph.scalar("missing", &either, f64::NAN)?;
        let share = graph.div(&both, &either)?;
        graph.choose(&nobody, &missing, &share)
    }
}
