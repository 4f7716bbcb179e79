//! A TCP port that stays free while its server is down.

use std::{fs, io, net::TcpListener};

use crate::secret;

/// Where we look. The upper end is below the range from which the kernel takes ports for outgoing connections
/// (32768 and up unless configured otherwise): there, a client that keeps trying to reach a halted server could
/// be given the server's own port, connect to itself, and keep the server from ever coming back.
const LOWEST: u16 = 20_000;
const HIGHEST: u16 = 32_000;

/// A port on 127.0.0.1 that nobody listens on, and that no outgoing connection will take either.
pub fn free() -> io::Result<u16> {
    let highest = HIGHEST.min(lowest_outgoing().unwrap_or(HIGHEST)).max(LOWEST + 1000);
    // Starting anywhere keeps two processes that look at the same moment apart.
    let start = usize::from(u16::from_ne_bytes(secret::random()?) % (highest - LOWEST));
    let mut candidates = (LOWEST..highest).cycle().skip(start).take(usize::from(highest - LOWEST));
    candidates
        .find(|port| is_free(*port))
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no free port on 127.0.0.1"))
}

/// Whether nobody listens on this port of 127.0.0.1.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn lowest_outgoing() -> Option<u16> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_free() {
        let port = free().expect("a free port");
        let _listener = TcpListener::bind(("127.0.0.1", port)).expect("the port was free");
        assert!(!is_free(port));
    }

    #[test]
    fn ports_lie_below_those_of_outgoing_connections() {
        let port = free().expect("a free port");
        assert!(LOWEST <= port);
        assert!(lowest_outgoing().is_none_or(|lowest| lowest <= LOWEST + 1000 || port < lowest));
    }
}
