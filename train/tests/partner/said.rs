//! What tiers give, how sure worth is where partners move, and sentences for what makes no sense.

use super::*;

const PERKS: &str = r#"{"gold": {"perks": ["personal support", "early access to new campaigns"], "rate_bonus": "2%"},
    "silver": {"perks": ["early access to new campaigns"], "rate_bonus": "0.5%"}}"#;

#[test]
fn what_tiers_give_stands_beside_each_partner_and_moves_say_what_changes() {
    let planted = planted();
    let place = Place::with(&planted);
    place.write("perks.json", PERKS);
    let learn = format!("{LEARN} --silver 8 --gold 20");
    place.told(&format!("{learn} --out first"));
    assert!(place.partners("first").values().all(|row| row["perks"].is_empty()));
    let elite: Vec<String> = place.partners("first").keys().map(|name| format!("{name},elite")).collect();
    place.write("before.csv", &format!("partner_id,tier\n{}\n", elite.join("\n")));
    place.told(&format!("{learn} --perks perks.json --previous before.csv --out out"));
    let mut fell = 0;
    for row in place.partners("out").values() {
        let (perks, change) = match row["tier"].as_str() {
            "gold" => ("personal support; early access to new campaigns; +2 points on the rate", ""),
            "silver" => (
                "early access to new campaigns; +0.5 points on the rate",
                "loses personal support, +1.5 points on the rate",
            ),
            _ => ("", "loses personal support, early access to new campaigns, +2 points on the rate"),
        };
        assert_eq!((row["perks"].as_str(), row["perks_change"].as_str()), (perks, change), "{row:?}");
        fell += u32::from(!change.is_empty());
    }
    assert!(50 < fell);
    let tiers = place.json("out/tiers.json");
    assert_eq!(tiers["gives"]["gold"]["rate_bonus_ppm"], 20_000);
    assert_eq!(tiers["moves"][0]["loses"][0], "personal support");
    let report = String::from_utf8(place.read("out/report.html")).unwrap();
    assert!(report.contains("early access to new campaigns"));
    place.write("perks.json", &PERKS.replace("0.5%", "3%"));
    place.check_refused(&format!("{learn} --perks perks.json"), "a higher tier cannot be paid less");
}

#[test]
fn tiers_of_another_program_are_told_of() {
    let place = Place::with(&planted());
    place.write("before.csv", "partner_id,tier\nx1,gold\nx2,silver\np001,gold\n");
    let told = place.told(&format!("{LEARN} --previous before.csv --out out"));
    assert!(
        told.contains("of 3 partners of before.csv only 1 are among these: is it of another program"),
        "{told}"
    );
}

