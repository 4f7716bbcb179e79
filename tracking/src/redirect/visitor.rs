//! Who comes: from which address, with what kind of machine, and whether it is a person at all.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
};

use domain::click::{Asked, Device, network_of};
use http::{HeaderMap, Method};
use ipnet::IpNet;
use isbot::Bots;
use maxminddb::{Reader, path};
use quick_cache::sync::Cache;
use woothee::parser::Parser;

use super::{
    address::HiddenAddresses,
    asked::{Asking, PREFETCH_HEADERS, announces_prefetch},
    parameters::clean,
};
use crate::secret::Secret;

/// How much of a user agent is looked at and kept.
const USER_AGENT_LIMIT: usize = 512;
/// How much of a referrer is kept.
const REFERRER_LIMIT: usize = 1_024;
/// How many user agents are remembered; a site sees a few thousand.
const USER_AGENTS: usize = 16_384;

/// What a request says about whoever sent it, fit to be stored; texts stay where the request has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor<'a> {
    /// Keyed hash of the address.
    pub address_hash: [u8; 16],
    /// The network of the address.
    pub network: IpAddr,
    /// ISO 3166 country; empty when unknown.
    pub country: Cow<'a, str>,
    /// What kind of machine.
    pub device: Device,
    /// The user agent, cut.
    pub user_agent: Cow<'a, str>,
    /// The referring page, cut.
    pub referrer: Cow<'a, str>,
    /// How the browser asked.
    pub asked: Asked,
}

/// Those headers of a request that matter for a click, found in one pass over all of them.
#[derive(Debug, Clone, Default)]
pub struct Said<'a> {
    user_agent: Option<&'a [u8]>,
    referrer: Option<&'a [u8]>,
    is_prefetch: bool,
    cookies: Values<'a>,
    forwarded: Values<'a>,
    accept: Option<&'a [u8]>,
    origin: Option<&'a [u8]>,
    asking: Asking<'a>,
}

/// What a header says that may come several times and seldom does: one value is kept without asking for memory.
#[derive(Debug, Clone, Default)]
struct Values<'a> {
    first: Option<&'a [u8]>,
    more: Vec<&'a [u8]>,
}

impl<'a> Values<'a> {
    fn add(&mut self, value: &'a [u8]) {
        match self.first {
            Some(_) => self.more.push(value),
            None => self.first = Some(value),
        }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.first.into_iter().chain(self.more.iter().copied())
    }
}

/// The user agent of a request that counts, and what is known about it.
#[derive(Debug, Clone)]
pub struct Browser<'a> {
    user_agent: Cow<'a, str>,
    device: Device,
}

impl<'a> Said<'a> {
    /// Looks at every header once; names may be written in any case.
    pub fn by(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut said = Self::default();
        for (name, value) in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            match name.len() {
                6 if is("accept") => said.accept = said.accept.or(Some(value)),
                6 if is("cookie") => said.cookies.add(value),
                6 if is("origin") => said.origin = said.origin.or(Some(value)),
                7 if is("referer") => said.referrer = said.referrer.or(Some(value)),
                10 if is("user-agent") => said.user_agent = said.user_agent.or(Some(value)),
                15 if is("x-forwarded-for") => said.forwarded.add(value),
                5 | 7 | 9 | 11 if PREFETCH_HEADERS.into_iter().any(is) => {
                    said.is_prefetch |= announces_prefetch(value);
                }
                _ => said.asking.hear(name, value),
            }
        }
        said
    }

    /// The same for headers that were read into a map.
    pub fn in_map(headers: &'a HeaderMap) -> Self {
        Self::by(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
    }

    /// The values of `Cookie` headers.
    pub fn cookies(&self) -> impl Iterator<Item = &'a str> {
        self.cookies.iter().filter_map(|cookies| str::from_utf8(cookies).ok())
    }

    /// Whether a page is asked for, rather than data.
    pub(super) fn wants_html(&self) -> bool {
        self.accept
            .and_then(|accept| str::from_utf8(accept).ok())
            .is_some_and(|accept| accept.contains("text/html"))
    }

    /// The origin of the page that asks.
    pub(super) fn origin(&self) -> Option<&'a [u8]> {
        self.origin
    }
}

/// Why a request is answered but not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncounted {
    /// Only headers were asked for.
    Head,
    /// A browser fetches ahead.
    Prefetch,
    /// A crawler, a monitor or a preview.
    Bot,
}

