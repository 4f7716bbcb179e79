//! One tracker: the real program, started, looked at, and ended in every way a program can end.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::{http::Connection, metrics::Metrics, plan::Durability};
use crate::external;

const READY_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(2);
/// Small, so that every round begins some.
const SEGMENT_MIB: &str = "1";

/// What every start of a tracker has in common.
pub(super) struct Installation {
    pub program: PathBuf,
    pub database_url: String,
    /// What takes clicks into the database.
    pub stream: String,
    pub secret: String,
    /// Where trackers say what they have to say.
    pub log: PathBuf,
}

/// What one start has of its own.
pub(super) struct Start {
    pub data: PathBuf,
    pub port: u16,
    pub durability: Durability,
    pub log_queue: u32,
}

/// A running tracker. Dropping it kills it.
pub(super) struct Tracker {
    child: Child,
    pub address: SocketAddr,
    started: Instant,
    log: PathBuf,
}

impl Installation {
    /// Starts a tracker and does not wait for anything.
    pub(super) fn start(&self, start: &Start) -> Result<Tracker> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, start.port));
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command.args([
            "--listen",
            &address.to_string(),
            "--log-segment-mib",
            SEGMENT_MIB,
            "--connections",
            "2",
        ]);
        command.arg("--data-dir").arg(&start.data);
        match start.durability {
            Durability::Commit => command.args(["--durability", "commit"]),
            Durability::Interval(interval) => command.args([
                "--durability",
                "interval",
                "--sync-interval-ms",
                &interval.as_millis().max(1).to_string(),
            ]),
        };
        command.args(["--log-queue", &start.log_queue.to_string()]);
        command.env("DATABASE_URL", &self.database_url).env("TRIBUTARY_SECRET", &self.secret);
        command.env("TRIBUTARY_STREAM", &self.stream);
        command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn();
        let child = child.with_context(|| format!("`{}` could not be run", external::line(&command)))?;
        Ok(Tracker { child, address, started: Instant::now(), log: self.log.clone() })
    }
}

impl Tracker {
    /// Waits until it takes clicks, and says how long that was after its start.
    pub(super) async fn wait_until_ready(&mut self) -> Result<Duration> {
        loop {
            if self.is_ready().await {
                return Ok(self.started.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("a tracker ended while starting ({status}): {}", last_line(&self.log));
            }
            let seconds = READY_PATIENCE.as_secs();
            ensure!(
                self.started.elapsed() < READY_PATIENCE,
                "a tracker was not ready within {seconds} s: {}",
                last_line(&self.log)
            );
            sleep(PAUSE).await;
        }
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(self.address).await else { return false };
        connection.get("/health/ready", "").await.is_ok_and(|answer| answer.status == 200)
    }

    /// What it says of itself.
    pub(super) async fn metrics(&self) -> Result<Metrics> {
        let mut connection =
            Connection::open(self.address).await.context("a tracker refused a connection")?;
        Metrics::parse(&connection.get("/metrics", "").await.context("a tracker gave no numbers")?.body)
    }

    /// Ends it at once, without a word to it.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("a tracker had ended by itself ({status}): {}", last_line(&self.log));
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Stops it where it is, and waits until none of its threads runs. One that is inside of the kernel may stay there,
    /// and comes out only to stop.
    pub(super) fn freeze(&self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::STOP)?;
        let tasks = format!("/proc/{}/task", self.child.id());
        let asked = Instant::now();
        while is_any_running(Path::new(&tasks))? {
            ensure!(asked.elapsed() < STOP_PATIENCE, "a tracker does not stop where it is");
            thread::yield_now();
        }
        Ok(())
    }

    /// Asks it to end, waits, and is not content with less than success.
    pub(super) async fn terminate(&mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            let seconds = STOP_PATIENCE.as_secs();
            ensure!(asked.elapsed() < STOP_PATIENCE, "a tracker did not end within {seconds} s of SIGTERM");
            sleep(PAUSE).await;
        };
        ensure!(
            status.success(),
            "a tracker that was asked to end failed ({status}): {}",
            last_line(&self.log)
        );
        Ok(())
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        // It may have ended, and been waited for, before.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whether a thread is neither stopped, nor waiting inside of the kernel, nor dead.
fn is_any_running(tasks: &Path) -> Result<bool> {
    for task in fs::read_dir(tasks).context("a tracker ended before it could be stopped")? {
        // A thread that has ended meanwhile does not run.
        let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else { continue };
        let behind_name = stat.rsplit_once(')').map(|(_, behind)| behind.trim_start());
        let state =
            behind_name.and_then(|behind| behind.chars().next()).context("a thread without a state")?;
        if !['T', 't', 'D', 'Z', 'X'].contains(&state) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What trackers have a reason to say at level error, so that somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarms {
    /// Nothing.
    None,
    /// That the stream's servers do not answer, because they are harmed.
    OfStream,
    /// Anything, as when their disk is full.
    Any,
}

impl Alarms {
    fn explain(self, line: &str) -> bool {
        match self {
            Self::None => false,
            Self::OfStream => line.contains(r#""target":"tracking::stream::nats"#),
            Self::Any => true,
        }
    }
}

/// Fails when trackers have said that something is wrong, and forgets what they said otherwise.
pub(super) fn check_log(log: &Path, alarms: Alarms) -> Result<()> {
    let Ok(text) = fs::read_to_string(log) else { return Ok(()) };
    let is_alarm = |line: &str| line.contains(r#""level":"ERROR""#) && !alarms.explain(line);
    if let Some(alarm) = text.lines().find(|line| is_alarm(line) || line.contains("panicked")) {
        bail!("a tracker raised an alarm: {alarm}");
    }
    fs::write(log, "")?;
    Ok(())
}

fn last_line(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().next_back().unwrap_or("it said nothing").to_owned()
}
