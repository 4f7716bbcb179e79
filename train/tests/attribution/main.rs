//! `tributary-train attribution` as a data scientist runs it: files of paths and of touches, an event lake, day after day,
//! and what is said of files that make no sense.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod learned;

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    process::{Command, Output},
};

use domain::{
    AffiliateId, CampaignId, Chance, ConversionId, LinkId, Money, SessionId,
    campaign::EventKind,
    click::{Asked, Click, Device, Tags},
    event::{Checks, Conversion, Event, Known, Visit},
    id::{AdvertiserId, ClickId},
};
use features::{lake::Lake, window::DAY};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

const MARCH_US: i64 = 1_772_323_200_000_000;

struct Place(TempDir);

impl Place {
    fn with(name: &str, text: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.file(name, text);
        place
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self, words: &str) -> Output {
        self.run_any(&format!("attribution {words}"))
    }

    fn run_any(&self, words: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
        command.current_dir(self.0.path()).args(words.split_whitespace()).output().unwrap()
    }

    fn told(&self, words: &str) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, words: &str) -> String {
        let output = self.run(&format!("{words} --out refused"));
        assert!(!output.status.success() && !self.0.path().join("refused").exists());
        String::from_utf8(output.stderr).unwrap()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    /// Conversions and value by model and channel.
    fn credit(&self, out: &str) -> BTreeMap<(String, String), (f64, f64)> {
        let bytes = self.read(&format!("{out}/credit.csv"));
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        assert_eq!(reader.headers().unwrap(), vec!["model", "channel", "conversions", "value"]);
        let rows = reader.records().map(|row| {
            let row = row.unwrap();
            let number = |place: usize| row[place].parse::<f64>().unwrap();
            ((row[0].to_owned(), row[1].to_owned()), (number(2), number(3)))
        });
        rows.collect()
    }

    fn check(&self, out: &str, model: &str, expected: &[(&str, f64)]) {
        let credit = self.credit(out);
        for (channel, conversions) in expected {
            let found = credit[&(model.to_owned(), (*channel).to_owned())].0;
            assert!((found - conversions).abs() < 1e-9, "{model} {channel}: {found}, not {conversions}");
        }
    }
}

const PATHS: &str = "\
path,conversions,value,nulls
direct,2,20,5
search > email,3,30,0
search > social > email,5,100,40
";

#[test]
fn every_model_divides_a_file_of_paths() {
    let place = Place::with("paths.csv", PATHS);
    let told = place.told("--input paths.csv --out out");
    assert!(told.contains("learned is not among the models: journeys that are counted together"), "{told}");
    assert!(
        told.contains("10 conversions worth 150.00 and 45 journeys without one, over 4 channels"),
        "{told}"
    );
    assert!(told.contains("decide by linear: 10 conversions are fewer than the 10000"), "{told}");
    place.check("out", "first", &[("direct", 2.0), ("search", 8.0), ("email", 0.0), ("social", 0.0)]);
    place.check("out", "last", &[("direct", 2.0), ("search", 0.0), ("email", 8.0), ("social", 0.0)]);
    place.check("out", "linear", &[("search", 19.0 / 6.0), ("email", 19.0 / 6.0), ("social", 5.0 / 3.0)]);
    place.check("out", "u", &[("direct", 2.0), ("search", 3.5), ("email", 3.5), ("social", 1.0)]);
    place.check("out", "shapley", &[("direct", 2.0), ("search", 19.0 / 6.0), ("social", 5.0 / 3.0)]);
    let credit = place.credit("out");
    for model in ["first", "last", "last-non-direct", "linear", "time-decay", "u", "w", "markov", "shapley"] {
        let of = credit.iter().filter(|((name, _), _)| name == model).map(|(_, credit)| *credit);
        let (conversions, value) = of.fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        assert!(
            (conversions - 10.0).abs() < 1e-9 && (value - 150.0).abs() < 1e-9,
            "{model}: {conversions}, {value}"
        );
    }
    let json: Value = serde_json::from_slice(&place.read("out/credit.json")).unwrap();
    let interval = &json["models"]["linear"]["channels"]["search"]["conversions_interval"];
    let [low, high] = [0, 1].map(|end| interval[end].as_f64().unwrap());
    assert!(low < 19.0 / 6.0 && 19.0 / 6.0 < high, "{interval}");
    let report = String::from_utf8(place.read("out/report.html")).unwrap();
    assert!(
        report.contains("search &#62; social &#62; email") && report.contains("<svg"),
        "paths and pictures"
    );
    assert!(place.read("out/credit.parquet").starts_with(b"PAR1"));
}

