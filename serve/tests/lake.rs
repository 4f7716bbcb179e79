//! The event lake as an operator uses it: files are brought in, what is there is told, and what is wrong is said.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

const ORDERS: &str = "\
Time,Customer,Total,Email,Note
2026-03-01T12:00:00Z,c-1,19.90,ana@mail.example,
2026-03-02T12:00:00Z,c-2,five,bo@mail.example,
2026-03-03T12:00:00Z,c-1,5.00,ana@mail.example,again
";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("orders.csv"), ORDERS).unwrap();
        Self(folder)
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
        command.args(words.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        command
            .env("TRIBUTARY_LAKE", "lake")
            .env("TRIBUTARY_SECRET", "a secret for tests, nothing but tests");
        command.env("RUST_LOG", "off");
        command
    }

    /// What a command says, by its status; the folder's own name is not repeated.
    fn told(&self, words: &str) -> String {
        let output = self.command(words).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        format!("{} {}", output.status.code().unwrap(), String::from_utf8(said).unwrap().trim())
    }
}

const IMPORT: &str = "import orders.csv --rows transactions --source shop --map Time=occurred_at --map Customer=customer \
     --map Total=amount --map Email=email --set currency=EUR --set campaign=shop";

#[test]
fn a_file_is_brought_in_once_and_the_lake_says_what_it_holds() {
    let folder = Folder::new();
    let dry = folder.told(&format!("{IMPORT} --dry-run"));
    assert!(dry.starts_with("0 2 of 3 rows could be imported\n1 rows were rejected"), "{dry}");
    assert!(!folder.0.path().join("lake").exists());
    insta::assert_snapshot!(folder.told(IMPORT), @"
    0 2 of 3 rows were imported
    1 rows were rejected: orders.csv.rejected.csv says which and why
    columns that are no field: Note
    ");
    insta::assert_snapshot!(fs::read_to_string(folder.0.path().join("orders.csv.rejected.csv")).unwrap(), @r#"
    line,field,reason
    3,"amount","""five"" is not a decimal amount such as 49.99"
    "#);
    let summary = folder.told("lake summary");
    let conversions = summary.lines().find(|line| line.starts_with("conversions")).unwrap();
    let said: Vec<_> = conversions.split_whitespace().collect();
    assert_eq!(said, ["conversions", "2", "2", "0.0", "2026-03-01T12:00:00Z", "2026-03-03T12:00:00Z", "0"]);
    assert_eq!(folder.told("lake check"), "0 all is well: 2 events are whole, sorted and there once");
    assert_eq!(
        folder.told("lake compact"),
        "0 0 batches with 0 events were merged, 0 of them new, into 0 partitions"
    );
    let again = folder.told(IMPORT);
    assert!(again.starts_with("0 all 3 rows were imported before; nothing was to be done"), "{again}");
    assert_eq!(folder.told("lake summary"), summary);
}

#[test]
fn a_folder_that_is_watched_brings_in_each_file_once() {
    let folder = Folder::new();
    let words = IMPORT.replace("import orders.csv", "import --watch in --every 1s");
    fs::create_dir(folder.0.path().join("in")).unwrap();
    fs::rename(folder.0.path().join("orders.csv"), folder.0.path().join("in/orders.csv")).unwrap();
    let mut watching = folder.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let holds = |events: &str| {
        let has_them = |summary: &str| {
            let line = summary.lines().find(|line| line.starts_with("conversions"))?;
            (line.split_whitespace().nth(2) == Some(events)).then_some(())
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while has_them(&folder.told("lake summary")).is_none() {
            assert!(Instant::now() < deadline, "{}", folder.told("lake summary"));
        }
    };
    holds("2");
    let more = ORDERS.replace("c-1", "c-7").replace("c-2", "c-8");
    fs::write(folder.0.path().join("in/more.csv"), more).unwrap();
    holds("4");
    assert!(folder.0.path().join("in/more.csv.rejected.csv").exists());
    let asked = Command::new("kill").arg(watching.id().to_string()).status().unwrap();
    assert!(asked.success() && watching.wait().unwrap().success());
    assert!(folder.told("lake check").starts_with("0 all is well: 4 events"));
}

#[test]
fn what_cannot_be_done_is_told_in_one_sentence() {
    let folder = Folder::new();
    insta::assert_snapshot!(folder.told("import orders.csv --rows transactions"), @"1 error: no column is occurred_at: map one (--map column=occurred_at) or set it for all rows (--set occurred_at=…); the file has Time, Customer, Total, Email, Note");
    insta::assert_snapshot!(folder.told("import nothing.csv --rows clicks"), @"1 error: reading nothing.csv failed: No such file or directory (os error 2)");
    folder.told(IMPORT);
    let part = folder.0.path().join("lake/conversions/date=2026-03-01/part.parquet");
    let whole = fs::read(&part).unwrap();
    fs::write(&part, &whole[..whole.len() / 2]).unwrap();
    let told = folder.told("lake check");
    assert!(
        told.starts_with("1 lake/conversions/date=2026-03-01/part.parquet is not a whole Parquet file"),
        "{told}"
    );
    assert!(told.ends_with("error: 1 files of the lake are not as they should be"), "{told}");
}

#[test]
fn the_tables_are_printed_as_the_manual_has_them() {
    let told = Folder::new().told("lake tables");
    assert!(include_str!("../../docs/lake.md").trim_end().ends_with(told.trim_start_matches("0 ")));
}

#[test]
fn a_lake_in_a_bucket_is_used_as_one_in_a_folder_is() {
    let (folder, store) = (Folder::new(), embedded::objects::S3::start().unwrap());
    let told = |machine: &str, words: &str| {
        let mut command = folder.command(words);
        command.envs(store.variables()).env("TRIBUTARY_LAKE", store.address("events"));
        let output = command.env("TRIBUTARY_LAKE_CACHE", machine).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap().trim().to_owned()
    };
    assert!(told("one", IMPORT).starts_with("2 of 3 rows were imported"));
    assert!(told("two", IMPORT).starts_with("all 3 rows were imported before"));
    let summary = told("two", "lake summary");
    let conversions = summary.lines().find(|line| line.starts_with("conversions")).unwrap();
    assert_eq!(conversions.split_whitespace().nth(2), Some("2"), "{summary}");
    assert_eq!(told("two", "lake check"), "all is well: 2 events are whole, sorted and there once");
    assert!(!folder.0.path().join("lake").exists());
    let nowhere =
        folder.command("lake summary --lake s3://nobody/events").envs(store.variables()).output().unwrap();
    let refused = String::from_utf8(nowhere.stderr).unwrap();
    assert!(refused.contains("there is no bucket"), "{refused}");
}
