//! Factor models: how well a user and an item fit is a product of their vectors, and the best items for a user come out
//! in order.

use super::{Dim, ElementType, Graph, GraphError, Tensor, Value, trees::check};

const FAMILY: &str = "factors";

/// A factor model: `mean + user bias + item bias + user · item`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Factors {
    /// The length of a vector.
    pub rank: usize,
    /// Users × rank, row by row.
    pub users: Vec<f64>,
    /// Items × rank, row by row.
    pub items: Vec<f64>,
    /// One for each user.
    pub user_bias: Vec<f64>,
    /// One for each item.
    pub item_bias: Vec<f64>,
    /// What is added to everything.
    pub mean: f64,
    /// The vector of a user who is not known (a number outside the table); usually the mean of the users.
    pub unknown_user: Vec<f64>,
    /// In what it calculates.
    pub element: Precision,
}

/// Single or double precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats: half the size.
    #[default]
    Single,
    /// 64-bit floats.
    Double,
}

/// The best items for each user.
#[derive(Clone, Debug)]
pub struct Best {
    /// Batch × k: numbers of items, best first, the lower number before the higher where scores are equal.
    pub items: Value,
    /// Batch × k: their scores.
    pub scores: Value,
}

impl Factors {
    fn element(&self) -> ElementType {
        match self.element {
            Precision::Single => ElementType::F32,
            Precision::Double => ElementType::F64,
        }
    }

    fn check(&self) -> Result<(usize, usize), GraphError> {
        let (users, items) = (self.user_bias.len(), self.item_bias.len());
        if self.rank < 1 || items < 1 {
            return Err(GraphError::table(
                FAMILY,
                "there must be a rank of at least 1 and at least one item",
            ));
        }
        check(FAMILY, "elements of users", users * self.rank, self.users.len())?;
        check(FAMILY, "elements of items", items * self.rank, self.items.len())?;
        check(FAMILY, "elements of the unknown user", self.rank, self.unknown_user.len())?;
        Ok((users, items))
    }

    /// The k best of all items for each user; `users` are int64, one for each row of the batch, from 0.
    pub fn add_best(&self, graph: &mut Graph, users: &Value, k: usize) -> Result<Best, GraphError> {
        let (_, items) = self.check()?;
        let (vectors, bias) = self.user(graph, users)?;
        let across: Vec<f64> =
            (0..self.rank).flat_map(|at| self.items.iter().skip(at).step_by(self.rank).copied()).collect();
        let across = Tensor::floats(self.element(), &[self.rank, items], &across)?;
        let across = graph.constant("items", across);
        let item_bias = graph.floats("item_bias", &vectors, &[items], &self.item_bias)?;
        let fit = graph.matmul(&vectors, &across)?;
        let fit = graph.add(&fit, &item_bias)?;
        let bias = graph.unsqueeze(&bias, 1)?;
        let scores = graph.add(&fit, &bias)?;
        let (scores, items) = graph.top(&scores, k)?;
        Ok(Best { items, scores })
    }

    /// How well each user fits the item in the same row of the batch; both are int64, and the items are known ones.
    /// A number for each row comes out.
    pub fn add_pairs(&self, graph: &mut Graph, users: &Value, items: &Value) -> Result<Value, GraphError> {
        let (_, count) = self.check()?;
        check_numbers(items)?;
        let (vectors, bias) = self.user(graph, users)?;
        let table = Tensor::floats(self.element(), &[count, self.rank], &self.items)?;
        let table = graph.constant("items", table);
        let item = graph.gather(&table, 0, items)?;
        let biases = graph.floats("item_bias", &vectors, &[count], &self.item_bias)?;
        let item_bias = graph.gather(&biases, 0, items)?;
        let products = graph.mul(&vectors, &item)?;
        let fit = graph.sum(&products, 1)?;
        let fit = graph.squeeze(&fit, 1)?;
        let fit = graph.add(&fit, &item_bias)?;
        graph.add(&fit, &bias)
    }

    /// The vector of each user and the bias with the mean in it. Whoever is not known has the row after the last.
    fn user(&self, graph: &mut Graph, users: &Value) -> Result<(Value, Value), GraphError> {
        check_numbers(users)?;
        let count = self.user_bias.len();
        let one = |graph: &mut Graph, hint: &str, value: i64| -> Result<Value, GraphError> {
            Ok(graph.constant(hint, Tensor::i64(&[], vec![value])?))
        };
        let (zero, unknown) = (one(graph, "first_user", 0)?, one(graph, "unknown_user", count as i64)?);
        let below = graph.less(users, &zero)?;
        let known = graph.less(users, &unknown)?;
        let row = graph.choose(&known, users, &unknown)?;
        let row = graph.choose(&below, &unknown, &row)?;
        let vectors = [self.users.as_slice(), &self.unknown_user].concat();
        let vectors = Tensor::floats(self.element(), &[count + 1, self.rank], &vectors)?;
        let vectors = graph.constant("users", vectors);
        let bias: Vec<f64> = self.user_bias.iter().chain([&0.0]).map(|bias| bias + self.mean).collect();
        let bias = graph.floats("user_bias", &vectors, &[count + 1], &bias)?;
        Ok((graph.gather(&vectors, 0, &row)?, graph.gather(&bias, 0, &row)?))
    }
}

fn check_numbers(values: &Value) -> Result<(), GraphError> {
    let kind = values.kind();
    if kind.element == ElementType::I64 && kind.shape == [Dim::Batch] {
        return Ok(());
    }
    Err(GraphError::table(FAMILY, format!("it takes int64[batch], a number for each row, not {kind}")))
}
