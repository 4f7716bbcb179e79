//! What a tracker says about itself in numbers, as Prometheus reads them.

use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::{directory::Closed, redirect::visitor::Uncounted, stream::Progress, wal::Counts};

/// Where the histogram of answering times has its steps, in seconds.
const STEPS_S: [f64; 12] = [0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0];
/// Why a request was answered without being counted as a click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Head,
    Prefetch,
    Bot,
    Unknown,
    Affiliate,
    Paused,
    Ended,
    DeepLink,
}

/// Every reason, in the order of declaration, with its name in the numbers.
const REASONS: [(Reason, &str); 8] = [
    (Reason::Head, "head"),
    (Reason::Prefetch, "prefetch"),
    (Reason::Bot, "bot"),
    (Reason::Unknown, "unknown"),
    (Reason::Affiliate, "affiliate"),
    (Reason::Paused, "paused"),
    (Reason::Ended, "ended"),
    (Reason::DeepLink, "deep_link"),
];

/// The numbers of one tracker.
pub(crate) struct Meters {
    handle: PrometheusHandle,
    accepted: Counter,
    durable: Counter,
    refused: Counter,
    in_flight: Gauge,
    shipped: Counter,
    stored: Counter,
    rejected: Counter,
    failures: Counter,
    damaged: Counter,
    stream: StreamMeters,
    syncs: Counter,
    sync_us: Counter,
    segments: Counter,
    links: Gauge,
    uncounted: [Counter; REASONS.len()],
    answering: Histogram,
}

impl Meters {
    /// Numbers of its own: two trackers in one process do not add up to one.
    pub(crate) fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new().set_buckets(&STEPS_S)?.build_recorder();
        let handle = recorder.handle();
        Ok(metrics::with_local_recorder(&recorder, || {
            describe();
            Self {
                handle,
                accepted: counter!("tributary_clicks_accepted_total"),
                durable: counter!("tributary_clicks_durable_total"),
                refused: counter!("tributary_clicks_refused_total"),
                in_flight: gauge!("tributary_clicks_in_flight"),
                shipped: counter!("tributary_clicks_shipped_total"),
                stored: counter!("tributary_clicks_stored_total"),
                rejected: counter!("tributary_clicks_rejected_total"),
                failures: counter!("tributary_ship_failures_total"),
                damaged: counter!("tributary_log_damaged_total"),
                stream: StreamMeters::new(),
                syncs: counter!("tributary_log_syncs_total"),
                sync_us: counter!("tributary_log_sync_microseconds_total"),
                segments: counter!("tributary_log_segments_total"),
                links: gauge!("tributary_directory_links"),
                uncounted: REASONS
                    .map(|(_, reason)| counter!("tributary_clicks_uncounted_total", "reason" => reason)),
                answering: histogram!("tributary_click_seconds"),
            }
        }))
    }

    /// A request was answered that is no click.
    pub(crate) fn count(&self, reason: impl Into<Reason>) {
        self.uncounted[reason.into() as usize].increment(1);
    }

    /// A click was answered.
    pub(crate) fn answered(&self, within: Duration) {
        self.answering.record(within.as_secs_f64());
    }

    /// Everything as text; the counters of the log are taken at one moment.
    pub(crate) fn render(&self, counts: Counts, progress: &Progress, links: usize) -> String {
        self.accepted.absolute(counts.accepted);
        self.durable.absolute(counts.durable);
        self.refused.absolute(counts.refused);
        self.in_flight.set(counts.in_flight as f64);
        self.syncs.absolute(counts.syncs);
        self.sync_us.absolute(counts.sync_us);
        self.segments.absolute(counts.segments);
        self.shipped.absolute(progress.shipped.get());
        self.stored.absolute(progress.stored.get());
        self.rejected.absolute(progress.rejected.get());
        self.failures.absolute(progress.failures.get());
        self.damaged.absolute(progress.damaged.get());
        self.stream.set(counts, progress);
        self.links.set(links as f64);
        self.handle.render()
    }

    /// Takes in what the histogram has gathered, so that it does not grow while nobody reads it.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// The numbers of the way from the log into the database.
struct StreamMeters {
    unpublished: Gauge,
    unconfirmed: Gauge,
    published: Counter,
    confirmed: Counter,
    republished: Counter,
    redelivered: Counter,
    failures: Counter,
}

