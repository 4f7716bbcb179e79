//! Segments that items ask for and few users serve, and whom to recruit for them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use clap::Args;

use super::{
    input::{Market, words_of},
    rules::column,
};
use crate::matching::Interactions;

/// A mean of so many pairs counts as much as that of all.
const USUAL: f64 = 5.0;
/// How many words of a profile are told.
const TOLD: usize = 4;

/// Which columns make segments.
#[derive(Args, Clone, Debug)]
pub(super) struct GapArgs {
    /// Columns of features that both sides have, such as country,vertical,source, parted by commas; USERS=ITEMS where one has
    /// two names: their words make the segments of coverage_gaps.csv, which items ask for and fewer users have
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(super) gaps: Vec<String>,
}

/// A segment with more items than users.
pub(super) struct Gap {
    /// A word of each column.
    pub(super) words: Vec<String>,
    /// How many items ask for it, and how many users have it.
    pub(super) items: usize,
    pub(super) users: usize,
    /// What pairs of these items are worth, drawn towards all pairs.
    pub(super) value: f64,
    /// What else the users had whose pairs with these items were worth more than others, and by how much.
    pub(super) recruit: Vec<(String, f64)>,
}

/// The words of each row of one column.
type Words = Vec<BTreeSet<String>>;

impl GapArgs {
    /// The segments, those first that miss most users; none where no column is named.
    pub(super) fn of(&self, market: &Market) -> Result<Option<Vec<Gap>>> {
        if self.gaps.is_empty() {
            return Ok(None);
        }
        let (mut of_users, mut of_items): (Vec<Words>, Vec<Words>) = (Vec::new(), Vec::new());
        let mut named: BTreeSet<&str> = BTreeSet::new();
        for text in &self.gaps {
            let (user, item) = text.split_once('=').unwrap_or((text, text));
            ensure!(named.insert(user), "--gaps names {user} twice");
            of_users.push(words_of(&column(&market.columns[0], user, ("--gaps", "users"))?.1));
            of_items.push(words_of(&column(&market.columns[1], item, ("--gaps", "items"))?.1));
        }
        let (wanted, had) =
            (segments(&of_items, market.items.len()), segments(&of_users, market.users.len()));
        let rest: Vec<(String, Words)> = market.columns[0]
            .iter()
            .filter(|(name, _)| !named.contains(name.as_str()))
            .map(|(name, values)| (name.clone(), words_of(values)))
            .collect();
        let mut gaps: Vec<Gap> = wanted
            .into_iter()
            .filter_map(|(words, items)| {
                let users = had.get(&words).map_or(0, Vec::len);
                (users < items.len()).then(|| gap(words, &items, users, (&market.seen.interactions, &rest)))
            })
            .collect();
        gaps.sort_by(|one, other| {
            (other.items - other.users).cmp(&(one.items - one.users)).then(one.words.cmp(&other.words))
        });
        Ok(Some(gaps))
    }
}

/// Who is in each segment.
fn segments(columns: &[Words], count: usize) -> BTreeMap<Vec<String>, Vec<usize>> {
    let mut segments: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for row in 0..count {
        let mut all: Vec<Vec<String>> = vec![Vec::new()];
        for column in columns {
            let with = |begun: &Vec<String>| {
                let begun = begun.clone();
                column[row].iter().map(move |word| {
                    let mut words = begun.clone();
                    words.push(word.clone());
                    words
                })
            };
            all = all.iter().flat_map(with).collect();
        }
        all.into_iter().for_each(|words| segments.entry(words).or_default().push(row));
    }
    segments
}

fn gap(
    words: Vec<String>,
    items: &[usize],
    users: usize,
    (all, rest): (&Interactions, &[(String, Words)]),
) -> Gap {
    let usual = all.rows().iter().map(|row| row.value).sum::<f64>() / all.len() as f64;
    let rows = || items.iter().flat_map(|item| all.of_item(*item));
    let drawn = |sum: f64, count: f64, towards: f64| (sum + USUAL * towards) / (count + USUAL);
    let value = drawn(rows().map(|row| row.value).sum(), rows().count() as f64, usual);
    let mut sums: BTreeMap<(usize, &str), (f64, f64)> = BTreeMap::new();
    for row in rows() {
        for (column, (_, of_users)) in rest.iter().enumerate() {
            for word in &of_users[row.user as usize] {
                let sum = sums.entry((column, word)).or_default();
                *sum = (sum.0 + row.value, sum.1 + 1.0);
            }
        }
    }
    let above = |((column, word), (sum, count)): ((usize, &str), (f64, f64))| {
        (format!("{}={word}", rest[column].0), drawn(sum, count, value) - value)
    };
    let mut recruit: Vec<(String, f64)> = sums.into_iter().map(above).filter(|it| 0.0 < it.1).collect();
    recruit.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    recruit.truncate(TOLD);
    Gap { words, items: items.len(), users, value, recruit }
}