/// 300 partners with 120 conversions each over a year, whose level is another in each month where they move.
fn moving(step: f64) -> (String, BTreeMap<String, f64>) {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(19);
    let mut unit = move || 1.0 - dice.random_range(0.0..1.0_f64);
    let mut normal = move || (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos();
    let (mut customers, mut truth) = ("partner_id,date,value\n".to_owned(), BTreeMap::new());
    let first = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
    for number in 0..300 {
        let mut level = 3.0 + 0.4 * normal();
        for conversion in 0..120 {
            level += if conversion % 10 == 0 { step * normal() } else { 0.0 };
            let date = first.checked_add_days(Days::new(3 * conversion)).unwrap();
            writeln!(customers, "p{number},{date},{:.4}", (level + 0.7 * normal()).exp()).unwrap();
        }
        truth.insert(format!("p{number}"), level + 0.7 * 0.7 / 2.0);
    }
    (customers, truth)
}

/// Which share of intervals holds the truth, and by how much they were widened.
fn held(step: f64) -> (f64, f64) {
    let place = Place::empty();
    let (customers, truth) = moving(step);
    place.write("customers.csv", &customers);
    place.told("--customers customers.csv --out out");
    let partners = place.partners("out");
    let holds = |(name, row): &(&String, &BTreeMap<String, String>)| {
        let [lower, upper] =
            ["lower", "upper"].map(|end| number(row, &format!("value_per_conversion_{end}")).ln());
        (lower..=upper).contains(&truth[*name])
    };
    let held = partners.iter().filter(holds).count() as f64 / partners.len() as f64;
    (held, place.json("out/metrics.json")["foreseen"]["added_log_variance"].as_f64().unwrap())
}

#[test]
fn intervals_are_wider_where_partners_move() {
    let (held_still, added_still) = held(0.0);
    assert!((0.86..=0.94).contains(&held_still) && added_still < 0.002, "{held_still}, {added_still}");
    let (held_moving, added) = held(0.15);
    // Of 300 intervals three standard errors are five in a hundred.
    assert!((0.84..=0.96).contains(&held_moving), "{held_moving}, {added}");
    // A third of twelve steps' variance.
    assert!((0.05..0.15).contains(&added), "{added}");
}

#[test]
fn a_campaign_that_is_launched_late_is_no_movement_of_partners() {
    let (customers, _) = moving(0.0);
    for launched in ["a", "z"] {
        let mut rows = "partner_id,date,value,campaign\n".to_owned();
        for (place, row) in customers.lines().skip(1).enumerate() {
            let (number, conversion) = (place / 120, place % 120);
            // Every other partner sells it in the second half of the year, for eight times as much.
            if number % 2 == 0 && 60 <= conversion && conversion % 3 != 0 {
                let (won, value) = row.rsplit_once(',').unwrap();
                writeln!(rows, "{won},{:.4},{launched}", 8.0 * value.parse::<f64>().unwrap()).unwrap();
            } else {
                writeln!(rows, "{row},m").unwrap();
            }
        }
        let place = Place::empty();
        place.write("customers.csv", &rows);
        place.told("--customers customers.csv --out out");
        let foreseen = &place.json("out/metrics.json")["foreseen"];
        assert!(foreseen["added_log_variance"].as_f64().unwrap() < 0.01, "{launched}: {foreseen}");
    }
}

#[test]
fn a_conversion_that_is_there_twice_is_refused() {
    let place = Place::with(&planted());
    place.write(
        "customers.csv",
        "partner_id,customer_id,date,value\na,c1,2025-01-01,5\na,c1,2025-01-02,5\na,c1,2025-01-01,5\n",
    );
    place.check_refused(
        "--customers customers.csv",
        "customers.csv, line 4, column customer_id: the conversion of customers.csv, line 2, column customer_id is there twice, customer, \
         partner, day, campaign and value",
    );
    // Without days it may have been bought again.
    place.write("customers.csv", "partner_id,customer_id,value\na,c1,5\nb,c2,7\na,c1,5\n");
    place.check_refused("--customers customers.csv", "3 customers brought something, and at least 50");
    place.write("partners.csv", "partner_id,source,clicks\na,x,10\n");
    place.write("customers.csv", "partner_id,value\na,1\nb,2\n");
    place.check_refused(
        "--partners partners.csv --customers customers.csv",
        "b has 1 conversions and is in no file of partners, which tell of clicks: add it there",
    );
}

#[test]
fn what_a_month_will_bring_is_told_of_partners_and_of_applicants() {
    let place = Place::empty();
    let mut customers = "partner_id,date,value\n".to_owned();
    let first = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
    for day in 0..300 {
        let date = first.checked_add_days(Days::new(day)).unwrap();
        writeln!(customers, "steady,{date},{}", 10 + day % 7).unwrap();
        if day < 150 {
            writeln!(customers, "gone,{date},{}", 20 + day % 5).unwrap();
        }
    }
    place.write("customers.csv", &customers);
    place.write("partners.csv", "partner_id,clicks\nsteady,3000\ngone,1500\n");
    place.write("applicants.csv", "partner_id,clicks\nnew,1000\nunknown,\n");
    let learn = "--partners partners.csv --customers customers.csv";
    place.told(&format!("{learn} --applicants applicants.csv --out out"));
    let partners = place.partners("out");
    assert!((number(&partners["steady"], "expected_conversions") - 30.0).abs() < 1e-9);
    assert!(number(&partners["gone"], "expected_conversions").abs() < 1e-9);
    // A thousand clicks in ten months, of which one in ten converts.
    assert!((number(&partners["new"], "expected_conversions") - 10.0).abs() < 1e-9);
    assert!(partners["unknown"]["expected_conversions"].is_empty());
    place.write("applicants.csv", "partner_id\nnew\nsteady\n");
    place.check_refused(
        &format!("{learn} --applicants applicants.csv"),
        "applicants.csv, line 3, column partner_id: steady is a partner already, by partners.csv",
    );
}

#[test]
fn partners_of_another_program_and_a_day_that_judges_nothing_are_told_of() {
    let place = Place::with(&planted());
    place.write("others.csv", "partner_id,source\nx1,a\nx2,a\np001,b\n");
    let told = place.told("--partners others.csv --customers customers.csv --out out");
    assert!(told.contains("of 3 partners of others.csv only 1 are among the 390 of whom"), "{told}");
    let told = place.told(&format!("{LEARN} --calibration-end 2025-12-25 --out late"));
    assert!(told.contains("nothing is judged: of"), "{told}");
    assert!(place.json("late/metrics.json")["judged"]["not_judged"].is_string());
    place.check_refused(
        &format!("{LEARN} --calibration-end 2024-12-25"),
        "0 conversions that brought something were known on 2024-12-25, and at least 50 are needed",
    );
    let told = place.told(&format!("{LEARN} --out fine"));
    assert!(!told.contains("another program") && !told.contains("nothing is judged"), "{told}");
    for words in ["--follow-days 30", "--currency EUR", "--lake lake", "--predicted-on 2025-06-30"] {
        place.check_refused(&format!("{LEARN} {words}"), "cannot be used with");
    }
}
