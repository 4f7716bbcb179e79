//! One device that converts again and again for one partner.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::{lists::ListKind, statistics::real};

pub(super) const RULE: Rule = Rule {
    name: "device_conversions",
    code: Code::MultipleConversionsSameDevice,
    answers: &["R05", "S118", "S129"],
    doc: "More than `limit` conversions of one device within 24 hours, all of them credited to one partner.",
    coarse: "several conversions from one device",
    look_alike: "A family's tablet, whose evening of orders goes to several partners; and a kiosk or a tablet on a counter, \
                 which the list `shared_devices` names.",
    weight: 60.0,
    window_seconds: Some(86_400),
    parameters: &[Parameter {
        name: "limit",
        default: 3.0,
        unit: Unit::Count,
        least: 1.0,
        most: 1_000.0,
        doc: "Conversions of one device in 24 hours that are still a household's.",
    }],
    needs: &[
        &["device_conversions_24h"],
        &["device_credited_affiliates_24h", "device_credited_affiliates_90d"],
    ],
    flags: r#"{"device_id": "d1", "device_conversions_24h": 6, "device_credited_affiliates_24h": 1}"#,
    spares: r#"{"device_id": "d1", "device_conversions_24h": 5, "device_credited_affiliates_24h": 3}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[limit] = case.values else { return None };
    let seen = case.seen;
    let conversions = real(seen.device_conversions_24h?);
    let partners = seen.device_credited_affiliates_24h.or(seen.device_credited_affiliates_90d)?;
    let shared = |device: &String| case.lists.has_device(ListKind::SharedDevices, device, case.at);
    let is_one_partners = partners <= 1 && !seen.device_id.as_ref().is_some_and(shared);
    (limit < conversions && is_one_partners).then(|| Finding::new(conversions, limit))
}
