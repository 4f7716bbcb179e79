//! The inverse of a symmetric positive definite matrix, block by block (Cholesky; Golub and Van Loan 2013, section
//! 4.2.9), so that nearly all of the work is products of blocks.

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::MatchingError;

/// How many rows a block has.
const BLOCK: usize = 96;

/// The inverse of a symmetric positive definite matrix, of which the lower half is read. The same at any number of threads.
///
/// # Errors
/// When it is not positive definite.
pub(super) fn inverse(matrix: DMatrix<f64>) -> Result<DMatrix<f64>, MatchingError> {
    let size = matrix.nrows();
    let blocks: Vec<(usize, usize)> =
        (0..size).step_by(BLOCK).map(|from| (from, BLOCK.min(size - from))).collect();
    let (lower, diagonals) = factor(matrix, &blocks)?;
    let columns: Vec<DMatrix<f64>> =
        (0..blocks.len()).into_par_iter().map(|at| inverse_column(&lower, &diagonals, &blocks, at)).collect();
    let mut across = DMatrix::zeros(size, size);
    for ((from, width), column) in blocks.iter().zip(&columns) {
        across.view_mut((*from, *from), (*width, size - from)).copy_from(&column.transpose());
    }
    let products: Vec<DMatrix<f64>> = (0..blocks.len())
        .into_par_iter()
        .map(|at| product_column(&across, &columns[at], &blocks, at))
        .collect();
    let mut inverse = across;
    for ((from, width), column) in blocks.iter().zip(&products) {
        inverse.view_mut((*from, *from), (size - from, *width)).copy_from(column);
    }
    inverse.fill_upper_triangle_with_lower_triangle();
    Ok(inverse)
}

type Blocks = [(usize, usize)];

/// The lower factor, and the inverses of its diagonal blocks.
fn factor(
    mut matrix: DMatrix<f64>,
    blocks: &Blocks,
) -> Result<(DMatrix<f64>, Vec<DMatrix<f64>>), MatchingError> {
    let size = matrix.nrows();
    let mut diagonals = Vec::with_capacity(blocks.len());
    for (at, &(from, width)) in blocks.iter().enumerate() {
        let own = matrix.view((from, from), (width, width)).clone_owned();
        let own = own.cholesky().ok_or(MatchingError::Singular)?.unpack();
        let small =
            own.solve_lower_triangular(&DMatrix::identity(width, width)).ok_or(MatchingError::Singular)?;
        matrix.view_mut((from, from), (width, width)).copy_from(&own);
        let below = from + width;
        if below < size {
            let panel = matrix.view((below, from), (size - below, width)) * small.transpose();
            matrix.view_mut((below, from), (size - below, width)).copy_from(&panel);
            let across = panel.transpose();
            let update = |&(next, width): &(usize, usize)| {
                panel.view((next - below, 0), (size - next, panel.ncols()))
                    * across.columns(next - below, width)
            };
            let updates: Vec<DMatrix<f64>> = blocks[at + 1..].par_iter().map(update).collect();
            for (&(next, width), update) in blocks[at + 1..].iter().zip(&updates) {
                let mut rest = matrix.view_mut((next, next), (size - next, width));
                rest -= update;
            }
        }
        diagonals.push(small);
    }
    Ok((matrix, diagonals))
}

/// The rows from block `at` on of the inverse factor's columns of block `at`.
fn inverse_column(
    lower: &DMatrix<f64>,
    diagonals: &[DMatrix<f64>],
    blocks: &Blocks,
    at: usize,
) -> DMatrix<f64> {
    let (first, width) = blocks[at];
    let mut column = DMatrix::zeros(lower.nrows() - first, width);
    column.rows_mut(0, width).copy_from(&diagonals[at]);
    for (next, &(from, rows)) in blocks.iter().enumerate().skip(at + 1) {
        let done = lower.view((from, first), (rows, from - first)) * column.rows(0, from - first);
        column.rows_mut(from - first, rows).copy_from(&(-&diagonals[next] * done));
    }
    column
}

/// The rows from block `at` on of the product of the inverse factor, turned, with itself.
fn product_column(across: &DMatrix<f64>, column: &DMatrix<f64>, blocks: &Blocks, at: usize) -> DMatrix<f64> {
    let first = blocks[at].0;
    let size = across.nrows();
    let mut product = DMatrix::zeros(size - first, column.ncols());
    for &(from, rows) in &blocks[at..] {
        let part = across.view((from, from), (rows, size - from)) * column.rows(from - first, size - from);
        product.rows_mut(from - first, rows).copy_from(&part);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::dice::Dice;

    #[test]
    fn a_matrix_times_its_inverse_is_one_also_where_blocks_are_cut_off() {
        for size in [1, 5, BLOCK, BLOCK + 1, 3 * BLOCK - 7] {
            let mut dice = Dice::new(1, size as u64);
            let root = DMatrix::from_fn(size, size, |_, _| dice.normal());
            let matrix = &root * root.transpose() + DMatrix::identity(size, size) * 0.1;
            let off = (&matrix * inverse(matrix.clone()).unwrap() - DMatrix::identity(size, size)).amax();
            assert!(off < 1e-7, "{size}: {off}");
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factor() {
        let matrix = DMatrix::from_diagonal_element(200, 200, -1.0);
        assert!(matches!(inverse(matrix), Err(MatchingError::Singular)));
    }
}
