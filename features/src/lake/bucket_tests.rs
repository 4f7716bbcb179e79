//! A lake in a bucket is the same lake, also when several machines write it at once, and wherever one of them gives up.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bucket::Bucket;
use chrono::TimeDelta;
use domain::{Chance, Clock, event::Kind};
use object_store::memory::InMemory;
use tempfile::TempDir;

use super::{
    Lake, LakeError,
    bucket_disk::BucketDisk,
    compact_tests::{End, FailingDisk, give, half_merge, read, some_events},
    disk::{Disk, DiskFile, Entry, Fetched, Over},
    lock::Lock,
    testing::{MARCH_US, event},
};

/// A store, and the machines that work with a lake in it.
struct Place {
    store: Arc<InMemory>,
    caches: TempDir,
    clock: Clock,
}

impl Place {
    fn new() -> Self {
        let clock = Clock::standing_at(Clock::system().now());
        Self { store: Arc::new(InMemory::new()), caches: tempfile::tempdir().unwrap(), clock }
    }

    fn disk(&self, machine: &str) -> BucketDisk {
        let bucket = Bucket::over(self.store.clone(), "shop", "events/lake").unwrap();
        BucketDisk::with_cache(bucket, self.caches.path().join(machine), self.clock.clone()).unwrap()
    }

    fn lake(&self, machine: &str) -> Lake {
        Lake::on(self.disk(machine))
    }

    fn bucket(&self) -> Bucket {
        Bucket::over(self.store.clone(), "shop", "").unwrap()
    }
}

#[test]
fn a_lake_in_a_bucket_holds_what_one_in_a_folder_holds() {
    let (place, folder) = (Place::new(), tempfile::tempdir().unwrap());
    let (ours, local) = (place.lake("one"), Lake::at(folder.path()));
    assert!(!ours.exists().unwrap() && ours.partitions(Kind::Click).unwrap().is_empty());
    let chance = Chance::seeded(21);
    let written: Vec<_> = (0..500)
        .map(|at| event(Kind::ALL[at % Kind::ALL.len()], MARCH_US + at as i64 * 700_000_000, &chance))
        .collect();
    for lake in [&ours, &local] {
        let mut writer = lake.rewrite().unwrap();
        written.iter().for_each(|event| writer.push(event).unwrap());
        writer.finish().unwrap();
        give(lake, &some_events(22, 60)).unwrap();
        give(lake, &some_events(22, 60)).unwrap();
    }
    assert_eq!(ours.summary().unwrap(), local.summary().unwrap());
    for lake in [&ours, &local] {
        lake.compact(|_| {}).unwrap();
    }
    // Another machine has read nothing of it yet.
    let other = place.lake("two");
    for lake in [&ours, &other] {
        assert!(lake.exists().unwrap());
        assert_eq!(lake.summary().unwrap(), local.summary().unwrap());
        assert!(lake.check(|_| {}).unwrap().is_empty());
        assert_eq!(read(lake), read(&local));
        let planned = lake.scan(Kind::Click, 0..i64::MAX).unwrap().collect().unwrap();
        assert!(planned.equals_missing(&local.scan(Kind::Click, 0..i64::MAX).unwrap().collect().unwrap()));
    }
    let names = |folder: &str| {
        place.bucket().list(folder).unwrap().into_iter().map(|object| object.name).collect::<Vec<_>>()
    };
    assert!(names("events/lake/_incoming").is_empty(), "{:?}", names("events/lake"));
    let files = names("events/lake/clicks");
    assert!(files.iter().all(|name| name.ends_with("/part.parquet")), "{files:?}");
}

#[test]
fn a_note_is_kept_and_told() {
    let place = Place::new();
    let lake = place.lake("one");
    assert_eq!(lake.note("_imports/a.json").unwrap(), None);
    lake.keep_note("_imports/a.json", "first").unwrap();
    lake.keep_note("_imports/a.json", "second").unwrap();
    assert_eq!(place.lake("two").note("_imports/a.json").unwrap().as_deref(), Some("second"));
}

#[test]
fn what_is_wrong_is_told_with_the_address() {
    let place = Place::new();
    let lake = place.lake("one");
    give(&lake, &some_events(23, 20)).unwrap();
    let half = "events/lake/_incoming/clicks/half.parquet";
    assert!(matches!(place.bucket().put(half, "PAR1", bucket::When::Always), Ok(bucket::Written::Done(_))));
    let told = lake.compact(|_| {}).unwrap_err().to_string();
    assert!(
        told.starts_with("s3://shop/events/lake/_incoming/clicks/half.parquet is not a whole Parquet file"),
        "{told}"
    );
}

#[test]
fn a_machine_that_is_killed_at_any_step_leaves_what_the_next_finishes() {
    for step in 0.. {
        let place = Place::new();
        let all = half_merge(&place.lake("one"));
        let disk = FailingDisk::new(Arc::new(place.disk("one")), step, End::Killed);
        let failing = Lake { disk: Arc::new(disk.clone()), ..place.lake("one") };
        let outcome = failing.compact(|_| {});
        if !disk.is_over() {
            outcome.unwrap();
            assert!(25 < step, "a compaction has more than {step} steps");
            return;
        }
        drop(failing);
        // It may be another machine that goes on.
        let lake = place.lake(["one", "two"][step as usize % 2]);
        assert_eq!(lake.check(|_| {}).unwrap().len(), 0, "step {step}");
        let between = read(&lake);
        assert!(25 <= between.len() && between.iter().all(|event| all.contains(event)), "step {step}");
        lake.compact(|_| {}).unwrap();
        assert_eq!(read(&lake), all, "step {step}");
    }
}

