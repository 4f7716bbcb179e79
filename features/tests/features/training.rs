//! Training sets hold what the definitions say at each row's instant, and say what is wrong when they cannot.

use std::{collections::HashMap, fs, ops::Range, path::Path};

use super::{
    history::lake_of,
    world::{reference::Reference, stream::World},
};
use domain::{
    Chance,
    click::Click,
    event::{Event, Known, Verdict, Visit},
    id::ClickId,
};
use features::{
    definition::counts_from_us,
    defs::sets::SETS,
    entity::{Keys, event_id},
    fact::Request,
    lake::Lake,
    offline::{
        History, PointInTime, Probe, Source,
        training::{Order, TrainingSet, profile_of, read_profile},
        view::{Keyed, View, ViewFile},
    },
    set::FeatureSet,
    value::Value,
};
use polars::prelude::{
    AnyValue, DataFrame, Float64Chunked, Int64Chunked, IntoColumn, NewChunkedArray, ParquetReader, SerReader,
    StringChunked,
};

fn fraud() -> &'static FeatureSet {
    SETS.iter().find(|set| set.name == "fraud").expect("there is one")
}

fn order(labels: &str, range_us: Range<i64>) -> Result<Order<'static>, String> {
    Ok(Order { set: fraud(), labels: labels.parse()?, range_us, views: Vec::new(), verdicts: false })
}

fn make(lake: &Lake, labels: &str, range_us: Range<i64>) -> Result<TrainingSet, String> {
    let order = order(labels, range_us)?;
    let history = History::of(lake).map_err(|error| error.to_string())?;
    TrainingSet::make(&history, &order, |_| {}).map_err(|error| error.to_string())
}

fn value(frame: &DataFrame, column: &str, row: usize) -> Value {
    match frame.column(column).expect("it is there").get(row).expect("so is the row") {
        AnyValue::Null => Value::Null,
        AnyValue::Int64(number) => Value::Whole(number),
        AnyValue::Float64(number) => Value::Real(number),
        other => panic!("{column} holds {other}"),
    }
}

fn text(frame: &DataFrame, column: &str, row: usize) -> Option<String> {
    frame.column(column).expect("it is there").str().expect("it is text").get(row).map(str::to_owned)
}

/// Each event once: of copies that may count, the one that was known first.
fn first_known(world: &World) -> HashMap<u128, &Known<Event>> {
    let mut first: HashMap<u128, &Known<Event>> = HashMap::new();
    for known in world.told.iter().filter(|known| counts_from_us(known).is_some()) {
        first.entry(event_id(&known.event)).or_insert(known);
    }
    first
}

/// The conversions of a world as probes, by their printed ids.
fn expected(world: &World) -> HashMap<String, (i64, Vec<Value>)> {
    let first = first_known(world);
    let clicks: HashMap<ClickId, (&Visit<Click>, i64)> = first
        .values()
        .filter_map(|known| match &known.event {
            Event::Click(visit) => Some((visit.seen.id, (visit, counts_from_us(known)?))),
            _ => None,
        })
        .collect();
    let mut ids = Vec::new();
    let mut probes = Vec::new();
    for known in first.values() {
        let Event::Conversion(conversion) = &known.event else { continue };
        let at_us = known.known_at_us;
        let click = conversion.click.and_then(|id| clicks.get(&id));
        let click = click.filter(|(_, from_us)| *from_us <= at_us).map(|(visit, _)| *visit);
        let request = Some(Request { event: &known.event, click });
        ids.push((conversion.id.to_string(), at_us));
        probes.push(Probe { keys: Keys::of(&known.event), request, at_us });
    }
    let values = Reference::new(&world.told).values(&fraud().features, &probes).expect("it cannot fail");
    ids.into_iter().zip(values).map(|((id, at_us), values)| (id, (at_us, values))).collect()
}

