//! What background jobs and decisions say about themselves in numbers, beside those of a tracker; docs/operations.md lists them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use axum::http::{HeaderName, header};
use chrono::{DateTime, Utc};

use crate::{
    api::{INFERENCES, limits::room::METERS as REQUESTS},
    mail::METERS as LETTERS,
    matching::METERS,
    scoring::external::METERS as ASKED,
    store::case_numbers::Numbers,
};

/// When nothing has happened yet.
const NEVER: i64 = i64::MIN;

/// What this process has brought into the event lake.
pub struct Lake {
    events: AtomicU64,
    /// When the newest of them happened.
    newest_us: AtomicI64,
    /// When the lake was last known to have all that was stored.
    complete_us: AtomicI64,
}

/// The numbers of this process.
pub static LAKE: Lake =
    Lake { events: AtomicU64::new(0), newest_us: AtomicI64::new(NEVER), complete_us: AtomicI64::new(NEVER) };

/// What this process has decided about fraud, and how far what it knows of the past has come.
pub struct Scores {
    approved: AtomicU64,
    held: AtomicU64,
    degraded: AtomicU64,
    late: AtomicU64,
    as_of_us: AtomicI64,
    crossed: AtomicU64,
}

/// The decisions of this process.
pub static SCORES: Scores = Scores {
    approved: AtomicU64::new(0),
    held: AtomicU64::new(0),
    degraded: AtomicU64::new(0),
    late: AtomicU64::new(0),
    as_of_us: AtomicI64::new(NEVER),
    crossed: AtomicU64::new(0),
};

/// One number: its name, whether it only grows, and what it says.
struct Metric {
    name: &'static str,
    kind: &'static str,
    doc: &'static str,
    read: fn(&Lake, &Scores, DateTime<Utc>) -> f64,
}

const METRICS: [Metric; 9] = [
    Metric {
        name: "tributary_lake_exported_total",
        kind: "counter",
        doc: "Events that this process brought into the lake; those of an export that was cut off count again.",
        read: |lake, _, _| lake.events.load(Relaxed) as f64,
    },
    Metric {
        name: "tributary_lake_age_seconds",
        kind: "gauge",
        doc: "How long ago the lake last had all that was stored and committed; +Inf when never since the start.",
        read: |lake, _, now| age_s(lake.complete_us.load(Relaxed), now),
    },
    Metric {
        name: "tributary_lake_newest_event_age_seconds",
        kind: "gauge",
        doc: "How long ago the newest event happened that this process brought into the lake; +Inf when none was.",
        read: |lake, _, now| age_s(lake.newest_us.load(Relaxed), now),
    },
    Metric {
        name: "tributary_fraud_approved_total",
        kind: "counter",
        doc: "Decisions of this process to let a conversion go its way.",
        read: |_, scores, _| scores.approved.load(Relaxed) as f64,
    },
    Metric {
        name: "tributary_fraud_held_total",
        kind: "counter",
        doc: "Decisions of this process to hold a conversion, those in the shadow among them.",
        read: |_, scores, _| scores.held.load(Relaxed) as f64,
    },
    Metric {
        name: "tributary_fraud_degraded_total",
        kind: "counter",
        doc: "Decisions that were made without the features or the model that there should be.",
        read: |_, scores, _| scores.degraded.load(Relaxed) as f64,
    },
    Metric {
        name: "tributary_features_late_total",
        kind: "counter",
        doc: "Events that this process saw after its features had passed the instant at which they became known.",
        read: |_, scores, _| scores.late.load(Relaxed) as f64,
    },
    Metric {
        name: "tributary_features_age_seconds",
        kind: "gauge",
        doc: "How long before now everything is counted that features need; +Inf until they are filled.",
        read: |_, scores, now| age_s(scores.as_of_us.load(Relaxed), now),
    },
    Metric {
        name: "tributary_fraud_bounds_crossed",
        kind: "gauge",
        doc: "How many of the bounds of GET /api/v1/models/fraud/health this worker found crossed when it looked last.",
        read: |_, scores, _| scores.crossed.load(Relaxed) as f64,
    },
];

impl Scores {
    /// A decision was made.
    pub fn decided(&self, is_held: bool, is_degraded: bool) {
        let verdict = if is_held { &self.held } else { &self.approved };
        verdict.fetch_add(1, Relaxed);
        self.degraded.fetch_add(is_degraded.into(), Relaxed);
    }

    /// So many bounds are crossed.
    pub fn crossed(&self, bounds: u64) {
        self.crossed.store(bounds, Relaxed);
    }

    /// Features have come so far.
    pub fn reached(&self, as_of: Option<DateTime<Utc>>, late: u64) {
        self.late.store(late, Relaxed);
        self.as_of_us.store(as_of.map_or(NEVER, |as_of| as_of.timestamp_micros()), Relaxed);
    }
}

