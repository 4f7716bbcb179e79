//! `tributary-train match` as a data scientist runs it, on users whose tastes were made.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod constraints;
mod lake;
mod others;
#[path = "../support/place.rs"]
mod place;
mod worth;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

use place::Place;

const USERS: u32 = 240;
const ITEMS: u32 = 60;
const KINDS: [&str; 3] = ["finance", "travel", "games"];

/// Users of three tastes, each with about twelve items, four of five of them of their taste; earlier items are had by more.
fn interactions() -> String {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut text = "user,item,value,ts\n".to_owned();
    for user in 0..USERS {
        for step in 0..12 {
            let is_own = dice.random_range(0.0..1.0) < 0.8;
            let taste = if is_own { user % 3 } else { dice.random_range(0..3) };
            let place = f64::powi(dice.random_range(0.0..1.0), 2) * f64::from(ITEMS / 3);
            let item = 3 * place as u32 + taste;
            writeln!(text, "u{user},i{item},{}.5,2026-01-{:02}T00:00:00Z", 1 + user % 3, 1 + step).unwrap();
        }
    }
    text
}

/// The user and the item of each row.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let rows = text.lines().skip(1).map(|row| row.split_once(',').unwrap());
    rows.map(|(user, rest)| (user, rest.split(',').next().unwrap())).collect()
}

/// What these tests run.
const JOB: &str = "match";

impl Place {
    fn new() -> Self {
        let place = Self::empty();
        place.write("seen.csv", &interactions());
        let items: String =
            (0..=ITEMS).map(|item| format!("i{item},{}\n", KINDS[item as usize % 3])).collect();
        place.write("items.csv", &format!("item,kind\n{items}"));
        let users: String =
            (0..=USERS).map(|user| format!("u{user},{}\n", KINDS[user as usize % 3])).collect();
        place.write("users.csv", &format!("user,kind\n{users}"));
        place
    }

    /// The rows of a file, by the names of their columns.
    fn rows(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let text = self.read(name);
        csv::Reader::from_reader(text.as_slice()).deserialize().map(Result::unwrap).collect()
    }

    fn metrics(&self, out: &str) -> Value {
        serde_json::from_slice(&self.read(&format!("{out}/metrics.json"))).unwrap()
    }

    /// The items of each user, best first, with why.
    fn recommendations(&self, out: &str) -> BTreeMap<String, Vec<(String, String)>> {
        let text = self.read(&format!("{out}/recommendations.csv"));
        let mut lists: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        let mut table = csv::Reader::from_reader(text.as_slice());
        let head: Vec<&str> = table.headers().unwrap().iter().take(5).collect();
        assert_eq!(head, ["user", "item", "rank", "score", "reason"]);
        for row in table.records().map(Result::unwrap) {
            let list = lists.entry(row[0].to_owned()).or_default();
            list.push((row[1].to_owned(), row[4].to_owned()));
            assert_eq!(row[2].parse::<usize>().unwrap(), list.len());
        }
        lists
    }
}

const ALL: &str = "--interactions seen.csv --user-features users.csv --item-features items.csv";

#[test]
fn tastes_are_found_and_everybody_gets_a_list_with_reasons() {
    let place = Place::new();
    let told = place.told(&format!("{ALL} --model all --objective interactions --k 5 --seed 3 --out out"));
    assert!(told.contains("241 users and 61 items"), "{told}");
    let metrics = place.metrics("out");
    let of = |model: &str, measure: &str| metrics["models"][model][measure].as_f64().unwrap();
    let chosen = metrics["recommends"].as_str().unwrap();
    for model in ["popularity", "knn", "cosine", "ease", "als", "bpr", "blend"] {
        for measure in ["recall@5", "ndcg@5", "map@5", "coverage"] {
            assert!((0.0..=1.0).contains(&of(model, measure)), "{model} {measure}");
        }
        assert!(of(model, "ndcg@5") <= of(chosen, "ndcg@5"), "{model} is better than {chosen}");
        let interval = &metrics["models"][model]["ndcg_interval"];
        assert!(interval["low"].as_f64().unwrap() < of(model, "ndcg@5"));
        assert!(of(model, "ndcg@5") < interval["high"].as_f64().unwrap(), "{model}: {interval}");
    }
    assert!(1.3 * of("popularity", "ndcg@5") < of("blend", "ndcg@5"), "{metrics}");

    let lists = place.recommendations("out");
    assert_eq!(lists.len(), 241, "also who is only among the features");
    let seen = interactions();
    for (user, list) in &lists {
        assert_eq!(list.len(), 5);
        for (item, reason) in list {
            assert!(!seen.contains(&format!("{user},{item},")), "{user} has {item} already");
            assert!(!reason.is_empty(), "{user} {item}");
        }
    }
    let kind = |name: &str| name[1..].parse::<usize>().unwrap() % 3;
    let same =
        lists.iter().flat_map(|(user, list)| list.iter().map(move |(item, _)| kind(user) == kind(item)));
    let share = same.clone().filter(|same| *same).count() as f64 / same.count() as f64;
    assert!(0.7 < share, "{share} of what is recommended is of the user's taste");
    assert!(String::from_utf8(place.read("out/report.html")).unwrap().contains("Newcomers"));
}

