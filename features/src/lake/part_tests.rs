//! What is wrong with a file is said in one sentence; what an older release wrote is read for ever.

use std::{
    fs::{self, File},
    path::Path,
};

use domain::{
    Chance,
    click::Asked,
    event::{Checks, Event, Kind, Known},
};
use polars::{
    frame::DataFrame,
    prelude::{Column, DataType, KeyValueMetadata, ParquetWriter, TimeUnit},
};
use tempfile::TempDir;

use super::{
    Lake, Partition,
    testing::{MARCH_US, event, first},
};

/// A lake with one review, and where its file is.
fn lake() -> (TempDir, Lake, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::at(folder.path());
    let mut writer = lake.rewrite().unwrap();
    writer.push(&event(Kind::Review, MARCH_US, &Chance::seeded(1))).unwrap();
    writer.finish().unwrap();
    let path = lake.root().join(Partition::of(Kind::Review, MARCH_US).unwrap().file());
    (folder, lake, path)
}

/// Writes the file anew, changed, and says what is told of it, by every way to read it.
fn told(change: impl Fn(&mut DataFrame), about: &[(&str, &str)]) -> String {
    let (folder, lake, path) = lake();
    let mut frame = first(&lake, Kind::Review).rows_of(0, 1).unwrap();
    change(&mut frame);
    let about = about.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let writer = ParquetWriter::new(File::create(&path).unwrap());
    writer.with_key_value_metadata(Some(KeyValueMetadata::from_static(about))).finish(&mut frame).unwrap();
    told_by_all(folder.path(), &lake)
}

fn told_by_all(folder: &Path, lake: &Lake) -> String {
    let said = |error: String| error.replace(folder.to_str().unwrap(), "LAKE");
    let summary = said(lake.summary().unwrap_err().to_string());
    assert_eq!(said(lake.scan(Kind::Review, 0..i64::MAX).err().unwrap().to_string()), summary);
    assert_eq!(said(lake.events(&[Kind::Review], 0..i64::MAX).err().unwrap().to_string()), summary);
    let findings = lake.check(|_| {}).unwrap();
    assert_eq!(
        findings.iter().map(|finding| said(finding.to_string())).collect::<Vec<_>>(),
        [summary.as_str()]
    );
    // Merging something into it neither mends nor harms it.
    let before = fs::read(lake.root().join(Partition::of(Kind::Review, MARCH_US).unwrap().file())).unwrap();
    let mut batch = lake.batch();
    batch.push(&event(Kind::Review, MARCH_US + 1, &Chance::seeded(2))).unwrap();
    batch.finish().unwrap();
    assert_eq!(said(lake.compact(|_| {}).unwrap_err().to_string()), summary);
    assert!(
        before == fs::read(lake.root().join(Partition::of(Kind::Review, MARCH_US).unwrap().file())).unwrap()
    );
    summary
}

const OURS: &[(&str, &str)] = &[("tributary.lake.version", "1"), ("tributary.lake.table", "reviews")];

#[test]
fn a_file_of_another_program_is_refused() {
    insta::assert_snapshot!(told(|_| {}, &[]), @"LAKE/reviews/date=2026-03-01/part.parquet was not written by Tributary, or not for the table reviews: take it away, and bring its rows in with `tributary import`");
    let of_clicks = [("tributary.lake.version", "1"), ("tributary.lake.table", "clicks")];
    assert!(told(|_| {}, &of_clicks).contains("not for the table reviews"));
}

#[test]
fn a_file_of_a_newer_release_is_refused() {
    let newer = [("tributary.lake.version", "3"), ("tributary.lake.table", "reviews")];
    insta::assert_snapshot!(told(|_| {}, &newer), @"LAKE/reviews/date=2026-03-01/part.parquet is of version 3 of the lake's schema, and this release reads up to 2: use the newer release");
}

#[test]
fn a_file_without_a_column_is_refused() {
    let without = |frame: &mut DataFrame| *frame = frame.drop("verdict").unwrap();
    insta::assert_snapshot!(told(without, OURS), @"LAKE/reviews/date=2026-03-01/part.parquet lacks the column verdict: take it away, and export or import its events again");
}