impl Lake {
    /// Events are in the lake, the newest of which happened then.
    pub fn given(&self, events: u64, newest_us: Option<i64>) {
        self.events.fetch_add(events, Relaxed);
        self.newest_us.fetch_max(newest_us.unwrap_or(NEVER), Relaxed);
    }

    /// All that was stored by then is in the lake.
    pub fn is_complete(&self, by: DateTime<Utc>) {
        self.complete_us.fetch_max(by.timestamp_micros(), Relaxed);
    }
}

fn age_s(then_us: i64, now: DateTime<Utc>) -> f64 {
    if then_us == NEVER { f64::INFINITY } else { (now.timestamp_micros() - then_us) as f64 / 1e6 }
}

/// A number that this process counts, of lists that it has served, requests, what it has asked outside and letters: its name, its kind, what it says, and where it is counted.
type OfLists = (&'static str, &'static str, &'static str, fn() -> &'static AtomicU64);

const OF_LISTS: [OfLists; 5] = [
    (
        "tributary_recommendations_served_total",
        "counter",
        "Lists of recommendations that this process has served.",
        || &METERS.served,
    ),
    (
        "tributary_recommendations_degraded_total",
        "counter",
        "Those of them that were made by the records, as no version of match could be asked.",
        || &METERS.degraded,
    ),
    (
        "tributary_recommendations_logged_total",
        "counter",
        "Lists that this process has written into the log.",
        || &METERS.kept,
    ),
    (
        "tributary_recommendations_lost_total",
        "counter",
        "Lists that were served and are not in the log: too many waited, or the database refused them twice.",
        || &METERS.lost,
    ),
    (
        "tributary_recommendations_waiting",
        "gauge",
        "Lists that wait to be written into the log; what a crash would lose.",
        || &METERS.waiting,
    ),
];

const OF_REQUESTS: [OfLists; 3] = [
    ("tributary_requests_in_work", "gauge", "Requests to the API that this process works on now.", || {
        &REQUESTS.in_work
    }),
    (
        "tributary_requests_refused_total",
        "counter",
        "Requests to the API that were answered 503 because --max-concurrent were in work.",
        || &REQUESTS.refused,
    ),
    (
        "tributary_inferences_total",
        "counter",
        "Inferences of the Open Inference Protocol that this process has answered; its log has a line for those that failed.",
        || &INFERENCES,
    ),
];

const OF_EXTERNAL: [OfLists; 7] = [
    (
        "tributary_external_scores_asked_total",
        "counter",
        "Requests that this process sent to a provider of scores outside.",
        || &ASKED.asked,
    ),
    (
        "tributary_external_scores_answered_total",
        "counter",
        "Those of them that were answered with a score in time.",
        || &ASKED.answered,
    ),
    (
        "tributary_external_scores_failed_total",
        "counter",
        "Decisions that asked a provider in vain; each says so under degraded.",
        || &ASKED.failed,
    ),
    (
        "tributary_external_scores_cached_total",
        "counter",
        "Decisions that had an earlier answer about the same customer.",
        || &ASKED.cached,
    ),
    (
        "tributary_external_scores_refused_total",
        "counter",
        "Decisions that went without, because the budget of the day had no call left.",
        || &ASKED.refused,
    ),
    (
        "tributary_external_scores_paused_total",
        "counter",
        "Decisions that went without, because the provider had failed again and again.",
        || &ASKED.paused,
    ),
    (
        "tributary_external_scores_waited_ms_total",
        "counter",
        "Milliseconds that decisions waited for a provider.",
        || &ASKED.waited_ms,
    ),
];

const OF_LETTERS: [OfLists; 2] = [
    (
        "tributary_letters_failed_total",
        "counter",
        "Letters with sign-in links that were given up: refused, or tried in vain three times; the log says why.",
        || &LETTERS.failed,
    ),
    (
        "tributary_letters_refused_total",
        "counter",
        "Links asked for on the pages that nothing was done about, because 32 were on their way.",
        || &LETTERS.refused,
    ),
];

/// How cases stood when this process last looked, if it does.
pub static CASES: ArcSwapOption<Numbers> = ArcSwapOption::const_empty();

/// A number of cases: its name, what it says, and how it is read. All of them go up and down.
type OfCases = (&'static str, &'static str, fn(&Numbers, DateTime<Utc>) -> f64);

