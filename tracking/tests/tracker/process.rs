//! The program itself: it says where it listens, and it ends when it is asked to.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use embedded::test_database;
use rustix::process::{Pid, Signal, kill_process};

use super::world::{ADVERTISER, browser, count_clicks, seed};

/// The real program, on a port of its own choice.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    /// Starts it and waits until it takes clicks.
    pub fn start(folder: &Path, database_url: &str) -> Self {
        Self::start_with(folder, database_url, "local")
    }

    /// The same, on a stream.
    pub fn start_with(folder: &Path, database_url: &str, stream: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tributary-track"))
            .args(["--listen", "127.0.0.1:0", "--secret", "0123456789abcdef0123456789abcdef"])
            .args(["--log-segment-mib", "1", "--data-dir"])
            .arg(folder)
            .env("DATABASE_URL", database_url)
            .env("TRIBUTARY_STREAM", stream)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains("taking clicks")).unwrap();
        let address =
            line.split("\"address\":\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        // Somebody must go on reading, or the program stops at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn asked_to_end_it_stores_what_it_has_and_succeeds() {
    let database = test_database(&tracking::MIGRATOR).await;
    seed(database.pool()).await;
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path(), &database.url());
    let (browser, root) = (browser(), format!("http://{}", process.address));
    for _ in 0..10 {
        assert_eq!(browser.get(format!("{root}/c/spring")).send().await.unwrap().status(), 302);
    }
    let advertiser = domain::AdvertiserId::from(ADVERTISER);
    let unsigned = browser.get(format!("{root}/postback/{advertiser}")).send().await.unwrap();
    assert!(unsigned.status().is_client_error(), "postbacks are taken too: {}", unsigned.status());
    assert!(unsigned.headers().contains_key("x-request-id"), "postbacks have an id");
    kill_process(Pid::from_child(&process.child), Signal::TERM).unwrap();
    let ended = tokio::task::spawn_blocking(move || process.child.wait().unwrap()).await.unwrap();
    assert!(ended.success(), "{ended}");
    assert_eq!(count_clicks(database.pool()).await, Some(10));
}

#[test]
fn what_is_wrong_is_told_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tributary-track"))
        .args(["--secret", "0123456789abcdef0123456789abcdef", "--database-url", "nonsense", "--data-dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("the database URL cannot be understood: "), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}
