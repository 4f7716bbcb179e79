//! What a user of the registry sees: publishing, promoting, going back, comparing, checking.

use std::{fs, process::Command};

use super::{
    Action, Alias, Aliases, CARD, Decision, Force, MANIFEST, MODEL, Promotion, REPORT, Reference, Registry,
    SUMS, Version, places::Place,
};
use crate::{
    session::examine,
    tensor::{Tensor, Values},
    testing::{decision, fraud, promote, publication, runtime},
};

const V1: Version = Version(1);
const V2: Version = Version(2);

/// A registry of each kind with these versions.
fn with(aucs: &[f64]) -> [(Place, Registry); 2] {
    Place::all().map(|place| {
        let registry = place.registry();
        for (number, auc) in aucs.iter().enumerate() {
            registry.publish(&fraud(), &publication(1.0 + number as f64, *auc)).unwrap();
        }
        (place, registry)
    })
}

fn path(version: Version, file: &str) -> String {
    format!("fraud/{version}/{file}")
}

fn challenge(registry: &Registry, version: Version) -> Aliases {
    let (model, decision, force) = (fraud(), decision("to be compared"), Force::No);
    registry
        .promote(&Promotion { model, version, alias: Alias::Challenger, decision, force }, &runtime())
        .unwrap()
}

#[test]
fn a_version_is_published_whole_and_checked_by_hand() {
    for (place, registry) in with(&[0.9, 0.91]) {
        assert_eq!(registry.versions(&fraud()).unwrap(), [V1, V2]);
        let copy = tempfile::tempdir().unwrap();
        for file in [MODEL, MANIFEST, CARD, REPORT, SUMS] {
            fs::write(copy.path().join(file), place.read(&path(V2, file))).unwrap();
        }
        let checked =
            Command::new("sha256sum").args(["--check", "--strict", SUMS]).current_dir(copy.path()).output();
        let checked = checked.unwrap();
        assert!(checked.status.success(), "{checked:?}");
        assert_eq!(String::from_utf8_lossy(&checked.stdout).lines().count(), 4);
        let manifest = registry.manifest(&fraud(), V2).unwrap();
        assert_eq!(manifest.about, publication(2.0, 0.91).about);
        assert_eq!(registry.read(&manifest, MODEL).unwrap(), publication(2.0, 0.91).model);
    }
}

#[test]
fn the_same_publication_is_the_same_bytes() {
    let [(one, _), (two, _)] = with(&[0.9]);
    let [(three, _), _] = with(&[0.9]);
    for file in [MODEL, MANIFEST, CARD, REPORT, SUMS] {
        let bytes = one.read(&path(V1, file));
        assert_eq!(two.read(&path(V1, file)), bytes, "{file}");
        assert_eq!(three.read(&path(V1, file)), bytes, "{file}");
    }
}

#[test]
fn what_does_not_hold_together_is_not_published() {
    for (_place, registry) in with(&[]) {
        let mut wrong = publication(1.0, f64::NAN);
        wrong.about.parity.clear();
        wrong.about.thresholds[0].output = "risk".to_owned();
        wrong.about.features.names.push("age".to_owned());
        let sentence = registry.publish(&fraud(), &wrong).unwrap_err().to_string();
        for fault in [
            "the columns of its inputs are not the features of its set",
            r#"the metric "roc_auc" is not a finite number"#,
            r#"the threshold "hold" is on "risk", which is no output"#,
            "it has no parity vector",
        ] {
            assert!(sentence.contains(fault), "{sentence}");
        }
        assert!(registry.list(None).unwrap().is_empty());
        let sentence = registry.versions(&fraud()).unwrap_err().to_string();
        assert_eq!(sentence, "there is no model fraud: the registry holds none");
    }
}

#[test]
fn the_card_says_what_the_manifest_knows() {
    for (_place, registry) in with(&[0.9]) {
        let card = registry.card(&fraud(), V1).unwrap();
        for line in [
            "# fraud, version 1",
            "| made by | job `fraud` at commit `0123abc`, seed 7 |",
            "| features | `fraud_v1`, 2 of them |",
            "1000 rows from 2026-01-01T00:00:00+00:00 to 2026-02-01T00:00:00+00:00",
            "| roc_auc | 0.9000 | 0.8900 – 0.9100 (95 %) | higher is better; may lose 0.005 against the champion |",
            "| hold | score ≥ 0.9 | false_positive_rate ≤ 0.02 | false_positive_rate 0.0150 [0.0050, 0.0250] |",
            "| `x` | float64 [rows, 2] | `amount` `clicks` |",
            "3 rows with what it must say",
        ] {
            assert!(card.contains(line), "{line} is not in\n{card}");
        }
    }
}

