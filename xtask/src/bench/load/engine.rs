//! One thread that keeps many connections busy: it waits for all of them at once and never for one.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufWriter, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    io::Errno,
};

use super::{
    Load, Pace,
    answer::{self, Answer},
    tally::{Quantiles, Seen},
};

/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the patience is looked at while nothing happens.
const GLANCE_NS: u64 = 1_000_000_000;
/// How many connections are looked at in one go.
const AT_ONCE: usize = 256;
/// The most that one answer may have.
const ANSWER_LIMIT: usize = 64 << 10;

/// Sends the load and sums up.
pub fn run(load: &Load) -> Result<Seen> {
    Engine::new(load)?.run()
}

/// Time is in nanoseconds since the beginning.
struct Engine<'a> {
    load: &'a Load,
    begin: Instant,
    end_ns: u64,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// Connections without a request under way; who has waited longest comes first.
    idle: VecDeque<usize>,
    /// How many requests have been sent.
    sent: u64,
    /// Whether a request is due that found no idle connection.
    is_starved: bool,
    buffer: Box<[u8]>,
    tally: Tally,
}

struct Connection {
    stream: TcpStream,
    /// When the request under way was due.
    due_ns: u64,
    /// Which of the requests it is.
    request: usize,
    /// What has come of an answer that is not all there.
    partial: Vec<u8>,
}

struct Tally {
    seen: Seen,
    latency: Histogram<u64>,
    lateness: Histogram<u64>,
    ids: Option<BufWriter<File>>,
}

impl<'a> Engine<'a> {
    fn new(load: &'a Load) -> Result<Self> {
        ensure!(!load.requests.is_empty() && 0 < load.connections, "a load has requests and connections");
        ensure!(load.pace != Pace::PerSecond(0), "a load of nothing a second never ends");
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let connections = (0..load.connections).map(|index| connect(&epoll, load.address, index));
        Ok(Self {
            load,
            connections: connections.collect::<Result<_>>()?,
            begin: Instant::now(),
            end_ns: nanos(load.warm_up + load.length),
            epoll,
            idle: (0..load.connections).collect(),
            sent: 0,
            is_starved: false,
            buffer: vec![0; 16 << 10].into(),
            tally: Tally::new(load)?,
        })
    }

