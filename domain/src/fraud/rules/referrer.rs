//! A click from a page where the partner has no site.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::lists::{ListKind, above, host_of};

pub(super) const RULE: Rule = Rule {
    name: "referrer",
    code: Code::ReferrerMismatch,
    answers: &["R09", "S115"],
    doc: "The click came from a host that the partner has not registered, nor one above it; or, with `empty_part` of the \
          weight, from no page at all though `share` or more of the partner's clicks name one.",
    coarse: "the click came from a page that is not the partner's",
    look_alike: "A link that was passed on by mail, messenger, social network or an application, which name their own host \
                 (list `tolerated_referrers`) or none; and a partner who has registered no site yet.",
    weight: 20.0,
    window_seconds: None,
    parameters: &[
        Parameter {
            name: "share",
            default: 0.9,
            unit: Unit::Share,
            least: 0.5,
            most: 1.0,
            doc: "Share of a partner's clicks that name a page at which one that names none is odd.",
        },
        Parameter {
            name: "empty_part",
            default: 0.4,
            unit: Unit::Share,
            least: 0.05,
            most: 1.0,
            doc: "What an empty referrer is worth of the weight.",
        },
    ],
    needs: &[&["referrer_host"], &["affiliate_sites", "affiliate_referrer_share_90d"]],
    flags: r#"{"referrer_host": "forum.example", "affiliate_sites": ["blog.example"]}"#,
    spares: r#"{"referrer_host": "", "affiliate_sites": ["blog.example"], "affiliate_referrer_share_90d": 0.6}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[share, empty_part] = case.values else { return None };
    if !case.seen.referrer_host.as_ref()?.is_empty() {
        return is_elsewhere(case).then(Finding::fact);
    }
    let usually_named = case.seen.affiliate_referrer_share_90d?;
    (share <= usually_named).then(|| Finding::new(usually_named, share).weaker(empty_part))
}

/// Whether the click is known to have come from a host that is neither the partner's nor tolerated.
pub(super) fn is_elsewhere(case: &Case<'_>) -> bool {
    let (Some(host), Some(sites)) = (&case.seen.referrer_host, &case.seen.affiliate_sites) else {
        return false;
    };
    let host = host_of(host);
    if host.is_empty() || sites.is_empty() {
        return false;
    }
    let is_own = above(&host).any(|host| sites.iter().any(|site| host_of(site) == host));
    !is_own && !case.lists.has_host(ListKind::ToleratedReferrers, &host, case.at)
}
