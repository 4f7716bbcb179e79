//! What an operator may choose about tracking; every choice is a flag and an environment variable.

use std::{num::NonZeroUsize, path::PathBuf, thread::available_parallelism, time::Duration};

use clap::{Args, ValueEnum};
use domain::campaign::page;
use ipnet::IpNet;
use url::Url;

use crate::{
    hidden::Hidden,
    secret::Secret,
    stream::{self, CredentialsError, Engine},
    wal::{self, Durability},
};

/// How a tracker behaves. `serve` takes the same flags when it runs everything in one process.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Folder for the click log and the directory's snapshot; it must survive a restart.
    #[arg(long, env = "TRIBUTARY_DATA_DIR", default_value = "data", value_name = "FOLDER")]
    pub data_dir: PathBuf,

    /// Secret of the installation, at least 32 characters; cookies and address hashes are keyed with it.
    #[arg(long, env = "TRIBUTARY_SECRET", hide_env_values = true, value_name = "TEXT",
          value_parser = Hidden::<Secret>::new())]
    pub secret: Secret,

    /// Threads that take clicks; as many as there are cores when not given.
    #[arg(long, env = "TRIBUTARY_WORKERS", value_name = "NUMBER")]
    pub workers: Option<NonZeroUsize>,

    /// When a click counts as kept: `commit` before the redirect (nothing is lost), `interval` shortly after it
    /// (a crash loses at most the last interval, and what came while the disk was syncing).
    #[arg(long, env = "TRIBUTARY_DURABILITY", default_value = "commit", value_name = "MODE")]
    pub durability: DurabilityMode,

    /// How often `interval` asks the disk to keep what was written, in milliseconds.
    #[arg(long, env = "TRIBUTARY_SYNC_INTERVAL_MS", default_value_t = 5, value_name = "MS",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub sync_interval_ms: u64,

    /// How many clicks may wait for the disk; more are answered with 503. The threads that take clicks share it evenly.
    #[arg(long, env = "TRIBUTARY_LOG_QUEUE", default_value_t = 65_536, value_name = "CLICKS",
          value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub log_queue: u32,

    /// How large one file of the click log becomes, in MiB.
    #[arg(long, env = "TRIBUTARY_LOG_SEGMENT_MIB", default_value_t = 64, value_name = "MIB",
          value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub log_segment_mib: u32,

    /// The way of clicks from the log into the database: `local`, or the servers of a NATS cluster that several
    /// trackers share, such as `nats://user:password@one:4222,nats://user:password@two:4222` (or `tls://`).
    #[arg(
        long,
        env = "TRIBUTARY_STREAM",
        hide_env_values = true,
        default_value = "local",
        value_name = "ENGINE",
        value_parser = Hidden::<Engine>::new()
    )]
    pub stream: Engine,

    /// File with the credentials for the NATS servers (JWT and key, as `nsc` writes it).
    #[arg(long, env = "TRIBUTARY_STREAM_CREDENTIALS", value_name = "FILE")]
    pub stream_credentials: Option<PathBuf>,

    /// On how many NATS servers the stream is kept, when a tracker makes it; 3 on a cluster and 1 on a server of its
    /// own when not given.
    #[arg(long, env = "TRIBUTARY_STREAM_REPLICAS", value_name = "NUMBER",
          value_parser = clap::value_parser!(u8).range(1..=5))]
    pub stream_replicas: Option<u8>,

    /// How long the stream keeps clicks for whoever else reads it, when a tracker makes it, in hours.
    #[arg(long, env = "TRIBUTARY_STREAM_MAX_AGE_HOURS", default_value_t = 72, value_name = "HOURS",
          value_parser = clap::value_parser!(u32).range(1..=87_600))]
    pub stream_max_age_hours: u32,

    /// Database of countries by address (an mmdb file); without one the country of a click stays empty.
    #[arg(long, env = "TRIBUTARY_GEO_FILE", value_name = "FILE")]
    pub geo_file: Option<PathBuf>,

    /// Network of a reverse proxy whose X-Forwarded-For is believed, such as 10.0.0.0/8; may be repeated.
    #[arg(
        long = "trusted-proxy",
        env = "TRIBUTARY_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// Page for visitors whose link is unknown, paused or over; without one they are answered 404 or 410.
    #[arg(long, env = "TRIBUTARY_FALLBACK_URL", value_name = "URL", value_parser = page)]
    pub fallback_url: Option<Url>,

    /// Name of the first-party cookie.
    #[arg(long, env = "TRIBUTARY_COOKIE_NAME", default_value = "affiliate_id", value_name = "NAME")]
    pub cookie_name: String,
}

