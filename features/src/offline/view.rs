//! Tables of one's own, joined point in time in both times: what was known of somebody at each row's instant.
//!
//! A row of a view is visible from the moment at which it had happened and was known. Of those that are visible, the one
//! that happened last counts, and of these the one that was known last; and only while it is not older than the time to
//! live. A correction of something old that comes in late therefore never hides something newer. Such rows are dropped
//! first, and then a search in the order of becoming visible finds the one that counts.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use foldhash::fast::RandomState;
use polars::prelude::{Column, DataFrame, DataType, IdxCa, NewChunkedArray};
use rayon::prelude::*;

use super::{error::TrainingError, table};
use crate::window::{DAY, HOUR, SECOND};

/// Nobody of this name.
const NOBODY: u32 = u32::MAX;
/// Nothing counts.
const NOTHING: u32 = u32::MAX;
/// How many rows one core looks up at a time.
const CHUNK: usize = 1 << 14;

/// Which table, and how it is joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewFile {
    /// CSV or Parquet.
    pub path: PathBuf,
    /// The columns by which rows are matched; those that both sides have when none are named.
    pub keys: Vec<String>,
    /// How old a row may be, in microseconds.
    pub ttl_us: Option<i64>,
}

impl FromStr for ViewFile {
    type Err = String;

    /// `FILE[,key=COLUMN+COLUMN][,ttl=30d]`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let path = parts.next().filter(|path| !path.is_empty()).ok_or("expected the name of a file")?;
        let mut view = Self { path: path.into(), keys: Vec::new(), ttl_us: None };
        for part in parts {
            match part.split_once('=') {
                Some(("key", names)) => view.keys = names.split('+').map(str::to_owned).collect(),
                Some(("ttl", length)) => view.ttl_us = Some(span(length)?),
                _ => {
                    return Err(format!("{part:?} says nothing: expected key=COLUMN+COLUMN or ttl=30d"));
                }
            }
        }
        Ok(view)
    }
}

/// A length of time such as `90s`, `15m`, `24h` or `30d`, in microseconds.
fn span(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no length of time: expected 90s, 15m, 24h or 30d");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let unit_us = match unit {
        's' => SECOND,
        'm' => 60 * SECOND,
        'h' => HOUR,
        'd' => DAY,
        _ => return Err(wrong()),
    };
    let many: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    many.checked_mul(unit_us).filter(|length| 0 < *length).ok_or_else(wrong)
}

/// A table of one's own.
#[derive(Debug)]
pub struct View {
    /// Where it comes from, for messages.
    path: PathBuf,
    keys: Vec<String>,
    occurred_us: Vec<i64>,
    visible_us: Vec<i64>,
    /// By when each row was known, where that decides between rows of one instant.
    known_us: Option<Vec<i64>>,
    ttl_us: Option<i64>,
    /// The key columns, and those whose values are joined, under the names that they will have.
    key_columns: Vec<Column>,
    values: Vec<Column>,
}

impl View {
    /// Reads a table that is to be joined to rows with these columns. The columns of its values will be called after
    /// the file: `risk` of `scores.parquet` is `scores_risk`.
    ///
    /// # Errors
    /// When it cannot be read, says no instants, or shares no column.
    pub fn read(file: &ViewFile, labels: &DataFrame) -> Result<Self, TrainingError> {
        Self::new(file, table::read(&file.path)?, labels)
    }

