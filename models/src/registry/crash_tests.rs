//! Wherever a writer is killed, loses power or finds the disk full, what was there or what was to come is there whole;
//! and writers that come together lose nothing of each other.

use std::{
    env, fs, io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use rustix::process::{Signal, getpid, kill_process};

use super::{
    Folder, Force, Registry, Version,
    disk::{Disk, LocalDisk},
};
use crate::{
    session::{Polled, Serving, Settings, examine},
    testing::{fraud, promote, publication, runtime, schema, score},
};

/// How a writer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By SIGKILL, in a process of its own.
    Killed,
    /// The machine loses power: contents and names that were not synced are lost.
    PowerCut,
    /// There is no room for one operation; later ones work.
    Full,
}

/// A disk that gives up at an operation, counted from zero.
#[derive(Clone, Debug)]
struct FailingDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    left: u64,
    end: End,
    over: bool,
    /// Files whose content is not synced.
    contents: Vec<PathBuf>,
    /// Names that are not synced, in order.
    names: Vec<Name>,
}

/// A change of a name that a power cut undoes.
#[derive(Debug)]
enum Name {
    Made(PathBuf),
    Renamed { from: PathBuf, to: PathBuf, replaced: Option<Vec<u8>> },
}

impl Name {
    fn folder(&self) -> Option<&Path> {
        let (Self::Made(path) | Self::Renamed { to: path, .. }) = self;
        path.parent()
    }

    fn undo(self) {
        match self {
            Self::Made(path) if path.is_dir() => fs::remove_dir_all(path).unwrap(),
            Self::Made(path) => fs::remove_file(path).unwrap(),
            Self::Renamed { from, to, replaced } => {
                fs::rename(&to, from).unwrap();
                if let Some(bytes) = replaced {
                    fs::write(to, bytes).unwrap();
                }
            }
        }
    }
}

