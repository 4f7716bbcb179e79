//! One GET to an address that a partner entered: signed where it wants that, never into our own networks, and followed nowhere.

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
    vec,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    DeliveryId, PartnerPostbackId,
    postback::is_public,
    signature::{
        SigningKey,
        canonical::{OWN_PARAMETERS, Query, sign},
    },
};
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
        },
    },
    rt::TokioExecutor,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tower::Service;
use tracking::secret::{Key, Secret};
use url::Url;

use crate::outward::secured;

/// An address has so long to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// So many wait for trials at once.
const TRIALS: usize = 8;

/// Whom a partner's address may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Servers of the public internet.
    Public,
    /// Any, this machine and its neighbours among them: for trying things out.
    Anywhere,
}

/// Why an address was told nothing, as a partner reads it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Silence {
    /// Not in time.
    #[error("it did not answer within {} seconds", PATIENCE.as_secs())]
    Late,
    /// Nobody is there.
    #[error("it could not be reached on the public internet")]
    Unreachable,
    /// It is of a network of ours: told no otherwise, or names in our network could be found out.
    #[error("it could not be reached on the public internet")]
    Inside,
    /// The connection ended early.
    #[error("it broke the connection off")]
    Broken,
    /// It is no address that a request can be sent to, or cannot be signed.
    #[error("it cannot be signed: a parameter is in it twice, or is one of wid, wts, wsig and wkid")]
    Malformed,
    /// We know nobody's certificates.
    #[error("no certificates are installed here that it could be known by")]
    Certificates,
}

/// What an address answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// After how long it wants to be asked again.
    pub again_after: Option<TimeDelta>,
}

type Sender = Client<HttpsConnector<HttpConnector<Guarded>>, Empty<Bytes>>;

/// Sends postbacks, each over a connection of its own. Cheap to clone.
#[derive(Clone)]
pub struct Courier {
    reach: Reach,
    key: Key,
    sender: Arc<OnceLock<Option<Sender>>>,
    trials: Arc<Semaphore>,
}

impl Courier {
    /// Signs with keys that the installation's secret gives.
    #[must_use]
    pub fn new(secret: &Secret, reach: Reach) -> Self {
        Self {
            reach,
            key: secret.key("partner-postbacks/1"),
            sender: Arc::default(),
            trials: Arc::new(Semaphore::new(TRIALS)),
        }
    }

    /// A place for somebody who waits for a trial, if there is one.
    #[must_use]
    pub fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.trials.try_acquire().ok()
    }

    /// What an address is signed with; the same whenever it is asked for.
    #[must_use]
    pub fn signing_key(&self, postback: PartnerPostbackId) -> SigningKey {
        SigningKey::hmac_from(self.key.authenticate(&[postback.uuid().as_bytes()]))
    }

    /// The address with a signature, made now: its id is the same in each attempt.
    ///
    /// # Errors
    /// When a parameter is in it twice, so that nobody could say which was signed, or one of a signature's own.
    pub fn signed(
        &self,
        url: &Url,
        (postback, delivery): (PartnerPostbackId, DeliveryId),
        at: DateTime<Utc>,
    ) -> Result<Url, Silence> {
        let query = Query::parse(url.query().unwrap_or_default()).map_err(|_| Silence::Malformed)?;
        if OWN_PARAMETERS.iter().any(|name| query.get(name).is_some()) {
            return Err(Silence::Malformed);
        }
        let signed = sign(&self.signing_key(postback), url.path(), &query, &delivery.to_string(), at);
        let mut url = url.clone();
        url.set_query(Some(&signed.map_err(|_| Silence::Malformed)?));
        Ok(url)
    }

    /// Whether an address may be of this host, as far as its name says that.
    #[must_use]
    pub fn admits(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse();
        let is_inside = host == "localhost" || address.is_ok_and(|address: IpAddr| !is_public(address));
        self.reach == Reach::Anywhere || !is_inside
    }

    /// Asks once. Whatever it answers is an answer; its body is not read.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ask(&self, url: &Url) -> Result<Answer, Silence> {
        if !url.host_str().is_some_and(|host| self.admits(host)) {
            return Err(Silence::Inside);
        }
        let sender = self.sender.get_or_init(|| sender(self.reach).ok());
        let sender = sender.as_ref().ok_or(Silence::Certificates)?;
        let uri: Uri = url.as_str().parse().map_err(|_| Silence::Malformed)?;
        let request = Request::get(uri).header(header::USER_AGENT, "Tributary").body(Empty::new());
        let request = request.map_err(|_| Silence::Malformed)?;
        let answer = timeout(PATIENCE, sender.request(request)).await.map_err(|_| Silence::Late)?;
        match answer {
            Ok(answer) => Ok(Answer { status: answer.status(), again_after: again_after(answer.headers()) }),
            Err(error) if is_inside(&error) => Err(Silence::Inside),
            Err(error) if error.is_connect() => Err(Silence::Unreachable),
            Err(_) => Err(Silence::Broken),
        }
    }
}

