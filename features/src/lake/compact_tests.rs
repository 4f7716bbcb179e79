//! What arrived is merged once and whole, however often it arrives, and wherever the process or the disk gives up.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    Chance,
    event::{Event, Kind, Known},
};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{
    Lake, LakeError,
    disk::{Disk, DiskFile, Entry, Fetched, LocalDisk, Over},
    lock::Lock,
    testing::{MARCH_US, event},
};

const ALL: std::ops::Range<i64> = i64::MIN..i64::MAX;

pub(super) fn give(lake: &Lake, events: &[Known<Event>]) -> Result<u64, LakeError> {
    let mut batch = lake.batch();
    events.iter().try_for_each(|event| batch.push(event))?;
    batch.finish()
}

pub(super) fn read(lake: &Lake) -> Vec<Known<Event>> {
    lake.events(Kind::ALL, ALL).unwrap().map(Result::unwrap).collect()
}

pub(super) fn some_events(seed: u64, count: i64) -> Vec<Known<Event>> {
    let chance = Chance::seeded(seed);
    let kinds = [Kind::Click, Kind::Conversion, Kind::Refund];
    let at = |place: i64| MARCH_US + place * 400_000_000;
    (0..count).map(|place| event(kinds[chance.below(3) as usize], at(place), &chance)).collect()
}

/// Every file of the lake with its content, but for the lock.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("_lock") {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_batch_that_arrives_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::at(folder.path());
    let events = some_events(1, 50);
    give(&lake, &events).unwrap();
    give(&lake, &events).unwrap();
    let compacted = lake.compact(|_| {}).unwrap();
    assert_eq!((compacted.batches, compacted.arrived, compacted.new), (3, 50, 50));
    assert_eq!(read(&lake).len(), 50);
    let before = files(folder.path());

    give(&lake, &events).unwrap();
    let again = lake.compact(|_| {}).unwrap();
    assert_eq!((again.batches, again.arrived, again.new), (3, 50, 0));
    assert!(files(folder.path()) == before);
    assert_eq!(lake.compact(|_| {}).unwrap().batches, 0);
}

#[test]
fn of_an_event_that_arrives_twice_the_first_knowledge_stands() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::at(folder.path());
    let known = event(Kind::Click, MARCH_US, &Chance::seeded(2));
    let later = Known { known_at_us: known.known_at_us + 5, ..known.clone() };
    for (given, stands) in [(&later, &later), (&known, &known), (&later, &known)] {
        give(&lake, std::slice::from_ref(given)).unwrap();
        lake.compact(|_| {}).unwrap();
        assert_eq!(read(&lake), std::slice::from_ref(stands));
    }
}

#[test]
fn a_partition_of_many_row_groups_is_merged_group_by_group() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::at(folder.path());
    let chance = Chance::seeded(3);
    let Event::Review(one) = event(Kind::Review, MARCH_US, &chance).event else { unreachable!() };
    let review = |at: i64| Known {
        event: Event::Review(domain::event::Review { occurred_at_us: MARCH_US + at, ..one.clone() }),
        known_at_us: MARCH_US + at,
    };
    let mut writer = lake.rewrite().unwrap();
    (0..150_000).for_each(|at| writer.push(&review(2 * at)).unwrap());
    writer.finish().unwrap();
    give(&lake, &[0, 1, 2, 131_071, 131_072, 131_073, 299_999, 400_000].map(review)).unwrap();
    let compacted = lake.compact(|_| {}).unwrap();
    assert_eq!((compacted.arrived, compacted.new), (8, 5));
    assert_eq!(lake.check(|_| {}).unwrap().len(), 0);
    assert_eq!(read(&lake).len(), 150_005);
}

#[test]
fn a_damaged_batch_is_named_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::at(folder.path());
    give(&lake, &some_events(4, 20)).unwrap();
    lake.compact(|_| {}).unwrap();
    give(&lake, &some_events(5, 20)).unwrap();
    let before = files(folder.path());
    let half = folder.path().join("_incoming/clicks/half.parquet");
    let whole =
        before.iter().find(|(path, _)| path.starts_with(folder.path().join("_incoming/clicks"))).unwrap().1;
    fs::write(&half, &whole[..whole.len() / 2]).unwrap();
    let error = lake.compact(|_| {}).unwrap_err().to_string();
    assert!(error.contains("half.parquet is not a whole Parquet file, it was cut off or damaged"), "{error}");
    fs::remove_file(half).unwrap();
    assert!(files(folder.path()) == before);
}

