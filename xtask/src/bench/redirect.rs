//! How fast a click is durable and redirected, beside a server that does nothing but redirect.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::runtime::Runtime;

use super::{
    figure::Figure,
    load::{self, Load, Pace, Seen},
};
use crate::{
    cluster::{self, Cluster, Plan, Profile},
    database::Server,
    demo,
};

const LENGTH: Duration = Duration::from_secs(5);
const DATABASE: &str = "tributary_bench";
/// Like a real browser's request: about 400 bytes.
const HEADERS: &str = "Host: track.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml\r\n\
    Accept-Language: en\r\nReferer: https://blog.example/best-tents\r\n\r\n";

/// Closed loop at 64 and 512 connections, then an open loop at 10,000 a second; commit durability.
pub fn run() -> Result<Vec<Figure>> {
    Runtime::new()?.block_on(measure())
}

async fn measure() -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let server = Server::find_or_start_in(&folder.path().join("postgres"))?;
    let database_url = server.empty_database(DATABASE).await?;
    let port = embedded::free_port()?;
    let plan = Plan {
        folder: folder.path().to_owned(),
        database_url,
        port,
        profile: Profile::Release,
        flags: Vec::new(),
    };
    let cluster = Cluster::start(plan, "bench").await?;
    let path = demo::one_link(&cluster).await?;
    let product = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (_floor, floor) = start_floor()?;
    let mut figures = Vec::new();
    for connections in [64, 512] {
        let bare = closed(floor, "/c/bare", connections).await?;
        let seen = closed(product, &path, connections).await?;
        let case = format!("redirect/commit/{connections}_connections");
        figures.push(Figure::new(case, seen.per_second(), "req/s").against(bare.per_second()));
    }
    let bare = open(floor, "/c/bare").await?;
    let seen = open(product, &path).await?;
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
        let case = format!("redirect/commit/10000_per_s/{name}");
        figures.push(Figure::new(case, seen.latency_ms(quantile), "ms").against(bare.latency_ms(quantile)));
    }
    cluster.stop()?;
    Ok(figures)
}

async fn closed(address: SocketAddr, path: &str, connections: usize) -> Result<Seen> {
    all_redirected(load(address, path, connections, Pace::Closed)).await
}

async fn open(address: SocketAddr, path: &str) -> Result<Seen> {
    all_redirected(load(address, path, 64, Pace::PerSecond(10_000))).await
}

fn load(address: SocketAddr, path: &str, connections: usize, pace: Pace) -> Load {
    let request = format!("GET {path} HTTP/1.1\r\n{HEADERS}");
    Load { address, request, expected_status: 302, connections, length: LENGTH, pace }
}

async fn all_redirected(load: Load) -> Result<Seen> {
    let seen = load::run(&load).await?;
    ensure!(
        seen.refused == 0,
        "{} of {} visits were not redirected",
        seen.refused,
        seen.refused + seen.answered
    );
    Ok(seen)
}

/// A child that ends with the benchmark.
struct Floor(Child);

impl Drop for Floor {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start_floor() -> Result<(Floor, SocketAddr)> {
    let program = cluster::build(&["--example", "bare_redirect"], Profile::Release, "bare_redirect")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, embedded::free_port()?));
    let mut command = Command::new(program);
    let child = command.arg(address.to_string()).stdin(Stdio::null()).spawn();
    let floor = Floor(child.context("the bare server could not be started")?);
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        ensure!(Instant::now() < deadline, "the bare server did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok((floor, address))
}
