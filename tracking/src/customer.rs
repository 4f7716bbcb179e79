//! What a report says of its customer: enough to know the same one again, and nothing that says who it was.
//!
//! A report is read into hashes at once, so that neither the database nor what waits in quarantine ever holds an address,
//! an e-mail address, a device's id or an account. Address and e-mail address pass by in clear beside them until the request
//! ends ([`Passing`]).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use domain::{
    click::{Device, network_of},
    event::Checks,
    fraud::{
        evidence::{CheckResult, KeyedHash},
        mailbox,
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    hiding::Hiding,
    redirect::visitor::{Visitors, parse_address},
    secret::Secret,
};

/// An e-mail address is at most this long, and where it is too (RFC 5321, section 4.5.3.1).
const MAIL_LIMIT: usize = 254;
/// How long a device's id or an account may be.
const ID_LIMIT: usize = 256;
/// No visit is longer: thirty days, after which its cookie is another.
const LONGEST_VISIT_SECONDS: u32 = 30 * 86_400;
/// What programs write for an id that they do not have: whoever believed it would take all customers for one.
const NOT_AN_ID: [&str; 8] = ["null", "nil", "none", "undefined", "unknown", "n/a", "na", "nan"];

/// What is kept of a customer; what was not said is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Customer {
    /// Keyed hash of the address that the order came from, as a click has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{32}$")]
    pub address_hash: Option<KeyedHash>,
    /// The network of that address, as a click has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "203.0.113.0")]
    pub network: Option<IpAddr>,
    /// What kind of machine, by its browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// Keyed hash of the device's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{32}$")]
    pub device_hash: Option<KeyedHash>,
    /// Keyed hash of the mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{32}$")]
    pub email_hash: Option<KeyedHash>,
    /// Where the mailbox is, in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_domain: Option<String>,
    /// Keyed hash of the account that paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{32}$")]
    pub account_hash: Option<KeyedHash>,
    /// Whole seconds that the customer was on the advertiser's site before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_on_site_seconds: Option<u32>,
    /// What the advertiser's check of the e-mail address said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_check: Option<CheckResult>,
    /// What the test for people in the advertiser's form said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captcha_check: Option<CheckResult>,
}

impl Customer {
    /// What the advertiser's page and form found out.
    pub fn checks(&self) -> Checks {
        Checks {
            time_on_site_seconds: self.time_on_site_seconds,
            email: self.email_check,
            captcha: self.captcha_check,
        }
    }
}

/// What a report says of its customer in clear, for providers outside that an operator may have configured. It goes with the
/// request, is never written, and does not show itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Passing {
    /// The address that the order came from.
    pub address: Option<IpAddr>,
    /// The e-mail address.
    pub email: Option<String>,
}

impl fmt::Debug for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passing(..)")
    }
}

/// Services' words for what a check said.
static CHECK_WORDS: &[(&str, CheckResult)] = &[
    ("pass", CheckResult::Passed),
    ("ok", CheckResult::Passed),
    ("valid", CheckResult::Passed),
    ("deliverable", CheckResult::Passed),
    ("success", CheckResult::Passed),
    ("true", CheckResult::Passed),
    ("yes", CheckResult::Passed),
    ("1", CheckResult::Passed),
    ("fail", CheckResult::Failed),
    ("invalid", CheckResult::Failed),
    ("undeliverable", CheckResult::Failed),
    ("false", CheckResult::Failed),
    ("no", CheckResult::Failed),
    ("0", CheckResult::Failed),
    ("unknown", CheckResult::Unsure),
    ("risky", CheckResult::Unsure),
    ("catch_all", CheckResult::Unsure),
    ("accept_all", CheckResult::Unsure),
    ("timeout", CheckResult::Unsure),
    ("error", CheckResult::Unsure),
];

