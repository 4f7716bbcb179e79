//! What a tracker says about itself, and whether it adds up.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::time::sleep;

/// How long a tracker may take to ship what it has kept, when it ships nothing meanwhile.
const STUCK: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// The counters of a tracker, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    pub accepted: u64,
    pub durable: u64,
    pub refused: u64,
    pub in_flight: u64,
    pub shipped: u64,
    pub stored: u64,
    pub rejected: u64,
}

impl Numbers {
    /// Asks a tracker.
    pub async fn of(address: SocketAddr) -> Result<Self> {
        let answer = reqwest::get(format!("http://{address}/metrics")).await?.error_for_status()?;
        Self::parse(&answer.text().await?)
    }

    fn parse(text: &str) -> Result<Self> {
        let values: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        let number = |name: &str| {
            let value = values.get(name).with_context(|| format!("a tracker does not say {name}"))?;
            value.parse::<u64>().with_context(|| format!("{name} is no whole number"))
        };
        Ok(Self {
            accepted: number("tributary_events_accepted_total")?,
            durable: number("tributary_events_durable_total")?,
            refused: number("tributary_events_refused_total")?,
            in_flight: number("tributary_events_in_flight")?,
            shipped: number("tributary_events_shipped_total")?,
            stored: number("tributary_events_stored_total")?,
            rejected: number("tributary_events_rejected_total")?,
        })
    }

    /// Every click that was accepted is durable, refused or in flight.
    pub fn check_sum(&self) -> Result<()> {
        let Self { accepted, durable, refused, in_flight, .. } = self;
        ensure!(
            *accepted == durable + refused + in_flight,
            "{accepted} clicks were accepted, but {durable} are durable, {refused} refused and {in_flight} in flight"
        );
        Ok(())
    }

    /// Clicks that are kept and not yet in the database.
    pub fn backlog(&self) -> u64 {
        self.durable.saturating_sub(self.shipped)
    }
}

/// Waits until a tracker without visitors has shipped all it has kept, and returns its last numbers.
pub async fn when_shipped(address: SocketAddr) -> Result<Numbers> {
    let mut before = Numbers::of(address).await?;
    let mut since = Instant::now();
    loop {
        let now = Numbers::of(address).await?;
        now.check_sum()?;
        if now.in_flight == 0 && now.backlog() == 0 {
            return Ok(now);
        }
        if before.shipped != now.shipped || before.durable != now.durable {
            (before, since) = (now, Instant::now());
        }
        ensure!(since.elapsed() < STUCK, "nothing was shipped for {} s: {now:?}", STUCK.as_secs());
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE tributary_events_accepted_total counter\ntributary_events_accepted_total 10\n\
        tributary_events_durable_total 7\ntributary_events_refused_total 2\ntributary_events_in_flight 1\n\
        tributary_events_shipped_total 4\ntributary_events_stored_total 4\ntributary_events_rejected_total 0\n";

    #[test]
    fn numbers_are_read_and_add_up() {
        let numbers = Numbers::parse(TEXT).expect("all are there");
        assert_eq!((numbers.accepted, numbers.backlog()), (10, 3));
        numbers.check_sum().expect("7 + 2 + 1 = 10");
        let error = Numbers { in_flight: 0, ..numbers }.check_sum().expect_err("one is missing").to_string();
        assert_eq!(error, "10 clicks were accepted, but 7 are durable, 2 refused and 0 in flight");
    }

    #[test]
    fn a_number_that_is_missing_is_named() {
        let error = Numbers::parse("a 1\n").expect_err("nothing is there").to_string();
        assert_eq!(error, "a tracker does not say tributary_events_accepted_total");
    }
}
