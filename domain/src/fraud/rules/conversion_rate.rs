//! A conversion rate out of line.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "conversion_rate",
    code: Code::ConversionRateOutlier,
    answers: &["R19"],
    doc: "The source's clicks convert `times` as often as others' or more, and so often by chance less than once in \
          1/`chance` times, as rates differ among sources of its kind (beta-binomial tail), with at most the share `q` of \
          false discoveries.",
    coarse: "clicks convert unusually often",
    look_alike: "A coupon site, whose visitors buy ten times as often as a blog's: sources are held against others of their \
                 kind, and against how much these differ anyway.",
    weight: 20.0,
    window_seconds: Some(7 * 86_400),
    parameters: &[
        Parameter {
            name: "chance",
            default: 1e-4,
            unit: Unit::Probability,
            least: 1e-12,
            most: 0.05,
            doc: "How improbable the rate has to be.",
        },
        Parameter {
            name: "q",
            default: 0.01,
            unit: Unit::Probability,
            least: 1e-6,
            most: 0.2,
            doc: "Share of false discoveries among the sources that are flagged.",
        },
        Parameter {
            name: "times",
            default: 2.0,
            unit: Unit::Times,
            least: 1.0,
            most: 1_000.0,
            doc: "How many times the usual rate matters.",
        },
    ],
    needs: &[&["rate_excess"]],
    flags: r#"{"rate_excess": {"n": 60, "seen": 0.66, "expected": 0.03, "p": 1e-9, "q": 1e-7, "window_seconds": 604800}}"#,
    spares: r#"{"rate_excess": {"n": 900, "seen": 0.3, "expected": 0.27, "p": 0.31, "q": 0.8, "window_seconds": 604800}}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[chance, q, times] = case.values else { return None };
    let excess = case.seen.rate_excess?;
    let is_odd = excess.p < chance && excess.q <= q && times * excess.expected <= excess.seen;
    is_odd.then(|| {
        let found = Finding::new(excess.seen, times * excess.expected).of(real(excess.n));
        found.where_usual_is(excess.expected).within(excess.window_seconds)
    })
}
