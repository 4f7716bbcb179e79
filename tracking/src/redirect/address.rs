//! What is kept of an address: a keyed hash, by which equal addresses are known again and no more can be told.

use std::net::IpAddr;

use crate::secret::{Key, Secret};

/// How addresses are hidden: the same wherever the installation's secret is the same.
#[derive(Debug, Clone)]
pub struct HiddenAddresses(Key);

impl HiddenAddresses {
    /// With the installation's secret.
    pub fn new(secret: &Secret) -> Self {
        Self(secret.key("address/1"))
    }

    /// What is kept of an address; an IPv4 address that is written as IPv6 is the same address.
    pub fn hash(&self, address: IpAddr) -> [u8; 16] {
        let octets = match address {
            IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
            IpAddr::V6(six) => six.octets(),
        };
        let whole = self.0.authenticate(&[&octets]);
        let mut hash = [0; 16];
        hash.copy_from_slice(&whole[..16]);
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_hidden_alike_under_one_secret_and_otherwise_under_another() {
        let under = |secret: &str| HiddenAddresses::new(&secret.parse().unwrap());
        let (ours, theirs) =
            (under("a secret for tests, nothing but tests"), under("another secret for tests, as long"));
        let hash = |hiding: &HiddenAddresses, address: &str| hiding.hash(address.parse().unwrap());
        assert_eq!(hash(&ours, "203.0.113.7"), hash(&ours, "::ffff:203.0.113.7"));
        assert_ne!(hash(&ours, "203.0.113.7"), hash(&ours, "203.0.113.8"));
        assert_ne!(hash(&ours, "203.0.113.7"), hash(&theirs, "203.0.113.7"));
    }
}