impl Reach {
    fn admits(self, address: IpAddr) -> bool {
        self == Self::Anywhere || is_public(address)
    }
}

/// By the certificates that the system trusts.
fn sender(reach: Reach) -> io::Result<Sender> {
    let mut tcp = HttpConnector::new_with_resolver(Guarded { names: GaiResolver::new(), reach });
    tcp.set_connect_timeout(Some(PATIENCE));
    // A partner could keep every connection open that is not closed here.
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(secured(tcp)?))
}

/// Seconds alone: dates are of clocks that may differ.
fn again_after(headers: &HeaderMap) -> Option<TimeDelta> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse::<u32>().ok()?;
    Some(TimeDelta::seconds(seconds.into()))
}

/// Finds addresses by their names, and gives only those that may be asked: a name cannot be looked up once more in between.
#[derive(Clone)]
struct Guarded {
    names: GaiResolver,
    reach: Reach,
}

#[derive(Debug, thiserror::Error)]
#[error("no address of this name is of the public internet")]
struct Inside;

fn is_inside(error: &(dyn Error + 'static)) -> bool {
    error.is::<Inside>() || error.source().is_some_and(is_inside)
}

impl Service<Name> for Guarded {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (found, reach) = (self.names.call(name), self.reach);
        Box::pin(async move {
            let admitted: Vec<_> = found.await?.filter(|address| reach.admits(address.ip())).collect();
            if admitted.is_empty() { Err(Inside.into()) } else { Ok(admitted.into_iter()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        Chance,
        signature::{LiveKey, canonical::verify},
    };

    use super::*;
    use crate::api::testing::secret;

    async fn asked(reach: Reach, url: &str) -> Silence {
        Courier::new(&secret(), reach).ask(&url.parse().unwrap()).await.unwrap_err()
    }

    #[tokio::test]
    async fn nobody_is_led_into_our_own_networks() {
        for inside in
            ["http://127.0.0.1:9/", "http://[::1]/", "http://169.254.169.254/latest", "http://localhost:9/"]
        {
            assert_eq!(asked(Reach::Public, inside).await, Silence::Inside, "{inside}");
        }
        assert_eq!(asked(Reach::Anywhere, "http://127.0.0.1:9/").await, Silence::Unreachable);
    }

    #[test]
    fn a_signature_is_of_its_address_and_holds_each_parameter() {
        let (courier, chance) = (Courier::new(&secret(), Reach::Public), Chance::seeded(1));
        let at = DateTime::from_timestamp(1_769_947_200, 0).unwrap();
        let (postback, delivery) = (PartnerPostbackId::new_at(at, &chance), DeliveryId::new_at(at, &chance));
        let url: Url = "https://t.example/in?cid=a%26b&payout=1.50".parse().unwrap();
        let signed = courier.signed(&url, (postback, delivery), at).unwrap();
        let key = LiveKey { kid: String::new(), key: courier.signing_key(postback).verifying_key() };
        let check = |url: &Url| {
            verify(std::slice::from_ref(&key), url.path(), &Query::parse(url.query().unwrap()).unwrap(), at)
        };
        assert_eq!(check(&signed).unwrap().message_id(), delivery.to_string());
        let forged: Url = signed.as_str().replace("payout=1.50", "payout=9.50").parse().unwrap();
        assert!(check(&forged).is_err());
        let twice: Url = "https://t.example/in?a=1&a=2".parse().unwrap();
        assert_eq!(courier.signed(&twice, (postback, delivery), at), Err(Silence::Malformed));
        assert_eq!(courier.signed(&signed, (postback, delivery), at), Err(Silence::Malformed));
    }
}
