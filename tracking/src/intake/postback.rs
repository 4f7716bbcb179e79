//! A postback whose every field was read and checked, before anything is known about its click.

use std::net::IpAddr;

use chrono::{DateTime, SubsecRound, Utc};
use domain::{
    ClickId, Currency, Money, SessionId,
    attribution::CLOCK_TOLERANCE,
    conversion::{ConversionStatus, ReversalReason},
    money::MoneyError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::{CHECKS, Fields, Given, error};
use crate::{
    customer::{self, Customer, Customers, Passing},
    problem::FieldError,
};

/// Version of the shape in which postbacks wait in quarantine; the second has the customer, and the third what page and form
/// found out, which the ones before are read without.
const FORMAT: u32 = 3;

/// What an advertiser reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postback {
    /// Version of this record's shape.
    pub format: u32,
    /// The click that the landing URL carried.
    pub click_id: Option<ClickId>,
    /// The visit, when the click is not known.
    pub session_id: Option<SessionId>,
    /// The event's name.
    pub event: Option<String>,
    /// A plain decimal; how many digits it may have is known with the currency.
    pub amount: Option<String>,
    /// The currency of the amount.
    pub currency: Option<Currency>,
    /// The order.
    pub order_id: Option<String>,
    /// Where the conversion is said to stand.
    pub status: Option<Claim>,
    /// The promo code, in upper case.
    pub coupon: Option<String>,
    /// The transaction.
    pub external_id: Option<String>,
    /// The customer, by the advertiser's name; never by an e-mail address.
    pub customer_id: Option<String>,
    /// Two letters, ISO 3166: as said, else that of the customer's address.
    pub country: Option<String>,
    /// When the customer converted.
    pub occurred_at: Option<DateTime<Utc>>,
    /// Who the customer was, hidden.
    #[serde(default)]
    pub customer: Customer,
    /// The same in clear, for as long as the request lasts.
    #[serde(skip)]
    pub passing: Passing,
    /// Fields that are not ours.
    pub metadata: Map<String, Value>,
}

/// Where a conversion is said to stand, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The state.
    pub status: ConversionStatus,
    /// Why it is rejected or reversed.
    pub reason: Option<ReversalReason>,
}

/// Other networks' words for our states; some of them say why.
static STATUS_WORDS: &[(&str, ConversionStatus, Option<ReversalReason>)] = &[
    ("open", ConversionStatus::Pending, None),
    ("new", ConversionStatus::Pending, None),
    ("confirmed", ConversionStatus::Approved, None),
    ("accepted", ConversionStatus::Approved, None),
    ("declined", ConversionStatus::Rejected, None),
    ("cancelled", ConversionStatus::Rejected, None),
    ("canceled", ConversionStatus::Rejected, None),
    ("hold", ConversionStatus::OnHold, None),
    ("refunded", ConversionStatus::Reversed, Some(ReversalReason::Refund)),
    ("chargeback", ConversionStatus::Reversed, Some(ReversalReason::Chargeback)),
];

impl Postback {
    /// Reads and checks every field, and hides who the customer was.
    ///
    /// # Errors
    /// Every field that cannot be accepted, each named as it was sent.
    pub fn read(fields: Fields, now: DateTime<Utc>, customers: &Customers) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader { fields: &fields, errors: Vec::new() };
        let currency = reader.parsed("currency", |text| text.parse().map_err(sentence));
        let address = reader.parsed("ip", customer::address);
        let postback = Self {
            format: FORMAT,
            click_id: reader.parsed("click_id", |text| text.parse().map_err(sentence)),
            session_id: reader.parsed("session_id", |text| text.parse().map_err(sentence)),
            event: reader.parsed("event", event_name),
            amount: reader.parsed("amount", |text| amount(text, currency)),
            currency,
            order_id: reader.text("order_id", 128),
            status: reader.claim(),
            coupon: reader.text("coupon", 64).map(|code| code.to_uppercase()),
            external_id: reader.text("external_id", 128),
            customer_id: reader.text("customer_id", 128).map(|name| nameless(name, customers)),
            country: reader.parsed("country", country).or_else(|| customers.country(address?)),
            occurred_at: reader.parsed("ts", |text| moment(text, now)),
            customer: reader.customer(address, customers),
            passing: Passing { address, email: fields.get("email").map(|given| given.text.clone()) },
            metadata: fields.metadata.clone().into_iter().chain(unread(&fields)).collect(),
        };
        if reader.errors.is_empty() { Ok(postback) } else { Err(reader.errors) }
    }

    /// The amount in its own currency, or else in `otherwise`.
    ///
    /// # Errors
    /// When it has more digits than that currency, or is too large to be counted.
    pub fn money(&self, otherwise: Currency) -> Result<Option<Money>, MoneyError> {
        let currency = self.currency.unwrap_or(otherwise);
        self.amount.as_deref().map(|amount| Money::parse(amount, currency)).transpose()
    }
}

