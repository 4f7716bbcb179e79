//! The server that takes mail, as an operator names it.

use std::{fmt, str::FromStr, sync::Arc};

use lettre::{AsyncSmtpTransport, Tokio1Executor, transport::smtp::AsyncSmtpTransportBuilder};
use url::Url;

use crate::outward::is_here;

/// A server that takes mail, and how it is signed in to.
#[derive(Clone)]
pub struct SmtpServer(Arc<Named>);

struct Named {
    host: String,
    builder: AsyncSmtpTransportBuilder,
}

/// Why mail cannot leave there. What was given is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// It is no server for mail.
    #[error(
        "mail leaves by smtps://user:password@host:465, or by smtp://user:password@host:587?tls=required"
    )]
    Unknown,
    /// It is no URL.
    #[error("the URL of the server cannot be read: {0}")]
    Malformed(#[from] url::ParseError),
    /// Links and passwords could be read on their way.
    #[error("without TLS mail leaves by this machine alone; write smtps://, or ?tls=required behind smtp://")]
    Plain,
    /// A user alone is not let in.
    #[error("the URL names a user or a password without the other; give both or neither")]
    Password,
    /// The user or the password is no text, or TLS cannot be set up.
    #[error("the user and the password must be percent-encoded UTF-8, and the host a name that TLS knows")]
    Unfit,
}

impl SmtpServer {
    /// What letters leave by.
    #[must_use]
    pub fn transport(&self) -> AsyncSmtpTransport<Tokio1Executor> {
        self.0.builder.clone().build()
    }
}

impl FromStr for SmtpServer {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let url = Url::parse(text)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(ServerError::Unknown)?;
        match (url.scheme(), url.query(), url.fragment()) {
            ("smtps", None, None) | ("smtp", Some("tls=required"), None) => {}
            ("smtp", None, None) if is_here(&url) => {}
            ("smtp", None, None) => return Err(ServerError::Plain),
            _ => return Err(ServerError::Unknown),
        }
        if url.username().is_empty() == url.password().is_some() {
            return Err(ServerError::Password);
        }
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(text);
        let builder = builder.map_err(|_| ServerError::Unfit)?;
        Ok(Self(Arc::new(Named { host: host.to_owned(), builder })))
    }
}

/// Without user and password.
impl fmt::Debug for SmtpServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SmtpServer({})", self.0.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, read: Result<&str, ServerError>) {
        let server = text.parse::<SmtpServer>().map(|server| format!("{server:?}"));
        assert_eq!(server, read.map(|host| format!("SmtpServer({host})")), "{text}");
    }

    #[test]
    fn a_server_is_spoken_to_by_tls_or_on_this_machine() {
        check("smtps://me:hunter2@mail.example:465", Ok("mail.example"));
        check("smtps://mail.example", Ok("mail.example"));
        check("smtp://me:hunter%402@mail.example?tls=required", Ok("mail.example"));
        check("smtp://127.0.0.1:1025", Ok("127.0.0.1"));
        check("smtp://localhost:1025", Ok("localhost"));
        check("smtp://me:hunter2@mail.example:587", Err(ServerError::Plain));
        check("smtp://192.0.2.1", Err(ServerError::Plain));
        check("smtp://mail.example?tls=opportunistic", Err(ServerError::Unknown));
    }

    #[test]
    fn what_is_no_server_is_told_without_its_password() {
        check("https://me:hunter2@mail.example", Err(ServerError::Unknown));
        check("smtps:me:hunter2@mail.example", Err(ServerError::Unknown));
        check("mail.example:465", Err(ServerError::Unknown));
        check("mail example", Err(ServerError::Malformed(url::ParseError::RelativeUrlWithoutBase)));
        check("smtps://me@mail.example", Err(ServerError::Password));
        check("smtps://:hunter2@mail.example", Err(ServerError::Password));
        check("smtps://me:%FF@mail.example", Err(ServerError::Unfit));
    }
}
