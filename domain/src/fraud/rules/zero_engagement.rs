//! A conversion by somebody who was not on the site.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "zero_engagement",
    code: Code::ZeroEngagement,
    answers: &["R08", "S113"],
    doc: "The advertiser's page told that the visitor spent no second on it before the conversion; with `single_part` of the \
          weight unless `share` or more of the partner's conversions within 7 days, of at least `least` that told a time, \
          are like that.",
    coarse: "nobody seems to have been on the site",
    look_alike: "A visit whose beacon was lost or blocked: it told no time, which is not a time of zero.",
    weight: 35.0,
    window_seconds: Some(7 * 86_400),
    parameters: &[
        Parameter {
            name: "share",
            default: 0.8,
            unit: Unit::Share,
            least: 0.1,
            most: 1.0,
            doc: "Share of a source's conversions without engagement at which the weight is full.",
        },
        Parameter {
            name: "least",
            default: 50.0,
            unit: Unit::Count,
            least: 5.0,
            most: 100_000.0,
            doc: "Conversions that a source needs for that.",
        },
        Parameter {
            name: "single_part",
            default: 0.6,
            unit: Unit::Share,
            least: 0.05,
            most: 1.0,
            doc: "What one conversion by itself is worth of the weight.",
        },
    ],
    needs: &[&["time_on_site_seconds"]],
    flags: r#"{"time_on_site_seconds": 0, "affiliate_timed_conversions_7d": 120, "affiliate_idle_conversion_share_7d": 0.9}"#,
    spares: r#"{"affiliate_timed_conversions_7d": 120, "affiliate_idle_conversion_share_7d": 0.01}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[share, least, single_part] = case.values else { return None };
    let seen = case.seen;
    if seen.time_on_site_seconds? != 0 {
        return None;
    }
    let source = seen.affiliate_timed_conversions_7d.zip(seen.affiliate_idle_conversion_share_7d);
    let guilty = source.filter(|(all, idle)| least <= real(*all) && share <= *idle);
    Some(match guilty {
        Some((all, idle)) => Finding::new(idle, share).of(real(all)),
        None => Finding::new(0.0, 0.0).weaker(single_part),
    })
}
