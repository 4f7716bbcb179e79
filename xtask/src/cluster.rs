//! A whole Tributary on this machine: built, migrated, started, ready, with a key to its API.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::{external, workspace};

/// The program that is everything in one process.
const PROGRAM: &str = "tributary";
const READY_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// How the program is built.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Quickly, with what the tests have compiled already.
    Dev,
    /// As it runs in production.
    Release,
    /// As a tracker runs in production, optimised over crates; what it is built with must have no polars in it.
    Tracker,
}

/// What to start.
pub struct Plan {
    /// Where the click log, the secret and the program's own log are kept.
    pub folder: PathBuf,
    /// The database; `migrate` is run on it.
    pub database_url: String,
    /// The port on 127.0.0.1.
    pub port: u16,
    /// How the program is built.
    pub profile: Profile,
    /// More flags for `serve --all`.
    pub flags: Vec<String>,
}

/// A running Tributary. Dropping it stops it and waits.
pub struct Cluster {
    plan: Plan,
    program: PathBuf,
    secret: String,
    server: Option<Child>,
    /// A key to the API with every scope.
    pub api_key: String,
}

impl Cluster {
    /// Builds what is needed, applies the migrations, makes a key called `key_name` and starts the server.
    pub async fn start(plan: Plan, key_name: &str) -> Result<Self> {
        fs::create_dir_all(&plan.folder).with_context(|| format!("cannot make {}", plan.folder.display()))?;
        let secret = secret(&plan.folder)?;
        let program = build(&["--bin", PROGRAM], plan.profile, PROGRAM)?;
        let mut cluster = Self { plan, program, secret, server: None, api_key: String::new() };
        external::read(cluster.command().arg("migrate")).context("the database could not be migrated")?;
        let keys =
            external::read(cluster.command().args(["keys", "create", "--name", key_name, "--scopes", "*"]))?;
        cluster.api_key = key_in(&keys).context("`tributary keys create` printed no key")?;
        cluster.serve().await?;
        Ok(cluster)
    }

    /// Where it is reached: `http://127.0.0.1:port`.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.plan.port)
    }

    /// The port of it.
    pub fn port(&self) -> u16 {
        self.plan.port
    }

    /// Which process it is, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// The program with this installation's settings, for one of its subcommands.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("DATABASE_URL", &self.plan.database_url);
        command.env("TRIBUTARY_DATA_DIR", self.plan.folder.join("data"));
        command.env("TRIBUTARY_SECRET", &self.secret);
        let countries = workspace::native().join("geo/country.mmdb");
        if countries.exists() {
            command.env("TRIBUTARY_GEO_FILE", countries);
        }
        command
    }

    async fn serve(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = self.command();
        command
            .args(["serve", "--all", "--listen", &format!("127.0.0.1:{}", self.plan.port)])
            .args(&self.plan.flags);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started =
            command.spawn().with_context(|| format!("`{}` could not be run", external::line(&command)));
        self.server = Some(started?);
        self.wait_until_ready().await
    }

    /// Stops the server cleanly.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    /// What the server printed.
    pub fn log(&self) -> PathBuf {
        self.plan.folder.join("tributary.log")
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let url = format!("{}/health/ready", self.base_url());
        let deadline = Instant::now() + READY_PATIENCE;
        loop {
            let answer = reqwest::get(&url).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            let ended = self.server.as_mut().map(Child::try_wait).transpose()?.flatten();
            if let Some(status) = ended {
                self.server = None;
                bail!("tributary ended while starting ({status}): {}", end_of(&self.log()));
            }
            if deadline < Instant::now() {
                bail!(
                    "tributary was not ready within {} s: {}",
                    READY_PATIENCE.as_secs(),
                    end_of(&self.log())
                );
            }
            sleep(PAUSE).await;
        }
    }

    fn end(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        match kill_process(Pid::from_child(&server), Signal::TERM) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error).context("tributary cannot be stopped"),
        }
        let deadline = Instant::now() + STOP_PATIENCE;
        while server.try_wait()?.is_none() {
            if deadline < Instant::now() {
                server.kill()?;
                server.wait()?;
                bail!("tributary did not stop within {} s and was killed", STOP_PATIENCE.as_secs());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // There is nobody left to tell.
        self.end().ok();
    }
}

/// Builds what `target` selects and says where the program called `name` is. No package is named, because then cargo
/// would choose the features of shared crates for that package alone and build them a second time beside those of the
/// tests.
pub fn build(target: &[&str], profile: Profile, name: &str) -> Result<PathBuf> {
    let mut executables = compile(target, profile)?.into_iter().filter_map(|message| match message {
        Message::CompilerArtifact(artifact) if artifact.target.name == name => artifact.executable,
        _ => None,
    });
    executables
        .next_back()
        .map(PathBuf::from)
        .with_context(|| format!("cargo built no program called {name}"))
}

/// Builds what `target` selects and returns what cargo says about it.
pub fn compile(target: &[&str], profile: Profile) -> Result<Vec<Message>> {
    let mut command = workspace::cargo();
    command.args(["build", "--message-format=json-render-diagnostics"]).args(target);
    match profile {
        Profile::Dev => {}
        Profile::Release => drop(command.arg("--release")),
        Profile::Tracker => drop(command.args(["--profile", "tracker"])),
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .stdout(Stdio::piped())
        .spawn()?
        .wait_with_output()?;
    if !output.status.success() {
        bail!("`{}` failed", external::line(&command));
    }
    Ok(Message::parse_stream(output.stdout.as_slice()).filter_map(Result::ok).collect())
}

/// The secret of the installation in this folder, thought up once.
fn secret(folder: &Path) -> Result<String> {
    let path = folder.join("secret");
    if let Ok(secret) = fs::read_to_string(&path) {
        return Ok(secret);
    }
    let secret = embedded::random_hex()?;
    fs::write(&path, &secret)?;
    Ok(secret)
}

/// The key among what `tributary keys create` printed.
fn key_in(printed: &str) -> Option<String> {
    printed.split_whitespace().find(|word| word.starts_with("tbk_")).map(str::to_owned)
}

/// The last lines of a log, as one line.
fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_wherever_it_is_printed() {
        assert_eq!(key_in("fuzz: tbk_test_abc_def\nkeep it safe\n"), Some("tbk_test_abc_def".to_owned()));
        assert_eq!(key_in("nothing\n"), None);
    }

    #[test]
    fn a_folder_keeps_its_secret() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = secret(folder.path()).expect("a secret");
        assert!(32 <= first.len());
        assert_eq!(secret(folder.path()).expect("the same secret"), first);
    }

    #[test]
    fn the_end_of_a_log_fits_into_a_sentence() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("log");
        fs::write(&log, "1\n2\n3\n4\n5\n6\n").expect("a log");
        assert_eq!(end_of(&log), "2 | 3 | 4 | 5 | 6");
    }
}
