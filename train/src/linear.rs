//! Least squares with a little ridge, by the normal equations.

/// What of a column others leave unsaid must be more than this part of it.
const LEAST_OWN: f64 = 1e-8;

/// Columns that say the same as others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("column {0} says the same as others, or nothing; leave it out or ask for more ridge")]
pub struct SingularError(pub usize);

/// A symmetric positive definite matrix, by its Cholesky factor.
#[derive(Clone, Debug)]
pub(crate) struct Factor {
    width: usize,
    lower: Vec<f64>,
}

impl Factor {
    /// Factors `matrix`, `width` × `width`, row by row.
    pub(crate) fn new(matrix: &[f64], width: usize) -> Result<Self, SingularError> {
        let mut lower = vec![0.0; width * width];
        for row in 0..width {
            for column in 0..=row {
                let done: f64 = (0..column).map(|k| lower[row * width + k] * lower[column * width + k]).sum();
                let left = matrix[row * width + column] - done;
                lower[row * width + column] = if row != column {
                    left / lower[column * width + column]
                } else if left <= LEAST_OWN * matrix[row * width + row].max(f64::MIN_POSITIVE) {
                    return Err(SingularError(row));
                } else {
                    left.sqrt()
                };
            }
        }
        Ok(Self { width, lower })
    }

    /// The solution of `matrix · x = right`.
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (width, lower) = (self.width, &self.lower);
        let mut x = right.to_vec();
        for row in 0..width {
            let done: f64 = (0..row).map(|k| lower[row * width + k] * x[k]).sum();
            x[row] = (x[row] - done) / lower[row * width + row];
        }
        for row in (0..width).rev() {
            let done: f64 = (row + 1..width).map(|k| lower[k * width + row] * x[k]).sum();
            x[row] = (x[row] - done) / lower[row * width + row];
        }
        x
    }
}

/// Sums of products of rows: what least squares needs to know of them.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    width: usize,
    matrix: Vec<f64>,
    right: Vec<f64>,
    rows: f64,
}

impl Moments {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, matrix: vec![0.0; width * width], right: vec![0.0; width], rows: 0.0 }
    }

    pub(crate) fn add(&mut self, row: &[f64], target: f64) {
        for (i, one) in row.iter().enumerate() {
            for (j, other) in row[..=i].iter().enumerate() {
                self.matrix[i * self.width + j] += one * other;
            }
            self.right[i] += one * target;
        }
        self.rows += 1.0;
    }

    /// The factor of the products, each diagonal entry but the first (the intercept's) raised by `ridge` of itself.
    pub(crate) fn factor(&self, ridge: f64) -> Result<Factor, SingularError> {
        let mut matrix = self.matrix.clone();
        for place in 1..self.width {
            matrix[place * self.width + place] *= 1.0 + ridge;
        }
        Factor::new(&matrix, self.width)
    }

    /// The coefficients; the first column's is an intercept.
    pub(crate) fn fit(&self, ridge: f64) -> Result<Vec<f64>, SingularError> {
        Ok(self.factor(ridge)?.solve(&self.right))
    }
}

pub(crate) fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}
