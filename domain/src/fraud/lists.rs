//! Lists that operators keep: each entry has a reason, and most an end.

use std::{collections::HashMap, net::IpAddr, str::FromStr};

use chrono::{DateTime, Datelike, Utc};
use foldhash::fast::RandomState;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::evidence::KeyedHash;
use crate::state::names;

names! {
    /// What is listed, and what follows from it.
    ListKind: "list" {
        /// Networks, and addresses by their keyed hash, that were found guilty.
        BlockedAddresses = "blocked_addresses",
        /// Hosts of pages that were found guilty; those below them are meant too.
        BlockedReferrers = "blocked_referrers",
        /// Networks of rented servers, besides those that the class of an address knows.
        DataCentres = "data_centres",
        /// Networks that are known to be what they seem not to be: an office's tunnel, a relay of ordinary people.
        ExemptNetworks = "exempt_networks",
        /// Domains that throw e-mail addresses away, besides those that the feature knows.
        DisposableDomains = "disposable_domains",
        /// Domains that the feature takes for disposable and that are not.
        LastingDomains = "lasting_domains",
        /// Hosts of pages that people pass links on by: mail, messengers, social networks, shops of applications.
        ToleratedReferrers = "tolerated_referrers",
        /// Words that are the advertiser's name.
        BrandTerms = "brand_terms",
        /// Devices that many people share, by their keyed hash: kiosks, tablets on a counter.
        SharedDevices = "shared_devices",
    }
}

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Of which list.
    pub list: ListKind,
    /// What is listed: a network in CIDR notation, a keyed hash, a host, or words.
    pub value: String,
    /// Why.
    pub reason: String,
    /// Until when; for good if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// An entry that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Nobody will know why.
    #[error("{value:?} of {list} has no reason; say why it is listed")]
    NoReason {
        /// Which list.
        list: ListKind,
        /// What was listed.
        value: String,
    },
    /// It is not what the list holds.
    #[error("{value:?} is nothing that {list} can hold; give {expected}")]
    Value {
        /// Which list.
        list: ListKind,
        /// What was listed.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// No calendar of people has the day on which it ends.
    #[error("{value:?} of {list} cannot end then; give a time before the year 10000, or none")]
    Ends {
        /// Which list.
        list: ListKind,
        /// What was listed.
        value: String,
    },
    /// Only networks are kept of addresses, so that it would never match.
    #[error(
        "{0} is narrower than what is kept of an address; give a network of at most /24 (IPv6: /48), or the address's keyed hash"
    )]
    Narrow(IpNet),
}

/// All lists, ready to be asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Entry>", into = "Vec<Entry>")]
pub struct Lists {
    entries: Vec<Entry>,
    /// When an entry ends, by list and value; values are normalised.
    texts: HashMap<(ListKind, String), Option<DateTime<Utc>>, RandomState>,
    networks: HashMap<(ListKind, IpNet), Option<DateTime<Utc>>, RandomState>,
    /// The lengths of prefixes that occur.
    lengths: Vec<u8>,
}

const NETWORK: &str = "a network in CIDR notation, such as 203.0.113.0/24";
const NETWORK_OR_HASH: &str =
    "a network in CIDR notation, or an address's keyed hash of 32 hexadecimal digits";
const HOST: &str = "a host without scheme or path, such as forum.example";
const WORDS: &str = "a word or several";

impl Lists {
    /// What was listed, in the order in which it was given.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a network is on a list at this time.
    #[must_use]
    pub fn has_network(&self, list: ListKind, network: IpAddr, at: DateTime<Utc>) -> bool {
        let network = network.to_canonical();
        self.lengths.iter().any(|length| {
            let wider = IpNet::new(network, *length).ok().map(|it| it.trunc());
            wider.and_then(|it| self.networks.get(&(list, it))).is_some_and(|end| is_before(at, *end))
        })
    }

    /// Whether a keyed hash is on a list at this time.
    #[must_use]
    pub fn has_hash(&self, list: ListKind, hash: KeyedHash, at: DateTime<Utc>) -> bool {
        self.has_text(list, hash.to_string(), at)
    }

    /// Whether a device is on a list at this time.
    #[must_use]
    pub fn has_device(&self, list: ListKind, device: &str, at: DateTime<Utc>) -> bool {
        self.has_text(list, device.to_lowercase(), at)
    }

    /// Whether a host, or one that it lies below, is on a list at this time.
    #[must_use]
    pub fn has_host(&self, list: ListKind, host: &str, at: DateTime<Utc>) -> bool {
        above(&host_of(host)).any(|host| self.has_text(list, host.to_owned(), at))
    }

