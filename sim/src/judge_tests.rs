//! Flags are held against what was planted, occurrence by occurrence.

use std::{collections::BTreeSet, fs, path::Path};

use domain::event::Event;

use crate::{
    Record, Settings, World,
    judge::{Case, Columns, Judgement, judge},
    sink::{Facts, Sink},
};

fn columns() -> Columns {
    let named = |name: &str| name.to_owned();
    Columns {
        id: named("conversion_id"),
        flagged: named("flagged"),
        affiliate: named("affiliate_id"),
        only: Some((named("part"), named("test"))),
    }
}

/// A world's truth in a folder, and its conversions: id, whose it is, whether that is fraud.
fn world(seed: u64, folder: &Path) -> Vec<(String, String, bool)> {
    let world = World::new(Settings::new(seed, 60, 20, 20_000)).unwrap();
    let mut facts = Facts::create(folder).unwrap();
    let (mut conversions, mut fraud) = (Vec::new(), BTreeSet::new());
    for record in world.run() {
        match record {
            Record::Event(known) => {
                if let Event::Conversion(order) = known.event {
                    let whose = order.affiliate.map_or_else(String::new, |id| id.to_string());
                    conversions.push((order.id.to_string(), whose));
                }
            }
            Record::Truth(truth) => {
                if let crate::truth::Truth::Label(label) = &*truth
                    && label.nature == crate::Nature::Fraud
                {
                    fraud.insert(label.event.to_string());
                }
                facts.truth(&truth).unwrap();
            }
        }
    }
    Box::new(facts).finish().unwrap();
    conversions.sort();
    conversions.dedup();
    let judged = |(id, whose): (String, String)| {
        let is_fraud = fraud.contains(&id);
        (id, whose, is_fraud)
    };
    conversions.into_iter().map(judged).collect()
}

fn judged(seeds: &[u64], flags: impl Fn(usize, bool) -> bool) -> (Judgement, usize) {
    let folder = tempfile::tempdir().unwrap();
    let (mut cases, mut all_fraud) = (Vec::new(), 0);
    for seed in seeds {
        let place = folder.path().join(seed.to_string());
        let conversions = world(*seed, &place);
        let mut text = "conversion_id,affiliate_id,flagged,part\n".to_owned();
        for (row, (id, whose, is_fraud)) in conversions.iter().enumerate() {
            let flagged = u8::from(flags(row, *is_fraud));
            text.push_str(&format!("{id},{whose},{flagged},test\n{id},{whose},1,fit\n"));
            all_fraud += usize::from(*is_fraud);
        }
        fs::write(place.join("scores.csv"), text).unwrap();
        cases.push(Case { world: place.clone(), scores: place.join("scores.csv") });
    }
    (judge(&cases, &columns()).unwrap(), all_fraud)
}

#[test]
fn who_flags_what_is_fraud_finds_all_of_it_and_nothing_else() {
    let (told, fraud) = judged(&[1, 2], |_, is_fraud| is_fraud);
    assert_eq!(
        (told.fraud.events as usize, told.fraud.flagged as usize, told.honest.flagged),
        (fraud, fraud, 0)
    );
    assert!(3 < told.shares.iter().filter(|share| share.is_fraud).count(), "{told}");
    assert!(told.worst.is_some_and(|(_, _, flagged)| flagged == 0));
    assert_eq!(told.fraud.interval, Some((1.0, 1.0)));
}

#[test]
fn who_flags_by_chance_finds_as_much_fraud_as_honesty() {
    let (told, _) = judged(&[3], |row, _| row % 4 == 0);
    let (low, high) = told.honest.interval.unwrap();
    assert!(low <= 0.25 && 0.25 <= high && high - low < 0.1, "{told}");
    assert!(
        told.honest.share() < told.worst.map(|(_, events, flagged)| flagged as f64 / events as f64).unwrap()
    );
}

#[test]
fn a_column_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    world(4, folder.path());
    fs::write(folder.path().join("scores.csv"), "order,flagged,part\nx,1,test\n").unwrap();
    let case = Case { world: folder.path().to_owned(), scores: folder.path().join("scores.csv") };
    let told = judge(&[case], &columns()).unwrap_err().to_string();
    assert!(told.ends_with("has no column \"conversion_id\"; it has order, flagged, part"), "{told}");
}