impl FailingDisk {
    fn new(left: u64, end: End) -> Self {
        Self(Arc::new(Mutex::new(State { left, end, over: false, contents: Vec::new(), names: Vec::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation; at the last one, does half of it and gives up.
    fn step(&self, half: impl FnOnce()) -> io::Result<()> {
        let mut state = self.state();
        if state.over {
            return if state.end == End::Full { Ok(()) } else { Err(io::ErrorKind::Other.into()) };
        }
        if state.left != 0 {
            state.left -= 1;
            return Ok(());
        }
        state.over = true;
        half();
        if state.end == End::Killed {
            kill_process(getpid(), Signal::KILL)?;
        }
        Err(if state.end == End::Full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other }.into())
    }

    fn is_over(&self) -> bool {
        self.state().over
    }

    /// What a machine that lost power finds when it is back.
    fn cut(&self) {
        let mut state = self.state();
        if state.end != End::PowerCut {
            return;
        }
        for path in state.contents.drain(..).filter(|path| path.exists()) {
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
        state.names.drain(..).rev().for_each(Name::undo);
    }
}

impl Disk for FailingDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.step(|| ())?;
        LocalDisk.make_folder(path)?;
        self.state().names.push(Name::Made(path.to_owned()));
        Ok(())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let is_new = !path.exists();
        self.step(|| LocalDisk.write(path, &bytes[..bytes.len() / 2]).unwrap())?;
        LocalDisk.write(path, bytes)?;
        let mut state = self.state();
        state.contents.push(path.to_owned());
        state.names.extend(is_new.then(|| Name::Made(path.to_owned())));
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.step(|| ())?;
        self.state().contents.retain(|other| other != path);
        LocalDisk.sync_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step(|| ())?;
        self.state().names.retain(|name| name.folder() != Some(path));
        LocalDisk.sync_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|| ())?;
        let replaced = fs::read(to).ok();
        LocalDisk.rename(from, to)?;
        let mut state = self.state();
        for path in &mut state.contents {
            if let Ok(rest) = path.strip_prefix(from).map(Path::to_owned) {
                *path = to.join(rest);
            }
        }
        // A file that was made and renamed before either name was synced has only its last name to lose.
        state.names.retain(|name| !matches!(name, Name::Made(path) if path == from && path.parent() == to.parent() && to.is_file()));
        state.names.push(Name::Renamed { from: from.to_owned(), to: to.to_owned(), replaced });
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.step(|| ())?;
        LocalDisk.remove_folder(path)
    }
}

/// What a writer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Publish,
    Promote,
}

impl Work {
    pub(super) fn do_it(self, registry: &Registry) -> Result<(), String> {
        match self {
            Self::Publish => registry
                .publish(&fraud(), &publication(3.0, 0.93))
                .map(drop)
                .map_err(|error| error.to_string()),
            Self::Promote => {
                promote(registry, Version(2), Force::No).map(drop).map_err(|error| error.to_string())
            }
        }
    }
}

fn failing(root: &Path, disk: &FailingDisk) -> Registry {
    Registry::over(Arc::new(Folder { disk: Arc::new(disk.clone()), ..Folder::at(root) }))
}

/// With a champion, 1, and a better version, 2.
pub(super) fn prepared(registry: Registry) -> Registry {
    registry.publish(&fraud(), &publication(1.0, 0.9)).unwrap();
    registry.publish(&fraud(), &publication(2.0, 0.91)).unwrap();
    promote(&registry, Version(1), Force::No).unwrap();
    registry
}

pub(super) fn serving(registry: &Registry) -> Serving {
    let alias = (fraud(), super::Alias::Champion);
    let serving = Serving::new(runtime(), registry.clone(), alias, Some(schema()), Settings::default());
    assert_eq!(serving.poll().unwrap(), Polled::Swapped { from: None, to: Version(1) });
    serving
}

/// What must hold whatever happened to a writer: the champion serves, and every version and alias is whole.
pub(super) fn check(registry: &Registry, serving: &Serving, work: Work, is_done: bool, says: &str) {
    serving.poll().unwrap();
    let version = serving.version().unwrap();
    let row = [0.25, -1.0];
    let answer = serving.score(row.to_vec()).unwrap();
    let expected = score(f64::from(version.0), &row);
    assert!((answer.number("score").unwrap() - expected).abs() < 1e-12, "{says}");
    let versions = registry.versions(&fraud()).unwrap();
    for version in &versions {
        examine(registry, &runtime(), &fraud(), *version).unwrap();
    }
    let aliases = registry.aliases(&fraud()).unwrap();
    assert_eq!(aliases.champion, Some(version), "{says}");
    match work {
        Work::Publish => {
            assert_eq!(version, Version(1), "{says}");
            assert!(versions.len() == 3 || versions.len() == 2 && !is_done, "{says}: {versions:?}");
        }
        Work::Promote => {
            assert!(version == Version(2) || version == Version(1) && !is_done, "{says}");
            assert_eq!(aliases.history.len() as u32, version.0, "{says}");
        }
    }
    // And the next writer is not in the way of anything.
    let next = registry.publish(&fraud(), &publication(4.0, 0.95)).unwrap();
    promote(registry, next, Force::No).unwrap();
    assert_eq!(registry.versions(&fraud()).unwrap().len(), versions.len() + 1);
}

fn check_every_step(work: Work, end: End) {
    for step in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let registry = prepared(Registry::in_folder(folder.path()));
        let serving = serving(&registry);
        let disk = FailingDisk::new(step, end);
        let outcome = work.do_it(&failing(folder.path(), &disk));
        let is_over = disk.is_over();
        assert_eq!(outcome.is_err(), is_over, "step {step}");
        if let (End::Full, Err(error)) = (end, &outcome) {
            assert!(error.starts_with("the disk is full while "), "{error}");
        }
        disk.cut();
        check(&registry, &serving, work, !is_over, &format!("{work:?}, {end:?} at step {step}"));
        if !is_over {
            assert!(3 < step, "{work:?} has more than {step} steps");
            return;
        }
    }
}

