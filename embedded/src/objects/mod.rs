//! A private object store that speaks S3 (moto's), and that can be killed and put to sleep.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

pub use crate::process::StartError;
use crate::{
    installed::FindError,
    port,
    process::{self, Process, Server},
    secret::random_hex,
};

/// The component of `cargo xtask native` that brings moto, and so the folder below `.native`.
const COMPONENT: &str = "moto";
const SCRIPT: &str = include_str!("serve.py");
/// The file that the script makes when it listens.
const READY: &str = "ready";
const BUCKET: &str = "tributary";
const KEY: &str = "AKIATRIBUTARY";
const REGION: &str = "us-east-1";

/// A server on 127.0.0.1 that keeps everything in memory, with one bucket, empty at first. It answers only who knows the
/// secret. Dropping it ends it; if this process dies first, a watchdog does the same.
#[derive(Debug)]
pub struct S3 {
    process: Process,
    moto: PathBuf,
    port: u16,
    secret: String,
}

impl S3 {
    /// Starts a server, and waits until it answers.
    pub fn start() -> Result<Self, StartError> {
        let moto = find()?;
        process::start(|| Self::prepare(&moto), Self::restart, Server::lost_its_ports)
    }

    fn prepare(moto: &Path) -> io::Result<Self> {
        let (process, port, secret) = (Process::new("s3")?, port::free()?, random_hex()?);
        fs::write(process.folder().join("serve.py"), SCRIPT)?;
        Ok(Self { process, moto: moto.to_owned(), port, secret })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where a client finds it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &'static str {
        REGION
    }

    /// Who may use it.
    pub fn key(&self) -> &'static str {
        KEY
    }

    /// What it knows them by.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The address of a folder of its bucket.
    pub fn address(&self, folder: &str) -> String {
        format!("s3://{BUCKET}/{folder}")
    }

    /// The variables by which programs for S3 find it and are let in.
    pub fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.secret.clone()),
        ]
    }

    /// Kills it as a crash would: every object is gone.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Starts it again at the same place with an empty bucket, and waits until it answers.
    pub fn restart(&mut self) -> Result<(), StartError> {
        if !self.process.was_launched() {
            let folder = self.process.folder();
            fs::remove_file(folder.join(READY)).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?;
            let mut python = Command::new("python3");
            // Without the machine's own packages, so that it is the pinned ones that run.
            python.env("PYTHONPATH", &self.moto).arg("-S").arg(folder.join("serve.py")).arg(folder);
            python.arg(self.port.to_string()).args([BUCKET, KEY, &self.secret]);
            self.process.launch(&mut python)?;
        }
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
}

/// The folder of Python packages with moto in it.
fn find() -> Result<PathBuf, FindError> {
    let native = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(".native");
    let found = native.join(COMPONENT);
    if found.join("moto").is_dir() { Ok(found) } else { Err(FindError::NotBrought(COMPONENT)) }
}

impl Server for S3 {
    fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn is_ready(&self) -> bool {
        self.process.was_launched() && self.process.folder().join(READY).exists()
    }

    fn lost_its_ports(&self) -> bool {
        !port::is_free(self.port)
    }
}
