//! `tributary-train policy` as a data scientist runs it: rates decided from a table, replayed over a file of a world whose truth
//! is known, and tried beside others.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use domain::commission::dynamic::RateDecision;
use serde_json::Value;
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    /// An empty folder with the policy of the manual, in the shadow and live, and one that pays what is worth it.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let policy = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.json")).unwrap();
        place.write("policy.json", &policy);
        place.write("live.json", &policy.replace("\"shadow\"", "\"live\""));
        place.write("best.json", &policy.replace("\"33%\"", "\"100%\"").replace("\"10%\",", "\"0%\","));
        place
    }

    /// The same with a world's history.
    fn with_history() -> Self {
        let place = Self::new();
        place.told("--simulate --write-history --seed 5 --partners-per-world 200 --out world");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, words: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
        command.current_dir(self.0.path()).arg("policy").args(words.split_whitespace()).output().unwrap()
    }

    fn told(&self, words: &str) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn check_refused(&self, words: &str, says: &str) {
        let output = self.run(&format!("{words} --out refused"));
        let sentence = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && sentence.contains(says), "{words}: {sentence}");
        assert!(!self.path("refused").exists());
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    fn rows(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let text = self.read(name);
        csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
    }
}

/// A decision of `decisions.jsonl`: whose it is, the whole line, and the record that the platform takes.
fn decisions(text: &str) -> Vec<(String, Value, RateDecision)> {
    let read = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let partner = value["partner_id"].as_str().unwrap().to_owned();
        (partner, value, serde_json::from_str(line).unwrap())
    };
    text.lines().map(read).collect()
}

fn check_sums(decision: &RateDecision) {
    let sum: i64 = decision.parts.iter().map(|part| part.ppm).sum();
    assert_eq!(sum, decision.change_ppm(), "{decision:?}");
}

/// Forty partners, of whom the later ones have better customers.
fn partners() -> String {
    let mut text =
        "partner_id,value,value_lower,base,conversions,churn_ratio,fraud_risk,elasticity,rate\n".to_owned();
    for partner in 0..40 {
        let value = 10.0 + 2.0 * f64::from(partner);
        let (lower, churn) = (0.8 * value, if partner == 7 { 2.5 } else { 1.0 });
        writeln!(text, "p{partner:02},{value},{lower},100,{},{churn},0.02,0.8,10%", 5 + partner).unwrap();
    }
    text
}

const DECIDE: &str = "--partners partners.csv --policy live.json --currency EUR --seed 3";

#[test]
fn every_partner_gets_a_decision_whose_reasons_sum_to_the_change() {
    let place = Place::new();
    place.write("partners.csv", &partners());
    let told = place.told(&format!("{DECIDE} --at 2026-03-01 --out out"));
    assert!(told.contains("40 partners at 2026-03-01, by third-1 (live)"), "{told}");
    let all = decisions(&place.read("out/decisions.jsonl"));
    assert_eq!(all.len(), 40);
    for (partner, line, decision) in &all {
        check_sums(decision);
        assert_eq!(decision.previous.to_string(), "10%");
        assert!(decision.change_ppm().abs() <= 30_000, "{partner}");
        assert_eq!(line["propensity_ppm"], decision.propensity_ppm());
        assert_eq!(line["notice_days"], 14);
        let effective_at = decision.effective_at.map(|at| at.to_string());
        assert!(decision.change_ppm() == 0 || effective_at.as_deref() == Some("2026-03-15 00:00:00 UTC"));
    }
    // The policy of the manual makes commissions of those whose customers leave final after 30 days.
    let leaves: Vec<&str> =
        all.iter().filter(|it| it.2.final_after_days == Some(30)).map(|it| it.0.as_str()).collect();
    assert_eq!(leaves, ["p07"]);
    let first = all[0].2.next;
    assert!(first < all[39].2.next);
    let rows = place.rows("out/decisions.csv");
    assert_eq!((rows.len(), rows[0]["next"].as_str()), (40, first.to_string().as_str()));
    let metrics = place.json("out/metrics.json");
    let moved: i64 =
        metrics["reasons"].as_object().unwrap().values().map(|reason| reason["ppm"].as_i64().unwrap()).sum();
    assert_eq!(Some(moved), metrics["change_ppm"].as_i64());
    assert!(place.read("out/report.html").contains("Who goes up, and who goes down"));
}

