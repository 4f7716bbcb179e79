//! Training sets: rows with the values of a feature set as they were known at each row's instant, and a profile of them.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use polars::{
    error::PolarsError,
    prelude::{DataFrame, KeyValueMetadata, ParquetCompression, ParquetWriter},
};
use polars_parquet::write::{StatisticsOptions, ZstdLevel};

use super::{
    History,
    error::TrainingError,
    labels::{Labels, Source},
    profile::{self, Profile},
    table::printed,
    verdicts,
    view::{Keyed, View, ViewFile},
};
use crate::{definition::Computed, set::FeatureSet};

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// Which features.
    pub set: &'a FeatureSet,
    /// Of which rows.
    pub labels: Source,
    /// Rows of instants within, in microseconds since the Unix epoch.
    pub range_us: Range<i64>,
    /// Tables of one's own whose values are joined.
    pub views: Vec<ViewFile>,
    /// Whether what reviewers found is told beside each row, in the columns of [`verdicts`].
    pub verdicts: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Rows are being read.
    Labels,
    /// Events are being followed: so many of so many were read.
    Events(u64, u64),
    /// Tables of one's own are being joined.
    Views,
}

/// Rows with features.
#[derive(Clone, Debug)]
pub struct TrainingSet {
    /// `at`, whom each row is about, what its labels say besides, and a column for each feature in the set's order.
    pub frame: DataFrame,
    /// What it looks like.
    pub profile: Profile,
    /// Rows whose event is not in the lake: their features of the request are missing.
    pub unknown: u64,
    /// Rows that are dated before their event was known: the same.
    pub early: u64,
}

impl TrainingSet {
    /// Makes one.
    ///
    /// # Errors
    /// When labels, lake or views cannot be read, or there is nothing to learn from.
    pub fn make(
        history: &History,
        order: &Order<'_>,
        mut progress: impl FnMut(Stage) + Send,
    ) -> Result<Self, TrainingError> {
        let features = &order.set.features;
        progress(Stage::Labels);
        let carried: Vec<String> = order.views.iter().flat_map(|view| view.keys.clone()).collect();
        let labels = Labels::read(history, &order.labels, &order.range_us, features, &carried)?;
        let Labels { mut frame, asked, facts, unknown, early } = labels;
        if let Source::File(path) = &order.labels {
            let verdicts = [verdicts::FRAUD, verdicts::FRAUD_KNOWN_AT].into_iter().filter(|_| order.verdicts);
            let mut ours = features.iter().map(|feature| feature.name.as_str()).chain(verdicts);
            if let Some(taken) = ours.find(|name| frame.get_column_index(name).is_some()) {
                return Err(TrainingError::Taken { path: path.clone(), column: taken.to_owned() });
            }
        }
        let past = history.columns(features, &asked, |done, all| progress(Stage::Events(done, all)))?;
        let mut named = Vec::new();
        let mut facts: HashMap<_, _> = facts.into_iter().collect();
        let mut columns = Vec::new();
        for (feature, column) in features.iter().zip(past) {
            let column = facts.remove(&feature.name).unwrap_or(column);
            columns.push(column.into_frame(&feature.name));
            named.push((feature.name.clone(), source_of(&feature.computed)));
        }
        let computing = || TrainingError::computing("joining columns");
        let rows = frame.clone();
        if order.verdicts {
            frame.hstack_mut(&verdicts::columns(history, &rows)?).map_err(computing())?;
        }
        frame.hstack_mut(&columns).map_err(computing())?;
        drop(columns);
        if !order.views.is_empty() {
            progress(Stage::Views);
            let at_us = asked.at_us();
            join(&mut frame, &rows, at_us, &order.views, &mut named)?;
        }
        let profile = order.profile(&frame, &named)?;
        Ok(Self { frame, profile, unknown, early })
    }

    /// Writes the set as Parquet, and its profile beside it, each whole or not at all: the profile first, so that there
    /// is none without one. The file says of itself what it is, and `command` by what it was made.
    ///
    /// # Errors
    /// When one of the files exists, or cannot be written.
    pub fn write(&mut self, out: &Path, command: &str) -> Result<(), TrainingError> {
        refuse_existing(out)?;
        let profile = &self.profile;
        let about = [
            ("tributary.set", profile.set.clone()),
            ("tributary.fingerprint", profile.fingerprint.clone()),
            ("tributary.labels", profile.labels.clone()),
            ("tributary.from", profile.from.clone()),
            ("tributary.to", profile.to.clone()),
            ("tributary.command", command.to_owned()),
        ];
        let about = about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let json = serde_json::to_vec_pretty(profile).unwrap_or_else(|error| unreachable!("{error}"));
        whole(&profile_of(out), |file| file.write_all(&json).map_err(TrainingError::io("writing", out)))?;
        whole(out, |file| {
            let level = ZstdLevel::try_new(3).map_err(TrainingError::computing("writing"))?;
            let statistics =
                StatisticsOptions { binary_statistics_truncate_length: Some(64), ..Default::default() };
            ParquetWriter::new(file)
                .with_compression(ParquetCompression::Zstd(Some(level)))
                .with_statistics(statistics)
                .with_key_value_metadata(Some(KeyValueMetadata::from_static(about)))
                .finish(&mut self.frame)
                .map(drop)
                .map_err(|error| match error {
                    PolarsError::IO { error, .. } => {
                        let source = io::Error::new(error.kind(), error.to_string());
                        TrainingError::Io { doing: "writing", path: out.to_owned(), source }
                    }
                    other => TrainingError::computing("writing")(other),
                })
        })
    }
}

