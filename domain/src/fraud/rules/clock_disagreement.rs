//! A conversion before its click.

use super::{Case, Code, Finding, Parameter, Rule, Unit};

pub(super) const RULE: Rule = Rule {
    name: "clock_disagreement",
    code: Code::ClockDisagreement,
    answers: &["S114"],
    doc: "The conversion is said to have happened more than `tolerance` seconds before the click that it names: a clock is \
          wrong, or a click was found for an order that was there already.",
    coarse: "the conversion came before its click",
    look_alike: "An advertiser whose clock runs a minute behind ours, which the tolerance forgives.",
    weight: 25.0,
    window_seconds: None,
    parameters: &[Parameter {
        name: "tolerance",
        default: 120.0,
        unit: Unit::Seconds,
        least: 0.0,
        most: 86_400.0,
        doc: "Seconds by which honest clocks disagree.",
    }],
    needs: &[&["click_to_conversion_seconds"]],
    flags: r#"{"click_to_conversion_seconds": -900}"#,
    spares: r#"{"click_to_conversion_seconds": -40}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[tolerance] = case.values else { return None };
    let seconds = case.seen.click_to_conversion_seconds?;
    let seconds = f64::from(i32::try_from(seconds).unwrap_or(if seconds < 0 { i32::MIN } else { i32::MAX }));
    (seconds < -tolerance).then(|| Finding::new(seconds, -tolerance))
}