const OF_CASES: [OfCases; 11] = [
    ("tributary_cases_open", "Cases that nobody has taken.", |it, _| it.open as f64),
    ("tributary_cases_in_review", "Cases that somebody looks at.", |it, _| it.in_review as f64),
    ("tributary_cases_waiting", "Cases whose partners were asked.", |it, _| it.waiting as f64),
    (
        "tributary_cases_oldest_age_seconds",
        "How long the oldest case that is not decided has been open.",
        |it, now| it.oldest.map_or(0.0, |oldest| age_s(oldest.timestamp_micros(), now)),
    ),
    ("tributary_appeals_overdue", "Answers of partners that were to be decided about by now.", |it, _| {
        it.appeals_overdue as f64
    }),
    ("tributary_cases_approved_30d", "Cases that were approved in the last 30 days.", |it, _| {
        it.approved as f64
    }),
    ("tributary_cases_rejected_30d", "Cases that were rejected in the last 30 days.", |it, _| {
        it.rejected as f64
    }),
    ("tributary_cases_released_30d", "Cases that were released in the last 30 days.", |it, _| {
        it.released as f64
    }),
    (
        "tributary_cases_elsewhere_30d",
        "Cases whose conversions were decided elsewhere in the last 30 days.",
        |it, _| it.elsewhere as f64,
    ),
    (
        "tributary_holds_overturned_30d",
        "Share of the conversions held by decisions about fraud that went their way in the last 30 days and were not rejected.",
        |it, _| if it.left == 0 { 0.0 } else { it.overturned as f64 / it.left as f64 },
    ),
    ("tributary_rings_open", "Rings of partners that are not dissolved.", |it, _| it.rings_open as f64),
];

/// The numbers as Prometheus reads them.
#[must_use]
pub fn page(now: DateTime<Utc>) -> String {
    let numbers = METRICS.iter().map(|metric| metric.told(now)).collect::<String>();
    numbers + &of_lists() + &of_cases(now)
}

/// Those of decisions and lists alone, for a process that brings nothing into a lake.
#[must_use]
pub fn of_decisions(now: DateTime<Utc>) -> String {
    let decisions = METRICS.iter().filter(|metric| !metric.name.starts_with("tributary_lake"));
    decisions.map(|metric| metric.told(now)).collect::<String>() + &of_lists()
}

impl Metric {
    fn told(&self, now: DateTime<Utc>) -> String {
        let Self { name, kind, doc, read } = self;
        let value = Some(read(&LAKE, &SCORES, now)).filter(|value| value.is_finite());
        told(name, kind, doc, &value.map_or("+Inf".to_owned(), |value| value.to_string()))
    }
}

fn of_lists() -> String {
    let one = |(name, kind, doc, count): &OfLists| told(name, kind, doc, &count().load(Relaxed).to_string());
    OF_LISTS.iter().chain(&OF_REQUESTS).chain(&OF_EXTERNAL).chain(&OF_LETTERS).map(one).collect()
}

/// Nothing where no worker of this process has looked.
fn of_cases(now: DateTime<Utc>) -> String {
    let Some(numbers) = CASES.load_full() else { return String::new() };
    let one = |(name, doc, read): &OfCases| told(name, "gauge", doc, &read(&numbers, now).to_string());
    OF_CASES.iter().map(one).collect()
}

fn told(name: &str, kind: &str, doc: &str, value: &str) -> String {
    format!("# HELP {name} {doc}\n# TYPE {name} {kind}\n{name} {value}\n")
}

/// An answer of numbers.
#[must_use]
pub fn answer(page: String) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_lists_every_number_as_the_code_has_it() {
        let manual = include_str!("../../docs/operations.md");
        let of_lake = METRICS.iter().map(|Metric { name, kind, doc, .. }| (name, kind, doc));
        let of_lists = OF_LISTS
            .iter()
            .chain(&OF_REQUESTS)
            .chain(&OF_EXTERNAL)
            .chain(&OF_LETTERS)
            .map(|(name, kind, doc, _)| (name, kind, doc));
        let of_cases = OF_CASES.iter().map(|(name, doc, _)| (name, &"gauge", doc));
        for (name, kind, doc) in of_lake.chain(of_lists).chain(of_cases) {
            let line = format!("- `{name}` ({kind}): {doc}\n");
            assert!(manual.contains(&line), "docs/operations.md should have this line:\n{line}");
        }
    }

    #[test]
    fn ages_grow_from_what_happened() {
        let lake = Lake {
            events: AtomicU64::new(0),
            newest_us: AtomicI64::new(NEVER),
            complete_us: AtomicI64::new(NEVER),
        };
        let scores = Scores {
            approved: AtomicU64::new(0),
            held: AtomicU64::new(0),
            degraded: AtomicU64::new(0),
            late: AtomicU64::new(0),
            as_of_us: AtomicI64::new(NEVER),
            crossed: AtomicU64::new(0),
        };
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let told = |now| METRICS.map(|metric| (metric.read)(&lake, &scores, at(now)).to_string()).join(" ");
        assert_eq!(told(100), "0 inf inf 0 0 0 0 inf 0");
        lake.given(3, Some(90_000_000));
        lake.given(0, None);
        lake.is_complete(at(95));
        lake.is_complete(at(94));
        scores.decided(true, false);
        scores.decided(false, true);
        scores.reached(Some(at(98)), 4);
        scores.crossed(2);
        assert_eq!(told(100), "3 5 10 1 1 1 4 2 2");
        assert!(page(at(0)).contains("# TYPE tributary_lake_exported_total counter\n"));
    }
}