/// A disk on which something happens right before a file is put in its place.
struct Meanwhile {
    disk: BucketDisk,
    left: Mutex<usize>,
    happens: Box<dyn Fn() + Send + Sync>,
}

impl Disk for Meanwhile {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.make_folder(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create_new(path)
    }

    fn rename(&self, from: &Path, to: &Path, over: Over<'_>) -> io::Result<()> {
        let mut left = self.left.lock().unwrap();
        if *left == 0 {
            (self.happens)();
        }
        *left = left.wrapping_sub(1);
        drop(left);
        self.disk.rename(from, to, over)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_folder(path)
    }

    fn has_folder(&self, path: &Path) -> io::Result<bool> {
        self.disk.has_folder(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.disk.list(folder)
    }

    fn find(&self, path: &Path) -> io::Result<Option<Entry>> {
        self.disk.find(path)
    }

    fn fetch(&self, entry: &Entry) -> io::Result<Fetched> {
        self.disk.fetch(entry)
    }

    fn text(&self, path: &Path) -> io::Result<Option<String>> {
        self.disk.text(path)
    }

    fn lock(&self, root: &Path) -> io::Result<Option<Lock>> {
        self.disk.lock(root)
    }
}

/// Two machines merge at once; one of them gets in at any moment of the other's work.
#[test]
fn of_two_machines_that_merge_at_once_neither_loses_what_the_other_brought() {
    let mut late = 0;
    for left in 0.. {
        let place = Place::new();
        let mut all = half_merge(&place.lake("one"));
        let (other, brought) = (place.lake("two"), some_events(27, 40));
        all.extend(brought.clone());
        all.sort_by_key(|known| (known.known_at_us, known.event.occurred_at_us()));
        let meanwhile = Meanwhile {
            disk: place.disk("one"),
            left: Mutex::new(left),
            happens: Box::new(move || {
                // More arrives, so that the other one writes something else where this one is about to.
                give(&other, &brought).unwrap();
                other.compact(|_| {}).unwrap();
            }),
        };
        let disk = Arc::new(meanwhile);
        let lake = Lake { disk: disk.clone(), ..place.lake("one") };
        match lake.compact(|_| {}) {
            Ok(_) => {}
            Err(LakeError::Busy { .. }) => late += 1,
            Err(error) => panic!("{error}"),
        }
        if *disk.left.lock().unwrap() < usize::MAX / 2 {
            // It has no more files than this, and nothing happened.
            break;
        }
        let lake = place.lake("three");
        lake.compact(|_| {}).unwrap();
        assert!(read(&lake) == all, "before file {left}");
        assert!(lake.check(|_| {}).unwrap().is_empty());
    }
    assert!(0 < late, "nobody was ever late");
}

#[test]
fn what_is_written_anew_takes_the_place_of_nothing_that_came_meanwhile() {
    let place = Place::new();
    let (lake, other) = (place.lake("one"), place.lake("two"));
    let mut writer = lake.rewrite().unwrap();
    let size = 1 << 16;
    // Enough of one day for its file to be begun.
    let chance = Chance::seeded(25);
    for at in 0..=size {
        writer.push(&event(Kind::Review, MARCH_US + at, &chance)).unwrap();
    }
    let arrived = event(Kind::Review, MARCH_US + 10, &chance);
    give(&other, std::slice::from_ref(&arrived)).unwrap();
    other.compact(|_| {}).unwrap();
    assert!(matches!(writer.finish(), Err(LakeError::Busy { .. })));
    assert_eq!(read(&place.lake("three")), [arrived]);
}

#[test]
fn events_are_read_while_another_machine_replaces_their_partitions() {
    let place = Place::new();
    let (ours, theirs) = (place.lake("one"), place.lake("two"));
    let events = some_events(11, 60);
    give(&ours, &events[..40]).unwrap();
    ours.compact(|_| {}).unwrap();
    let reading = place.lake("three").events(Kind::ALL, i64::MIN..i64::MAX).unwrap();
    give(&theirs, &events[40..]).unwrap();
    theirs.compact(|_| {}).unwrap();
    let read: Vec<_> = reading.map(Result::unwrap).collect();
    assert!(events[..40].iter().all(|event| read.contains(event)));
    assert!(read.iter().all(|event| events.contains(event)));
}

/// Files of a folder, at any depth.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn what_was_read_is_kept_and_forgotten_after_a_week() {
    let place = Place::new();
    give(&place.lake("one"), &some_events(26, 40)).unwrap();
    place.lake("one").compact(|_| {}).unwrap();
    let lake = place.lake("two");
    let first = read(&lake);
    let kept = files(&place.caches.path().join("two"));
    let partitions: u64 = lake.summary().unwrap().iter().map(|table| table.partitions).sum();
    assert_eq!(kept.len() as u64, partitions);
    // What is kept is what is read, for as long as somebody reads it.
    let click = kept.iter().find(|path| path.to_str().unwrap().contains("/clicks/")).unwrap();
    fs::write(click, "no longer Parquet").unwrap();
    for _ in 0..3 {
        place.clock.advance(TimeDelta::days(6));
        assert_eq!(place.lake("two").check(|_| {}).unwrap().len(), 1);
    }
    place.clock.advance(TimeDelta::days(7));
    assert_eq!(read(&place.lake("two")), first);
}
