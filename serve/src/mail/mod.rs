//! Letters leave through one SMTP server of the operator's.
//!
//! A letter with a sign-in link is kept nowhere. The database has only the hash of the link's secret, and letters that wait
//! there would put the secret itself beside it, and into every backup. So a letter is tried a few times and then given up,
//! and whoever waits for it asks for another.

pub mod server;
#[cfg(test)]
pub(crate) mod testing;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use domain::{Chance, Clock};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::AddressError,
    message::{
        Mailbox, SinglePart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp,
};
use tokio::time::{sleep, timeout};

use self::server::SmtpServer;

/// So long a server may take for one letter, greeting and TLS included.
const PATIENCE: Duration = Duration::from_secs(20);
/// After so long a letter is tried again, and once more.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(15)];
/// Keeps machines from answering (RFC 3834).
const NO_ANSWERS: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// What became of the letters of this process. Those that leave are not counted: whoever reads the numbers would see whether
/// an address that it asked for a link to is somebody's.
pub struct Meters {
    /// Letters that were given up.
    pub failed: AtomicU64,
    /// Letters that were not begun, because too many were on their way.
    pub refused: AtomicU64,
}

/// The numbers of this process.
pub static METERS: Meters = Meters { failed: AtomicU64::new(0), refused: AtomicU64::new(0) };

/// What somebody is written.
#[derive(Clone)]
pub struct Letter {
    /// The address that it goes to.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
}

/// Why a letter did not leave. No message repeats what the server said, which may have the address in it.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// It goes nowhere.
    #[error("the address cannot be written to: {0}")]
    Address(#[from] AddressError),
    /// It cannot be put into the form of mail.
    #[error("the letter cannot be written: {0}")]
    Unwritten(#[from] lettre::error::Error),
    /// The server will not take it, however often it is asked.
    #[error("the SMTP server refuses it with {0}")]
    Refused(u16),
    /// The server may take it later.
    #[error("the SMTP server puts it off with {0}")]
    PutOff(u16),
    /// The server takes too long.
    #[error("the SMTP server does not take it within {} s", PATIENCE.as_secs())]
    Late,
    /// What answers speaks another language.
    #[error("the answer of the SMTP server cannot be understood")]
    Unread,
    /// The server lacks what is needed: TLS, or a way to sign in that is known here.
    #[error("the SMTP server is not fit: {0}")]
    Unfit(smtp::Error),
    /// No connection, or none that can be trusted.
    #[error("the SMTP server cannot be reached: {0}")]
    Unreached(smtp::Error),
}

impl Undelivered {
    fn of(error: smtp::Error) -> Self {
        match error.status().map(u16::from) {
            Some(code) if error.is_permanent() => Self::Refused(code),
            Some(code) => Self::PutOff(code),
            None if error.is_response() => Self::Unread,
            None if error.is_client() => Self::Unfit(error),
            None => Self::Unreached(error),
        }
    }

    /// Whether it may go better in a while.
    fn is_passing(&self) -> bool {
        matches!(self, Self::PutOff(_) | Self::Late | Self::Unreached(_))
    }
}

/// Where letters are given up to be sent; cheap to clone.
#[derive(Clone)]
pub struct Post {
    transport: Arc<AsyncSmtpTransport<Tokio1Executor>>,
    from: Mailbox,
    clock: Clock,
    chance: Chance,
}

impl Post {
    /// Letters by this server, from this mailbox.
    #[must_use]
    pub fn new(server: &SmtpServer, from: Mailbox, (clock, chance): (&Clock, &Chance)) -> Self {
        let transport = Arc::new(server.transport());
        Self { transport, from, clock: clock.clone(), chance: chance.clone() }
    }

    /// Sends a letter while somebody waits for it: once.
    ///
    /// # Errors
    /// When the server did not take it.
    pub async fn send(&self, letter: &Letter) -> Result<(), Undelivered> {
        self.try_after(&[], letter).await
    }

    /// Sends a letter that nobody waits for: again in a while where that may help.
    ///
    /// # Errors
    /// When the server did not take it in the end.
    pub async fn send_patiently(&self, letter: &Letter) -> Result<(), Undelivered> {
        let sent = self.try_after(&PAUSES, letter).await;
        if sent.is_err() {
            METERS.failed.fetch_add(1, Relaxed);
        }
        sent
    }

    /// Every try hands over the same message, so that one whose answer got lost is known for what it is.
    async fn try_after(&self, pauses: &[Duration], letter: &Letter) -> Result<(), Undelivered> {
        let message = self.message(letter)?;
        for pause in pauses {
            match self.hand_over(&message).await {
                Err(error) if error.is_passing() => tracing::info!(%error, "a letter waits: {error}"),
                done => return done,
            }
            sleep(*pause).await;
        }
        self.hand_over(&message).await
    }

    async fn hand_over(&self, message: &Message) -> Result<(), Undelivered> {
        let text = message.formatted();
        match timeout(PATIENCE, self.transport.send_raw(message.envelope(), &text)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Undelivered::of(error)),
            Err(_) => Err(Undelivered::Late),
        }
    }

    fn message(&self, letter: &Letter) -> Result<Message, Undelivered> {
        let to: Address = letter.to.parse()?;
        let id = u128::from_be_bytes(self.chance.bytes());
        let message = Message::builder()
            .from(self.from.clone())
            .to(to.into())
            .date(SystemTime::from(self.clock.now()))
            .message_id(Some(format!("<{id:032x}@{}>", self.from.email.domain())))
            .subject(letter.subject.as_str())
            .raw_header(HeaderValue::new(NO_ANSWERS, "auto-generated".to_owned()))
            .singlepart(SinglePart::plain(letter.text.clone()))?;
        Ok(message)
    }
}
