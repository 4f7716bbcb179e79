//! Times to conversion that no crowd of people has.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::{Oddity, real};

pub(super) const RULE: Rule = Rule {
    name: "conversion_times",
    code: Code::ConversionTimes,
    answers: &["R18", "S124"],
    doc: "The times from click to conversion of the source, `least` or more, differ from those of all others in the campaign by `distance` or \
          more (Kolmogorov and Smirnov's test, at most the share `q` of false discoveries), in a way that fraud is known by: \
          flat, a spike within ten seconds, or all nearly alike.",
    coarse: "the times of conversions are unusual",
    look_alike: "Coupon sites, whose visitors have decided already: they differ, but their times are spread as everybody's \
                 are, only sooner.",
    weight: 40.0,
    window_seconds: Some(7 * 86_400),
    parameters: &[
        Parameter {
            name: "q",
            default: 0.01,
            unit: Unit::Probability,
            least: 1e-6,
            most: 0.2,
            doc: "Share of false discoveries among the sources that are flagged (Benjamini and Hochberg).",
        },
        Parameter {
            name: "distance",
            default: 0.2,
            unit: Unit::Share,
            least: 0.0,
            most: 1.0,
            doc: "Distance that matters; a smaller one may be sure and is of no interest.",
        },
        Parameter {
            name: "least",
            default: 30.0,
            unit: Unit::Count,
            least: 30.0,
            most: 100_000.0,
            doc: "Conversions that a source needs for that.",
        },
    ],
    needs: &[&["time_shape"]],
    flags: r#"{"time_shape": {"n": 140, "distance": 0.46, "p": 1e-12, "q": 1e-10, "oddity": "flat"}}"#,
    spares: r#"{"time_shape": {"n": 300, "distance": 0.34, "p": 1e-12, "q": 1e-10, "oddity": "other"}}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[q, distance, least] = case.values else { return None };
    let shape = case.seen.time_shape?;
    let is_odd =
        shape.oddity != Oddity::Other && shape.q <= q && distance <= shape.distance && least <= real(shape.n);
    is_odd.then(|| Finding::new(shape.distance, distance).of(real(shape.n)))
}