/// Reads fields one by one and keeps what is wrong with them.
struct Reader<'a> {
    fields: &'a Fields,
    errors: Vec<FieldError>,
}

impl Reader<'_> {
    fn parsed<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let Given { sent_as, text } = self.fields.get(name)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.errors.push(error(sent_as, detail));
                None
            }
        }
    }

    /// What a field says, where it can be read; else it is as good as not said ([`unread`]).
    fn told<T>(&self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        parse(&self.fields.get(name)?.text).ok()
    }

    fn text(&mut self, name: &'static str, limit: usize) -> Option<String> {
        self.parsed(name, |text| {
            let is_plain = !text.chars().any(char::is_control) && text.chars().count() <= limit;
            if is_plain {
                Ok(text.to_owned())
            } else {
                Err(format!("must be at most {limit} printable characters"))
            }
        })
    }

    /// What is told in clear goes before what was hashed.
    fn customer(&mut self, address: Option<IpAddr>, customers: &Customers) -> Customer {
        let mail = self.parsed("email", |text| customers.mail(text));
        let hashed_mail = self.parsed("email_hash", |text| customers.hashed_mail(text)).flatten();
        let mail_domain = self.parsed("email_domain", customer::mail_domain);
        let account = self.parsed("payment_account", |text| customers.account(text)).flatten();
        let hashed_account =
            self.parsed("payment_account_hash", |text| customers.hashed_account(text)).flatten();
        let (email_hash, email_domain) = mail.unzip();
        let customer = Customer {
            device: self.parsed("user_agent", |text| Ok(customers.device(text))),
            device_hash: self.parsed("device_id", |text| customers.device_id(text)).flatten(),
            email_hash: email_hash.or(hashed_mail),
            email_domain: email_domain.or(mail_domain),
            account_hash: account.or(hashed_account),
            time_on_site_seconds: self.told("time_on_site", customer::time_on_site),
            email_check: self.told("email_check", customer::check_result),
            captcha_check: self.told("captcha_check", customer::check_result),
            ..Customer::default()
        };
        match address {
            Some(address) => customer.at(address, customers),
            None => customer,
        }
    }

    /// The reason may stand in a field of its own or in the word for the state.
    fn claim(&mut self) -> Option<Claim> {
        let reason = self.parsed("reason", |text| text.to_ascii_lowercase().parse().map_err(sentence));
        let claim = self.parsed("status", claim)?;
        Some(Claim { reason: reason.or(claim.reason), ..claim })
    }
}

/// How many characters a word may have that is kept though it is none of ours.
const WORD: usize = 64;

/// What was said of checks in words that are none of ours: kept as it came, as it was before they were fields, unless it is
/// more than a word or may say who the customer was.
fn unread(fields: &Fields) -> impl Iterator<Item = (String, Value)> {
    let is_read = |name: &str, text: &str| match name {
        "time_on_site" => customer::time_on_site(text).is_ok(),
        _ => customer::check_result(text).is_ok(),
    };
    let given = CHECKS.iter().filter_map(|name| Some((*name, fields.get(name)?)));
    let is_word = |text: &str| {
        let is_plain = text.chars().count() <= WORD && !text.contains(char::is_control);
        is_plain && !text.contains('@') && !text.split_whitespace().any(|part| part.parse::<IpAddr>().is_ok())
    };
    let unread = given.filter(move |(name, given)| !is_read(name, &given.text) && is_word(&given.text));
    unread.map(|(_, given)| (given.sent_as.clone(), Value::String(given.text.clone())))
}

