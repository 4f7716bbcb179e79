//! One server of a cluster: where it listens, its settings, and how it is.

use std::{
    fs, io,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use crate::{
    installed::Binary,
    port,
    process::{self, Process},
};

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
    pub(super) process: Process,
    binary: Binary,
    pub(super) ports: Ports,
}

impl Server {
    /// A server that does not run yet; `settings` is what its configuration says besides its folder.
    pub(super) fn new(binary: &Binary, ports: Ports, settings: &str) -> io::Result<Self> {
        let process = Process::new("nats")?;
        let at = |name: &str| process.folder().join(name).display().to_string();
        let configuration = format!(
            "pid_file: {:?}\nlog_file: {:?}\njetstream {{ store_dir: {:?} }}\n{settings}",
            at(Process::NOTE),
            at(Process::LOG),
            at("store")
        );
        fs::write(process.folder().join("configuration"), configuration)?;
        Ok(Self { process, binary: binary.clone(), ports })
    }

    /// Starts the process, unless it runs.
    pub(super) fn launch(&mut self) -> io::Result<()> {
        let configuration = self.process.folder().join("configuration");
        self.process.launch(Command::new(&self.binary.path).arg("--config").arg(configuration))
    }

    /// Kills the process and throws away everything that it has on its disk.
    pub(super) fn wipe(&mut self) -> io::Result<()> {
        self.process.kill()?;
        match fs::remove_dir_all(self.process.folder().join("store")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
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
}

impl process::Server for Server {
    fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Whether the process says that it is ready, its part of JetStream with it.
    fn is_ready(&self) -> bool {
        self.process.was_launched() && self.health().is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
    }

    fn lost_its_ports(&self) -> bool {
        !self.ports.are_free()
    }
}
