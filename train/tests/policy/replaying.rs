//! Policies replayed over the history of a world whose truth is known, and histories that make no sense.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

use super::{Place, check_sums, decisions};

const REPLAY: &str = "--backtest --history world/history.csv --policy best.json --early early_buyers";

/// What rates truly come to in the world: profit for each unit spent, and the spend.
fn truly(place: &Place, column: &str) -> (f64, f64) {
    let number = |row: &BTreeMap<String, String>, name: &str| -> f64 { row[name].parse().unwrap() };
    let truths: BTreeMap<String, _> =
        place.rows("world/truth.csv").into_iter().map(|row| (row["partner_id"].clone(), row)).collect();
    let (mut value, mut spend) = (0.0, 0.0);
    for row in place.rows("out/rates.csv") {
        let truth = &truths[&row["partner_id"]];
        let rate = row[column].trim_end_matches('%').parse::<f64>().unwrap() / 100.0;
        let conversions = number(truth, "conversions") * (rate / 0.1).powf(number(truth, "elasticity"));
        value += conversions * (1.0 - number(truth, "fraud")) * number(truth, "value");
        spend += conversions * 100.0 * rate;
    }
    ((value - spend) / spend, spend)
}

#[test]
fn a_replay_says_what_the_policy_comes_to_and_it_is_near_the_truth() {
    let place = Place::with_history();
    let told = place.told(&format!("{REPLAY} --out out"));
    assert!(told.contains("third-1 decided 1800 rates of 200 partners"), "{told}");
    let metrics = place.json("out/metrics.json");
    let found = metrics["outcomes"]["policy"]["against_paid"]["roi"].as_f64().unwrap();
    let ((paid, spent), (policy, spends)) = (truly(&place, "paid"), truly(&place, "policy"));
    let better = policy / paid - 1.0;
    println!(
        "ROI above what was paid: found {found:.3}, truly {better:.3} at {:.3} of the spend",
        spends / spent
    );
    assert!(0.1 < better && spends < 1.02 * spent && (found - better).abs() < 0.1);
    for (_, _, decision) in decisions(&place.text("out/decisions.jsonl")) {
        check_sums(&decision);
    }
    let judged = metrics["off_policy"]["judged"].as_array().unwrap();
    assert_eq!(metrics["off_policy"]["rates_tried"], serde_json::json!(["8%", "10%", "12%"]));
    let of = |held: &str, estimator: &str| {
        let one = judged.iter().find(|it| it["policy"] == "policy" && it["rates_not_tried"] == held);
        one.unwrap()["estimates"][estimator].clone()
    };
    for estimator in ["ips", "snips", "dr", "surrogate_dr"] {
        let uplift = &of("held to the nearest that was tried", estimator)["uplift"];
        assert!(uplift["low"].as_f64().unwrap() < uplift["high"].as_f64().unwrap(), "{estimator}");
        let refused = of("as decided", estimator)["refused"].as_str().unwrap().to_owned();
        assert!(refused.contains("the policy pays rates that were never tried"), "{refused}");
    }
    let error = |estimator: &str| {
        of("held to the nearest that was tried", estimator)["uplift"]["error"].as_f64().unwrap()
    };
    assert!(error("surrogate_dr") < error("dr") && error("dr") < error("ips"));
    let report = place.text("out/report.html");
    assert!(report.contains("if the fitted response is right") && report.contains("What the log says"));
}

