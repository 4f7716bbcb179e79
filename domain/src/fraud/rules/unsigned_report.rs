//! A report that could have been forged, where others cannot.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::{evidence::ReportChannel, statistics::real};

pub(super) const RULE: Rule = Rule {
    name: "unsigned_report",
    code: Code::UnsignedReport,
    answers: &["S128"],
    doc: "The conversion came by a pixel or under one of the older signatures, though `share` or more of the campaign's \
          conversions within 90 days, of at least `least`, were signed. A report with a wrong signature is refused where it \
          arrives and comes to no rule.",
    coarse: "the report came by a way that is not usual for this campaign",
    look_alike: "A campaign that reports by pixel: there it is usual, and nothing is said. An advertiser whose server was \
                 down and who fell back on the pixel for an hour is why the rule alone holds nothing.",
    weight: 45.0,
    window_seconds: Some(90 * 86_400),
    parameters: &[
        Parameter {
            name: "share",
            default: 0.95,
            unit: Unit::Share,
            least: 0.5,
            most: 1.0,
            doc: "Share of signed conversions at which an unsigned one is odd.",
        },
        Parameter {
            name: "least",
            default: 50.0,
            unit: Unit::Count,
            least: 5.0,
            most: 100_000.0,
            doc: "Conversions that a campaign needs for that.",
        },
    ],
    needs: &[&["report_channel"], &["campaign_signed_share_90d"], &["campaign_conversions_90d"]],
    flags: r#"{"report_channel": "pixel", "campaign_signed_share_90d": 0.99, "campaign_conversions_90d": 400}"#,
    spares: r#"{"report_channel": "pixel", "campaign_signed_share_90d": 0.02, "campaign_conversions_90d": 400}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[share, least] = case.values else { return None };
    let can_be_forged =
        matches!(case.seen.report_channel?, ReportChannel::Pixel | ReportChannel::LegacyPostback);
    let (signed, all) = (case.seen.campaign_signed_share_90d?, real(case.seen.campaign_conversions_90d?));
    (can_be_forged && share <= signed && least <= all).then(|| Finding::new(signed, share).of(all))
}