/// What a check said.
///
/// # Errors
/// When it is none of the words for that.
pub fn check_result(text: &str) -> Result<CheckResult, String> {
    let word = text.to_ascii_lowercase();
    if let Some((_, result)) = CHECK_WORDS.iter().find(|(known, _)| *known == word) {
        return Ok(*result);
    }
    word.parse().map_err(|error: domain::state::NameError| error.to_string())
}

/// Whole seconds on a site; a part of one is not counted.
///
/// # Errors
/// When it is no number of seconds that a visit can last.
pub fn time_on_site(text: &str) -> Result<u32, String> {
    let wrong = || format!("must be seconds from 0 to {LONGEST_VISIT_SECONDS}, such as 75");
    let seconds = text.split_once('.').map_or(text, |(whole, part)| {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) { whole } else { "" }
    });
    let is_count = seconds.bytes().all(|byte| byte.is_ascii_digit());
    let count = seconds.parse().ok().filter(|count| is_count && *count <= LONGEST_VISIT_SECONDS);
    count.ok_or_else(wrong)
}

/// Reads what reports say of customers, and hides it under the installation's secret. Refusals never repeat what was sent.
pub struct Customers {
    visitors: Arc<Visitors>,
    hiding: Hiding,
}

impl Customers {
    /// Knows machines and countries as `visitors` does.
    pub fn new(visitors: Arc<Visitors>, secret: &Secret) -> Self {
        Self { visitors, hiding: Hiding::new(secret) }
    }

    /// How they are hidden.
    pub fn hiding(&self) -> &Hiding {
        &self.hiding
    }

    /// The country of an address; none when it is not known.
    pub fn country(&self, address: IpAddr) -> Option<String> {
        Some(self.visitors.country(address).into_owned()).filter(|country| !country.is_empty())
    }

    /// What kind of machine a browser runs on, by what it says of itself.
    pub fn device(&self, user_agent: &str) -> Device {
        self.visitors.device(user_agent)
    }

    /// A mailbox and where it is.
    ///
    /// # Errors
    /// When the text is no e-mail address.
    pub fn mail(&self, text: &str) -> Result<(KeyedHash, String), String> {
        let wrong = || "must be an e-mail address such as ana@mail.example".to_owned();
        let is_one = text.len() <= MAIL_LIMIT && text.matches('@').count() == 1;
        let mailbox = mailbox::normalised(text).filter(|_| is_one).ok_or_else(wrong)?;
        let (name, domain) = mailbox.rsplit_once('@').ok_or_else(wrong)?;
        if name.chars().any(is_no_letter_of_a_name) || !is_domain(domain) {
            return Err(wrong());
        }
        Ok((self.hiding.mailbox(&mailbox), domain.to_owned()))
    }

    /// A mailbox of which the SHA-256 is told; none when that is the one of an empty text.
    ///
    /// # Errors
    /// When the text is no SHA-256.
    pub fn hashed_mail(&self, text: &str) -> Result<Option<KeyedHash>, String> {
        let digest = digest(text)
            .ok_or("must be the SHA-256 of the normalised e-mail address, as 64 hexadecimal digits")?;
        Ok(is_of_something(&digest).then(|| self.hiding.mailbox_of(digest)))
    }

    /// A device's own id; none when the text says that there is none.
    ///
    /// # Errors
    /// When the text is too long, or a placeholder that nobody has filled in.
    pub fn device_id(&self, text: &str) -> Result<Option<KeyedHash>, String> {
        Ok(id(text)?.map(|id| self.hiding.device(id)))
    }

    /// An account that paid, without regard to spaces and case; none when the text says that there is none.
    ///
    /// # Errors
    /// When the text is too long, or a placeholder that nobody has filled in.
    pub fn account(&self, text: &str) -> Result<Option<KeyedHash>, String> {
        let written = |id: &str| id.split_whitespace().collect::<String>().to_lowercase();
        Ok(id(text)?.map(|id| self.hiding.account(&written(id))))
    }

