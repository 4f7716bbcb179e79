//! Files that came through the API are read into the event lake, one after the other.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::TimeDelta;
use domain::ImportId;
use features::{
    import::{Import as Reading, ImportError, Imported, Mapping},
    lake::Lake,
};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::task::spawn_blocking;

use super::{Job, Workbench};
use crate::{
    hiding::hiding,
    store::imports::{self, Import, Outcome},
};

/// For how long it is known what came of an import, and which rows were rejected.
const MEMORY: TimeDelta = TimeDelta::days(30);

/// Where the file of an import waits, in the folder of the lake.
pub fn place(uploads: &Path, import: &Import) -> PathBuf {
    uploads.join(format!("{}.{}", import.id, import.format))
}

/// Where it says which of its rows were rejected.
pub fn report(uploads: &Path, import: &Import) -> PathBuf {
    features::import::report(&place(uploads, import))
}

/// Reads what waits.
pub struct Read;

/// Forgets what came of imports long ago.
pub struct Forget;

impl Job for Read {
    fn name(&self) -> &'static str {
        "imports"
    }

    fn doc(&self) -> &'static str {
        "Reads files that came through the API into the event lake."
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        async {
            let (Some(lake), Some(uploads)) = (&bench.choices.lake, bench.choices.uploads()) else {
                return Ok(0);
            };
            let mut read = 0;
            while let Some(id) = next(bench).await? {
                read_one(bench, lake, &uploads, id).await?;
                read += 1;
            }
            Ok(read)
        }
        .boxed()
    }
}

impl Job for Forget {
    fn name(&self) -> &'static str {
        "imports_purge"
    }

    fn doc(&self) -> &'static str {
        "Forgets what came of imports after thirty days, with the report of rejected rows; events stay."
    }

    fn every(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        async {
            let Some(uploads) = bench.choices.uploads() else { return Ok(0) };
            let mut db = bench.intake.pool.acquire().await?;
            let mut forgotten = 0;
            for import in imports::finished(&mut db, bench.intake.clock.now() - MEMORY, 1_000).await? {
                for file in [place(&uploads, &import), report(&uploads, &import)] {
                    remove(&file)?;
                }
                imports::delete(&mut db, import.id).await?;
                forgotten += 1;
            }
            Ok(forgotten)
        }
        .boxed()
    }
}

async fn next(bench: &Workbench) -> anyhow::Result<Option<ImportId>> {
    Ok(imports::next_queued(&mut *bench.intake.pool.acquire().await?).await?)
}

async fn read_one(bench: &Workbench, lake: &Path, uploads: &Path, id: ImportId) -> anyhow::Result<()> {
    let found = imports::find(&mut *bench.intake.pool.acquire().await?, id).await?;
    let Some(import) = found else { return Ok(()) };
    let reading = reading(bench, uploads, &import)?;
    let (lake, dry_run) = (Lake::open(lake)?, import.dry_run);
    let imported = spawn_blocking(move || {
        let imported = reading.run(&lake, |_, _| {});
        if !dry_run && imported.is_ok() {
            // Should somebody else be at it, the export merges it soon.
            drop(lake.compact(|_| {}));
        }
        imported
    })
    .await?;
    let outcome = match imported {
        // Not the file's fault: it is read again.
        Err(error @ (ImportError::Lake(_) | ImportError::Note { .. })) => return Err(error.into()),
        Err(ImportError::Io { doing, path, source }) if source.kind() != io::ErrorKind::NotFound => {
            return Err(ImportError::Io { doing, path, source }.into());
        }
        Err(error) => Outcome { failure: Some(error.to_string()), ..Outcome::default() },
        Ok(imported) => outcome(imported)?,
    };
    let now = bench.intake.clock.now();
    imports::conclude(&mut *bench.intake.pool.acquire().await?, id, &outcome, now).await?;
    remove(&place(uploads, &import))?;
    tracing::info!(import = %id, rows = outcome.rows, rejected = outcome.rejected, "the import {id} is finished");
    Ok(())
}

fn reading(bench: &Workbench, uploads: &Path, import: &Import) -> anyhow::Result<Reading> {
    let pairs = |pairs: &std::collections::BTreeMap<String, String>| {
        pairs.iter().map(|(one, other)| (one.clone(), other.clone())).collect()
    };
    Ok(Reading {
        file: place(uploads, import),
        format: Some(import.format.parse()?),
        rows: import.rows.parse()?,
        mapping: Mapping { columns: pairs(&import.columns), constants: pairs(&import.constants) },
        source: import.source.clone(),
        hiding: Some(hiding(&bench.secret)),
        dry_run: import.dry_run,
    })
}

fn outcome(imported: Imported) -> anyhow::Result<Outcome> {
    let Imported { rows, rejected, unused, .. } = imported;
    Ok(Outcome { rows: rows.try_into()?, rejected: rejected.try_into()?, unused, failure: None })
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
