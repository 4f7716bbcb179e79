//! The log against a model of a few lines: what was promised is read once and in order, whatever happens.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{
    simulated_disk::{Fault, SimulatedDisk},
    *,
};

const SEGMENT: u32 = 4 << 10;
const DURABILITIES: [Durability; 2] = [Durability::Commit, Durability::Interval(Duration::from_millis(1))];

#[derive(Debug, Clone)]
enum Action {
    /// Append records of these lengths at the same time.
    Append(Vec<u16>),
    /// Read some records, and remember them as shipped.
    Ship(usize),
    /// Read some records, and forget it: the process dies before they are remembered.
    ReadInVain(usize),
    Fail(Fault),
    /// Close in peace and open again.
    Reopen,
    /// The process dies after so many operations of the disk, with appends under way.
    Kill(u32, Vec<u16>),
    /// The power goes after so many operations of the disk, with appends under way.
    CutPower(u32, Vec<u16>),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let lengths = || prop::collection::vec(0u16..900, 1..20);
    let action = prop_oneof![
        8 => lengths().prop_map(Action::Append),
        4 => (1usize..40).prop_map(Action::Ship),
        1 => (1usize..40).prop_map(Action::ReadInVain),
        1 => prop_oneof![Just(Fault::Full), Just(Fault::Write), Just(Fault::Sync)].prop_map(Action::Fail),
        1 => Just(Action::Reopen),
        2 => (0u32..30, lengths()).prop_map(|(after, lengths)| Action::Kill(after, lengths)),
        3 => (0u32..30, lengths()).prop_map(|(after, lengths)| Action::CutPower(after, lengths)),
    ];
    prop::collection::vec(action, 1..40)
}

/// What must be true of the records, by number.
#[derive(Default)]
struct Model {
    next: u32,
    /// Promised, and not yet shipped.
    promised: BTreeSet<u32>,
    /// Refused: they must never be read.
    refused: BTreeSet<u32>,
    /// The highest number that was read since shipping last went back.
    last_read: Option<u32>,
}

struct World {
    disk: SimulatedDisk,
    settings: Settings,
    wal: Wal,
    reader: Reader,
    model: Model,
    dice: u32,
}

impl World {
    fn new(durability: Durability, dice: u32) -> Self {
        let disk = SimulatedDisk::default();
        let settings = Settings { durability, segment_bytes: SEGMENT, queue: 64, lanes: 1 };
        let (wal, reader) = Wal::open_on(Arc::new(disk.clone()), settings).unwrap();
        Self { disk, settings, wal, reader, model: Model::default(), dice }
    }

    fn open(&mut self) {
        self.disk.heal();
        let (wal, reader) = Wal::open_on(Arc::new(self.disk.clone()), self.settings).unwrap();
        (self.wal, self.reader) = (wal, reader);
        self.model.last_read = None;
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Append(lengths) => self.append(&lengths, false).await,
            Action::Ship(count) => self.ship(count),
            Action::ReadInVain(count) => {
                self.read(count);
                let position = position::load(&self.disk).unwrap();
                self.wal.close().await;
                self.open();
                assert_eq!(position, position::load(&self.disk).unwrap());
            }
            Action::Fail(fault) => self.disk.fail_next(fault),
            Action::Reopen => {
                self.wal.close().await;
                self.open();
            }
            Action::Kill(after, lengths) => {
                self.disk.cut_power_after(after);
                self.append(&lengths, true).await;
                self.disk = self.disk.after_kill();
                self.open();
            }
            Action::CutPower(after, lengths) => {
                self.disk.cut_power_after(after);
                self.append(&lengths, true).await;
                self.disk = self.disk.after_power_cut(dice(&mut self.dice));
                self.open();
            }
        }
    }

    /// Appends at the same time; a refusal by a disk without power says nothing about what it kept.
    async fn append(&mut self, lengths: &[u16], loses_power: bool) {
        let before = self.wal.counts();
        let mut waiting = Vec::new();
        for length in lengths {
            let number = self.model.next;
            self.model.next += 1;
            let mut record = number.to_le_bytes().to_vec();
            record.resize(4 + usize::from(*length), number as u8);
            let wal = self.wal.clone();
            waiting.push((number, tokio::spawn(async move { wal.append(record).await })));
        }
        let mut refused = 0;
        for (number, outcome) in waiting {
            match outcome.await.unwrap() {
                Ok(()) if self.settings.durability == Durability::Commit => {
                    self.model.promised.insert(number);
                }
                Ok(()) => {}
                Err(_) => {
                    refused += 1;
                    if !loses_power {
                        self.model.refused.insert(number);
                    }
                }
            }
        }
        let counts = self.wal.counts();
        assert_eq!(counts.accepted, counts.durable + counts.refused + counts.in_flight);
        assert_eq!(counts.accepted - before.accepted, lengths.len() as u64);
        if self.settings.durability == Durability::Commit {
            assert_eq!(counts.in_flight, 0);
            assert_eq!(counts.refused - before.refused, refused);
        }
    }

    fn read(&mut self, count: usize) -> (Vec<u32>, Option<Position>) {
        let Ok(batch) = self.reader.read(count) else { return (Vec::new(), None) };
        assert_eq!(batch.damage, []);
        let numbers: Vec<u32> = batch.records.iter().map(|record| number_of(record)).collect();
        for number in &numbers {
            assert!(self.model.last_read < Some(*number), "{number} comes late or twice");
            assert!(!self.model.refused.contains(number), "{number} had been refused");
            self.model.last_read = Some(*number);
        }
        (numbers, Some(batch.end))
    }

    fn ship(&mut self, count: usize) {
        let (numbers, end) = self.read(count);
        for number in numbers {
            self.model.promised.remove(&number);
        }
        if let Some(end) = end {
            // A disk that fails here only has the same records read again after the next opening.
            let _ = self.reader.free(end);
        }
    }

    /// Everything that was promised comes out in the end.
    async fn drain(mut self) {
        self.wal.close().await;
        self.open();
        while !self.reader.is_at_end() {
            self.ship(7);
        }
        assert_eq!(self.model.promised, BTreeSet::new(), "promised and lost");
        assert!(recovery::segments(&self.disk).unwrap().is_empty(), "everything shipped is freed");
    }
}

