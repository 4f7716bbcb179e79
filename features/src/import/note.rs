//! How far the import of a file came: a note in the lake, under a name made from what the file holds and what was said of
//! it.

use std::{
    fs::{self, File},
    io::{self, Read},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Import, error::ImportError, rejects, source::Place};
use crate::lake::Lake;

/// Where notes are; readers leave out names that begin so.
const FOLDER: &str = "_imports";

/// How far an import came.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    /// How many rows were read.
    pub(super) rows: u64,
    /// How many of them were rejected.
    pub(super) rejected: u64,
    /// Where the next row is.
    pub(super) place: Place,
    /// How many bytes the report of rejected rows had.
    pub(super) report_bytes: u64,
    /// Whether that was all.
    pub(super) finished: bool,
    #[serde(skip)]
    name: String,
}

impl Note {
    /// Of an import that begins.
    pub(super) fn new(place: Place) -> Self {
        Self { rows: 0, rejected: 0, place, report_bytes: 0, finished: false, name: String::new() }
    }

    /// The note on this import, or that of one that begins.
    pub(super) fn of(import: &Import, lake: &Lake, beginning: Place) -> Result<Self, ImportError> {
        let name = fingerprint(import).map_err(ImportError::io("reading", &import.file))?;
        let name = format!("{FOLDER}/{name}.json");
        let Some(text) = lake.note(&name)? else { return Ok(Self { name, ..Self::new(beginning) }) };
        let note: Self = serde_json::from_str(&text).map_err(malformed(lake, &name))?;
        // Without its report nobody would learn what was rejected: then all of it is done again, to the same end.
        let told = fs::metadata(rejects::path(&import.file)).map_or(0, |report| report.len());
        if told < note.report_bytes {
            return Ok(Self { name, ..Self::new(beginning) });
        }
        Ok(Self { name, ..note })
    }

    /// Keeps it for the next time.
    pub(super) fn save(&self, lake: &Lake) -> Result<(), ImportError> {
        let text = serde_json::to_string(self).map_err(malformed(lake, &self.name))?;
        Ok(lake.keep_note(&self.name, &text)?)
    }
}

fn malformed(lake: &Lake, name: &str) -> impl FnOnce(serde_json::Error) -> ImportError {
    let path = lake.root().join(name);
    move |error| ImportError::Note { path, why: error.to_string() }
}

/// What is the same for the same content read in the same way.
fn fingerprint(import: &Import) -> io::Result<String> {
    let mut hash = Sha256::new_with_prefix(b"tributary import/1");
    let format = import.format.map_or("", super::Format::name);
    let mapping = &import.mapping;
    let pairs = mapping.columns.iter().chain(&mapping.constants).flat_map(|(one, other)| [one, other]);
    let said = [import.rows.name(), format, &import.source];
    for text in said.into_iter().chain(pairs.map(String::as_str)) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let mut file = File::open(&import.file)?;
    let mut bytes = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut bytes)?;
        if read == 0 {
            break;
        }
        hash.update(&bytes[..read]);
    }
    Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}
