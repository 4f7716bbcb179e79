//! Which stream: what an operator chooses, checked once.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use url::Url;

/// What takes clicks from the log into the database. Nothing else changes with it.
#[derive(Debug, Clone)]
pub enum Engine {
    /// The log of one machine is its own stream: each tracker stores its own clicks.
    Local,
    /// A stream of NATS JetStream that trackers on many machines share.
    Nats(Servers),
}

/// Servers of one NATS cluster, at least one, and who signs in.
#[derive(Clone)]
pub struct Servers {
    pub(super) addresses: Vec<ServerAddr>,
    pub(super) login: Login,
}

/// Who a tracker says that it is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// Nobody in particular.
    None,
    /// The bearer of a token.
    Token(String),
    /// A user.
    User { name: String, password: String },
}

/// How the chosen engine is run.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Which one.
    pub engine: Engine,
    /// The contents of the file with the credentials for NATS, if there is one.
    pub credentials: Option<String>,
    /// How many servers keep the stream, if somebody has chosen.
    pub replicas: Option<u8>,
    /// How long the stream keeps what it was given.
    pub max_age: Duration,
}

/// Why a file of credentials is of no use.
#[derive(Debug, thiserror::Error)]
#[error("{file} cannot be read as credentials for NATS: {error}")]
pub struct CredentialsError {
    file: PathBuf,
    error: io::Error,
}

/// Reads a file of credentials, and checks that it is one.
pub(crate) fn credentials(file: &Path) -> Result<String, CredentialsError> {
    let read = fs::read_to_string(file);
    let checked = read.and_then(|text| ConnectOptions::with_credentials(&text).map(|_| text));
    checked.map_err(|error| CredentialsError { file: file.to_owned(), error })
}

/// Why something is no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Neither the word nor URLs.
    #[error("a stream is `local`, or NATS servers such as nats://one:4222,nats://two:4222 (or tls://)")]
    Unknown,
    /// A server's URL cannot be read.
    #[error("server {number} of the stream has no URL that can be understood: {error}")]
    Malformed {
        /// Which one, from one.
        number: usize,
        /// Why not.
        error: url::ParseError,
    },
    /// A server's URL says more or less than where the server is.
    #[error(
        "server {0} of the stream is no nats://user:password@host:port, where all but the host may be left out"
    )]
    Address(usize),
    /// The servers of one cluster know the same users.
    #[error("the servers of a stream are one cluster: give each of them the same user and password")]
    Logins,
}

impl FromStr for Engine {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        if text == "local" {
            return Ok(Self::Local);
        }
        if !text.contains("://") {
            return Err(EngineError::Unknown);
        }
        let servers = text.split(',').enumerate().map(|(position, url)| server(position + 1, url.trim()));
        let (addresses, mut logins): (Vec<_>, Vec<_>) =
            servers.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        logins.dedup();
        match <[Login; 1]>::try_from(logins) {
            Ok([login]) => Ok(Self::Nats(Servers { addresses, login })),
            Err(_) => Err(EngineError::Logins),
        }
    }
}

fn server(number: usize, text: &str) -> Result<(ServerAddr, Login), EngineError> {
    let mut url = Url::parse(text).map_err(|error| EngineError::Malformed { number, error })?;
    if !["nats", "tls"].contains(&url.scheme()) {
        return Err(EngineError::Unknown);
    }
    let is_bare = ["", "/"].contains(&url.path()) && url.query().is_none() && url.fragment().is_none();
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    if !is_bare || !has_host {
        return Err(EngineError::Address(number));
    }
    let login = login(&url);
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    let address = cleared.ok().and_then(|()| ServerAddr::from_url(url).ok());
    Ok((address.ok_or(EngineError::Address(number))?, login))
}

fn login(url: &Url) -> Login {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    match (url.username(), url.password()) {
        ("", None) => Login::None,
        (token, None) => Login::Token(decoded(token)),
        (name, Some(password)) => Login::User { name: decoded(name), password: decoded(password) },
    }
}

/// Without passwords: this is what a log may show.
impl fmt::Display for Servers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, server) in self.addresses.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(formatter, "{separator}{}:{}", server.host(), server.port())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Servers({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match text.parse::<Engine>() {
            Ok(engine) => format!("{engine:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_engine_is_local_or_servers_and_shows_no_password() {
        assert_eq!(shown("local"), "Local");
        assert_eq!(shown("nats://one"), "Nats(Servers(one:4222))");
        assert_eq!(shown("tls://me:pass@one:1,nats://me:pass@[::1]:7/"), "Nats(Servers(one:1, ::1:7))");
    }

    #[test]
    fn a_login_may_have_any_characters() {
        let login = |text: &str| match text.parse() {
            Ok(Engine::Nats(servers)) => servers.login,
            other => panic!("{other:?}"),
        };
        let user = Login::User { name: "me".into(), password: "p@ss/1".into() };
        assert!(login("nats://me:p%40ss%2F1@one") == user);
        assert!(login("nats://token@one") == Login::Token("token".into()));
        assert!(login("nats://one") == Login::None);
    }

    #[test]
    fn what_is_no_engine_is_told_in_one_sentence() {
        insta::assert_snapshot!(shown("nets"), @"a stream is `local`, or NATS servers such as nats://one:4222,nats://two:4222 (or tls://)");
        insta::assert_snapshot!(shown("http://one:4222"), @"a stream is `local`, or NATS servers such as nats://one:4222,nats://two:4222 (or tls://)");
        insta::assert_snapshot!(shown("nats://one:4222,nats://two:99999"), @"server 2 of the stream has no URL that can be understood: invalid port number");
        insta::assert_snapshot!(shown("nats://one/stream"), @"server 1 of the stream is no nats://user:password@host:port, where all but the host may be left out");
        insta::assert_snapshot!(shown("nats://me:pass@one,nats://two"), @"the servers of a stream are one cluster: give each of them the same user and password");
        insta::assert_snapshot!(shown("nats://"), @"server 1 of the stream is no nats://user:password@host:port, where all but the host may be left out");
    }
}
