//! The rows of a training set before it has features: whom each is about, when, and what is to be learned of it.

use std::{
    collections::HashMap,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use domain::event::{Event, Kind};
use polars::prelude::{
    Column as Frame, DataFrame, DataType, Int64Chunked, IntoColumn, NewChunkedArray, StringChunked, TimeUnit,
    TimeZone,
};

use super::{
    Asked, Column, History, entities,
    error::TrainingError,
    subject::{self, COLUMNS, Subject},
    table,
};
use crate::{
    definition::{Computed, Feature, counts_from_us},
    fact::{Fact, Request},
    lake::Told,
};

/// What conversions and clicks say that facts are made of.
const FACT_COLUMNS: [&str; 9] = [
    "click_id",
    "country",
    "device",
    "device_id",
    "address_hash",
    "email_domain",
    "amount_minor",
    "coupon",
    "occurred_at",
];

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Each event of a kind, at the moment when it became known.
    Events(Kind),
    /// Each row of a CSV or Parquet file.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    /// `events` are conversions, `events:clicks` are clicks, and so on; everything else is a file's name.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "events" => Ok(Self::Events(Kind::Conversion)),
            Some(("events", name)) => {
                let kind = Kind::ALL.iter().find(|kind| kind.name() == name).copied();
                let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                kind.map(Self::Events)
                    .ok_or_else(|| format!("{name:?} are no events: expected one of {}", names.join(", ")))
            }
            _ => Ok(Self::File(text.into())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events(kind) => write!(f, "events:{}", kind.name()),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Rows without features.
pub(super) struct Labels {
    /// What is carried over: `at`, whom each row is about, and what a file says besides.
    pub frame: DataFrame,
    /// The same as a question.
    pub asked: Asked,
    /// The values of the features of the request, with their names.
    pub facts: Vec<(String, Column)>,
    /// Rows whose event is not in the lake.
    pub unknown: u64,
    /// Rows that are dated before their event was known.
    pub early: u64,
}

/// Rows as they are being read.
#[derive(Default)]
struct Rows {
    at_us: Vec<i64>,
    subjects: Vec<Subject>,
    /// What is being judged, where it was known by then.
    events: Vec<Option<Arc<Event>>>,
    unknown: u64,
    early: u64,
}

impl Labels {
    /// Reads rows of `range_us` for some features. Columns of `carried` that say whom a row is about are carried over
    /// besides those that the features need.
    pub(super) fn read(
        history: &History,
        source: &Source,
        range_us: &Range<i64>,
        features: &[Arc<Feature>],
        carried: &[String],
    ) -> Result<Self, TrainingError> {
        let facts: Vec<(&str, Fact)> = features
            .iter()
            .filter_map(|feature| match feature.computed {
                Computed::Request(fact) => Some((feature.name.as_str(), fact)),
                Computed::Past(_) => None,
            })
            .collect();
        let (rows, file) = match source {
            Source::Events(kind) => (Rows::of_events(history, *kind, range_us, !facts.is_empty())?, None),
            Source::File(path) => {
                let (rows, frame) = Rows::of_file(history, path, range_us)?;
                (rows, Some(frame))
            }
        };
        if rows.at_us.is_empty() {
            let what = match source {
                Source::Events(kind) => format!("no {} became known then", kind.name()),
                Source::File(path) => format!("no row of {} is dated then", path.display()),
            };
            let (from, to) = (table::printed(range_us.start), table::printed(range_us.end));
            return Err(TrainingError::Nothing { from, to, what });
        }
        let facts = rows.facts(history, &facts)?;
        let mut asked = Asked::about(entities(features));
        rows.at_us.iter().zip(&rows.subjects).for_each(|(at_us, it)| asked.push(*at_us, &it.keys()));
        let needed = |column: &&&str| {
            let own = matches!(**column, "conversion_id" | "click_id");
            own || carried.iter().any(|it| it == **column)
                || entities(features).any(|entity| subject::of_entity(entity).contains(*column))
        };
        let columns: Vec<&str> = COLUMNS.iter().filter(needed).copied().collect();
        let frame = rows.frame(&columns, file).map_err(TrainingError::computing("filling columns"))?;
        Ok(Self { frame, asked, facts, unknown: rows.unknown, early: rows.early })
    }
}

impl Rows {
    /// Each event of a kind, when it became known.
    fn of_events(
        history: &History,
        kind: Kind,
        range_us: &Range<i64>,
        keep: bool,
    ) -> Result<Self, TrainingError> {
        let columns = COLUMNS.iter().chain(&FACT_COLUMNS).copied().collect();
        let told = Told { kind, occurred_us: i64::MIN..i64::MAX, columns };
        let mut replay = history.lake().replay(vec![told], range_us.clone())?;
        let mut rows = Self::default();
        while let Some(block) = replay.next_block()? {
            for known in block.into_iter().flatten() {
                rows.at_us.push(known.known_at_us);
                rows.subjects.push(Subject::of(&known.event));
                rows.events.push(keep.then(|| Arc::new(known.event)));
            }
        }
        Ok(rows)
    }

    /// The rows of a file that are dated within the range, and all its columns.
    fn of_file(
        history: &History,
        path: &Path,
        range_us: &Range<i64>,
    ) -> Result<(Self, DataFrame), TrainingError> {
        let frame = table::read(path)?;
        let missing = |wanted: &str| TrainingError::MissingColumn {
            path: path.to_owned(),
            wanted: wanted.to_owned(),
            columns: table::names(&frame),
        };
        let at = frame.column("at").map_err(|_| missing("at, the instant that each row is about"))?;
        let at_us = table::instants(path, at)?;
        let columns: Vec<&str> =
            COLUMNS.iter().filter(|name| frame.get_column_index(name).is_some()).copied().collect();
        if columns.is_empty() {
            let wanted = format!("that says whom its rows are about ({})", COLUMNS.join(", "));
            return Err(missing(&wanted));
        }
        let within: Vec<bool> = at_us.iter().map(|at| range_us.contains(at)).collect();
        let mut subjects = vec![Subject::default(); at_us.len()];
        for column in columns {
            read_subjects(path, &frame, column, &mut subjects)?;
        }
        let keep = polars::prelude::BooleanChunked::from_slice("within".into(), &within);
        let frame = frame.filter(&keep).map_err(TrainingError::computing("choosing rows"))?;
        let chosen = |row: &usize| within[*row];
        let mut rows = Self {
            at_us: (0..at_us.len()).filter(chosen).map(|row| at_us[row]).collect(),
            subjects: (0..at_us.len()).filter(chosen).map(|row| subjects[row].clone()).collect(),
            ..Self::default()
        };
        rows.events = vec![None; rows.at_us.len()];
        rows.find_events(history, path)?;
        Ok((rows, frame))
    }

    /// Finds the conversion, or else the click, that each row names.
    fn find_events(&mut self, history: &History, path: &Path) -> Result<(), TrainingError> {
        let mut wanted: [HashMap<String, Vec<usize>>; 2] = Default::default();
        for (row, subject) in self.subjects.iter().enumerate() {
            match (subject.conversion, subject.click) {
                (Some(id), _) => wanted[0].entry(id.to_string()).or_default().push(row),
                (None, Some(id)) => wanted[1].entry(id.to_string()).or_default().push(row),
                (None, None) => {}
            }
        }
        for (kind, wanted) in [Kind::Conversion, Kind::Click].into_iter().zip(wanted) {
            if wanted.is_empty() {
                continue;
            }
            let mut found = 0;
            let columns = COLUMNS.iter().chain(&FACT_COLUMNS).copied().collect();
            let told = Told { kind, occurred_us: i64::MIN..i64::MAX, columns };
            history.lake().find(
                &told,
                |id| wanted.contains_key(id),
                |known| {
                    found += 1;
                    let of_event = Subject::of(&known.event);
                    let own = if kind == Kind::Click {
                        of_event.click.map(|id| id.to_string())
                    } else {
                        of_event.conversion.map(|id| id.to_string())
                    };
                    let rows = own.and_then(|id| wanted.get(&id)).map_or(&[][..], Vec::as_slice);
                    let event = Arc::new(known.event);
                    for row in rows {
                        let own = std::mem::take(&mut self.subjects[*row]);
                        self.subjects[*row] = own.or(of_event.clone());
                        if known.known_at_us <= self.at_us[*row] {
                            self.events[*row] = Some(event.clone());
                        } else {
                            self.early += 1;
                        }
                    }
                },
            )?;
            if found == 0 {
                let (many, what) = (wanted.len(), kind.name());
                return Err(TrainingError::NoneFound { many, what, path: path.to_owned() });
            }
            self.unknown += (wanted.len() - found) as u64;
        }
        Ok(())
    }

    /// What each row's event, and the click that led to it where that was known by then, say by themselves.
    fn facts(
        &self,
        history: &History,
        facts: &[(&str, Fact)],
    ) -> Result<Vec<(String, Column)>, TrainingError> {
        let missing = |(name, fact): &(&str, Fact)| {
            ((*name).to_owned(), Column::missing(&Computed::Request(*fact), self.at_us.len()))
        };
        let mut columns: Vec<(String, Column)> = facts.iter().map(missing).collect();
        let mut tell = |row: usize, request: &Request<'_>| {
            for ((_, fact), (_, column)) in facts.iter().zip(&mut columns) {
                column.set(row, fact.of(request));
            }
        };
        let mut of_click: HashMap<String, Vec<usize>> = HashMap::new();
        for (row, event) in self.events.iter().enumerate() {
            if let Some(Event::Conversion(conversion)) = event.as_deref()
                && let Some(click) = conversion.click
            {
                of_click.entry(click.to_string()).or_default().push(row);
            }
        }
        let mut is_told = vec![false; self.at_us.len()];
        if !of_click.is_empty() && !facts.is_empty() {
            let columns = FACT_COLUMNS.into_iter().collect();
            let told = Told { kind: Kind::Click, occurred_us: i64::MIN..i64::MAX, columns };
            history.lake().find(
                &told,
                |id| of_click.contains_key(id),
                |known| {
                    let (Event::Click(click), Some(from_us)) = (&known.event, counts_from_us(&known)) else {
                        return;
                    };
                    let rows = of_click.get(&click.seen.id.to_string()).map_or(&[][..], Vec::as_slice);
                    for row in rows.iter().filter(|row| from_us <= self.at_us[**row]) {
                        let Some(event) = self.events[*row].as_deref() else { continue };
                        tell(*row, &Request { event, click: Some(click) });
                        is_told[*row] = true;
                    }
                },
            )?;
        }
        for (row, event) in self.events.iter().enumerate().filter(|(row, _)| !is_told[*row]) {
            if let Some(event) = event.as_deref() {
                tell(row, &Request { event, click: None });
            }
        }
        Ok(columns)
    }

    /// The rows as a frame: `at`, whom they are about, and what a file says besides.
    fn frame(&self, columns: &[&str], file: Option<DataFrame>) -> polars::error::PolarsResult<DataFrame> {
        let at = Int64Chunked::from_slice("at".into(), &self.at_us).into_column();
        let at = at.cast(&DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)))?;
        let mut all: Vec<Frame> = vec![at];
        let others = file.map_or_else(Vec::new, DataFrame::into_columns);
        let is_own = |column: &Frame| column.name() == "at" || columns.contains(&column.name().as_str());
        for name in columns {
            let texts = self.subjects.iter().map(|subject| subject.text(name));
            all.push(StringChunked::from_iter_options((*name).into(), texts).into_column());
        }
        all.extend(others.into_iter().filter(|column| !is_own(column)));
        DataFrame::new(self.at_us.len(), all)
    }
}

/// Takes what a column says of whom rows are about in.
fn read_subjects(
    path: &Path,
    frame: &DataFrame,
    column: &str,
    subjects: &mut [Subject],
) -> Result<(), TrainingError> {
    let values = frame.column(column).map_err(TrainingError::computing("reading columns"))?;
    // A name that looks like a number is still a name.
    let values = if values.dtype().is_integer() {
        values.cast(&DataType::String).map_err(TrainingError::computing("reading columns"))?
    } else {
        values.clone()
    };
    let texts = values.str().map_err(|_| TrainingError::WrongType {
        path: path.to_owned(),
        column: column.to_owned(),
        expected: "text",
        found: values.dtype().to_string(),
    })?;
    for (row, (subject, text)) in subjects.iter_mut().zip(texts.iter()).enumerate() {
        let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
        subject.read(column, text).map_err(|why| TrainingError::Value {
            path: path.to_owned(),
            row: row + 1,
            column: column.to_owned(),
            why,
        })?;
    }
    Ok(())
}
