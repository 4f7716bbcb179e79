//! What must hold of lists and of what is shared out.

use std::collections::{BTreeMap, BTreeSet};

use super::worth::{ITEMS, MARKET, USERS, market, number_of};

#[test]
fn pairs_that_rules_keep_apart_are_never_shown() {
    let place = market();
    place.write("dismissed.csv", "user,item\nu0,i0\nu0,i3\nu0,i6\nu0,i9\nu0,i12\nu149,i23\nnobody,i1\n");
    let told = place.told(&format!(
        "{MARKET} --model value --both-ways --exclude dismissed.csv --require country --forbid source=refused --out out"
    ));
    assert!(told.contains("1 rows of dismissed.csv are of users or items"), "{told}");
    let seen = String::from_utf8(place.read("seen.csv")).unwrap();
    for file in ["recommendations", "prospects"] {
        let rows = place.rows(&format!("out/{file}.csv"));
        assert!(100 < rows.len(), "{}", rows.len());
        for row in rows {
            let (user, item) = (number_of(&row["user"]), number_of(&row["item"]));
            assert_eq!(user % 3, item % 3, "they are of one country");
            assert!(item % 4 != 1 || user / 3 % 2 == 0, "no mail where it is refused: {row:?}");
            assert!(!(user == 0 && [0, 3, 6, 9, 12].contains(&item)), "{row:?}");
            assert!(!seen.contains(&format!("u{user},i{item},")), "{row:?}");
        }
    }
    place.write("only.csv", "user,item\nu1,i1\nu1,i2\nu2,i2\n");
    place.told(&format!("{MARKET} --model popularity --eligible only.csv --out only"));
    let pairs: BTreeSet<(String, String)> = place
        .rows("only/recommendations.csv")
        .iter()
        .map(|row| (row["user"].clone(), row["item"].clone()))
        .collect();
    let may = ["u1 i1", "u1 i2", "u2 i2"].map(|pair| pair.split_once(' ').unwrap());
    assert!(pairs.iter().all(|(user, item)| may.contains(&(user, item))), "{pairs:?}");

    place.check_refused(
        &format!("{MARKET} --require city"),
        "--require names a column \"city\" that users do not have",
    );
    place.write("only.csv", "user,item\nnobody,nothing\n");
    place.check_refused(&format!("{MARKET} --eligible only.csv"), "no row is of a user and an item");
}

#[test]
fn nobody_has_more_than_there_is_room_for() {
    let place = market();
    let columns = "--column cost=price";
    let told = place.told(&format!("{MARKET} --model value --require country --assign {columns} --out out"));
    assert!(told.contains("pairs are shared out"), "{told}");
    let (mut taken, mut spent) = (BTreeMap::<u32, f64>::new(), BTreeMap::<u32, f64>::new());
    let mut worth = 0.0;
    for row in place.rows("out/assignments.csv") {
        let (user, item) = (number_of(&row["user"]), number_of(&row["item"]));
        let [share, value, cost] =
            ["share", "expected_value", "cost"].map(|name| row[name].parse::<f64>().unwrap());
        assert!(user % 3 == item % 3 && 0.0 < share && share <= 1.0);
        assert!((cost - share * f64::from(1 + item % 2)).abs() < 1e-9);
        *taken.entry(user).or_default() += share;
        *spent.entry(item).or_default() += cost;
        worth += share * value;
    }
    assert!(taken.iter().all(|(user, taken)| *taken <= f64::from(1 + user % 2) + 1e-6), "{taken:?}");
    assert!(spent.iter().all(|(item, spent)| *spent <= f64::from(6 + item) + 1e-6), "{spent:?}");
    let metrics = place.metrics("out");
    let told = &metrics["assignment"];
    let (value, bound) = (told["value"].as_f64().unwrap(), told["bound"].as_f64().unwrap());
    assert!((value - worth).abs() < 1e-6 && value <= bound + 1e-9 && 0.99 * bound < value, "{told}");
    // There are more places than users want, or fewer: the scarce side has a price.
    let prices = place.rows("out/prices.csv");
    assert_eq!(prices.len(), (USERS + ITEMS) as usize);
    assert!(prices.iter().any(|row| 0.0 < row["price"].parse::<f64>().unwrap()));
    for row in
        prices.iter().filter(|row| row["side"] == "item" && 1e-9 < row["price"].parse::<f64>().unwrap())
    {
        let [room, used] = ["room", "used"].map(|name| row[name].parse::<f64>().unwrap());
        assert!((room - used).abs() < 1.0, "what has a price is used up: {row:?}");
    }
    place.check_refused(&format!("{MARKET} --model als --assign"), "als recommends: say --model value");
    place.check_refused("--interactions seen.csv --assign", "give both files");
    place.check_refused(&format!("{MARKET} --assign --column budget=cash"), "has no column \"cash\"");
    place.write("users.csv", "user,country,capacity\nu1,DE,1.5\n");
    place.check_refused(
        &format!("{MARKET} --assign"),
        "the capacity of u1 is 1.5, and must be a whole number",
    );
}

#[test]
fn chance_fills_places_at_its_rate_and_newcomers_have_theirs() {
    let place = market();
    place.told(&format!("{MARKET} --model value --explore 0.3 --newcomer-share population --out out"));
    let rows = place.rows("out/recommendations.csv");
    let explored = rows.iter().filter(|row| row["explored"] == "1").count() as f64 / rows.len() as f64;
    assert!((explored - 0.3).abs() < 0.06, "{explored}");
    for row in &rows {
        let propensity: f64 = row["propensity"].parse().unwrap();
        let open = f64::from(ITEMS);
        assert!(0.3 / open <= propensity && propensity < 0.7 + 0.3, "{row:?}");
        assert!(row["explored"] == "1" || 0.7 < propensity, "{row:?}");
    }
    place.told(&format!("{MARKET} --model value --newcomer-share 0.4 --out new"));
    let metrics = place.metrics("new");
    let new = &metrics["newcomers"];
    assert!(0.4 <= new["share_of_places"].as_f64().unwrap(), "{new}");
    assert!(0.0 < new["cost_of_score"].as_f64().unwrap(), "{new}");
    place.check_refused(&format!("{MARKET} --explore 1.5"), "--explore is 1.5");
    place.check_refused(&format!("{MARKET} --newcomer-share most"), "expected a part from 0 to 1");
}