#[test]
fn where_partners_stand_goes_on_in_the_next_run() {
    let place = Place::new();
    place.write("partners.csv", &partners());
    let next = |out: &str| -> Vec<String> {
        decisions(&place.read(out)).into_iter().map(|it| it.2.next.to_string()).collect()
    };
    place.told(&format!("{DECIDE} --at 2026-03-01 --out march"));
    let march = next("march/decisions.jsonl");
    // A week later the change is announced and not in effect: it stays as announced.
    let told = place.told(&format!("{DECIDE} --at 2026-03-08 --standings march/standings.json --out week"));
    assert!(told.contains("0 rates go up, 0 down"), "{told}");
    assert_eq!(next("week/decisions.jsonl"), march);
    place.told(&format!("{DECIDE} --at 2026-04-01 --standings march/standings.json --out april"));
    let april = decisions(&place.read("april/decisions.jsonl"));
    assert_eq!(april.iter().map(|it| it.2.previous.to_string()).collect::<Vec<_>>(), march);
    assert!(place.read("april/report.html").contains("Rates over time"));
    // In the shadow nothing changes.
    let shadow = DECIDE.replace("live.json", "policy.json");
    place.told(&format!("{shadow} --at 2026-03-01 --out shadow"));
    place.told(&format!("{shadow} --at 2026-04-01 --standings shadow/standings.json --out later"));
    let later = decisions(&place.read("later/decisions.jsonl"));
    assert!(later.iter().all(|it| it.2.previous.to_string() == "10%"));
    place.check_refused(
        &format!("{DECIDE} --at 2026-02-01 --standings march/standings.json"),
        "what was decided is not decided again",
    );
}

#[test]
fn what_the_partner_job_says_is_decided_by() {
    let place = Place::new();
    let head = "rank,partner_id,conversions,value_per_conversion,value_per_conversion_lower,churn_ratio";
    place.write("worth.csv", &format!("{head}\n1,a,40,31.5,27.25,1.1\n2,b,0,12.5,4.75,\n"));
    let words = "--partners worth.csv --policy policy.json --currency EUR --at 2026-03-01";
    place.told(&format!("{words} --base 80 --rate 8% --out out"));
    let all = decisions(&place.read("out/decisions.jsonl"));
    let of_value = |place: usize| all[place].2.parts[0].ppm;
    // A third of 31.50 on an order of 80.00 is 12.99 %, which is 4.99 points above 8 %; the other's is 2.84 points below it.
    assert_eq!((of_value(0), of_value(1)), (49_937, -28_438));
    place.check_refused(&format!("{words} --rate 8%"), "say --base AMOUNT");
}

