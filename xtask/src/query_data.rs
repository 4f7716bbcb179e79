//! `cargo xtask sqlx` renews `.sqlx/`: what the compiler knows about our queries without a database.
//!
//! The query macros ask a real, freshly migrated database while the crates are checked once, and write down what it
//! says. Nothing needs to be installed for it.

use std::{
    collections::BTreeMap,
    fs::{self, File, FileTimes},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use cargo_metadata::Package;
use clap::Args;
use serde_json::Value;
use sqlx::{Connection, PgConnection, migrate::Migrator};

use crate::{database::Server, external, workspace};

/// The database that the macros ask.
const DATABASE: &str = "tributary_query_data";
/// The macros that are checked against a database.
const MACROS: [&str; 5] = ["query!", "query_as!", "query_scalar!", "query_file!", "query_file_as!"];
/// A crate without queries that takes minutes and libtorch to build.
const LEFT_OUT: &str = "train";

/// How to renew.
#[derive(Args)]
pub struct Options {
    /// Change nothing; fail when the committed files are not what they should be
    #[arg(long)]
    check: bool,
}

/// What the database said about each query, by file name, as the macros wrote it down.
type QueryData = BTreeMap<String, String>;

/// Renews or checks `.sqlx/` with a server found or started for it.
pub fn run(options: &Options) -> Result<()> {
    let server = Server::find_or_start()?;
    if options.check { check(&server) } else { renew(&server) }
}

/// Fails when the committed data are not what they should be.
pub fn check(server: &Server) -> Result<()> {
    let fresh = ask(server)?;
    let differences = differences(&read(&place())?, &fresh);
    if !differences.is_empty() {
        bail!("{}; run `cargo xtask sqlx` and commit .sqlx/", differences.join(", "));
    }
    println!("the data of {} queries in .sqlx/ are up to date", fresh.len());
    Ok(())
}

fn renew(server: &Server) -> Result<()> {
    let (committed, fresh) = (read(&place())?, ask(server)?);
    if committed == fresh {
        println!("the data of {} queries in .sqlx/ are up to date", fresh.len());
        return Ok(());
    }
    write(&place(), &fresh)?;
    println!("renewed .sqlx/; commit it together with the queries");
    for difference in differences(&committed, &fresh) {
        println!("  before, {difference}");
    }
    Ok(())
}

fn place() -> PathBuf {
    workspace::root().join(".sqlx")
}

/// Lets the macros ask a database with every migration applied.
fn ask(server: &Server) -> Result<QueryData> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let url = runtime.block_on(async {
        let url = server.empty_database(DATABASE).await?;
        migrate(&url).await?;
        anyhow::Ok(url)
    })?;
    let answers = tempfile::tempdir()?;
    let touched = Touched::every(&crates_with_queries()?)?;
    let mut check = workspace::cargo();
    check.args(["check", "--workspace", "--exclude", LEFT_OUT, "--all-targets"]);
    check.env("DATABASE_URL", &url).env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", answers.path());
    let checked = external::run(&mut check)
        .context("a query does not fit the migrations, or the code does not compile");
    drop(touched);
    runtime.block_on(server.remove_database(DATABASE))?;
    checked?;
    read(answers.path())
}

async fn migrate(url: &str) -> Result<()> {
    let migrator =
        Migrator::new(workspace::root().join("migrations")).await.context("cannot read migrations/")?;
    let mut connection = PgConnection::connect(url).await?;
    migrator.run(&mut connection).await.context("a migration fails on an empty database")?;
    Ok(connection.close().await?)
}

