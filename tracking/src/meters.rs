//! What a tracker says about itself in numbers: each is a line of [`METRICS`], and `docs/operations.md` lists them.

mod histogram;
mod page;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use http::StatusCode;

pub(crate) use self::histogram::{Distribution, Histogram};
use self::{
    histogram::Tally,
    page::{Metric, render},
};
use crate::{
    directory::{Closed, Directory},
    intake::meters::POSTBACKS,
    redirect::visitor::Uncounted,
    stream::Progress,
    wal::{AppendError, Counts, Occupied},
};

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

/// The statuses of answers to clicks, and all others.
const STATUSES: [(u16, &str); 8] = [
    (302, "302"),
    (200, "200"),
    (204, "204"),
    (400, "400"),
    (404, "404"),
    (410, "410"),
    (503, "503"),
    (0, "other"),
];

/// What requests count as they are answered, without a lock and without waiting for each other.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    uncounted: [AtomicU64; REASONS.len()],
    impressions: AtomicU64,
    answering: Histogram,
    answers: Tally<{ STATUSES.len() }>,
}

/// Everything that is told at one moment.
pub(crate) struct Moment<'a> {
    pub meters: &'a Meters,
    pub progress: &'a Progress,
    /// Read before the log's counts, so that no more are answered than were accepted.
    pub answering: Distribution,
    /// Read before what it is subtracted from, so that no difference is negative: first this,
    pub confirmed: u64,
    /// then this, and then the log's counts.
    pub published: u64,
    pub lag_s: f64,
    /// The log's own counts, all of one moment.
    pub counts: Counts,
    /// How long the disk took.
    pub sync_times: Distribution,
    pub occupied: Occupied,
    pub loss_bound_ms: u64,
    pub directory: Option<&'a Directory>,
}

/// Every number of a tracker.
static METRICS: &[Metric] = &[
    Metric::counter(
        "tributary_events_accepted_total",
        |now| now.counts.accepted,
        "Clicks and impressions brought to the log: durable, refused or in flight.",
    ),
    Metric::counter(
        "tributary_events_durable_total",
        |now| now.counts.durable,
        "Events that no crash can take any more.",
    ),
    Metric::counter(
        "tributary_events_refused_total",
        |now| now.counts.refused,
        "Events that the log could not keep; with commit durability each was answered 503.",
    ),
    Metric::counters(
        "tributary_events_refused_by_reason_total",
        "reason",
        |now| now.refused(),
        "The same refused events by reason.",
    ),
    Metric::gauge(
        "tributary_events_in_flight",
        |now| now.counts.in_flight,
        "Events on their way to the disk.",
    ),
    Metric::counter(
        "tributary_impressions_total",
        |now| now.meters.impressions.load(Relaxed),
        "Impressions among what was brought to the log; the others are clicks.",
    ),
    Metric::counters(
        "tributary_uncounted_total",
        "reason",
        |now| now.meters.uncounted(),
        "Requests answered without counting them as clicks or impressions.",
    ),
    Metric::histogram(
        "tributary_visit_seconds",
        |now| now.answering.clone(),
        "From the arrival of a click or an impression to its answer.",
    ),
    Metric::counters(
        "tributary_visit_answers_total",
        "status",
        |now| now.meters.answers(),
        "Answers to visitors, counted or not, by their HTTP status.",
    ),
    Metric::counter(
        "tributary_events_shipped_total",
        |now| now.progress.shipped.get(),
        "Events in the database or rejected.",
    ),
    Metric::counter(
        "tributary_events_stored_total",
        |now| now.progress.stored.get(),
        "Events that were not in the database before.",
    ),
    Metric::counter(
        "tributary_events_rejected_total",
        |now| now.progress.rejected.get(),
        "Events that the database refused for good and that were set aside in rejected_clicks or rejected_impressions.",
    ),
    Metric::counter(
        "tributary_ship_failures_total",
        |now| now.progress.failures.get(),
        "Attempts to store events that failed and were repeated.",
    ),
    Metric::seconds(
        "tributary_ship_lag_seconds",
        |now| now.lag_s,
        "The age of the oldest event that is being stored right now; 0 when none is.",
    ),
    Metric::gauge(
        "tributary_stream_unpublished",
        |now| (now.counts.durable + now.progress.inherited.get()).saturating_sub(now.published),
        "Durable events that the stream has not taken; those from before the tracker was opened once they are read.",
    ),
    Metric::gauge(
        "tributary_stream_unconfirmed",
        |now| now.published.saturating_sub(now.confirmed),
        "Events that the stream has taken and the database is not known to have; they are kept in the log.",
    ),
    Metric::counter(
        "tributary_stream_published_total",
        |now| now.published,
        "Events of this log that the stream has taken.",
    ),
    Metric::counter(
        "tributary_stream_confirmed_total",
        |now| now.confirmed,
        "Events of this log that the database has.",
    ),
    Metric::counter(
        "tributary_stream_republished_total",
        |now| now.progress.republished.get(),
        "Events published once more, because they had got lost behind the stream's acknowledgement.",
    ),
    Metric::counter(
        "tributary_stream_redelivered_total",
        |now| now.progress.redelivered.get(),
        "Events that the stream delivered more than once, which changes nothing.",
    ),
    Metric::counter(
        "tributary_stream_failures_total",
        |now| now.progress.publish_failures.get(),
        "Attempts to publish that failed and were repeated.",
    ),
    Metric::counter(
        "tributary_log_damaged_total",
        |now| now.progress.damaged.get(),
        "Places in the log that the disk did not give back.",
    ),
    Metric::gauge(
        "tributary_log_queue",
        |now| now.counts.waiting,
        "Events that wait for the log's writer: of those in flight the ones that are not being written yet.",
    ),
    Metric::histogram(
        "tributary_log_sync_seconds",
        |now| now.sync_times.clone(),
        "How long the disk took to make all events last that had come together.",
    ),
    Metric::counter("tributary_log_segments_total", |now| now.counts.segments, "Segments of the log begun."),
    Metric::gauge(
        "tributary_log_files",
        |now| now.occupied.segments,
        "Segments of the log on disk: those with events that are not known to be stored, and the one being written.",
    ),
    Metric::gauge(
        "tributary_log_bytes",
        |now| now.occupied.bytes,
        "Bytes that the log takes on disk, room that it has reserved included.",
    ),
    Metric::gauge(
        "tributary_log_loss_bound_milliseconds",
        |now| now.loss_bound_ms,
        "With interval durability, how long an answered event may wait for the disk to be asked; 0 with commit.",
    ),
    Metric::gauge(
        "tributary_directory_links",
        |now| now.directory.map_or(0, |directory| directory.len() as u64),
        "Links that are known, whether they take clicks or not.",
    ),
    Metric::seconds(
        "tributary_directory_age_seconds",
        |now| now.directory.and_then(Directory::age).map_or(f64::INFINITY, |age| age.as_secs_f64()),
        "How long ago the links were last known to be as the database has them; +Inf when never since the start.",
    ),
    Metric::counters(
        "tributary_postbacks_total",
        "outcome",
        |_| POSTBACKS.read(),
        "Postbacks answered by this process, by what became of them.",
    ),
];

