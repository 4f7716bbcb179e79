//! Numbers as Prometheus reads them: a name, a kind, a sentence, and what is read at the moment of asking.

use std::fmt::{Display, Write};

use super::{Moment, histogram::Distribution};

/// One number, or a few of one name that differ by a label.
pub(crate) struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// What it says, as a sentence.
    pub doc: &'static str,
    pub samples: Samples,
}

/// Whether a number only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// How a number is read.
pub(crate) enum Samples {
    Whole(fn(&Moment) -> u64),
    Real(fn(&Moment) -> f64),
    /// One for each value of a label.
    By(&'static str, fn(&Moment) -> Vec<(&'static str, u64)>),
    Steps(fn(&Moment) -> Distribution),
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Metric {
    /// A number that only grows while the process lives.
    pub(crate) const fn counter(name: &'static str, samples: fn(&Moment) -> u64, doc: &'static str) -> Self {
        Self { name, kind: Kind::Counter, doc, samples: Samples::Whole(samples) }
    }

    /// Numbers that only grow, one for each value of a label.
    pub(crate) const fn counters(
        name: &'static str,
        label: &'static str,
        samples: fn(&Moment) -> Vec<(&'static str, u64)>,
        doc: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Counter, doc, samples: Samples::By(label, samples) }
    }

    /// A number that goes up and down.
    pub(crate) const fn gauge(name: &'static str, samples: fn(&Moment) -> u64, doc: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, doc, samples: Samples::Whole(samples) }
    }

    /// A length of time that goes up and down.
    pub(crate) const fn seconds(name: &'static str, samples: fn(&Moment) -> f64, doc: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, doc, samples: Samples::Real(samples) }
    }

    /// How long something took, in steps.
    pub(crate) const fn histogram(
        name: &'static str,
        samples: fn(&Moment) -> Distribution,
        doc: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Histogram, doc, samples: Samples::Steps(samples) }
    }

    fn write(&self, page: &mut String, moment: &Moment) {
        let name = self.name;
        line(page, format_args!("# HELP {name} {}", self.doc));
        line(page, format_args!("# TYPE {name} {}", self.kind.name()));
        match &self.samples {
            Samples::Whole(read) => line(page, format_args!("{name} {}", read(moment))),
            // Prometheus writes infinity otherwise than Rust does.
            Samples::Real(read) if read(moment).is_infinite() => line(page, format_args!("{name} +Inf")),
            Samples::Real(read) => line(page, format_args!("{name} {}", read(moment))),
            Samples::By(label, read) => {
                for (value, number) in read(moment) {
                    line(page, format_args!("{name}{{{label}=\"{value}\"}} {number}"));
                }
            }
            Samples::Steps(read) => {
                let Distribution { steps, count, sum_s } = read(moment);
                for (end_s, number) in steps {
                    line(page, format_args!("{name}_bucket{{le=\"{end_s}\"}} {number}"));
                }
                line(page, format_args!("{name}_bucket{{le=\"+Inf\"}} {count}"));
                line(page, format_args!("{name}_sum {sum_s}"));
                line(page, format_args!("{name}_count {count}"));
            }
        }
    }
}

/// All of the metrics at one moment.
pub(crate) fn render(metrics: &[Metric], moment: &Moment) -> String {
    let mut page = String::with_capacity(16 * 1024);
    for metric in metrics {
        metric.write(&mut page, moment);
    }
    page
}

fn line(page: &mut String, text: impl Display) {
    // A string takes whatever is written.
    let _ = writeln!(page, "{text}");
}
