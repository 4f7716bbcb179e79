//! Two towers: a user is a vector, known or made of what is told of the user; items are vectors that the file carries; the
//! best are those with the largest products.

use serde::{Deserialize, Serialize};

use super::{
    Graph, GraphError, Value,
    told::{Told, row_of},
    trees::check,
};

const FAMILY: &str = "towers";

/// What makes users and items vectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Towers {
    /// How long a vector is.
    pub rank: usize,
    /// Known users × rank, row by row.
    #[serde(with = "crate::exact::many")]
    pub users: Vec<f64>,
    /// What makes a vector of whoever is not among them.
    pub newcomers: Tower,
    /// Items × rank, row by row.
    #[serde(with = "crate::exact::many")]
    pub items: Vec<f64>,
}

/// A vector from what is told: `h = features · weights + bias`, and then `h + max(h, 0) · bend`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tower {
    /// Which features there are; none where nothing is told of users.
    pub told: Told,
    /// Features × rank, row by row.
    #[serde(with = "crate::exact::many")]
    pub weights: Vec<f64>,
    /// One for each number of a vector.
    #[serde(with = "crate::exact::many")]
    pub bias: Vec<f64>,
    /// Rank × rank, row by row; empty where a tower is linear.
    #[serde(with = "crate::exact::many")]
    pub bend: Vec<f64>,
}

/// What suits each user.
#[derive(Clone, Debug)]
pub struct Suited {
    /// Batch × k: numbers of eligible items, best first, the lower number before the higher where scores are equal.
    pub items: Value,
    /// Batch × k: their scores; minus infinity where no more are eligible.
    pub scores: Value,
    /// Batch × items: every item's score, eligible or not.
    pub all: Value,
}

impl Tower {
    /// The vector of one of whom this is told, as the graph computes it.
    #[must_use]
    pub fn of(&self, raw: &[f64]) -> Vec<f64> {
        let rank = self.bias.len();
        let mut vector = self.bias.clone();
        for (told, row) in self.told.of(raw).iter().zip(self.weights.chunks_exact(rank)) {
            vector.iter_mut().zip(row).for_each(|(sum, weight)| *sum += told * weight);
        }
        let above: Vec<f64> = vector.iter().map(|it| it.max(0.0)).collect();
        for (above, row) in above.iter().zip(self.bend.chunks_exact(rank)) {
            vector.iter_mut().zip(row).for_each(|(sum, bend)| *sum += above * bend);
        }
        vector
    }

    fn add(&self, graph: &mut Graph, raw: Option<&Value>, like: &Value) -> Result<Value, GraphError> {
        let rank = self.bias.len();
        check(FAMILY, "weights", self.told.features.len() * rank, self.weights.len())?;
        let bias = graph.floats("bias", like, &[rank], &self.bias)?;
        let mut vector = bias.clone();
        if let Some(raw) = raw {
            let told = self.told.add(graph, raw)?;
            let weights = graph.floats("weights", raw, &[self.told.features.len(), rank], &self.weights)?;
            let product = graph.matmul(&told, &weights)?;
            vector = graph.add(&product, &bias)?;
        }
        if self.bend.is_empty() {
            return Ok(vector);
        }
        check(FAMILY, "numbers of a bend", rank * rank, self.bend.len())?;
        if raw.is_none() {
            vector = graph.unsqueeze(&vector, 0)?;
        }
        let bend = graph.floats("bend", like, &[rank, rank], &self.bend)?;
        let above = graph.relu(&vector)?;
        let bent = graph.matmul(&above, &bend)?;
        graph.add(&vector, &bent)
    }
}

impl Towers {
    /// Every item's score for a known user's number, or for a stranger of whom this is told, as the graph computes it.
    #[must_use]
    pub fn scores(&self, user: Option<usize>, raw: &[f64]) -> Vec<f64> {
        let known = user.and_then(|user| self.users.chunks_exact(self.rank).nth(user));
        let vector = known.map_or_else(|| self.newcomers.of(raw), <[f64]>::to_vec);
        let product = |item: &[f64]| item.iter().zip(&vector).map(|(one, other)| one * other).sum();
        self.items.chunks_exact(self.rank).map(product).collect()
    }

    /// How many items there are.
    #[must_use]
    pub fn item_count(&self) -> usize {
        self.items.len() / self.rank.max(1)
    }

    /// The `k` best of the eligible items for each user. `user` is int64\[batch\], a known user's number or −1; `raw` is what
    /// is told of the user, batch × raw columns, where the tower of newcomers asks for any; `eligible` is batch × items, 1 for
    /// each item that may be shown and else 0, in the precision that is calculated in.
    pub fn add(
        &self,
        graph: &mut Graph,
        (user, raw): (&Value, Option<&Value>),
        eligible: &Value,
        k: usize,
    ) -> Result<Suited, GraphError> {
        let rank = self.rank;
        if rank == 0 || self.items.is_empty() {
            return Err(GraphError::table(FAMILY, "there must be items with a rank of at least 1"));
        }
        let (users, items) = (self.users.len() / rank, self.item_count());
        check(FAMILY, "elements of users", users * rank, self.users.len())?;
        check(FAMILY, "elements of items", items * rank, self.items.len())?;
        check(FAMILY, "elements of a newcomer's vector", rank, self.newcomers.bias.len())?;
        check(FAMILY, "columns of eligible", items, eligible.width(FAMILY)?)?;
        let row = row_of(graph, FAMILY, user, users)?;
        let table: Vec<f64> = self.users.iter().copied().chain(vec![0.0; rank]).collect();
        let table = graph.floats("users", eligible, &[users + 1, rank], &table)?;
        let known = graph.gather(&table, 0, &row)?;
        let told = self.newcomers.add(graph, raw, eligible)?;
        // One for whoever is not known, so that a vector is either that of the table or that of what is told.
        let is_new: Vec<f64> = vec![0.0; users].into_iter().chain([1.0]).collect();
        let is_new = graph.floats("is_new", eligible, &[users + 1, 1], &is_new)?;
        let is_new = graph.gather(&is_new, 0, &row)?;
        let half = graph.scalar("half", eligible, 0.5)?;
        let is_known = graph.less(&is_new, &half)?;
        let vectors = graph.choose(&is_known, &known, &told)?;
        let across: Vec<f64> =
            (0..rank).flat_map(|at| self.items.iter().skip(at).step_by(rank).copied()).collect();
        let across = graph.floats("items", eligible, &[rank, items], &across)?;
        let all = graph.matmul(&vectors, &across)?;
        let nothing = graph.scalar("nothing", eligible, f64::NEG_INFINITY)?;
        let is_eligible = graph.at_most(&half, eligible)?;
        let open = graph.choose(&is_eligible, &all, &nothing)?;
        let (scores, items) = graph.top(&open, k)?;
        Ok(Suited { items, scores, all })
    }
}
