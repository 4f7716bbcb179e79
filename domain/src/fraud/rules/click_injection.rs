//! A source whose clicks come when an order is seen coming.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::{binomial_upper, real, whole};

pub(super) const RULE: Rule = Rule {
    name: "click_injection",
    code: Code::ClickInjection,
    answers: &["S124"],
    doc: "`share` or more of the partner's conversions within 7 days, of at least `least`, came less than ten seconds after \
          their click, and so many by chance only once in 1/`chance` times if they came as those of the campaign do.",
    coarse: "many conversions come too soon after their clicks",
    look_alike: "A campaign whose customers come back and pay with one click: everybody's conversions are quick there, and the \
                 campaign's own share says so.",
    weight: 50.0,
    window_seconds: Some(7 * 86_400),
    parameters: &[
        Parameter {
            name: "share",
            default: 0.2,
            unit: Unit::Share,
            least: 0.02,
            most: 1.0,
            doc: "Share of quick conversions from which on a source is looked at.",
        },
        Parameter {
            name: "least",
            default: 20.0,
            unit: Unit::Count,
            least: 5.0,
            most: 100_000.0,
            doc: "Conversions that a source needs for that.",
        },
        Parameter {
            name: "chance",
            default: 1e-4,
            unit: Unit::Probability,
            least: 1e-12,
            most: 0.05,
            doc: "How improbable so many quick ones have to be.",
        },
    ],
    needs: &[
        &["affiliate_quick_conversion_share_7d"],
        &["affiliate_conversions_7d"],
        &["campaign_quick_conversion_share_7d"],
    ],
    flags: r#"{"affiliate_quick_conversion_share_7d": 0.5, "affiliate_conversions_7d": 60, "campaign_quick_conversion_share_7d": 0.03}"#,
    spares: r#"{"affiliate_quick_conversion_share_7d": 0.3, "affiliate_conversions_7d": 60, "campaign_quick_conversion_share_7d": 0.28}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[share, least, chance] = case.values else { return None };
    let quick = case.seen.affiliate_quick_conversion_share_7d?;
    let (all, usual) = (case.seen.affiliate_conversions_7d?, case.seen.campaign_quick_conversion_share_7d?);
    let count = whole(quick * real(all));
    let is_odd = share <= quick && least <= real(all) && binomial_upper(count, all, usual) < chance;
    is_odd.then(|| Finding::new(quick, share).of(real(all)).where_usual_is(usual))
}