/// The example of analyzecore.com, whose credit is known exactly.
#[test]
fn markov_chains_have_the_published_credit() {
    let text = "journey;yes;no\ncone > ctwo > cthree;1;0\ncone;0;1\nctwo > cthree;0;1\n".replace(';', ",");
    let place = Place::with("paths.csv", &text);
    let columns = "--column path=journey --column conversions=yes --column nulls=no";
    for order in ["1", "2", "3"] {
        let out = format!("order{order}");
        place.told(&format!(
            "--input paths.csv --model markov --order {order} {columns} --bootstrap 0 --out {out}"
        ));
    }
    place.check("order1", "markov", &[("cone", 0.2), ("ctwo", 0.4), ("cthree", 0.4)]);
    place.told(&format!("--input paths.csv --model markov --definition per-journey {columns} --out own"));
    place.check("own", "markov", &[("cone", 0.2), ("ctwo", 0.4), ("cthree", 0.4)]);
    let told = place.refused(&format!("--input paths.csv --model markov --order 9 {columns}"));
    assert!(told.contains("remembers 1 to 7 channels, not 9"), "{told}");
}

/// Five touches of one sale of 12,000, as in the worked example of many a handbook.
#[test]
fn touches_have_times_and_leads() {
    let mut text = "journey_id,ts,channel,affiliate,converted,value,lead\n".to_owned();
    for (channel, day, last) in [("T1", 0, 0), ("T2", 5, 0), ("T3", 12, 0), ("T4", 30, 0), ("T5", 38, 1)] {
        let value = if last == 1 { "12000" } else { "" };
        let lead = u8::from(channel == "T2");
        writeln!(text, "a,{},{channel},p{},{last},{value},{lead}", day * 86_400, day % 2).unwrap();
    }
    text.push_str("a,9000000,T9,p1,0,,0\nb,100,T1,p0,0,,0\n");
    let place = Place::with("touches.csv", &text);
    let told = place.told("--input touches.csv --out out");
    assert!(told.contains("1 touches came after their journey's conversion and are left out"), "{told}");
    let credit = place.credit("out");
    let value = |model: &str, channel: &str| credit[&(model.to_owned(), channel.to_owned())].1;
    assert!((value("time-decay", "T5") - 7_545.447_062_460_051).abs() < 1e-8);
    assert!((value("time-decay", "T1") - 175.195_175_684_387_46).abs() < 1e-8);
    assert!((value("u", "T2") - 800.0).abs() < 1e-9 && (value("w", "T2") - 3_600.0).abs() < 1e-9);
    place.told("--input touches.csv --by affiliate --model linear --out by");
    let credit = place.credit("by");
    assert!((credit[&("linear".to_owned(), "p0".to_owned())].1 - 9_600.0).abs() < 1e-9);
    place.told("--input touches.csv --model time-decay --half-life 1 --bootstrap 0 --out short");
    let last = place.credit("short")[&("time-decay".to_owned(), "T5".to_owned())].1;
    assert!(11_900.0 < last, "{last}");
}

#[test]
fn a_day_is_merged_into_the_days_before() {
    let place = Place::with("one.csv", PATHS);
    place.file("two.csv", "path,conversions,value,nulls\nblog > search,4,11,9\nemail > email,1,1,1\n");
    place.file("both.csv", &format!("{PATHS}blog > search,4,11,9\nemail > email,1,1,1\n"));
    place.told("--input one.csv --order 2 --out one");
    place.told("--input two.csv --order 2 --merge one/statistics.json --out two");
    place.told("--input both.csv --order 2 --out both");
    let (merged, whole) = (place.credit("two"), place.credit("both"));
    assert_eq!(merged.len(), whole.len());
    for (key, (conversions, value)) in &merged {
        let expected = whole[key];
        assert!((conversions - expected.0).abs() + (value - expected.1).abs() < 1e-9, "{key:?}");
    }
    let told = place.refused("--input two.csv --order 1 --merge one/statistics.json");
    assert!(told.contains("were made with --order 2"), "{told}");
    let told = place.refused("--input two.csv --merge one.csv");
    assert!(told.contains("one.csv holds no statistics of attribution"), "{told}");
}