fn check(frame: &DataFrame, expected: &HashMap<String, (i64, Vec<Value>)>) -> usize {
    let mut checked = 0;
    for row in 0..frame.height() {
        let id = text(frame, "conversion_id", row).expect("every row has one");
        // Those whose clock is too far ahead never count, and are judged all the same.
        let Some((_, values)) = expected.get(&id) else { continue };
        for (feature, expected) in fraud().features.iter().zip(values) {
            let found = value(frame, &feature.name, row);
            assert!(found.agrees_with(*expected), "{id}: {feature}: {found}, not {expected}");
        }
        checked += 1;
    }
    checked
}

#[test]
fn each_conversion_has_what_was_known_when_it_was_known() {
    let world = World::new(31, 600);
    let (folder, lake) = lake_of(&world);
    let expected = expected(&world);
    let made = make(&lake, "events", i64::MIN..i64::MAX).expect("it can be made");
    assert_eq!(check(&made.frame, &expected), expected.len());
    // The same conversions from a file, with labels of their own, in another order.
    let mut rows: Vec<_> = expected.iter().collect();
    rows.sort_by_key(|(id, _)| id.bytes().rev().collect::<Vec<u8>>());
    let lines = rows.iter().enumerate().map(|(row, (id, (at_us, _)))| {
        format!(
            "{},{id},{}\n",
            row % 2,
            chrono::DateTime::from_timestamp_micros(*at_us).unwrap().to_rfc3339()
        )
    });
    let labels = folder.path().join("labels.csv");
    fs::write(&labels, "label,conversion_id,at\n".to_owned() + &lines.collect::<String>()).unwrap();
    let of_file = make(&lake, labels.to_str().unwrap(), i64::MIN..i64::MAX).expect("it can be made");
    assert_eq!((of_file.frame.height(), of_file.unknown, of_file.early), (expected.len(), 0, 0));
    assert_eq!(check(&of_file.frame, &expected), expected.len());
    assert!((0..rows.len()).all(|row| value(&of_file.frame, "label", row) == Value::Whole(row as i64 % 2)));
    // Half of the time is half of the rows.
    let mut times: Vec<i64> = expected.values().map(|(at_us, _)| *at_us).collect();
    times.sort_unstable();
    let middle = times[times.len() / 2];
    let later = make(&lake, labels.to_str().unwrap(), middle..i64::MAX).expect("it can be made");
    assert_eq!(later.frame.height(), times.iter().filter(|at_us| middle <= **at_us).count());
}

#[test]
fn verdicts_are_told_with_the_moment_they_became_known() {
    let world = World::new(34, 900);
    let (_folder, lake) = lake_of(&world);
    // Each review once, as it was known first; of several about a conversion, the one that was known last.
    let mut found: HashMap<String, (i64, i64)> = HashMap::new();
    let mut known: Vec<_> = first_known(&world).into_values().collect();
    known.sort_by_key(|known| known.known_at_us);
    for known in known {
        if let (Event::Review(review), Some(from_us)) = (&known.event, counts_from_us(known)) {
            let verdict = i64::from(review.verdict == Verdict::Fraud);
            found.insert(review.conversion.to_string(), (verdict, from_us));
        }
    }
    let reviewed = Order { verdicts: true, ..order("events", i64::MIN..i64::MAX).expect("it is one") };
    let history = History::of(&lake).expect("it is there");
    let made = TrainingSet::make(&history, &reviewed, |_| {}).expect("it can be made");
    let (fraud, known_at) =
        (made.frame.column("fraud").unwrap(), made.frame.column("fraud_known_at").unwrap());
    let mut told = 0;
    for row in 0..made.frame.height() {
        let expected = found.get(&text(&made.frame, "conversion_id", row).expect("every row has one"));
        let (fraud, known_at) = (fraud.get(row).unwrap(), known_at.get(row).unwrap());
        match expected {
            None => assert!(fraud.is_null() && known_at.is_null()),
            Some((verdict, at_us)) => {
                assert_eq!(fraud, AnyValue::Int8(*verdict as i8));
                assert!(
                    matches!(known_at, AnyValue::Datetime(at, _, _) if at == *at_us),
                    "{known_at:?}, not {at_us}"
                );
                told += 1;
            }
        }
    }
    assert!(0 < told && told < made.frame.height());
    let clicks = Order { verdicts: true, ..order("events:clicks", i64::MIN..i64::MAX).expect("it is one") };
    let told = TrainingSet::make(&history, &clicks, |_| {}).expect_err("clicks are not reviewed").to_string();
    assert!(told.contains("leave --verdicts out"), "{told}");
}

