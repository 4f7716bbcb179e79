//! What is written in order comes back, whole and once, in files that any reader of Parquet understands.

use domain::{
    Chance,
    event::{Event, Kind, Known},
};
use tempfile::TempDir;

use super::{
    Lake, LakeError,
    part::GROUP_ROWS,
    schema::Table,
    testing::{MARCH_US, event, first},
};

const ALL: std::ops::Range<i64> = i64::MIN..i64::MAX;

fn lake() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::at(folder.path().join("lake"));
    (folder, lake)
}

fn read(lake: &Lake, kinds: &[Kind]) -> Vec<Known<Event>> {
    lake.events(kinds, ALL).unwrap().map(Result::unwrap).collect()
}

fn by_known_at(mut events: Vec<Known<Event>>) -> Vec<Known<Event>> {
    events.sort_by_key(|known| (known.known_at_us, known.event.occurred_at_us()));
    events
}

#[test]
fn every_kind_of_event_survives_its_columns() {
    let (_folder, lake) = lake();
    let chance = Chance::seeded(1);
    let mut events = Vec::new();
    for minute in 0..3_000 {
        let kind = Kind::ALL[minute % Kind::ALL.len()];
        events.push(event(kind, MARCH_US + minute as i64 * 60_000_000, &chance));
    }
    let mut writer = lake.rewrite().unwrap();
    events.iter().for_each(|event| writer.push(event).unwrap());
    let written = writer.finish().unwrap();
    // 50 hours: 50 files of clicks, 50 of impressions, three of every other kind.
    assert_eq!((written.events, written.files), (3_000, 50 + 50 + 6 * 3));
    assert_eq!(read(&lake, Kind::ALL), by_known_at(events));
}

#[test]
fn a_file_is_sorted_and_has_each_event_once_as_it_was_known_first() {
    let (_folder, lake) = lake();
    let chance = Chance::seeded(2);
    let mut moment: Vec<_> = (0..20).map(|_| event(Kind::Conversion, MARCH_US, &chance)).collect();
    let again = Known { known_at_us: moment[7].known_at_us - 1, ..moment[7].clone() };
    moment.insert(3, again.clone());
    let mut writer = lake.rewrite().unwrap();
    moment.iter().for_each(|event| writer.push(event).unwrap());
    assert_eq!(writer.finish().unwrap().events, 20);

    let part = first(&lake, Kind::Conversion);
    let frame = part.rows_of(0, 100).unwrap();
    let ids: Vec<_> =
        frame.column("id").unwrap().str().unwrap().iter().flatten().map(str::to_owned).collect();
    assert!(ids.is_sorted());
    assert!(read(&lake, &[Kind::Conversion]).contains(&again));
    assert!(!read(&lake, &[Kind::Conversion]).contains(&moment[8]));
}

#[test]
fn a_partition_that_is_written_again_is_replaced() {
    let (_folder, lake) = lake();
    let chance = Chance::seeded(3);
    let first = event(Kind::Click, MARCH_US, &chance);
    let (next_hour, other) =
        (event(Kind::Click, MARCH_US + 3_600_000_000, &chance), event(Kind::Click, MARCH_US + 1, &chance));
    for events in [vec![first, next_hour.clone()], vec![other.clone()]] {
        let mut writer = lake.rewrite().unwrap();
        events.iter().for_each(|event| writer.push(event).unwrap());
        writer.finish().unwrap();
    }
    assert_eq!(read(&lake, &[Kind::Click]), by_known_at(vec![other, next_hour]));
}

#[test]
fn the_same_events_are_the_same_bytes() {
    let bytes = || {
        let (_folder, lake) = lake();
        let chance = Chance::seeded(4);
        let mut writer = lake.rewrite().unwrap();
        (0..5_000).for_each(|at| writer.push(&event(Kind::Click, MARCH_US + at, &chance)).unwrap());
        writer.finish().unwrap();
        std::fs::read(lake.root().join(lake.partitions(Kind::Click).unwrap()[0].file())).unwrap()
    };
    assert!(bytes() == bytes());
}

#[test]
fn an_event_out_of_order_is_refused_and_leaves_nothing_half_written() {
    let (_folder, lake) = lake();
    let chance = Chance::seeded(5);
    let mut writer = lake.rewrite().unwrap();
    writer.push(&event(Kind::Refund, MARCH_US, &chance)).unwrap();
    let error = writer.push(&event(Kind::Refund, MARCH_US - 1, &chance)).unwrap_err();
    insta::assert_snapshot!(error, @"refunds must be written in the order in which they happened, and one of 1772323199999999 µs came after 1772323200000000 µs");
    drop(writer);
    assert_eq!(lake.partitions(Kind::Refund).unwrap(), []);
}

#[test]
fn one_writer_of_partitions_at_a_time() {
    let (_folder, lake) = lake();
    let writer = lake.rewrite().unwrap();
    assert!(matches!(lake.rewrite().err(), Some(LakeError::Busy { .. })));
    drop(writer);
    lake.rewrite().unwrap();
}

#[test]
fn a_large_partition_is_row_groups_with_statistics() {
    let (_folder, lake) = lake();
    let chance = Chance::seeded(6);
    let rows = 2 * GROUP_ROWS + 10;
    let mut writer = lake.rewrite().unwrap();
    let one = event(Kind::Review, MARCH_US, &chance);
    for at in 0..rows {
        let Event::Review(review) = &one.event else { unreachable!() };
        let review = domain::event::Review { occurred_at_us: MARCH_US + at as i64, ..review.clone() };
        writer.push(&Known { event: Event::Review(review), known_at_us: MARCH_US - at as i64 }).unwrap();
    }
    writer.finish().unwrap();
    let part = first(&lake, Kind::Review);
    let groups: Vec<_> = part.groups().collect();
    assert_eq!(groups, [(0, GROUP_ROWS), (GROUP_ROWS, GROUP_ROWS), (2 * GROUP_ROWS, 10)]);
    assert_eq!(part.range_us("occurred_at"), Some((MARCH_US, MARCH_US + rows as i64 - 1)));
    assert_eq!(part.range_us("known_at"), Some((MARCH_US - rows as i64 + 1, MARCH_US)));
}

#[test]
fn a_plan_reads_what_happened_within_a_range() {
    let (_folder, lake) = lake();
    let chance = Chance::seeded(7);
    let mut writer = lake.rewrite().unwrap();
    for hour in 0..48 {
        writer.push(&event(Kind::Click, MARCH_US + hour * 3_600_000_000 + 1, &chance)).unwrap();
    }
    writer.finish().unwrap();
    let rows = |range| lake.scan(Kind::Click, range).unwrap().collect().unwrap().height();
    assert_eq!(rows(ALL), 48);
    assert_eq!(rows(MARCH_US..MARCH_US + 1), 0);
    assert_eq!(rows(MARCH_US + 1..MARCH_US + 2), 1);
    assert_eq!(rows(MARCH_US + 1..MARCH_US + 24 * 3_600_000_000 + 2), 25);
    let empty = lake.scan(Kind::Impression, ALL).unwrap().collect().unwrap();
    assert_eq!(*empty.schema().as_ref(), Table::of(Kind::Impression).schema());
}