#[test]
fn the_same_seed_is_the_same_file_at_any_number_of_threads() {
    let place = Place::with("paths.csv", PATHS);
    for (out, rest) in [("one", "--threads 1"), ("two", "--threads 2"), ("other", "--seed 5")] {
        place.told(&format!("--input paths.csv --order 2 --shapley rate {rest} --out {out}"));
    }
    for name in ["credit.csv", "credit.json", "credit.parquet", "statistics.json", "report.html"] {
        assert!(place.read(&format!("one/{name}")) == place.read(&format!("two/{name}")), "{name}");
    }
    assert!(place.read("one/credit.json") != place.read("other/credit.json"), "samples follow the seed");
}

#[test]
fn more_channels_than_can_be_solved_are_sampled_with_their_error() {
    let mut text = "path,conversions,nulls\n".to_owned();
    for number in 0..60 {
        writeln!(
            text,
            "c{} > c{} > c{},{},{}",
            number % 30,
            (number * 7) % 30,
            (number * 11) % 30,
            5 + number % 9,
            60
        )
        .unwrap();
    }
    let place = Place::with("paths.csv", &text);
    place.told("--input paths.csv --model shapley --shapley rate --samples 200 --out out");
    let json: Value = serde_json::from_slice(&place.read("out/credit.json")).unwrap();
    let shapley = &json["models"]["shapley"];
    assert_eq!(shapley["sampled"], true);
    let channel = &shapley["channels"]["c1"];
    let bound = |end: usize| channel["conversions_interval"][end].as_f64().unwrap();
    assert!(bound(0) < channel["conversions"].as_f64().unwrap() && bound(0) < bound(1), "{channel}");
}

#[test]
fn files_that_make_no_sense_are_refused_with_line_and_column() {
    let place = Place::with("paths.csv", "path,conversions,value\na > b,1,2\na,-3,1\n");
    let refused = |text: &str, words: &str| {
        place.file("paths.csv", text);
        place.refused(&format!("--input paths.csv {words}"))
    };
    for (text, words, expected) in [
        (
            "path,conversions\na > b,1\na,-3\n",
            "",
            "paths.csv, line 3, column conversions: -3 is not a number from zero up",
        ),
        (
            "path,conversions\na > b,1\na,many\n",
            "",
            "paths.csv, line 3, column conversions: \"many\" is no number",
        ),
        (
            "path,conversions,value\na,0,7\n",
            "",
            "line 2, column path: a journey without conversions cannot have a value",
        ),
        ("journey,n\na,1\n", "", "has neither a column path nor journey_id; it has journey, n"),
        ("path\na\n", "--column path=way", "has no column \"way\"; it has path"),
        (
            "journey_id,ts,channel,converted\n1,2026-03-01,a,maybe\n",
            "",
            "line 2, column converted: \"maybe\" is neither 1 nor 0",
        ),
        ("journey_id,ts,channel\n1,2026-03-01,a\n", "", "has no column converted"),
        ("journey_id,ts,channel,converted\n1,later,a,1\n", "", "\"later\" is no instant"),
        ("path,conversions\n,1\n", "", "has no journey with a touch"),
        ("path,conversions\na,1\n", "--by affiliate", "says channels only"),
        ("path,conversions\na,1\n", "--column paths=way", "there is no field \"paths\""),
        ("path,conversions\na,1\n", "--half-life 0", "must be a second at least"),
    ] {
        let told = refused(text, words);
        assert!(told.contains(expected), "{told}");
    }
}

fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128((kind << 64) + number)
}

fn click(chance: &Chance, at_us: i64, session: u128, affiliate: u128) -> Known<Event> {
    let seen = Click {
        id: ClickId::new_at(chrono::DateTime::from_timestamp_micros(at_us).unwrap(), chance),
        occurred_at_us: at_us,
        link: LinkId::from(id(5, affiliate)),
        affiliate: AffiliateId::from(id(4, affiliate)),
        campaign: CampaignId::from(id(1, 0)),
        advertiser: AdvertiserId::from(id(2, 0)),
        session: SessionId::from(id(3, session)),
        tags: Tags::default(),
        address_hash: [7; 16],
        network: "192.0.2.0".parse().unwrap(),
        country: "DE".to_owned(),
        device: Device::Mobile,
        user_agent: String::new(),
        referrer: String::new(),
        asked: Asked::default(),
    };
    Known { event: Event::Click(Visit { seen, device_id: String::new() }), known_at_us: at_us }
}

