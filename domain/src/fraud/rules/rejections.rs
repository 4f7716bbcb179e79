//! A source of which advertisers turn down nearly everything.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "rejections",
    code: Code::RejectionFeedback,
    answers: &["R22"],
    doc: "Of `least` conversions or more of the partner within 12 hours the share `share` or more was rejected, while of the \
          campaign's at most the share `elsewhere` was. It flags what comes next; it blocks nobody.",
    coarse: "advertisers turn down most of the partner's conversions",
    look_alike: "An advertiser who goes through weeks of orders in one night and rejects many of everybody's: the campaign's \
                 own rate says so.",
    weight: 60.0,
    window_seconds: Some(12 * 3_600),
    parameters: &[
        Parameter {
            name: "least",
            default: 30.0,
            unit: Unit::Count,
            least: 5.0,
            most: 100_000.0,
            doc: "Conversions in 12 hours from which on a source is looked at.",
        },
        Parameter {
            name: "share",
            default: 0.8,
            unit: Unit::Share,
            least: 0.2,
            most: 1.0,
            doc: "Share of rejections from which on it is flagged.",
        },
        Parameter {
            name: "elsewhere",
            default: 0.4,
            unit: Unit::Share,
            least: 0.0,
            most: 1.0,
            doc: "Share of rejections in the whole campaign above which the advertiser is the reason.",
        },
    ],
    needs: &[&["affiliate_conversions_12h"], &["affiliate_rejections_12h"], &["campaign_rejection_rate_12h"]],
    flags: r#"{"affiliate_conversions_12h": 50, "affiliate_rejections_12h": 45, "campaign_rejection_rate_12h": 0.15}"#,
    spares: r#"{"affiliate_conversions_12h": 50, "affiliate_rejections_12h": 45, "campaign_rejection_rate_12h": 0.85}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[least, share, elsewhere] = case.values else { return None };
    let conversions = real(case.seen.affiliate_conversions_12h?);
    let rejected = real(case.seen.affiliate_rejections_12h?) / conversions.max(1.0);
    let campaign = case.seen.campaign_rejection_rate_12h?;
    let is_odd = least <= conversions && share <= rejected && campaign <= elsewhere;
    is_odd.then(|| Finding::new(rejected, share).of(conversions).where_usual_is(campaign))
}
