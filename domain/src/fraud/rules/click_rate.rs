//! Clicks that arrive faster than the people behind one address can click.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::{evidence::Evidence, statistics::real};

pub(super) const RULE: Rule = Rule {
    name: "click_rate",
    code: Code::RateLimitExceeded,
    answers: &["R01", "S111", "S129"],
    doc: "More than `limit` clicks an hour from one address for each device behind it. Devices of a shared address are its \
          visits; at home and in data centres, where a machine may throw its cookies away, a device is told by its browser.",
    coarse: "unusually many clicks from one place",
    look_alike: "An office, a campus or a carrier's address (CGNAT): a hundred clicks an hour of a hundred people. Their \
                 class is known, and each device clicks once or twice.",
    weight: 20.0,
    window_seconds: Some(3_600),
    parameters: &[Parameter {
        name: "limit",
        default: 10.0,
        unit: Unit::PerDevice,
        least: 1.0,
        most: 3_600.0,
        doc: "Clicks of one device in an hour that are still a person's.",
    }],
    needs: &[
        &["address_class"],
        &["ip_clicks_1h"],
        &["ip_journeys_1h", "ip_journeys_24h"],
        &["ip_user_agents_1h", "ip_user_agents_24h"],
    ],
    flags: r#"{"address_class": "data_centre", "ip_clicks_1h": 45, "ip_journeys_24h": 45, "ip_user_agents_24h": 1}"#,
    spares: r#"{"address_class": "mobile", "ip_clicks_1h": 120, "ip_journeys_24h": 90, "ip_user_agents_24h": 8}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[limit] = case.values else { return None };
    let clicks = case.seen.ip_clicks_1h?;
    let devices = real(devices(case.seen)?);
    (limit * devices < real(clicks)).then(|| Finding::new(real(clicks), limit * devices).of(devices))
}

/// At least one. Devices of 24 hours stand for those of an hour: they are more, and so the rule is milder.
fn devices(seen: &Evidence) -> Option<u64> {
    let journeys = seen.ip_journeys_1h.or(seen.ip_journeys_24h)?;
    let agents = seen.ip_user_agents_1h.or(seen.ip_user_agents_24h)?;
    let devices = if seen.address_class?.is_shared() { journeys } else { journeys.min(agents) };
    Some(devices.max(1))
}
