//! The operators of ai.onnx that our graphs use, with what they make of the types of their inputs.
//!
//! An operator that a family needs is a variant here, its rule in `results`, and a method in `calls.rs`.

use super::{Dim, ElementType, GraphError, TensorType, proto::Attribute};

/// An operator with its attributes. Where ONNX wants small integers as inputs (axes, k), they are here too and become
/// constants.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// Element by element, on two floats of one type, with broadcasting: Add, Sub, Mul, Div, Pow, Min, Max.
    Binary(&'static str),
    /// Element by element into bool: Less, LessOrEqual, Equal.
    Compare(&'static str),
    /// Element by element on floats: Abs, Exp, Floor, Log, Neg, Relu, Sigmoid, Sign, Tanh.
    Unary(&'static str),
    /// Element by element on two bools: And, Or.
    Logic(&'static str),
    Not,
    IsNan,
    /// The second where the first is true, else the third.
    Where,
    MatMul,
    /// Over the last axis.
    Softmax,
    /// Over one axis, which stays with length 1: ReduceSum, ReduceMean, ReduceMax.
    Reduce(&'static str, i64),
    /// Over one axis: each element becomes the sum up to it.
    CumSum(i64),
    /// Over the last axis, which goes.
    ArgMax,
    /// The k largest of the last axis in order, and where they are.
    TopK(usize),
    Gather(i64),
    Concat(i64),
    Cast(ElementType),
    Unsqueeze(i64),
    Squeeze(i64),
    Identity,
}

impl Op {
    /// Its name in ONNX.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Binary(name) | Self::Compare(name) | Self::Unary(name) | Self::Logic(name) => name,
            Self::Reduce(name, _) => name,
            Self::Not => "Not",
            Self::IsNan => "IsNaN",
            Self::Where => "Where",
            Self::MatMul => "MatMul",
            Self::Softmax => "Softmax",
            Self::CumSum(_) => "CumSum",
            Self::ArgMax => "ArgMax",
            Self::TopK(_) => "TopK",
            Self::Gather(_) => "Gather",
            Self::Concat(_) => "Concat",
            Self::Cast(_) => "Cast",
            Self::Unsqueeze(_) => "Unsqueeze",
            Self::Squeeze(_) => "Squeeze",
            Self::Identity => "Identity",
        }
    }

    pub(super) fn attributes(&self) -> Vec<Attribute> {
        match self {
            Self::Softmax => vec![Attribute::int("axis", -1)],
            Self::Reduce(..) => vec![Attribute::int("keepdims", 1)],
            Self::ArgMax => vec![Attribute::int("axis", -1), Attribute::int("keepdims", 0)],
            Self::Gather(axis) | Self::Concat(axis) => vec![Attribute::int("axis", *axis)],
            Self::Cast(to) => vec![Attribute::int("to", i64::from(to.code()))],
            _ => Vec::new(),
        }
    }

    /// The integers that ONNX takes as a last input: their shape and themselves.
    pub(super) fn integers(&self) -> Option<(&'static [usize], i64)> {
        match self {
            Self::Reduce(_, axis) | Self::Unsqueeze(axis) | Self::Squeeze(axis) => Some((&[1], *axis)),
            Self::CumSum(axis) => Some((&[], *axis)),
            Self::TopK(k) => Some((&[1], *k as i64)),
            _ => None,
        }
    }

    /// The types that come out, or why nothing can.
    pub(super) fn results(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, GraphError> {
        self.rule(inputs).map_err(|reason| GraphError::Operands {
            operator: self.name(),
            inputs: inputs.to_vec(),
            reason,
        })
    }

    fn rule(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let one = match (self, inputs) {
            (Self::Binary(_), [a, b]) => broadcast(floats(same(a, b)?)?, &[a, b])?,
            (Self::Compare("Equal"), [a, b]) => broadcast(same(a, b)?, &[a, b])?.of(ElementType::Bool),
            (Self::Compare(_), [a, b]) => {
                let element = same(a, b)?;
                if element != ElementType::I64 {
                    floats(element)?;
                }
                broadcast(element, &[a, b])?.of(ElementType::Bool)
            }
            (Self::Logic(_), [a, b]) => broadcast(bools(same(a, b)?)?, &[a, b])?,
            (Self::Unary(_) | Self::Softmax, [a]) => a.of(floats(a.element)?),
            (Self::CumSum(axis), [a]) => {
                axis_of(*axis, a.shape.len())?;
                a.of(floats(a.element)?)
            }
            (Self::Not, [a]) => a.of(bools(a.element)?),
            (Self::IsNan, [a]) => {
                floats(a.element)?;
                a.of(ElementType::Bool)
            }
            (Self::Where, [condition, a, b]) => {
                bools(condition.element)?;
                broadcast(same(a, b)?, &[condition, a, b])?
            }
            (Self::MatMul, [a, b]) => product(a, b)?,
            (Self::Reduce(_, axis), [a]) => {
                floats(a.element)?;
                let mut result = a.clone();
                let axis = axis_of(*axis, a.shape.len())?;
                result.shape[axis] = Dim::Fixed(1);
                result
            }
            (Self::ArgMax, [a]) => {
                floats(a.element)?;
                let last = axis_of(-1, a.shape.len())?;
                TensorType::new(ElementType::I64, &a.shape[..last])
            }
            (Self::TopK(k), [a]) => return top(*k, a),
            (Self::Gather(axis), [a, indices]) => gathered(*axis, a, indices)?,
            (Self::Concat(axis), [first, ..]) => concatenated(*axis, first, inputs)?,
            (Self::Cast(to), [a]) => a.of(castable(a.element, *to)?),
            (Self::Unsqueeze(axis), [a]) => {
                let mut result = a.clone();
                let axis = axis_of(*axis, a.shape.len() + 1)?;
                result.shape.insert(axis, Dim::Fixed(1));
                result
            }
            (Self::Squeeze(axis), [a]) => squeezed(*axis, a)?,
            (Self::Identity, [a]) => a.clone(),
            _ => return Err(format!("{} inputs are not what it takes", inputs.len())),
        };
        Ok(vec![one])
    }
}

fn squeezed(axis: i64, a: &TensorType) -> Result<TensorType, String> {
    let mut result = a.clone();
    let gone = result.shape.remove(axis_of(axis, a.shape.len())?);
    if gone != Dim::Fixed(1) {
        return Err(format!("only an axis of length 1 can go, and axis {axis} has length {gone}"));
    }
    Ok(result)
}

fn same(a: &TensorType, b: &TensorType) -> Result<ElementType, String> {
    if a.element != b.element {
        return Err(format!("the elements differ, {} and {}; cast one of them", a.element, b.element));
    }
    Ok(a.element)
}

fn floats(element: ElementType) -> Result<ElementType, String> {
    element.is_float().then_some(element).ok_or_else(|| format!("it takes float or double, not {element}"))
}

fn bools(element: ElementType) -> Result<ElementType, String> {
    (element == ElementType::Bool).then_some(element).ok_or_else(|| format!("it takes bool, not {element}"))
}

fn castable(from: ElementType, to: ElementType) -> Result<ElementType, String> {
    let is_number = |it| it != ElementType::Text;
    (is_number(from) && is_number(to)).then_some(to).ok_or_else(|| format!("{from} is not cast to {to}"))
}

/// ONNX counts axes from the end where they are negative.
fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    let counted = if axis < 0 { axis + rank as i64 } else { axis };
    let counted = usize::try_from(counted).ok().filter(|it| *it < rank);
    counted.ok_or_else(|| format!("there is no axis {axis}"))
}

/// Numpy's rule: shapes are aligned at their ends, and an axis of length 1 or none stretches.
fn broadcast(element: ElementType, inputs: &[&TensorType]) -> Result<TensorType, String> {
    let rank = inputs.iter().map(|it| it.shape.len()).max().unwrap_or(0);
    let mut shape = vec![Dim::Fixed(1); rank];
    for input in inputs {
        let skip = rank - input.shape.len();
        for (have, new) in shape.iter_mut().skip(skip).zip(&input.shape) {
            if *have == Dim::Fixed(1) {
                *have = *new;
            } else if *new != Dim::Fixed(1) && new != have {
                return Err(format!("an axis is {have} long in one and {new} in another"));
            }
        }
    }
    Ok(TensorType { element, shape })
}

fn product(a: &TensorType, b: &TensorType) -> Result<TensorType, String> {
    let element = floats(same(a, b)?)?;
    let ([rows, inner], [other, columns]) = (a.shape.as_slice(), b.shape.as_slice()) else {
        return Err("it multiplies two matrices".to_owned());
    };
    if inner != other {
        return Err(format!("the first has {inner} columns and the second {other} rows"));
    }
    Ok(TensorType::new(element, &[*rows, *columns]))
}

fn top(k: usize, a: &TensorType) -> Result<Vec<TensorType>, String> {
    let last = axis_of(-1, a.shape.len())?;
    if let Dim::Fixed(length) = a.shape[last]
        && (k < 1 || length < k)
    {
        return Err(format!("there are no {k} largest of {length}"));
    }
    let mut values = a.of(floats(a.element)?);
    values.shape[last] = Dim::Fixed(k);
    let places = values.of(ElementType::I64);
    Ok(vec![values, places])
}

fn gathered(axis: i64, a: &TensorType, indices: &TensorType) -> Result<TensorType, String> {
    if indices.element != ElementType::I64 {
        return Err(format!("indices are int64, not {}", indices.element));
    }
    let axis = axis_of(axis, a.shape.len())?;
    let shape = [&a.shape[..axis], &indices.shape, &a.shape[axis + 1..]].concat();
    Ok(TensorType { element: a.element, shape })
}

fn concatenated(axis: i64, first: &TensorType, inputs: &[TensorType]) -> Result<TensorType, String> {
    let axis = axis_of(axis, first.shape.len())?;
    let mut length = 0;
    for input in inputs {
        same(first, input)?;
        let mut shape = input.shape.clone();
        let Some(Dim::Fixed(part)) = shape.get(axis) else {
            return Err(format!("axis {axis} must have a fixed length in each"));
        };
        length += part;
        shape[axis] = first.shape[axis];
        if shape != first.shape {
            return Err(format!("but for axis {axis} the shapes must be the same"));
        }
    }
    let mut result = first.clone();
    result.shape[axis] = Dim::Fixed(length);
    Ok(result)
}
