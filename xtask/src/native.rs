//! `cargo xtask native` brings the native libraries that Rust code is built against or loads.
//!
//! Everything lands below `.native/`, one folder for each component with a stamp in it that names what it was made
//! from. A component is prepared in a folder beside and renamed at the end, so what is there is always whole.

mod browser;
mod geo;
mod libtorch;
mod moto;
mod nats;
mod onnxpy;
mod onnxruntime;
mod pins;
mod postgres;
mod readers;
mod schemathesis;
mod server;
mod valkey;
mod wheel;

use std::{
    fs::{self, File, TryLockError},
    path::Path,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::Args;

pub use browser::browser;
pub use onnxpy::onnxpy;
pub use readers::readers;
pub use schemathesis::schemathesis;
pub use wheel::run_pip;

use crate::workspace;

/// The name of the stamp in each component's folder.
const STAMP: &str = ".made-from";
/// How the name of a folder begins in which a component is prepared.
const UNFINISHED: &str = "unfinished-";

/// Something native that this workspace needs.
struct Component {
    /// Its name on the command line and below `.native/`.
    name: &'static str,
    /// What it is for.
    doc: &'static str,
    /// What it is made from; another text means it is made anew.
    made_from: fn() -> String,
    /// Why it need not be brought on this machine, if so.
    instead: fn(Wish) -> Option<String>,
    /// Makes it in the first folder; the second is for downloads and thrown away.
    bring: fn(&Path, &Path) -> Result<()>,
    /// What to do when it cannot be brought.
    mend: &'static str,
    /// What it is like without it, where everything else works all the same.
    without: Option<&'static str>,
}

/// Every component, in the order they are brought.
const COMPONENTS: [Component; 11] = [
    onnxruntime::COMPONENT,
    libtorch::COMPONENT,
    postgres::COMPONENT,
    nats::COMPONENT,
    valkey::COMPONENT,
    moto::COMPONENT,
    geo::COMPONENT,
    schemathesis::COMPONENT,
    readers::COMPONENT,
    onnxpy::COMPONENT,
    browser::COMPONENT,
];

/// Whether a component was asked for by name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Whatever this machine lacks.
    Missing,
    /// This one, even where the machine has another.
    Named,
}

/// What to bring.
#[derive(Args, Default)]
pub struct Options {
    /// Components to bring; without any, everything that this machine lacks
    #[arg(value_parser = names())]
    components: Vec<String>,
}

/// Brings what was asked for.
pub fn run(options: &Options) -> Result<()> {
    if options.components.is_empty() {
        return bring(&names(), Wish::Missing);
    }
    let named: Vec<&str> = options.components.iter().map(String::as_str).collect();
    bring(&named, Wish::Named)
}

/// Brings the named components unless they are here, and says of each what was done.
pub fn bring(names: &[&str], wish: Wish) -> Result<()> {
    let folder = workspace::native();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let _lock = lock(&folder)?;
    sweep(&folder)?;
    for component in COMPONENTS.iter().filter(|it| names.contains(&it.name)) {
        let name = component.name;
        let what = format!("{} ({})", component.doc, short((component.made_from)()));
        if let Some(instead) = (component.instead)(wish) {
            println!("{name:13} {instead}");
            continue;
        }
        if is_here(component, &folder) {
            println!("{name:13} is here: {what}");
            continue;
        }
        println!("{name:13} is being brought: {what}");
        let begin = Instant::now();
        match (make(component, &folder), component.without) {
            (Ok(()), _) => println!("{name:13} was brought in {:.1} s", begin.elapsed().as_secs_f64()),
            (Err(error), Some(without)) => {
                println!("{name:13} is missing and {without}: {error:#}; {}", component.mend);
            }
            (Err(error), None) => bail!("{error:#}; {}", component.mend),
        }
    }
    Ok(())
}

fn names() -> [&'static str; COMPONENTS.len()] {
    COMPONENTS.map(|component| component.name)
}

/// The first line of what a component is made from is the part people care about.
fn short(made_from: String) -> String {
    made_from.lines().next().unwrap_or_default().to_owned()
}

fn is_here(component: &Component, folder: &Path) -> bool {
    let stamp = fs::read_to_string(folder.join(component.name).join(STAMP));
    stamp.is_ok_and(|stamp| stamp == (component.made_from)())
}

fn make(component: &Component, folder: &Path) -> Result<()> {
    let scratch = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(folder)?;
    let (whole, downloads) = (scratch.path().join("whole"), scratch.path().join("downloads"));
    fs::create_dir(&whole)?;
    fs::create_dir(&downloads)?;
    (component.bring)(&whole, &downloads)?;
    fs::write(whole.join(STAMP), (component.made_from)())?;
    replace(&whole, &folder.join(component.name), &scratch.path().join("replaced"))
}

/// Puts a finished folder in the place of an older one.
fn replace(whole: &Path, place: &Path, replaced: &Path) -> Result<()> {
    if place.exists() {
        fs::rename(place, replaced)?;
    }
    fs::rename(whole, place).with_context(|| format!("cannot put {} in its place", place.display()))
}

/// Removes what an interrupted run left behind; the lock says that nobody is at it any more.
fn sweep(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Two runs at once would download the same things twice.
fn lock(folder: &Path) -> Result<File> {
    let lock = File::create(folder.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            println!("waiting for another `cargo xtask` that brings native libraries");
            lock.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn made_up(bring: fn(&Path, &Path) -> Result<()>) -> Component {
        Component {
            name: "made-up",
            doc: "for a test",
            made_from: || "made-up 1".to_owned(),
            instead: |_| None,
            bring,
            mend: "do nothing",
            without: None,
        }
    }

    #[test]
    fn names_are_unique_and_everything_says_what_it_is() {
        let names: BTreeSet<&str> = COMPONENTS.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), COMPONENTS.len());
        for component in &COMPONENTS {
            assert!(!component.doc.is_empty() && !component.mend.is_empty(), "{}", component.name);
            assert!(!(component.made_from)().is_empty(), "{}", component.name);
        }
    }

    #[test]
    fn a_component_is_here_once_it_is_whole() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let component = made_up(|whole, _| {
            fs::write(whole.join("lib.so"), "new")?;
            Ok(())
        });
        assert!(!is_here(&component, folder.path()));
        make(&component, folder.path()).expect("it is made");
        assert!(is_here(&component, folder.path()));
        let newer = Component { made_from: || "made-up 2".to_owned(), ..component };
        assert!(!is_here(&newer, folder.path()));
        make(&newer, folder.path()).expect("it replaces the older one");
        assert!(is_here(&newer, folder.path()));
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn what_an_interruption_left_is_swept_up() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        make(&made_up(|_, _| Ok(())), folder.path()).expect("it is made");
        fs::create_dir_all(folder.path().join("unfinished-abc/whole")).expect("a folder");
        sweep(folder.path()).expect("swept");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
        assert!(folder.path().join("made-up").exists());
    }

    #[test]
    fn a_component_that_fails_leaves_the_older_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        make(&made_up(|_, _| Ok(())), folder.path()).expect("it is made");
        let failing = made_up(|whole, _| {
            fs::write(whole.join("half.so"), "half")?;
            bail!("the network went away")
        });
        assert!(make(&failing, folder.path()).is_err());
        assert!(is_here(&failing, folder.path()));
        assert!(!folder.path().join("made-up/half.so").exists());
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing unfinished is left");
    }
}