#[test]
fn a_publication_that_loses_power_at_any_step_leaves_nothing_half() {
    check_every_step(Work::Publish, End::PowerCut);
}

#[test]
fn a_promotion_that_loses_power_at_any_step_leaves_nothing_half() {
    check_every_step(Work::Promote, End::PowerCut);
}

#[test]
fn a_publication_on_a_full_disk_says_so_and_leaves_nothing_half() {
    check_every_step(Work::Publish, End::Full);
}

#[test]
fn a_promotion_on_a_full_disk_says_so_and_leaves_nothing_half() {
    check_every_step(Work::Promote, End::Full);
}

const CHILD: &str = "TRIBUTARY_REGISTRY_WRITER";

/// This very program as a writer on its own.
fn writer(what: &str, address: &Path, variables: &[(&str, String)]) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.args(["registry::crash_tests::a_writer_in_a_process_of_its_own", "--exact", "--nocapture"]);
    command.env(CHILD, format!("{what} {}", address.display())).stdout(Stdio::null()).spawn().unwrap()
}

/// What [`writer`] starts; among the tests it has nothing to do.
#[test]
fn a_writer_in_a_process_of_its_own() {
    let Ok(task) = env::var(CHILD) else { return };
    let (what, rest) = task.split_once(' ').unwrap();
    if what == "both" {
        return publish_and_promote(&Registry::at(Path::new(rest)).unwrap(), 5);
    }
    let (step, root) = rest.split_once(' ').unwrap();
    let disk = FailingDisk::new(step.parse().unwrap(), End::Killed);
    let work = if what == "publish" { Work::Publish } else { Work::Promote };
    work.do_it(&failing(Path::new(root), &disk)).unwrap();
}

fn check_every_kill(work: Work, what: &str) {
    for step in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let registry = prepared(Registry::in_folder(folder.path()));
        let serving = serving(&registry);
        let ended = writer(&format!("{what} {step}"), folder.path(), &[]).wait().unwrap();
        let is_killed = ended.signal() == Some(Signal::KILL.as_raw());
        assert!(is_killed || ended.success(), "step {step}: {ended}");
        check(&registry, &serving, work, !is_killed, &format!("{work:?}, killed at step {step}"));
        if !is_killed {
            assert!(3 < step, "{work:?} has more than {step} steps");
            return;
        }
    }
}

#[test]
fn a_publication_that_is_killed_at_any_step_leaves_nothing_half() {
    check_every_kill(Work::Publish, "publish");
}

#[test]
fn a_promotion_that_is_killed_at_any_step_leaves_the_champion_serving() {
    check_every_kill(Work::Promote, "promote");
}

/// Publishes so many versions and makes each champion.
fn publish_and_promote(registry: &Registry, times: u32) {
    for _ in 0..times {
        let version = registry.publish(&fraud(), &publication(1.0, 0.9)).unwrap();
        promote(registry, version, Force::No).unwrap();
    }
}

/// Threads and processes that write together lose nothing. The variables say how a process finds the address.
pub(super) fn check_together(registry: &Registry, address: &Path, variables: &[(&str, String)]) {
    let processes = [(); 2].map(|()| writer("both", address, variables));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| publish_and_promote(registry, 5));
        }
    });
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let versions = registry.versions(&fraud()).unwrap();
    assert_eq!(versions, (1..=20).map(Version).collect::<Vec<_>>());
    for version in versions {
        examine(registry, &runtime(), &fraud(), version).unwrap();
    }
    // Reading them checks that each move begins where the one before ended.
    let aliases = registry.aliases(&fraud()).unwrap();
    let mut promoted: Vec<_> = aliases.history.iter().map(|step| step.to.unwrap()).collect();
    promoted.sort();
    assert_eq!(promoted, (1..=20).map(Version).collect::<Vec<_>>());
}

#[test]
fn threads_and_processes_that_write_together_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    check_together(&Registry::in_folder(folder.path()), folder.path(), &[]);
}
