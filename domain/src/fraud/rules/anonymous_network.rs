//! A click from a server or a tunnel.

use super::{Case, Code, Finding, Rule};
use crate::fraud::{evidence::AddressClass, lists::ListKind};

pub(super) const RULE: Rule = Rule {
    name: "anonymous_network",
    code: Code::AnonymousNetwork,
    answers: &["R10"],
    doc: "The address is a rented server's, a tunnel's or an exit of Tor, by its class or by the list `data_centres`, and not \
          on the list `exempt_networks`.",
    coarse: "the click came from a network where people hide or are none",
    look_alike: "Apple's Private Relay and providers by satellite, whose customers are ordinary people and have a class of \
                 their own; an office whose traffic leaves by a tunnel, which the list `exempt_networks` names.",
    weight: 35.0,
    window_seconds: None,
    parameters: &[],
    needs: &[&["address_class", "network"]],
    flags: r#"{"address_class": "data_centre", "network": "198.18.7.0"}"#,
    spares: r#"{"address_class": "private_relay", "network": "192.0.2.0"}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let listed =
        |list| case.seen.network.is_some_and(|network| case.lists.has_network(list, network, case.at));
    let hides =
        case.seen.address_class.is_some_and(AddressClass::is_anonymous) || listed(ListKind::DataCentres);
    (hides && !listed(ListKind::ExemptNetworks)).then(Finding::fact)
}
