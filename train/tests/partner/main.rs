//! `tributary-train partner` as a data scientist runs it: files whose truth was planted, customers whose value was predicted,
//! and an event lake.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lake;
#[path = "../support/place.rs"]
mod place;
mod said;

use std::{collections::BTreeMap, fmt::Write};

use chrono::{Days, NaiveDate};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

use place::Place;

const PARTNERS: u32 = 400;

/// What was planted: the logarithm of the mean value of each partner's conversions.
struct Planted {
    partners: String,
    customers: String,
    truth: BTreeMap<String, f64>,
}

/// Partners of three sources, whose quality says half of how those of a source differ, and whose customers pay six times out of
/// ten. Campaign `dear` sells for four times as much as `cheap`, and every other partner advertises only one of them. The last
/// ten are applicants.
fn planted() -> Planted {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut unit = move || 1.0 - dice.random_range(0.0..1.0_f64);
    let mut normal = move || (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos();
    let mut partners = "partner_id,source,clicks,cost,quality,format,contact\n".to_owned();
    let mut customers = "partner_id,date,value,customer_id,campaign\n".to_owned();
    let mut truth = BTreeMap::new();
    let first = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
    for number in 0..PARTNERS {
        let (name, source) = (format!("p{number:03}"), number % 3);
        let quality = normal();
        let level = 3.0 + 0.5 * f64::from(source) + 0.3 * quality + 0.3 * normal();
        let is_applicant = PARTNERS - 10 <= number;
        let count = if is_applicant { 0 } else { (2.5 + 1.2 * normal()).exp().min(600.0) as u32 + 1 };
        let campaign = if number % 2 == 0 { "cheap" } else { "dear" };
        let factor: f64 = if number % 2 == 0 { 1.0 } else { 4.0 };
        truth.insert(
            name.clone(),
            level + (0.6 * factor).ln() + 0.5 - if is_applicant { factor.ln() } else { 0.0 },
        );
        let kind = ["review", "video"][(number / 3 % 2) as usize];
        let (source, clicks) = (["blog", "coupon", "search"][source as usize], 30 * count);
        writeln!(partners, "{name},{source},{clicks},{},{quality:.3},{kind},m{number}@x.example", 5 * count)
            .unwrap();
        for customer in 0..count {
            let date = first.checked_add_days(Days::new(u64::from((customer * 37 + number) % 360))).unwrap();
            let value =
                if (customer * 7 + number) % 10 < 6 { factor * (level + normal()).exp() } else { 0.0 };
            writeln!(customers, "{name},{date},{value:.4},c{number}-{customer},{campaign}").unwrap();
            // One in four customers of a coupon's comes back, and three in four of others'.
            let returns = if source == "coupon" { 1 } else { 3 };
            if (customer + number) % 4 < returns {
                let again = date.checked_add_days(Days::new(20)).unwrap();
                writeln!(customers, "{name},{again},0,c{number}-{customer},{campaign}").unwrap();
            }
        }
    }
    Planted { partners, customers, truth }
}

/// What these tests run.
const JOB: &str = "partner";

impl Place {
    fn with(planted: &Planted) -> Self {
        let place = Self::empty();
        place.write("partners.csv", &planted.partners);
        // Rows of a second purchase would be conversions of their own.
        let rows = planted.customers.lines().filter(|row| !row.contains(",0,c")).collect::<Vec<_>>();
        place.write("customers.csv", &rows.join("\n"));
        place.write("orders.csv", &planted.customers);
        place
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    /// The rows of partners.csv by partner.
    fn partners(&self, out: &str) -> BTreeMap<String, BTreeMap<String, String>> {
        let bytes = self.read(&format!("{out}/partners.csv"));
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let rows = reader.deserialize::<BTreeMap<String, String>>().map(Result::unwrap);
        rows.map(|row| (row["partner_id"].clone(), row)).collect()
    }
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", row[column]))
}

const LEARN: &str = "--partners partners.csv --customers customers.csv --drop contact";

#[test]
fn partners_are_worth_what_was_planted_and_reasons_sum_to_it() {
    let planted = planted();
    let place = Place::with(&planted);
    let told = place.told(&format!("{LEARN} --out out"));
    assert!(told.contains("400 partners with"), "{told}");
    let partners = place.partners("out");
    assert_eq!(partners.len(), 400);
    let (mut covered, mut squares, mut raw_squares, mut paid) = (0, 0.0, 0.0, 0);
    for (name, row) in &partners {
        let told = number(row, "log_value");
        let parts = ["log_program", "log_source", "log_profile", "log_campaigns", "log_own"];
        let sum: f64 = parts.iter().map(|part| number(row, part)).sum();
        assert!((sum - told).abs() < 1e-9, "{row:?}");
        let [lower, expected, upper] =
            ["_lower", "", "_upper"].map(|end| number(row, &format!("value_per_conversion{end}")));
        assert!(lower < expected && expected < upper && 0.0 < lower);
        let chances: f64 = ["p_bronze", "p_silver", "p_gold"].iter().map(|it| number(row, it)).sum();
        assert!((chances - 1.0).abs() < 1e-9);
        let truth = planted.truth[name];
        covered += u32::from((lower.ln()..=upper.ln()).contains(&truth));
        if row["basis"] == "customers" && 0.0 < number(row, "mean_value") {
            squares += (told - truth).powi(2);
            raw_squares += (number(row, "mean_value").ln() - truth).powi(2);
            paid += 1;
        }
    }
    assert!((0.84..=0.95).contains(&(f64::from(covered) / 400.0)), "{covered} of 400 are within");
    assert!(squares < 0.5 * raw_squares, "{squares} against {raw_squares} of {paid}");
    let ranked = |row: &BTreeMap<String, String>| (number(row, "rank"), number(row, "expected_return"));
    let mut ranks: Vec<(f64, f64)> = partners.values().map(ranked).collect();
    ranks.sort_by(|one, other| one.0.total_cmp(&other.0));
    assert!(ranks.windows(2).all(|pair| pair[1].1 <= pair[0].1));
    // A conversion costs 5, whoever won it.
    assert!(partners.values().all(|row| (number(row, "cost_per_conversion") - 5.0).abs() < 1e-9));
    assert!(String::from_utf8(place.read("out/report.html")).unwrap().contains("Who is worth most"));
    let values = place.json("out/values.json");
    let told = values["partners"].as_array().unwrap();
    assert_eq!(told.len(), 400);
    for one in told {
        let (row, value) = (&partners[one["affiliate_id"].as_str().unwrap()], &one["value"]);
        assert_eq!(
            (&value["tier"], &value["basis"]),
            (&row["tier"].clone().into(), &row["basis"].clone().into())
        );
        let upper = value["expected_return"]["upper"].as_f64().unwrap();
        assert!((upper - number(row, "expected_return_upper")).abs() < 1e-12);
    }
}

#[test]
fn applicants_are_scored_from_source_and_profile_and_are_marked() {
    let planted = planted();
    let place = Place::with(&planted);
    place.write(
        "applicants.csv",
        "partner_id,source,quality\nnew,search,2\nworse,coupon,-2\nstrange,nowhere,\n",
    );
    place.told(&format!("{LEARN} --applicants applicants.csv --out out"));
    let partners = place.partners("out");
    let (new, worse, strange) = (&partners["new"], &partners["worse"], &partners["strange"]);
    for row in [new, worse, strange, &partners["p395"]] {
        assert_eq!((row["basis"].as_str(), row["conversions"].as_str()), ("source and profile", "0"));
        assert!(number(row, "log_own").abs() < 1e-12 && row["mean_value"].is_empty());
    }
    // Sources are half a unit apart (search is the best), and a unit of quality is worth 0.3; the least that partners with
    // customers say is about -3.
    let apart = number(new, "log_value") - number(worse, "log_value");
    assert!((1.3..2.1).contains(&apart), "{apart}");
    assert!((0.4..0.8).contains(&number(new, "log_profile")), "{new:?}");
    assert!(number(strange, "log_profile").abs() < 0.05 && strange["source"] == "nowhere");
    let width = |row| number(row, "value_per_conversion_upper") / number(row, "value_per_conversion_lower");
    assert!(width(new) < width(strange), "nothing is known of the source nowhere");
    assert!(
        new["reasons"].contains("source search") && new["reasons"].contains("quality +"),
        "{}",
        new["reasons"]
    );
    assert_eq!(place.json("out/metrics.json")["without_conversions"], 13);
}

#[test]
fn neither_threads_nor_the_order_of_rows_makes_a_difference() {
    let planted = planted();
    let place = Place::with(&planted);
    let learn = format!("{LEARN} --calibration-end 2025-09-30");
    for (out, threads) in [("one", 1), ("two", 2)] {
        place.told(&format!("{learn} --threads {threads} --out {out}"));
    }
    for name in ["partners.csv", "metrics.json", "tiers.json", "report.html"] {
        assert!(place.read(&format!("one/{name}")) == place.read(&format!("two/{name}")), "{name}");
    }
    for name in ["partners.csv", "customers.csv"] {
        let text = String::from_utf8(place.read(name)).unwrap();
        let (head, rows) = text.split_once('\n').unwrap();
        let turned: Vec<&str> = rows.lines().rev().collect();
        place.write(name, &format!("{head}\n{}\n", turned.join("\n")));
    }
    place.told(&format!("{learn} --out turned"));
    for name in ["partners.csv", "tiers.json", "report.html"] {
        assert!(
            place.read(&format!("one/{name}")) == place.read(&format!("turned/{name}")),
            "{name} of turned rows"
        );
    }
}

#[test]
fn what_was_expected_earlier_is_judged_by_what_came() {
    let planted = planted();
    let place = Place::with(&planted);
    let told = place.told(&format!("{LEARN} --calibration-end 2025-06-30 --out out"));
    assert!(told.contains("rmse of the logarithm"), "{told}");
    let judged = &place.json("out/metrics.json")["judged"];
    let any = &judged["by_conversions"]["any"];
    let measure = |name: &str| any[name].as_f64().unwrap();
    assert!(measure("log_rmse") < measure("raw_log_rmse") && 0.75 < measure("spearman"), "{any}");
    assert!((0.8..=0.98).contains(&measure("coverage")), "{any}");
    let tenths = judged["tenths"].as_array().unwrap();
    let of = |tenth: usize, name: &str| tenths[tenth][name].as_f64().unwrap();
    assert!(3.0 * of(0, "came") < of(9, "came") && 3.0 * of(0, "expected") < of(9, "expected"), "{tenths:?}");
    place
        .check_refused(&format!("{LEARN} --calibration-end 2026-06-30"), "nothing is known after 2026-06-30");
}

#[test]
fn a_tier_is_kept_until_it_is_improbable() {
    let planted = planted();
    let place = Place::with(&planted);
    place.told(&format!("{LEARN} --silver 8 --gold 20 --out first"));
    place.told(&format!("{LEARN} --silver 8 --gold 20 --previous first/partners.csv --out again"));
    let again = place.json("again/tiers.json");
    assert_eq!((again["moved"].as_u64(), again["previous_known"].as_u64()), (Some(0), Some(400)));
    // The same partners, said to have been elite: who is Gold with three in ten stays, and all others fall.
    let first = place.partners("first");
    let elite: Vec<String> = first.keys().map(|name| format!("{name},elite")).collect();
    place.write("before.csv", &format!("partner_id,tier\n{}\n", elite.join("\n")));
    place.told(&format!("{LEARN} --silver 8 --gold 20 --previous before.csv --out fallen"));
    let (mut kept, mut fell) = (0, 0);
    for (name, row) in place.partners("fallen") {
        let is_probable = 0.3 <= number(&row, "p_gold");
        assert_eq!(row["tier"] == "gold", is_probable, "{row:?}");
        assert_eq!(row["previous_tier"], "gold");
        kept += u32::from(is_probable && first[&name]["tier"] != "gold");
        fell += u32::from(!is_probable);
    }
    assert!(5 < kept && 50 < fell, "{kept} kept what they would not have risen to, {fell} fell");
    let tiers = place.json("fallen/tiers.json");
    assert_eq!(tiers["moves"].as_array().unwrap().len(), fell as usize);
    assert!(
        tiers["months"].as_array().unwrap().iter().all(|it| it["moved"].as_u64() <= it["partners"].as_u64())
    );
    place.write("before.csv", "partner_id,tier\np001,platinum\n");
    place.check_refused(
        &format!("{LEARN} --previous before.csv"),
        "line 2, column tier: \"platinum\" is no tier",
    );
}

#[test]
fn who_loses_customers_stands_out() {
    let place = Place::with(&planted());
    place.told("--partners partners.csv --customers orders.csv --drop contact --out out");
    let partners = place.partners("out");
    let mean = |source: &str| {
        let ratios: Vec<f64> = partners
            .values()
            .filter(|row| row["source"] == source)
            .map(|row| number(row, "churn_ratio"))
            .collect();
        ratios.iter().sum::<f64>() / ratios.len() as f64
    };
    // Three in four customers of a coupon's leave, and one in four of others': 1.8 and 0.6 times as many as of all.
    let (coupon, blog) = (mean("coupon"), mean("blog"));
    assert!((1.6..2.0).contains(&coupon) && (0.5..0.7).contains(&blog), "{coupon}, {blog}");
}

#[test]
fn predicted_values_belong_to_the_partner_of_the_first_transaction() {
    let place = Place::empty();
    let (mut orders, mut predictions) =
        ("customer_id,date,amount,partner,campaign\n".to_owned(), "customer_id,predicted\n".to_owned());
    for customer in 0..600 {
        let partner = ["blog", "video", ""][customer % 3];
        // The second order came through somebody else, and is told first.
        writeln!(orders, "c{customer},2025-05-01,50,thief,a").unwrap();
        writeln!(orders, "c{customer},2025-04-01,100,{partner},a").unwrap();
        let value = if customer % 3 == 0 { 90 } else { 30 } + customer % 7;
        writeln!(predictions, "c{customer},{value}").unwrap();
    }
    place.write("orders.csv", &orders);
    place.write("predictions.csv", &predictions);
    let learn = "--transactions orders.csv --predictions predictions.csv --rate 8% --predicted-on 2025-05-31";
    let told = place.told(&format!("{learn} --out out"));
    assert!(told.contains("200 customers were won by no partner"), "{told}");
    let partners = place.partners("out");
    assert_eq!(partners.keys().collect::<Vec<_>>(), ["blog", "video"]);
    let blog = &partners["blog"];
    assert_eq!(blog["conversions"], "200");
    assert!((number(blog, "mean_value") - 243.0).abs() < 0.2, "spent 150, and 93 are predicted: {blog:?}");
    let fraction = learn.replace("8%", "0.08").replace("2025-05-31", "2025-04-15");
    place.told(&format!("{fraction} --out april"));
    // What came after that day changes nothing.
    let until: Vec<&str> = orders.lines().filter(|row| !row.contains("2025-05-01")).collect();
    place.write("orders.csv", &until.join("\n"));
    place.told(&format!("{fraction} --out known"));
    assert_eq!(place.read("april/partners.csv"), place.read("known/partners.csv"));
    place.write("orders.csv", &orders);
    let april = &place.partners("april")["blog"];
    assert_eq!(april["cost_per_conversion"], blog["cost_per_conversion"]);
    assert!((number(april, "mean_value") - 193.0).abs() < 0.2, "{april:?}");
    assert!((number(blog, "cost_per_conversion") - 8.0).abs() < 1e-9, "8 % of the first order");
    place.write("predictions.csv", "customer_id,predicted\nc1,5\nc999,5\n");
    place
        .check_refused(learn, "predictions.csv, line 3, column customer_id: orders.csv has no customer c999");
    place.check_refused("--predictions predictions.csv", "--transactions");
    place.check_refused("--transactions orders.csv --predictions predictions.csv", "--predicted-on");
    place.write("predictions.csv", "customer_id,predicted\nc1,5\n");
    for (day, says) in [
        (
            "2025-05-31",
            "orders.csv, line 3, column customer_id: c0 had bought by 2025-05-31 and is not in predictions.csv, as 599",
        ),
        ("2025-03-31", "predictions.csv, line 2, column customer_id: c1 had bought nothing by 2025-03-31"),
        ("2026-05-02", "more than 365 days earlier, on 2025-05-01"),
    ] {
        place.check_refused(&learn.replace("2025-05-31", day), says);
    }
    place.write("metrics.json", r#"{"calibration_end": "2025-05-30", "horizon_days": 90}"#);
    place.check_refused(
        learn,
        "the metrics.json beside predictions.csv says that its predictions are of 2025-05-30",
    );
}

#[test]
fn files_that_make_no_sense_are_refused_with_line_and_column() {
    let place = Place::with(&planted());
    let head = "partner_id,source,clicks\n";
    for (text, says) in [
        (format!("{head}a,x,1\n,x,1\n"), "partners.csv, line 3, column partner_id: says nothing"),
        (format!("{head}a,x,1\na,x,1\n"), "line 3, column partner_id: a second row of this partner"),
        (format!("{head}a,x,many\n"), "line 2, column clicks: \"many\" is no number"),
        (format!("{head}a,x,1.5\n"), "line 2, column clicks: 1.5 is no number of clicks"),
        (format!("{head}a,x,-1\n"), "line 2, column clicks: -1 is not a number from zero up"),
        (format!("{head}p000,x,0\n"), "p000 has"),
        ("partner,source\na,x\n".to_owned(), "has no column \"partner_id\""),
    ] {
        place.write("partners.csv", &text);
        place.check_refused("--partners partners.csv --customers customers.csv", says);
    }
    for (text, says) in [
        (
            "partner_id,value\na,1\nb,\n",
            "customers.csv, line 3, column value: says no amount from -1e12 to 1e12",
        ),
        ("partner_id,value,date\na,1,2025-13-01\n", "2025-13-01"),
        ("partner_id,value,date\na,1,9025-01-01\n", "line 2, column date: 9025-01-01 has not come yet"),
        ("partner_id,value\na,1\n", "at least 50 are needed"),
    ] {
        place.write("customers.csv", text);
        place.check_refused("--customers customers.csv", says);
    }
    place.check_refused("--customers customers.csv --rate 8%", "has no column amount");
    place.check_refused("--customers customers.csv --rate 8", "\"8\" is no rate; expected 12.5%, or 0.125");
    place.check_refused("--customers customers.csv --column value=worth", "no file has a column \"worth\"");
    place.check_refused("--customers customers.csv --column worth=value", "there is no field \"worth\"");
    place.check_refused("--customers customers.csv --drop size", "no file of partners has a column \"size\"");
    place.check_refused("", "say what partners won");
    place.check_refused("--lake nowhere", "there is no event lake in nowhere");
}