/// The advertiser's name for a customer; where that is an e-mail address, the hash of the mailbox stands for it.
fn nameless(name: String, customers: &Customers) -> String {
    customers.mail(&name).map_or(name, |(hash, _)| hash.to_string())
}

fn sentence(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn claim(text: &str) -> Result<Claim, String> {
    let word = text.to_ascii_lowercase();
    if let Some((_, status, reason)) = STATUS_WORDS.iter().find(|(known, ..)| *known == word) {
        return Ok(Claim { status: *status, reason: *reason });
    }
    match word.parse().map_err(sentence)? {
        ConversionStatus::Received => {
            Err("a conversion that is reported has been received already".to_owned())
        }
        status => Ok(Claim { status, reason: None }),
    }
}

fn event_name(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let is_name = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-'));
    if is_name && name.len() <= 64 {
        return Ok(name);
    }
    Err("must be at most 64 letters, digits, `_`, `.` or `-`".to_owned())
}

fn amount(text: &str, currency: Option<Currency>) -> Result<String, String> {
    // Without a currency only the form can be checked: none has more than the four digits after the point of this
    // one, and what is too large for this one may fit into another.
    let finest = "CLF".parse().expect("CLF is an ISO 4217 currency");
    match Money::parse(text, currency.unwrap_or(finest)) {
        Ok(money) if money.minor < 0 => Err("must not be negative; report a reversal instead".to_owned()),
        Ok(_) => Ok(text.to_owned()),
        Err(MoneyError::TooLarge) if currency.is_none() && text.len() < 32 => Ok(text.to_owned()),
        Err(error) => Err(sentence(error)),
    }
}

fn country(text: &str) -> Result<String, String> {
    let code = text.to_ascii_uppercase();
    let is_code = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code { Ok(code) } else { Err("must be the two letters of ISO 3166, such as DE".to_owned()) }
}

fn moment(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let form = || "must be seconds since 1970 or RFC 3339 such as 2026-02-01T12:00:00Z".to_owned();
    let is_count = text.bytes().all(|byte| byte.is_ascii_digit());
    let moment = if is_count {
        DateTime::from_timestamp(text.parse().map_err(|_| form())?, 0).ok_or_else(form)?
    } else {
        DateTime::parse_from_rfc3339(text).map_err(|_| form())?.to_utc().trunc_subsecs(6)
    };
    if now + CLOCK_TOLERANCE < moment {
        return Err("must not be in the future".to_owned());
    }
    if moment.timestamp() < 0 {
        return Err(form());
    }
    Ok(moment)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use domain::signature::canonical::Query;

    use super::*;
    use crate::{
        customer::tests::CUSTOMERS,
        intake::fields::{FIELDS, Sent},
        redirect::visitor::{Visitors, tests::geography},
    };

    fn read(query: &str) -> Result<Postback, Vec<FieldError>> {
        read_by(query, &CUSTOMERS)
    }

    fn read_by(query: &str, customers: &Customers) -> Result<Postback, Vec<FieldError>> {
        let query = Query::parse(query).unwrap();
        let parameters = query.pairs().map(|(name, text)| (name.to_owned(), Sent::Text(text.to_owned())));
        let fields = Fields::sort(parameters.collect(), &BTreeMap::new()).unwrap();
        Postback::read(fields, DateTime::from_timestamp(1_769_947_200, 0).unwrap(), customers)
    }

    fn refused(query: &str) -> String {
        let errors = read(query).unwrap_err();
        errors.into_iter().map(|error| format!("{}: {}\n", error.pointer, error.detail)).collect()
    }

    const COMPLETE: &str = "click_id=clk_01JH0000000000000000000000&session_id=ses_01JH0000000000000000000000\
        &event=Sale&amount=49.99&currency=eur&order_id=A%261&status=refunded&coupon=save10&external_id=T1\
        &customer_id=C1&country=de&ts=2026-02-01T12:00:00.1234567Z&colour=red&ip=203.0.113.7\
        &email=A.b%2Btag%40gmail.com&device_id=38400000-8cf0-11bd-b23e-10b96e40000d&payment_account=DE89%203704\
        &time_on_site=75&email_check=valid&captcha_check=failed\
        &user_agent=Mozilla%2F5.0%20%28iPhone%3B%20CPU%20iPhone%20OS%2017_5%20like%20Mac%20OS%20X%29%20AppleWebKit%2F605.1.15";

    #[test]
    fn a_complete_postback_waits_in_the_frozen_shape() {
        let frozen: Value = serde_json::from_str(include_str!("postback-3.json")).unwrap();
        let postback = read(COMPLETE).unwrap();
        assert_eq!(serde_json::to_value(&postback).unwrap(), frozen);
        assert!(postback.passing.email.is_some() && postback.passing.address.is_some());
        assert!(!format!("{postback:?}").contains(postback.passing.email.as_deref().unwrap()));
        let waited = Postback { passing: Passing::default(), ..postback };
        assert_eq!(serde_json::from_value::<Postback>(frozen).unwrap(), waited);
    }

    #[test]
    fn what_an_older_release_left_waiting_is_read_without_its_customer() {
        let older: Postback = serde_json::from_str(include_str!("postback-1.json")).unwrap();
        let newer = read(COMPLETE).unwrap();
        assert_eq!(
            older,
            Postback { format: 1, customer: Customer::default(), passing: Passing::default(), ..newer }
        );
    }

    #[test]
    fn what_waited_before_forms_were_asked_is_read_without_what_they_found() {
        let older: Postback = serde_json::from_str(include_str!("postback-2.json")).unwrap();
        let newer = read(COMPLETE).unwrap();
        let customer = Customer {
            time_on_site_seconds: None,
            email_check: None,
            captcha_check: None,
            ..newer.customer.clone()
        };
        assert_eq!(older, Postback { format: 2, customer, passing: Passing::default(), ..newer });
    }

    #[test]
    fn nothing_about_a_customer_is_kept_or_repeated_as_it_came() {
        for field in FIELDS.iter().filter(|field| field.is_hidden) {
            for name in field.aliases.iter().chain([&field.name]) {
                for name in [(*name).to_owned(), name.to_uppercase()] {
                    for said in ["203.0.113.77", "secretive@mail.example", "secretive"] {
                        let told = match read(&format!("order_id=A&{name}={said}")) {
                            Ok(postback) => serde_json::to_string(&postback).unwrap(),
                            Err(errors) => format!("{errors:?}"),
                        };
                        assert!(!told.contains(said), "{name}={said} is told: {told}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_customer_who_is_named_by_an_address_is_named_by_its_hash() {
        let named = |name: &str| read(&format!("customer_id={name}")).unwrap().customer_id.unwrap();
        assert_eq!(named("C-17"), "C-17");
        assert_eq!(named("A.b@gmail.com"), named("ab%2Bsale@googlemail.com"));
        assert!(!named("ab@gmail.com").contains('@'));
    }

    #[test]
    fn a_country_that_is_not_told_is_that_of_the_address() {
        let secret = "a secret for tests, nothing but tests".parse().unwrap();
        let visitors = Visitors::new(Vec::new(), Some(geography()), &secret);
        let customers = Customers::new(Arc::new(visitors), &secret);
        let country = |query: &str| read_by(query, &customers).unwrap().country;
        assert_eq!(country("ip=93.184.216.34").as_deref(), Some("DE"));
        assert_eq!(country("ip=93.184.216.34&country=fr").as_deref(), Some("FR"));
        assert_eq!(country("ip=2001%3Adb8%3A%3A1"), None);
        assert_eq!(country("order_id=A"), None);
    }

    #[test]
    fn a_mailbox_in_clear_goes_before_a_hash_of_whatever_made() {
        let customer = |query: &str| read(query).unwrap().customer;
        let clear = customer("email=ab%40gmail.com");
        let hash = "&email_hash=0000000000000000000000000000000000000000000000000000000000000000";
        assert_eq!(customer(&format!("email=ab%40gmail.com&email_domain=web.de{hash}")), clear);
        let hashed = customer(&format!("email_domain=web.de{hash}"));
        assert_eq!(hashed.email_domain.as_deref(), Some("web.de"));
        assert!(hashed.email_hash.is_some_and(|hash| Some(hash) != clear.email_hash));
    }

    #[test]
    fn every_field_that_is_wrong_is_named_as_it_was_sent() {
        insta::assert_snapshot!(
            refused("clickid=abc&payout=49%2C99&currency=EURO&status=paid&ts=soon&country=Germany&event=a%20b&tid=%01"),
            @r#"
        /currency: "EURO" is not an ISO 4217 currency code such as EUR or USD
        /clickid: "abc" is no click id: expected clk_ and 26 characters of Crockford base32
        /event: must be at most 64 letters, digits, `_`, `.` or `-`
        /payout: "49,99" is not a decimal amount such as 49.99
        /status: "paid" is not a conversion status: expected one of received, pending, approved, rejected, on_hold, reversed
        /tid: must be at most 128 printable characters
        /country: must be the two letters of ISO 3166, such as DE
        /ts: must be seconds since 1970 or RFC 3339 such as 2026-02-01T12:00:00Z
        "#
        );
        insta::assert_snapshot!(refused("amount=-1&status=received&ts=1769947501&reason=mood&session=x"), @r#"
        /session: "x" is no session id: expected ses_ and 26 characters of Crockford base32
        /amount: must not be negative; report a reversal instead
        /reason: "mood" is not a reversal reason: expected one of refund, chargeback, duplicate, fraud, terms, tracking_error, test, other
        /status: a conversion that is reported has been received already
        /ts: must not be in the future
        "#);
        insta::assert_snapshot!(
            refused("user_ip=here&email=ana%40home&email_sha256=abc&email_domain=com&idfa={idfa}&iban=[iban]&account_hash=x"),
            @"
        /user_ip: must be the customer's IPv4 or IPv6 address, such as 203.0.113.7 or 2001:db8::7
        /email: must be an e-mail address such as ana@mail.example
        /email_sha256: must be the SHA-256 of the normalised e-mail address, as 64 hexadecimal digits
        /email_domain: must be what is behind the @ of an e-mail address, such as mail.example
        /iban: is a placeholder that was not filled in
        /account_hash: must be the SHA-256 of the account, as 64 hexadecimal digits
        /idfa: is a placeholder that was not filled in
        "
        );
    }

    #[test]
    fn an_amount_is_exact_or_refused() {
        let amount = |query: &str| read(query).map(|postback| postback.money("JPY".parse().unwrap()));
        assert_eq!(amount("amount=50").unwrap().unwrap().unwrap().to_string(), "50 JPY");
        assert!(amount("amount=50.5").unwrap().is_err());
        assert_eq!(amount("amount=50.5&currency=EUR").unwrap().unwrap().unwrap().to_string(), "50.50 EUR");
        for text in [
            "1e3",
            "0x10",
            "1,5",
            "+1",
            ".5",
            "5.",
            "NaN",
            "49.999&currency=EUR",
            "1.00001",
            "99999999999999999999&currency=EUR",
        ] {
            assert!(amount(&format!("amount={text}")).is_err(), "{text}");
        }
    }

    #[test]
    fn words_of_other_networks_are_understood() {
        let status = |word: &str| read(&format!("status={word}")).unwrap().status.unwrap();
        let approved = Claim { status: ConversionStatus::Approved, reason: None };
        assert_eq!(status("APPROVED"), approved);
        assert_eq!(status("confirmed"), approved);
        assert_eq!(status("chargeback").reason, Some(ReversalReason::Chargeback));
        assert_eq!(status("refunded&reason=fraud").reason, Some(ReversalReason::Fraud));
    }
}