#[test]
fn an_event_of_no_time_is_refused_before_it_can_keep_others_from_being_merged() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::at(folder.path());
    let mut impossible = event(Kind::Review, MARCH_US, &Chance::seeded(9));
    if let Event::Review(review) = &mut impossible.event {
        review.occurred_at_us = i64::MAX;
    }
    let mut batch = lake.batch();
    assert!(matches!(batch.push(&impossible), Err(LakeError::ImpossibleTime { .. })));
    assert_eq!(batch.events(), 0);
}

#[test]
fn what_a_killed_process_left_unfinished_is_taken_away_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::at(folder.path());
    give(&lake, &some_events(10, 20)).unwrap();
    let incoming = folder.path().join("_incoming/clicks");
    let (old, young) = (incoming.join("_1-0.new"), incoming.join("_1-1.new"));
    fs::write(&young, "half").unwrap();
    fs::File::create(&old).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    lake.compact(|_| {}).unwrap();
    assert!(young.exists() && !old.exists());
}

#[test]
fn events_are_read_while_their_partitions_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::at(folder.path());
    let events = some_events(11, 60);
    give(&lake, &events[..40]).unwrap();
    lake.compact(|_| {}).unwrap();
    let reading = lake.events(Kind::ALL, ALL).unwrap();
    give(&lake, &events[40..]).unwrap();
    lake.compact(|_| {}).unwrap();
    let read: Vec<_> = reading.map(Result::unwrap).collect();
    assert!(events[..40].iter().all(|event| read.contains(event)));
    assert!(read.iter().all(|event| events.contains(event)));
}

/// How a disk gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The process is killed: nothing more happens.
    Killed,
    /// The machine loses power: nothing more happens, and what was not synced is cut in half.
    PowerCut,
    /// There is no room for one operation; later ones work, so that tidying up does.
    Full,
}

/// A disk that gives up at an operation, counted from zero.
#[derive(Clone)]
pub(super) struct FailingDisk(Arc<Mutex<State>>, Arc<dyn Disk>);

struct State {
    left: u64,
    end: End,
    over: bool,
    /// Files that were written to since they were last synced.
    unsynced: Vec<PathBuf>,
}

impl FailingDisk {
    pub(super) fn new(disk: Arc<dyn Disk>, left: u64, end: End) -> Self {
        Self(Arc::new(Mutex::new(State { left, end, over: false, unsynced: Vec::new() })), disk)
    }

    fn step(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = || {
            io::Error::from(if state.end == End::Full {
                io::ErrorKind::StorageFull
            } else {
                io::ErrorKind::Other
            })
        };
        if state.over {
            return if state.end == End::Full { Ok(()) } else { Err(failed()) };
        }
        if state.left == 0 {
            let failure = failed();
            state.over = true;
            return Err(failure);
        }
        state.left -= 1;
        Ok(())
    }

    /// What a machine that lost power finds when it is back.
    fn cut_what_was_not_synced(&self) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for path in state.unsynced.iter().filter(|path| state.end == End::PowerCut && path.exists()) {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).over
    }

    fn unsynced(&self, change: impl FnOnce(&mut Vec<PathBuf>)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).unsynced);
    }
}