/// When a click counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityMode {
    /// Before the redirect.
    Commit,
    /// Within an interval after it.
    Interval,
}

impl Config {
    /// What is usual, for this folder and secret.
    pub fn new(data_dir: PathBuf, secret: Secret) -> Self {
        Self {
            data_dir,
            secret,
            workers: None,
            durability: DurabilityMode::Commit,
            sync_interval_ms: 5,
            log_queue: 65_536,
            log_segment_mib: 64,
            stream: Engine::Local,
            stream_credentials: None,
            stream_replicas: None,
            stream_max_age_hours: 72,
            geo_file: None,
            trusted_proxies: Vec::new(),
            fallback_url: None,
            cookie_name: "affiliate_id".into(),
        }
    }

    /// How many threads take clicks.
    pub fn workers(&self) -> NonZeroUsize {
        self.workers.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    pub(crate) fn stream_settings(&self) -> Result<stream::Settings, CredentialsError> {
        Ok(stream::Settings {
            engine: self.stream.clone(),
            credentials: self.stream_credentials.as_deref().map(stream::credentials).transpose()?,
            replicas: self.stream_replicas,
            max_age: Duration::from_hours(u64::from(self.stream_max_age_hours)),
        })
    }

    /// How long a click that was answered may wait until the disk is asked to keep it.
    pub(crate) fn loss_bound_ms(&self) -> u64 {
        match self.durability {
            DurabilityMode::Commit => 0,
            DurabilityMode::Interval => self.sync_interval_ms,
        }
    }

    pub(crate) fn log_settings(&self) -> wal::Settings {
        let durability = match self.durability {
            DurabilityMode::Commit => Durability::Commit,
            DurabilityMode::Interval => Durability::Interval(Duration::from_millis(self.sync_interval_ms)),
        };
        wal::Settings {
            durability,
            segment_bytes: self.log_segment_mib << 20,
            queue: self.log_queue as usize,
            // One for each of those threads, and one for whatever else brings clicks.
            lanes: self.workers().get() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        config: Config,
    }

    fn parse(flags: &[&str]) -> Result<Config, String> {
        let flags = ["track", "--secret", "0123456789abcdef0123456789abcdef"].iter().chain(flags);
        let parsed = Command::try_parse_from(flags).map(|command| command.config);
        parsed.map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_is_usual_is_what_the_flags_default_to() {
        let usual = Config::new("data".into(), "0123456789abcdef0123456789abcdef".parse().unwrap());
        assert_eq!(format!("{:?}", parse(&[]).unwrap()), format!("{usual:?}"));
    }

    #[test]
    fn a_secret_that_is_refused_is_not_shown() {
        let refused = Command::try_parse_from(["track", "--secret", "hunter2"]).map(|_| ()).unwrap_err();
        let told = refused.to_string();
        assert!(told.contains("at least 32 characters") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn a_wrong_flag_is_told_in_one_sentence() {
        let refusal = |flags: &[&str]| parse(flags).unwrap_err();
        insta::assert_snapshot!(refusal(&["--trusted-proxy", "10.0.0.0/33"]), @"error: invalid value '10.0.0.0/33' for '--trusted-proxy <CIDR>': invalid IP address syntax");
        insta::assert_snapshot!(refusal(&["--fallback-url", "javascript:x"]), @r#"error: invalid value 'javascript:x' for '--fallback-url <URL>': "javascript:x" is not an http or https address of at most 500 characters, with a host and without a password"#);
        insta::assert_snapshot!(refusal(&["--durability", "never"]), @"error: invalid value 'never' for '--durability <MODE>'");
        insta::assert_snapshot!(refusal(&["--stream", "nats://me:hunter2@one:4222/x"]), @"error: invalid value for '--stream <ENGINE>': server 1 of the stream is no nats://user:password@host:port, where all but the host may be left out");
        insta::assert_snapshot!(refusal(&["--secret", "short"]), @"error: the argument '--secret <TEXT>' cannot be used multiple times");
    }
}