#[test]
fn whoever_is_named_need_not_be_an_event() {
    let world = World::new(32, 400);
    let (folder, lake) = lake_of(&world);
    let keys: Vec<(String, Keys, i64)> = world
        .told
        .iter()
        .filter_map(|known| match &known.event {
            Event::Click(visit) => {
                let of_both = [features::entity::Entity::Affiliate, features::entity::Entity::Campaign];
                let all = Keys::of(&known.event);
                let keys =
                    of_both.into_iter().fold(Keys::default(), |keys, it| keys.with(it, all.get(it).unwrap()));
                let at_us = known.known_at_us + 1;
                let at = chrono::DateTime::from_timestamp_micros(at_us).unwrap().to_rfc3339();
                Some((format!("{},{},{at}\n", visit.seen.affiliate, visit.seen.campaign), keys, at_us))
            }
            _ => None,
        })
        .collect();
    let labels = folder.path().join("partners.csv");
    let lines: String = keys.iter().map(|(line, ..)| line.as_str()).collect();
    fs::write(&labels, "affiliate_id,campaign_id,at\n".to_owned() + &lines).unwrap();
    let made = make(&lake, labels.to_str().unwrap(), i64::MIN..i64::MAX).expect("it can be made");
    let probes: Vec<Probe<'_>> =
        keys.iter().map(|(_, keys, at_us)| Probe { keys: *keys, request: None, at_us: *at_us }).collect();
    let expected = Reference::new(&world.told).values(&fraud().features, &probes).expect("it cannot fail");
    for (row, expected) in expected.iter().enumerate() {
        for (feature, expected) in fraud().features.iter().zip(expected) {
            let found = value(&made.frame, &feature.name, row);
            assert!(found.agrees_with(*expected), "{feature}: {found}, not {expected}");
        }
    }
}

#[test]
fn a_set_is_written_whole_with_its_profile_and_never_over_another() {
    let world = World::new(33, 300);
    let (folder, lake) = lake_of(&world);
    let mut made = make(&lake, "events", i64::MIN..i64::MAX).expect("it can be made");
    let out = folder.path().join("fraud.parquet");
    made.write(&out, "tributary-train features").expect("there is room");
    let read = ParquetReader::new(fs::File::open(&out).unwrap()).finish().expect("it is Parquet");
    assert!(read.equals_missing(&made.frame));
    let mut reader = ParquetReader::new(fs::File::open(&out).unwrap());
    let about = reader.get_metadata().unwrap().key_value_metadata().clone().unwrap();
    let set = about.iter().find(|pair| pair.key == "tributary.set").and_then(|pair| pair.value.clone());
    assert_eq!(set.as_deref(), Some("fraud_v1"));
    let profile = read_profile(&profile_of(&out)).expect("it is there");
    assert_eq!((&profile.set, profile.rows), (&made.profile.set, made.frame.height() as u64));
    let names: Vec<&str> = profile.features.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, fraud().features.iter().map(|feature| feature.name.as_str()).collect::<Vec<_>>());
    let names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".new"))
        .collect();
    assert_eq!(names, [] as [&str; 0]);
    let refused = made.write(&out, "again").expect_err("it is there").to_string();
    assert!(
        refused.ends_with("fraud.parquet exists already: give another name, or take it away"),
        "{refused}"
    );
    let nowhere = folder.path().join("none").join("fraud.parquet");
    assert!(made.write(&nowhere, "nowhere").is_err());
    // What was learned from does not drift from itself.
    for feature in &profile.features {
        let drift = feature.drift(&read).expect("it is there");
        assert_eq!((drift.because.len(), drift.psi < 1e-6), (0, true), "{drift:?}");
    }
}