    /// The first words of a list that a text holds as whole words, at this time.
    #[must_use]
    pub fn words_in(&self, list: ListKind, text: &str, at: DateTime<Utc>) -> Option<&str> {
        let text = format!(" {} ", words(text));
        let live = self.entries.iter().filter(|entry| entry.list == list && is_before(at, entry.expires_at));
        live.map(|entry| entry.value.as_str()).find(|it| text.contains(&format!(" {} ", words(it))))
    }

    fn has_text(&self, list: ListKind, text: String, at: DateTime<Utc>) -> bool {
        self.texts.get(&(list, text)).is_some_and(|end| is_before(at, *end))
    }

    fn add(&mut self, entry: Entry) -> Result<(), EntryError> {
        let Entry { list, ref value, ref reason, expires_at } = entry;
        if reason.trim().is_empty() {
            return Err(EntryError::NoReason { list, value: value.clone() });
        }
        if expires_at.is_some_and(|at| !(0..10_000).contains(&at.year())) {
            return Err(EntryError::Ends { list, value: value.clone() });
        }
        let wrong = |expected| EntryError::Value { list, value: value.clone(), expected };
        let text = match list {
            ListKind::BlockedAddresses if KeyedHash::from_str(value).is_ok() => value.to_lowercase(),
            ListKind::BlockedAddresses | ListKind::DataCentres | ListKind::ExemptNetworks => {
                let expected = if list == ListKind::BlockedAddresses { NETWORK_OR_HASH } else { NETWORK };
                let network = network(value).ok_or_else(|| wrong(expected))??;
                self.networks.insert((list, network), expires_at);
                self.lengths.push(network.prefix_len());
                self.lengths.sort_unstable();
                self.lengths.dedup();
                self.entries.push(entry);
                return Ok(());
            }
            ListKind::BrandTerms => {
                Some(words(value)).filter(|it| !it.is_empty()).ok_or_else(|| wrong(WORDS))?
            }
            ListKind::SharedDevices => value.trim().to_lowercase(),
            _ => host(value).ok_or_else(|| wrong(HOST))?,
        };
        if text.is_empty() {
            return Err(wrong("the device's keyed hash"));
        }
        self.texts.insert((list, text), expires_at);
        self.entries.push(entry);
        Ok(())
    }
}

fn is_before(at: DateTime<Utc>, end: Option<DateTime<Utc>>) -> bool {
    end.is_none_or(|end| at < end)
}

/// None when it is no network.
fn network(value: &str) -> Option<Result<IpNet, EntryError>> {
    let network: IpNet = value.trim().parse().ok()?;
    let most = if network.addr().is_ipv4() { 24 } else { 48 };
    Some(if network.prefix_len() <= most { Ok(network.trunc()) } else { Err(EntryError::Narrow(network)) })
}

fn host(value: &str) -> Option<String> {
    let host = host_of(value);
    let is_host = !host.is_empty() && !host.contains(['/', ':', '@', ' ', '?']);
    is_host.then_some(host)
}

/// A host as hosts are compared: in lower case, without port, `www.` and a dot at the end.
pub(super) fn host_of(host: &str) -> String {
    let host = host.trim().to_lowercase();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let host = name.map_or(host.as_str(), |(name, _)| name).trim_end_matches('.');
    host.strip_prefix("www.").unwrap_or(host).to_owned()
}

/// A host and all that it lies below, but for the last of its names.
pub(super) fn above(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(host), |host| {
        let (_, above) = host.split_once('.')?;
        above.contains('.').then_some(above)
    })
}

