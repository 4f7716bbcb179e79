//! So many clicks that some precede an order.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "click_flooding",
    code: Code::ClickFlooding,
    answers: &["R14"],
    doc: "Of `clicks` clicks or more of the partner within 7 days at most the share `rate` converts, `late` or more of the \
          conversions come a day or more after their click, and they come late as likely as soon: their median time is \
          `flatness` or more of their ninth decile.",
    coarse: "very many clicks for few and late conversions",
    look_alike: "Banners, which many see and few follow to an order: their rate is as low, and many orders are late, but times \
                 thin out as everybody's do, with a median far below the ninth decile.",
    weight: 80.0,
    window_seconds: Some(7 * 86_400),
    parameters: &[
        Parameter {
            name: "clicks",
            default: 3_000.0,
            unit: Unit::Count,
            least: 100.0,
            most: 10_000_000.0,
            doc: "Clicks in 7 days from which on a source can be a flood.",
        },
        Parameter {
            name: "rate",
            default: 0.002,
            unit: Unit::Share,
            least: 0.0,
            most: 0.1,
            doc: "The highest rate of conversions of a flood.",
        },
        Parameter {
            name: "late",
            default: 0.3,
            unit: Unit::Share,
            least: 0.05,
            most: 1.0,
            doc: "The least share of conversions a day or more after their click.",
        },
        Parameter {
            name: "flatness",
            default: 0.4,
            unit: Unit::Share,
            least: 0.1,
            most: 0.6,
            doc: "Median over ninth decile of the times: 0.56 where late is as likely as soon, 0.15 to 0.25 of people.",
        },
    ],
    needs: &[
        &["affiliate_clicks_7d"],
        &["affiliate_conversions_7d"],
        &["affiliate_slow_conversion_share_7d"],
        &["affiliate_click_to_conversion_median_7d"],
        &["affiliate_click_to_conversion_p90_7d"],
    ],
    flags: r#"{"affiliate_clicks_7d": 40000, "affiliate_conversions_7d": 30, "affiliate_slow_conversion_share_7d": 0.9,
        "affiliate_click_to_conversion_median_7d": 900000, "affiliate_click_to_conversion_p90_7d": 1600000}"#,
    spares: r#"{"affiliate_clicks_7d": 40000, "affiliate_conversions_7d": 30, "affiliate_slow_conversion_share_7d": 0.5,
        "affiliate_click_to_conversion_median_7d": 90000, "affiliate_click_to_conversion_p90_7d": 700000}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[clicks, rate, late, flatness] = case.values else { return None };
    let seen = case.seen;
    let (clicked, converted) = (real(seen.affiliate_clicks_7d?), real(seen.affiliate_conversions_7d?));
    let is_flood = clicks <= clicked && converted <= rate * clicked;
    let median = seen.affiliate_click_to_conversion_median_7d?;
    let is_flat = flatness * seen.affiliate_click_to_conversion_p90_7d? <= median;
    let is_late = late <= seen.affiliate_slow_conversion_share_7d?;
    (is_flood && is_flat && is_late && 0.0 < median)
        .then(|| Finding::new(clicked, clicks).of(converted).where_usual_is(rate * clicked))
}
