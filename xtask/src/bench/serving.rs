//! A server that is measured: started on its own core, asked until it is ready, and ended.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::{cores::Cores, load};

/// How long a server may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// A running server; dropping it ends it.
pub struct Serving {
    /// Where.
    pub address: SocketAddr,
    child: Child,
    output: PathBuf,
}

/// An address on loopback where nobody listens.
pub fn free_address() -> Result<SocketAddr> {
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, embedded::free_port()?)))
}

impl Serving {
    /// Starts `command`, which will listen on `address`, on the server's core; what it prints goes into `folder`.
    pub fn start(mut command: Command, address: SocketAddr, cores: &Cores, folder: &Path) -> Result<Self> {
        let output = folder.join("output");
        let file = File::options().create(true).append(true).open(&output)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let start = || command.spawn().context("a server cannot be started");
        let child = super::cores::on(&cores.server, start)?;
        Ok(Self { address, child, output })
    }

    /// Sends this request until it is answered with this status, and returns the answer's head.
    pub fn wait_for(&mut self, status: u16, request: &str) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match load::ask(self.address, request) {
                Ok((found, head)) if found == status => return Ok(head),
                _ => {}
            }
            if let Some(ended) = self.child.try_wait()? {
                bail!("a server ended while starting ({ended}): {}", self.last_line());
            }
            if deadline < Instant::now() {
                bail!("a server was not ready within {} s: {}", PATIENCE.as_secs(), self.last_line());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Which process it is.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if deadline < Instant::now() {
                self.child.kill()?;
                self.child.wait()?;
                bail!("a server did not end within {} s and was killed", PATIENCE.as_secs());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn last_line(&self) -> String {
        let text = fs::read_to_string(&self.output).unwrap_or_default();
        text.lines().last().unwrap_or("it said nothing").to_owned()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // There is nobody left to tell.
        self.end().ok();
    }
}
