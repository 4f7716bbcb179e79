//! Flags are held against what was planted, occurrence by occurrence.

use std::{collections::BTreeSet, fs, path::Path};

use domain::event::Event;

use crate::{
    Record, Settings, World,
    judge::{Case, Columns, Judgement, judge},
    judge_partners::{self, Horizon, Measures},
    sink::{Facts, Sink, write_network},
};

fn columns() -> Columns {
    let named = |name: &str| name.to_owned();
    Columns {
        id: named("conversion_id"),
        flagged: named("flagged"),
        affiliate: named("affiliate_id"),
        only: Some((named("part"), named("test"))),
    }
}

/// A world's truth in a folder, and its conversions: id, whose it is, whether that is fraud.
fn world(seed: u64, folder: &Path) -> Vec<(String, String, bool)> {
    let world = World::new(Settings::new(seed, 60, 20, 20_000)).unwrap();
    write_network(folder, &world).unwrap();
    let mut facts = Facts::create(folder).unwrap();
    let (mut conversions, mut fraud) = (Vec::new(), BTreeSet::new());
    for record in world.run() {
        match record {
            Record::Event(known) => {
                if let Event::Conversion(order) = known.event {
                    let whose = order.affiliate.map_or_else(String::new, |id| id.to_string());
                    conversions.push((order.id.to_string(), whose));
                }
            }
            Record::Truth(truth) => {
                if let crate::truth::Truth::Label(label) = &*truth
                    && label.nature == crate::Nature::Fraud
                {
                    fraud.insert(label.event.to_string());
                }
                facts.truth(&truth).unwrap();
            }
        }
    }
    Box::new(facts).finish().unwrap();
    conversions.sort();
    conversions.dedup();
    let judged = |(id, whose): (String, String)| {
        let is_fraud = fraud.contains(&id);
        (id, whose, is_fraud)
    };
    conversions.into_iter().map(judged).collect()
}

fn judged(seeds: &[u64], flags: impl Fn(usize, bool) -> bool) -> (Judgement, usize) {
    let folder = tempfile::tempdir().unwrap();
    let (mut cases, mut all_fraud) = (Vec::new(), 0);
    for seed in seeds {
        let place = folder.path().join(seed.to_string());
        let conversions = world(*seed, &place);
        let mut text = "conversion_id,affiliate_id,flagged,part\n".to_owned();
        for (row, (id, whose, is_fraud)) in conversions.iter().enumerate() {
            let flagged = u8::from(flags(row, *is_fraud));
            text.push_str(&format!("{id},{whose},{flagged},test\n{id},{whose},1,fit\n"));
            all_fraud += usize::from(*is_fraud);
        }
        fs::write(place.join("scores.csv"), text).unwrap();
        cases.push(Case { world: place.clone(), scores: place.join("scores.csv") });
    }
    (judge(&cases, &columns()).unwrap(), all_fraud)
}

#[test]
fn who_flags_what_is_fraud_finds_all_of_it_and_nothing_else() {
    let (told, fraud) = judged(&[1, 2], |_, is_fraud| is_fraud);
    assert_eq!(
        (told.fraud.events as usize, told.fraud.flagged as usize, told.honest.flagged),
        (fraud, fraud, 0)
    );
    assert!(3 < told.shares.iter().filter(|share| share.is_fraud).count(), "{told}");
    assert!(told.worst.is_some_and(|(_, _, flagged)| flagged == 0));
    assert_eq!(told.fraud.interval, Some((1.0, 1.0)));
}

#[test]
fn who_flags_by_chance_finds_as_much_fraud_as_honesty() {
    let (told, _) = judged(&[3], |row, _| row % 4 == 0);
    let (low, high) = told.honest.interval.unwrap();
    assert!(low <= 0.25 && 0.25 <= high && high - low < 0.1, "{told}");
    assert!(
        told.honest.share() < told.worst.map(|(_, events, flagged)| flagged as f64 / events as f64).unwrap()
    );
}

#[test]
fn a_column_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    world(4, folder.path());
    fs::write(folder.path().join("scores.csv"), "order,flagged,part\nx,1,test\n").unwrap();
    let case = Case { world: folder.path().to_owned(), scores: folder.path().join("scores.csv") };
    let told = judge(&[case], &columns()).unwrap_err().to_string();
    assert!(told.ends_with("has no column \"conversion_id\"; it has order, flagged, part"), "{told}");
}

const YEAR: Horizon = Horizon { days: 365.0, currency: None, least_customers: 1 };

/// What affiliates are worth by the truth of a world in which everybody pays in euros, each with so many conversions; fraud
/// included.
fn worths(folder: &Path, horizon: Horizon) -> Vec<(String, f64)> {
    let euros = Horizon { currency: Some("EUR".parse().unwrap()), ..horizon };
    judge_partners::truth(folder, euros).unwrap().into_iter().collect()
}

/// A file that says of each affiliate what its truth makes of it: logarithm, lower and upper end, and the raw mean.
fn partners(folder: &Path, said: impl Fn(usize, f64) -> [f64; 4]) -> judge_partners::Case {
    let mut text = "rank,partner_id,conversions,mean_value,value_per_conversion_lower,value_per_conversion_upper,log_value\n"
        .to_owned();
    for (row, (name, worth)) in worths(folder, YEAR).iter().enumerate() {
        let [log, lower, upper, raw] = said(row, libm::log(*worth));
        let conversions = [3, 10, 50, 200][row % 4];
        let [lower, upper, raw] = [lower, upper, raw].map(libm::exp);
        text.push_str(&format!("{row},{name},{conversions},{raw},{lower},{upper},{log}\n"));
    }
    fs::write(folder.join("partners.csv"), text).unwrap();
    judge_partners::Case { world: folder.to_owned(), partners: folder.join("partners.csv") }
}

