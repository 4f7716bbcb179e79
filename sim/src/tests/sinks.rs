//! What is written is what was told, and the same bytes each time.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use domain::event::{Kind, Known};
use features::lake::Lake;
use polars::prelude::{DataFrame, ParquetReader, SerReader};

use super::{Passed, small};
use crate::{
    Settings, World, sink,
    truth::{EventName, Truth},
    visit::told,
};

fn settings() -> Settings {
    Settings { warm_up_days: 10, clicks: 6_000, days: 4, told_late: 0.05, told_twice: 0.02, ..small(11) }
}

/// Writes a world in every way that there is, below `folder`.
fn write(folder: &Path) {
    let world = World::new(settings()).expect("the test's settings are good");
    let (out, lake) = (folder.join("out"), folder.join("lake"));
    sink::empty_folder(&out).unwrap();
    let partitions = sink::Partitions::create(&lake).unwrap();
    sink::write_network(&out, &world).unwrap();
    let facts = sink::Facts::create(&out).unwrap();
    sink::pour(world.run_as_it_happens(), vec![Box::new(partitions), Box::new(facts)], |_, _| ()).unwrap();
    let lines = sink::Lines::create(&out).unwrap();
    sink::pour(world.run(), vec![Box::new(lines)], |_, _| ()).unwrap();
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>, root: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found, root);
        } else {
            found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
}

#[test]
fn the_same_seed_writes_the_same_bytes_into_every_file() {
    let written = || {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        let mut found = BTreeMap::new();
        files(folder.path(), &mut found, folder.path());
        found
    };
    let (first, second) = (written(), written());
    assert!(100 < first.len());
    assert!(first == second, "not all files are the same");
}

#[test]
fn a_lake_has_every_event_that_was_told_once_as_it_was_known_first() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let lake = Lake::at(folder.path().join("lake"));
    let findings = lake.check(|_| ()).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    let mut first: BTreeMap<EventName, Known<_>> = BTreeMap::new();
    for known in Passed::of(settings()).told {
        first.entry(told::name(&known.event)).or_insert(known);
    }
    let mut found = 0;
    for known in lake.events(Kind::ALL, i64::MIN..i64::MAX).unwrap() {
        let known = known.unwrap();
        assert_eq!(first.get(&told::name(&known.event)), Some(&known));
        found += 1;
    }
    assert_eq!(found, first.len());
}

fn table(folder: &Path, name: &str) -> DataFrame {
    let file = File::open(folder.join("out").join(name).with_extension("parquet")).unwrap();
    ParquetReader::new(file).finish().unwrap()
}

#[test]
fn tables_have_a_row_for_each_fact_and_each_part_of_the_network() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let world = World::new(settings()).unwrap();
    let mut facts: BTreeMap<&str, usize> = Truth::TABLES.iter().map(|name| (*name, 0)).collect();
    let (mut visits, mut ppm) = (0, 0);
    for record in world.run() {
        let crate::Record::Truth(truth) = record else { continue };
        *facts.entry(truth.table()).or_default() += 1;
        if let Truth::Credit(credit) = *truth {
            visits += credit.visits.len();
            ppm += i64::from(1_000_000 - credit.organic_ppm);
        }
    }
    for (name, rows) in facts {
        assert_eq!(table(folder.path(), &format!("truth/{name}")).height(), rows, "{name}");
    }
    let parts = table(folder.path(), "truth/credit_visits");
    assert_eq!(parts.height(), visits);
    assert_eq!(parts.column("ppm").unwrap().i64().unwrap().iter().flatten().sum::<i64>(), ppm);
    for (name, rows) in [
        ("advertisers", world.advertisers.len()),
        ("campaigns", world.campaigns.len()),
        ("affiliates", world.affiliates.len()),
        ("links", world.links.len()),
    ] {
        assert_eq!(table(folder.path(), &format!("network/{name}")).height(), rows, "{name}");
    }
}

#[test]
fn a_folder_that_holds_something_is_refused_until_its_world_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    for part in ["out", "lake"].map(|part| folder.path().join(part)) {
        let refused = sink::empty_folder(&part).unwrap_err().to_string();
        assert!(refused.contains("say --replace"), "{refused}");
        sink::remove_world(&part).unwrap();
        sink::empty_folder(&part).unwrap();
    }
}

#[test]
fn a_lake_can_be_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Settings { clicks: 20_000, days: 12, ..settings() }).unwrap();
    let partitions = sink::Partitions::create(folder.path()).unwrap();
    sink::pour(world.run_as_it_happens(), vec![Box::new(partitions)], |_, _| ()).unwrap();
    let lake = Lake::at(folder.path());
    let tables = crate::glance::tables(&lake).unwrap();
    assert!(tables.lines().any(|line| line.starts_with("clicks ")), "{tables}");
    let partner = crate::glance::most_suspicious(&lake).unwrap().expect("reviewers found somebody out");
    let rate = partner.lines().find(|line| line.contains("affiliate_fraud_rate")).unwrap();
    let rate: f64 = rate.split_whitespace().last().unwrap().parse().unwrap();
    assert!(0.0 < rate, "{partner}");
}
