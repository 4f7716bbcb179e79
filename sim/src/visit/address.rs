//! Where on the network somebody is: at home, behind a carrier's shared address, in an office, on a campus, or in a
//! data centre. Networks are private ones, so that nobody real is meant: 10/8 homes, 100.64/10 carriers, 172.16/12
//! offices, 192.168/16 campuses, 198.18/15 data centres.

use std::net::{IpAddr, Ipv4Addr};

use crate::dice::{Part, Seed, mixed};

/// What kind of place an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Home,
    Carrier,
    Office,
    Campus,
    DataCentre,
}

/// An address, as much of it as anybody may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Its keyed hash.
    pub(crate) hash: [u8; 16],
    /// The /24 it is in.
    pub(crate) network: IpAddr,
    /// What kind of place.
    pub(crate) class: Class,
}

impl Address {
    /// The `index`-th address of a kind in a country.
    pub(crate) fn of(seed: Seed, class: Class, country: usize, index: u64) -> Self {
        let place = mixed((class as u64) << 8 | country as u64);
        let key = seed.key2(Part::Address, place, index);
        // Sixteen addresses of one kind share a network, as neighbours and the machines of one company do.
        let network = seed.key2(Part::Address, !place, index >> 4);
        let (first, second, third) = (byte(network), byte(network >> 8), byte(network >> 16));
        let octets = match class {
            Class::Home => [10, first, second, 0],
            Class::Carrier => [100, 64 | (first & 63), second, 0],
            Class::Office => [172, 16 | (first & 15), second, 0],
            Class::Campus => [192, 168, second ^ third, 0],
            Class::DataCentre => [198, 18 | (first & 1), second, 0],
        };
        let hash = (u128::from(key) << 64 | u128::from(mixed(key))).to_be_bytes();
        Self { hash, network: IpAddr::V4(Ipv4Addr::from(octets)), class }
    }
}

fn byte(bits: u64) -> u8 {
    bits.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_always_the_same_and_never_another() {
        let office = |index| Address::of(Seed(1), Class::Office, 3, index);
        assert_eq!(office(5), office(5));
        assert_ne!(office(5).hash, office(6).hash);
        assert_eq!(office(5).network, office(6).network);
        assert_ne!(office(5).hash, Address::of(Seed(1), Class::Home, 3, 5).hash);
        assert_ne!(office(5).hash, Address::of(Seed(2), Class::Office, 3, 5).hash);
    }
}
