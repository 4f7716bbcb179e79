//! A server keeps its data through everything that can happen to it or to whoever started it.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use embedded::{Postgres, StartError, database, drop_database, empty_database};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::{Connection, Executor, PgConnection};

const NOTE: &str = "the buyer paid 51.00 EUR";

async fn write_note(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("the server answers");
    connection.execute("CREATE TABLE note (line text)").await.expect("a table");
    sqlx::query("INSERT INTO note VALUES ($1)").bind(NOTE).execute(&mut connection).await.expect("a row");
}

async fn read_note(url: &str) -> String {
    let mut connection = PgConnection::connect(url).await.expect("the server answers");
    sqlx::query_scalar("SELECT line FROM note")
        .fetch_one(&mut connection)
        .await
        .expect("the row is still there")
}

#[tokio::test]
async fn data_survive_a_clean_stop() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Postgres::start(folder.path()).expect("a first start");
    write_note(&server.url("postgres")).await;
    server.stop().expect("a clean stop");
    assert!(!folder.path().join("data/postmaster.pid").exists(), "nothing runs any more");

    let server = Postgres::start(folder.path()).expect("a second start");
    assert_eq!(read_note(&server.url("postgres")).await, NOTE);
}

#[tokio::test]
async fn a_halted_server_comes_back_on_the_same_port_with_its_data() {
    let mut server = Postgres::start_temporary().expect("a start");
    let url = server.url("postgres");
    write_note(&url).await;
    server.halt().expect("a halt");
    PgConnection::connect(&url).await.expect_err("nobody answers");
    server.halt().expect("halting what is halted changes nothing");

    server.resume().expect("a resume");
    server.resume().expect("resuming what runs changes nothing");
    assert_eq!(server.url("postgres"), url);
    assert_eq!(read_note(&url).await, NOTE);
    server.stop().expect("a clean stop");
}

#[tokio::test]
async fn a_named_database_is_made_once_and_emptied_on_demand() {
    let server = Postgres::start_temporary().expect("a start");
    let url = database(&server.url("postgres"), "shop").await.expect("a database");
    write_note(&url).await;
    let again = database(&server.url("postgres"), "shop").await.expect("the same database");
    assert_eq!(read_note(&again).await, NOTE);

    let emptied = empty_database(&server.url("postgres"), "shop").await.expect("an empty database");
    write_note(&emptied).await;
    drop_database(&server.url("postgres"), "shop").await.expect("it can be dropped");
    PgConnection::connect(&emptied).await.expect_err("it is gone");
}

#[tokio::test]
async fn a_temporary_server_leaves_nothing_behind() {
    let server = Postgres::start_temporary().expect("a start");
    let folder = server.folder().to_owned();
    assert!(folder.exists());
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn a_folder_serves_one_process_at_a_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _first = Postgres::start(folder.path()).expect("a start");
    let second = Postgres::start(folder.path()).expect_err("the folder is taken");
    assert!(matches!(second, StartError::Place(_)), "{second}");
    assert!(second.to_string().contains("another process runs the server"), "{second}");
}

#[tokio::test]
async fn a_server_ends_when_its_parent_is_killed_and_starts_again_with_its_data() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut parent = Parent::start(folder.path());
    write_note(&parent.url).await;
    let postmaster = parent.postmaster(folder.path());
    parent.kill();
    wait_until("the watchdog has stopped the server", || !runs(postmaster));

    let server = Postgres::start(folder.path()).expect("a start after the crash");
    assert_eq!(read_note(&server.url("postgres")).await, NOTE);
}

#[tokio::test]
async fn an_orphan_that_nobody_watches_is_stopped_by_the_next_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut parent = Parent::start(folder.path());
    write_note(&parent.url).await;
    let postmaster = parent.postmaster(folder.path());
    for watchdog in children_of(parent.process.id()).into_iter().filter(|it| *it != postmaster) {
        kill_process(watchdog, Signal::KILL).expect("the watchdog can be killed");
    }
    parent.kill();
    assert!(runs(postmaster), "the server runs on without a parent");

    let server = Postgres::start(folder.path()).expect("a start beside the orphan");
    assert_eq!(read_note(&server.url("postgres")).await, NOTE);
}

#[test]
fn an_interrupted_initdb_is_begun_anew() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unfinished = folder.path().join("data.unfinished");
    fs::create_dir(&unfinished).expect("a folder");
    fs::write(unfinished.join("PG_VERSION"), "7\n").expect("a file");
    Postgres::start(folder.path()).expect("a start").stop().expect("a clean stop");
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn root_may_keep_data_where_the_servers_own_user_cannot_go() {
    if !geteuid().is_root() {
        return;
    }
    let closed = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).expect("the folder is ours");
    let wanted = closed.path().join("below");
    let server = Postgres::start(&wanted).expect("a start");
    let instead = server.folder().to_owned();
    assert_ne!(instead, wanted);
    write_note(&server.url("postgres")).await;
    server.stop().expect("a clean stop");

    let server = Postgres::start(&wanted).expect("a second start");
    assert_eq!(server.folder(), instead);
    assert_eq!(read_note(&server.url("postgres")).await, NOTE);
    server.stop().expect("a clean stop");
    fs::remove_dir_all(instead).expect("the stand-in is ours");
}

/// A process of its own that runs a server and is then killed.
struct Parent {
    process: Child,
    url: String,
}

impl Parent {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tributary-postgres"))
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut url = String::new();
        let stdout = process.stdout.take().expect("the output is piped");
        BufReader::new(stdout).read_line(&mut url).expect("the program says where the server is");
        assert!(url.starts_with("postgres://"), "{url:?}");
        Self { process, url: url.trim().to_owned() }
    }

    fn postmaster(&self, folder: &Path) -> Pid {
        let note = fs::read_to_string(folder.join("data/postmaster.pid")).expect("the server runs");
        let number = note.lines().next().and_then(|line| line.parse().ok()).expect("a process number");
        Pid::from_raw(number).expect("a process number")
    }

    fn kill(&mut self) {
        self.process.kill().expect("the parent can be killed");
        self.process.wait().expect("the parent is gone");
    }
}

/// Whether a process does anything: one that has ended but was not collected yet has no working directory.
fn runs(process: Pid) -> bool {
    fs::read_link(format!("/proc/{process}/cwd")).is_ok()
}

fn children_of(parent: u32) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).expect("the parent runs").flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let numbers: String = lists.collect();
    numbers.split_whitespace().filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
