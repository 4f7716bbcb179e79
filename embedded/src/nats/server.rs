//! One server of a cluster: its folder, its process, and whoever ends it when we cannot.

use std::{
    fs, io,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::binary::Binary;
use crate::{port, watchdog::Watchdog};

/// How a server is ended that has lost us: its data are thrown away, so nothing is lost by haste.
const ENDING: &str = "KILL";
/// How long a server may take to say how it is.
const ANSWERING: Duration = Duration::from_secs(2);

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub clients: u16,
    pub routes: u16,
    pub monitoring: u16,
}

impl Ports {
    pub(super) fn free() -> io::Result<Self> {
        Ok(Self { clients: port::free()?, routes: port::free()?, monitoring: port::free()? })
    }

    fn are_free(self) -> bool {
        [self.clients, self.routes, self.monitoring].into_iter().all(port::is_free)
    }
}

#[derive(Debug)]
pub(super) struct Server {
    child: Option<Child>,
    watchdog: Option<Watchdog>,
    binary: Binary,
    pub(super) ports: Ports,
    /// Last, so that it is removed when nothing runs in it any more.
    folder: TempDir,
}

impl Server {
    /// A server that does not run yet; `settings` is what its configuration says besides its folder.
    pub(super) fn new(binary: &Binary, ports: Ports, settings: &str) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tributary-nats-").tempdir()?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            "pid_file: {:?}\nlog_file: {:?}\njetstream {{ store_dir: {:?} }}\n{settings}",
            at("pid"),
            at("server.log"),
            at("store")
        );
        fs::write(folder.path().join("configuration"), configuration)?;
        let watchdog = Watchdog::start(&folder.path().join("pid"), Some(folder.path()), ENDING)?;
        Ok(Self { child: None, watchdog: Some(watchdog), binary: binary.clone(), ports, folder })
    }

    /// Starts the process, unless it runs.
    pub(super) fn launch(&mut self) -> io::Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let child = Command::new(&self.binary.path)
            .arg("--config")
            .arg(self.folder.path().join("configuration"))
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

    /// Kills the process as a crash would.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill()?;
        child.wait()?;
        self.watchdog.as_mut().map_or(Ok(()), Watchdog::halted)
    }

    /// Sends the process a signal, if it runs.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.child.as_ref().map_or(Ok(()), |child| Ok(kill_process(Pid::from_child(child), signal)?))
    }

    /// Throws away everything that the server has on its disk.
    pub(super) fn wipe(&mut self) -> io::Result<()> {
        self.kill()?;
        match fs::remove_dir_all(self.store()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// How the process ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.as_mut().map_or(Ok(None), Child::try_wait)
    }

    /// Whether another program has taken one of the ports, so that this server could not.
    pub(super) fn lost_its_ports(&self) -> bool {
        !self.ports.are_free()
    }

    /// Whether the process says that it is ready, its part of JetStream with it.
    pub(super) fn is_ready(&self) -> bool {
        self.child.is_some() && self.health().is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
    }

    fn health(&self) -> io::Result<String> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.ports.monitoring));
        let mut connection = TcpStream::connect_timeout(&address, ANSWERING)?;
        connection.set_read_timeout(Some(ANSWERING))?;
        connection.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }

    pub(super) fn end_of_log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.trim_end().lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // There is nobody to tell; if this failed, the watchdog still sees our end.
        self.kill().ok();
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss().ok();
        }
    }
}
