//! What kind of network an address is in, by a table that an operator keeps.

use std::{collections::HashMap, net::IpAddr};

use foldhash::fast::RandomState;
use ipnet::IpNet;

use super::evidence::AddressClass;

/// What the first line says.
const HEADER: [&str; 2] = ["network", "class"];

/// Networks and their classes, read from CSV: the line `network,class`, and then lines such as
/// `203.0.112.0/20,data_centre`. A network is at most as narrow as what is kept of an address, /24 or (IPv6) /48. Of several
/// networks that an address is in, the narrowest says its class.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    classes: HashMap<IpNet, AddressClass, RandomState>,
    /// The lengths that there are, the longest first, by kind of address.
    lengths: [Vec<u8>; 2],
}

/// What is wrong with a table, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {why}")]
pub struct NetworksError {
    /// Which line, from one.
    pub line: usize,
    /// Which column.
    pub column: &'static str,
    /// What is wrong, and what was expected.
    pub why: String,
}

impl Networks {
    /// Reads a table.
    ///
    /// # Errors
    /// The first line that says no network and class, or that says another class of a network than a line before.
    pub fn read(csv: &str) -> Result<Self, NetworksError> {
        let mut table = Self::default();
        // Spreadsheets begin a file with a mark of its byte order.
        let mut lines = csv.trim_start_matches('\u{feff}').lines().enumerate();
        let header = lines.next().map(|(_, line)| line.split(',').map(str::trim).collect::<Vec<_>>());
        if header.as_deref() != Some(&HEADER) {
            let why = "the first line says network,class".to_owned();
            return Err(NetworksError { line: 1, column: HEADER[0], why });
        }
        for (place, text) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            table.add(place + 1, text)?;
        }
        Ok(table)
    }

    fn add(&mut self, line: usize, text: &str) -> Result<(), NetworksError> {
        let wrong = |column: usize, why| NetworksError { line, column: HEADER[column], why };
        let (network, class) =
            text.split_once(',').ok_or_else(|| wrong(1, "there is no comma before a class".to_owned()))?;
        let network = network_of(network.trim()).map_err(|why| wrong(0, why))?;
        let class: AddressClass = class.trim().parse().map_err(|error| wrong(1, format!("{error}")))?;
        match self.classes.insert(network, class) {
            Some(before) if before != class => {
                return Err(wrong(1, format!("{network} was {before} in a line above; leave one of both")));
            }
            _ => {}
        }
        let lengths = &mut self.lengths[usize::from(network.addr().is_ipv6())];
        if let Err(place) = lengths.binary_search_by(|other| network.prefix_len().cmp(other)) {
            lengths.insert(place, network.prefix_len());
        }
        Ok(())
    }

    /// The class of an address or of its network; none where no network of the table holds it.
    #[must_use]
    pub fn class(&self, address: IpAddr) -> Option<AddressClass> {
        let address = address.to_canonical();
        let mut lengths = self.lengths[usize::from(address.is_ipv6())].iter();
        lengths.find_map(|length| {
            let wider = IpNet::new(address, *length).ok()?.trunc();
            self.classes.get(&wider).copied()
        })
    }

    /// How many networks it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }
}

fn network_of(text: &str) -> Result<IpNet, String> {
    let network: IpNet = text.parse().map_err(|_| {
        let short: String = text.chars().take(64).collect();
        format!("{short:?} is no network; write one such as 203.0.112.0/20 or 2001:db8::/32")
    })?;
    let most = if network.addr().is_ipv4() { 24 } else { 48 };
    if most < network.prefix_len() {
        return Err(format!("no more than /{most} is kept of an address; list {network} at most so narrow"));
    }
    if network.trunc() != network {
        return Err(format!("{network} names one address of {}; write the latter", network.trunc()));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "network,class\n10.0.0.0/8,residential\n10.7.0.0/16,data_centre\n\n10.7.3.0/24,vpn\n\
                         2001:db8::/32,mobile\n0.0.0.0/0,corporate\n";

    fn check(address: &str, class: Option<AddressClass>) {
        let table = Networks::read(TABLE).unwrap();
        assert_eq!(table.class(address.parse().unwrap()), class, "{address}");
    }

    #[test]
    fn the_narrowest_network_says_the_class() {
        check("10.1.2.3", Some(AddressClass::Residential));
        check("10.7.2.0", Some(AddressClass::DataCentre));
        check("10.7.3.0", Some(AddressClass::Vpn));
        check("::ffff:10.7.3.9", Some(AddressClass::Vpn));
        check("192.0.2.0", Some(AddressClass::Corporate));
        check("2001:db8:1::", Some(AddressClass::Mobile));
        check("2001:db9::", None);
    }

    fn refuses(csv: &str, why: &str) {
        assert_eq!(Networks::read(csv).map(|_| ()).unwrap_err().to_string(), why);
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands() {
        refuses("", "line 1, column network: the first line says network,class");
        refuses(
            "network,class\n10.0.0.0/8,vpn\n10.0.0/8,vpn",
            "line 3, column network: \"10.0.0/8\" is no network; write one such as 203.0.112.0/20 or 2001:db8::/32",
        );
        refuses(
            "network,class\n10.0.0.0/25,vpn",
            "line 2, column network: no more than /24 is kept of an address; list 10.0.0.0/25 at most so narrow",
        );
        refuses(
            "network,class\n10.0.0.1/8,vpn",
            "line 2, column network: 10.0.0.1/8 names one address of 10.0.0.0/8; write the latter",
        );
        refuses("network,class\n10.0.0.0/8", "line 2, column class: there is no comma before a class");
        refuses(
            "network,class\n10.0.0.0/8,vpn\n10.0.0.0/8,tor",
            "line 3, column class: 10.0.0.0/8 was vpn in a line above; leave one of both",
        );
        let wrong = Networks::read("network,class\n10.0.0.0/8,castle").unwrap_err();
        assert_eq!((wrong.line, wrong.column), (2, "class"));
        assert!(
            wrong
                .why
                .starts_with("\"castle\" is not a class of address: expected one of residential, mobile")
        );
    }
}
