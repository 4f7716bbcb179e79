//! Serving: clicks on threads of their own, everything else beside them, so that nothing slow delays a visitor.

mod clicks;
mod connection;

use std::{
    convert::Infallible, fmt, io, net::SocketAddr, num::NonZeroUsize, panic::AssertUnwindSafe, sync::Arc,
    thread, time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody, to_bytes},
    extract::ConnectInfo,
    response::{IntoResponse, Response},
};
use futures_util::{FutureExt, future::try_join_all};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Handle},
    sync::{oneshot, watch},
    time::{sleep, timeout},
};
use tower::ServiceExt;

use self::connection::{Connection, Work};
use crate::{
    problem::{self, Problem, REQUEST_ID},
    redirect::{self, Arrival, Reply},
    tracker::Tracker,
    wal,
};

/// How long open requests may take to end once a shutdown has begun.
const DRAINING_PATIENCE: Duration = Duration::from_secs(10);
/// A body of so many bytes is handed over whole.
const SMALL_BODY: usize = 16 << 10;
/// How long to wait when the machine has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound address, not yet served.
pub struct Server {
    listener: std::net::TcpListener,
    workers: NonZeroUsize,
    is_brief: fn(&str) -> bool,
}

/// Where one thread's requests go.
struct Desk {
    tracker: Tracker,
    router: Router,
    /// Runs whatever is no click.
    beside: Handle,
    /// Whether what is asked at a path is tried here first.
    is_brief: fn(&str) -> bool,
}

impl Server {
    /// Binds an address, to be served by so many threads; all take from one queue of connections.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(address: SocketAddr, workers: NonZeroUsize) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?.into_std()?;
        Ok(Self { listener, workers, is_brief: |_| false })
    }

    /// The same, where small requests to these paths are mostly answered in less time than another thread takes to wake:
    /// they are begun on the thread that takes clicks, and go to the others if they have to wait for anything.
    #[must_use]
    pub fn answering_here(self, is_brief: fn(&str) -> bool) -> Self {
        Self { is_brief, ..self }
    }

    /// The address, with the port that was found where none was asked for.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves clicks on the threads, and `router` on the runtime this is called on, until `stop` resolves; then
    /// answers what is open, and ends. Routes see the client's address as `ConnectInfo<SocketAddr>`.
    ///
    /// # Errors
    /// When a thread cannot be started, or ends before it was asked to.
    pub async fn serve(
        self,
        tracker: Tracker,
        router: Router,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let (stopping, is_stopping) = watch::channel(false);
        let beside = Handle::current();
        let mut ends = Vec::new();
        for number in 0..self.workers.get() {
            let listener = self.listener.try_clone()?;
            let (tracker, router, beside) = (tracker.clone(), router.clone(), beside.clone());
            let desk = Desk { tracker, router, beside, is_brief: self.is_brief };
            let is_stopping = is_stopping.clone();
            let runtime =
                Builder::new_current_thread().enable_all().on_thread_park(wal::thread_parks).build()?;
            let (end, ended) = oneshot::channel();
            thread::Builder::new().name(format!("clicks-{number}")).spawn(move || {
                wal::gather_until_parked();
                // An error says that nobody waits for the end any more.
                let _ = end.send(runtime.block_on(work(listener, desk, is_stopping)));
            })?;
            ends.push(ended.map(|ended| {
                ended.unwrap_or_else(|_| Err(io::Error::other("a thread that takes clicks ended in a panic")))
            }));
        }
        let mut all = Box::pin(try_join_all(ends));
        tokio::select! {
            () = stop => {}
            ended = &mut all => return ended.map(drop),
        }
        stopping.send_replace(true);
        all.await.map(drop)
    }
}

async fn work(
    listener: std::net::TcpListener,
    desk: Desk,
    mut is_stopping: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let desk = Arc::new(desk);
    let connections = GracefulShutdown::new();
    // Of this thread alone: its connections ask after every answer.
    let is_ending = watch::Sender::new(false);
    let mut takes = true;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // An error says that the server is gone, which is an end too.
            _ = is_stopping.wait_for(|is_stopping| *is_stopping) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                takes = true;
                attend(stream, peer, &desk, &connections, is_ending.subscribe());
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                // Once, not ten times a second.
                if takes {
                    tracing::error!(%error, "no new connection can be taken (when files are too many: raise their limit)");
                }
                takes = false;
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    is_ending.send_replace(true);
    if timeout(DRAINING_PATIENCE, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
    Ok(())
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn attend(
    stream: TcpStream,
    peer: SocketAddr,
    desk: &Arc<Desk>,
    connections: &GracefulShutdown,
    mut is_ending: watch::Receiver<bool>,
) {
    // An answer is one small packet: it must not wait for another.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let (desk, work, watcher) = (desk.clone(), Work::default(), connections.watcher());
    let mut stream = Connection::new(stream, work.clone());
    tokio::spawn(async move {
        match clicks::answer(&mut stream, &desk, peer.ip(), &mut is_ending).await {
            Ok(Some(received)) => stream.take_back(received),
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "a connection ended badly");
                return;
            }
        }
        let mut connection = http1::Builder::new().serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| answer(desk.clone(), work.clone(), request, peer)),
        );
        // Once before it is watched: when the server is ending, what was taken back is answered all the same.
        let ended = match (&mut connection).now_or_never() {
            Some(ended) => ended,
            None => watcher.watch(connection).await,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended badly");
        }
    });
}