    /// An account of which the SHA-256 is told; none when that is the one of an empty text.
    ///
    /// # Errors
    /// When the text is no SHA-256.
    pub fn hashed_account(&self, text: &str) -> Result<Option<KeyedHash>, String> {
        let digest = digest(text).ok_or("must be the SHA-256 of the account, as 64 hexadecimal digits")?;
        Ok(is_of_something(&digest).then(|| self.hiding.account_of(digest)))
    }
}

impl Customer {
    /// Adds an address, of which the hash and the network are kept.
    pub fn at(self, address: IpAddr, customers: &Customers) -> Self {
        let (hash, network) = (customers.hiding.address(address), network_of(address));
        Self { address_hash: Some(hash), network: Some(network), ..self }
    }
}

/// The address of somebody: one alone, with or without a port.
///
/// # Errors
/// When the text is none, or one that nobody can have.
pub fn address(text: &str) -> Result<IpAddr, String> {
    let wrong = "must be the customer's IPv4 or IPv6 address, such as 203.0.113.7 or 2001:db8::7";
    let address = parse_address(text.trim()).ok_or(wrong)?.to_canonical();
    let is_nobodys =
        address.is_unspecified() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if is_nobodys { Err(wrong.to_owned()) } else { Ok(address) }
}

/// Where a mailbox is, told without the mailbox: under the name that mailboxes there are compared by.
///
/// # Errors
/// When the text is no domain.
pub fn mail_domain(text: &str) -> Result<String, String> {
    let wrong = "must be what is behind the @ of an e-mail address, such as mail.example";
    let mailbox = mailbox::normalised(&format!("x@{}", text.trim().trim_start_matches('@')));
    let domain = mailbox.as_deref().and_then(|mailbox| mailbox.strip_prefix("x@"));
    Ok(domain.filter(|domain| is_domain(domain)).ok_or(wrong)?.to_owned())
}

fn is_no_letter_of_a_name(letter: char) -> bool {
    letter.is_control() || "<>()[],;:\\\"".contains(letter)
}

fn is_domain(domain: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '-';
    let is_label = |label: &str| !label.is_empty() && label.chars().all(is_letter);
    // What ends in digits is an address of a machine.
    let is_named = domain.rsplit_once('.').is_some_and(|(_, top)| top.contains(char::is_alphabetic));
    domain.len() <= MAIL_LIMIT && is_named && domain.split('.').all(is_label)
}

