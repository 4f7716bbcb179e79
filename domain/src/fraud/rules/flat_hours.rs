//! Clicks at all hours alike.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "flat_hours",
    code: Code::FlatHours,
    answers: &["R20"],
    doc: "The source's clicks, `least` or more, are spread over the hours of the day more evenly than those of the campaign \
          from the same countries (χ², at most the share `q` of false discoveries), by `times` what chance explains or more.",
    coarse: "clicks come at unusual hours",
    look_alike: "A partner with visitors around the world, whose hours are even because it is always day somewhere: the \
                 expectation is mixed from the countries that the clicks come from.",
    weight: 15.0,
    window_seconds: Some(7 * 86_400),
    parameters: &[
        Parameter {
            name: "q",
            default: 0.01,
            unit: Unit::Probability,
            least: 1e-6,
            most: 0.2,
            doc: "Share of false discoveries among the sources that are flagged.",
        },
        Parameter {
            name: "least",
            default: 100.0,
            unit: Unit::Count,
            least: 100.0,
            most: 1_000_000.0,
            doc: "Clicks that a source needs for that.",
        },
        Parameter {
            name: "times",
            default: 3.0,
            unit: Unit::Times,
            least: 1.0,
            most: 100.0,
            doc: "How many times the χ² that chance explains matters.",
        },
    ],
    needs: &[&["hour_excess"]],
    flags: r#"{"hour_excess": {"n": 500, "seen": 240, "expected": 23, "p": 1e-37, "q": 1e-35, "window_seconds": 604800}}"#,
    spares: r#"{"hour_excess": {"n": 500, "seen": 27, "expected": 23, "p": 0.26, "q": 0.7, "window_seconds": 604800}}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[q, least, times] = case.values else { return None };
    let excess = case.seen.hour_excess?;
    let is_odd = excess.q <= q && least <= real(excess.n) && times * excess.expected <= excess.seen;
    is_odd.then(|| {
        let found = Finding::new(excess.seen, times * excess.expected).of(real(excess.n));
        found.where_usual_is(excess.expected).within(excess.window_seconds)
    })
}