    fn run(mut self) -> Result<Seen> {
        let mut events: Vec<Event> = Vec::with_capacity(AT_ONCE);
        let deadline_ns = self.end_ns + nanos(PATIENCE);
        loop {
            let now_ns = self.now_ns();
            self.send_due(now_ns)?;
            let due_ns = self.next_due_ns(now_ns);
            if due_ns.is_none() && self.idle.len() == self.connections.len() {
                return self.tally.finish(self.load);
            }
            ensure!(now_ns < deadline_ns, "the last answers did not come within {} s", PATIENCE.as_secs());
            let wait_ns = match due_ns {
                Some(due_ns) if !self.is_starved => due_ns.saturating_sub(now_ns).min(GLANCE_NS),
                _ => GLANCE_NS,
            };
            let timeout = Timespec::try_from(Duration::from_nanos(wait_ns))?;
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("the connections cannot be waited for"),
            }
            for event in events.drain(..) {
                let data = event.data;
                self.receive(usize::try_from(data.u64())?)?;
                self.send_due(self.now_ns())?;
            }
        }
    }

    fn now_ns(&self) -> u64 {
        nanos(self.begin.elapsed())
    }

    /// When the next request is due, if there is another: in a closed loop that is at once.
    fn next_due_ns(&self, now_ns: u64) -> Option<u64> {
        if self.load.at_most.is_some_and(|at_most| at_most <= self.sent) {
            return None;
        }
        let due_ns = match self.load.pace {
            Pace::Closed => now_ns,
            Pace::PerSecond(rate) => {
                u64::try_from(u128::from(self.sent) * 1_000_000_000 / u128::from(rate)).unwrap_or(u64::MAX)
            }
        };
        (due_ns < self.end_ns).then_some(due_ns)
    }

    /// Sends what is due, as far as connections are idle.
    fn send_due(&mut self, now_ns: u64) -> Result<()> {
        while let Some(due_ns) = self.next_due_ns(now_ns).filter(|due| *due <= now_ns) {
            let Some(index) = self.idle.pop_front() else {
                self.is_starved = true;
                return Ok(());
            };
            if !self.is_starved {
                self.tally.lateness.saturating_record(now_ns - due_ns);
            }
            self.send(index, due_ns)?;
        }
        self.is_starved = false;
        Ok(())
    }

    fn send(&mut self, index: usize, due_ns: u64) -> Result<()> {
        let requests = &self.load.requests;
        let number = usize::try_from(self.sent)? % requests.len();
        let request = requests[number].as_bytes();
        self.sent += 1;
        let connection = &mut self.connections[index];
        (connection.due_ns, connection.request) = (due_ns, number);
        match connection.stream.write(request) {
            Ok(written) if written == request.len() => Ok(()),
            Ok(_) => bail!("a request does not fit into an empty connection"),
            // That it is closed is also what reading from it will say, and it is counted there.
            Err(error) if is_closed(&error) => Ok(()),
            Err(error) => Err(error).context("a request cannot be sent"),
        }
    }

    /// Takes what has come on a connection.
    fn receive(&mut self, index: usize) -> Result<()> {
        let connection = &mut self.connections[index];
        let count = match connection.stream.read(&mut self.buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if is_closed(&error) => 0,
            Err(error) => return Err(error).context("an answer cannot be read"),
        };
        if count == 0 {
            return self.replace(index);
        }
        let is_continued = !connection.partial.is_empty();
        if is_continued {
            connection.partial.extend_from_slice(&self.buffer[..count]);
        }
        let received = if is_continued { &connection.partial } else { &self.buffer[..count] };
        match answer::scan(received)? {
            Some(answer) if answer.length == received.len() => {
                let now_ns = nanos(self.begin.elapsed());
                let is_expected = self.load.bodies.get(connection.request).is_none_or(|expected| {
                    expected.iter().any(|body| body.as_bytes() == &received[answer.head..])
                });
                if answer.status == self.load.expected_status && !is_expected {
                    self.tally.seen.strange += 1;
                }
                self.tally.count(
                    self.load,
                    &answer,
                    &received[..answer.head],
                    (connection.due_ns, now_ns),
                )?;
                connection.partial.clear();
                self.idle.push_back(index);
            }
            Some(_) => bail!("the server sent more than was asked for"),
            None if ANSWER_LIMIT < received.len() => bail!("an answer is longer than {ANSWER_LIMIT} bytes"),
            None if is_continued => {}
            None => connection.partial.extend_from_slice(&self.buffer[..count]),
        }
        Ok(())
    }

    /// Opens a connection in place of one that the server has closed.
    fn replace(&mut self, index: usize) -> Result<()> {
        self.connections[index] = connect(&self.epoll, self.load.address, index)?;
        if !self.idle.contains(&index) {
            self.tally.seen.broken += 1;
            self.idle.push_back(index);
        }
        Ok(())
    }
}

impl Tally {
    fn new(load: &Load) -> Result<Self> {
        let ids = load.ids.as_deref().map(File::create).transpose();
        Ok(Self {
            seen: Seen {
                answered: 0,
                measured: 0,
                others: Default::default(),
                broken: 0,
                strange: 0,
                length: load.length,
                latency: Quantiles::default(),
                lateness: Quantiles::default(),
            },
            latency: Quantiles::histogram()?,
            lateness: Quantiles::histogram()?,
            ids: ids.context("the ids of clicks cannot be kept")?.map(BufWriter::new),
        })
    }

    /// An answer has come. In a closed loop it is measured when it came in time, in an open one when it was due in time.
    fn count(
        &mut self,
        load: &Load,
        answer: &Answer,
        head: &[u8],
        (due_ns, now_ns): (u64, u64),
    ) -> Result<()> {
        if answer.status != load.expected_status {
            *self.seen.others.entry(answer.status).or_default() += 1;
            return Ok(());
        }
        self.seen.answered += 1;
        let counts_at_ns = if load.pace == Pace::Closed { now_ns } else { due_ns };
        if nanos(load.warm_up) <= counts_at_ns && counts_at_ns < nanos(load.warm_up + load.length) {
            self.seen.measured += 1;
            self.latency.saturating_record(now_ns - due_ns);
        }
        if let Some(ids) = &mut self.ids {
            let id = answer::click_id(head).context("an answer names no click")?;
            ids.write_all(id.uuid().as_bytes())?;
        }
        Ok(())
    }