#[test]
fn who_has_no_interactions_gets_what_is_popular_and_is_told_so() {
    let place = Place::new();
    let seen = interactions();
    let mut users_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (user, item) in pairs(&seen) {
        users_of.entry(item).or_default().insert(user);
    }
    let mut counts: Vec<usize> = users_of.values().map(BTreeSet::len).collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    for model in ["ease", "knn"] {
        place.told(&format!(
            "--interactions seen.csv --user-features users.csv --model {model} --k 5 --out {model}"
        ));
        let lists = place.recommendations(model);
        let had: Vec<usize> = lists["u240"].iter().map(|(item, _)| users_of[item.as_str()].len()).collect();
        assert_eq!(had, counts[..5], "{model}: {:?}", lists["u240"]);
        for (user, list) in &lists {
            for (_, reason) in list {
                assert_eq!(
                    reason.contains("nothing is known of the user"),
                    user == "u240",
                    "{model}: {reason}"
                );
            }
        }
    }
}

#[test]
fn lists_end_with_the_items_however_long_they_may_be() {
    let place = Place::new();
    let seen = interactions();
    let pairs = pairs(&seen);
    let items: BTreeSet<&str> = pairs.iter().map(|pair| pair.1).collect();
    for (model, k) in [("popularity", 10_000_000_000), ("blend", u64::MAX)] {
        let told = place.told(&format!("--interactions seen.csv --model {model} --k {k} --out {model}"));
        assert!(told.contains(&format!("--k is {k}, and there are")), "{told}");
        for (user, list) in place.recommendations(model) {
            let had: BTreeSet<&str> = pairs.iter().filter(|pair| pair.0 == user).map(|pair| pair.1).collect();
            assert_eq!(list.len() + had.len(), items.len(), "{user}");
        }
    }
}

#[test]
fn neither_threads_nor_the_order_of_rows_make_a_difference() {
    let place = Place::new();
    for (out, threads) in [("one", 1), ("two", 2)] {
        place.told(&format!("{ALL} --model all --threads {threads} --out {out}"));
    }
    let text = interactions();
    let (head, rows) = text.split_once('\n').unwrap();
    let turned: Vec<&str> = rows.lines().rev().collect();
    place.write("seen.csv", &format!("{head}\n{}\n", turned.join("\n")));
    place.told(&format!("{ALL} --model all --out turned"));
    for name in ["recommendations.csv", "metrics.json", "report.html"] {
        assert!(place.read(&format!("one/{name}")) == place.read(&format!("two/{name}")), "{name}");
        assert!(
            place.read(&format!("one/{name}")) == place.read(&format!("turned/{name}")),
            "{name}, turned"
        );
    }
}

#[test]
fn the_last_and_the_latest_can_judge() {
    let place = Place::new();
    place.told("--interactions seen.csv --split leave-last --model ease --out last");
    assert_eq!(place.metrics("last")["judged_on"], 240);
    place.told("--interactions seen.csv --split time --test-share 0.5 --model knn --out time");
    let metrics = place.metrics("time");
    let (learned, judged) =
        (metrics["learned_from"].as_f64().unwrap(), metrics["judged_on"].as_f64().unwrap());
    assert!((judged / (learned + judged) - 0.5).abs() < 0.1, "{metrics}");
}

#[test]
fn what_makes_no_sense_is_refused_in_a_sentence() {
    let place = Place::new();
    place.check_refused("--interactions nothing.csv", "nothing.csv");
    place.check_refused(&format!("{ALL} --test-share 1.5"), "the share to judge on is 1.5");
    place.check_refused(&format!("{ALL} --k 0"), "--k is 0");
    let last = format!("{ALL} --split leave-last --test-share 0.1");
    place.check_refused(&last, "--test-share goes with --split random and time");
    place.check_refused("", "--interactions");
    place.check_refused("--interactions seen.csv --model cosine", "give them, or choose another model");
    place.check_refused(&format!("{ALL} --column sum=total"), "there is no field \"sum\"");
    place.write("items.csv", "item,kind\ni1,a\ni1,b\n");
    place.check_refused(ALL, "line 3, column item: i1 is told of twice");
    place.write("seen.csv", "user,item\nu1,i1\n,i2\n");
    place.check_refused("--interactions seen.csv", "line 3, column user: says nothing");
    place.write("seen.csv", "user,item\nu1,i1\nu1,i2\n");
    place.check_refused("--interactions seen.csv --split time", "has no column ts");
    place.write("seen.csv", "user,item,ts\nu1,i1,2026-01-02T00:00:00Z\nu1,i2,2999-01-01T00:00:00Z\n");
    place.check_refused("--interactions seen.csv", "line 3, column ts: has not come yet");
    place.write("seen.csv", "user,item,value,weight\nu1,i1,2,5\nu1,i2,2,0\n");
    place.check_refused("--interactions seen.csv", "line 3, column weight: 0 is no number of clicks");
    place.write("seen.csv", "user,item,value\nu1,i1,2\nu1,i2,2\n");
    place.check_refused("--interactions seen.csv --objective value", "all pairs are worth the same");
}

#[test]
fn who_reads_is_told_where_others_say_nothing() {
    let place = Place::new();
    place.write("seen.csv", "user,item\nu1,i1\nu1,i2\nu1,i3\nu1,i4\n");
    let told = place.told("--interactions seen.csv --model popularity --out one");
    assert!(told.contains("one user has all interactions"), "{told}");
    place.write("seen.csv", "user,item\nu1,i1\nu2,i2\nu3,i3\nu4,i4\n");
    let told = place.told("--interactions seen.csv --model popularity --out apart");
    assert!(told.contains("no item is of two users"), "{told}");
}
