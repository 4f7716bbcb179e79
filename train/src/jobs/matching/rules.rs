//! Which pairs may be shown at all.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use foldhash::{HashSet, HashSetExt};

use super::input::{Columns, ITEM, Market, USER, of_file, words_of};
use crate::{jobs::table::Table, matching::top::Eligible};

/// What decides about pairs.
#[derive(Args, Clone, Debug)]
pub(super) struct RuleArgs {
    /// A file of pairs that are never shown, such as those that were dismissed: user, item
    #[arg(long, value_name = "FILE")]
    exclude: Option<PathBuf>,
    /// A file of the only pairs that may be shown: user, item
    #[arg(long, value_name = "FILE")]
    eligible: Option<PathBuf>,
    /// A column of features, such as country: of the words that an item has in it, the user must have one; USERS=ITEMS where it
    /// has two names; may be repeated
    #[arg(long, value_name = "COLUMN")]
    require: Vec<String>,
    /// The same where the user must have none of the item's words, such as source=refused_sources
    #[arg(long, value_name = "COLUMN")]
    forbid: Vec<String>,
}

/// Pairs by their numbers, the user's first.
type Pairs = HashSet<(u32, u32)>;

/// Who may be shown what.
#[derive(Clone)]
pub(super) struct Rules {
    excluded: Pairs,
    only: Option<Pairs>,
    asked: Vec<Asked>,
    is_turned: bool,
    /// What a reader should know of them.
    pub(super) notes: Vec<String>,
}

/// What an item asks of users.
#[derive(Clone)]
struct Asked {
    /// The words that each has, by number and in order.
    users: Vec<Vec<u32>>,
    items: Vec<Vec<u32>>,
    /// Whether one must be the same, or none may be.
    must_share: bool,
}

impl Rules {
    pub(super) fn read(args: &RuleArgs, market: &Market, renamed: &[(String, String)]) -> Result<Self> {
        let mut notes = Vec::new();
        let excluded =
            args.exclude.as_ref().map(|path| pairs(path, market, renamed, &mut notes)).transpose()?;
        let only = args.eligible.as_ref().map(|path| pairs(path, market, renamed, &mut notes)).transpose()?;
        let of = |flag: &'static str, columns: &[String], must_share: bool| {
            let one = |text: &String| Asked::read((flag, text), must_share, &market.columns);
            columns.iter().map(one).collect::<Result<Vec<_>>>()
        };
        let mut asked = of("--require", &args.require, true)?;
        asked.extend(of("--forbid", &args.forbid, false)?);
        Ok(Self { excluded: excluded.unwrap_or_default(), only, asked, is_turned: false, notes })
    }

    /// The same from the items' side.
    pub(super) fn turned(&self) -> Self {
        Self { is_turned: !self.is_turned, notes: Vec::new(), ..self.clone() }
    }

    /// Whether there is any.
    pub(super) fn are_any(&self) -> bool {
        !self.excluded.is_empty() || self.only.is_some() || !self.asked.is_empty()
    }

    /// Whether a user may be shown an item.
    pub(super) fn may(&self, user: usize, item: usize) -> bool {
        let (user, item) = if self.is_turned { (item, user) } else { (user, item) };
        let pair = (user as u32, item as u32);
        !self.excluded.contains(&pair)
            && self.only.as_ref().is_none_or(|only| only.contains(&pair))
            && self.asked.iter().all(|asked| asked.holds(user, item))
    }

    /// What a user may be shown of so many items.
    pub(super) fn open_to(&self, user: usize, items: usize) -> Eligible {
        if !self.are_any() {
            return Eligible::all(items);
        }
        let mut open = Eligible::none(items);
        (0..items).filter(|item| self.may(user, *item)).for_each(|item| open.insert(item));
        open
    }
}

impl Asked {
    fn read((flag, text): (&str, &str), must_share: bool, columns: &[Columns; 2]) -> Result<Self> {
        let names = text.split_once('=').unwrap_or((text, text));
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let mut of = |name: &str, columns: &Columns, whose: &str| {
            let words = words_of(&column(columns, name, (flag, whose))?.1);
            let number = |word: String| {
                let next = numbers.len() as u32;
                *numbers.entry(word).or_insert(next)
            };
            let mut number = number;
            let row = |words: BTreeSet<String>| {
                let mut row: Vec<u32> = words.into_iter().map(&mut number).collect();
                row.sort_unstable();
                row
            };
            Ok::<_, anyhow::Error>(words.into_iter().map(row).collect::<Vec<Vec<u32>>>())
        };
        let users = of(names.0, &columns[0], "users")?;
        let items = of(names.1, &columns[1], "items")?;
        Ok(Self { users, items, must_share })
    }

    /// An item that says nothing asks nothing.
    fn holds(&self, user: usize, item: usize) -> bool {
        let (own, asked) = (&self.users[user], &self.items[item]);
        let shared = asked.iter().any(|word| own.binary_search(word).is_ok());
        if self.must_share { asked.is_empty() || shared } else { !shared }
    }
}

/// A column of features that a flag names.
pub(super) fn column<'a>(
    columns: &'a Columns,
    name: &str,
    (flag, whose): (&str, &str),
) -> Result<&'a (String, crate::anomaly::matrix::Values)> {
    columns.iter().find(|(column, _)| column == name).with_context(|| {
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let has = if names.is_empty() { "nothing is told of them".to_owned() } else { names.join(", ") };
        format!("{flag} names a column {name:?} that {whose} do not have ({has})")
    })
}

/// The pairs of a file; those of whom nothing else is known are left out.
fn pairs(
    path: &Path,
    market: &Market,
    renamed: &[(String, String)],
    notes: &mut Vec<String>,
) -> Result<Pairs> {
    let table = Table::read(path, &of_file(renamed, &[USER, ITEM]))?;
    let numbers = |names: &[String]| -> BTreeMap<String, u32> { names.iter().cloned().zip(0..).collect() };
    let (users, items) = (numbers(&market.users), numbers(&market.items));
    let rows = table.names_of(USER)?.into_iter().zip(table.names_of(ITEM)?);
    let pair = |(user, item): (String, String)| Some((*users.get(&user)?, *items.get(&item)?));
    let mut pairs = Pairs::new();
    let known: Vec<(u32, u32)> = rows.filter_map(pair).collect();
    let unknown = table.rows() - known.len();
    ensure!(
        !known.is_empty(),
        "{}: no row is of a user and an item that anything else is told of",
        table.source()
    );
    pairs.extend(known);
    if 0 < unknown {
        let source = table.source();
        notes.push(format!("{unknown} rows of {source} are of users or items that nothing else is told of"));
    }
    Ok(pairs)
}
