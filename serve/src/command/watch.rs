//! `tributary import --watch`: every file of a folder is imported once, and what is new there is found again and again.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, anyhow, bail};
use features::import::Format;
use tokio::{sync::watch::Receiver, time::sleep};

use super::ending::ended;

/// A file that did not change for this long is taken to be whole.
const SETTLING: Duration = Duration::from_secs(5);

/// How long a file is, and when it was last written to.
type Look = (u64, SystemTime);

/// Gives every file of the folder to `import` once, unless it changes; until the process is asked to end.
pub(super) async fn watch(
    folder: &Path,
    every: Duration,
    format: Option<Format>,
    ending: Receiver<bool>,
    mut import: impl AsyncFnMut(PathBuf),
) -> anyhow::Result<()> {
    let mut done: BTreeMap<PathBuf, Look> = BTreeMap::new();
    loop {
        let before =
            files(folder, format).with_context(|| format!("cannot look into {}", folder.display()))?;
        let unknown =
            |files: &BTreeMap<PathBuf, Look>| files.iter().any(|(file, look)| done.get(file) != Some(look));
        if unknown(&before) {
            if is_over_after(SETTLING.min(every), &ending).await {
                return Ok(());
            }
            for (file, look) in files(folder, format)? {
                let settled = before.get(&file) == Some(&look);
                if settled && done.get(&file) != Some(&look) {
                    import(file.clone()).await;
                    done.insert(file, look);
                }
            }
        }
        if is_over_after(every, &ending).await {
            return Ok(());
        }
    }
}

async fn is_over_after(pause: Duration, ending: &Receiver<bool>) -> bool {
    tokio::select! {
        () = sleep(pause) => false,
        () = ended(ending.clone()) => true,
    }
}

/// The files that can be imported, but for reports of rejected rows; names that begin with a dot or `_` are not meant.
fn files(folder: &Path, format: Option<Format>) -> io::Result<BTreeMap<PathBuf, Look>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let is_meant = !name.starts_with(['.', '_']) && !name.ends_with(".rejected.csv");
        if !is_meant || format.or_else(|| Format::of(&path)).is_none() {
            continue;
        }
        // One that was taken away meanwhile is not there.
        let Ok(about) = fs::metadata(&path) else { continue };
        if about.is_file() {
            found.insert(path, (about.len(), about.modified()?));
        }
    }
    Ok(found)
}

/// Reads how often to look: `90s`, `15m`, `1h`, `1d`.
pub(super) fn span(text: &str) -> anyhow::Result<Duration> {
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let number: u64 = number.parse().map_err(|_| anyhow!("expected a time such as 15m, 1h or 1d"))?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => bail!("expected a time such as 15m, 1h or 1d"),
    };
    let span = number.checked_mul(seconds).filter(|seconds| (1..=31_536_000).contains(seconds));
    span.map(Duration::from_secs).ok_or_else(|| anyhow!("expected between a second and a year"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, read: Option<u64>) {
        assert_eq!(span(text).ok(), read.map(Duration::from_secs), "{text}");
    }

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        check("90s", Some(90));
        check("15m", Some(900));
        check("1h", Some(3_600));
        check("1d", Some(86_400));
        check("0s", None);
        check("9999d", None);
        check("99999999999999999999d", None);
        check("1w", None);
        check("h", None);
        check("", None);
        check("1ж", None);
    }

    #[test]
    fn only_what_can_be_imported_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.jsonl", "a.csv.rejected.csv", ".c.csv", "_d.csv", "notes.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::create_dir(folder.path().join("e.csv")).unwrap();
        let names = |format| {
            let found = files(folder.path(), format).unwrap().into_keys();
            found.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["a.csv", "b.jsonl"]);
        assert_eq!(names(Some(Format::Csv)), ["a.csv", "b.jsonl", "notes.txt"]);
    }
}