/// Recognizes visitors, with what was configured for it.
pub struct Visitors {
    trusted_proxies: Vec<IpNet>,
    geography: Option<Reader<Vec<u8>>>,
    hiding: HiddenAddresses,
    bots: Bots,
    crawlers: Parser,
    /// What was found out about a user agent; looking at one takes longer than everything else together.
    known: Cache<String, Agent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Agent {
    device: Device,
    is_bot: bool,
}

/// Who sent a request: the first address, seen from us, that is no proxy we trust; `peer` is who opened the
/// connection, and `forwarded` what `X-Forwarded-For` headers say; what somebody wrote there before a proxy did may be
/// no text, and makes nothing behind it wrong.
pub fn client_address<'a>(
    trusted_proxies: &[IpNet],
    peer: Option<IpAddr>,
    forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted_proxies.iter().any(|network| network.contains(&address));
    let mut address = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
    for entry in forwarded.rev().flat_map(|value| value.rsplit(|byte| *byte == b',')) {
        if !is_trusted(address) {
            break;
        }
        let claimed = str::from_utf8(entry).ok().and_then(|entry| parse_address(entry.trim()));
        let Some(claimed) = claimed else { break };
        address = claimed.to_canonical();
    }
    address
}

impl Visitors {
    /// Trusts these proxies, and looks countries up in this database.
    pub fn new(trusted_proxies: Vec<IpNet>, geography: Option<Reader<Vec<u8>>>, secret: &Secret) -> Self {
        Self {
            trusted_proxies,
            geography,
            hiding: HiddenAddresses::new(secret),
            bots: Bots::default(),
            crawlers: Parser::new(),
            known: Cache::new(USER_AGENTS),
        }
    }

    /// What the request counts as coming from.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn recognize<'a>(&self, method: &Method, said: &Said<'a>) -> Result<Browser<'a>, Uncounted> {
        if method == Method::HEAD {
            return Err(Uncounted::Head);
        }
        if said.is_prefetch {
            return Err(Uncounted::Prefetch);
        }
        let user_agent = text(said.user_agent, USER_AGENT_LIMIT);
        let Agent { device, is_bot } = self.agent(&user_agent);
        if is_bot { Err(Uncounted::Bot) } else { Ok(Browser { user_agent, device }) }
    }

    /// Everything that is stored about the visitor; `peer` is who opened the connection.
    pub fn describe<'a>(
        &'a self,
        peer: Option<IpAddr>,
        said: &Said<'a>,
        browser: Browser<'a>,
    ) -> Visitor<'a> {
        let address = client_address(&self.trusted_proxies, peer, said.forwarded.iter());
        Visitor {
            address_hash: self.hiding.hash(address),
            network: network_of(address),
            country: self.country(address),
            device: browser.device,
            asked: said.asking.told(&browser.user_agent),
            user_agent: browser.user_agent,
            referrer: text(said.referrer, REFERRER_LIMIT),
        }
    }

    /// The country of an address; empty when it is not known.
    pub(crate) fn country(&self, address: IpAddr) -> Cow<'_, str> {
        let code = self.geography.as_ref().and_then(|geography| {
            let found = geography.lookup(address).ok()?;
            // MaxMind's own databases nest it; the public-domain ones have it on top.
            let nested = found.decode_path::<&str>(&path!["country", "iso_code"]).ok().flatten();
            nested.or_else(|| found.decode_path::<&str>(&path!["country_code"]).ok().flatten())
        });
        match code.filter(|code| code.len() == 2) {
            Some(code) if code.bytes().any(|letter| letter.is_ascii_lowercase()) => {
                code.to_ascii_uppercase().into()
            }
            code => code.unwrap_or_default().into(),
        }
    }

    /// What kind of machine a browser runs on that says this of itself.
    pub(crate) fn device(&self, user_agent: &str) -> Device {
        self.agent(&text(Some(user_agent.as_bytes()), USER_AGENT_LIMIT)).device
    }

    fn agent(&self, user_agent: &str) -> Agent {
        if let Some(agent) = self.known.get(user_agent) {
            return agent;
        }
        let found = self.crawlers.parse(user_agent);
        let category = found.as_ref().map_or("", |found| found.category);
        let is_bot = category == "crawler" || self.bots.is_bot(user_agent);
        let agent = Agent { device: device(category, user_agent), is_bot };
        self.known.insert(user_agent.to_owned(), agent);
        agent
    }
}

/// Tablets call themselves telephones, or telephones that are not mobile.
fn device(category: &str, user_agent: &str) -> Device {
    let is_tablet = user_agent.contains("iPad")
        || user_agent.contains("Tablet")
        || user_agent.contains("Android") && !user_agent.contains("Mobile");
    match category {
        "smartphone" if is_tablet => Device::Tablet,
        "smartphone" | "mobilephone" => Device::Mobile,
        "pc" => Device::Desktop,
        _ => Device::Unknown,
    }
}

