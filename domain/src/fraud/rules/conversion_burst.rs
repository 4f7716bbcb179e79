//! More conversions at once than clicks explain.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "conversion_burst",
    code: Code::ConversionBurst,
    answers: &["R21", "S122"],
    doc: "Within five minutes, an hour or a day up to the conversion the source has `least` conversions or more of clicks of \
          then, and so many by chance less than once in 1/`chance` times: by what it usually has, by what its clicks explain \
          (beta-binomial tail of what is known of their rate), and by how much more others sell just then.",
    coarse: "unusually many conversions at once",
    look_alike: "A newsletter, a film on television or a viral day: twenty times as many conversions as usual, but as many \
                 more clicks with them. A code that is read aloud sells without clicks, and orders that are reported at \
                 night have clicks of long before.",
    weight: 60.0,
    window_seconds: None,
    parameters: &[
        Parameter {
            name: "chance",
            default: 1e-6,
            unit: Unit::Probability,
            least: 1e-12,
            most: 0.01,
            doc: "How improbable so many have to be, adjusted for all sources and windows that were looked at.",
        },
        Parameter {
            name: "least",
            default: 8.0,
            unit: Unit::Count,
            least: 3.0,
            most: 100_000.0,
            doc: "Conversions that make a burst.",
        },
    ],
    needs: &[&["burst_excess"]],
    flags: r#"{"burst_excess": {"n": 40, "seen": 40, "expected": 2.4, "p": 1e-34, "q": 1e-32, "window_seconds": 3600}}"#,
    spares: r#"{"burst_excess": {"n": 24, "seen": 24, "expected": 22.5, "p": 0.4, "q": 0.9, "window_seconds": 3600}}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[chance, least] = case.values else { return None };
    let excess = case.seen.burst_excess?;
    let is_burst = excess.q < chance && least <= real(excess.n);
    is_burst.then(|| {
        Finding::new(excess.seen, least).where_usual_is(excess.expected).within(excess.window_seconds)
    })
}