    /// The same of a table that was read already.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn new(file: &ViewFile, frame: DataFrame, labels: &DataFrame) -> Result<Self, TrainingError> {
        let path = file.path.clone();
        let missing = |wanted: String| TrainingError::MissingColumn {
            path: path.clone(),
            wanted,
            columns: table::names(&frame),
        };
        let name_of_time = ["occurred_at", "at"].into_iter().find(|it| frame.get_column_index(it).is_some());
        let name_of_time =
            name_of_time.ok_or_else(|| missing("occurred_at or at, the instant of each row".to_owned()))?;
        let of_time = |name| frame.column(name).map_err(TrainingError::computing("reading columns"));
        let occurred_us = table::instants(&path, of_time(name_of_time)?)?;
        let known_us = match frame.get_column_index("known_at") {
            Some(_) => Some(table::instants(&path, of_time("known_at")?)?),
            None => None,
        };
        let is_time = |name: &str| matches!(name, "at" | "occurred_at" | "known_at");
        let keys = if file.keys.is_empty() {
            let names = frame.columns().iter().map(|column| column.name().to_string());
            names.filter(|name| !is_time(name) && labels.get_column_index(name).is_some()).collect()
        } else {
            file.keys.clone()
        };
        if keys.is_empty() {
            let wanted =
                format!("that the rows have, too, to match them by (they have {})", table::names(labels));
            return Err(missing(wanted));
        }
        let key =
            |name: &String| frame.column(name).cloned().map_err(|_| missing(format!("{name}, the key")));
        let key_columns = keys.iter().map(key).collect::<Result<_, _>>()?;
        let prefix = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let is_value =
            |column: &Column| !is_time(column.name()) && !keys.iter().any(|key| key == column.name());
        let columns = frame.into_columns().into_iter().filter(is_value);
        let values = columns.map(|mut column| {
            let name = format!("{prefix}_{}", column.name());
            column.rename(name.into());
            column
        });
        let values = values.collect();
        let visible_us = match &known_us {
            Some(known_us) => occurred_us.iter().zip(known_us).map(|(one, other)| *one.max(other)).collect(),
            None => occurred_us.clone(),
        };
        Ok(Self { path, keys, occurred_us, visible_us, known_us, ttl_us: file.ttl_us, key_columns, values })
    }

    /// The columns by which it is matched.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The values as they were visible at the instants of rows, one for each; missing where nothing was.
    ///
    /// # Errors
    /// When the key columns are of different types on the two sides.
    pub fn joined(&self, rows: &Keyed<'_>, at_us: &[i64]) -> Result<Vec<Column>, TrainingError> {
        let changes = self.changes(rows)?;
        let place =
            |(number, at_us): (&u32, &i64)| changes.at(*number, *at_us, &self.occurred_us, self.ttl_us);
        let looked_up: Vec<u32> = rows.numbers.par_iter().zip(at_us).with_min_len(CHUNK).map(place).collect();
        let places = looked_up.iter().map(|place| (*place != NOTHING).then_some(*place));
        let places = IdxCa::from_iter_options("place".into(), places);
        let taken: Vec<_> = self.values.par_iter().map(|column| column.take(&places)).collect();
        taken.into_iter().collect::<Result<_, _>>().map_err(TrainingError::computing("joining a view"))
    }

    /// What becomes visible of each of those whom rows mean, in that order, without what never counts.
    fn changes(&self, rows: &Keyed<'_>) -> Result<Changes, TrainingError> {
        let numbers = rows.look_up(&self.path, &self.key_columns)?;
        let mut ends = vec![0_u32; rows.many + 1];
        numbers.iter().filter(|it| **it != NOBODY).for_each(|it| ends[*it as usize + 1] += 1);
        for place in 1..ends.len() {
            ends[place] += ends[place - 1];
        }
        let mut all = vec![Change { visible_us: 0, row: 0 }; ends.last().map_or(0, |end| *end as usize)];
        let mut next = ends.clone();
        for (row, number) in (0..).zip(&numbers).filter(|(_, number)| **number != NOBODY) {
            let place = &mut next[*number as usize];
            all[*place as usize] = Change { visible_us: self.visible_us[row as usize], row };
            *place += 1;
        }
        drop(next);
        let when = |change: &Change| {
            let row = change.row as usize;
            (self.occurred_us[row], self.known_us.as_ref().map_or(0, |known_us| known_us[row]), change.row)
        };
        let mut kept_ends = vec![0_u32; ends.len()];
        let mut kept = 0;
        for number in 0..rows.many {
            let group = ends[number] as usize..ends[number + 1] as usize;
            let in_order = all[group.clone()]
                .is_sorted_by(|one, other| (one.visible_us, when(one)) <= (other.visible_us, when(other)));
            if !in_order {
                all[group.clone()].sort_unstable_by_key(|change| (change.visible_us, when(change)));
            }
            let first = kept;
            for place in group {
                let change = all[place];
                if first < kept && when(&change) < when(&all[kept - 1]) {
                    continue;
                }
                all[kept] = change;
                kept += 1;
            }
            kept_ends[number + 1] = u32::try_from(kept).unwrap_or(u32::MAX);
        }
        all.truncate(kept);
        Ok(Changes { all, ends: kept_ends })
    }
}

/// A row of a view, from when on it is visible.
#[derive(Clone, Copy, Debug)]
struct Change {
    visible_us: i64,
    row: u32,
}

/// Rows of a view by whom they are about, in the order of becoming visible, which is also that of happening.
struct Changes {
    all: Vec<Change>,
    /// Where those of each end, and those of the next begin.
    ends: Vec<u32>,
}

impl Changes {
    fn at(&self, number: u32, at_us: i64, occurred_us: &[i64], ttl_us: Option<i64>) -> u32 {
        if number == NOBODY {
            return NOTHING;
        }
        let group = &self.all[self.ends[number as usize] as usize..self.ends[number as usize + 1] as usize];
        let visible = group.partition_point(|change| change.visible_us <= at_us);
        let Some(change) = visible.checked_sub(1).map(|last| group[last]) else { return NOTHING };
        let age_us = at_us.saturating_sub(occurred_us[change.row as usize]);
        if ttl_us.is_none_or(|ttl_us| age_us <= ttl_us) { change.row } else { NOTHING }
    }
}

/// Rows by the values of their key columns: equal values have one number.
pub struct Keyed<'a> {
    numbers: Vec<u32>,
    many: usize,
    columns: Vec<Dictionary<'a>>,
    /// For each column after the first, the number of what came before and its own to the number of both.
    both: Vec<HashMap<(u32, u32), u32, RandomState>>,
}

