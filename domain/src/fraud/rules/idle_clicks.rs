//! A source whose visitors are not there.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "idle_clicks",
    code: Code::IdleClicks,
    answers: &["R17", "S113", "S125"],
    doc: "Of `least` or more clicks of the partner within 7 days whose page told a time on site, `share` or more told zero: \
          pages that were loaded where nobody sees them.",
    coarse: "visitors of the partner do not stay",
    look_alike: "A source of impatient visitors: half of them leave within seconds, but seconds they are.",
    weight: 40.0,
    window_seconds: Some(7 * 86_400),
    parameters: &[
        Parameter {
            name: "share",
            default: 0.6,
            unit: Unit::Share,
            least: 0.1,
            most: 1.0,
            doc: "Share of clicks without engagement from which on a source is flagged.",
        },
        Parameter {
            name: "least",
            default: 200.0,
            unit: Unit::Count,
            least: 20.0,
            most: 1_000_000.0,
            doc: "Clicks that a source needs for that.",
        },
    ],
    needs: &[&["affiliate_timed_clicks_7d"], &["affiliate_idle_click_share_7d"]],
    flags: r#"{"affiliate_timed_clicks_7d": 5000, "affiliate_idle_click_share_7d": 0.92}"#,
    spares: r#"{"affiliate_timed_clicks_7d": 5000, "affiliate_idle_click_share_7d": 0.2}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[share, least] = case.values else { return None };
    let clicks = real(case.seen.affiliate_timed_clicks_7d?);
    let idle = case.seen.affiliate_idle_click_share_7d?;
    (least <= clicks && share <= idle).then(|| Finding::new(idle, share).of(clicks))
}
