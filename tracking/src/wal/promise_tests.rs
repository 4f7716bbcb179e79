//! What the log promises, one case for each promise that the model cannot meet by chance.

use std::sync::Arc;

use super::{
    model_tests::{DURABILITIES, SEGMENT, World, run},
    simulated_disk::{Fault, SimulatedDisk},
    *,
};

#[test]
fn a_full_disk_refuses_and_recovers() {
    run(async {
        let mut world = World::new(Durability::Commit, 0);
        world.disk.fail_next(Fault::Full);
        assert_eq!(world.wal.append(vec![0; 4]).await, Err(AppendError::DiskFull));
        assert!(!world.wal.is_well());
        world.model.next = 1;
        world.append(&[10]).await;
        assert!(world.wal.is_well());
        assert_eq!(world.model.promised.len(), 1);
        world.drain().await;
    });
}

#[test]
fn a_write_that_stops_half_way_leaves_nothing() {
    run(async {
        let mut world = World::new(Durability::Commit, 0);
        world.append(&[10, 20]).await;
        world.disk.fail_next(Fault::Write);
        world.append(&[30, 40]).await;
        world.append(&[10]).await;
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
        gather_until_parked();
        let mut world = World::new(Durability::Commit, 0);
        world.append(&[8; 60]).await;
        assert_eq!(world.wal.counts().syncs, 1, "all were appended before the thread rested");
    });
}

#[test]
fn a_defect_in_the_writer_leaves_nobody_waiting() {
    run(async {
        let world = World::new(Durability::Commit, 0);
        world.wal.append([0; 4]).await.unwrap();
        world.disk.fail_next(Fault::Defect);
        gather_until_parked();
        // The third does not fit into the segment, so the others are written while it is not encoded yet.
        let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(world.wal.append(vec![0; 2_000]))).collect();
        for append in waiting {
            assert_eq!(append.await.unwrap(), Err(AppendError::Stopped));
        }
        assert!(world.wal.append([0; 4]).await.is_err());
        world.wal.close().await;
        assert!(!world.wal.is_well());
    });
}

#[test]
fn a_long_interval_holds_up_neither_a_full_lane_nor_the_end() {
    let hour = Durability::Interval(Duration::from_hours(1));
    let settings = Settings { durability: hour, segment_bytes: 1 << 20, queue: 2_048, lanes: 2 };
    let (wal, mut reader) = Wal::open_on(Arc::new(SimulatedDisk::default()), settings).unwrap();
    let append = |wal: &Wal| {
        run({
            let wal = wal.clone();
            async move { wal.append([0; 4]).await.unwrap() }
        });
    };
    // Records in two lanes ring twice; what matters afterwards must still be heard.
    append(&wal);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            gather_until_parked();
            append(&wal);
        });
    });
    (0..600).for_each(|_| append(&wal));
    while wal.counts().durable < 512 {
        std::thread::yield_now();
    }
    run(async move { wal.close().await });
    assert_eq!(reader.read(1_000).unwrap().records.len(), 602);
}

#[test]
fn what_another_segment_followed_is_never_cut_off() {
    run(async {
        // The process dies at a step that begins the second segment, whose name does not last yet.
        for operations in 10..=13 {
            let hour = Durability::Interval(Duration::from_hours(1));
            let mut world = World::new(hour, 0);
            world.disk.cut_power_after(operations, 0);
            // Four fill the first segment, and all of them become durable together.
            for number in 0..5 {
                world.wal.append([number; 900]).await.unwrap();
            }
            world.wal.close().await;
            assert_eq!(world.wal.counts().durable, 4);
            world.disk = world.disk.after_kill();
            assert_eq!(recovery::segments(&world.disk).unwrap(), [1, 2]);
            world.open();
            let name = recovery::segment_name(1);
            world.disk.corrupt(&name, frame::SEGMENT_HEADER as usize);
            world.disk = world.disk.after_power_cut(|| 0);
            world.open();
            let batch = world.reader.read(9).unwrap();
            let numbers: Vec<u8> = batch.records.iter().map(|record| record[0]).collect();
            assert_eq!(numbers, [1, 2, 3], "after {operations} operations");
            let frame = frame::FRAME_HEADER + 900;
            let bytes = frame::SEGMENT_HEADER..frame::SEGMENT_HEADER + frame;
            assert_eq!(batch.damage, [Damage { sequence: 1, bytes }]);
        }
    });
}

#[test]
fn a_power_cut_while_a_killed_log_is_opened_damages_nothing() {
    run(async {
        let mut world = World::new(Durability::Commit, 0);
        // The process dies between writing the record and making it last.
        world.disk.cut_power_after(6, 0);
        assert!(world.wal.append([7; 100]).await.is_err());
        let killed = world.disk.after_kill();
        for (operations, survives) in (0..15).flat_map(|steps| (0..32u32).map(move |bits| (steps, bits))) {
            let disk = killed.after_kill();
            disk.cut_power_after(operations, 0);
            drop(Wal::open_on(Arc::new(disk.clone()), world.settings));
            let mut dice = 0;
            world.disk = disk.after_power_cut(|| {
                dice += 1;
                survives >> (dice - 1)
            });
            world.open();
            let batch = world.reader.read(9).unwrap();
            assert_eq!(batch.damage, [], "after {operations} operations, of which {survives:b} survives");
            assert!(batch.records.is_empty() || batch.records == [[7; 100]]);
        }
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
