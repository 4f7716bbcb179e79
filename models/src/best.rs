//! The best of many, exactly.

use std::{cmp::Ordering, collections::BinaryHeap};

/// Which candidates may be shown, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eligible {
    words: Vec<u64>,
    length: usize,
}

/// A candidate and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The candidate's number.
    pub item: u32,
    /// The higher the better.
    pub score: f64,
}

/// Orders by score, and of equal scores the lower number before the higher; a score that is no number comes last.
fn order(a: &Scored, b: &Scored) -> Ordering {
    let rank = |score: f64| if score.is_nan() { f64::NEG_INFINITY } else { score + 0.0 };
    rank(a.score).total_cmp(&rank(b.score)).then(b.item.cmp(&a.item))
}

/// A candidate in a heap whose top is the worst.
#[derive(Clone, Copy, Debug)]
struct Worst(Scored);

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&other.0, &self.0)
    }
}
impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Worst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Worst {}

impl Eligible {
    /// All of `length` candidates.
    #[must_use]
    pub fn all(length: usize) -> Self {
        let mut words = vec![u64::MAX; length.div_ceil(64)];
        if let Some(last) = words.last_mut().filter(|_| !length.is_multiple_of(64)) {
            *last = (1 << (length % 64)) - 1;
        }
        Self { words, length }
    }

    /// None of `length` candidates.
    #[must_use]
    pub fn none(length: usize) -> Self {
        Self { words: vec![0; length.div_ceil(64)], length }
    }

    /// How many candidates there are, eligible or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many are eligible.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether a candidate may be shown.
    #[must_use]
    pub fn contains(&self, item: usize) -> bool {
        item < self.length && self.words[item / 64] >> (item % 64) & 1 == 1
    }

    /// Lets a candidate be shown.
    ///
    /// # Panics
    /// When there is no such candidate.
    pub fn insert(&mut self, item: usize) {
        assert!(item < self.length, "candidate {item} of {}", self.length);
        self.words[item / 64] |= 1 << (item % 64);
    }

    /// Lets a candidate not be shown.
    pub fn remove(&mut self, item: usize) {
        if item < self.length {
            self.words[item / 64] &= !(1 << (item % 64));
        }
    }

    /// Lets only those be shown that both allow.
    ///
    /// # Panics
    /// When they are about different numbers of candidates.
    pub fn intersect(&mut self, other: &Self) {
        assert_eq!(self.length, other.length, "as many candidates");
        self.words.iter_mut().zip(&other.words).for_each(|(one, other)| *one &= other);
    }

    /// The candidates sixty-four by sixty-four: bit `i` of word `w` is candidate `64 w + i`; none is set beyond the last.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The eligible candidates, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                (left != 0).then(|| {
                    left &= left - 1;
                    at * 64 + bit as usize
                })
            })
        })
    }
}

/// The best `k`, best first; of equal scores the lower number is the better.
#[derive(Debug)]
pub struct Best {
    k: usize,
    heap: BinaryHeap<Worst>,
    floor: f64,
}

impl Best {
    /// Room for `k` of so many candidates.
    #[must_use]
    pub fn new(k: usize, among: usize) -> Self {
        Self { k, heap: BinaryHeap::with_capacity(k.min(among)), floor: f64::NEG_INFINITY }
    }

    /// Below which score none comes into the list any more: the worst one's when it is full.
    #[must_use]
    pub fn floor(&self) -> f64 {
        self.floor
    }

    /// Considers a candidate.
    pub fn offer(&mut self, item: u32, score: f64) {
        if score < self.floor {
            return;
        }
        let one = Worst(Scored { item, score });
        if self.heap.len() < self.k {
            self.heap.push(one);
        } else if let Some(mut worst) = self.heap.peek_mut().filter(|worst| one < **worst) {
            *worst = one;
        }
        if self.heap.len() == self.k
            && let Some(worst) = self.heap.peek()
        {
            self.floor = if worst.0.score.is_nan() { f64::NEG_INFINITY } else { worst.0.score };
        }
    }

    /// The list.
    #[must_use]
    pub fn into_list(self) -> Vec<Scored> {
        self.heap.into_sorted_vec().into_iter().map(|worst| worst.0).collect()
    }
}

/// The best `k` of the eligible by their scores.
#[must_use]
pub fn of_scores(scores: &[f64], eligible: &Eligible, k: usize) -> Vec<Scored> {
    let mut best = Best::new(k, eligible.count());
    eligible.iter().for_each(|item| best.offer(item as u32, scores[item]));
    best.into_list()
}