fn number_of(record: &[u8]) -> u32 {
    let number = u32::from_le_bytes(record[..4].try_into().unwrap());
    assert!(record[4..].iter().all(|byte| *byte == number as u8), "{number} is not what was appended");
    number
}

fn dice(state: &mut u32) -> impl FnMut() -> u32 {
    move || {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *state >> 8
    }
}

/// Each test has a thread, and so a lane, of its own.
fn run(future: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().on_thread_park(thread_parks).build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_was_promised_is_read_once_and_in_order(actions in actions(), seed: u32, mode in 0usize..2) {
        // Half of the time as on a thread that takes clicks.
        if seed.is_multiple_of(2) {
            gather_until_parked();
        }
        run(async move {
            let mut world = World::new(DURABILITIES[mode], seed);
            for action in actions {
                world.act(action).await;
            }
            world.drain().await;
        });
    }

    #[test]
    fn a_segment_cut_anywhere_opens_with_every_whole_frame(cut in 0usize..SEGMENT as usize, zeros: bool) {
        run(async move {
            let mut world = World::new(Durability::Commit, 0);
            // Number nought is all zeros, and so is what a cut leaves.
            world.model.next = 1;
            for _ in 0..10 {
                world.append(&[100], false).await;
            }
            let name = recovery::segment_name(1);
            let mut bytes = world.disk.bytes_of(&name);
            bytes.truncate(cut);
            if zeros {
                bytes.resize(SEGMENT as usize, 0);
            }
            world.disk = SimulatedDisk::default();
            let file = world.disk.create(&name).unwrap();
            file.write_at(&bytes, 0).unwrap();
            world.disk.sync_folder().unwrap();
            let frame = frame::FRAME_HEADER as usize + 104;
            let whole = cut.saturating_sub(frame::SEGMENT_HEADER as usize) / frame;
            world.open();
            let (numbers, _) = world.read(100);
            assert_eq!(numbers, (1..=whole.min(10) as u32).collect::<Vec<_>>());
        });
    }

    #[test]
    fn damage_is_reported_and_what_follows_is_read(at in 0usize..1200, reopens: bool) {
        run(async move {
            let mut world = World::new(Durability::Commit, 0);
            for _ in 0..12 {
                world.append(&[100], false).await;
            }
            let frame = frame::FRAME_HEADER as usize + 104;
            world.disk.corrupt(&recovery::segment_name(1), frame::SEGMENT_HEADER as usize + at);
            if reopens {
                world.wal.close().await;
                world.open();
            }
            let batch = world.reader.read(100).unwrap();
            let numbers: Vec<u32> = batch.records.iter().map(|record| number_of(record)).collect();
            let lost = (at / frame) as u32;
            assert_eq!(numbers, (0..12).filter(|number| *number != lost).collect::<Vec<_>>());
            let begin = frame::SEGMENT_HEADER + lost * frame as u32;
            assert_eq!(batch.damage, [Damage { sequence: 1, bytes: begin..begin + frame as u32 }]);
            world.reader.free(Position::start_of(2)).unwrap();
            assert!(world.disk.list().unwrap().contains(&"00000000000000000001.wal.damaged".to_owned()));
        });
    }
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    run(async {
        let mut world = World::new(Durability::Commit, 0);
        world.disk.fail_next(Fault::Full);
        assert_eq!(world.wal.append(vec![0; 4]).await, Err(AppendError::DiskFull));
        assert!(!world.wal.is_well());
        world.model.next = 1;
        world.append(&[10], false).await;
        assert!(world.wal.is_well());
        assert_eq!(world.model.promised.len(), 1);
        world.drain().await;
    });
}

