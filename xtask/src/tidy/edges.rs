//! Who may know whom: the rooms of DESIGN and the doors between them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Check, Finding,
    tree::{Dependency, Tree},
};

/// A crate of ours, the crates of ours that it may be built with, and those only its tests may use besides.
struct Room {
    name: &'static str,
    knows: &'static [&'static str],
    in_tests: &'static [&'static str],
}

/// Dependencies follow the data. sim is known only to tests, benchmarks and xtask.
const ROOMS: [Room; 11] = [
    Room { name: "bucket", knows: &[], in_tests: &["embedded"] },
    Room { name: "client", knows: &["domain"], in_tests: &[] },
    Room { name: "domain", knows: &[], in_tests: &[] },
    Room { name: "tracking", knows: &["domain"], in_tests: &["embedded", "sim"] },
    Room { name: "features", knows: &["bucket", "domain", "tracking"], in_tests: &["embedded", "sim"] },
    Room { name: "models", knows: &["bucket", "domain"], in_tests: &["embedded", "sim"] },
    Room {
        name: "train",
        knows: &["domain", "tracking", "features", "models"],
        in_tests: &["embedded", "sim"],
    },
    Room {
        name: "serve",
        knows: &["domain", "tracking", "features", "models"],
        in_tests: &["client", "embedded", "sim"],
    },
    Room { name: "sim", knows: &["client", "domain", "features"], in_tests: &["embedded"] },
    Room { name: "embedded", knows: &[], in_tests: &[] },
    Room {
        name: "xtask",
        knows: &["client", "domain", "tracking", "features", "models", "embedded", "sim"],
        in_tests: &[],
    },
];

/// A crate of ours and what must not be built into it, not even by way of others.
struct Ban {
    room: &'static str,
    never: &'static [&'static str],
}

/// domain is values only; serve must build without libtorch; models runs graphs and learns nothing.
const BANS: [Ban; 3] = [
    Ban { room: "domain", never: &["tokio", "axum", "sqlx", "polars", "ort"] },
    Ban { room: "serve", never: &["train", "tch", "torch-sys"] },
    Ban {
        room: "models",
        never: &["tch", "torch-sys", "polars", "linfa", "smartcore", "burn", "candle-core", "lightgbm3"],
    },
];

pub(super) const CHECK: Check = Check {
    name: "edges",
    doc: "Crates depend on each other as docs/ARCHITECTURE.md draws it, and no forbidden library gets in by a back door.",
    findings,
};

fn findings(tree: &Tree) -> Vec<Finding> {
    tree.crates.iter().flat_map(|(name, dependencies)| of_crate(tree, name, dependencies)).collect()
}

fn of_crate(tree: &Tree, name: &str, dependencies: &[Dependency]) -> Vec<Finding> {
    let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
        let mend = "add it to ROOMS in xtask/src/tidy/edges.rs and draw it in docs/ARCHITECTURE.md";
        return vec![finding(tree, name, "[package]", format!("{name} is a crate nobody drew"), mend)];
    };
    let ours = |it: &&Dependency| tree.crates.contains_key(&it.name) && !may_know(room, it);
    let edges = dependencies.iter().filter(ours).map(|it| {
        let what = if it.only_tests { "the tests of " } else { "" };
        let wrong = format!("{what}{name} must not know {}", it.name);
        finding(
            tree,
            name,
            &it.name,
            wrong,
            "move what is needed to a crate that both may know, or pass it in as a value",
        )
    });
    let bans = BANS.iter().filter(|ban| ban.room == name).flat_map(|ban| ban.never);
    let banned = bans.filter_map(|never| {
        let way = way_to(&tree.built_with, name, never)?;
        let wrong = format!("{name} must not be built with {never}, which comes in by {}", way.join(" → "));
        let first = way.get(1).map_or(*never, String::as_str);
        Some(finding(
            tree,
            name,
            first,
            wrong,
            "drop that dependency or the feature of it that brings this along",
        ))
    });
    edges.chain(banned).collect()
}

