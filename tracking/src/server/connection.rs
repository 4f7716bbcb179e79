//! A connection must be of use: one over which nothing moves is closed, and nobody can hold many for nothing.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

/// How often a connection is looked at.
const LOOKING: Duration = Duration::from_secs(10);
/// How long a request may come in without [`ENOUGH`] of it, and an answer may wait to be read.
const COMING: Duration = Duration::from_secs(30);
/// How long a connection is kept for the next request: longer than proxies usually keep theirs, so that it is they who
/// close it, and not we while a request is on its way.
const IDLE: Duration = Duration::from_secs(180);
/// So much in one look is a request that comes in well enough.
const ENOUGH: usize = 16 << 10;

/// A client's connection.
///
/// One timer for each connection and not for each request: clicks are too many for that.
pub(super) struct Connection {
    stream: TcpStream,
    /// What was received and taken back; it is received again before anything else.
    taken_back: Vec<u8>,
    looking: Pin<Box<Sleep>>,
    work: Work,
    usefulness: Usefulness,
}

/// How many of a connection's requests are being answered right now.
#[derive(Clone, Default)]
pub(super) struct Work(Arc<AtomicU32>);

/// A request that is being answered, until this is dropped.
pub(super) struct Working(Arc<AtomicU32>);

impl Work {
    pub(super) fn begin(&self) -> Working {
        self.0.fetch_add(1, Relaxed);
        Working(self.0.clone())
    }

    fn is_going_on(&self) -> bool {
        0 < self.0.load(Relaxed)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// What has moved over a connection, and how long ago.
#[derive(Debug, Default)]
struct Usefulness {
    /// Since the last look.
    received: usize,
    has_sent: bool,
    /// Something was received or is to be sent since the last answer.
    is_under_way: bool,
    quiet: Duration,
}

impl Usefulness {
    fn receive(&mut self, bytes: usize) {
        if 0 < bytes && !self.is_under_way {
            (self.is_under_way, self.quiet) = (true, Duration::ZERO);
        }
        self.received += bytes;
    }

    fn send(&mut self, bytes: usize) {
        if 0 < bytes {
            (self.has_sent, self.is_under_way) = (true, false);
        }
    }

    /// Whether the connection is still worth keeping, once every [`LOOKING`].
    fn look(&mut self, is_working: bool) -> bool {
        let has_moved = is_working || self.has_sent || ENOUGH <= self.received;
        self.quiet = if has_moved { Duration::ZERO } else { self.quiet + LOOKING };
        (self.received, self.has_sent) = (0, false);
        self.quiet < if self.is_under_way { COMING } else { IDLE }
    }
}

impl Connection {
    pub(super) fn new(stream: TcpStream, work: Work) -> Self {
        Self {
            stream,
            taken_back: Vec::new(),
            looking: Box::pin(sleep(LOOKING)),
            work,
            usefulness: Usefulness::default(),
        }
    }

    /// Has somebody else receive this once more.
    pub(super) fn take_back(&mut self, received: Vec<u8>) {
        self.taken_back = received;
    }

    /// Says when the connection turned out to be of no use.
    fn look(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.looking.as_mut().poll(context));
            if !self.usefulness.look(self.work.is_going_on()) {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.looking.as_mut().reset(Instant::now() + LOOKING);
        }
    }

    fn sent(&mut self, sent: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match sent {
            Poll::Ready(Ok(bytes)) => self.usefulness.send(bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                self.usefulness.is_under_way = true;
                return self.look(context).map(Err);
            }
        }
        sent
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.taken_back.is_empty() {
            let count = self.taken_back.len().min(buffer.remaining());
            buffer.put_slice(&self.taken_back[..count]);
            // What is left keeps no room of what is gone.
            self.taken_back = self.taken_back.split_off(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                self.usefulness.receive(buffer.filled().len() - before);
                Poll::Ready(read)
            }
            Poll::Pending => self.look(context).map(Err),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(sent, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.sent(sent, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks the connection survives in which this happens each time.
    fn looks(mut connection: Usefulness, mut happens: impl FnMut(&mut Usefulness) -> bool) -> u32 {
        (0..100)
            .take_while(|_| {
                let is_working = happens(&mut connection);
                connection.look(is_working)
            })
            .count() as u32
    }

    #[test]
    fn an_idle_connection_is_kept_for_minutes() {
        assert_eq!(looks(Usefulness::default(), |_| false), 17);
    }

    #[test]
    fn a_request_must_come_in_within_half_a_minute_or_in_large_pieces() {
        let trickle = |bytes| {
            move |connection: &mut Usefulness| {
                connection.receive(bytes);
                false
            }
        };
        assert_eq!(looks(Usefulness::default(), trickle(1)), 2);
        assert_eq!(looks(Usefulness::default(), trickle(ENOUGH)), 100);
    }

    #[test]
    fn nothing_is_cut_off_while_it_is_answered_and_the_next_request_has_its_own_time() {
        assert_eq!(looks(Usefulness::default(), |_| true), 100);
        let mut connection = Usefulness::default();
        assert!((0..17).all(|_| connection.look(false)));
        connection.receive(1);
        assert!(connection.look(false), "the idle time before is not held against it");
        connection.send(1);
        assert_eq!(looks(connection, |_| false), 18);
    }
}
