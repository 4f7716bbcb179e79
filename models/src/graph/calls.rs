//! The operators as methods of a graph, for families and for whoever composes them.

use super::{ElementType, Graph, GraphError, Tensor, Value, op::Op};

impl Graph {
    fn one(&mut self, op: Op, inputs: &[&Value]) -> Result<Value, GraphError> {
        Ok(self.apply(op, inputs)?.remove(0))
    }

    /// a + b, with broadcasting.
    pub fn add(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Binary("Add"), &[a, b])
    }

    /// a − b, with broadcasting.
    pub fn sub(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Binary("Sub"), &[a, b])
    }

    /// a · b, element by element, with broadcasting.
    pub fn mul(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Binary("Mul"), &[a, b])
    }

    /// a / b, with broadcasting.
    pub fn div(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Binary("Div"), &[a, b])
    }

    /// a to the power of b, with broadcasting.
    pub fn pow(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Binary("Pow"), &[a, b])
    }

    /// The smaller of the two, with broadcasting; NaN where either is.
    pub fn min(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Binary("Min"), &[a, b])
    }

    /// The larger of the two, with broadcasting; NaN where either is.
    pub fn max(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Binary("Max"), &[a, b])
    }

    /// Whether a < b, with broadcasting.
    pub fn less(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Compare("Less"), &[a, b])
    }

    /// Whether a ≤ b, with broadcasting.
    pub fn at_most(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Compare("LessOrEqual"), &[a, b])
    }

    /// Whether a = b, with broadcasting; texts too.
    pub fn equal(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Compare("Equal"), &[a, b])
    }

    /// Whether both are true.
    pub fn and(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Logic("And"), &[a, b])
    }

    /// Whether one of them is true.
    pub fn or(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Logic("Or"), &[a, b])
    }

    /// Whether it is false.
    pub fn not(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Not, &[a])
    }

    /// Whether it is missing.
    pub fn is_nan(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::IsNan, &[a])
    }

    /// a where the condition is true, else b, with broadcasting.
    pub fn choose(&mut self, condition: &Value, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::Where, &[condition, a, b])
    }

    /// The product of two matrices.
    pub fn matmul(&mut self, a: &Value, b: &Value) -> Result<Value, GraphError> {
        self.one(Op::MatMul, &[a, b])
    }

    /// |a|
    pub fn abs(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Unary("Abs"), &[a])
    }

    /// eᵃ
    pub fn exp(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Unary("Exp"), &[a])
    }

    /// The largest whole number that is not above a.
    pub fn floor(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Unary("Floor"), &[a])
    }

    /// ln a
    pub fn log(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Unary("Log"), &[a])
    }

    /// −a
    pub fn neg(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Unary("Neg"), &[a])
    }

    /// max(a, 0)
    pub fn relu(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Unary("Relu"), &[a])
    }

    /// 1 / (1 + e⁻ᵃ)
    pub fn sigmoid(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Unary("Sigmoid"), &[a])
    }

    /// −1, 0 or 1.
    pub fn sign(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Unary("Sign"), &[a])
    }

    /// tanh a
    pub fn tanh(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Unary("Tanh"), &[a])
    }

    /// The softmax of each row.
    pub fn softmax(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::Softmax, &[a])
    }

    /// The sum over an axis, which stays with length 1; negative axes count from the end.
    pub fn sum(&mut self, a: &Value, axis: i64) -> Result<Value, GraphError> {
        self.one(Op::Reduce("ReduceSum", axis), &[a])
    }

    /// The mean over an axis, which stays with length 1.
    pub fn mean(&mut self, a: &Value, axis: i64) -> Result<Value, GraphError> {
        self.one(Op::Reduce("ReduceMean", axis), &[a])
    }

    /// The largest over an axis, which stays with length 1.
    pub fn largest(&mut self, a: &Value, axis: i64) -> Result<Value, GraphError> {
        self.one(Op::Reduce("ReduceMax", axis), &[a])
    }

    /// Where each row is largest, the first of equals: the class of a row of probabilities.
    pub fn arg_max(&mut self, a: &Value) -> Result<Value, GraphError> {
        self.one(Op::ArgMax, &[a])
    }

    /// Along this axis, the sum of each element and all before it.
    pub fn cumulative_sum(&mut self, a: &Value, axis: i64) -> Result<Value, GraphError> {
        self.one(Op::CumSum(axis), &[a])
    }

    /// The k largest of each row, largest first and the first of equals before the others, and where they are.
    pub fn top(&mut self, a: &Value, k: usize) -> Result<(Value, Value), GraphError> {
        let mut both = self.apply(Op::TopK(k), &[a])?;
        let places = both.remove(1);
        Ok((both.remove(0), places))
    }

    /// The elements of an axis at these indices, which must be within it.
    pub fn gather(&mut self, a: &Value, axis: i64, indices: &Value) -> Result<Value, GraphError> {
        self.one(Op::Gather(axis), &[a, indices])
    }

    /// These columns of a matrix, in this order.
    pub fn columns(&mut self, a: &Value, columns: &[usize]) -> Result<Value, GraphError> {
        let columns: Vec<i64> = columns.iter().map(|column| *column as i64).collect();
        let columns = self.constant("columns", Tensor::i64(&[columns.len()], columns)?);
        self.gather(a, 1, &columns)
    }

    /// One beside the other along an axis.
    pub fn concat(&mut self, parts: &[&Value], axis: i64) -> Result<Value, GraphError> {
        self.one(Op::Concat(axis), parts)
    }

    /// The same numbers in another element type; the value itself where it has that type already.
    pub fn cast(&mut self, a: &Value, to: ElementType) -> Result<Value, GraphError> {
        if a.element() == to {
            return Ok(a.clone());
        }
        self.one(Op::Cast(to), &[a])
    }

    /// A new axis of length 1 before this one.
    pub fn unsqueeze(&mut self, a: &Value, axis: i64) -> Result<Value, GraphError> {
        self.one(Op::Unsqueeze(axis), &[a])
    }

    /// Without this axis of length 1.
    pub fn squeeze(&mut self, a: &Value, axis: i64) -> Result<Value, GraphError> {
        self.one(Op::Squeeze(axis), &[a])
    }
}
