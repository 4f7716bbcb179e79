//! A way between two servers that can be cut without either of them noticing anything but silence.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
};

/// Carries connections to one port. While it is cut, nothing gets through in either direction and nothing is closed,
/// as when a network loses every packet; what was sent meanwhile arrives after it is healed.
#[derive(Debug)]
pub(super) struct Relay {
    port: u16,
    way: Arc<Way>,
}

#[derive(Debug, Default)]
struct Way {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_cut: bool,
    is_over: bool,
    open: Vec<TcpStream>,
}

impl Relay {
    /// A port of its own whose connections lead to `target` on this machine.
    pub(super) fn start(target: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let way = Arc::new(Way::default());
        let watched = Arc::downgrade(&way);
        thread::spawn(move || accept(&listener, target, &watched));
        Ok(Self { port, way })
    }

    /// Where to connect to.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Lets nothing through any more.
    pub(super) fn cut(&self) {
        self.way.lock().is_cut = true;
    }

    /// Lets everything through again.
    pub(super) fn heal(&self) {
        self.way.lock().is_cut = false;
        self.way.changed.notify_all();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let mut state = self.way.lock();
        state.is_over = true;
        for connection in state.open.drain(..) {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
        drop(state);
        self.way.changed.notify_all();
        // Wakes the thread that waits for connections, which then sees that it is over.
        let _ = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port)));
    }
}

impl Way {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the way is cut; false when it is over.
    fn is_open(&self) -> bool {
        let mut state = self.lock();
        while state.is_cut && !state.is_over {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.is_over
    }

    /// Remembers a connection, to be closed when all is over.
    fn remember(&self, connection: &TcpStream) -> io::Result<()> {
        let mut state = self.lock();
        state.open.retain(|open| open.peer_addr().is_ok());
        state.open.push(connection.try_clone()?);
        Ok(())
    }
}

fn accept(listener: &TcpListener, target: u16, way: &Weak<Way>) {
    for connection in listener.incoming() {
        let Some(way) = way.upgrade().filter(|way| !way.lock().is_over) else { return };
        let Ok(connection) = connection else { continue };
        thread::spawn(move || carry(&connection, target, &way));
    }
}

/// Carries one connection; an error on either side ends both, as it would without us.
fn carry(near: &TcpStream, target: u16, way: &Arc<Way>) -> io::Result<()> {
    if !way.is_open() {
        return Ok(());
    }
    let far = TcpStream::connect(("127.0.0.1", target))?;
    for side in [near, &far] {
        side.set_nodelay(true)?;
        way.remember(side)?;
    }
    let (back_from, back_to, back_way) = (far.try_clone()?, near.try_clone()?, way.clone());
    let back = thread::spawn(move || pump(back_from, back_to, &back_way));
    let there = pump(near.try_clone()?, far, way);
    back.join().unwrap_or(Ok(())).and(there)
}

fn pump(mut from: TcpStream, mut to: TcpStream, way: &Way) -> io::Result<()> {
    let mut buffer = [0; 64 << 10];
    let carried = loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(read) => read,
            Err(error) => break Err(error),
        };
        if !way.is_open() {
            break Ok(());
        }
        if let Err(error) = to.write_all(&buffer[..read]) {
            break Err(error);
        }
    };
    // A closed connection is not heard of either while the way is cut.
    way.is_open();
    // The other side may be gone already.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    carried
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_cut_way_is_silent_and_a_healed_one_brings_what_was_sent() {
        let target = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let relay = Relay::start(target.local_addr().expect("its address").port()).expect("a relay");
        let mut near = TcpStream::connect(("127.0.0.1", relay.port())).expect("a connection");
        let (mut far, _) = target.accept().expect("the other end");
        let mut byte = [0];
        near.write_all(b"a").expect("a byte goes");
        far.read_exact(&mut byte).expect("it arrives");

        relay.cut();
        near.write_all(b"b").expect("a byte goes");
        far.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
        assert!(far.read_exact(&mut byte).is_err(), "it does not arrive");
        relay.heal();
        far.set_read_timeout(Some(Duration::from_secs(5))).expect("a limit");
        far.read_exact(&mut byte).expect("it arrives");
        assert_eq!(byte, *b"b");

        drop(relay);
        assert_eq!(far.read(&mut byte).ok(), Some(0), "the end closes both sides");
    }
}