/// The data in a folder; a folder that does not exist holds none.
fn read(folder: &Path) -> Result<QueryData> {
    let mut data = QueryData::new();
    if !folder.exists() {
        return Ok(data);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("query-") {
            data.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(data)
}

/// Puts a whole new folder in the place of the old one, so that an interruption leaves one of the two.
fn write(place: &Path, data: &QueryData) -> Result<()> {
    let folder = place.parent().unwrap_or(place);
    let scratch = tempfile::Builder::new().prefix(".sqlx-").tempdir_in(folder)?;
    let whole = scratch.path().join("whole");
    fs::create_dir(&whole)?;
    for (name, text) in data {
        fs::write(whole.join(name), text)?;
    }
    if place.exists() {
        fs::rename(place, scratch.path().join("replaced"))?;
    }
    Ok(fs::rename(&whole, place)?)
}

/// How many queries are new, changed or gone, as far as any are.
fn differences(committed: &QueryData, fresh: &QueryData) -> Vec<String> {
    let new = fresh.keys().filter(|name| !committed.contains_key(*name)).count();
    let gone = committed.keys().filter(|name| !fresh.contains_key(*name)).count();
    let changed = fresh
        .iter()
        .filter(|(name, text)| committed.get(*name).is_some_and(|old| !are_equal(old, text)))
        .count();
    let named = [(new, "missing in"), (changed, "different from"), (gone, "no longer used but in")];
    let said = named.iter().filter(|(count, _)| 0 < *count).map(|(count, what)| {
        let noun = if *count == 1 { "query is" } else { "queries are" };
        format!("{count} {noun} {what} .sqlx/")
    });
    said.collect()
}

/// Whether two files say the same, however they are laid out. What is no JSON equals nothing.
fn are_equal(one: &str, other: &str) -> bool {
    let parsed = [one, other].map(|text| serde_json::from_str::<Value>(text).ok());
    matches!(parsed, [Some(one), Some(other)] if one == other)
}

fn crates_with_queries() -> Result<Vec<Package>> {
    let mut found = Vec::new();
    for package in workspace::metadata()?.packages {
        let folder =
            package.manifest_path.parent().map(|folder| folder.as_std_path().to_owned()).unwrap_or_default();
        if package.name.as_str() != env!("CARGO_PKG_NAME") && has_queries(&folder)? {
            found.push(package);
        }
    }
    Ok(found)
}

fn has_queries(folder: &Path) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            has_queries(&path)?
        } else {
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            is_rust && MACROS.iter().any(|it| fs::read_to_string(&path).unwrap_or_default().contains(it))
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Source files that look changed, so that cargo checks their crates anew, until dropped: then they look as before,
/// and no other build is made to do its work again.
struct Touched {
    files: Vec<(PathBuf, SystemTime, SystemTime)>,
}

impl Touched {
    fn every(packages: &[Package]) -> Result<Self> {
        let mut touched = Self { files: Vec::new() };
        // A new file tells the time that cargo will compare with.
        let now = tempfile::tempfile()?.metadata()?.modified()?;
        for target in packages.iter().flat_map(|package| &package.targets) {
            let path = target.src_path.as_std_path();
            let before = fs::metadata(path)?.modified()?;
            set_modified(path, now)?;
            touched.files.push((path.to_owned(), before, fs::metadata(path)?.modified()?));
        }
        Ok(touched)
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        for (path, before, touched) in &self.files {
            // Somebody may have changed the file since; then it must look changed.
            let untouched = fs::metadata(path).and_then(|it| it.modified()).is_ok_and(|now| now == *touched);
            if untouched {
                // Should this fail, the only harm is a build that was not needed.
                set_modified(path, *before).ok();
            }
        }
    }
}

fn set_modified(path: &Path, time: SystemTime) -> Result<()> {
    let file = File::options().write(true).open(path)?;
    Ok(file.set_times(FileTimes::new().set_modified(time))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(entries: &[(&str, i32)]) -> QueryData {
        entries
            .iter()
            .map(|(name, value)| (format!("query-{name}.json"), format!("{{\n  \"columns\": {value}\n}}\n")))
            .collect()
    }

    fn check(committed: &[(&str, i32)], fresh: &[(&str, i32)], expected: &[&str]) {
        assert_eq!(differences(&data(committed), &data(fresh)), expected);
    }

    #[test]
    fn equal_data_are_up_to_date() {
        check(&[("a", 1), ("b", 2)], &[("a", 1), ("b", 2)], &[]);
    }

    #[test]
    fn every_kind_of_difference_is_said() {
        check(&[("a", 1)], &[("a", 1), ("b", 2), ("c", 3)], &["2 queries are missing in .sqlx/"]);
        check(&[("a", 1)], &[("a", 2)], &["1 query is different from .sqlx/"]);
        check(&[("a", 1), ("b", 2)], &[("a", 1)], &["1 query is no longer used but in .sqlx/"]);
    }

    #[test]
    fn layout_is_no_difference_but_a_conflict_is() {
        let compact: QueryData = [("query-a.json".to_owned(), r#"{"columns":1}"#.to_owned())].into();
        assert_eq!(differences(&compact, &data(&[("a", 1)])), Vec::<String>::new());
        let conflict: QueryData = [("query-a.json".to_owned(), "<<<<<<< HEAD".to_owned())].into();
        assert_eq!(differences(&conflict, &data(&[("a", 1)])), ["1 query is different from .sqlx/"]);
    }

    #[test]
    fn written_data_are_read_back_and_older_ones_are_gone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join(".sqlx");
        write(&place, &data(&[("old", 1)])).expect("written");
        write(&place, &data(&[("new", 2)])).expect("written");
        assert_eq!(read(&place).expect("read"), data(&[("new", 2)]));
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn only_files_of_crates_with_queries_are_touched_and_look_as_before_afterwards() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("lib.rs");
        fs::write(&path, MACROS.join("; ")).expect("a file");
        assert!(has_queries(folder.path()).expect("readable"));
        let long_ago = SystemTime::UNIX_EPOCH;
        let recently = fs::metadata(&path).expect("a file").modified().expect("a time");
        drop(Touched { files: vec![(path.clone(), long_ago, recently)] });
        assert_eq!(fs::metadata(&path).expect("a file").modified().expect("a time"), long_ago);
        drop(Touched { files: vec![(path.clone(), recently, recently)] });
        assert_eq!(
            fs::metadata(&path).expect("a file").modified().expect("a time"),
            long_ago,
            "it was changed since"
        );
    }
}