impl Meters {
    /// A request was answered that is no click.
    pub(crate) fn count(&self, reason: impl Into<Reason>) {
        self.uncounted[reason.into() as usize].fetch_add(1, Relaxed);
    }

    /// An advertisement was shown to somebody.
    pub(crate) fn saw_impression(&self) {
        self.impressions.fetch_add(1, Relaxed);
    }

    /// How long answers took.
    pub(crate) fn answering(&self) -> Distribution {
        self.answering.read()
    }

    /// A click was answered.
    pub(crate) fn answered(&self, within: Duration) {
        self.answering.record(within);
    }

    /// A visitor was answered, with whatever it was.
    pub(crate) fn told(&self, status: StatusCode) {
        let status = status.as_u16();
        let known = STATUSES.iter().position(|(known, _)| *known == status);
        self.answers.count(known.unwrap_or(STATUSES.len() - 1));
    }

    fn answers(&self) -> Vec<(&'static str, u64)> {
        STATUSES.iter().map(|(_, name)| *name).zip(self.answers.read()).collect()
    }

    fn uncounted(&self) -> Vec<(&'static str, u64)> {
        REASONS.iter().zip(&self.uncounted).map(|((_, name), count)| (*name, count.load(Relaxed))).collect()
    }
}

impl Moment<'_> {
    fn refused(&self) -> Vec<(&'static str, u64)> {
        AppendError::NAMES.iter().map(|(_, name)| *name).zip(self.counts.refused_by).collect()
    }

    /// Everything as text.
    pub(crate) fn render(&self) -> String {
        render(METRICS, self)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What operators are told.
    const MANUAL: &str = include_str!("../../docs/operations.md");

    #[test]
    fn every_reason_stands_at_its_place_under_a_name_of_its_own() {
        for (position, (reason, name)) in REASONS.iter().enumerate() {
            assert_eq!(*reason as usize, position);
            assert!(REASONS[..position].iter().all(|(_, other)| other != name), "{name} is listed twice");
        }
        assert!((0..).zip(AppendError::NAMES).all(|(position, (error, _))| error as usize == position));
    }

    #[test]
    fn names_are_unique_and_docs_are_sentences() {
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        assert!(METRICS.iter().all(|metric| metric.doc.ends_with('.') && 20 < metric.doc.len()));
    }

    #[test]
    fn the_manual_lists_every_number_as_the_code_has_it() {
        let line =
            |metric: &Metric| format!("| `{}` | {} | {} |\n", metric.name, metric.kind.name(), metric.doc);
        let table: String = METRICS.iter().map(line).collect();
        assert!(MANUAL.contains(&table), "docs/operations.md should have these lines:\n{table}");
        let told = MANUAL.matches("| `tributary_").count();
        assert_eq!(told, METRICS.len(), "docs/operations.md lists numbers that there are not");
    }
}