enum Dictionary<'a> {
    Text(HashMap<&'a str, u32, RandomState>),
    Whole(HashMap<i64, u32, RandomState>),
}

impl<'a> Keyed<'a> {
    /// Rows by these columns, which are texts or whole numbers.
    ///
    /// # Errors
    /// When one of them is not there, or something else.
    pub fn new(path: &Path, rows: &'a DataFrame, keys: &[String]) -> Result<Self, TrainingError> {
        let mut keyed = Self { numbers: Vec::new(), many: 0, columns: Vec::new(), both: Vec::new() };
        for key in keys {
            let column = rows.column(key).map_err(|_| TrainingError::MissingColumn {
                path: path.to_owned(),
                wanted: format!("{key}, by which it is to be matched, in its rows' labels"),
                columns: table::names(rows),
            })?;
            let (dictionary, numbers) = Dictionary::of(path, column)?;
            let many = dictionary.len();
            keyed.columns.push(dictionary);
            if keyed.columns.len() == 1 {
                (keyed.numbers, keyed.many) = (numbers, many);
                continue;
            }
            let mut both = HashMap::<_, u32, RandomState>::default();
            for (number, own) in keyed.numbers.iter_mut().zip(numbers) {
                if *number == NOBODY || own == NOBODY {
                    *number = NOBODY;
                    continue;
                }
                let next = u32::try_from(both.len()).unwrap_or(NOBODY);
                *number = *both.entry((*number, own)).or_insert(next);
            }
            keyed.many = both.len();
            keyed.both.push(both);
        }
        Ok(keyed)
    }

    /// The numbers of other rows, by their columns of the same order.
    fn look_up(&self, path: &Path, columns: &[Column]) -> Result<Vec<u32>, TrainingError> {
        let mut numbers = Vec::new();
        for (place, (dictionary, column)) in self.columns.iter().zip(columns).enumerate() {
            let own = dictionary.look_up(path, column)?;
            let Some(both) = place.checked_sub(1).map(|place| &self.both[place]) else {
                numbers = own;
                continue;
            };
            for (number, own) in numbers.iter_mut().zip(own) {
                *number = both.get(&(*number, own)).copied().unwrap_or(NOBODY);
            }
        }
        Ok(numbers)
    }
}

impl<'a> Dictionary<'a> {
    /// The values of a column with a number each, and those of its rows.
    fn of(path: &Path, column: &'a Column) -> Result<(Self, Vec<u32>), TrainingError> {
        fn number<T: Eq + std::hash::Hash>(
            known: &mut HashMap<T, u32, RandomState>,
            value: Option<T>,
        ) -> u32 {
            let next = u32::try_from(known.len()).unwrap_or(NOBODY);
            value.map_or(NOBODY, |value| *known.entry(value).or_insert(next))
        }
        let failed = TrainingError::computing("reading keys");
        if *column.dtype() == DataType::String {
            let mut known = HashMap::default();
            let texts = column.str().map_err(failed)?;
            let numbers = texts.iter().map(|text| number(&mut known, text)).collect();
            return Ok((Self::Text(known), numbers));
        }
        let whole = whole(path, column)?;
        let mut known = HashMap::default();
        let numbers = whole.into_iter().map(|value| number(&mut known, value)).collect();
        Ok((Self::Whole(known), numbers))
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(known) => known.len(),
            Self::Whole(known) => known.len(),
        }
    }

    fn look_up(&self, path: &Path, column: &Column) -> Result<Vec<u32>, TrainingError> {
        match (self, column.dtype()) {
            (Self::Text(known), DataType::String) => {
                let texts = column.str().map_err(TrainingError::computing("reading keys"))?;
                let number = |text: Option<&str>| text.and_then(|text| known.get(text).copied());
                Ok(texts.iter().map(|text| number(text).unwrap_or(NOBODY)).collect())
            }
            (Self::Whole(known), dtype) if dtype.is_integer() => {
                let number = |value: Option<i64>| value.and_then(|value| known.get(&value).copied());
                Ok(whole(path, column)?.into_iter().map(|value| number(value).unwrap_or(NOBODY)).collect())
            }
            (Self::Text(_), _) => Err(of_wrong_type(path, column, "text, as in the rows")),
            (Self::Whole(_), _) => Err(of_wrong_type(path, column, "whole numbers, as in the rows")),
        }
    }
}

fn whole(path: &Path, column: &Column) -> Result<Vec<Option<i64>>, TrainingError> {
    if !column.dtype().is_integer() {
        return Err(of_wrong_type(path, column, "text or whole numbers"));
    }
    let failed = TrainingError::computing("reading keys");
    let column = column.cast(&DataType::Int64).map_err(failed)?;
    let numbers = column.i64().map_err(TrainingError::computing("reading keys"))?;
    Ok(numbers.iter().collect())
}

fn of_wrong_type(path: &Path, column: &Column, expected: &'static str) -> TrainingError {
    TrainingError::WrongType {
        path: path.to_owned(),
        column: column.name().to_string(),
        expected,
        found: column.dtype().to_string(),
    }
}