#[test]
fn a_champion_is_made_and_its_history_says_who_and_why() {
    for (_place, registry) in with(&[0.9, 0.92]) {
        promote(&registry, V1, Force::No).unwrap();
        challenge(&registry, V2);
        let aliases = promote(&registry, V2, Force::No).unwrap();
        // What became champion is no challenger of itself.
        assert_eq!((aliases.champion, aliases.challenger), (Some(V2), None));
        assert_eq!(registry.aliases(&fraud()).unwrap(), aliases);
        let moves: Vec<_> = aliases.history.iter().map(|step| (step.alias, step.from, step.to)).collect();
        let (champion, challenger) = (Alias::Champion, Alias::Challenger);
        assert_eq!(
            moves,
            [
                (champion, None, Some(V1)),
                (challenger, None, Some(V2)),
                (champion, Some(V1), Some(V2)),
                (challenger, Some(V2), None)
            ]
        );
        let last = &aliases.history[2];
        assert_eq!(
            (last.by.as_str(), last.why.as_str(), last.action),
            ("anna", "it is better", Action::Promote)
        );
        assert!(
            promote(&registry, V2, Force::No)
                .unwrap_err()
                .to_string()
                .contains("fraud 2 is its champion already")
        );
        let resolved = registry.resolve(&fraud(), Reference::Alias(champion)).unwrap();
        assert_eq!(resolved, V2);
        let nobody = registry.resolve(&fraud(), Reference::Alias(challenger)).unwrap_err().to_string();
        assert!(
            nobody.contains("fraud has no challenger: name one with `tributary-train models promote"),
            "{nobody}"
        );
    }
}

#[test]
fn a_worse_version_is_refused_and_forced_with_a_reason_that_is_kept() {
    for (_place, registry) in with(&[0.92, 0.9, 0.916]) {
        promote(&registry, V1, Force::No).unwrap();
        let sentence = promote(&registry, V2, Force::No).unwrap_err().to_string();
        let why = "its roc_auc is 0.9000 [0.8900, 0.9100], worse than the champion's 0.9200 [0.9100, 0.9300] by more than 0.005";
        assert!(sentence.contains(why), "{sentence}");
        assert_eq!(registry.aliases(&fraud()).unwrap().champion, Some(V1));
        // A challenger may be worse: that is what it is compared for.
        challenge(&registry, V2);
        // Within the tolerance.
        promote(&registry, Version(3), Force::No).unwrap();
        let forced = promote(&registry, V2, Force::Yes).unwrap();
        assert_eq!(forced.champion, Some(V2));
        let kept = forced.history.iter().rev().find(|step| step.alias == Alias::Champion).unwrap();
        assert_eq!(kept.overridden.len(), 1);
        assert!(kept.overridden[0].starts_with("its roc_auc is 0.9000"), "{:?}", kept.overridden);
    }
}

#[test]
fn a_version_cannot_leave_out_what_its_predecessor_was_held_to() {
    for (_place, registry) in with(&[0.92]) {
        let mut silent = publication(2.0, 0.5);
        silent.about.gates.clear();
        silent.about.metrics.clear();
        registry.publish(&fraud(), &silent).unwrap();
        promote(&registry, V1, Force::No).unwrap();
        let sentence = promote(&registry, V2, Force::No).unwrap_err().to_string();
        assert!(sentence.contains("it does not say its roc_auc, and the champion has 0.9200"), "{sentence}");
    }
}

#[test]
fn nobody_promotes_without_a_name_and_a_reason() {
    for (_place, registry) in with(&[0.9]) {
        for (by, why) in [("", "because"), ("anna", " ")] {
            let (model, decision) =
                (fraud(), Decision { by: by.to_owned(), why: why.to_owned(), ..decision("") });
            let promotion =
                Promotion { model, version: V1, alias: Alias::Champion, decision, force: Force::Yes };
            let sentence = registry.promote(&promotion, &runtime()).unwrap_err().to_string();
            assert!(sentence.contains("say who decides and why"), "{sentence}");
        }
        assert_eq!(registry.aliases(&fraud()).unwrap(), Aliases::none());
    }
}