impl Order<'_> {
    fn profile(&self, frame: &DataFrame, named: &[(String, String)]) -> Result<Profile, TrainingError> {
        let fingerprint = self.set.fingerprint();
        Ok(Profile {
            version: Profile::VERSION,
            set: self.set.full_name(),
            fingerprint: fingerprint.iter().map(|byte| format!("{byte:02x}")).collect(),
            labels: self.labels.to_string(),
            from: printed(self.range_us.start),
            to: printed(self.range_us.end),
            rows: frame.height() as u64,
            features: profile::of_columns(frame, named)?,
        })
    }
}

/// Joins tables of one's own to rows, each at its instant.
///
/// # Errors
/// When one of them cannot be read or matched, or brings a name that is taken.
pub fn join(
    frame: &mut DataFrame,
    rows: &DataFrame,
    at_us: &[i64],
    views: &[ViewFile],
    named: &mut Vec<(String, String)>,
) -> Result<(), TrainingError> {
    let mut keyed: Option<(Vec<String>, Keyed<'_>)> = None;
    for file in views {
        let view = View::read(file, rows)?;
        let fitting = keyed.take().filter(|(keys, _)| keys == view.keys());
        let (keys, by) = match fitting {
            Some(known) => known,
            None => (view.keys().to_vec(), Keyed::new(&file.path, rows, view.keys())?),
        };
        let columns = view.joined(&by, at_us)?;
        keyed = Some((keys, by));
        for column in &columns {
            let name = column.name().to_string();
            if frame.get_column_index(&name).is_some() {
                return Err(TrainingError::Taken { path: file.path.clone(), column: name });
            }
            named.push((name, file.path.display().to_string()));
        }
        frame.hstack_mut(&columns).map_err(TrainingError::computing("joining columns"))?;
    }
    Ok(())
}

fn source_of(computed: &Computed) -> String {
    match computed {
        Computed::Past(past) => past.to_string(),
        Computed::Request(_) => "the request".to_owned(),
    }
}

/// Where the profile of a training set is: `rows.parquet.profile.json`.
#[must_use]
pub fn profile_of(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".profile.json");
    name.into()
}

/// Refuses to write over what is there.
///
/// # Errors
/// When there is a file of this name, or the profile that would belong to it.
pub fn refuse_existing(out: &Path) -> Result<(), TrainingError> {
    match [out.to_owned(), profile_of(out)].into_iter().find(|path| path.exists()) {
        Some(path) => Err(TrainingError::Exists { path }),
        None => Ok(()),
    }
}

/// Reads the profile of a training set.
///
/// # Errors
/// When it is not there, or none.
pub fn read_profile(path: &Path) -> Result<Profile, TrainingError> {
    let text = fs::read(path).map_err(TrainingError::io("reading", path))?;
    let malformed =
        |why: String| TrainingError::Malformed { path: path.to_owned(), format: "a profile", why };
    let profile: Profile = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    if profile.version != Profile::VERSION {
        let why =
            format!("it is of version {}, and this release reads {}", profile.version, Profile::VERSION);
        return Err(malformed(why));
    }
    Ok(profile)
}

/// Writes a file beside its place and puts it there whole.
fn whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), TrainingError>,
) -> Result<(), TrainingError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unfinished = path.with_file_name(format!("_{name}.new"));
    let failed = |doing| TrainingError::io(doing, path);
    let written = (|| {
        let mut file =
            BufWriter::with_capacity(1 << 20, File::create(&unfinished).map_err(failed("writing"))?);
        write(&mut file)?;
        let file = file.into_inner().map_err(|error| failed("writing")(error.into_error()))?;
        file.sync_all().map_err(failed("writing"))?;
        fs::rename(&unfinished, path).map_err(failed("writing"))?;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("writing"))
    })();
    if written.is_err() {
        // Nothing half written stays; should this fail as well, its name says that it is unfinished.
        drop(fs::remove_file(&unfinished));
    }
    written
}