fn text(value: Option<&[u8]>, limit: usize) -> Cow<'_, str> {
    let bytes = value.map_or(&[][..], |value| &value[..value.len().min(limit)]);
    match str::from_utf8(bytes) {
        Ok(text) => clean(text, limit),
        Err(_) => Cow::Owned(clean(&String::from_utf8_lossy(bytes), limit).into_owned()),
    }
}

/// An address as proxies write it: alone, or with a port, or in brackets.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    let without_brackets = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    without_brackets
        .map_or(text, |(address, _)| address)
        .parse()
        .ok()
        .or_else(|| text.parse().ok().map(|with_port: std::net::SocketAddr| with_port.ip()))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::customer::Customers;

    fn visitors() -> Visitors {
        let proxies = ["10.0.0.0/8", "2001:db8::/32", "127.0.0.1/32"].map(|network| network.parse().unwrap());
        Visitors::new(proxies.into(), None, &Secret::new(&"s".repeat(32)).unwrap())
    }

    fn said<'a>(headers: &[(&'a str, &'a str)]) -> Said<'a> {
        Said::by(headers.iter().map(|(name, value)| (*name, value.as_bytes())))
    }

    const UNKNOWN: Browser<'static> = Browser { user_agent: Cow::Borrowed(""), device: Device::Unknown };

    fn describe(visitors: &Visitors, peer: Option<IpAddr>) -> Visitor<'_> {
        visitors.describe(peer, &Said::default(), UNKNOWN)
    }

    #[track_caller]
    fn check_address(peer: &str, forwarded: &[&str], address: &str) {
        let headers: Vec<_> = forwarded.iter().map(|value| ("X-Forwarded-For", *value)).collect();
        let (visitors, peer) = (visitors(), Some(peer.parse().unwrap()));
        let found =
            client_address(&visitors.trusted_proxies, peer, forwarded.iter().map(|value| value.as_bytes()));
        assert_eq!(found.to_string(), address, "{peer:?} {forwarded:?}");
        let described = visitors.describe(peer, &said(&headers), UNKNOWN);
        assert_eq!(described.address_hash, visitors.hiding.hash(found));
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        check_address("203.0.113.5", &[], "203.0.113.5");
        check_address("203.0.113.5", &["198.51.100.1"], "203.0.113.5");
        check_address("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check_address("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check_address("10.0.0.1", &[], "10.0.0.1");
    }

    #[test]
    fn what_a_visitor_claims_does_not_count() {
        check_address("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.9"], "198.51.100.1");
        check_address("10.0.0.1", &["1.1.1.1", "198.51.100.1", "10.0.0.9"], "198.51.100.1");
        check_address("10.0.0.1", &["10.0.0.7, 10.0.0.8"], "10.0.0.7");
        check_address("10.0.0.1", &["1.1.1.1, nonsense, 10.0.0.9"], "10.0.0.9");
        check_address("10.0.0.1", &["nonsense"], "10.0.0.1");
        check_address("10.0.0.1", &["é, 198.51.100.1"], "198.51.100.1");
    }

    #[test]
    fn proxies_write_addresses_in_many_ways() {
        check_address("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1");
        check_address("10.0.0.1", &["[2001:db9::1]:4711"], "2001:db9::1");
        check_address("10.0.0.1", &["[2001:db9::1]"], "2001:db9::1");
        check_address("10.0.0.1", &["2001:db9::1"], "2001:db9::1");
    }

    #[test]
    fn an_address_is_kept_only_as_a_hash_and_a_network() {
        let (visitors, peer) = (visitors(), Some([203, 0, 113, 77].into()));
        let visitor = describe(&visitors, peer);
        assert_eq!(visitor.network.to_string(), "203.0.113.0");
        assert_eq!(visitor, describe(&self::visitors(), peer));
        let neighbour = describe(&visitors, Some([203, 0, 113, 78].into()));
        assert_ne!(visitor.address_hash, neighbour.address_hash);
        let elsewhere = Visitors::new(Vec::new(), None, &Secret::new(&"t".repeat(32)).unwrap());
        assert_ne!(visitor.address_hash, describe(&elsewhere, peer).address_hash);
    }

    /// A database of two halves of the world: the shape of the public-domain files, and MaxMind's.
    pub(crate) fn geography() -> Reader<Vec<u8>> {
        let text = |text: &str| [&[0x40 | text.len() as u8], text.as_bytes()].concat();
        let map = |pairs: &[(&str, Vec<u8>)]| {
            let body = pairs.iter().flat_map(|(name, value)| [text(name), value.clone()].concat());
            [0xe0 | pairs.len() as u8].into_iter().chain(body).collect::<Vec<u8>>()
        };
        let number = |number: u8| vec![0xa1, number];
        let flat = map(&[("country_code", text("de"))]);
        let nested = map(&[("country", map(&[("iso_code", text("US"))]))]);
        let begins = |offset: usize| [0, 0, (1 + 16 + offset) as u8];
        let metadata = map(&[
            ("node_count", vec![0xc1, 1]),
            ("record_size", number(24)),
            ("ip_version", number(4)),
            ("database_type", text("test")),
            ("binary_format_major_version", number(2)),
            ("binary_format_minor_version", number(0)),
            ("build_epoch", vec![0x01, 0x02, 1]),
            ("languages", vec![0x00, 0x04]),
            ("description", map(&[])),
        ]);
        let marker = b"\xab\xcd\xefMaxMind.com";
        let tree = [begins(0), begins(flat.len())].concat();
        let file = [&tree[..], &[0; 16], &flat, &nested, marker, &metadata].concat();
        Reader::from_source(file).unwrap()
    }

    #[test]
    fn a_country_is_found_in_either_kind_of_database() {
        let secret = Secret::new(&"s".repeat(32)).unwrap();
        let visitors = Visitors::new(Vec::new(), Some(geography()), &secret);
        let country = |address: &str| describe(&visitors, address.parse().ok()).country;
        assert_eq!(country("93.184.216.34"), "DE");
        assert_eq!(country("203.0.113.77"), "US");
        assert_eq!(country("2001:db8::1"), "");
        assert_eq!(self::visitors().country([93, 184, 216, 34].into()), "");
        let customers = Customers::new(Arc::new(visitors), &secret);
        assert_eq!(customers.country([93, 184, 216, 34].into()).as_deref(), Some("DE"));
        assert_eq!(customers.country("2001:db8::1".parse().unwrap()), None);
    }

    #[track_caller]
    fn check_agent(user_agent: &str, device: Device, is_bot: bool) {
        let visitors = visitors();
        assert_eq!(visitors.agent(user_agent), Agent { device, is_bot }, "{user_agent}");
        let recognized = visitors.recognize(&Method::GET, &said(&[("User-Agent", user_agent)]));
        assert_eq!(recognized.err(), is_bot.then_some(Uncounted::Bot), "{user_agent}");
    }

    #[test]
    fn machines_are_told_apart() {
        check_agent(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
            Device::Desktop,
            false,
        );
        check_agent(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0",
            Device::Desktop,
            false,
        );
        check_agent(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            Device::Mobile,
            false,
        );
        check_agent(
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
            Device::Mobile,
            false,
        );
        check_agent(
            "Mozilla/5.0 (Linux; Android 13; SM-X900) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
            Device::Tablet,
            false,
        );
        check_agent(
            "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            Device::Tablet,
            false,
        );
        check_agent("", Device::Unknown, false);
    }

    #[test]
    fn bots_are_known() {
        for user_agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "curl/8.5.0",
            "python-requests/2.32.3",
        ] {
            check_agent(user_agent, Device::Unknown, true);
        }
    }

    #[test]
    fn what_nobody_has_asked_for_does_not_count() {
        let uncounted =
            |method: Method, pairs: &[(&str, &str)]| visitors().recognize(&method, &said(pairs)).err();
        assert_eq!(uncounted(Method::GET, &[]), None);
        assert_eq!(uncounted(Method::HEAD, &[]), Some(Uncounted::Head));
        for (name, value) in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "Prefetch"),
            ("X-moz", "prefetch"),
            ("x-purpose", "preview"),
        ] {
            assert_eq!(
                uncounted(Method::GET, &[(name, value)]),
                Some(Uncounted::Prefetch),
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn long_and_odd_headers_are_cut_and_cleaned() {
        let long = format!("a\tb{}", "é".repeat(2_000));
        let (visitors, said) = (visitors(), said(&[("user-agent", &long), ("referer", &long)]));
        let browser = visitors.recognize(&Method::GET, &said).unwrap();
        let visitor = visitors.describe(None, &said, browser);
        assert!(visitor.user_agent.len() <= USER_AGENT_LIMIT && visitor.user_agent.starts_with("abé"));
        assert!(visitor.referrer.len() <= REFERRER_LIMIT);
    }
}