/// The history with other values, fraud and known ones wherever those were not known before `day`.
fn altered(history: &str, day: &str) -> String {
    let mut reader = csv::Reader::from_reader(history.as_bytes());
    let head = reader.headers().unwrap().clone();
    let at = |name: &str| head.iter().position(|it| it == name).unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&head).unwrap();
    for row in reader.records() {
        let mut cells: Vec<String> = row.unwrap().iter().map(str::to_owned).collect();
        if day < cells[at("known_at")].as_str() {
            cells[at("value")] = "5000".to_owned();
            cells[at("values")] = String::new();
            cells[at("fraud")] = "0".to_owned();
        }
        // What comes in periods that begin on that day or later is not known either.
        if day <= cells[at("period_start")].as_str() {
            cells[at("conversions")] = (3 + cells[at("conversions")].parse::<u32>().unwrap()).to_string();
            cells[at("rate")] = "12%".to_owned();
        }
        writer.write_record(&cells).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

/// Replays with so many days of notice decide the period of 2024-12-26 and those before it, `decided` rates in all, the same
/// whatever is known from `day` on.
fn check_known_then(notice_days: u16, day: &str, decided: usize) {
    let place = Place::with_history();
    let notice = format!("\"notice_days\": {notice_days}");
    place.write("best.json", &place.text("best.json").replace("\"notice_days\": 14", &notice));
    // Nobody knows of the first partner until the period of 2024-11-26.
    let begun = |line: &&str| !line.starts_with("p0000,") || "p0000,2024-11-26" <= *line;
    let history = place.text("world/history.csv");
    place.write("world/history.csv", &history.lines().filter(begun).collect::<Vec<_>>().join("\n"));
    place.told(&format!("{REPLAY} --out out"));
    place.write("world/history.csv", &altered(&place.text("world/history.csv"), day));
    place.told(&format!("{REPLAY} --out altered"));
    let until = |out: &str, holds: &dyn Fn(&str) -> bool| -> Vec<Value> {
        let all = decisions(&place.text(out)).into_iter().map(|it| it.1);
        all.filter(|line| holds(line["period_start"].as_str().unwrap())).collect()
    };
    let before = |start: &str| start <= "2024-12-26";
    let (then, still) = (until("out/decisions.jsonl", &before), until("altered/decisions.jsonl", &before));
    assert_eq!((then.len(), then == still), (decided, true));
    let after = |start: &str| "2024-12-26" < start;
    assert_ne!(until("out/decisions.jsonl", &after), until("altered/decisions.jsonl", &after));
}

#[test]
fn nothing_is_decided_by_what_was_known_later() {
    // The period of 2024-12-26 is decided on 2024-12-12, and the next one on 2025-01-11: the newcomer is there.
    check_known_then(14, "2024-12-12", 4 * 199 + 1);
    // It is decided two periods before, on the day on which another one begins, and the newcomer is not there.
    check_known_then(60, "2024-10-28", 4 * 199);
}

#[test]
fn the_same_history_and_seed_are_the_same_bytes() {
    let place = Place::with_history();
    for (out, words) in [("one", "--threads 1"), ("two", "--threads 2"), ("other", "--seed 9")] {
        place.told(&format!("{REPLAY} {words} --out {out}"));
    }
    for name in ["decisions.jsonl", "rates.csv", "partners.csv", "metrics.json", "report.html"] {
        assert!(place.text(&format!("one/{name}")) == place.text(&format!("two/{name}")), "{name}");
    }
    assert_ne!(place.text("one/rates.csv"), place.text("other/rates.csv"));
    let text = place.text("world/history.csv");
    let (head, rows) = text.split_once('\n').unwrap();
    let turned: Vec<&str> = rows.lines().rev().collect();
    place.write("world/history.csv", &format!("{head}\n{}\n", turned.join("\n")));
    place.told(&format!("{REPLAY} --out turned"));
    assert!(place.text("one/rates.csv") == place.text("turned/rates.csv"), "rows in another order");
}

#[test]
fn a_log_that_says_too_little_is_refused_in_a_sentence() {
    let place = Place::with_history();
    place.told(&format!("{REPLAY} --least-partners 1000 --out few"));
    let few = place.json("few/metrics.json");
    let refused = few["off_policy"]["judged"][0]["estimates"]["dr"]["refused"].as_str().unwrap().to_owned();
    assert!(refused.contains("and 1000 are needed"), "{refused}");
    // Without propensities the log says nothing, and what a fitted response says is still told, from sums alone.
    let rows = place.rows("world/history.csv");
    let mut text = "partner_id,period_start,rate,conversions,spend,value\n".to_owned();
    for row in &rows {
        let cell = |name: &str| &row[name];
        let cells = ["partner_id", "period_start", "rate", "conversions", "spend", "value"].map(cell);
        writeln!(text, "{}", cells.map(String::as_str).join(",")).unwrap();
    }
    place.write("flat.csv", &text);
    let told = place.told(
        "--backtest --history flat.csv --policy best.json --lag-days 60 --column value=value --out flat",
    );
    assert!(
        told.contains("the log itself says nothing: no decision from that period on has a propensity"),
        "{told}"
    );
    let metrics = place.json("flat/metrics.json");
    let better = metrics["outcomes"]["policy"]["against_paid"]["roi"].as_f64().unwrap();
    assert!(0.0 < better, "{metrics}");
}

#[test]
fn a_history_that_makes_no_sense_is_refused_with_its_line_and_column() {
    let place = Place::new();
    let head = "partner_id,period_start,rate,conversions,amount,value,known_at";
    let ok = "a,2024-01-01,10%,3,300,60,2024-04-01\na,2024-02-01,10%,3,300,60,2024-05-01";
    let replay = "--backtest --history history.csv --policy policy.json";
    place.check_refused("--backtest --policy policy.json", "say --history FILE");
    place.check_refused(&format!("{replay} --lag-days 200000000"), "200000000 is not in 0..=3650");
    for (text, says) in [
        (
            format!("{head}\n{ok}\na,2024-02-01,10%,3,300,60,2024-05-01\n"),
            "line 4, column period_start: is the period of",
        ),
        (
            format!("{head}\n{ok}\nb,2024-02-01,10%,3,300,60,2024-02-09\n"),
            "line 4, column known_at: is before the period's end",
        ),
        (
            format!("{head}\n{ok}\nb,2024-02-01,ten,3,300,60,2024-05-09\n"),
            "line 4, column rate: \"ten\" is no rate",
        ),
        (
            format!(
                "{head},propensity\na,2024-01-01,10%,3,300,60,2024-04-01,0\na,2024-02-01,10%,3,300,60,2024-05-01,1\n"
            ),
            "line 2, column propensity: 0 is no probability",
        ),
        (
            format!(
                "{head},fraud\na,2024-01-01,10%,3,300,60,2024-04-01,4\na,2024-02-01,10%,3,300,60,2024-05-01,1\n"
            ),
            "line 2, column fraud: 4 of 3 conversions",
        ),
        (
            format!(
                "{head},values\na,2024-01-01,10%,1,300,60,2024-04-01,1;2\na,2024-02-01,10%,3,300,60,2024-05-01,1;x\n"
            ),
            "line 3, column values: \"x\" is no number",
        ),
        (format!("{head}\na,2024-01-01,10%,3,300,60,2024-04-01\n"), "of 1 periods nothing can be replayed"),
        (format!("{head}\n{ok}\n"), "decide from a later period on"),
        (
            ok.replace(",2024-04-01", "").replace(",2024-05-01", "").replacen(
                "a,",
                "partner_id,period_start,rate,conversions,amount,value\na,",
                1,
            ),
            "say --lag-days 60",
        ),
    ] {
        place.write("history.csv", &text);
        place.check_refused(replay, says);
    }
}