async fn answer(
    desk: Arc<Desk>,
    work: Work,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response, Infallible> {
    // What other requests of this thread have gathered does not wait for it to rest when there are many.
    wal::thread_goes_on();
    if request.method() != Method::GET {
        let request = match gathered(request).await {
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(%error, "a body did not come in");
                let problem =
                    Problem::new(StatusCode::BAD_REQUEST, "bad_request", "The body could not be read");
                return Ok(problem.into_response());
            }
        };
        let _working = work.begin();
        return Ok(desk.pass_on(request, peer).await);
    }
    let _working = work.begin();
    let Some(code) = clicked(request.uri().path()) else {
        return Ok(desk.pass_on(request.map(Body::new), peer).await);
    };
    let arrival = Arrival::of(&desk.tracker.0.clock, &request, Some(peer.ip()));
    let request_id = request.headers().get(REQUEST_ID).map(HeaderValue::as_bytes);
    Ok(desk.click(code, &arrival, request_id).await.into_response())
}

/// The request with its body, where that is a small one: handed over whole, it is not asked for part by part from another
/// thread. While it comes in, the connection has to be of use.
async fn gathered(request: Request<Incoming>) -> Result<Request<Body>, axum::Error> {
    let size = request.body().size_hint().exact();
    let Some(size) = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= SMALL_BODY)
    else {
        return Ok(request.map(Body::new));
    };
    let (parts, body) = request.into_parts();
    Ok(Request::from_parts(parts, Body::from(to_bytes(Body::new(body), size).await?)))
}

/// Which link is followed: one by its code, or one that the query names; nothing when the request is no click.
#[expect(clippy::option_option, reason = "no click and a click without a code are two things")]
fn clicked(path: &str) -> Option<Option<&str>> {
    let rest = path.strip_prefix("/c")?;
    if rest.is_empty() {
        return Some(None);
    }
    // What must be decoded first takes the longer way.
    let code = rest.strip_prefix('/').filter(|code| !code.is_empty() && !code.contains(['/', '%']));
    code.map(Some)
}

impl Desk {
    /// Answers a click, whatever happens.
    async fn click(&self, code: Option<&str>, arrival: &Arrival<'_>, request_id: Option<&[u8]>) -> Reply {
        let clicked = AssertUnwindSafe(redirect::click(&self.tracker, code, arrival)).catch_unwind().await;
        let reply = clicked.unwrap_or_else(|_| {
            // The panic's own message was already written by the panic hook.
            tracing::error!("a click ended in a panic");
            Problem::internal().into()
        });
        match reply {
            Reply::Other(response) => Reply::Other(problem::finish(response, request_id)),
            reply @ Reply::Redirect(_) => reply,
        }
    }

    /// Has a request that is no click answered beside the clicks; a brief one only if it is not answered at once.
    async fn pass_on(&self, mut request: Request<Body>, peer: SocketAddr) -> Response {
        let size = request.body().size_hint().exact();
        let is_small = size.is_some_and(|size| size <= SMALL_BODY as u64);
        let is_brief = is_small && (self.is_brief)(request.uri().path());
        request.extensions_mut().insert(ConnectInfo(peer));
        let mut answering = Box::pin(self.router.clone().oneshot(request));
        if is_brief {
            // Whatever it begins to wait for is waited for where it goes.
            let _entered = self.beside.enter();
            match AssertUnwindSafe(&mut answering).catch_unwind().now_or_never() {
                Some(Ok(Ok(response))) => return response,
                Some(Ok(Err(never))) => match never {},
                Some(Err(_)) => return unanswered(&"a panic"),
                None => {}
            }
        }
        match self.beside.spawn(answering).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(error) => unanswered(&error),
        }
    }
}

fn unanswered(error: &dyn fmt::Display) -> Response {
    tracing::error!(%error, "a request ended without an answer");
    Problem::internal().into_response()
}