fn told(said: impl Fn(usize, f64) -> [f64; 4]) -> (judge_partners::Judgement, Measures) {
    let folder = tempfile::tempdir().unwrap();
    world(5, folder.path());
    let case = partners(folder.path(), said);
    let euros = Horizon { currency: Some("EUR".parse().unwrap()), ..YEAR };
    let told = judge_partners::judge(&[case], euros).unwrap();
    let any = told.by_conversions.last().unwrap().clone();
    (told, any)
}

#[test]
fn who_knows_what_partners_are_worth_is_right_at_any_level() {
    let (told, any) = told(|_, truth| [truth - 0.3, truth - 0.4, truth - 0.2, -truth]);
    assert!(any.log_rmse < 1e-9 && (any.log_rmse_with_level - 0.3).abs() < 1e-9, "{told}");
    assert!((told.levels[0] - 0.3).abs() < 1e-9 && 0 < told.fraudulent, "{told}");
    let ranks = (any.spearman.unwrap(), any.raw_spearman.unwrap());
    assert!((ranks.0 - 1.0).abs() < 1e-9 && (ranks.1 + 1.0).abs() < 1e-9, "{told}");
    assert_eq!((any.coverage, any.coverage_with_level), (1.0, 0.0));
    let counts: u64 = told.by_conversions[..4].iter().map(|it| it.partners).sum();
    assert!(counts == any.partners && any.conversions == "any" && 10 < counts, "{told}");
}

#[test]
fn intervals_that_miss_are_counted() {
    // Every fourth, all of them with two hundred conversions, lies beside its interval, once above and once below.
    let (told, any) = told(|row, truth| {
        let apart = [0.0, 0.0, 0.0, if row % 8 < 4 { 0.5 } else { -0.5 }][row % 4];
        [truth + apart, truth + apart - 0.3, truth + apart + 0.3, truth + 2.0 * apart]
    });
    let of = |name: &str| told.by_conversions.iter().find(|it| it.conversions == name).unwrap();
    assert_eq!((of("0 to 4").coverage, of("100 or more").coverage), (1.0, 0.0), "{told}");
    assert!((0.65..0.85).contains(&any.coverage) && 0.0 < any.coverage_error, "{told}");
    let raw = of("100 or more").raw_log_rmse.unwrap();
    assert!((of("100 or more").log_rmse - 0.5).abs() < 0.1 && (raw - 1.0).abs() < 0.2, "{told}");
    assert!(told.to_string().contains("| 100 or more |"), "{told}");
}

#[test]
fn the_worth_of_a_partner_is_that_of_its_customers() {
    let folder = tempfile::tempdir().unwrap();
    world(6, folder.path());
    let (year, month) = (worths(folder.path(), YEAR), worths(folder.path(), Horizon { days: 30.0, ..YEAR }));
    assert!(year.iter().zip(&month).all(|(year, month)| 0.0 < month.1 && month.1 < year.1));
    let told = judge_partners::truth(folder.path(), YEAR).unwrap_err().to_string();
    assert!(told.contains("say which with --currency"), "{told}");
    fs::write(folder.path().join("partners.csv"), "partner_id,conversions,mean_value,log_value,value_per_conversion_lower,value_per_conversion_upper\nx,1,,0,1,2\n").unwrap();
    let case =
        judge_partners::Case { world: folder.path().into(), partners: folder.path().join("partners.csv") };
    let euros = Horizon { currency: Some("EUR".parse().unwrap()), ..YEAR };
    let told = judge_partners::judge(&[case], euros).unwrap_err().to_string();
    assert!(told.contains("is that the same world and currency?"), "{told}");
}

#[test]
fn what_cannot_be_said_of_partners_is_refused_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    world(7, folder.path());
    let euros = Horizon { currency: Some("EUR".parse().unwrap()), ..YEAR };
    let path = folder.path().join("said.csv");
    let case = judge_partners::Case { world: folder.path().into(), partners: path.clone() };
    let row = |(name, _): &(String, f64)| format!("{name},9,5,1,1,4\n");
    let all: Vec<String> = worths(folder.path(), YEAR).iter().map(row).collect();
    let told = |rows: &str, cases: &[judge_partners::Case]| {
        let head = "partner_id,conversions,mean_value,log_value,value_per_conversion_lower,value_per_conversion_upper";
        fs::write(&path, format!("{head}\n{rows}{}", all.concat())).unwrap();
        judge_partners::judge(cases, euros).map_or_else(|error| error.to_string(), |it| it.to_string())
    };
    assert!(told("", std::slice::from_ref(&case)).contains("| any | "));
    for (rows, says) in [
        ("x,9,5,1,NaN,4\n", "line 2, column value_per_conversion_lower: NaN is no amount from 0 up"),
        (
            "y,9,5,1,1,4\nx,9,5,1,4,1\n",
            "line 3, column value_per_conversion_upper: 1 is below the lower end, 4",
        ),
        ("x,9,5,inf,1,4\n", "line 2, column log_value: inf is no finite number"),
        ("x,9,5,high,1,4\n", "line 2, column log_value: "),
        (&all[0], "line 3, column partner_id: a second row of"),
    ] {
        let told = told(rows, std::slice::from_ref(&case));
        assert!(told.contains(says), "{told}");
    }
    assert!(told("", &[case.clone(), case]).contains("is there twice"));
}
