//! What is found beside lists: who is like whom, what is missing, and what lists would have brought.

use std::fmt::Write;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::worth::{ITEMS, MARKET, USERS, market, number_of};

#[test]
fn lookalikes_are_like_the_best_and_do_not_have_it() {
    let place = market();
    place.told(&format!("{MARKET} --model popularity --lookalikes --require country --out out"));
    let seen = String::from_utf8(place.read("seen.csv")).unwrap();
    let rows = place.rows("out/lookalikes.csv");
    assert!(ITEMS as usize * 4 < rows.len());
    for row in &rows {
        assert!(!seen.contains(&format!("{},{},", row["user"], row["item"])), "{row:?}");
        assert_eq!(number_of(&row["user"]) % 3, number_of(&row["item"]) % 3, "{row:?}");
        assert!(row["reason"].starts_with("both "), "{row:?}");
        for best in row["like"].split(' ') {
            assert!(seen.contains(&format!("{best},{},", row["item"])), "{row:?}");
        }
    }
    let similar = place.rows("out/similar.csv");
    assert_eq!(similar.len(), 5 * USERS as usize);
    let of_kind = |row: &&std::collections::BTreeMap<String, String>| {
        number_of(&row["user"]) % 6 == number_of(&row["similar"]) % 6
    };
    assert!(similar.iter().all(|row| row["user"] != row["similar"]));
    let same = similar.iter().filter(of_kind).count() as f64 / similar.len() as f64;
    assert!(0.8 < same, "{same} are of one country and source");
}

#[test]
fn gaps_are_segments_that_items_ask_for_and_nobody_has() {
    let place = market();
    let mut items =
        String::from_utf8(place.read("items.csv")).unwrap().replace("country,refused", "country,source");
    for item in 0..3 {
        writeln!(items, "x{item},PL|DE,search,1,1").unwrap();
    }
    place.write("items.csv", &items);
    place.told(&format!("{MARKET} --model popularity --gaps country,source --out out"));
    let gaps = place.rows("out/coverage_gaps.csv");
    let first = &gaps[0];
    let of = |name: &str| first[name].as_str();
    assert_eq!(
        (of("country"), of("source"), of("items"), of("users"), of("missing")),
        ("PL", "search", "3", "0", "3")
    );
    assert!(gaps.iter().all(|row| row["country"] != "DE"), "they are served: {gaps:?}");
    assert_eq!(place.metrics("out")["coverage_gaps"], gaps.len());

    // What pairs are worth most with: search, as the country alone makes the segment.
    let items = items.replace("x0,PL|DE", "x0,PL");
    let seen = String::from_utf8(place.read("seen.csv")).unwrap();
    let sold: String = (0..40).map(|user| format!("u{user},x0,{},2026-01-01\n", 1 + user / 3 % 2)).collect();
    place.write("items.csv", &items);
    place.write("seen.csv", &format!("{seen}{sold}"));
    place.told(&format!("{MARKET} --model popularity --gaps country --out recruit"));
    let gaps = place.rows("recruit/coverage_gaps.csv");
    let gap = gaps.iter().find(|row| row["country"] == "PL").unwrap();
    assert!(gap["recruit"].starts_with("source=mail +"), "{gap:?}");
    place.check_refused(
        &format!("{MARKET} --gaps size"),
        "--gaps names a column \"size\" that users do not have",
    );
}

#[test]
fn a_log_says_what_lists_would_have_brought_or_why_it_does_not() {
    let place = market();
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(8);
    let mut text = "user,item,propensity,value\n".to_owned();
    for _ in 0..1_500 {
        let (user, item) = (dice.random_range(0..USERS), dice.random_range(0..ITEMS));
        let value = if user % 3 == item % 3 { 3.0 } else { 0.0 } + dice.random_range(0.0..1.0);
        writeln!(text, "u{user},i{item},{},{value}", 1.0 / f64::from(ITEMS)).unwrap();
    }
    place.write("log.csv", &text);
    let words = "--model value --log log.csv";
    let told = place.told(&format!("{MARKET} {words} --out out"));
    assert!(told.contains("with these lists it would have brought"), "{told}");
    let said = &place.metrics("out")["off_policy"];
    // Nearly all of the lists are of the user's country.
    for estimator in ["ips", "snips", "dr"] {
        let (value, uplift) = (&said[estimator]["value"], &said[estimator]["uplift"]);
        let [low, high] = ["low", "high"].map(|end| value[end].as_f64().unwrap());
        assert!(low < 3.5 && 2.8 < high && 0.0 < uplift["low"].as_f64().unwrap(), "{said}");
    }
    // The service shows things to newcomers, and newcomers to others, of whom the job is told nothing else.
    let newcomers =
        (0..300).fold(text.clone(), |text, row| text + &format!("u{},zz,0.5,0\nnew,i1,0.5,9\n", row % USERS));
    place.write("log.csv", &newcomers);
    let told = place.told(&format!("{MARKET} {words} --out newcomers"));
    assert!(told.contains("300 others of which are of users who get no list"), "{told}");
    let with = &place.metrics("newcomers")["off_policy"];
    assert_eq!((with["rows"].as_u64(), with["left_out"].as_u64()), (Some(1_800), Some(300)), "{with}");
    assert!(
        with["brought"].as_f64() < said["brought"].as_f64(),
        "what nobody lists counts in what was brought: {with}"
    );
    let few: String = text.lines().take(30).fold(String::new(), |text, row| text + row + "\n");
    place.write("log.csv", &few);
    let told = place.told(&format!("{MARKET} {words} --out few"));
    assert!(told.contains("it does not say"), "{told}");
    assert!(place.metrics("few")["off_policy"]["refused"].is_string());
    let seen = String::from_utf8(place.read("seen.csv")).unwrap();
    let shown = |row: &str| row.split(',').take(2).collect::<Vec<_>>().join(",") + ",0.1,1\n";
    let all: String = seen.lines().skip(1).map(shown).collect();
    place.write("log.csv", &format!("user,item,propensity,value\n{all}"));
    place.check_refused(&format!("{MARKET} {words}"), "all interactions are of pairs of the log");
    place.write("log.csv", "user,item,propensity,value\nu1,i1,1.5,2\n");
    place.check_refused(&format!("{MARKET} {words}"), "line 2, column propensity: 1.5 is no chance");
    place.write("log.csv", "user,item,propensity,value\nzz,i1,0.5,2\n");
    place.check_refused(&format!("{MARKET} {words}"), "no row is of a user who gets a list");
}

#[test]
fn a_newcomer_is_told_why_too() {
    let place = market();
    for model in ["blend", "value", "ease", "popularity"] {
        place.told(&format!("{MARKET} --model {model} --out {model}"));
        let rows = place.rows(&format!("{model}/recommendations.csv"));
        let new = rows.iter().filter(|row| USERS - USERS / 10 <= number_of(&row["user"]));
        assert_eq!(new.clone().count(), 5 * (USERS / 10) as usize, "{model}");
        assert!(rows.iter().all(|row| !row["reason"].is_empty()), "{model}");
    }
}
