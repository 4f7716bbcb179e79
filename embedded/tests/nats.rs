//! A cluster survives what can happen to its servers, and leaves nothing behind.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use embedded::nats::Cluster;

/// Set in the process that is killed.
const PARENT: &str = "TRIBUTARY_TEST_PARENT";

/// What a server says to whoever connects, which no sleeping or dead one does.
fn greeting(cluster: &Cluster, server: usize) -> Option<String> {
    let url = cluster.url(0);
    let address = url.split(',').nth(server)?.split_once('@')?.1;
    let mut connection = TcpStream::connect(address).ok()?;
    connection.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
    connection.write_all(b"PING\r\n").ok()?;
    let mut greeting = [0; 4];
    connection.read_exact(&mut greeting).ok()?;
    String::from_utf8(greeting.to_vec()).ok()
}

#[test]
fn servers_are_killed_frozen_cut_off_and_wiped_and_are_one_cluster_again() {
    let mut cluster = Cluster::start(3).expect("a start");
    assert_eq!(cluster.servers(), 3);
    assert_eq!(cluster.url(0).split(',').count(), 3);

    cluster.kill(0).expect("a kill");
    assert_eq!(greeting(&cluster, 0), None);
    assert_eq!(greeting(&cluster, 1).as_deref(), Some("INFO"));
    cluster.restart(0).expect("a restart");
    cluster.wait_until_ready().expect("all three");

    cluster.freeze(1).expect("sleep");
    assert_eq!(greeting(&cluster, 1), None);
    cluster.thaw(1).expect("awake");

    cluster.partition(2);
    assert_eq!(greeting(&cluster, 2).as_deref(), Some("INFO"), "its clients still reach it");
    cluster.heal(2);

    for server in 0..3 {
        cluster.wipe(server).expect("a wipe");
    }
    for server in 0..3 {
        cluster.restart(server).expect("a restart");
    }
    cluster.wait_until_ready().expect("all three, with nothing on their disks");
}

/// Runs only when it is started by the test below: a process with a cluster that waits to be killed.
#[test]
fn parent() {
    if std::env::var_os(PARENT).is_some() {
        let cluster = Cluster::start(1).expect("a start");
        cluster.freeze(0).expect("even a sleeping server ends");
        writeln!(std::io::stdout(), "\n{}", cluster.url(0)).expect("the test reads it");
        std::thread::sleep(Duration::from_secs(60));
    }
}

#[test]
fn servers_end_when_their_parent_is_killed() {
    let mut parent = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "parent", "--nocapture"])
        .env(PARENT, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let lines = BufReader::new(parent.stdout.take().expect("its output")).lines();
    let url = lines.map_while(Result::ok).find(|line| line.starts_with("nats://")).expect("a URL");
    let (_, address) = url.split_once('@').expect("an address");
    TcpStream::connect(address).expect("a server, although it sleeps");
    parent.kill().expect("a kill");
    parent.wait().expect("its end");
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "the server outlives its parent");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_single_server_is_ready_too() {
    let cluster = Cluster::start(1).expect("a start");
    assert_eq!(greeting(&cluster, 0).as_deref(), Some("INFO"));
}
