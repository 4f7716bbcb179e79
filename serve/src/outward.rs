//! Connections from here to others, and whether they end on this machine.

use std::{io, net::IpAddr};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use url::Url;

/// TLS by the certificates that the system trusts, over these connections; plain HTTP where an address asks for that.
///
/// # Errors
/// When the system trusts none.
pub fn secured<R>(mut tcp: HttpConnector<R>) -> io::Result<HttpsConnector<HttpConnector<R>>> {
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let tls = HttpsConnectorBuilder::new().with_native_roots()?;
    Ok(tls.https_or_http().enable_http1().wrap_connector(tcp))
}

/// Whether an address is of this machine, so that nobody else can listen on the way.
#[must_use]
pub fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_here;

    #[test]
    fn only_loopback_is_this_machine() {
        for here in [
            "http://localhost/",
            "http://127.0.0.1:8080/",
            "https://[::1]/",
            "smtp://127.0.0.1:1025",
            "smtp://[::1]",
        ] {
            assert!(is_here(&here.parse().unwrap()), "{here}");
        }
        for elsewhere in [
            "http://localhost.example/",
            "http://192.0.2.1/",
            "smtp://mail.example",
            "http://[2001:db8::1]/",
            "data:x",
        ] {
            assert!(!is_here(&elsewhere.parse().unwrap()), "{elsewhere}");
        }
    }
}
