//! More conversions from one address than its clicks explain.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::{poisson_upper, real};

pub(super) const RULE: Rule = Rule {
    name: "address_conversions",
    code: Code::HighIpVelocity,
    answers: &["R02", "S112", "S129"],
    doc: "`limit` conversions or more within 24 hours from one address (`limit_shared` where many people share it), and so \
          many only once in 1/`chance` times if its clicks converted as those of the campaign do.",
    coarse: "unusually many conversions from one place",
    look_alike: "A campus whose students sign up for one offer in one afternoon: they click before they sign up, and the \
                 clicks explain the conversions.",
    weight: 30.0,
    window_seconds: Some(86_400),
    parameters: &[
        Parameter {
            name: "limit",
            default: 5.0,
            unit: Unit::Count,
            least: 2.0,
            most: 10_000.0,
            doc: "Conversions in 24 hours from which on an address is looked at.",
        },
        Parameter {
            name: "limit_shared",
            default: 10.0,
            unit: Unit::Count,
            least: 2.0,
            most: 10_000.0,
            doc: "The same, where the address is shared.",
        },
        Parameter {
            name: "chance",
            default: 1e-4,
            unit: Unit::Probability,
            least: 1e-12,
            most: 0.05,
            doc: "How improbable so many conversions have to be for so many clicks.",
        },
    ],
    needs: &[
        &["address_class"],
        &["ip_conversions_24h"],
        &["ip_clicks_24h"],
        &["campaign_conversion_rate_7d"],
    ],
    flags: r#"{"address_class": "data_centre", "ip_conversions_24h": 15, "ip_clicks_24h": 15, "campaign_conversion_rate_7d": 0.03}"#,
    spares: r#"{"address_class": "campus", "ip_conversions_24h": 12, "ip_clicks_24h": 120, "campaign_conversion_rate_7d": 0.06}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[limit, limit_shared, chance] = case.values else { return None };
    let seen = case.seen;
    let limit = if seen.address_class?.is_shared() { limit_shared } else { limit };
    let (conversions, clicks) = (seen.ip_conversions_24h?, seen.ip_clicks_24h?);
    let expected = real(clicks) * seen.campaign_conversion_rate_7d?;
    // The conversion in question happened anyway: what is improbable are the others.
    let is_much =
        limit <= real(conversions) && poisson_upper(conversions.saturating_sub(1), expected) < chance;
    is_much.then(|| Finding::new(real(conversions), limit).of(real(clicks)).where_usual_is(expected))
}
