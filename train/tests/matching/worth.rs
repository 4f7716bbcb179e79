//! Pairs that are worth more than others, on markets whose truth was made.

use std::{collections::BTreeMap, fmt::Write};

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Place;

pub(super) const USERS: u32 = 150;
pub(super) const ITEMS: u32 = 24;
const COUNTRIES: [&str; 3] = ["DE", "FR", "AT"];
const SOURCES: [&str; 2] = ["search", "mail"];

/// What a pair is worth: three times as much where countries agree, and a half more with search.
fn worth(user: u32, item: u32) -> f64 {
    let country = if user % 3 == item % 3 { 3.0 } else { 1.0 };
    country * if (user / 3).is_multiple_of(2) { 1.5 } else { 1.0 }
}

/// Pairs that chance chose; the last tenth of the users and the last three items have none.
pub(super) fn market() -> Place {
    let place = Place::new();
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(11);
    let mut text = "user,item,value,ts\n".to_owned();
    for user in 0..USERS - USERS / 10 {
        for item in 0..ITEMS - 3 {
            if dice.random_range(0.0..1.0) < 0.3 {
                let value = worth(user, item) * dice.random_range(0.7..1.3);
                writeln!(text, "u{user},i{item},{value},2026-01-{:02}", 1 + (user + item) % 28).unwrap();
            }
        }
    }
    place.write("seen.csv", &text);
    let mut users = "user,country,source,capacity\n".to_owned();
    for user in 0..USERS {
        let (country, source) = (COUNTRIES[user as usize % 3], SOURCES[user as usize / 3 % 2]);
        writeln!(users, "u{user},{country},{source},{}", 1 + user % 2).unwrap();
    }
    place.write("users.csv", &users);
    let mut items = "item,country,refused,budget,price\n".to_owned();
    for item in 0..ITEMS {
        let refused = if item % 4 == 1 { "mail" } else { "" };
        writeln!(items, "i{item},{},{refused},{},{}", COUNTRIES[item as usize % 3], 6 + item, 1 + item % 2)
            .unwrap();
    }
    place.write("items.csv", &items);
    place
}

pub(super) const MARKET: &str =
    "--interactions seen.csv --user-features users.csv --item-features items.csv --k 5";

pub(super) fn number_of(name: &str) -> u32 {
    name[1..].parse().unwrap()
}

#[test]
fn lists_are_by_value_where_values_differ_and_say_what_to_expect() {
    let place = market();
    let told = place.told(&format!("{MARKET} --both-ways --out out"));
    assert!(told.contains("value recommends by expected value"), "{told}");
    assert!(told.contains("--objective interactions makes them of what users"), "{told}");
    let metrics = place.metrics("out");
    assert_eq!((&metrics["recommends"], &metrics["objective"]), (&"value".into(), &"value".into()));
    let order = |model: &str| metrics["models"][model]["value_order"].as_f64().unwrap();
    assert!(order("blend") + 0.2 < order("value") && 0.6 < order("value"), "{metrics}");
    assert_eq!(metrics["prospects"]["recommends"], "value");

    for (file, user, item) in [("recommendations", "user", "item"), ("prospects", "user", "item")] {
        let rows = place.rows(&format!("out/{file}.csv"));
        let mut right = 0;
        for row in &rows {
            let (user, item) = (number_of(&row[user]), number_of(&row[item]));
            let expected: f64 = row["expected_value"].parse().unwrap();
            assert_eq!(row["expected_value"], row["score"]);
            assert!((expected / worth(user, item) - 1.0).abs() < 0.5, "{row:?}");
            right += usize::from(user % 3 == item % 3);
            assert!(row["reason"].contains(" × the mean value of "), "{row:?}");
            assert_eq!(row["reason"].starts_with("fits country="), user % 3 == item % 3, "{row:?}");
            assert_eq!((row["propensity"].as_str(), row["explored"].as_str()), ("1.0", "0"));
        }
        assert!(0.85 * rows.len() as f64 <= right as f64, "{file}: {right} of {}", rows.len());
    }
    let new = place.rows("out/recommendations.csv");
    let new = new.iter().filter(|row| row["newcomer"] == "1").map(|row| number_of(&row["item"]));
    assert!(new.clone().all(|item| ITEMS - 3 <= item) && 0 < new.count());

    let told = place.told(&format!("{MARKET} --objective interactions --out seen"));
    assert!(told.contains("blend recommends\n"), "{told}");
}

#[test]
fn a_pair_with_more_clicks_counts_for_more() {
    let place = Place::new();
    let mut text = "user,item,value,weight\n".to_owned();
    for user in 0..60 {
        // Two of ten clicks brought something by chance; of ten thousand the mean is what it is.
        for item in 0..8 {
            let (value, weight) = match (item % 2, user % 2) {
                (0, 0) => (0.2, 10_000),
                (0, _) => (if user % 4 == 1 { 0.0 } else { 1.0 }, 1),
                _ => (0.1, 10_000),
            };
            writeln!(text, "u{user},i{item},{value},{weight}").unwrap();
        }
    }
    place.write("seen.csv", &text);
    let side = |letter: &str, count: u32| -> String {
        (0..count).map(|at| format!("{letter}{at},k{}\n", at % 2)).collect()
    };
    place.write("users.csv", &format!("user,kind\n{}u98,k0\n", side("u", 60)));
    place.write("items.csv", &format!("item,sort\n{}", side("i", 8)));
    place.told(
        "--interactions seen.csv --user-features users.csv --item-features items.csv --model value --k 8 --out out",
    );
    let rows = place.rows("out/recommendations.csv");
    let of: BTreeMap<&str, f64> = rows
        .iter()
        .filter(|row| row["user"] == "u98")
        .map(|row| (row["item"].as_str(), row["score"].parse().unwrap()))
        .collect();
    assert!((of["i0"] - 0.2).abs() < 0.03 && (of["i1"] - 0.1).abs() < 0.03, "{of:?}");
}

#[test]
fn identities_that_do_not_beat_popularity_are_said_not_to() {
    let place = Place::new();
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(3);
    let mut text = "user,item\n".to_owned();
    for user in 0..400 {
        for _ in 0..3 {
            let item = f64::powi(dice.random_range(0.0..1.0), 2) * 150.0;
            writeln!(text, "u{user},i{}", item as u32).unwrap();
        }
    }
    place.write("seen.csv", &text);
    let told = place.told("--interactions seen.csv --model als --out thin");
    assert!(told.contains("als do not beat what is popular"), "{told}");
    let over = &place.metrics("thin")["models"]["als"]["ndcg_over_popularity"];
    assert!(over["low"].as_f64().unwrap() <= 0.0, "{over}");

    let told = Place::new().told("--interactions seen.csv --model ease --out dense");
    assert!(!told.contains("beat what is popular"), "{told}");
}
