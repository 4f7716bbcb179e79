//! Load for loopback, sent by a process of its own from one core: plain HTTP/1.1 over kept connections, bounded in
//! time and count.

mod answer;
mod engine;
mod tally;

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    num::NonZeroU64,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::thread::{CpuSet, set_current_timer_slack};
use serde::{Deserialize, Serialize};
use thread_priority::{
    RealtimeThreadSchedulePolicy::Fifo, ThreadPriority, ThreadSchedulePolicy::Realtime,
    set_thread_priority_and_policy, thread_native_id,
};

use super::cores;
pub use tally::{Quantiles, Seen};

/// The hidden subcommand by which the generator is started.
pub const SUBCOMMAND: &str = "load";
/// How long a single answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to send and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    /// Where to; loopback only.
    pub address: SocketAddr,
    /// The requests, byte for byte; sent in turn, again and again.
    pub requests: Vec<String>,
    /// The status that counts as success.
    pub expected_status: u16,
    /// How many connections are kept open.
    pub connections: usize,
    /// How long requests are sent before anything is measured.
    pub warm_up: Duration,
    /// For how long it is measured.
    pub length: Duration,
    /// How the requests are paced.
    pub pace: Pace,
    /// The load ends sooner when so many requests have been sent.
    pub at_most: Option<u64>,
    /// What each request may be answered with, in the order of the requests; with anything where this is empty.
    pub bodies: Vec<Vec<String>>,
    /// Where the ids of all clicks that were answered go, 16 bytes each.
    pub ids: Option<PathBuf>,
}

/// Closed loop: each connection sends its next request when the answer has come. Open loop: requests are due at
/// fixed instants and their latency counts from then, whatever held them up; one that finds every connection busy
/// waits for the next that is free, and none is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pace {
    /// As fast as the answers come.
    Closed,
    /// So many requests a second in all.
    PerSecond(u32),
}

/// A load under way; dropping it ends it.
pub struct Running(Option<Child>);

impl Load {
    /// Starts the generator on these cores.
    pub fn start(&self, cores: &CpuSet) -> Result<Running> {
        let address = self.address;
        ensure!(
            address.ip().is_loopback(),
            "{address} is not loopback; load is only ever sent to this machine"
        );
        let program = std::env::current_exe().context("this program cannot find itself")?;
        let mut command = Command::new(program);
        command.arg(SUBCOMMAND).stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = cores::on(cores, || command.spawn().context("the load generator cannot be started"))?;
        let mut running = Running(Some(child));
        let input = running.0.as_mut().and_then(|child| child.stdin.take()).context("it has an input")?;
        serde_json::to_writer(input, self).context("the load generator does not listen")?;
        Ok(running)
    }

    /// Sends the load and says what came of it.
    pub fn run(&self, cores: &CpuSet) -> Result<Seen> {
        self.start(cores)?.finish()
    }
}

impl Running {
    /// Waits for the end and says what was seen.
    pub fn finish(mut self) -> Result<Seen> {
        let child = self.0.take().context("it is finished once")?;
        let output = child.wait_with_output().context("the load generator cannot be heard")?;
        if !output.status.success() {
            bail!("the load generator gave up; its reason stands above");
        }
        serde_json::from_slice(&output.stdout).context("the load generator's figures cannot be read")
    }
}

impl Running {
    /// Whether the load has ended.
    pub fn is_over(&mut self) -> Result<bool> {
        let child = self.0.as_mut().context("it is asked before it is finished")?;
        Ok(child.try_wait()?.is_some())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Sends one request on a connection of its own and returns the answer's status and head.
pub fn ask(address: SocketAddr, request: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let (mut received, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut buffer)?;
        ensure!(0 < count, "the server closed a connection before its answer");
        received.extend_from_slice(&buffer[..count]);
        if let Some(answer) = answer::scan(&received)? {
            return Ok((answer.status, String::from_utf8_lossy(&received[..answer.head]).into_owned()));
        }
    }
}

/// The generator itself: reads a load from the standard input, sends it, writes down what it saw.
pub fn serve() -> Result<()> {
    let load: Load = serde_json::from_reader(io::stdin()).context("this is started by a benchmark")?;
    // An instrument that waits for the database on its core would blame the server, so it goes first; niceness does not
    // help, because Linux groups processes by session. Without the right to it the generator says how late it was.
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Realtime(Fifo)).ok();
    set_current_timer_slack(NonZeroU64::new(1)).ok();
    let seen = engine::run(&load)?;
    serde_json::to_writer(io::stdout(), &seen)?;
    Ok(io::stdout().flush()?)
}
