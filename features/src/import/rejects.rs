//! The report of rejected rows, beside the file: which line, which field, and why.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{error::ImportError, record::Rejection};

/// Where the report on a file is.
pub(super) fn path(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".rejected.csv");
    file.with_file_name(name)
}

/// A report being written.
pub(super) struct Rejects {
    path: PathBuf,
    /// None before the first rejection of an import from the beginning.
    file: Option<BufWriter<File>>,
    bytes: u64,
}

impl Rejects {
    /// The report on a file, as far as it goes: an import that was interrupted may have written more than it noted.
    pub(super) fn open(file: &Path, bytes: u64) -> Result<Self, ImportError> {
        let path = path(file);
        if bytes == 0 {
            // An older report would be taken for this one's.
            drop(fs::remove_file(&path));
            return Ok(Self { path, file: None, bytes });
        }
        let open = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
            file.set_len(bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok(BufWriter::new(file))
        };
        let file = open().map_err(ImportError::io("writing", &path))?;
        Ok(Self { path: path.clone(), file: Some(file), bytes })
    }

    /// Adds a rejection.
    pub(super) fn add(&mut self, line: u64, rejection: &Rejection) -> Result<(), ImportError> {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut text = String::new();
        if self.file.is_none() {
            let file = File::create(&self.path).map_err(ImportError::io("writing", &self.path))?;
            self.file = Some(BufWriter::new(file));
            text.push_str("line,field,reason\n");
        }
        text.push_str(&format!("{line},{},{}\n", quoted(&rejection.field), quoted(&rejection.reason)));
        self.bytes += text.len() as u64;
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(text.as_bytes()));
        written.map_err(ImportError::io("writing", &self.path))
    }

    /// Makes what was added last; says how many bytes the report has.
    pub(super) fn sync(&mut self) -> Result<u64, ImportError> {
        let Some(file) = &mut self.file else { return Ok(0) };
        let synced = file.flush().and_then(|()| file.get_ref().sync_data());
        synced.map_err(ImportError::io("writing", &self.path))?;
        Ok(self.bytes)
    }

    /// Closes the report.
    pub(super) fn finish(mut self) -> Result<(), ImportError> {
        self.sync().map(drop)
    }
}
