//! The folder that a job writes into: all of it comes into being at once, or none.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A folder that is not there yet.
pub(super) struct Folder {
    place: PathBuf,
    replace: bool,
    unfinished: TempDir,
    /// Held while it is brought to its place or taken away.
    moving: Arc<Mutex<()>>,
}

/// A folder that may be taken away before it is at its place.
pub(super) struct Unfinished {
    path: PathBuf,
    moving: Arc<Mutex<()>>,
}

impl Unfinished {
    /// Takes it away, unless it is being brought to its place: that is waited for. Nothing is brought there as long as the
    /// returned lock is held.
    pub(super) fn take_away(&self) -> MutexGuard<'_, ()> {
        let moving = lock(&self.moving);
        // What cannot be taken away stays: there is nobody left to tell.
        let _ = fs::remove_dir_all(&self.path);
        moving
    }
}

impl Folder {
    /// Begins a folder beside its place.
    pub(super) fn prepare(place: &Path, replace: bool) -> Result<Self> {
        if replace {
            check_own(place)?;
        }
        ensure!(
            replace || !place.exists(),
            "{} is there already: name another folder, or say --replace to overwrite it",
            place.display()
        );
        let above = place.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let cannot = || format!("cannot write into {}", above.display());
        fs::create_dir_all(above).with_context(cannot)?;
        let unfinished =
            tempfile::Builder::new().prefix("_unfinished-").tempdir_in(above).with_context(cannot)?;
        Ok(Self { place: place.to_owned(), replace, unfinished, moving: Arc::default() })
    }

    /// Where it is until it is kept.
    pub(super) fn unfinished(&self) -> Unfinished {
        Unfinished { path: self.unfinished.path().to_owned(), moving: Arc::clone(&self.moving) }
    }

    /// Writes a file.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.unfinished.path().join(name);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.with_context(|| format!("cannot write {name} for {}", self.place.display()))
    }

    /// Brings it to its place.
    pub(super) fn keep(self) -> Result<()> {
        let _moving = lock(&self.moving);
        let place = &self.place;
        let cannot = || format!("cannot write {}", place.display());
        let old = self.unfinished.path().with_extension("old");
        let is_there = self.replace && place.exists();
        if is_there {
            fs::rename(place, &old).with_context(cannot)?;
        }
        if let Err(error) = fs::rename(self.unfinished.path(), place) {
            if is_there {
                fs::rename(&old, place).with_context(|| format!("{} was not put back", old.display()))?;
            }
            return Err(error).with_context(cannot);
        }
        if is_there {
            fs::remove_dir_all(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        Ok(())
    }
}

fn lock(moving: &Mutex<()>) -> MutexGuard<'_, ()> {
    moving.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What jobs write. A folder with anything else in it is somebody's own, and is not replaced.
const WRITTEN: &[&str] = &[
    "assignments.csv",
    "coverage_gaps.csv",
    "credit.csv",
    "credit.json",
    "credit.parquet",
    "decisions.csv",
    "decisions.jsonl",
    "flags.csv",
    "history.csv",
    "lookalikes.csv",
    "metrics.json",
    "model.onnx",
    "partners.csv",
    "predictions.csv",
    "prices.csv",
    "proposals.csv",
    "prospects.csv",
    "rates.csv",
    "recommendations.csv",
    "report.html",
    "rings.csv",
    "scores.csv",
    "shares.parquet",
    "similar.csv",
    "standings.json",
    "statistics.json",
    "tiers.json",
    "truth.csv",
];

/// A folder that is to be replaced holds nothing but what jobs write.
fn check_own(place: &Path) -> Result<()> {
    let is_else = place.symlink_metadata().is_ok_and(|it| !it.is_dir());
    ensure!(!is_else, "{} is no folder, and is not replaced: name another", place.display());
    let Ok(entries) = fs::read_dir(place) else { return Ok(()) };
    for entry in entries {
        let name = entry.with_context(|| format!("cannot read {}", place.display()))?.file_name();
        let name = name.to_string_lossy();
        ensure!(
            WRITTEN.contains(&&*name),
            "{} holds {name}, which no job wrote, and is not replaced: name another folder",
            place.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_there_when_it_is_whole_and_not_before() {
        let above = tempfile::tempdir().unwrap();
        let place = above.path().join("out");
        let folder = Folder::prepare(&place, false).unwrap();
        folder.put("metrics.json", b"one").unwrap();
        assert!(!place.exists());
        folder.keep().unwrap();
        assert_eq!(fs::read(place.join("metrics.json")).unwrap(), b"one");
        let told = Folder::prepare(&place, false).err().unwrap().to_string();
        assert!(told.contains("say --replace"), "{told}");

        drop(Folder::prepare(&place, true).unwrap());
        assert_eq!(fs::read(place.join("metrics.json")).unwrap(), b"one");
        let folder = Folder::prepare(&place, true).unwrap();
        folder.put("report.html", b"two").unwrap();
        folder.keep().unwrap();
        let names = fs::read_dir(above.path()).unwrap().count();
        assert_eq!(
            (names, place.join("metrics.json").exists(), place.join("report.html").exists()),
            (1, false, true)
        );
    }

    #[test]
    fn what_is_taken_away_is_not_brought_to_its_place_meanwhile() {
        let above = tempfile::tempdir().unwrap();
        let place = above.path().join("out");
        fs::create_dir(&place).unwrap();
        fs::write(place.join("metrics.json"), b"one").unwrap();
        let folder = Folder::prepare(&place, true).unwrap();
        let unfinished = folder.unfinished();
        let taken = unfinished.take_away();
        assert!(folder.moving.try_lock().is_err(), "whoever keeps it has to wait");
        drop(taken);
        folder.keep().unwrap_err();
        assert_eq!(fs::read(place.join("metrics.json")).unwrap(), b"one");

        let folder = Folder::prepare(&place, true).unwrap();
        let unfinished = folder.unfinished();
        folder.put("metrics.json", b"two").unwrap();
        folder.keep().unwrap();
        drop(unfinished.take_away());
        assert_eq!(fs::read(place.join("metrics.json")).unwrap(), b"two");
    }

    #[test]
    fn what_no_job_wrote_is_not_replaced() {
        let above = tempfile::tempdir().unwrap();
        fs::write(above.path().join("thesis.txt"), b"mine").unwrap();
        let told = Folder::prepare(above.path(), true).err().unwrap().to_string();
        assert!(told.contains("holds thesis.txt, which no job wrote"), "{told}");
        let told = Folder::prepare(&above.path().join("thesis.txt"), true).err().unwrap().to_string();
        assert!(told.contains("is no folder"), "{told}");
        assert_eq!(fs::read(above.path().join("thesis.txt")).unwrap(), b"mine");
    }
}