#[test]
fn going_back_twice_goes_back_two_moves() {
    for (_place, registry) in with(&[0.9, 0.91, 0.92]) {
        let back = || registry.rollback(&fraud(), Alias::Champion, &decision("complaints"), &runtime());
        assert!(back().unwrap_err().to_string().contains("fraud had no champion before this one"));
        for version in [V1, V2, Version(3)] {
            promote(&registry, version, Force::No).unwrap();
        }
        assert_eq!(back().unwrap().champion, Some(V2));
        let twice = back().unwrap();
        assert_eq!(twice.champion, Some(V1));
        assert_eq!(twice.history.last().unwrap().action, Action::Rollback);
        assert!(back().unwrap_err().to_string().contains("fraud had no champion before this one"));
        promote(&registry, Version(3), Force::No).unwrap();
        assert_eq!(back().unwrap().champion, Some(V1));
        challenge(&registry, V2);
        let taken =
            registry.rollback(&fraud(), Alias::Challenger, &decision("seen enough"), &runtime()).unwrap();
        assert_eq!(taken.challenger, None);
    }
}

#[test]
fn what_was_withdrawn_is_brought_back_by_going_back() {
    for (_place, registry) in with(&[0.9, 0.91]) {
        let withdraw = |why| registry.withdraw(&fraud(), Alias::Champion, &decision(why));
        assert!(withdraw("it holds everybody").unwrap_err().to_string().contains("no champion"));
        promote(&registry, V1, Force::No).unwrap();
        promote(&registry, V2, Force::No).unwrap();
        assert!(withdraw(" ").unwrap_err().to_string().contains("say who decides and why"));
        assert_eq!(withdraw("it holds everybody").unwrap().champion, None);
        assert!(withdraw("once more").unwrap_err().to_string().contains("no champion"));
        // That there is none now is no way around the gates.
        let worse = promote(&registry, V1, Force::No).unwrap_err().to_string();
        assert!(worse.contains("was not made champion in place of 2"), "{worse}");
        let back = || registry.rollback(&fraud(), Alias::Champion, &decision("understood"), &runtime());
        assert_eq!(back().unwrap().champion, Some(V2));
        assert_eq!(back().unwrap().champion, Some(V1));
    }
}

#[test]
fn nothing_damaged_becomes_champion_and_the_list_shows_it() {
    for (place, registry) in with(&[0.9, 0.91]) {
        promote(&registry, V1, Force::No).unwrap();
        for file in [MODEL, MANIFEST, CARD, REPORT, SUMS] {
            let path = path(V2, file);
            let whole = place.read(&path);
            let mut flipped = whole.clone();
            let middle = flipped.len() / 2;
            flipped[middle] ^= 1;
            for (bytes, what) in [(Some(&flipped), "its SHA-256 is"), (None, "it is not there")] {
                match bytes {
                    Some(bytes) => place.write(&path, bytes),
                    None => place.remove(&path),
                }
                if matches!(place, Place::Bucket(_)) && bytes.is_none() && file == MANIFEST {
                    // There the manifest is what makes a version be there.
                    let sentence = promote(&registry, V2, Force::Yes).unwrap_err().to_string();
                    assert!(sentence.contains("fraud has no version 2: it has 1"), "{sentence}");
                    continue;
                }
                let sentence = promote(&registry, V2, Force::Yes).unwrap_err().to_string();
                assert!(
                    sentence.starts_with("fraud 2 was not loaded, its files do not hold: "),
                    "{sentence}"
                );
                assert!(sentence.contains(what) || file == SUMS, "{file}: {sentence}");
                assert_eq!(registry.aliases(&fraud()).unwrap().champion, Some(V1));
                assert_eq!(registry.list(None).unwrap().len(), 2);
            }
            place.write(&path, &whole);
        }
        promote(&registry, V2, Force::No).unwrap();
    }
}

#[test]
fn a_way_back_to_a_damaged_version_is_refused() {
    for (place, registry) in with(&[0.9, 0.91]) {
        promote(&registry, V1, Force::No).unwrap();
        promote(&registry, V2, Force::No).unwrap();
        place.write(&path(V1, MODEL), b"no model");
        let sentence = registry
            .rollback(&fraud(), Alias::Champion, &decision("complaints"), &runtime())
            .unwrap_err()
            .to_string();
        assert!(sentence.contains("model.onnx of fraud 1 is damaged"), "{sentence}");
        assert_eq!(registry.aliases(&fraud()).unwrap().champion, Some(V2));
        // A damaged champion compares with nothing, and says so.
        place.write(&path(V2, MANIFEST), b"{}");
        registry.publish(&fraud(), &publication(3.0, 0.95)).unwrap();
        let sentence = promote(&registry, Version(3), Force::No).unwrap_err().to_string();
        assert!(
            sentence.contains("it cannot be compared with the champion: manifest.json of fraud 2 is damaged"),
            "{sentence}"
        );
        assert_eq!(promote(&registry, Version(3), Force::Yes).unwrap().champion, Some(Version(3)));
    }
}

