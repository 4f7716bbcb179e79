//! Files as people have them become events; what is wrong with a row is told; twice is as once.

use std::{collections::BTreeMap, fs, path::Path};

use domain::event::{Event, Kind, Known};
use polars::{
    df,
    prelude::{DataType, NamedFrom, ParquetWriter, Series},
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Format, Hiding, Import, ImportError, Imported, Mapping, Rows};
use crate::lake::Lake;

const ALL: std::ops::Range<i64> = i64::MIN..i64::MAX;

struct World {
    folder: TempDir,
    lake: Lake,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::at(folder.path().join("lake"));
        Self { folder, lake }
    }

    fn file(&self, name: &str, text: &str) -> Import {
        let file = self.folder.path().join(name);
        fs::write(&file, text).unwrap();
        import(&file, Rows::Clicks)
    }

    fn run(&self, import: &Import) -> Result<Imported, ImportError> {
        import.run(&self.lake, |_, _| {})
    }

    fn events(&self) -> Vec<Known<Event>> {
        self.lake.compact(|_| {}).unwrap();
        self.lake.events(Kind::ALL, ALL).unwrap().map(Result::unwrap).collect()
    }
}

fn import(file: &Path, rows: Rows) -> Import {
    let hiding = Hiding {
        address: Box::new(|_| [1; 16]),
        mailbox: Box::new(|digest| std::array::from_fn(|place| digest[place])),
        device: Box::new(|id| format!("hidden {}", id.len())),
    };
    let source = "shop".to_owned();
    Import {
        file: file.to_owned(),
        format: None,
        rows,
        mapping: Mapping::default(),
        source,
        hiding: Some(hiding),
        dry_run: false,
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

const CLICKS: &str = "\
id,occurred_at,campaign,affiliate,address,sub1
a,2026-03-01T12:00:00Z,spring,blog,203.0.113.7,one
b,2026-03-01 13:00:00,spring,blog,,\"two, or more\"
c,yesterday,spring,blog,,
d,2026-03-01T14:00:00Z,spring,blog,here,
e,2026-03-01T15:00:00Z,spring
f,2026-03-01T16:00:00Z,spring,,,
";

#[test]
fn a_file_is_imported_once_and_its_wrong_rows_are_told_by_line() {
    let world = World::new();
    let clicks = world.file("clicks.csv", CLICKS);
    let imported = world.run(&clicks).unwrap();
    assert_eq!((imported.rows, imported.rejected, imported.done_before), (6, 4, 0));
    insta::assert_snapshot!(fs::read_to_string(imported.report.unwrap()).unwrap(), @r#"
    line,field,reason
    4,"occurred_at","""yesterday"" is not a moment such as 2026-03-01T12:00:00Z, 2026-03-01 12:00:00, 2026-03-01 or 1772366400"
    5,"address","""here"" is not an IP address"
    6,"","has 3 values, and the header has 6"
    7,"affiliate","is missing"
    "#);
    let events = world.events();
    let [Event::Click(first), Event::Click(second)] =
        events.iter().map(|known| &known.event).collect::<Vec<_>>()[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((first.seen.affiliate, first.seen.link), (second.seen.affiliate, second.seen.link));
    assert_eq!((first.seen.network.to_string().as_str(), first.seen.address_hash), ("203.0.113.0", [1; 16]));
    assert_eq!(second.seen.tags.subs[0], "two, or more");
    assert_ne!(second.seen.address_hash, [1; 16]);

    let again = world.run(&clicks).unwrap();
    assert_eq!((again.rows, again.rejected, again.done_before), (6, 4, 6));
    assert_eq!(world.events(), events);
    // The same content read anew, as under another name of the source's: other things happened.
    let other = Import { source: "other shop".to_owned(), ..world.file("clicks.csv", CLICKS) };
    world.run(&other).unwrap();
    assert_eq!(world.events().len(), 4);
}

#[test]
fn all_formats_say_the_same() {
    let csv = World::new();
    csv.run(&csv.file("clicks.csv", CLICKS)).unwrap();
    let json = World::new();
    let lines = "\
{\"id\": \"a\", \"occurred_at\": 1772366400, \"campaign\": \"spring\", \"affiliate\": \"blog\", \"address\": \"203.0.113.7\", \"sub1\": \"one\"}

{\"id\": \"b\", \"occurred_at\": \"2026-03-01T13:00:00Z\", \"campaign\": \"spring\", \"affiliate\": \"blog\", \"sub1\": \"two, or more\"}
nonsense
";
    let imported = json.run(&json.file("clicks.ndjson", lines)).unwrap();
    assert_eq!((imported.rows, imported.rejected), (3, 1));
    let report = fs::read_to_string(imported.report.unwrap()).unwrap();
    assert!(report.contains("4,\"\",\"is not a JSON object: "), "{report}");
    assert_eq!(json.events(), csv.events());

    // The lake's own files are Parquet that can be imported like any other.
    let parquet = World::new();
    let partition = csv.lake.partitions(Kind::Click).unwrap()[0];
    let mut copy = import(&csv.lake.root().join(partition.file()), Rows::Clicks);
    copy.mapping.columns = pairs(&[
        ("affiliate_id", "affiliate"),
        ("campaign_id", "campaign"),
        ("advertiser_id", "advertiser"),
        ("link_id", "link"),
        ("session_id", "session"),
    ]);
    let imported = parquet.run(&copy).unwrap();
    assert_eq!((imported.rows, imported.rejected), (1, 0));
    let asked = ["fetch_destination", "fetch_by_user", "client_hints_match"];
    assert_eq!(imported.unused, [&["address_hash", "network"][..], &asked].concat());
    let (ours, theirs) = (&parquet.events()[0], &csv.events()[0]);
    let (Event::Click(ours), Event::Click(theirs)) = (&ours.event, &theirs.event) else { panic!("{ours:?}") };
    assert_eq!(
        (ours.seen.id, ours.seen.occurred_at_us, ours.seen.link),
        (theirs.seen.id, theirs.seen.occurred_at_us, theirs.seen.link)
    );
    assert_eq!(ours.seen.tags, theirs.seen.tags);
}

#[test]
fn columns_are_mapped_and_constants_set() {
    let world = World::new();
    let text = "Time,Partner,Total\n2026-03-01T12:00:00Z,blog,19.90\n2026-03-02T12:00:00Z,blog,-5.00\n";
    let mut sales = Import { rows: Rows::Transactions, ..world.file("sales.csv", text) };
    sales.mapping.columns = pairs(&[("Time", "occurred_at"), ("Partner", "affiliate"), ("Total", "amount")]);
    sales.mapping.constants =
        pairs(&[("currency", "EUR"), ("campaign", "shop"), ("customer", "c-1"), ("order_id", "N-1")]);
    assert_eq!(world.run(&sales).unwrap().rejected, 0);
    let events = world.events();
    let [Event::Conversion(sale), Event::Refund(refund)] =
        events.iter().map(|known| &known.event).collect::<Vec<_>>()[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((refund.conversion, refund.amount.to_string().as_str()), (sale.id, "5.00 EUR"));
    assert_eq!((sale.amount.to_string().as_str(), sale.customer.as_str()), ("19.90 EUR", "c-1"));
}

#[test]
fn a_journey_is_one_session_of_touches_and_its_conversion() {
    let world = World::new();
    let text = "\
journey,occurred_at,step,affiliate,amount,currency
j1,2026-03-01T12:00:00Z,impression,display,,
j1,2026-03-01T13:00:00Z,,blog,,
j1,2026-03-01T14:00:00Z,conversion,,49.99,EUR
j1,2026-03-01T15:00:00Z,phone,,,
";
    let mut journeys = Import { rows: Rows::Journeys, ..world.file("journeys.csv", text) };
    journeys.mapping.constants = pairs(&[("campaign", "spring")]);
    assert_eq!(world.run(&journeys).unwrap().rejected, 1);
    let events = world.events();
    let [Event::Impression(seen), Event::Click(click), Event::Conversion(bought)] =
        events.iter().map(|known| &known.event).collect::<Vec<_>>()[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((seen.seen.session, bought.session), (Some(click.seen.session), Some(click.seen.session)));
}

#[test]
fn parquet_of_other_programs_is_read_and_a_column_that_cannot_be_is_named() {
    let world = World::new();
    let file = world.folder.path().join("sales.parquet");
    let mut frame = df!(
        "day" => [20_513, 20_514],
        "total" => ["19.90", "5.00"],
        "who" => ["c-1", "c-2"],
        "tags" => [Series::new("".into(), ["a"]), Series::new("".into(), ["b"])],
    )
    .unwrap();
    for (column, dtype) in [("day", DataType::Date), ("total", DataType::Decimal(10, 2))] {
        let cast = frame.column(column).unwrap().cast(&dtype).unwrap();
        frame.with_column(cast).unwrap();
    }
    ParquetWriter::new(fs::File::create(&file).unwrap()).finish(&mut frame).unwrap();
    let mut sales = import(&file, Rows::Transactions);
    sales.mapping.columns = pairs(&[("day", "occurred_at"), ("total", "amount"), ("who", "customer")]);
    sales.mapping.constants = pairs(&[("currency", "EUR"), ("campaign", "shop")]);
    let imported = world.run(&sales).unwrap();
    assert_eq!((imported.rows, imported.rejected, imported.unused), (2, 0, vec!["tags".to_owned()]));
    let sold = world.events();
    let sold = sold.iter().map(|known| match &known.event {
        Event::Conversion(sale) => {
            (sale.occurred_at_us / 86_400_000_000, sale.amount.minor, sale.customer.as_str())
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(sold.collect::<Vec<_>>(), [(20_513, 1990, "c-1"), (20_514, 500, "c-2")]);

    sales.mapping.columns.push(("tags".to_owned(), "coupon".to_owned()));
    let told = world.run(&sales).unwrap_err().to_string();
    assert!(
        told.contains("cannot be read as Parquet: the column tags holds list[str]; write it as text"),
        "{told}"
    );
}

#[test]
fn a_line_of_json_may_say_what_no_line_before_it_did() {
    let world = World::new();
    let line = |name: usize, more: &str| {
        format!(
            "{{\"id\": \"{name}\", \"occurred_at\": 1772366400, \"campaign\": \"spring\", \"affiliate\": \"blog\"{more}}}\n"
        )
    };
    let mut text: String = (0..10_000).map(|name| line(name, "")).collect();
    text += &line(10_000, ", \"sub1\": \"late\", \"campaign_name\": \"no field\"");
    text += &line(10_001, &format!(", \"referrer\": \"{}\"", "x".repeat(1 << 20)));
    text += &line(10_002, "");
    let imported = world.run(&world.file("clicks.ndjson", &text)).unwrap();
    assert_eq!((imported.rows, imported.rejected), (10_003, 1));
    let report = fs::read_to_string(imported.report.unwrap()).unwrap();
    insta::assert_snapshot!(report, @r#"
    line,field,reason
    10002,"","is a line of 1048678 bytes, and 1048576 is the most"
    "#);
    let late = |known: &&Known<Event>| matches!(&known.event, Event::Click(visit) if visit.seen.tags.subs[0] == "late");
    assert_eq!(world.events().iter().filter(late).count(), 1);
}

#[test]
fn a_time_that_no_calendar_has_rejects_its_row_alone() {
    let world = World::new();
    let text = "\
id,occurred_at,known_at,campaign,affiliate
a,+12345-01-01,,spring,blog
b,1969-12-31,,spring,blog
c,2026-03-01,+12345-01-01,spring,blog
d,2026-03-01,,spring,blog
";
    let imported = world.run(&world.file("clicks.csv", text)).unwrap();
    assert_eq!(imported.rejected, 3);
    insta::assert_snapshot!(fs::read_to_string(imported.report.unwrap()).unwrap(), @r#"
    line,field,reason
    2,"occurred_at","is not within the years 1970 to 9999"
    3,"occurred_at","is not within the years 1970 to 9999"
    4,"known_at","is not within the years 1970 to 9999"
    "#);
    assert_eq!(world.events().len(), 1);
}

#[test]
fn a_report_that_was_lost_is_written_again() {
    let world = World::new();
    let clicks = world.file("clicks.csv", CLICKS);
    let report = world.run(&clicks).unwrap().report.unwrap();
    let (text, events) = (fs::read_to_string(&report).unwrap(), world.events());
    fs::remove_file(&report).unwrap();
    let again = world.run(&clicks).unwrap();
    assert_eq!((again.rows, again.rejected, again.done_before), (6, 4, 0));
    assert_eq!((fs::read_to_string(report).unwrap(), world.events()), (text, events));
}

#[test]
fn a_dry_run_reports_and_writes_no_event() {
    let world = World::new();
    let dry = Import { dry_run: true, ..world.file("clicks.csv", CLICKS) };
    let imported = world.run(&dry).unwrap();
    assert_eq!((imported.rows, imported.rejected), (6, 4));
    assert!(imported.report.unwrap().exists());
    assert!(!world.lake.root().exists());
}

#[test]
fn an_import_that_is_interrupted_goes_on_where_it_was() {
    let text = |rows: usize| {
        let row = |row: usize| {
            let occurred_at = if row.is_multiple_of(1_000) {
                "never".to_owned()
            } else {
                (1_772_366_400 + row).to_string()
            };
            format!("{row},{occurred_at},spring,blog\n")
        };
        "id,occurred_at,campaign,affiliate\n".to_owned() + &(0..rows).map(row).collect::<String>()
    };
    let whole = World::new();
    whole.run(&whole.file("clicks.csv", &text(120_000))).unwrap();

    let world = World::new();
    let clicks = world.file("clicks.csv", &text(120_000));
    let interrupted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut batches = 0;
        clicks.run(&world.lake, |_, _| {
            batches += 1;
            assert!(batches < 2, "interrupted");
        })
    }));
    assert!(interrupted.is_err());
    let imported = world.run(&clicks).unwrap();
    assert_eq!((imported.rows, imported.rejected, imported.done_before), (120_000, 120, 100_000));
    let report =
        |world: &World| fs::read_to_string(world.folder.path().join("clicks.csv.rejected.csv")).unwrap();
    assert!(report(&world) == report(&whole));
    assert!(world.events() == whole.events());
}

#[test]
fn what_keeps_a_file_from_being_imported_is_said_in_one_sentence() {
    let world = World::new();
    let told = |import: &Import| world.run(import).unwrap_err().to_string();
    let clicks = |text: &str| world.file("clicks.csv", text);
    insta::assert_snapshot!(told(&clicks("when,who\n1,2\n")), @"no column is occurred_at: map one (--map column=occurred_at) or set it for all rows (--set occurred_at=…); the file has when, who");
    let mapped = |columns| Import {
        mapping: Mapping { columns: pairs(columns), constants: Vec::new() },
        ..clicks("when,who\n1,2\n")
    };
    insta::assert_snapshot!(told(&mapped(&[("whom", "affiliate")])), @r#"the file has no column "whom", it has when, who"#);
    assert!(
        told(&mapped(&[("who", "partner")]))
            .starts_with(r#"clicks have no field "partner", they have occurred_at, known_at, "#)
    );
    insta::assert_snapshot!(told(&Import { hiding: None, ..clicks(CLICKS) }), @"the column address is kept only as a keyed hash: give the installation's secret (TRIBUTARY_SECRET), or leave the column out (--map address=)");
    let mut without = Import { hiding: None, ..clicks(CLICKS) };
    without.mapping.columns = pairs(&[("address", "")]);
    assert_eq!(world.run(&without).unwrap().unused, ["address"]);
    let nameless = world.file("clicks.dat", CLICKS);
    assert!(
        told(&nameless).ends_with("clicks.dat could be anything: name its format (csv, ndjson or parquet)")
    );
    let no_parquet = Import { format: Some(Format::Parquet), ..nameless };
    assert!(told(&no_parquet).contains("clicks.dat cannot be read as Parquet: "));
}

#[test]
fn every_row_of_a_click_file_can_name_every_field() {
    let world = World::new();
    for rows in Rows::ALL {
        let columns: Vec<_> = rows.fields().map(|field| field.name).collect();
        let value = |field: &str| match field {
            "occurred_at" | "known_at" => "2026-03-01T12:00:00Z",
            "amount" => "1.00",
            "currency" => "eur",
            "address" => "2001:db8::1",
            "email" => "Ana@Mail.example",
            "email_sha256" => "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
            "country" => "de",
            "device" => "Mobile",
            "kind" => "recurring",
            "step" => "click",
            "time_on_site_seconds" => "75",
            "email_check" | "captcha_check" => "Passed",
            _ => "x",
        };
        let values: Vec<_> = columns.iter().map(|field| value(field)).collect();
        let text = format!("{}\n{}\n", columns.join(","), values.join(","));
        let import = Import { rows: *rows, ..world.file(&format!("{rows}.csv"), &text) };
        let imported = world.run(&import).unwrap();
        assert_eq!((imported.rows, imported.rejected, imported.unused), (1, 0, Vec::new()), "{rows}");
    }
    let kinds = world.events().iter().fold(BTreeMap::new(), |mut kinds, known| {
        *kinds.entry(known.event.kind()).or_insert(0) += 1;
        kinds
    });
    assert_eq!(kinds, BTreeMap::from([(Kind::Click, 2), (Kind::Conversion, 2)]));
}

#[test]
fn whoever_a_row_names_is_hidden_and_one_mailbox_is_one_however_it_is_written() {
    let world = World::new();
    let sha256: String = Sha256::digest("ab@gmail.com").iter().map(|byte| format!("{byte:02x}")).collect();
    let rows = [
        "A.b+tag@gmail.com,,an id",
        "ab@googlemail.com,,",
        &format!(",{sha256},"),
        "ab@mail.example,,",
        "ab@mail,,",
        ",abc,",
    ];
    let rows = rows.iter().enumerate().map(|(order, row)| format!("{order},{row}\n"));
    let head = "order_id,email,email_sha256,device_id\n".to_owned();
    let mut import = world.file("orders.csv", &rows.fold(head, |file, row| file + &row));
    import.rows = Rows::Conversions;
    let same = [("occurred_at", "2026-03-01"), ("campaign", "spring"), ("amount", "1"), ("currency", "EUR")];
    import.mapping.constants = pairs(&same);
    let imported = world.run(&import).unwrap();
    insta::assert_snapshot!(fs::read_to_string(imported.report.unwrap()).unwrap(), @r#"
    line,field,reason
    6,"email","is not an e-mail address"
    7,"email_sha256","is not a SHA-256 of 64 hexadecimal digits"
    "#);
    let mut orders: Vec<_> = world
        .events()
        .into_iter()
        .map(|known| match known.event {
            Event::Conversion(order) => {
                (order.order_id, order.email_hash, order.email_domain, order.device_id)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    orders.sort();
    let hashes: Vec<_> = orders.iter().map(|(_, hash, ..)| hash.unwrap()).collect();
    assert!(hashes[0] == hashes[1] && hashes[1] == hashes[2] && hashes[2] != hashes[3]);
    assert_eq!(
        orders.iter().map(|(.., domain, _)| &**domain).collect::<Vec<_>>(),
        ["gmail.com", "gmail.com", "", "mail.example"]
    );
    assert_eq!(orders.iter().map(|(.., device)| &**device).collect::<Vec<_>>(), ["hidden 5", "", "", ""]);
}
