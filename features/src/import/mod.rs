//! Files of one's own become events of the lake: rows in any of three formats, columns mapped to fields, what is wrong
//! rejected by line and reason.
//!
//! A file is recognised by its content: imported twice it changes nothing, and an import that was interrupted goes on
//! where it was.

mod error;
mod events;
pub mod fields;
mod mapping;
mod note;
mod record;
mod rejects;
mod source;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use self::{
    error::ImportError,
    events::Hiding,
    fields::Rows,
    mapping::Mapping,
    source::{Format, FormatError},
};
use self::{events::Reading, mapping::Fitted, note::Note, record::Names, rejects::Rejects, source::Source};
use crate::lake::Lake;

/// How many rows are given to the lake at once.
const ROWS_AT_ONCE: u64 = 50_000;

/// What to import, and how.
pub struct Import {
    /// The file.
    pub file: PathBuf,
    /// How it is written; told by its name when not said.
    pub format: Option<Format>,
    /// What its rows are.
    pub rows: Rows,
    /// Which column is which field.
    pub mapping: Mapping,
    /// Whose names the file uses: the same name is the same thing in all files of a source.
    pub source: String,
    /// How addresses of people are hidden; a file that has such columns cannot be imported without.
    pub hiding: Option<Hiding>,
    /// Whether to read and check only: the lake is not written.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many rows the file has.
    pub rows: u64,
    /// How many of them were rejected.
    pub rejected: u64,
    /// Where it says which and why; none when none was.
    pub report: Option<PathBuf>,
    /// How many rows an earlier import had done; all of them when this one had nothing to do.
    pub done_before: u64,
    /// The columns that are no field.
    pub unused: Vec<String>,
}

/// Where the report on a file is, if any of its rows was rejected.
#[must_use]
pub fn report(file: &Path) -> PathBuf {
    rejects::path(file)
}

impl Import {
    /// Imports the file; `progress` is told how far it is and how far it goes. What it brought waits in the lake to be
    /// merged.
    ///
    /// # Errors
    /// When the file cannot be read, no column says what every row must say, or the lake cannot be written.
    pub fn run(&self, lake: &Lake, mut progress: impl FnMut(u64, u64)) -> Result<Imported, ImportError> {
        let unknown = || ImportError::UnknownFormat { path: self.file.clone() };
        let format = self.format.or_else(|| Format::of(&self.file)).ok_or_else(unknown)?;
        let mut source = Source::open(&self.file, format)?;
        let columns = source.columns()?;
        let fitted = self.mapping.fit(self.rows, &columns, self.hiding.is_some())?;
        let mut note =
            if self.dry_run { Note::new(source.place()) } else { Note::of(self, lake, source.place())? };
        let done_before = note.rows;
        if !note.finished {
            source.go_to(note.place)?;
            self.go_on(lake, &mut source, &fitted, &mut note, &mut progress)?;
        }
        let report = (note.rejected != 0).then(|| rejects::path(&self.file));
        let Note { rows, rejected, .. } = note;
        Ok(Imported { rows, rejected, report, done_before, unused: fitted.unused })
    }

    fn go_on(
        &self,
        lake: &Lake,
        source: &mut Source,
        fitted: &Fitted,
        note: &mut Note,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), ImportError> {
        let names = Names { source: self.source.clone() };
        let reading = Reading { rows: self.rows, names, hiding: self.hiding.as_ref() };
        let mut rejects = Rejects::open(&self.file, note.report_bytes)?;
        while !note.finished {
            let mut batch = lake.batch();
            let until = note.rows + ROWS_AT_ONCE;
            while note.rows < until {
                let Some((line, record)) = source.next(fitted)? else {
                    note.finished = true;
                    break;
                };
                note.rows += 1;
                match record.and_then(|record| reading.event(&record)) {
                    Ok(event) => batch.push(&event)?,
                    Err(rejection) => {
                        note.rejected += 1;
                        rejects.add(line, &rejection)?;
                    }
                }
            }
            // The report first, then the events, then the note: whatever was not noted is done again, to the same end.
            note.report_bytes = rejects.sync()?;
            note.place = source.place();
            if !self.dry_run {
                batch.finish()?;
                note.save(lake)?;
            }
            progress(source.place().at, source.length());
        }
        rejects.finish()
    }
}
