//! The vectors that have the largest products with another one, found exactly among very many.
//!
//! Every row is kept a second time as whole numbers of half the size, whose products are off by no more than a bound; only
//! rows that may be among the best by that bound are multiplied as they are. Thus a search reads half of the bytes that a
//! plain scan reads, and finds what it finds.

use wide::{i16x8, i32x4};

use crate::best::{Best, Eligible, Scored};

/// How many rows a block has, of which several queries take their products before the next one is looked at.
const TOGETHER: usize = 256;
/// Sums of products of whole numbers stay below this.
const MOST: f64 = (1 << 30) as f64;

/// Rows of numbers, all of one width, to be searched.
#[derive(Clone, Debug)]
pub struct Vectors {
    width: usize,
    rows: Vec<f32>,
    /// The rows in steps of `step`, each filled up with zeros.
    coarse: Vec<i16x8>,
    step: f64,
    /// The largest sum of absolute values of a coarse row, and the largest length of a row.
    most: f64,
    longest: f64,
}

/// Why rows cannot be searched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VectorsError {
    /// Rows of no numbers, or not as many numbers as make whole rows.
    #[error("{numbers} numbers are not whole rows of {width}")]
    Ragged {
        /// How many numbers there are.
        numbers: usize,
        /// How many make a row.
        width: usize,
    },
    /// A number that is not finite.
    #[error("row {row} holds a number that is not finite; leave it out, or learn its vector again")]
    NotFinite {
        /// Counted from zero.
        row: usize,
    },
}

/// A vector as whole numbers, with what its products with rows may be off by.
struct Query<'a> {
    exact: &'a [f32],
    coarse: Vec<i16x8>,
    /// What a coarse product of one is worth.
    unit: f64,
    off: f64,
}

impl Query<'_> {
    /// Below which coarse product a row cannot come into the list.
    fn cut(&self, best: &Best) -> i32 {
        let cut = (best.floor() - self.off) / self.unit;
        // What is no number, such as 0 / 0, cuts nothing; a cast ends at the ends of i32.
        if cut.is_nan() { i32::MIN } else { libm::floor(cut) as i32 }
    }
}

/// How many steps numbers may have on either side of zero, so that no sum of `width` products leaves its bound.
fn steps(width: usize) -> f64 {
    libm::floor((MOST / width as f64).sqrt()).min(f64::from(i16::MAX))
}

/// Rows in steps, each filled up with zeros, and how long a step is.
fn in_steps(rows: &[f32], width: usize) -> (Vec<i16x8>, f64) {
    let largest = rows.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    let step = f64::from(largest) / steps(width);
    let whole = |number: &f32| if 0.0 < step { libm::round(f64::from(*number) / step) as i16 } else { 0 };
    let lanes = |numbers: &[f32]| {
        let mut lanes = [0; 8];
        lanes.iter_mut().zip(numbers).for_each(|(lane, number)| *lane = whole(number));
        i16x8::new(lanes)
    };
    (rows.chunks_exact(width).flat_map(|row| row.chunks(8).map(lanes)).collect(), step)
}

fn length(row: &[f32]) -> f64 {
    row.iter().map(|number| f64::from(*number) * f64::from(*number)).sum::<f64>().sqrt()
}

impl Vectors {
    /// Takes numbers row after row.
    ///
    /// # Errors
    /// When they are not whole rows, or not all finite.
    pub fn new(width: usize, rows: Vec<f32>) -> Result<Self, VectorsError> {
        if width == 0 || !rows.len().is_multiple_of(width) {
            return Err(VectorsError::Ragged { numbers: rows.len(), width });
        }
        if let Some(at) = rows.iter().position(|number| !number.is_finite()) {
            return Err(VectorsError::NotFinite { row: at / width });
        }
        let (coarse, step) = in_steps(&rows, width);
        let size = |row: &[i16x8]| {
            row.iter().flat_map(|lanes| lanes.to_array()).map(|it| f64::from(it.unsigned_abs())).sum::<f64>()
        };
        let most = coarse.chunks_exact(width.div_ceil(8)).map(size).fold(0.0, f64::max);
        let longest = rows.chunks_exact(width).map(length).fold(0.0, f64::max);
        Ok(Self { width, rows, coarse, step, most, longest })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() / self.width
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many numbers a row has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The numbers of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * self.width..(row + 1) * self.width]
    }

    /// The `k` of the eligible rows whose [`product`] with the query is largest, best first.
    ///
    /// # Panics
    /// When the query has another width, or the eligible are of another number of rows.
    #[must_use]
    pub fn nearest(&self, query: &[f32], eligible: &Eligible, k: usize) -> Vec<Scored> {
        self.nearest_of_each(&[(query, eligible)], k).remove(0)
    }

    /// The same for several queries at once, each with rows of its own that are eligible: rows are brought from memory once
    /// for all of them. It works on one thread; give each thread queries of its own.
    ///
    /// # Panics
    /// When a query has another width, or its eligible are of another number of rows.
    #[must_use]
    pub fn nearest_of_each(&self, queries: &[(&[f32], &Eligible)], k: usize) -> Vec<Vec<Scored>> {
        let rows = self.len();
        let mut open: Vec<(Query<'_>, &Eligible, Best)> = Vec::with_capacity(queries.len());
        for (query, eligible) in queries {
            assert_eq!(query.len(), self.width, "a query is as wide as the rows");
            assert_eq!(eligible.len(), rows, "eligible are so many rows");
            open.push((self.query(query), eligible, Best::new(k, rows)));
        }
        for block in (0..rows.div_ceil(64)).step_by(TOGETHER / 64) {
            for (query, eligible, best) in &mut open {
                let words = eligible.words().iter().enumerate().skip(block).take(TOGETHER / 64);
                words.for_each(|(word, bits)| self.search(query, (word * 64, *bits), best));
            }
        }
        open.into_iter().map(|(_, _, best)| best.into_list()).collect()
    }

    fn query<'a>(&self, exact: &'a [f32]) -> Query<'a> {
        let (coarse, step) = in_steps(exact, self.width);
        let size: f64 = exact.iter().map(|number| f64::from(number.abs())).sum();
        // Each side is off by half a step, and sums of floats by a rounding for each number.
        let rounding = (self.width + 2) as f64 * f64::from(f32::EPSILON) * length(exact) * self.longest;
        let off = 0.5 * (self.step * size + step * self.step * self.most) + rounding;
        Query { exact, coarse, unit: step * self.step, off }
    }

    /// Offers the eligible of sixty-four rows.
    fn search(&self, query: &Query<'_>, (first, bits): (usize, u64), best: &mut Best) {
        let mut cut = query.cut(best);
        let width = query.coarse.len();
        if bits.count_ones() < 32 {
            let mut left = bits;
            while left != 0 {
                let row = first + left.trailing_zeros() as usize;
                left &= left - 1;
                let coarse = &self.coarse[row * width..(row + 1) * width];
                if cut <= whole_product(&query.coarse, coarse) {
                    cut = self.consider(query, row, best);
                }
            }
            return;
        }
        // Also those that are not eligible: to leave them out one by one takes longer.
        let mut products = [i32::MIN; 64];
        let rows = self.coarse[first * width..].chunks_exact(width);
        products.iter_mut().zip(rows).for_each(|(product, row)| *product = whole_product(&query.coarse, row));
        if products.iter().fold(i32::MIN, |most, product| most.max(*product)) < cut {
            return;
        }
        for (at, product) in products.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1) {
            if cut <= *product {
                cut = self.consider(query, first + at, best);
            }
        }
    }

    /// Offers a row; says below which coarse product none can come into the list any more.
    fn consider(&self, query: &Query<'_>, row: usize, best: &mut Best) -> i32 {
        best.offer(row as u32, f64::from(product(query.exact, self.row(row))));
        query.cut(best)
    }
}