/// Words in lower case with one blank between them; signs between words are blanks, those within vanish.
fn words(text: &str) -> String {
    let text: String = text.to_lowercase().chars().filter(|it| !matches!(it, '\'' | '’' | '.')).collect();
    text.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

impl TryFrom<Vec<Entry>> for Lists {
    type Error = EntryError;
    fn try_from(entries: Vec<Entry>) -> Result<Self, EntryError> {
        let mut lists = Self::default();
        entries.into_iter().try_for_each(|entry| lists.add(entry))?;
        Ok(lists)
    }
}

impl From<Lists> for Vec<Entry> {
    fn from(lists: Lists) -> Self {
        lists.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: DateTime<Utc> = DateTime::from_timestamp(1_769_947_200, 0).unwrap();

    fn entry(list: ListKind, value: &str) -> Entry {
        Entry { list, value: value.to_owned(), reason: "seen in a ring".to_owned(), expires_at: None }
    }

    fn lists(entries: &[(ListKind, &str)]) -> Lists {
        let entries: Vec<Entry> = entries.iter().map(|(list, value)| entry(*list, value)).collect();
        Lists::try_from(entries).unwrap()
    }

    #[test]
    fn an_entry_ends_on_a_day_that_people_have() {
        for (year, fits) in [(2026, true), (9999, true), (10_000, false), (-1, false), (262_142, false)] {
            let at = NOON.with_year(year).unwrap();
            let entry = Entry { expires_at: Some(at), ..entry(ListKind::BlockedReferrers, "forum.example") };
            let told = Lists::try_from(vec![entry]).map_err(|error| error.to_string());
            assert_eq!(told.is_ok(), fits, "{year}: {told:?}");
        }
    }

    #[test]
    fn a_network_is_found_below_a_wider_one_and_on_its_own_list_only() {
        let lists = lists(&[
            (ListKind::BlockedAddresses, "203.0.113.7/16"),
            (ListKind::DataCentres, "2001:db8::/32"),
            (ListKind::BlockedAddresses, "000102030405060708090A0B0C0D0E0F"),
        ]);
        let has = |list, network: &str| lists.has_network(list, network.parse().unwrap(), NOON);
        assert!(has(ListKind::BlockedAddresses, "203.0.9.0"));
        assert!(has(ListKind::BlockedAddresses, "::ffff:203.0.9.0"));
        assert!(!has(ListKind::DataCentres, "203.0.9.0"));
        assert!(!has(ListKind::BlockedAddresses, "203.1.9.0"));
        assert!(has(ListKind::DataCentres, "2001:db8:7::"));
        let hash = KeyedHash(std::array::from_fn(|place| u8::try_from(place).unwrap()));
        assert!(lists.has_hash(ListKind::BlockedAddresses, hash, NOON));
    }

    #[test]
    fn an_entry_ends_when_it_says() {
        let mut short = entry(ListKind::BlockedReferrers, "forum.example");
        short.expires_at = Some(NOON);
        let lists = Lists::try_from(vec![short]).unwrap();
        let before = NOON - chrono::TimeDelta::microseconds(1);
        assert!(lists.has_host(ListKind::BlockedReferrers, "forum.example", before));
        assert!(!lists.has_host(ListKind::BlockedReferrers, "forum.example", NOON));
    }

    #[test]
    fn a_host_is_found_below_another_and_however_it_is_written() {
        let lists = lists(&[(ListKind::BlockedReferrers, "WWW.Forum.example")]);
        for host in ["forum.example", "a.b.forum.example", "FORUM.example:8080", "www.forum.example."] {
            assert!(lists.has_host(ListKind::BlockedReferrers, host, NOON), "{host}");
        }
        for host in ["myforum.example", "example", "", "forum.example.net"] {
            assert!(!lists.has_host(ListKind::BlockedReferrers, host, NOON), "{host}");
        }
    }

    #[test]
    fn brand_terms_are_whole_words() {
        let lists = lists(&[(ListKind::BrandTerms, "Nord-Licht"), (ListKind::BrandTerms, "ana’s")]);
        let find = |text| lists.words_in(ListKind::BrandTerms, text, NOON);
        assert_eq!(find("buy nord licht tents"), Some("Nord-Licht"));
        assert_eq!(find("ana's shoes"), Some("ana’s"));
        assert_eq!(find("nordlichter"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_would_do() {
        let refused = |list, value: &str| Lists::try_from(vec![entry(list, value)]).unwrap_err().to_string();
        insta::assert_snapshot!(refused(ListKind::BlockedAddresses, "203.0.113.7/32"), @"203.0.113.7/32 is narrower than what is kept of an address; give a network of at most /24 (IPv6: /48), or the address's keyed hash");
        insta::assert_snapshot!(refused(ListKind::DataCentres, "servers"), @r#""servers" is nothing that data_centres can hold; give a network in CIDR notation, such as 203.0.113.0/24"#);
        insta::assert_snapshot!(refused(ListKind::BlockedReferrers, "https://a.example/b"), @r#""https://a.example/b" is nothing that blocked_referrers can hold; give a host without scheme or path, such as forum.example"#);
        insta::assert_snapshot!(refused(ListKind::BrandTerms, " - "), @r#"" - " is nothing that brand_terms can hold; give a word or several"#);
        let mut bare = entry(ListKind::BrandTerms, "ana");
        bare.reason.clear();
        assert!(Lists::try_from(vec![bare]).is_err());
    }
}
