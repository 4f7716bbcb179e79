//! A server of ours that is killed, put to sleep and started again, and that never outlives us.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{installed::FindError, watchdog::Watchdog};

/// How a server is ended that has lost us: its data are thrown away, so nothing is lost by haste.
const ENDING: &str = "KILL";
/// How long servers may take until they are ready.
const START_PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// Other programs may take ports between our look and a server's start.
const ATTEMPTS: u32 = 5;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no server on this machine that would do.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A server ended while starting; this is the end of its log.
    #[error("{name} ended while starting ({status}): {log}")]
    Ended {
        /// What it is.
        name: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its last words.
        log: String,
    },
    /// A server did not get ready in time; this is the end of its log.
    #[error("{name} was not ready within {patience_s} s: {log}", patience_s = START_PATIENCE.as_secs())]
    Slow {
        /// What it is.
        name: &'static str,
        /// Its last words.
        log: String,
    },
    /// The operating system refused something.
    #[error("cannot start a server: {0}")]
    Io(#[from] io::Error),
}

/// One server with a folder of its own, which goes with it. Dropping it ends it; if this process dies first, a watchdog
/// does the same.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Option<Child>,
    watchdog: Option<Watchdog>,
    /// Last, so that it is removed when nothing runs in it any more.
    folder: TempDir,
}

impl Process {
    /// The file of the folder into which the server must write its process number.
    pub(crate) const NOTE: &'static str = "pid";
    /// The file of the folder into which it must write its log.
    pub(crate) const LOG: &'static str = "server.log";

    /// A server that does not run yet.
    pub(crate) fn new(name: &'static str) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(&format!("tributary-{name}-")).tempdir()?;
        let watchdog = Watchdog::start(&folder.path().join(Self::NOTE), Some(folder.path()), ENDING)?;
        Ok(Self { name, child: None, watchdog: Some(watchdog), folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the process, unless it runs.
    pub(crate) fn launch(&mut self, command: &mut Command) -> io::Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its own process group: Ctrl-C is for us, and we end it when its clients are done.
            .process_group(0)
            .spawn()?;
        let process = child.id();
        self.child = Some(child);
        self.watchdog.as_mut().map_or(Ok(()), |watchdog| watchdog.watch(process))
    }

    /// Whether it was started and not killed.
    pub(crate) fn was_launched(&self) -> bool {
        self.child.is_some()
    }

    /// Kills the process as a crash would.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill()?;
        child.wait()?;
        self.watchdog.as_mut().map_or(Ok(()), Watchdog::halted)
    }

    /// Puts it to sleep: its connections stay open, and nobody answers on them.
    pub(crate) fn freeze(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Wakes it.
    pub(crate) fn thaw(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.child.as_ref().map_or(Ok(()), |child| Ok(kill_process(Pid::from_child(child), signal)?))
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.as_mut().map_or(Ok(None), Child::try_wait)
    }

    pub(crate) fn end_of_log(&self) -> String {
        let log = fs::read_to_string(self.folder().join(Self::LOG)).unwrap_or_default();
        let lines: Vec<&str> = log.trim_end().lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // There is nobody to tell; if this failed, the watchdog still sees our end.
        self.kill().ok();
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss().ok();
        }
    }
}

/// A process that says when it is ready.
pub(crate) trait Server {
    fn process(&mut self) -> &mut Process;

    fn is_ready(&self) -> bool;

    /// Whether another program has taken one of its ports, so that this server could not.
    fn lost_its_ports(&self) -> bool;
}

/// Waits until every one of these servers is ready.
pub(crate) fn wait_until_ready(servers: &mut [impl Server]) -> Result<(), StartError> {
    let deadline = Instant::now() + START_PATIENCE;
    for server in servers {
        while !server.is_ready() {
            let process = server.process();
            let name = process.name;
            if let Some(status) = process.ended()? {
                return Err(StartError::Ended { name, status, log: process.end_of_log() });
            }
            if deadline < Instant::now() {
                return Err(StartError::Slow { name, log: process.end_of_log() });
            }
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// Prepares servers and starts them, on other ports if theirs are taken meanwhile.
pub(crate) fn start<S>(
    prepare: impl Fn() -> io::Result<S>,
    launch: impl Fn(&mut S) -> Result<(), StartError>,
    lost_its_ports: impl Fn(&S) -> bool,
) -> Result<S, StartError> {
    for _ in 1..ATTEMPTS {
        let mut servers = prepare()?;
        match launch(&mut servers) {
            Err(StartError::Ended { .. }) if lost_its_ports(&servers) => {}
            started => return started.map(|()| servers),
        }
    }
    let mut servers = prepare()?;
    launch(&mut servers)?;
    Ok(servers)
}
