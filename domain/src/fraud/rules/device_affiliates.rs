//! One device on links of several partners, where something else does not fit either.

use super::{Case, Code, Finding, Parameter, Rule, Unit, referrer};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "device_affiliates",
    code: Code::CrossAffiliateFingerprint,
    answers: &["R06", "S119", "S129"],
    doc: "A device clicked links of `limit` partners or more within 24 hours, and besides: two of the clicks were at most \
          `apart` seconds apart, or the partner shares its payout account with another, or the click came from where the \
          partner has no site. Each of these has to be known by itself.",
    coarse: "one device, several partners, and something that does not fit",
    look_alike: "Somebody who compares offers: four partners in an evening on one device are an honest path of several \
                 touches, minutes apart, from sites that are the partners' own.",
    weight: 30.0,
    window_seconds: Some(86_400),
    parameters: &[
        Parameter {
            name: "limit",
            default: 2.0,
            unit: Unit::Count,
            least: 2.0,
            most: 100.0,
            doc: "Partners on one device in 24 hours from which on other signals count.",
        },
        Parameter {
            name: "apart",
            default: 2.0,
            unit: Unit::Seconds,
            least: 0.0,
            most: 60.0,
            doc: "Seconds between clicks for two partners within which nobody has seen both pages.",
        },
    ],
    needs: &[
        &["device_affiliates_24h"],
        &["device_seconds_between_affiliates_24h", "payout_account_affiliates", "referrer_host"],
    ],
    flags: r#"{"device_affiliates_24h": 3, "device_seconds_between_affiliates_24h": 1}"#,
    spares: r#"{"device_affiliates_24h": 5, "device_seconds_between_affiliates_24h": 240, "payout_account_affiliates": 1,
        "referrer_host": "blog.example", "affiliate_sites": ["blog.example"]}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[limit, apart] = case.values else { return None };
    let seen = case.seen;
    let partners = real(seen.device_affiliates_24h?);
    let at_once = seen.device_seconds_between_affiliates_24h.is_some_and(|seconds| real(seconds) <= apart);
    let one_account =
        seen.payout_account_affiliates.is_some_and(|it| 2 <= it) && seen.declared_agency != Some(true);
    let besides = at_once || one_account || referrer::is_elsewhere(case);
    (limit <= partners && besides).then(|| Finding::new(partners, limit))
}