#[test]
fn what_is_wrong_with_labels_is_said_in_one_sentence() {
    let world = World::new(34, 60);
    let (folder, lake) = lake_of(&world);
    let refused = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let error = make(&lake, path.to_str().unwrap(), 0..i64::MAX).expect_err("it is wrong");
        error.replace(folder.path().to_str().unwrap(), "HERE")
    };
    assert_eq!(
        refused("a.csv", "conversion_id,when\nx,y\n"),
        "HERE/a.csv has no column at, the instant that each row is about: it has conversion_id, when"
    );
    assert!(
        refused("b.csv", "order,at\nx,2027-01-01\n")
            .starts_with("HERE/b.csv has no column that says whom its rows")
    );
    assert_eq!(
        refused("c.csv", "conversion_id,at\nx,2027-01-01\n"),
        "HERE/c.csv, row 1, column conversion_id: \"x\" is no conversion id: expected cnv_ and 26 characters of Crockford base32"
    );
    assert_eq!(
        refused("d.csv", "affiliate_id,at\naff_00000000000000000000000001,soon\n"),
        "HERE/d.csv, row 1, column at: \"soon\" is no instant: expected 2026-03-01T12:00:00Z, or a day"
    );
    assert_eq!(
        refused("e.csv", "affiliate_id,at\naff_00000000000000000000000001,5\n"),
        "HERE/e.csv has i64 in the column at, where timestamps (or texts such as 2026-03-01T12:00:00Z) must be"
    );
    assert_eq!(
        refused("f.csv", "conversion_id,at\ncnv_00000000000000000000000001,2027-01-01\n"),
        "none of the 1 conversions that HERE/f.csv names is in the lake: import the events that it was made from first"
    );
    assert_eq!(
        refused("g.csv", "affiliate_id,at,amount\naff_00000000000000000000000001,2027-01-01,5\n"),
        "HERE/g.csv has a column amount, which is the name of a column of the training set: give it another name"
    );
    assert!(refused("h.parquet", "no").starts_with("HERE/h.parquet cannot be read as Parquet: "));
    assert!(refused("i.csv", "affiliate_id,at\n1,2\n3\n").starts_with("HERE/i.csv cannot be read as CSV: "));
    assert_eq!(
        refused("j.csv", "affiliate_id,at\n"),
        "there is nothing between 1970-01-01T00:00:00Z and the end: no row of HERE/j.csv is dated then"
    );
    let events = make(&lake, "events", 0..1).expect_err("nothing became known then");
    assert_eq!(
        events,
        "there is nothing between 1970-01-01T00:00:00Z and 1970-01-01T00:00:00.000001Z: no conversions became known then"
    );
    let unknown = "events:orders".parse::<Source>().expect_err("there are none");
    assert!(unknown.starts_with("\"orders\" are no events: expected one of clicks, "), "{unknown}");
}

/// A view of few keys, few instants and many backfills, and rows that ask about it.
fn random_view(chance: &Chance) -> (DataFrame, DataFrame, Vec<i64>) {
    let below = |limit: u64| i64::try_from(chance.below(limit)).unwrap();
    let instants = |many: usize| (0..many).map(|_| below(40)).collect::<Vec<i64>>();
    let stamp = |name: &str, micros: &[i64]| {
        let time = polars::prelude::DataType::Datetime(polars::prelude::TimeUnit::Microseconds, None);
        Int64Chunked::from_slice(name.into(), micros).into_column().cast(&time).unwrap()
    };
    let names = |many: usize| {
        let name = |_| (below(12) != 0).then(|| format!("k{}", below(6)));
        StringChunked::from_iter_options("who".into(), (0..many).map(name)).into_column()
    };
    let whole = |name: &str, many: usize| {
        Int64Chunked::from_iter_values(name.into(), (0..many).map(|_| below(3))).into_column()
    };
    let many = 60;
    let risk = Float64Chunked::from_iter_values("risk".into(), (0..many).map(|row| row as f64)).into_column();
    let (occurred, known) = (instants(many), instants(many));
    let columns = vec![
        names(many),
        whole("where", many),
        stamp("occurred_at", &occurred),
        stamp("known_at", &known),
        risk,
    ];
    let view = DataFrame::new_infer_height(columns).unwrap();
    let rows = DataFrame::new_infer_height(vec![names(200), whole("where", 200)]).unwrap();
    (view, rows, instants(200))
}