#[test]
fn a_budget_is_kept_and_the_order_of_rows_makes_no_difference() {
    let place = Place::new();
    let text = partners();
    place.write("partners.csv", &text);
    place.told(&format!("{DECIDE} --at 2026-03-01 --budget 7000 --threads 1 --out out"));
    let metrics = place.json("out/metrics.json");
    let cost = metrics["expected_cost_after"].as_f64().unwrap();
    assert!(7_000.0 < metrics["expected_cost_before"].as_f64().unwrap() && cost < 7_700.0, "{metrics}");
    assert!(10 < metrics["reasons"]["budget"]["decisions"].as_u64().unwrap(), "{metrics}");
    let (head, rows) = text.split_once('\n').unwrap();
    let turned: Vec<&str> = rows.lines().rev().collect();
    place.write("partners.csv", &format!("{head}\n{}\n", turned.join("\n")));
    place.told(&format!(
        "{DECIDE} --at 2026-03-01 --budget 7000 --threads 2 --model-version {} --out turned",
        decisions(&place.read("out/decisions.jsonl"))[0].2.model_version
    ));
    for name in ["decisions.jsonl", "decisions.csv", "standings.json", "metrics.json", "report.html"] {
        assert_eq!(place.read(&format!("out/{name}")), place.read(&format!("turned/{name}")), "{name}");
    }
}

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
    for (_, _, decision) in decisions(&place.read("out/decisions.jsonl")) {
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
    let report = place.read("out/report.html");
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

#[test]
fn nothing_is_decided_by_what_was_known_later() {
    let place = Place::with_history();
    place.told(&format!("{REPLAY} --out out"));
    // The period of 2024-12-26 is decided on 2024-12-12, and the next one on 2025-01-11.
    let day = "2024-12-12";
    place.write("world/history.csv", &altered(&place.read("world/history.csv"), day));
    place.told(&format!("{REPLAY} --out altered"));
    let until = |out: &str, holds: &dyn Fn(&str) -> bool| -> Vec<Value> {
        let all = decisions(&place.read(out)).into_iter().map(|it| it.1);
        all.filter(|line| holds(line["period_start"].as_str().unwrap())).collect()
    };
    let before = |start: &str| start <= "2024-12-26";
    let (then, still) = (until("out/decisions.jsonl", &before), until("altered/decisions.jsonl", &before));
    assert_eq!((then.len(), then == still), (800, true));
    let after = |start: &str| "2024-12-26" < start;
    assert_ne!(until("out/decisions.jsonl", &after), until("altered/decisions.jsonl", &after));
}

#[test]
fn the_same_history_and_seed_are_the_same_bytes() {
    let place = Place::with_history();
    for (out, words) in [("one", "--threads 1"), ("two", "--threads 2"), ("other", "--seed 9")] {
        place.told(&format!("{REPLAY} {words} --out {out}"));
    }
    for name in ["decisions.jsonl", "rates.csv", "partners.csv", "metrics.json", "report.html"] {
        assert!(place.read(&format!("one/{name}")) == place.read(&format!("two/{name}")), "{name}");
    }
    assert_ne!(place.read("one/rates.csv"), place.read("other/rates.csv"));
    let text = place.read("world/history.csv");
    let (head, rows) = text.split_once('\n').unwrap();
    let turned: Vec<&str> = rows.lines().rev().collect();
    place.write("world/history.csv", &format!("{head}\n{}\n", turned.join("\n")));
    place.told(&format!("{REPLAY} --out turned"));
    assert!(place.read("one/rates.csv") == place.read("turned/rates.csv"), "rows in another order");
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
fn simulated_worlds_compare_policies_and_do_not_depend_on_threads() {
    let place = Place::new();
    let words = "--simulate --seeds 3 --partners-per-world 150 --months 6 --logs 0";
    let told = place.told(&format!("{words} --threads 1 --out one"));
    assert!(told.contains("spend_as_flat") && told.contains("few_and_late"), "{told}");
    place.told(&format!("{words} --threads 2 --out two"));
    assert_eq!(place.read("one/metrics.json"), place.read("two/metrics.json"));
    assert_eq!(place.read("one/report.html"), place.read("two/report.html"));
    let metrics = place.json("one/metrics.json");
    let settings = metrics["relative_to_flat"].as_object().unwrap();
    assert_eq!(settings.keys().collect::<BTreeSet<_>>().len(), 3);
    let profit = |policy: &str| settings["spend_as_flat"][policy]["profit"]["mean"].as_f64().unwrap();
    assert!(0.0 < profit("learned") && profit("learned") < profit("oracle"), "{metrics}");
    assert!(profit("tiers") < profit("learned"), "{metrics}");
    assert!(place.read("one/report.html").contains("Who is paid what"));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_line_and_column() {
    let place = Place::new();
    place.write("partners.csv", &partners());
    place.check_refused("--policy live.json", "say --partners FILE to decide rates");
    place.check_refused("--partners partners.csv --policy live.json --currency EUR", "say --at DATE");
    place.check_refused("--partners partners.csv --at 2026-03-01", "say --policy FILE");
    place.check_refused(&format!("{DECIDE} --at 2026-03-01 --column rate=pay"), "has no column \"pay\"");
    place.check_refused(&format!("{DECIDE} --at 2026-03-01 --column pay=rate"), "there is no field \"pay\"");
    place.write("live.json", &place.read("live.json").replace("\"target\": \"33%\"", "\"target\": \"133%\""));
    place.check_refused(&format!("{DECIDE} --at 2026-03-01"), "the target of CAC:LTV is 133%");
    let decide = DECIDE.replace("live.json", "policy.json");
    let head = "partner_id,value,value_lower,base,conversions,rate";
    for (text, says) in [
        (
            format!("{head}\na,20,16,100,9,10\n"),
            "line 2, column rate: \"10\" is no rate; expected 12.5%, or 0.125",
        ),
        (
            format!("{head}\na,20,16,100,9,10%\na,20,16,100,9,10%\n"),
            "line 3, column partner_id: is the partner of",
        ),
        (format!("{head}\na,20,16,100,9,\n"), "line 2, column partner_id: says no rate"),
        (format!("{head}\na,20,much,100,9,10%\n"), "line 2, column value_lower: \"much\" is no number"),
        (
            format!("{head}\na,20,26,100,9,10%\n"),
            "line 2, column partner_id: the lower bound of the value, 26.00 EUR",
        ),
        (format!("{head}\na,20,16,0,9,10%\n"), "the mean order is 0.00 EUR"),
        (format!("{head},fraud_risk\na,20,16,100,9,10%,1.5\n"), "the fraud risk is 1.5"),
    ] {
        place.write("partners.csv", &text);
        place.check_refused(&format!("{decide} --at 2026-03-01"), says);
    }
}

#[test]
fn a_history_that_makes_no_sense_is_refused_with_its_line_and_column() {
    let place = Place::new();
    let head = "partner_id,period_start,rate,conversions,amount,value,known_at";
    let ok = "a,2024-01-01,10%,3,300,60,2024-04-01\na,2024-02-01,10%,3,300,60,2024-05-01";
    let replay = "--backtest --history history.csv --policy policy.json";
    place.check_refused("--backtest --policy policy.json", "say --history FILE");
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
