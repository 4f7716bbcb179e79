//! What must hold of every feature there is, before its author has written a test.

use std::{collections::HashSet, fmt::Write as _};

use super::world::stream::World;
use features::{
    definition::Computed,
    defs::{ALL, sets::SETS},
    entity::{Entity, Keys},
    fact::Request,
    online::{Bounds, State},
    set::FeatureSet,
};

/// The manual, below the workspace's folder.
const MANUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/features.md");

/// What was asked for in the first place.
const FIRST_FOURTEEN: [&str; 14] = [
    "click_to_conversion_seconds",
    "hour_of_day",
    "day_of_week",
    "ip_country_match",
    "ip_clicks_24h",
    "ip_conversions_24h",
    "is_mobile",
    "has_fingerprint",
    "fingerprint_seen_before",
    "affiliate_conversion_rate",
    "affiliate_fraud_rate",
    "affiliate_age_days",
    "email_domain_free",
    "email_domain_disposable",
];

#[test]
fn names_are_unique_and_docs_are_sentences() {
    let names: HashSet<&str> = ALL.iter().map(|feature| &*feature.name).collect();
    assert_eq!(names.len(), ALL.len());
    for feature in ALL.iter() {
        assert!(feature.doc.ends_with('.') && feature.doc.starts_with(char::is_uppercase), "{}", feature.doc);
        assert!(!feature.doc.contains(",."), "{}", feature.doc);
    }
    assert!(FIRST_FOURTEEN.iter().all(|name| names.contains(name)));
}

#[test]
fn every_kind_of_entity_has_features() {
    for entity in Entity::ALL {
        assert!(ALL.iter().any(|feature| feature.entity == *entity), "{entity}");
    }
}

#[test]
fn sets_are_different_and_their_fingerprints_are_those_of_their_definitions() {
    let names: HashSet<String> = SETS.iter().map(FeatureSet::full_name).collect();
    assert_eq!(names.len(), SETS.len());
    for set in SETS.iter() {
        let places: HashSet<&str> = set.features.iter().map(|feature| &*feature.name).collect();
        assert_eq!(places.len(), set.features.len(), "{} lists a feature twice", set.full_name());
        let mut turned = set.clone();
        turned.features.swap(0, 1);
        assert_ne!(turned.fingerprint(), set.fingerprint(), "the order belongs to {}", set.full_name());
    }
}

#[test]
fn no_event_is_too_odd() {
    let world = World::new(1, 600);
    let mut state = State::new(&ALL, Bounds::default());
    let everything = FeatureSet { name: "everything".to_owned(), version: 1, features: ALL.clone() };
    let prepared = state.prepare(&everything).expect("it is kept");
    let mut values = Vec::new();
    for (place, known) in world.told.iter().enumerate() {
        let mut odd = known.clone();
        let times = [i64::MIN, -1, 0, i64::MAX - 1, i64::MAX];
        odd.known_at_us = times[place % times.len()];
        if let domain::event::Event::Conversion(conversion) = &mut odd.event {
            conversion.occurred_at_us = times[place / 5 % times.len()];
            conversion.email_domain = "\u{0}.\u{301}.".repeat(place % 3);
        }
        state.observe(&odd);
        let request = Request { event: &odd.event, click: None };
        state.vector(&prepared, &Keys::of(&odd.event), Some(&request), odd.known_at_us, &mut values);
        assert_eq!(values.len(), ALL.len());
    }
}

#[test]
fn the_manual_is_made_from_the_definitions() {
    let expected = manual();
    if std::env::var_os("RENEW").is_some() {
        std::fs::write(MANUAL, &expected).expect("the manual can be written");
    }
    let found = std::fs::read_to_string(MANUAL).unwrap_or_default();
    assert!(
        found == expected,
        "docs/features.md is not what the definitions say; renew it: \
         RENEW=1 cargo test -p features --test features manual"
    );
}

const HEAD: &str = "\
# Features

Every feature there is, made from the definitions in [features/src/defs](../features/src/defs/mod.rs) by
`RENEW=1 cargo test -p features --test features manual`.

An event counts from the moment at which it has happened *and* is known, until it leaves the window; each id counts
once, and events of one instant all count. What is being judged is told first and then asked about, so that it counts
itself. Windows of up to 24 hours are exact; longer ones move by the hour (up to 14 days) or by the day, and 90 days
are therefore the last 89 to 90. Where nothing happened, counts, sums and rates are zero and everything else is null;
with «null after», they are null too. Counts, sums and seconds are whole numbers, exact; sums of money are in minor
units as they were reported, never exchanged, and mean something where one currency is used. Different things are
counted exactly up to 1,024 and estimated beyond, with a standard error of 1.6 %; a quantile is within 1 %. The
[rules in full](../features/src/definition.rs) stand in the code.
";

fn manual() -> String {
    let mut text = HEAD.to_owned();
    for entity in Entity::ALL {
        let features: Vec<_> = ALL.iter().filter(|feature| feature.entity == *entity).collect();
        write!(text, "\n## {}\n\n{}\n\n", entity.name(), entity.doc()).unwrap();
        text.push_str("| feature | says | computed | owner |\n| --- | --- | --- | --- |\n");
        for feature in features {
            let computed = match &feature.computed {
                Computed::Past(past) => past.to_string(),
                Computed::Request(_) => "from the request".to_owned(),
            };
            writeln!(text, "| `{}` | {} | {computed} | {} |", feature.name, feature.doc, feature.owner)
                .unwrap();
        }
    }
    text.push_str("\n## Sets\n\nThe vectors that models take, in order. A set's fingerprint is SHA-256 over its definitions.\n");
    for set in SETS.iter() {
        let hex: String = set.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
        let names: Vec<String> = set.features.iter().map(|feature| format!("`{}`", feature.name)).collect();
        write!(text, "\n### {}\n\nFingerprint `{hex}`, {} features:\n", set.full_name(), names.len())
            .unwrap();
        writeln!(text, "{}.", names.join(", ")).unwrap();
    }
    text
}