/// The row that counts, straight from the rule.
fn counting(view: &DataFrame, rows: &DataFrame, row: usize, at_us: i64, ttl_us: i64) -> Option<usize> {
    let micros = |column: &str, place: usize| {
        view.column(column).unwrap().to_physical_repr().i64().unwrap().get(place).unwrap()
    };
    let whole = |frame: &DataFrame, place| value(frame, "where", place);
    let is_same = |place: &usize| {
        let who = text(rows, "who", row);
        who.is_some() && text(view, "who", *place) == who && whole(view, *place) == whole(rows, row)
    };
    let is_visible = |place: &usize| micros("occurred_at", *place).max(micros("known_at", *place)) <= at_us;
    let latest = (0..view.height())
        .filter(is_same)
        .filter(is_visible)
        .max_by_key(|place| (micros("occurred_at", *place), micros("known_at", *place), *place))?;
    (at_us - micros("occurred_at", latest) <= ttl_us).then_some(latest)
}

#[test]
fn a_view_is_joined_as_it_was_known() {
    let chance = Chance::seeded(5);
    let mut joined = 0;
    for round in 0..40 {
        let (view, rows, at_us) = random_view(&chance);
        let ttl_us = 1 + round;
        let file = ViewFile { path: "scores.parquet".into(), keys: Vec::new(), ttl_us: Some(ttl_us) };
        let table = View::new(&file, view.clone(), &rows).expect("it fits");
        assert_eq!(table.keys(), ["who", "where"]);
        let by = Keyed::new(Path::new("scores.parquet"), &rows, table.keys()).expect("it fits");
        let columns = table.joined(&by, &at_us).expect("it fits");
        let found = DataFrame::new_infer_height(columns).unwrap();
        for (row, at_us) in at_us.iter().enumerate() {
            let expected =
                counting(&view, &rows, row, *at_us, ttl_us).map_or(Value::Null, |it| Value::Real(it as f64));
            assert_eq!(value(&found, "scores_risk", row), expected, "round {round}, row {row} at {at_us}");
            joined += usize::from(expected != Value::Null);
        }
    }
    assert!(1_000 < joined, "{joined}");
}

#[test]
fn a_view_that_does_not_fit_is_refused() {
    let rows =
        DataFrame::new_infer_height(vec![StringChunked::from_slice("who".into(), &["a"]).into_column()])
            .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str, options: &str| {
        let path = folder.path().join("v.csv");
        fs::write(&path, text).unwrap();
        let file: ViewFile = format!("{}{options}", path.display()).parse().expect("it is well said");
        let view = View::read(&file, &rows);
        let joined = view.and_then(|view| view.joined(&Keyed::new(&path, &rows, view.keys())?, &[0]));
        joined.expect_err("it does not fit").to_string().replace(folder.path().to_str().unwrap(), "HERE")
    };
    assert_eq!(
        refused("who,risk\na,1\n", ""),
        "HERE/v.csv has no column occurred_at or at, the instant of each row: it has who, risk"
    );
    assert_eq!(
        refused("whom,at,risk\na,2027-01-01,1\n", ""),
        "HERE/v.csv has no column that the rows have, too, to match them by (they have who): it has whom, at, risk"
    );
    assert_eq!(
        refused("who,at,risk\na,2027-01-01,1\n", ",key=whom"),
        "HERE/v.csv has no column whom, the key: it has who, at, risk"
    );
    assert_eq!(
        refused("who,at,risk\n7,2027-01-01,1\n", ""),
        "HERE/v.csv has i64 in the column who, where text, as in the rows must be"
    );
    for wrong in ["", "v.csv,ttl=soon", "v.csv,ttl=0d", "v.csv,by=who"] {
        assert!(wrong.parse::<ViewFile>().is_err(), "{wrong}");
    }
    let file: ViewFile = "v.csv,key=who+where,ttl=90m".parse().expect("it is well said");
    assert_eq!((file.keys.len(), file.ttl_us), (2, Some(5_400_000_000)));
}
