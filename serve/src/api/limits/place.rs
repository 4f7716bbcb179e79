//! Where requests are counted, as an operator says it.

use std::{fmt, str::FromStr};

use redis::{ConnectionInfo, IntoConnectionInfo};
use url::Url;

/// Where requests are counted.
#[derive(Clone)]
pub enum Place {
    /// In each process on its own.
    Local,
    /// On a server that speaks Redis' protocol, for all processes together.
    Server(Box<ConnectionInfo>),
}

/// Why requests cannot be counted there. What was given is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// It is neither.
    #[error(
        "requests are counted `local`, or on a server: redis://user:password@host:port/database (or rediss://), where \
         all but the host may be left out"
    )]
    Unknown,
    /// It is no URL.
    #[error("the URL of the server cannot be read: {0}")]
    Malformed(#[from] url::ParseError),
    /// There is one server.
    #[error("the URL must name one server by its host, and end after the number of the database")]
    Address,
    /// A user alone is not let in.
    #[error(
        "the URL names a user without a password; give both, or a password alone as in redis://:password@host"
    )]
    Password,
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if text == "local" {
            return Ok(Self::Local);
        }
        if !text.contains("://") {
            return Err(PlaceError::Unknown);
        }
        let url = Url::parse(text)?;
        if !["redis", "rediss"].contains(&url.scheme()) {
            return Err(PlaceError::Unknown);
        }
        // A query and a fragment would change how the server is spoken to, and whether its certificate is checked.
        let is_one = url.host_str().is_some_and(|host| !host.is_empty() && !host.contains(','));
        if !is_one || url.query().is_some() || url.fragment().is_some() {
            return Err(PlaceError::Address);
        }
        if !url.username().is_empty() && url.password().is_none() {
            return Err(PlaceError::Password);
        }
        let server = url.into_connection_info().map_err(|_| PlaceError::Address)?;
        Ok(Self::Server(Box::new(server)))
    }
}

/// Without user and password.
impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => formatter.write_str("Local"),
            Self::Server(server) => write!(formatter, "Server({})", server.addr()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match text.parse::<Place>() {
            Ok(Place::Local) => "local".to_owned(),
            Ok(Place::Server(server)) => {
                let kept = server.redis_settings();
                format!("{} {:?} {:?} {}", server.addr(), kept.username(), kept.password(), kept.db())
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn all_but_the_host_may_be_left_out() {
        for (text, expected) in [
            ("local", "local"),
            ("redis://counter.example", "counter.example:6379 None None 0"),
            ("redis://:hunter2@10.0.0.1:7000/3", "10.0.0.1:7000 None Some(\"hunter2\") 3"),
            ("rediss://me:a%2Fb@counter.example", "counter.example:6379 Some(\"me\") Some(\"a/b\") 0"),
            ("redis://[::1]:7000/", "::1:7000 None None 0"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_without_its_password() {
        let refused = |rest: &str| {
            let told = read(&format!("redis://me:hunter2@{rest}"));
            assert!(!told.contains("hunter2"), "{told}");
            told
        };
        insta::assert_snapshot!(refused("one:6379,redis://two:6379"), @"the URL of the server cannot be read: invalid port number");
        insta::assert_snapshot!(refused("one,two"), @"the URL must name one server by its host, and end after the number of the database");
        assert_eq!(refused("one/zero"), refused("one,two"));
        assert_eq!(refused("one/0#insecure"), refused("one,two"));
        assert_eq!(refused("one?protocol=resp3"), refused("one,two"));
        insta::assert_snapshot!(read("redis://me@one"), @"the URL names a user without a password; give both, or a password alone as in redis://:password@host");
        insta::assert_snapshot!(read("memcached://:hunter2@one"), @"requests are counted `local`, or on a server: redis://user:password@host:port/database (or rediss://), where all but the host may be left out");
        assert_eq!(read("hunter2"), read("memcached://:hunter2@one"));
        assert_eq!(format!("{:?}", "redis://me:hunter2@one".parse::<Place>().unwrap()), "Server(one:6379)");
    }
}