fn may_know(room: &Room, dependency: &Dependency) -> bool {
    let name = dependency.name.as_str();
    room.knows.contains(&name) || (dependency.only_tests && room.in_tests.contains(&name))
}

fn finding(tree: &Tree, room: &str, name: &str, wrong: String, mend: &'static str) -> Finding {
    let path = format!("{room}/Cargo.toml");
    let text = tree.texts("Cargo.toml").find(|(known, _)| *known == path).map(|(_, text)| text);
    let line = text.and_then(|text| text.lines().position(|line| line.starts_with(name)));
    Finding { path, line: line.map_or(1, |line| line + 1), wrong, mend }
}

/// The shortest chain of dependencies from one crate to another.
fn way_to(built_with: &BTreeMap<String, Vec<String>>, from: &str, to: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::from([from.to_owned()]);
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in way.last().and_then(|last| built_with.get(last)).into_iter().flatten() {
                let way: Vec<String> = way.iter().chain([next]).cloned().collect();
                if next == to {
                    return Some(way);
                }
                if seen.insert(next.clone()) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Edges as `from to`, with `tests` behind those of tests only.
    fn check(edges: &[&str], expected: &[&str]) {
        let mut tree = Tree::made_up(&[("domain/Cargo.toml", "[package]\n[dependencies]\nserde = \"1\"\n")]);
        for room in &ROOMS {
            tree.crates.insert(room.name.to_owned(), Vec::new());
        }
        for edge in edges {
            let words: Vec<&str> = edge.split(' ').collect();
            let dependency = Dependency { name: words[1].to_owned(), only_tests: words.len() == 3 };
            if words.len() == 2 {
                tree.built_with.entry(words[0].to_owned()).or_default().push(words[1].to_owned());
            }
            if tree.crates.contains_key(words[0]) {
                tree.crates.entry(words[0].to_owned()).or_default().push(dependency);
            }
        }
        let found: Vec<String> = findings(&tree).into_iter().map(|finding| finding.wrong).collect();
        assert_eq!(found, expected, "{edges:?}");
    }

    #[test]
    fn dependencies_follow_the_data() {
        check(&["serve domain", "serve tracking", "train models", "sim features", "xtask embedded"], &[]);
        check(&["tracking serve"], &["tracking must not know serve"]);
        check(&["domain models"], &["domain must not know models"]);
    }

    #[test]
    fn tests_may_use_the_made_up_world_and_a_database_but_the_product_may_not() {
        check(&["serve embedded tests", "serve sim tests"], &[]);
        check(&["serve embedded"], &["serve must not know embedded"]);
        check(&["domain embedded tests"], &["the tests of domain must not know embedded"]);
    }

    #[test]
    fn a_ban_holds_by_way_of_others_too() {
        let wrong = "domain must not be built with tokio, which comes in by domain → serde → hyper → tokio";
        check(&["domain serde", "serde hyper", "hyper tokio", "hyper serde"], &[wrong]);
        check(
            &["serve train"],
            &[
                "serve must not know train",
                "serve must not be built with train, which comes in by serve → train",
            ],
        );
    }

    #[test]
    fn a_finding_names_the_line_of_the_manifest() {
        let mut tree = Tree::made_up(&[("domain/Cargo.toml", "[package]\n[dependencies]\nserve = \"1\"\n")]);
        tree.crates.insert("serve".to_owned(), Vec::new());
        tree.crates
            .insert("domain".to_owned(), vec![Dependency { name: "serve".to_owned(), only_tests: false }]);
        assert_eq!(findings(&tree).first().map(|finding| finding.line), Some(3));
    }

    #[test]
    fn a_crate_nobody_drew_is_found() {
        let mut tree = Tree::default();
        tree.crates.insert("gadgets".to_owned(), Vec::new());
        assert_eq!(findings(&tree).len(), 1);
    }
}
