//! The connection to a NATS cluster, and the stream and the consumer on it.

use std::{
    fmt,
    future::{Ready, ready},
    sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use async_nats::{
    Client, ClientError, ConnectError, ConnectErrorKind, ConnectOptions, Event, ReconnectToServer, Server,
    ServerInfo,
    jetstream::{
        self, Context, ContextBuilder, ErrorCode,
        consumer::{AckPolicy, PullConsumer, pull},
        context::{CreateStreamErrorKind, GetStreamErrorKind},
        stream::{Config, StorageType, Stream},
    },
};

use tokio::time::{sleep, timeout};

use super::super::setting::{Login, Servers, Settings};
use crate::patience::Patience;

/// The stream that trackers share.
pub(super) const STREAM: &str = "TRIBUTARY_EVENTS";
/// Everything that may be in it.
const SUBJECTS: &str = "tributary.events.>";
/// Where clicks are published.
pub(super) const SUBJECT: &str = "tributary.events.click";
/// The durable consumer whose clicks any tracker stores.
const CONSUMER: &str = "postgres";

/// How long the servers may take to answer.
pub(super) const ANSWERING: Duration = Duration::from_secs(3);
/// How soon a connection is noticed to be dead.
const PINGING: Duration = Duration::from_secs(5);
/// After so many requests in a row without an answer a server is left for another.
const FORBEARANCE: u32 = 2;
/// How long the other servers of a cluster may take to hear who is connected to one of them.
const HEARING: Duration = Duration::from_millis(100);
/// How long the stream knows the ids of what it has taken: longer than a publisher needs to ask again.
const DUPLICATES: Duration = Duration::from_secs(120);
/// How long a tracker may take to store what it was given before another one gets it.
const STORING: Duration = Duration::from_secs(10);
/// How many clicks all trackers together may be about to store.
const ABOUT_TO_BE_STORED: i64 = 200_000;
/// On how many servers of a cluster the stream is kept.
const REPLICAS: usize = 3;

/// A connection that mends itself.
pub(super) struct Session {
    pub(super) client: Client,
    context: Context,
    replicas: Option<u8>,
    max_age: Duration,
    unanswered: AtomicU32,
}

/// Where the stream and its consumer are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whereabouts {
    /// The oldest message that the stream still has.
    pub first: u64,
    /// The newest one.
    pub last: u64,
    /// Everything up to here has been stored by somebody, or is no more.
    pub stored: u64,
    /// Everything up to here has been given to somebody.
    pub delivered: u64,
}

/// What the servers refused; every sentence says what mends it.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    #[error(
        "the NATS cluster has not {0} servers to keep the stream {STREAM} on: start more of them, or choose --stream-replicas"
    )]
    Replicas(usize),
    #[error("the NATS servers refuse to make the stream {STREAM}: {0}")]
    Create(jetstream::Error),
    #[error("the NATS servers do not answer for the stream {STREAM}; does JetStream run on them? {0}")]
    Silent(String),
    #[error("the NATS servers refuse the consumer {CONSUMER} of the stream {STREAM}: {0}")]
    Consumer(String),
}

impl Session {
    /// Connects, however long it takes; after that the connection is kept up.
    pub(super) async fn open(servers: &Servers, settings: &Settings) -> Self {
        let mut patience = Patience::default();
        let mut told = String::new();
        let client = loop {
            let refusal = match connect(servers, settings).await {
                Ok(client) => break client,
                Err(error) => refusal(servers, &error),
            };
            // Once, not with every attempt.
            if refusal != told {
                tracing::error!("{refusal}; clicks are kept in the log until then");
                told = refusal;
            }
            patience.wait().await;
        };
        tracing::info!(%servers, "clicks are published to the stream {STREAM}");
        let context = ContextBuilder::new().timeout(ANSWERING).build(client.clone());
        let Settings { replicas, max_age, .. } = *settings;
        Self { client, context, replicas, max_age, unanswered: AtomicU32::new(0) }
    }

    /// Something was not answered. A server that is there and does not answer, as one does that was cut off from the
    /// others, is left; but not at once, because an answer may get lost when a connection is new.
    pub(super) async fn miss_an_answer(&self) {
        if !(self.unanswered.fetch_add(1, Relaxed) + 1).is_multiple_of(FORBEARANCE) {
            return;
        }
        // An error says that the connection is closed, which the next request meets too.
        let _ = self.client.force_reconnect().await;
        let _ = timeout(ANSWERING, self.client.flush()).await;
        sleep(HEARING).await;
    }

    /// Something was answered.
    pub(super) fn hear_an_answer(&self) {
        self.unanswered.store(0, Relaxed);
    }

    /// The stream as it was configured, made where it is missing.
    pub(super) async fn stream(&self) -> Result<Stream, SetupError> {
        let error = match self.context.get_stream(STREAM).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        match error.kind() {
            GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
            _ => return Err(SetupError::Silent(error.to_string())),
        }
        let wanted = self.replicas.map_or(REPLICAS, usize::from);
        match self.make_stream(wanted).await {
            Err(SetupError::Create(error))
                if error.error_code() == ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED =>
            {
                // A server of its own has no others to keep it on.
                if self.replicas.is_some() {
                    return Err(SetupError::Replicas(wanted));
                }
                self.make_stream(1).await
            }
            made => made,
        }
    }

