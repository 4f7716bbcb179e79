//! A connection that must be of use: one over which hardly anything moves is closed, and nobody can hold many for nothing.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

/// How often a connection is looked at; one that was of no use since the last time is closed.
const LOOKING: Duration = Duration::from_secs(30);
/// How much a client must send in that time if nothing could be answered yet.
const ENOUGH: usize = 16 << 10;

/// A client's connection.
///
/// One timer for each connection and not for each request: clicks are too many for that.
pub(super) struct Connection {
    stream: TcpStream,
    looking: Pin<Box<Sleep>>,
    received: usize,
    has_answered: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        let looking = Box::pin(sleep(LOOKING));
        Self { stream, looking, received: 0, has_answered: false }
    }

    /// Says when the connection turned out to be of no use.
    fn look(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.looking.as_mut().poll(context));
            if !self.has_answered && self.received < ENOUGH {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            (self.has_answered, self.received) = (false, 0);
            self.looking.as_mut().reset(Instant::now() + LOOKING);
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                self.received += buffer.filled().len() - before;
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
        self.has_answered = true;
        Pin::new(&mut self.stream).poll_write(context, bytes)
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
        self.has_answered = true;
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}
