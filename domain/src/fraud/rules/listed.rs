//! What was found guilty before.

use super::{Case, Code, Finding, Rule};
use crate::fraud::lists::ListKind;

pub(super) const RULE: Rule = Rule {
    name: "listed",
    code: Code::Listed,
    answers: &["S121"],
    doc: "The click's address or network is on the program's list `blocked_addresses`, or the page that it came from on \
          `blocked_referrers`, and the entry has not ended.",
    coarse: "the click came from where fraud came from before",
    look_alike: "A network that had another holder when it was listed: entries end, and say why they are there. The list \
                 `exempt_networks` takes precedence.",
    weight: 60.0,
    window_seconds: None,
    parameters: &[],
    needs: &[&["network", "address_hash", "referrer_host"]],
    flags: r#"{"network": "203.0.113.0"}"#,
    spares: r#"{"network": "192.0.2.0", "referrer_host": "blog.example"}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let (seen, lists, at) = (case.seen, case.lists, case.at);
    let network = |list| seen.network.is_some_and(|network| lists.has_network(list, network, at));
    let address = seen.address_hash.is_some_and(|hash| lists.has_hash(ListKind::BlockedAddresses, hash, at));
    let page = seen
        .referrer_host
        .as_deref()
        .is_some_and(|host| lists.has_host(ListKind::BlockedReferrers, host, at));
    let came = network(ListKind::BlockedAddresses) && !network(ListKind::ExemptNetworks);
    (came || address || page).then(Finding::fact)
}