#[test]
fn aliases_that_their_history_does_not_explain_are_not_believed() {
    for (place, registry) in with(&[0.9, 0.91]) {
        promote(&registry, V1, Force::No).unwrap();
        let path = "fraud/aliases.json";
        let text = String::from_utf8(place.read(path)).unwrap();
        let check = |text: String, what: &str| {
            place.write(path, text.as_bytes());
            let sentence = registry.aliases(&fraud()).unwrap_err().to_string();
            assert!(sentence.contains(what), "{sentence}");
        };
        check(
            text.replace("\"champion\": 1", "\"champion\": 2"),
            "its champion is not where its history ends",
        );
        check(
            text.replace("\"from\": null", "\"from\": 2"),
            "move 1 of its history does not begin where champion was",
        );
        check(text[..text.len() / 2].to_owned(), "aliases.json of fraud is damaged");
        check(text.replacen("\"format\": 1", "\"format\": 2", 1), "use the newer release");
    }
}

#[test]
fn two_versions_are_compared_line_by_line() {
    for (_place, registry) in with(&[0.9]) {
        let mut other = publication(2.0, 0.91);
        other.about.training.rows = 2000;
        other.about.thresholds[0].value = 0.8;
        registry.publish(&fraud(), &other).unwrap();
        let diff = registry.diff(&fraud(), V1, V2).unwrap();
        let lines: Vec<String> = diff
            .changes
            .iter()
            .filter(|change| !change.place.starts_with("files."))
            .map(|change| {
                format!("{} {:?} {:?}", change.place, change.before.as_deref(), change.after.as_deref())
            })
            .collect();
        assert_eq!(
            lines,
            [
                r#"thresholds.hold.value Some("0.9") Some("0.8")"#,
                r#"training.rows Some("1000") Some("2000")"#
            ]
        );
        let auc = &diff.metrics[0];
        assert_eq!((auc.name.as_str(), auc.before.as_ref().unwrap().value), ("roc_auc", 0.9));
        let same = registry.diff(&fraud(), V1, V1).unwrap();
        assert!(same.changes.is_empty());
        let missing = registry.diff(&fraud(), V1, Version(9)).unwrap_err().to_string();
        assert_eq!(missing, "fraud has no version 9: it has 1, 2");
    }
}

#[test]
fn verification_runs_the_parity_vectors() {
    for (_place, registry) in with(&[0.9]) {
        let examined = examine(&registry, &runtime(), &fraud(), V1).unwrap();
        assert_eq!(examined.rows, 3);
        assert!(examined.strain < 1e-3, "{}", examined.strain);
        let mut off = publication(1.0, 0.9);
        let expected = Tensor::new(vec![3, 1], Values::Float64(vec![0.5, 0.5, 0.5])).unwrap();
        off.about.parity[0].outputs.insert("score".to_owned(), expected);
        let version = registry.publish(&fraud(), &off).unwrap();
        let sentence = examine(&registry, &runtime(), &fraud(), version).unwrap_err().to_string();
        let says = r#"fraud 2 was not loaded, its parity vectors do not hold: of row 1 of parity vector 1 it says that "score" number 1 is 0.817"#;
        assert!(sentence.starts_with(says), "{sentence}");
    }
}

#[test]
fn what_lies_beside_versions_is_none() {
    for (place, registry) in with(&[0.9]) {
        let beside = [
            "fraud/_new/x",
            "fraud/007/manifest.json",
            "fraud/notes/x",
            "_lost/x",
            "Empty/x",
            "empty/x",
            "fraud/9",
        ];
        for name in beside {
            place.write(name, b"nothing of ours");
        }
        assert_eq!(registry.list(None).unwrap().len(), 1);
        assert_eq!(registry.publish(&fraud(), &publication(2.0, 0.9)).unwrap(), V2);
        assert_eq!(registry.versions(&fraud()).unwrap(), [V1, V2]);
        if let Place::Folder(folder) = place {
            assert!(!folder.path().join("registry/fraud/_new").exists());
        }
    }
}
