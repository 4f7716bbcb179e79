//! One server: started, stopped, interrupted and brought back.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    account::Account,
    binaries::{Binaries, FindError},
    orphans,
    place::{Place, PlaceError},
    port,
    watchdog::Watchdog,
};

/// The superuser of every embedded server.
const USER: &str = "tributary";
/// Recovery after a crash of a demo's worth of data is far quicker; a sync of a slow disk may not be.
const START_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);
/// How a server is ended that has lost us: first politely, so that its next start needs no recovery.
const ENDING: &str = "INT QUIT KILL";
/// Another program may take a port between our look and the server's start.
const ATTEMPTS: u32 = 5;
/// What every server is started with; tests with many pools are why there are more connections than usual.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "timezone=UTC",
    "log_timezone=UTC",
    "jit=off",
];
/// What a throw-away server does not need: its data die with it, and only a crash of the whole machine could tell.
/// `synchronous_commit` stays on, because without it a halt would lose what was committed just before. Nobody tidies up
/// what lives for minutes: a table that is being tidied is locked, at a moment that no test chooses.
const THROW_AWAY: [&str; 3] = ["fsync=off", "full_page_writes=off", "autovacuum=off"];

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no Postgres on this machine that would do.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The folder is of no use.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// We are root, Postgres refuses root, and there is no one else.
    #[error(
        "PostgreSQL does not run as root and this machine has neither a user postgres nor nobody; add one"
    )]
    NoAccount,
    /// `initdb` failed; these are its words.
    #[error("initdb failed: {0}")]
    Init(String),
    /// The server ended while starting; this is the end of its log.
    #[error("PostgreSQL ended while starting ({status}): {log}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// Its last words.
        log: String,
    },
    /// The server did not get ready in time; this is the end of its log.
    #[error("PostgreSQL was not ready within {patience_s} s: {log}", patience_s = START_PATIENCE.as_secs())]
    Slow {
        /// Its last words.
        log: String,
    },
    /// The operating system refused something.
    #[error("cannot start PostgreSQL: {0}")]
    Io(#[from] io::Error),
}

/// Why a server did not stop as it should.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// It had to be killed.
    #[error("PostgreSQL did not stop within {patience_s} s and was killed", patience_s = STOP_PATIENCE.as_secs())]
    Killed,
    /// The operating system refused something.
    #[error("cannot stop PostgreSQL: {0}")]
    Io(#[from] io::Error),
}

/// A running (or halted) server of our own on 127.0.0.1. Dropping it shuts it down and waits; if this process dies
/// first, a watchdog does the same.
#[derive(Debug)]
pub struct Postgres {
    child: Option<Child>,
    watchdog: Option<Watchdog>,
    binaries: Binaries,
    settings: Vec<&'static str>,
    port: u16,
    password: String,
    account: Account,
    place: Place,
    /// Where a throw-away server lives; last, so that it is removed after everything in it is closed.
    _temporary: Option<TempDir>,
}

impl Postgres {
    /// Starts a server whose data live in `dir` (made with `initdb` when there are none yet) and survive it.
    ///
    /// As root the server runs as an unprivileged user; should that user not be able to reach `dir`, the data live
    /// in a folder of the system's temporary folder whose name is derived from `dir`: see [`Postgres::folder`].
    pub fn start(dir: &Path) -> Result<Self, StartError> {
        Self::open(dir, None)
    }

    /// Starts a server whose data are thrown away with it and are not synced to disk: for tests.
    pub fn start_temporary() -> Result<Self, StartError> {
        let folder = tempfile::Builder::new().prefix("tributary-postgres-").tempdir()?;
        let path = folder.path().to_owned();
        Self::open(&path, Some(folder))
    }

    fn open(dir: &Path, temporary: Option<TempDir>) -> Result<Self, StartError> {
        let account = Account::for_server()?.ok_or(StartError::NoAccount)?;
        let place = Place::open(dir, account)?;
        let binaries = place.version().map_or_else(Binaries::find, Binaries::find_for)?;
        let binaries = place.within_reach(binaries)?;
        let watchdog = Watchdog::start(
            &place.data().join("postmaster.pid"),
            temporary.as_ref().map(TempDir::path),
            ENDING,
        )?;
        let (throw_away, care) =
            if temporary.is_some() { (&THROW_AWAY[..], "--no-sync") } else { (&[][..], "--data-checksums") };
        if place.version().is_none() {
            initialize(&place, account, &binaries, care)?;
        }
        orphans::end_in(&place.data())?;
        let mut server = Self {
            child: None,
            watchdog: Some(watchdog),
            settings: [&SETTINGS, throw_away].concat(),
            port: 0,
            password: place.password()?,
            binaries,
            account,
            place,
            _temporary: temporary,
        };
        server.start_on_a_free_port()?;
        Ok(server)
    }