    async fn make_stream(&self, replicas: usize) -> Result<Stream, SetupError> {
        let config = Config {
            name: STREAM.to_owned(),
            subjects: vec![SUBJECTS.to_owned()],
            storage: StorageType::File,
            num_replicas: replicas,
            max_age: self.max_age,
            duplicate_window: DUPLICATES.min(self.max_age),
            description: Some("Clicks on their way into the database of Tributary".to_owned()),
            ..Config::default()
        };
        let error = match self.context.create_stream(config).await {
            Ok(_) => {
                tracing::info!(replicas, "made the stream {STREAM} (replicas: {replicas})");
                return self
                    .context
                    .get_stream(STREAM)
                    .await
                    .map_err(|error| SetupError::Silent(error.to_string()));
            }
            Err(error) => error,
        };
        match error.kind() {
            CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::CLUSTER_NO_PEERS => {
                Err(SetupError::Replicas(replicas))
            }
            CreateStreamErrorKind::JetStream(error) => Err(SetupError::Create(error)),
            _ => Err(SetupError::Silent(error.to_string())),
        }
    }

    /// The consumer as it was configured, made where it is missing.
    pub(super) async fn consumer(&self) -> Result<PullConsumer, SetupError> {
        consumer_of(&self.stream().await?).await
    }

    /// Where the stream and its consumer are now.
    pub(super) async fn whereabouts(&self) -> Result<Whereabouts, SetupError> {
        let stream = self.stream().await?;
        let consumer = consumer_of(&stream).await?;
        let (stream, consumer) = (&stream.cached_info().state, consumer.cached_info());
        Ok(Whereabouts {
            first: stream.first_sequence,
            last: stream.last_sequence,
            stored: consumer.ack_floor.stream_sequence,
            delivered: consumer.delivered.stream_sequence,
        })
    }
}

async fn consumer_of(stream: &Stream) -> Result<PullConsumer, SetupError> {
    let config = pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        description: Some("Whatever tracker is free stores these clicks".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: STORING,
        filter_subject: SUBJECT.to_owned(),
        max_ack_pending: ABOUT_TO_BE_STORED,
        ..pull::Config::default()
    };
    let consumer = stream.get_or_create_consumer(CONSUMER, config).await;
    consumer.map_err(|error| SetupError::Consumer(error.to_string()))
}

async fn connect(servers: &Servers, settings: &Settings) -> Result<Client, ConnectError> {
    let mut options = match &settings.credentials {
        Some(credentials) => ConnectOptions::with_credentials(credentials)?,
        None => ConnectOptions::new(),
    };
    options = match &servers.login {
        Login::None => options,
        Login::Token(token) => options.token(token.clone()),
        Login::User { name, password } => options.user_and_password(name.clone(), password.clone()),
    };
    options
        .name("tributary-track")
        .connection_timeout(ANSWERING)
        .request_timeout(Some(ANSWERING))
        .ping_interval(PINGING)
        .event_callback(|event| async move { tell(&event) })
        .reconnect_to_server_callback(in_turn())
        .connect(servers.addresses.clone())
        .await
}

/// Any server first, and then one after the other: a server that is there and does not answer is left for the next.
fn in_turn() -> impl Fn(Vec<Server>, ServerInfo) -> Ready<Option<ReconnectToServer>> + Send + Sync + 'static {
    let turn = AtomicUsize::new(0);
    move |servers, _| {
        let turn = turn.fetch_add(1, Relaxed);
        let next = servers.get(turn % servers.len().max(1)).filter(|_| 0 < turn);
        ready(next.map(|server| ReconnectToServer { addr: server.addr.clone(), delay: None }))
    }
}

fn tell(event: &Event) {
    let refused = ConnectErrorKind::AuthorizationViolation.to_string();
    match event {
        Event::Connected => tracing::info!("connected to the stream"),
        Event::Disconnected => tracing::warn!("the stream is not connected; clicks are kept in the log"),
        Event::ServerError(error) => tracing::error!("a server of the stream says: {error}"),
        Event::ClientError(ClientError::Other(error)) if *error == refused => {
            tracing::error!(
                "the NATS servers refuse the login; clicks are kept in the log until they accept it"
            );
        }
        // One for every attempt to reach a server that is away.
        Event::ClientError(error) => tracing::debug!("the stream cannot be reached: {error}"),
        event => tracing::info!("the stream's connection: {event}"),
    }
}

/// One sentence for whoever chose the servers.
fn refusal(servers: &Servers, error: &ConnectError) -> String {
    let what: &dyn fmt::Display = match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            &"refuse the login: correct the user and password in --stream, or --stream-credentials"
        }
        ConnectErrorKind::Tls => &"cannot be reached by TLS",
        ConnectErrorKind::Dns => &"have no address that can be found",
        _ => &"do not answer",
    };
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation => format!("the NATS servers at {servers} {what}"),
        _ => format!("the NATS servers at {servers} {what} ({error})"),
    }
}
