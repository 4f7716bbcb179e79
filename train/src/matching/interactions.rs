//! Who had to do with what: a sparse table of users and items, from either side.

use super::MatchingError;

/// One row of a log: a user had to do with an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interaction {
    /// The user's number, from zero.
    pub user: u32,
    /// The item's number, from zero.
    pub item: u32,
    /// What it was worth: a rating, an amount; 1 where only that it happened is known.
    pub value: f64,
    /// When it happened, in microseconds since the Unix epoch.
    pub ts_us: i64,
}

/// Interactions, one for each pair, by user and then by item.
#[derive(Clone, Debug, PartialEq)]
pub struct Interactions {
    users: usize,
    items: usize,
    rows: Vec<Interaction>,
    counts: Vec<u32>,
    of_user: Vec<usize>,
    by_item: Vec<u32>,
    of_item: Vec<usize>,
}

impl Interactions {
    /// Of several rows of one pair one is made: the mean of their values, and the time of the last of them.
    ///
    /// # Errors
    /// When a number is outside of its table, or a value is no number.
    pub fn new(users: usize, items: usize, rows: Vec<Interaction>) -> Result<Self, MatchingError> {
        Self::weighed(users, items, rows.into_iter().map(|row| (row, 1)).collect())
    }

    /// The same of rows that stand for several each, such as so many clicks, but at least one: their mean is weighted.
    ///
    /// # Errors
    /// When a number is outside of its table, or a value is no number.
    pub fn weighed(
        users: usize,
        items: usize,
        mut rows: Vec<(Interaction, u32)>,
    ) -> Result<Self, MatchingError> {
        for (at, (row, _)) in rows.iter().enumerate() {
            for (what, number, size) in [("user", row.user, users), ("item", row.item, items)] {
                if size <= number as usize {
                    return Err(MatchingError::Unknown { what, number, size });
                }
            }
            if !row.value.is_finite() {
                return Err(MatchingError::Value { row: at, value: row.value });
            }
        }
        rows.sort_by(|(a, of_a), (b, of_b)| {
            (a.user, a.item, a.ts_us)
                .cmp(&(b.user, b.item, b.ts_us))
                .then(a.value.total_cmp(&b.value))
                .then(of_a.cmp(of_b))
        });
        rows.iter_mut().for_each(|(_, count)| *count = (*count).max(1));
        let mut counts = Vec::new();
        let mut merged: Vec<Interaction> = Vec::with_capacity(rows.len());
        for same in rows.chunk_by(|(a, _), (b, _)| (a.user, a.item) == (b.user, b.item)) {
            let count: f64 = same.iter().map(|(_, count)| f64::from(*count)).sum();
            let sum: f64 = same.iter().map(|(row, count)| f64::from(*count) * row.value).sum();
            merged.push(Interaction { value: sum / count, ts_us: same[same.len() - 1].0.ts_us, ..same[0].0 });
            counts.push(same.iter().fold(0_u32, |sum, (_, count)| sum.saturating_add(*count)));
        }
        let of_user = starts(users, merged.iter().map(|row| row.user));
        let of_item = starts(items, merged.iter().map(|row| row.item));
        let mut by_item = vec![0; merged.len()];
        let mut next = of_item.clone();
        for (at, row) in merged.iter().enumerate() {
            by_item[next[row.item as usize]] = at as u32;
            next[row.item as usize] += 1;
        }
        Ok(Self { users, items, rows: merged, counts, of_user, by_item, of_item })
    }

    /// How many users there are, with and without interactions.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users
    }

    /// How many items there are, with and without interactions.
    #[must_use]
    pub fn items(&self) -> usize {
        self.items
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All pairs, by user and then by item.
    #[must_use]
    pub fn rows(&self) -> &[Interaction] {
        &self.rows
    }

    /// How many rows of the log each pair was made of, or what these stand for.
    #[must_use]
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// The pairs of a user, by item.
    #[must_use]
    pub fn of_user(&self, user: usize) -> &[Interaction] {
        &self.rows[self.of_user[user]..self.of_user[user + 1]]
    }

    /// Where a user's pairs begin among all.
    #[must_use]
    pub fn first_of_user(&self, user: usize) -> usize {
        self.of_user[user]
    }

    /// The pairs of an item, by user.
    pub fn of_item(&self, item: usize) -> impl ExactSizeIterator<Item = &Interaction> {
        self.by_item[self.of_item[item]..self.of_item[item + 1]].iter().map(|row| &self.rows[*row as usize])
    }

    /// How many users had to do with each item.
    #[must_use]
    pub fn popularity(&self) -> Vec<usize> {
        self.of_item.windows(2).map(|ends| ends[1] - ends[0]).collect()
    }

    /// Whether the user had to do with the item.
    #[must_use]
    pub fn contains(&self, user: usize, item: usize) -> bool {
        self.of_user(user).binary_search_by_key(&(item as u32), |row| row.item).is_ok()
    }

    /// Some of the pairs, of the same users and items.
    #[must_use]
    pub fn select(&self, mut chosen: impl FnMut(usize, &Interaction) -> bool) -> Self {
        let kept = (0..self.rows.len()).filter(|at| chosen(*at, &self.rows[*at]));
        let rows = kept.map(|at| (self.rows[at], self.counts[at])).collect();
        Self::weighed(self.users, self.items, rows).expect("a part of checked rows is in bounds")
    }

    /// The same from the items' side: they are the users.
    #[must_use]
    pub fn turned(&self) -> Self {
        let turn = |row: &Interaction| Interaction { user: row.item, item: row.user, ..*row };
        let rows = self.rows.iter().zip(&self.counts).map(|(row, count)| (turn(row), *count)).collect();
        Self::weighed(self.items, self.users, rows).expect("turned rows are in bounds")
    }
}

/// Where the rows of each number begin, and their end.
fn starts(size: usize, numbers: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut starts = vec![0; size + 1];
    numbers.for_each(|number| starts[number as usize + 1] += 1);
    (0..size).for_each(|at| starts[at + 1] += starts[at]);
    starts
}