#[test]
fn a_write_that_stops_half_way_leaves_nothing() {
    run(async {
        let mut world = World::new(Durability::Commit, 0);
        world.append(&[10, 20], false).await;
        world.disk.fail_next(Fault::Write);
        world.append(&[30, 40], false).await;
        world.append(&[10], false).await;
        assert!(!world.model.refused.is_empty());
        world.drain().await;
    });
}

#[test]
fn nothing_is_promised_after_a_failed_sync() {
    run(async {
        for durability in DURABILITIES {
            let world = World::new(durability, 0);
            world.wal.append(vec![0; 4]).await.unwrap();
            while 0 < world.wal.counts().in_flight {
                tokio::task::yield_now().await;
            }
            world.disk.fail_next(Fault::Sync);
            let first = world.wal.append(vec![0; 4]).await;
            while 0 < world.wal.counts().in_flight {
                tokio::task::yield_now().await;
            }
            if durability == Durability::Commit {
                assert_eq!(first, Err(AppendError::Stopped));
            }
            assert_eq!(world.wal.append(vec![0; 4]).await, Err(AppendError::Stopped));
            assert!(!world.wal.is_well());
            let counts = world.wal.counts();
            assert_eq!((counts.accepted, counts.durable, counts.refused), (3, 1, 2));
        }
    });
}

#[test]
fn a_full_queue_refuses_at_once() {
    run(async {
        let world = World::new(Durability::Commit, 0);
        // On a runtime of one thread nothing is awaited in between, but the writer's thread may take some.
        let appends: Vec<_> = (0..100_000)
            .map(|_| {
                let wal = world.wal.clone();
                async move { wal.append(vec![0; 4]).await }
            })
            .collect();
        let outcomes = futures_util::future::join_all(appends).await;
        let refused = outcomes.iter().filter(|outcome| **outcome == Err(AppendError::Full)).count() as u64;
        let counts = world.wal.counts();
        assert!(0 < refused);
        assert_eq!((counts.accepted, counts.refused, counts.in_flight), (100_000, refused, 0));
    });
}

#[test]
fn who_stops_waiting_holds_up_nobody() {
    gather_until_parked();
    run(async {
        let mut world = World::new(Durability::Commit, 0);
        for quitter in 0..20 {
            let begun: Vec<_> = (0..20).map(|_| tokio::spawn(world.wal.append(vec![0; 4]))).collect();
            // Each gets as far as waiting, and the first among them would be the one to wake the others.
            tokio::task::yield_now().await;
            begun[quitter].abort();
            for (number, append) in begun.into_iter().enumerate() {
                let outcome = append.await;
                assert!(number == quitter || outcome.unwrap() == Ok(()));
            }
        }
        world.wal.close().await;
        world.open();
        assert_eq!(world.reader.read(1_000).unwrap().records.len(), 400, "also those nobody waited for");
    });
}

#[test]
fn threads_have_lanes_of_their_own() {
    let disk = SimulatedDisk::default();
    let settings =
        Settings { durability: Durability::Commit, segment_bytes: 64 << 10, queue: 4_096, lanes: 4 };
    let (wal, mut reader) = Wal::open_on(Arc::new(disk), settings).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let wal = wal.clone();
            scope.spawn(move || {
                if thread.is_multiple_of(2) {
                    gather_until_parked();
                }
                run(async move {
                    for number in 0..200u8 {
                        wal.append([thread, number]).await.unwrap();
                    }
                });
            });
        }
    });
    let mut next = [0; 8];
    while !reader.is_at_end() {
        for record in reader.read(100).unwrap().records {
            let [thread, number] = record[..] else { panic!("{record:?} is not what was appended") };
            assert_eq!(number, next[usize::from(thread)], "a thread's records keep their order");
            next[usize::from(thread)] += 1;
        }
    }
    assert_eq!(next, [200; 8]);
    let counts = wal.counts();
    assert_eq!((counts.accepted, counts.durable, counts.refused), (1_600, 1_600, 0));
}