    fn finish(mut self, load: &Load) -> Result<Seen> {
        if let Some(mut ids) = self.ids {
            ids.flush()?;
        }
        self.seen.length = load.length;
        self.seen.latency = Quantiles::of(&self.latency);
        self.seen.lateness = Quantiles::of(&self.lateness);
        Ok(self.seen)
    }
}

fn connect(epoll: &OwnedFd, address: SocketAddr, index: usize) -> Result<Connection> {
    let stream = TcpStream::connect(address).context("the server refuses a connection")?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    epoll::add(epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
    Ok(Connection { stream, due_ns: 0, request: 0, partial: Vec::new() })
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// A server that answers every request of every connection after `delay` with the next of these statuses.
    fn server(statuses: &'static [u16], delay: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                stream.set_nodelay(true).expect("a connection");
                thread::spawn(move || {
                    let mut request = [0; 1024];
                    let mut statuses = statuses.iter().cycle();
                    while stream.read(&mut request).is_ok_and(|count| 0 < count) {
                        thread::sleep(delay);
                        let status = statuses.next().expect("they go round");
                        let answer = format!("HTTP/1.1 {status} Status\r\nContent-Length: 2\r\n\r\nok");
                        // In two pieces, as a network may deliver it.
                        let (first, second) = answer.split_at(answer.len() - 3);
                        stream.write_all(first.as_bytes()).expect("a client");
                        stream.write_all(second.as_bytes()).expect("a client");
                    }
                });
            }
        });
        address
    }

    fn load(address: SocketAddr, connections: usize, pace: Pace) -> Load {
        Load {
            address,
            requests: vec!["GET / HTTP/1.1\r\n\r\n".to_owned()],
            expected_status: 302,
            connections,
            warm_up: Duration::ZERO,
            length: Duration::from_millis(300),
            pace,
            at_most: None,
            ids: None,
            bodies: Vec::new(),
        }
    }

    #[test]
    fn every_answer_is_counted_by_its_status() {
        let address = server(&[302, 503], Duration::ZERO);
        let seen = run(&load(address, 4, Pace::Closed)).expect("a run");
        assert!(8 <= seen.answered, "{seen:?}");
        assert!(seen.answered.abs_diff(seen.others[&503]) <= 4, "{seen:?}");
        assert_eq!((seen.others.len(), seen.broken), (1, 0));
    }

    #[test]
    fn an_open_loop_sends_all_that_is_due_and_blames_the_server_for_the_wait() {
        // One connection answers once in 10 ms, and a request is due each 5 ms: the 60th waits about 300 ms.
        let address = server(&[302], Duration::from_millis(10));
        let seen = run(&load(address, 1, Pace::PerSecond(200))).expect("a run");
        assert_eq!((seen.answered, seen.measured), (60, 60));
        assert!(250.0 < seen.latency.max_ms, "{seen:?}");
        assert!(100.0 < seen.latency.p50_ms, "{seen:?}");
    }

    #[test]
    fn a_body_that_was_not_expected_is_counted_beside_its_status() {
        let address = server(&[302], Duration::ZERO);
        let bodies = |allowed: &[&str]| vec![allowed.iter().map(|body| (*body).to_owned()).collect()];
        let strange = |bodies| {
            let load = Load { at_most: Some(10), bodies, ..load(address, 2, Pace::Closed) };
            let seen = run(&load).expect("a run");
            (seen.answered, seen.strange)
        };
        assert_eq!(strange(bodies(&["no", "ok"])), (10, 0));
        assert_eq!(strange(bodies(&["no", "okay"])), (10, 10));
    }

    #[test]
    fn a_load_may_end_by_its_count() {
        let address = server(&[302], Duration::ZERO);
        let load = Load { at_most: Some(10), ..load(address, 4, Pace::Closed) };
        assert_eq!(run(&load).expect("a run").answered, 10);
    }

    #[test]
    fn an_open_loop_keeps_its_rate() {
        let address = server(&[302], Duration::ZERO);
        let seen = run(&load(address, 8, Pace::PerSecond(1_000))).expect("a run");
        assert_eq!((seen.answered, seen.unexpected(), seen.broken), (300, 0, 0));
    }
}
