//! A load generator for loopback: plain HTTP/1.1 over kept connections, bounded in time and count.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// What to send and how.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to; loopback only.
    pub address: SocketAddr,
    /// The request, byte for byte.
    pub request: String,
    /// The status that counts as success.
    pub expected_status: u16,
    /// How many connections at once.
    pub connections: usize,
    /// For how long.
    pub length: Duration,
    /// How the requests are paced.
    pub pace: Pace,
}

/// Closed loop: each connection sends its next request when the answer has come. Open loop: requests are
/// due at fixed instants and their latency counts from then, so that a stall is not hidden by waiting.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as the answers come.
    Closed,
    /// So many requests a second in all.
    PerSecond(u32),
}

/// What was seen.
#[derive(Debug)]
pub struct Seen {
    /// Answers with the expected status.
    pub answered: u64,
    /// Answers with another status.
    pub refused: u64,
    /// How long it took in all.
    pub took: Duration,
    /// Microseconds from when a request was due to its answer.
    pub latency_us: Histogram<u64>,
}

impl Seen {
    /// Expected answers a second.
    pub fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of one bounded run are far below 2^52")]
        let answered = self.answered as f64;
        answered / self.took.as_secs_f64()
    }

    /// The latency that a share `quantile` of the answers stayed below, in milliseconds.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        Duration::from_micros(self.latency_us.value_at_quantile(quantile)).as_secs_f64() * 1e3
    }
}

/// Runs the load and sums up what all connections saw.
pub async fn run(load: &Load) -> Result<Seen> {
    if !load.address.ip().is_loopback() {
        bail!("{} is not a loopback address; load is only ever sent to this machine", load.address);
    }
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..load.connections {
        tasks.spawn(connection(load.clone(), number, begin));
    }
    let mut all = Seen { answered: 0, refused: 0, took: Duration::ZERO, latency_us: histogram()? };
    while let Some(seen) = tasks.join_next().await {
        let seen = seen.context("a load connection panicked")??;
        all.answered += seen.answered;
        all.refused += seen.refused;
        all.latency_us.add(&seen.latency_us).context("two histograms of one shape add")?;
    }
    all.took = begin.elapsed();
    Ok(all)
}

fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3).context("a histogram of one microsecond to a minute")
}

async fn connection(load: Load, number: usize, begin: Instant) -> Result<Seen> {
    let mut stream = TcpStream::connect(load.address).await.context("the server refused a connection")?;
    stream.set_nodelay(true).context("TCP_NODELAY could not be set")?;
    let mut seen = Seen { answered: 0, refused: 0, took: Duration::ZERO, latency_us: histogram()? };
    let mut buffer = Vec::with_capacity(4_096);
    for turn in 0_u32.. {
        let due = match load.pace {
            Pace::Closed => Instant::now(),
            Pace::PerSecond(rate) => begin + due_after(rate, load.connections, number, turn),
        };
        if begin + load.length <= due {
            break;
        }
        sleep_until(due).await;
        stream.write_all(load.request.as_bytes()).await.context("the server closed a connection")?;
        let status = read_answer(&mut stream, &mut buffer).await?;
        let latency = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        seen.latency_us.saturating_record(latency.max(1));
        if status == load.expected_status { seen.answered += 1 } else { seen.refused += 1 }
    }
    Ok(seen)
}

/// When the `turn`th request of connection `number` is due, so that all connections together keep `rate`.
fn due_after(rate: u32, connections: usize, number: usize, turn: u32) -> Duration {
    let index = u64::from(turn) * connections as u64 + number as u64;
    Duration::from_nanos(index.saturating_mul(1_000_000_000) / u64::from(rate.max(1)))
}

/// Reads one answer whose body length is said by `Content-Length` (or is zero) and returns its status.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<u16> {
    buffer.clear();
    let head = loop {
        if stream.read_buf(buffer).await.context("the server broke off an answer")? == 0 {
            bail!("the server closed a connection in the middle of an answer");
        }
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let text = std::str::from_utf8(&buffer[..head]).context("the answer's head is not text")?;
    let status =
        text.get(9..12).and_then(|digits| digits.parse().ok()).context("the answer has no status")?;
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())
        .context("the answer's Content-Length is no number")?;
    while buffer.len() < head + 4 + length {
        if stream.read_buf(buffer).await.context("the server broke off a body")? == 0 {
            bail!("the server closed a connection in the middle of a body");
        }
    }
    Ok(status)
}