fn whole_product(one: &[i16x8], other: &[i16x8]) -> i32 {
    one.iter().zip(other).fold(i32x4::ZERO, |sum, (one, other)| sum + one.dot(*other)).reduce_add()
}

/// The product of two vectors, in sixteen sums side by side.
#[must_use]
pub fn product(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (ones, others) = (one.as_chunks::<16>(), other.as_chunks::<16>());
    for (one, other) in ones.0.iter().zip(others.0) {
        for at in 0..16 {
            sums[at] += one[at] * other[at];
        }
    }
    let rest: f32 = ones.1.iter().zip(others.1).map(|(one, other)| one * other).sum();
    (0..8).map(|at| sums[at] + sums[at + 8]).sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::best::of_scores;

    fn rows(width: usize) -> impl Strategy<Value = Vec<f32>> {
        let number = prop_oneof![-3.0_f32..3.0, (-2_i8..3).prop_map(f32::from), -1e-3_f32..1e-3, Just(1e4)];
        (1_usize..300).prop_flat_map(move |rows| prop::collection::vec(number.clone(), rows * width))
    }

    proptest! {
        /// Also where rows are equal, nearly equal, or thousands of times as long as others.
        #[test]
        fn the_nearest_are_those_that_multiplying_all_finds(
            (width, rows) in (1_usize..40).prop_flat_map(|width| (Just(width), rows(width))),
            picks in prop::collection::vec((any::<usize>(), 0.0_f64..1.0), 1..5),
            k in 1_usize..12,
        ) {
            let vectors = Vectors::new(width, rows).unwrap();
            let mut asked: Vec<(Vec<f32>, Eligible)> = Vec::new();
            for (pick, share) in &picks {
                let mut eligible = Eligible::none(vectors.len());
                let is_chosen = |row: usize| (row.wrapping_mul(2_654_435_761).wrapping_add(*pick) % 1_000) as f64;
                (0..vectors.len()).filter(|row| is_chosen(*row) < 1_000.0 * share).for_each(|row| eligible.insert(row));
                let query = vectors.row(pick % vectors.len()).iter().rev().copied().collect();
                asked.push((query, eligible));
            }
            let queries: Vec<(&[f32], &Eligible)> =
                asked.iter().map(|(query, eligible)| (query.as_slice(), eligible)).collect();
            let found = vectors.nearest_of_each(&queries, k);
            for ((query, eligible), found) in queries.iter().zip(found) {
                let all: Vec<f64> =
                    (0..vectors.len()).map(|row| f64::from(product(query, vectors.row(row)))).collect();
                prop_assert_eq!(&found, &of_scores(&all, eligible, k));
                prop_assert_eq!(found, vectors.nearest(query, eligible, k));
            }
        }
    }

    #[test]
    fn a_query_of_nothing_finds_the_first_rows() {
        let vectors = Vectors::new(2, vec![1.0, 2.0, 0.0, 0.0, -1.0, 5.0]).unwrap();
        let found = vectors.nearest(&[0.0, 0.0], &Eligible::all(3), 2);
        assert_eq!(found.iter().map(|it| it.item).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn rows_that_cannot_be_compared_are_refused() {
        let error = Vectors::new(2, vec![1.0, 2.0, 3.0, f32::NAN]).unwrap_err();
        assert_eq!(error, VectorsError::NotFinite { row: 1 });
        assert_eq!(Vectors::new(3, vec![1.0; 4]).unwrap_err(), VectorsError::Ragged { numbers: 4, width: 3 });
    }
}