impl StreamMeters {
    fn new() -> Self {
        Self {
            unpublished: gauge!("tributary_stream_unpublished"),
            unconfirmed: gauge!("tributary_stream_unconfirmed"),
            published: counter!("tributary_stream_published_total"),
            confirmed: counter!("tributary_stream_confirmed_total"),
            republished: counter!("tributary_stream_republished_total"),
            redelivered: counter!("tributary_stream_redelivered_total"),
            failures: counter!("tributary_stream_failures_total"),
        }
    }

    fn set(&self, counts: Counts, progress: &Progress) {
        // Read in this order, each number is at least as large as the one it is subtracted from.
        let confirmed = progress.confirmed.get();
        let published = progress.published.get();
        let in_log = counts.durable + progress.inherited.get();
        self.unpublished.set(in_log.saturating_sub(published) as f64);
        self.unconfirmed.set(published.saturating_sub(confirmed) as f64);
        self.published.absolute(published);
        self.confirmed.absolute(confirmed);
        self.republished.absolute(progress.republished.get());
        self.redelivered.absolute(progress.redelivered.get());
        self.failures.absolute(progress.publish_failures.get());
    }
}

impl From<Uncounted> for Reason {
    fn from(uncounted: Uncounted) -> Self {
        match uncounted {
            Uncounted::Head => Self::Head,
            Uncounted::Prefetch => Self::Prefetch,
            Uncounted::Bot => Self::Bot,
        }
    }
}

impl From<Closed> for Reason {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Unknown => Self::Unknown,
            Closed::Affiliate => Self::Affiliate,
            Closed::Paused => Self::Paused,
            Closed::Ended => Self::Ended,
        }
    }
}

fn describe_stream() {
    describe_gauge!(
        "tributary_stream_unpublished",
        "Durable clicks that the stream has not taken; those from before the tracker was opened once they are read."
    );
    describe_gauge!(
        "tributary_stream_unconfirmed",
        "Clicks that the stream has taken and the database is not known to have; they are kept in the log."
    );
    describe_counter!("tributary_stream_published_total", "Clicks of this log that the stream has taken.");
    describe_counter!("tributary_stream_confirmed_total", "Clicks of this log that the database has.");
    describe_counter!(
        "tributary_stream_republished_total",
        "Clicks published once more, because they had got lost behind the stream's acknowledgement."
    );
    describe_counter!(
        "tributary_stream_redelivered_total",
        "Clicks that the stream delivered more than once, which changes nothing."
    );
    describe_counter!(
        "tributary_stream_failures_total",
        "Attempts to publish that failed and were repeated."
    );
}

fn describe() {
    describe_stream();
    describe_counter!(
        "tributary_clicks_accepted_total",
        "Clicks brought to the log: durable, refused or in flight."
    );
    describe_counter!("tributary_clicks_durable_total", "Clicks that no crash can take any more.");
    describe_counter!(
        "tributary_clicks_refused_total",
        "Clicks answered with 503, because the log could not keep them."
    );
    describe_gauge!("tributary_clicks_in_flight", "Clicks on their way to the disk.");
    describe_counter!("tributary_clicks_shipped_total", "Clicks in the database or rejected.");
    describe_counter!("tributary_clicks_stored_total", "Clicks that were not in the database before.");
    describe_counter!(
        "tributary_clicks_rejected_total",
        "Clicks that the database refused for good, set aside in rejected_clicks."
    );
    describe_counter!(
        "tributary_ship_failures_total",
        "Attempts to store clicks that failed and were repeated."
    );
    describe_counter!("tributary_log_damaged_total", "Places in the log that the disk did not give back.");
    describe_counter!("tributary_log_syncs_total", "How often the disk was asked to make clicks last.");
    describe_counter!("tributary_log_sync_microseconds_total", "How long that took, all in all.");
    describe_counter!("tributary_log_segments_total", "Segments of the log begun.");
    describe_gauge!("tributary_directory_links", "Links that can be followed.");
    describe_counter!(
        "tributary_clicks_uncounted_total",
        "Requests answered without counting them as clicks."
    );
    describe_histogram!("tributary_click_seconds", "From the arrival of a click to its answer.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_at_its_place_under_a_name_of_its_own() {
        for (position, (reason, name)) in REASONS.iter().enumerate() {
            assert_eq!(*reason as usize, position);
            assert!(REASONS[..position].iter().all(|(_, other)| other != name), "{name} is listed twice");
        }
    }
}
