//! What is wrong with the setting is told in one sentence, and clicks are taken all the same.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use embedded::nats::Cluster;

use super::CLUSTER;

/// What the program says when it is started on this stream, until it says something with these words.
fn said(arguments: &[&str], words: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tributary-track"))
        .args(["--listen", "127.0.0.1:0", "--secret", "0123456789abcdef0123456789abcdef", "--data-dir"])
        .arg(folder.path())
        .args(["--database-url", "postgres://nobody@127.0.0.1:1/none"])
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (hear, heard) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| hear.send(line)));
    let mut all = String::new();
    while !all.contains(words) {
        match heard.recv_timeout(Duration::from_secs(30)) {
            Ok(line) => all = all + &line + "\n",
            Err(_) => break,
        }
    }
    // It may have ended already.
    let _ = child.kill();
    child.wait().unwrap();
    all
}

#[test]
fn a_stream_that_is_none_is_refused_before_anything_is_opened() {
    let told = said(&["--stream", "kafka://one:9092"], "error");
    assert!(told.contains("a stream is `local`, or NATS servers such as nats://one:4222"), "{told}");
    let told = said(&["--stream-credentials", "/nowhere/at.all"], "credentials");
    assert!(told.contains("/nowhere/at.all cannot be read as credentials for NATS"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refused_login_is_told_without_the_password_and_clicks_are_taken() {
    let url = CLUSTER.read().await.url(0).replace("tributary-0:", "somebody:");
    let told = said(&["--stream", &url], "refuse the login");
    assert!(told.contains("taking clicks"), "{told}");
    assert!(
        told.contains("refuse the login: correct the user and password in --stream, or --stream-credentials"),
        "{told}"
    );
    let password = url.split_once("somebody:").unwrap().1.split_once('@').unwrap().0;
    assert!(!told.contains(password), "{told}");
}

#[test]
fn more_replicas_than_servers_are_refused_and_without_a_wish_one_server_will_do() {
    let cluster = Cluster::start(1).unwrap();
    let told = said(&["--stream", &cluster.url(0), "--stream-replicas", "3"], "has not 3 servers");
    assert!(told.contains("start more of them, or choose --stream-replicas"), "{told}");
    let told = said(&["--stream", &cluster.url(0)], "made the stream");
    assert!(told.contains("made the stream TRIBUTARY_EVENTS (replicas: 1)"), "{told}");
}
