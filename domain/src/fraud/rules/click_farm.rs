//! Machines that click.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "click_farm",
    code: Code::ClickFarm,
    answers: &["S127"],
    doc: "`clicks` clicks or more within 24 hours from one address on links of one partner, `alike` or more for each browser \
          that made them, of which at most the share `rate` converts.",
    coarse: "many clicks that seem to be one machine's",
    look_alike: "An office whose people follow one link: as many clicks from one address for one partner, but a shared address \
                 has as many visits as people, and each clicks once or twice.",
    weight: 50.0,
    window_seconds: Some(86_400),
    parameters: &[
        Parameter {
            name: "clicks",
            default: 20.0,
            unit: Unit::Count,
            least: 5.0,
            most: 100_000.0,
            doc: "Clicks of one address in 24 hours from which on it is looked at.",
        },
        Parameter {
            name: "alike",
            default: 10.0,
            unit: Unit::PerDevice,
            least: 2.0,
            most: 10_000.0,
            doc: "Clicks for each browser (each visit where the address is shared) that no person makes.",
        },
        Parameter {
            name: "rate",
            default: 0.1,
            unit: Unit::Share,
            least: 0.0,
            most: 1.0,
            doc: "The highest rate of conversions of such clicks.",
        },
    ],
    needs: &[
        &["address_class"],
        &["ip_clicks_24h"],
        &["ip_affiliates_24h"],
        &["ip_user_agents_24h"],
        &["ip_journeys_24h"],
        &["ip_conversions_24h"],
    ],
    flags: r#"{"address_class": "residential", "ip_clicks_24h": 38, "ip_affiliates_24h": 1, "ip_user_agents_24h": 1,
        "ip_journeys_24h": 38, "ip_conversions_24h": 0}"#,
    spares: r#"{"address_class": "corporate", "ip_clicks_24h": 38, "ip_affiliates_24h": 1, "ip_user_agents_24h": 3,
        "ip_journeys_24h": 30, "ip_conversions_24h": 1}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[least, alike, rate] = case.values else { return None };
    let seen = case.seen;
    let (agents, visits) = (seen.ip_user_agents_24h?, seen.ip_journeys_24h?);
    let machines = if seen.address_class?.is_shared() { visits } else { agents.min(visits) };
    let (clicks, machines) = (real(seen.ip_clicks_24h?), real(machines.max(1)));
    let is_farm = least <= clicks
        && seen.ip_affiliates_24h? <= 1
        && alike * machines <= clicks
        && real(seen.ip_conversions_24h?) <= rate * clicks;
    is_farm.then(|| Finding::new(clicks, least).of(machines))
}