#[test]
fn a_record_that_is_too_long_is_refused() {
    run(async {
        let world = World::new(Durability::Commit, 0);
        assert_eq!(world.wal.append(vec![0; SEGMENT as usize]).await, Err(AppendError::TooLong));
        let longest = writer::record_limit(SEGMENT) as usize;
        assert_eq!(world.wal.append(vec![0; longest]).await, Ok(()));
        assert_eq!(world.wal.append(vec![0; longest]).await, Ok(()));
    });
}

#[test]
fn one_sync_serves_all_who_wait() {
    run(async {
        let mut world = World::new(Durability::Commit, 0);
        world.append(&[8; 60], false).await;
        assert!(world.wal.counts().syncs < 60);
    });
}

#[test]
fn the_folder_has_one_writer() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (wal, reader) = Wal::open(folder.path(), Settings::default()).unwrap();
        wal.append(b"one").await.unwrap();
        assert!(matches!(Wal::open(folder.path(), Settings::default()), Err(OpenError::Locked)));
        wal.close().await;
        drop((wal, reader));
        let (_, mut reader) = Wal::open(folder.path(), Settings::default()).unwrap();
        assert_eq!(reader.read(9).unwrap().records, [b"one".to_vec()]);
    });
}

#[test]
fn shipped_segments_give_their_room_back() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { segment_bytes: SEGMENT, ..Settings::default() };
        let (wal, mut reader) = Wal::open(folder.path(), settings).unwrap();
        for number in 0..100u8 {
            wal.append(vec![number; 200]).await.unwrap();
        }
        let segments = || std::fs::read_dir(folder.path()).unwrap().filter(is_segment).count();
        assert!(5 < segments(), "the log has gone on in new segments");
        let mut read = Vec::new();
        while !reader.is_at_end() {
            let batch = reader.read(9).unwrap();
            assert_eq!(batch.damage, []);
            read.extend(batch.records.iter().map(|record| record[0]));
            reader.free(batch.end).unwrap();
        }
        assert_eq!(read, (0..100).collect::<Vec<u8>>());
        assert_eq!(segments(), 1, "the one being written is kept");
    });
}

fn is_segment(entry: &io::Result<std::fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "wal")
}

/// Written by the first release; never changes.
const FIXTURE: &[u8] = include_bytes!("fixtures/v1.wal");

async fn write_fixture() -> Vec<u8> {
    let world = World::new(Durability::Commit, 0);
    for record in [&b"one"[..], b"", b"three"] {
        world.wal.append(record).await.unwrap();
    }
    world.wal.close().await;
    Wal::open_on(Arc::new(world.disk.clone()), world.settings).unwrap();
    world.disk.bytes_of(&recovery::segment_name(1))
}

#[test]
fn version_1_stays_readable_and_is_what_is_written() {
    run(async {
        assert_eq!(write_fixture().await, FIXTURE);
        let disk = SimulatedDisk::default();
        disk.create(&recovery::segment_name(1)).unwrap().write_at(FIXTURE, 0).unwrap();
        let (_, mut reader) = Wal::open_on(Arc::new(disk), Settings::default()).unwrap();
        let batch = reader.read(9).unwrap();
        assert_eq!(batch.records, [&b"one"[..], b"", b"three"]);
        assert_eq!(batch.damage, []);
    });
}

#[test]
fn a_newer_format_is_refused_and_named() {
    let disk = SimulatedDisk::default();
    let mut header = FIXTURE[..frame::SEGMENT_HEADER as usize].to_vec();
    header[8] = 9;
    header[12..16].fill(0);
    let crc = crc32fast::hash(&header);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    disk.create(&recovery::segment_name(1)).unwrap().write_at(&header, 0).unwrap();
    let Err(error) = Wal::open_on(Arc::new(disk), Settings::default()) else { panic!("it opened") };
    insta::assert_snapshot!(error, @"segment 1 of the log: the segment has format version 9, and this release reads versions up to 1");
}