impl Disk for FailingDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.1.make_folder(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.step()?;
        self.unsynced(|unsynced| unsynced.push(path.to_owned()));
        Ok(Box::new(FailingFile { disk: self.clone(), path: path.to_owned(), file: self.1.create(path)? }))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.step()?;
        let file = self.1.create_new(path)?;
        self.unsynced(|unsynced| unsynced.push(path.to_owned()));
        Ok(Box::new(FailingFile { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn rename(&self, from: &Path, to: &Path, over: Over<'_>) -> io::Result<()> {
        self.step()?;
        let renamed = |path: &mut PathBuf| {
            if path == from {
                *path = to.to_owned();
            }
        };
        self.unsynced(|unsynced| unsynced.iter_mut().for_each(renamed));
        self.1.rename(from, to, over)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.1.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.1.sync_folder(path)
    }

    fn has_folder(&self, path: &Path) -> io::Result<bool> {
        self.1.has_folder(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.1.list(folder)
    }

    fn find(&self, path: &Path) -> io::Result<Option<Entry>> {
        self.1.find(path)
    }

    fn fetch(&self, entry: &Entry) -> io::Result<Fetched> {
        self.1.fetch(entry)
    }

    fn text(&self, path: &Path) -> io::Result<Option<String>> {
        self.1.text(path)
    }

    fn lock(&self, root: &Path) -> io::Result<Option<Lock>> {
        self.step()?;
        self.1.lock(root)
    }
}

struct FailingFile {
    disk: FailingDisk,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl DiskFile for FailingFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.disk.step() {
            self.file.append(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.step()?;
        self.disk.unsynced(|unsynced| unsynced.retain(|path| *path != self.path));
        self.file.sync()
    }
}

/// A lake that holds some events while others, partly the same, wait; and what it must hold in the end.
fn half_merged() -> (TempDir, Vec<Known<Event>>) {
    let folder = tempfile::tempdir().unwrap();
    let all = half_merge(&Lake::at(folder.path()));
    (folder, all)
}

/// Makes such a lake.
pub(super) fn half_merge(lake: &Lake) -> Vec<Known<Event>> {
    let mut events = some_events(6, 40);
    give(lake, &events[..25]).unwrap();
    lake.compact(|_| {}).unwrap();
    give(lake, &events[20..32]).unwrap();
    give(lake, &events[30..]).unwrap();
    events.sort_by_key(|known| (known.known_at_us, known.event.occurred_at_us()));
    events
}

fn check_every_step(end: End) {
    for step in 0.. {
        let (folder, all) = half_merged();
        let disk = FailingDisk::new(Arc::new(LocalDisk), step, end);
        let failing = Lake { disk: Arc::new(disk.clone()), ..Lake::at(folder.path()) };
        let outcome = failing.compact(|_| {});
        if !disk.is_over() {
            outcome.unwrap();
            assert!(25 < step, "a compaction has more than {step} steps");
            return;
        }
        if end == End::Full {
            let error = outcome.unwrap_err().to_string();
            assert!(error.starts_with("the disk is full while "), "{error}");
        }
        disk.cut_what_was_not_synced();
        let lake = Lake::at(folder.path());
        // Readers see whole partitions at any moment.
        assert_eq!(lake.check(|_| {}).unwrap().len(), 0, "step {step}");
        let between = read(&lake);
        assert!(25 <= between.len() && between.iter().all(|event| all.contains(event)), "step {step}");
        lake.compact(|_| {}).unwrap();
        assert_eq!(read(&lake), all, "step {step}");
    }
}

#[test]
fn a_compaction_that_is_killed_at_any_step_is_finished_by_the_next() {
    check_every_step(End::Killed);
}

#[test]
fn a_compaction_that_loses_power_at_any_step_is_finished_by_the_next() {
    check_every_step(End::PowerCut);
}

#[test]
fn a_compaction_on_a_full_disk_says_so_and_is_finished_by_the_next() {
    check_every_step(End::Full);
}

#[test]
fn a_batch_given_at_the_end_of_its_strength_is_given_again() {
    for step in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        let disk = FailingDisk::new(Arc::new(LocalDisk), step, End::Killed);
        let failing = Lake { disk: Arc::new(disk.clone()), ..Lake::at(folder.path()) };
        let events = some_events(7, 20);
        let outcome = give(&failing, &events);
        assert_eq!(outcome.is_err(), disk.is_over(), "step {step}");
        disk.cut_what_was_not_synced();
        let lake = Lake::at(folder.path());
        give(&lake, &events).unwrap();
        lake.compact(|_| {}).unwrap();
        assert_eq!(read(&lake).len(), 20, "step {step}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The lake after any history of batches and compactions is the set of what arrived, each event as it was known
    /// first.
    #[test]
    fn a_lake_is_what_arrived(history in prop::collection::vec((prop::collection::vec((0..30_usize, 0..4_i64), 0..12), any::<bool>()), 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::at(folder.path());
        let events = some_events(8, 30);
        let mut first: BTreeMap<usize, i64> = BTreeMap::new();
        for (batch, compacts) in history {
            let given: Vec<_> = batch
                .iter()
                .map(|(place, later_us)| Known { known_at_us: events[*place].known_at_us + later_us, ..events[*place].clone() })
                .collect();
            for ((place, _), known) in batch.iter().zip(&given) {
                let earliest = first.entry(*place).or_insert(known.known_at_us);
                *earliest = known.known_at_us.min(*earliest);
            }
            give(&lake, &given).unwrap();
            if compacts {
                lake.compact(|_| {}).unwrap();
            }
        }
        lake.compact(|_| {}).unwrap();
        let mut expected: Vec<_> =
            first.iter().map(|(place, known_at_us)| Known { known_at_us: *known_at_us, ..events[*place].clone() }).collect();
        expected.sort_by_key(|known| (known.known_at_us, known.event.occurred_at_us()));
        prop_assert_eq!(read(&lake), expected);
        prop_assert_eq!(lake.check(|_| {}).unwrap().len(), 0);
    }
}
