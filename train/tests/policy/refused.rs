//! Sentences that say what is wrong with a policy, a contract, standings or a simulation, and how to mend it.

use super::*;

#[test]
fn a_policy_file_is_refused_in_words() {
    let place = Place::new();
    place.write("partners.csv", &partners());
    let live = place.text("live.json");
    for (from, to, says) in [
        ("\"floor\": \"2%\",", "", "live.json is no policy: nothing is said of \"floor\" in line"),
        ("\"floor\"", "\"flor\"", "live.json is no policy: there is no field \"flor\""),
        (
            "\"period_days\": 28",
            "\"period_days\": \"long\"",
            "found the text \"long\", expected a whole number up to 65535",
        ),
        ("\"floor\": \"2%\",", "\"floor\": \"2%\"", "is no JSON at its character"),
        (
            "\"step\": \"3%\"",
            "\"step\": \"0.4%\"",
            "the contract's step of 0.4% is below the policy's dead_band of 0.5%",
        ),
        (
            "\"notice_days\": 14",
            "\"notice_days\": 0",
            "the contract's notice_days is 0; a rate is announced before it holds",
        ),
    ] {
        assert!(live.contains(from), "{from}");
        place.write("live.json", &live.replace(from, to));
        place.check_refused(&format!("{DECIDE} --at 2026-03-01"), says);
    }
    place.write("live.json", "{");
    place.check_refused(
        &format!("{DECIDE} --at 2026-03-01"),
        "it ends before its last bracket is closed; docs/policy.json",
    );
}

#[test]
fn a_contract_is_refused_where_it_is_said() {
    let place = Place::new();
    let decide = format!("{DECIDE} --at 2026-03-01");
    let head = "partner_id,value,value_lower,base,conversions,rate";
    place.write("partners.csv", &format!("{head},floor,cap\na,20,16,100,9,10%,20%,10%\n"));
    place.check_refused(
        &decide,
        "partners.csv, line 2, the contract of a, of which columns floor, cap tell: the contract's floor of 20% is above its cap",
    );
    place.write("partners.csv", &format!("{head},step\nb,20,16,100,9,10%,0.5%\na,20,16,100,9,10%,0.4%\n"));
    place.check_refused(
        &decide,
        "partners.csv, line 3, column step: a step of 0.4% is below the policy's dead_band of 0.5%",
    );
    place.write("partners.csv", &format!("{head},notice_days\na,20,16,100,9,10%,0\n"));
    place.check_refused(&decide, "line 2, column notice_days: a rate is announced before it holds");
}

#[test]
fn standings_of_another_program_are_told_of() {
    let place = Place::new();
    place.write("partners.csv", &partners());
    place.told(&format!("{DECIDE} --at 2026-03-01 --out first"));
    place.write("partners.csv", &partners().replace("\np", "\nq"));
    let told = place.told(&format!("{DECIDE} --at 2026-04-01 --standings first/standings.json --out second"));
    assert!(told.contains("of 40 partners of first/standings.json only 0 are among these"), "{told}");
    place.write("first/standings.json", "[1]");
    place.check_refused(
        &format!("{DECIDE} --at 2026-04-01 --standings first/standings.json"),
        "first/standings.json is no list of standings",
    );
}

#[test]
fn a_simulation_has_an_end() {
    let place = Place::new();
    for (words, says) in [
        ("--months 100000", "--months is 100000, and may be at most 120"),
        ("--seeds 1000000", "--seeds is 1000000, and may be at most 1000"),
        ("--partners-per-world 100000000", "--partners-per-world is 100000000, and may be at most 20000"),
        ("--logs 1000000", "--logs is 1000000, and may be at most 10000"),
    ] {
        place.check_refused(&format!("--simulate {words}"), says);
    }
}

#[test]
fn a_log_of_one_partner_says_how_many_it_takes() {
    let place = Place::with_history();
    let history = place.text("world/history.csv");
    let (head, rows) = history.split_once('\n').unwrap();
    let first = rows.lines().next().unwrap().split(',').next().unwrap();
    let of_first: Vec<&str> = rows.lines().filter(|row| row.split(',').next() == Some(first)).collect();
    place.write("one.csv", &format!("{head}\n{}\n", of_first.join("\n")));
    place.told("--backtest --history one.csv --policy live.json --out one");
    let refused = place.json("one/metrics.json")["off_policy"]["refused"].as_str().unwrap().to_owned();
    assert!(refused.starts_with("1 partners are too few") && refused.contains("at least 20"), "{refused}");
}