/// An order that a partner's coupon was used for, and that no visit led to.
fn by_coupon(chance: &Chance, at_us: i64) -> Known<Event> {
    let mut known = sale(chance, at_us, 0);
    if let Event::Conversion(order) = &mut known.event {
        (order.session, order.affiliate, order.coupon) = (None, Some(id(4, 6).into()), "SAVE10".to_owned());
    }
    known
}

fn sale(chance: &Chance, at_us: i64, session: u128) -> Known<Event> {
    let event = Conversion {
        id: ConversionId::new_at(chrono::DateTime::from_timestamp_micros(at_us).unwrap(), chance),
        occurred_at_us: at_us,
        campaign: id(1, 0).into(),
        advertiser: id(2, 0).into(),
        name: "sale".to_owned(),
        kind: EventKind::Sale,
        amount: Money::new(1_050, "EUR".parse().unwrap()),
        click: None,
        session: Some(id(3, session).into()),
        link: None,
        affiliate: None,
        order_id: String::new(),
        customer: String::new(),
        coupon: String::new(),
        address_hash: None,
        network: None,
        country: String::new(),
        device: Device::Mobile,
        device_id: String::new(),
        email_hash: None,
        email_domain: String::new(),
        account_hash: None,
        checks: Checks::default(),
    };
    Known { event: Event::Conversion(event), known_at_us: at_us }
}

#[test]
fn journeys_of_a_lake_are_the_clicks_of_a_visit_before_a_conversion() {
    let place = Place(tempfile::tempdir().unwrap());
    let (chance, lake) = (Chance::seeded(1), Lake::at(place.0.path().join("lake")));
    let mut batch = lake.batch();
    let at = |day: i64| MARCH_US + day * DAY;
    for known in [
        // Two partners before a sale, one of them again after it; a click that is too long ago; a sale nobody led to.
        click(&chance, at(0), 1, 8),
        click(&chance, at(40), 1, 1),
        click(&chance, at(42), 1, 2),
        sale(&chance, at(43), 1),
        click(&chance, at(44), 1, 2),
        sale(&chance, at(43), 9),
        // Somebody who only looked.
        click(&chance, at(41), 2, 1),
    ] {
        batch.push(&known).unwrap();
    }
    batch.finish().unwrap();
    lake.compact(|_| {}).unwrap();
    let told = place.told("--lake lake --by affiliate --model all --out out");
    assert!(told.contains("1 conversions worth 10.50 and 3 journeys without one"), "{told}");
    assert!(told.contains("1 conversions had no click of their visit before them"), "{told}");
    let (first, second) = (AffiliateId::from(id(4, 1)).to_string(), AffiliateId::from(id(4, 2)).to_string());
    place.check("out", "linear", &[(&first, 0.5), (&second, 0.5)]);
    place.check("out", "last", &[(&first, 0.0), (&second, 1.0)]);
    let mut batch = lake.batch();
    batch.push(&by_coupon(&chance, at(45))).unwrap();
    batch.finish().unwrap();
    lake.compact(|_| {}).unwrap();
    place.told("--lake lake --by affiliate --model linear --out coupon");
    place.check("coupon", "linear", &[(&first, 0.5), (&AffiliateId::from(id(4, 6)).to_string(), 1.0)]);
    place.told("--lake lake --by affiliate --window 60 --model linear --out wide");
    place.check("wide", "linear", &[(&first, 1.0 / 3.0), (&second, 1.0 / 3.0)]);
    // The sale of the 43rd day is owed to touches before it, also where one looks at that day alone.
    place.told("--lake lake --by affiliate --from 2026-04-13 --model linear --out day");
    place.check("day", "linear", &[(&first, 0.5), (&second, 0.5)]);
    let told = place.refused("--lake nowhere");
    assert!(told.contains("there is no event lake in nowhere"), "{told}");
}