/// The bytes of a SHA-256 in hexadecimal digits.
fn digest(text: &str) -> Option<[u8; 32]> {
    let (text, mut digest) = (text.trim(), [0; 32]);
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (place, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// Whoever has no address to hash may hash nothing, which all of them would have in common.
fn is_of_something(digest: &[u8; 32]) -> bool {
    Sha256::digest("").as_slice() != digest.as_slice()
}

/// An opaque id, if it is one: not a word for none, and not the zeros of a device that does not want to be known.
fn id(text: &str) -> Result<Option<&str>, String> {
    let text = text.trim();
    if ID_LIMIT < text.chars().count() || text.chars().any(char::is_control) {
        return Err(format!("must be at most {ID_LIMIT} printable characters"));
    }
    if text.starts_with(['{', '[', '<', '%', '$', '#']) {
        return Err("is a placeholder that was not filled in".to_owned());
    }
    let is_said = text.chars().any(|letter| letter.is_alphanumeric() && letter != '0');
    let is_none = NOT_AN_ID.iter().any(|word| text.eq_ignore_ascii_case(word));
    Ok(Some(text).filter(|_| is_said && !is_none))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// Those of an installation that knows no countries.
    pub(crate) static CUSTOMERS: LazyLock<Customers> = LazyLock::new(|| {
        let secret = "a secret for tests, nothing but tests".parse().unwrap();
        Customers::new(Arc::new(Visitors::new(Vec::new(), None, &secret)), &secret)
    });

    fn mail(text: &str) -> Option<(KeyedHash, String)> {
        let told = CUSTOMERS.mail(text);
        assert!(told.as_ref().err().is_none_or(|refusal| !refusal.contains(text) || text.len() < 8));
        told.ok()
    }

    fn hex(text: &str) -> String {
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn one_mailbox_is_one_hash_however_it_is_written_or_hashed() {
        let (hash, domain) = mail("A.b+tag@gmail.com").unwrap();
        assert_eq!(domain, "gmail.com");
        for written in ["ab@gmail.com", " AB@googlemail.com ", "a.b@gmail.com."] {
            assert_eq!(mail(written), Some((hash, "gmail.com".to_owned())), "{written}");
        }
        for told in [hex("ab@gmail.com"), hex("ab@gmail.com").to_uppercase()] {
            assert_eq!(CUSTOMERS.hashed_mail(&told), Ok(Some(hash)));
        }
        assert_ne!(mail("ab@mail.example").unwrap().0, hash);
        assert_eq!(mail_domain("@GoogleMail.com").unwrap(), "gmail.com");
    }

    #[test]
    fn what_is_no_mailbox_is_refused_and_not_repeated() {
        for text in [
            "ana",
            "ana@localhost",
            "Ana <ana@mail.example>",
            "<ana@mail.example>",
            "ana@bo@mail.example",
            "ana\u{7}@mail.example",
            "ana@mail\u{0}.example",
            "ana@mail..example",
            "ana@mail.example/path",
            "ana@203.0.113.7",
            &format!("{}@mail.example", "a".repeat(MAIL_LIMIT)),
        ] {
            assert_eq!(mail(text), None, "{text:?}");
        }
        for text in ["", "mail", "a@mail.example", "mail.example/x", "mail example.com", "203.0.113.7"] {
            assert!(mail_domain(text).is_err(), "{text:?}");
        }
        for text in ["", "ab@gmail.com", &hex("a")[1..], &"é".repeat(32), &format!("{}g", &hex("a")[1..])] {
            assert!(CUSTOMERS.hashed_mail(text).is_err(), "{text:?}");
            assert!(CUSTOMERS.hashed_account(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_all_have_who_have_none_is_nobodys() {
        assert_eq!(CUSTOMERS.hashed_mail(&hex("")), Ok(None));
        assert_eq!(CUSTOMERS.hashed_account(&hex("")), Ok(None));
        for none in ["00000000-0000-0000-0000-000000000000", "0", "null", "Undefined", "N/A", "--", " "] {
            assert_eq!(CUSTOMERS.device_id(none), Ok(None), "{none:?}");
            assert_eq!(CUSTOMERS.account(none), Ok(None), "{none:?}");
        }
        for unfilled in ["{device_id}", "[GAID]", "%%IDFA%%", "${id}", "{{id}}", &"d".repeat(257), "a\u{1b}b"]
        {
            assert!(CUSTOMERS.device_id(unfilled).is_err(), "{unfilled:?}");
        }
    }

    #[test]
    fn an_account_is_the_same_with_and_without_spaces() {
        let account = |text: &str| CUSTOMERS.account(text).unwrap().unwrap();
        assert_eq!(account("DE89 3704 0044 0532 0130 00"), account("de89370400440532013000"));
        assert_eq!(
            CUSTOMERS.hashed_account(&hex("de89370400440532013000")),
            Ok(Some(account("DE89370400440532013000")))
        );
        let device = |text: &str| CUSTOMERS.device_id(text).unwrap().unwrap();
        assert_ne!(device("a"), device("A"), "a device's id is opaque");
        assert_ne!(device("a"), account("a"));
    }

    #[test]
    fn an_address_is_one_that_somebody_can_have() {
        let told = |text: &str| address(text).map(|address| address.to_string());
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            (" 203.0.113.7:443 ", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(told(text), Ok(expected.to_owned()));
        }
        for text in [
            "",
            "203.0.113",
            "203.0.113.7, 10.0.0.1",
            "shop.example",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(told(text).is_err(), "{text:?}");
        }
    }
}