#[test]
fn a_file_with_another_type_is_refused() {
    let other = |frame: &mut DataFrame| {
        let cast = frame
            .column("known_at")
            .unwrap()
            .cast(&DataType::Datetime(TimeUnit::Milliseconds, None))
            .unwrap();
        frame.with_column(cast).unwrap();
    };
    insta::assert_snapshot!(told(other, OURS), @"LAKE/reviews/date=2026-03-01/part.parquet has datetime[ms] in the column known_at, where timestamp (µs, UTC) must be: take it away, and export or import its events again");
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let (folder, lake, path) = lake();
    let whole = fs::read(&path).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let told = told_by_all(folder.path(), &lake);
        let expected = "LAKE/reviews/date=2026-03-01/part.parquet is not a whole Parquet file, it was cut off or damaged: take it away, and export or import its events again (";
        assert!(told.starts_with(expected), "{told}");
        fs::remove_dir_all(lake.root().join("_incoming")).unwrap();
    }
}

#[test]
fn a_value_that_says_nothing_is_named_with_its_event() {
    let (_folder, lake, path) = lake();
    let part = first(&lake, Kind::Review);
    let mut frame = part.rows_of(0, 1).unwrap();
    frame.with_column(Column::new("verdict".into(), ["maybe"])).unwrap();
    let about = OURS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let writer = ParquetWriter::new(File::create(&path).unwrap());
    writer.with_key_value_metadata(Some(KeyValueMetadata::from_static(about))).finish(&mut frame).unwrap();
    let told = lake.events(&[Kind::Review], 0..i64::MAX).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(
        told.ends_with(r#"cannot be read: verdict: "maybe" is not a verdict: expected one of fraud, honest"#),
        "{told}"
    );
}

/// `fixtures/v1` was written by the first release that had a lake. It stays as it is.
#[test]
fn version_1_is_read_for_ever() {
    let fixture = Lake::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lake/fixtures/v1"));
    let events: Vec<_> = fixture.events(Kind::ALL, 0..i64::MAX).unwrap().map(Result::unwrap).collect();
    let mut expected = in_fixture(Kind::HAPPENS);
    for known in &mut expected {
        match &mut known.event {
            Event::Click(visit) => visit.seen.asked = Asked::default(),
            Event::Conversion(conversion) => {
                (conversion.checks, conversion.account_hash) = (Checks::default(), None);
            }
            _ => {}
        }
    }
    assert_eq!(events, expected);
}

/// `fixtures/v2` was written by the first release that kept what forms found out. It stays as it is.
#[test]
fn version_2_is_read_for_ever() {
    let fixture = Lake::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lake/fixtures/v2"));
    let events: Vec<_> = fixture.events(Kind::ALL, 0..i64::MAX).unwrap().map(Result::unwrap).collect();
    assert_eq!(events, in_fixture(Kind::ALL));
}

/// Three events of each of these kinds.
fn in_fixture(kinds: &[Kind]) -> Vec<Known<Event>> {
    let chance = Chance::seeded(2026);
    let mut events: Vec<_> = (0..3 * kinds.len())
        .map(|place| event(kinds[place % kinds.len()], MARCH_US + place as i64 * 1_000_000, &chance))
        .collect();
    events.sort_by_key(|known| (known.known_at_us, known.event.occurred_at_us()));
    events
}

/// Writes the fixture of this version, on the day on which it is made.
#[test]
#[ignore = "writes the fixture of the version that this release writes"]
fn write_the_fixture() {
    let version = super::schema::VERSION;
    let lake = Lake::at(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/lake/fixtures/v{version}")));
    let mut events = in_fixture(Kind::ALL);
    events.sort_by_key(|known| known.event.occurred_at_us());
    let mut writer = lake.rewrite().unwrap();
    events.iter().for_each(|event| writer.push(event).unwrap());
    writer.finish().unwrap();
}