    /// Where a client finds `database`: `postgres://user:password@127.0.0.1:port/database`.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The folder the data really live in.
    pub fn folder(&self) -> &Path {
        self.place.root()
    }

    /// The binaries the server was started from.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Stops the server cleanly: sessions are ended, what was committed is written, the next start needs no recovery.
    pub fn stop(mut self) -> Result<(), StopError> {
        self.shut_down()
    }

    /// Stops the server as a crash would, at once and without a word to anyone; [`Postgres::resume`] brings it back.
    pub fn halt(&mut self) -> Result<(), StopError> {
        self.end(Signal::QUIT)
    }

    /// Starts a halted server again, on the same port and data.
    pub fn resume(&mut self) -> Result<(), StartError> {
        if self.child.is_some() {
            return Ok(());
        }
        orphans::end_in(&self.place.data())?;
        self.launch()
    }

    fn start_on_a_free_port(&mut self) -> Result<(), StartError> {
        for _ in 1..ATTEMPTS {
            self.port = port::free()?;
            match self.launch() {
                Err(StartError::Ended { .. }) if !port::is_free(self.port) => {}
                started => return started,
            }
        }
        self.port = port::free()?;
        self.launch()
    }

    fn launch(&mut self) -> Result<(), StartError> {
        let mut command = self.account.command(&self.binaries.program("postgres"));
        command.arg("-D").arg(self.place.data()).arg("-p").arg(self.port.to_string());
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let log = self.log_file()?;
        // Its own process group: Ctrl-C is for us, and we stop the server when its clients are done.
        let child = command.stdout(log.try_clone()?).stderr(log).process_group(0).spawn()?;
        let process = child.id();
        self.child = Some(child);
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.watch(process)?;
        }
        self.wait_until_ready(process)
    }

    fn wait_until_ready(&mut self, process: u32) -> Result<(), StartError> {
        let deadline = Instant::now() + START_PATIENCE;
        let note = self.place.data().join("postmaster.pid");
        while !says_ready(&std::fs::read_to_string(&note).unwrap_or_default(), process) {
            if let Some(status) = self.child.as_mut().map_or(Ok(None), Child::try_wait)? {
                self.child = None;
                return Err(StartError::Ended { status, log: self.end_of_log() });
            }
            if deadline < Instant::now() {
                self.end(Signal::QUIT).ok();
                return Err(StartError::Slow { log: self.end_of_log() });
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn end(&mut self, signal: Signal) -> Result<(), StopError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let ended = end_child(&mut child, signal);
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.halted()?;
        }
        ended
    }

    fn shut_down(&mut self) -> Result<(), StopError> {
        let ended = self.end(Signal::INT);
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss()?;
        }
        ended
    }

    fn log_file(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.place.log())
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(self.place.log()).unwrap_or_default();
        let lines: Vec<&str> = log.trim_end().lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // There is nobody to tell; if this failed, the watchdog still sees our end and the next start cleans up.
        self.shut_down().ok();
    }
}

/// Makes new data. They get their name only when they are whole, so that an interrupted `initdb` leaves nothing
/// that looks like a server's data.
fn initialize(place: &Place, account: Account, binaries: &Binaries, care: &str) -> Result<(), StartError> {
    place.new_password()?;
    let unfinished = place.unfinished_data()?;
    let answer = account
        .command(&binaries.program("initdb"))
        .arg("-D")
        .arg(&unfinished)
        .arg(format!("--username={USER}"))
        .arg("--pwfile")
        .arg(place.password_file())
        .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions", care])
        .stdout(Stdio::null())
        .output()?;
    if !answer.status.success() {
        return Err(StartError::Init(String::from_utf8_lossy(&answer.stderr).trim().to_owned()));
    }
    Ok(std::fs::rename(unfinished, place.data())?)
}

/// The server writes its process number into the first line of `postmaster.pid` and its state into the eighth.
fn says_ready(note: &str, process: u32) -> bool {
    let mut lines = note.lines().map(str::trim);
    lines.next() == Some(process.to_string().as_str()) && lines.nth(6) == Some("ready")
}

fn end_child(child: &mut Child, signal: Signal) -> Result<(), StopError> {
    let pid = Pid::from_child(child);
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => return Err(StopError::Io(error.into())),
    }
    let deadline = Instant::now() + STOP_PATIENCE;
    while child.try_wait()?.is_none() {
        if deadline < Instant::now() {
            child.kill()?;
            child.wait()?;
            return Err(StopError::Killed);
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}
