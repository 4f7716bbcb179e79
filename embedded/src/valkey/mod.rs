//! A private server that speaks Redis' protocol, and that can be killed and put to sleep.

mod binary;

use std::{
    fs, io,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

pub use self::binary::find;
pub use crate::{
    installed::{Binary, FindError},
    process::StartError,
};
use crate::{
    port,
    process::{self, Process, Server},
    secret::random_hex,
};

/// How long the server may take to say that it is there.
const ANSWERING: Duration = Duration::from_secs(2);

/// A server on 127.0.0.1 that keeps everything in memory. Dropping it ends it; if this process dies first, a watchdog
/// does the same.
#[derive(Debug)]
pub struct Valkey {
    process: Process,
    binary: Binary,
    port: u16,
    password: String,
}

impl Valkey {
    /// Starts a server, and waits until it answers.
    pub fn start() -> Result<Self, StartError> {
        let binary = find()?;
        process::start(|| Self::prepare(&binary), Self::restart, Server::lost_its_ports)
    }

    fn prepare(binary: &Binary) -> io::Result<Self> {
        let (process, port, password) = (Process::new("valkey")?, port::free()?, random_hex()?);
        let at = |name: &str| process.folder().join(name).display().to_string();
        let configuration = format!(
            "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {:?}\npidfile {:?}\nlogfile {:?}\n\
             save \"\"\nappendonly no\n",
            process.folder().display().to_string(),
            at(Process::NOTE),
            at(Process::LOG)
        );
        fs::write(process.folder().join("configuration"), configuration)?;
        Ok(Self { process, binary: binary.clone(), port, password })
    }

    /// Where a client finds it.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it as a crash would: everything that it knew is gone.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Starts it again at the same place, and waits until it answers.
    pub fn restart(&mut self) -> Result<(), StartError> {
        let configuration = self.process.folder().join("configuration");
        self.process.launch(Command::new(&self.binary.path).arg(configuration))?;
        process::wait_until_ready(std::slice::from_mut(self))
    }

    /// Puts it to sleep: its connections stay open, and nobody answers on them.
    pub fn freeze(&self) -> io::Result<()> {
        self.process.freeze()
    }

    /// Wakes it.
    pub fn thaw(&self) -> io::Result<()> {
        self.process.thaw()
    }

    fn greet(&self) -> io::Result<String> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut connection = TcpStream::connect_timeout(&address, ANSWERING)?;
        connection.set_read_timeout(Some(ANSWERING))?;
        write!(connection, "AUTH {}\r\nPING\r\nQUIT\r\n", self.password)?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Server for Valkey {
    fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn is_ready(&self) -> bool {
        self.process.was_launched() && self.greet().is_ok_and(|answer| answer.starts_with("+OK\r\n+PONG\r\n"))
    }

    fn lost_its_ports(&self) -> bool {
        !port::is_free(self.port)
    }
}
