//! Which parameter of a postback means what: ours, a known alias, the advertiser's own name, or free metadata.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::problem::FieldError;

/// At most this many fields of a postback that are not ours are kept.
const METADATA_ENTRIES: usize = 40;
/// At most this many bytes of them, as JSON.
const METADATA_BYTES: usize = 8 * 1024;

/// One field of a postback that we understand.
#[derive(Debug)]
pub struct Field {
    /// The name under which it is documented.
    pub name: &'static str,
    /// Other networks' names for it, understood unless the advertiser's own table says otherwise.
    pub aliases: &'static [&'static str],
    /// One sentence for the manual.
    pub doc: &'static str,
    /// Whether it says of the customer what nobody may read: only hashes and the like are kept, under whatever name it came.
    pub is_hidden: bool,
}

const fn kept(name: &'static str, aliases: &'static [&'static str], doc: &'static str) -> Field {
    Field { name, aliases, doc, is_hidden: false }
}

const fn hidden(name: &'static str, aliases: &'static [&'static str], doc: &'static str) -> Field {
    Field { name, aliases, doc, is_hidden: true }
}

/// Every field that we understand.
pub static FIELDS: &[Field] = &[
    kept(
        "click_id",
        &["clickid", "cid", "transaction_id"],
        "The click that the landing URL carried: `clk_` and 26 characters.",
    ),
    kept(
        "session_id",
        &["session"],
        "The visit, for advertisers who keep no click id: its latest click in the window is meant.",
    ),
    kept(
        "event",
        &["event_name", "goal", "action"],
        "What happened, as the campaign's list of events has it; its first event when absent.",
    ),
    kept(
        "amount",
        &["payout", "sum", "sale_amount", "revenue"],
        "What the order is worth, as a plain decimal; with the status `reversed`, how much is taken back.",
    ),
    kept(
        "currency",
        &["cur", "currency_code"],
        "ISO 4217 code of the amount; the campaign's currency when absent.",
    ),
    kept(
        "order_id",
        &["orderid", "order", "oid"],
        "The order: a second report of the same event for it is a duplicate.",
    ),
    kept(
        "status",
        &["conversion_status"],
        "Where the conversion stands: pending, approved, rejected, on_hold or reversed.",
    ),
    kept(
        "reason",
        &["rejection_reason"],
        "Why it is rejected or reversed, such as refund, chargeback, duplicate or fraud.",
    ),
    kept(
        "coupon",
        &["coupon_code", "promo_code", "promo", "voucher"],
        "The promo code; without a click it credits the affiliate whose code it is.",
    ),
    kept(
        "external_id",
        &["txid", "tid", "txn_id"],
        "The transaction: without an order, a second report of it for the same click is a duplicate.",
    ),
    kept("customer_id", &["customer", "user_id", "player_id"], "The advertiser's name for the customer."),
    kept("country", &["country_code", "geo"], "Where the customer bought: two letters, ISO 3166."),
    kept(
        "ts",
        &["timestamp", "event_time", "conversion_time"],
        "When the customer converted: seconds since 1970 or RFC 3339; when the postback came, if absent.",
    ),
    kept(
        "time_on_site",
        &["time_on_site_seconds", "engagement_seconds", "session_duration"],
        "Seconds that the customer was on the site before; absent where your page could not tell, which is not zero.",
    ),
    kept(
        "email_check",
        &["email_verification", "email_status"],
        "What your check of the customer's e-mail address said: passed, failed or unsure.",
    ),
    kept(
        "captcha_check",
        &["captcha", "captcha_result"],
        "What the test for people in your form said: passed, failed or unsure.",
    ),
    hidden(
        "ip",
        &["user_ip", "ip_address", "client_ip", "customer_ip", "device_ip", "browser_ip"],
        "The customer's address: a keyed hash of it, its network and its country are kept.",
    ),
    hidden(
        "email",
        &["customer_email", "user_email", "email_address"],
        "The customer's e-mail address: a keyed hash of the mailbox and what is behind the @ are kept.",
    ),
    hidden(
        "email_hash",
        &["email_sha256", "sha256_email", "sha256_email_address", "hashed_email"],
        "SHA-256 of the normalised e-mail address, for advertisers who send none in clear; hashed again under a key.",
    ),
    hidden("email_domain", &[], "What is behind the @, beside a hashed e-mail address."),
    hidden(
        "device_id",
        &[
            "deviceid",
            "device_fingerprint",
            "fingerprint",
            "advertising_id",
            "gaid",
            "google_aid",
            "idfa",
            "idfv",
            "android_id",
            "oaid",
        ],
        "The customer's device, by any id that is always the same: a keyed hash of it is kept.",
    ),
    hidden(
        "user_agent",
        &["ua", "useragent", "browser_user_agent"],
        "What the customer's browser says of itself: the kind of machine is kept.",
    ),
    hidden(
        "payment_account",
        &["iban", "account_number"],
        "The account that paid, such as an IBAN and never a card's number: a keyed hash of it is kept.",
    ),
    hidden(
        "payment_account_hash",
        &["payment_account_sha256", "account_hash"],
        "SHA-256 of that account in lower case without spaces; hashed again under a key.",
    ),
];

/// Fields that came late: what stood under their names before was kept as it came, and what cannot be read of them still is.
pub const CHECKS: [&str; 3] = ["time_on_site", "email_check", "captcha_check"];

/// The value of one parameter, as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Sent {
    /// A text, or everything that a query or form can hold.
    Text(String),
    /// A JSON number, digit by digit, so that no amount passes through a float.
    Number(String),
    /// Any other JSON value.
    Other(Value),
}

/// One field of ours, with the name under which it came, so that an error can point at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The name under which it was sent.
    pub sent_as: String,
    /// Its value.
    pub text: String,
}

/// The parameters of a postback, told apart.
#[derive(Debug, Default)]
pub struct Fields {
    given: BTreeMap<&'static str, Given>,
    /// What is not ours, as it came.
    pub metadata: Map<String, Value>,
}

impl Fields {
    /// Tells the parameters apart. The advertiser's own table (their name to ours) comes first, then our names,
    /// then the aliases of [`FIELDS`] in their order; what is left over, or came empty, is not a field of ours. What is left
    /// over and would tell who the customer was is dropped.
    ///
    /// # Errors
    /// A field of ours that is neither text nor number, and metadata beyond its bounds.
    pub fn sort(
        parameters: Vec<(String, Sent)>,
        own_names: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<FieldError>> {
        let mut ranked: Vec<_> = parameters
            .into_iter()
            .filter(|(_, sent)| !matches!(sent, Sent::Text(text) if text.is_empty()))
            .filter(|(_, sent)| *sent != Sent::Other(Value::Null))
            .map(|(name, sent)| (meaning(&name, own_names), name, sent))
            .collect();
        ranked.sort_by_key(|(meaning, ..)| meaning.map(|(_, rank)| rank));
        let mut fields = Self::default();
        let mut errors = Vec::new();
        for (meaning, name, sent) in ranked {
            let known = meaning.map(|(field, _)| field);
            let field = known.map(|field| field.name).filter(|name| !fields.given.contains_key(name));
            let is_hidden = known.is_some_and(|field| field.is_hidden) || tells_who_it_was(&name);
            if field.is_none() && is_hidden {
                continue;
            }
            if let Err(error) = fields.take(field, name, sent) {
                errors.push(error);
            }
        }
        errors.extend(fields.metadata_error());
        if errors.is_empty() { Ok(fields) } else { Err(errors) }
    }

    fn take(&mut self, field: Option<&'static str>, name: String, sent: Sent) -> Result<(), FieldError> {
        match (field, sent) {
            (Some(field), Sent::Text(text) | Sent::Number(text)) => {
                self.given.insert(field, Given { sent_as: name, text });
            }
            (Some(field), Sent::Other(Value::Bool(yes))) if CHECKS.contains(&field) => {
                self.given.insert(field, Given { sent_as: name, text: yes.to_string() });
            }
            (Some(field), Sent::Other(value)) if CHECKS.contains(&field) => {
                self.metadata.insert(name, value);
            }
            (Some(_), Sent::Other(_)) => return Err(error(&name, "must be a text or a number")),
            (None, Sent::Text(text)) => drop(self.metadata.insert(name, Value::String(text))),
            (None, Sent::Number(digits)) => {
                // A number that would come back with other digits is kept as text.
                let number: Value = serde_json::from_str(&digits).unwrap_or_default();
                let printed = number.to_string();
                self.metadata.insert(name, if printed == digits { number } else { Value::String(digits) });
            }
            (None, Sent::Other(value)) => drop(self.metadata.insert(name, value)),
        }
        Ok(())
    }

    fn metadata_error(&self) -> Option<FieldError> {
        let size: usize =
            self.metadata.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
        if METADATA_ENTRIES < self.metadata.len() || METADATA_BYTES < size {
            let detail =
                format!("at most {METADATA_ENTRIES} other fields of {METADATA_BYTES} bytes in all are kept");
            return Some(FieldError { pointer: String::new(), detail });
        }
        let unstorable =
            self.metadata.iter().find(|(name, value)| name.contains('\0') || holds_nul(value))?;
        Some(error(unstorable.0, "must not hold the character U+0000"))
    }

    /// The value of one of our fields.
    pub fn get(&self, name: &'static str) -> Option<&Given> {
        self.given.get(name)
    }

    /// The name under which each of our fields was sent.
    pub fn sent_as(&self) -> BTreeMap<&'static str, String> {
        self.given.iter().map(|(field, given)| (*field, given.sent_as.clone())).collect()
    }

    /// The text of one of our fields.
    pub fn text(&self, name: &'static str) -> Option<&str> {
        self.get(name).map(|given| given.text.as_str())
    }
}

/// An error that points at a parameter by the name under which it was sent (RFC 6901).
pub fn error(sent_as: &str, detail: impl Into<String>) -> FieldError {
    let escaped = sent_as.replace('~', "~0").replace('/', "~1");
    FieldError { pointer: format!("/{escaped}"), detail: detail.into() }
}

/// Whether a name, in whatever case, is one under which customers are reported: what it says is never kept as it came.
pub fn tells_who_it_was(name: &str) -> bool {
    let mut names = FIELDS
        .iter()
        .filter(|field| field.is_hidden)
        .flat_map(|field| field.aliases.iter().chain([&field.name]));
    names.any(|known| known.eq_ignore_ascii_case(name))
}

/// Which field a parameter's name may mean, and how good a name for it that is (the smaller, the better).
fn meaning(name: &str, own_names: &BTreeMap<String, String>) -> Option<(&'static Field, usize)> {
    if let Some(ours) = own_names.get(name) {
        return FIELDS.iter().find(|field| field.name == ours).map(|field| (field, 0));
    }
    FIELDS.iter().find_map(|field| {
        if field.name == name {
            return Some((field, 1));
        }
        let position = field.aliases.iter().position(|alias| *alias == name)?;
        Some((field, 2 + position))
    })
}

/// Postgres keeps any text but this character.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(map) => map.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(parameters: &[(&str, &str)], own_names: &[(&str, &str)]) -> Result<Fields, Vec<FieldError>> {
        let parameters =
            parameters.iter().map(|(name, text)| ((*name).to_owned(), Sent::Text((*text).to_owned())));
        let own = own_names.iter().map(|(theirs, ours)| ((*theirs).to_owned(), (*ours).to_owned()));
        Fields::sort(parameters.collect(), &own.collect())
    }

    fn check(parameters: &[(&str, &str)], own_names: &[(&str, &str)], expected: &str) {
        let fields = sort(parameters, own_names).unwrap();
        let given: Vec<_> =
            fields.given.iter().map(|(field, given)| format!("{field}={}", given.text)).collect();
        assert_eq!(format!("{} {}", given.join("&"), Value::Object(fields.metadata)), expected);
    }

    #[test]
    fn names_are_unique_and_docs_are_sentences() {
        let names = || FIELDS.iter().flat_map(|field| field.aliases.iter().chain([&field.name]));
        for name in names() {
            assert_eq!(names().filter(|other| *other == name).count(), 1, "{name} has two meanings");
        }
        assert!(FIELDS.iter().all(|field| field.doc.ends_with('.') && 20 < field.doc.len()));
    }

    #[test]
    fn the_manual_has_every_field_and_every_name_of_those_that_are_hidden() {
        let manual = include_str!("../../../docs/postbacks.md");
        let hidden = FIELDS.iter().filter(|field| field.is_hidden).flat_map(|field| field.aliases);
        for name in FIELDS.iter().map(|field| &field.name).chain(hidden) {
            assert!(manual.contains(&format!("`{name}`")), "docs/postbacks.md lacks {name}");
        }
    }

    #[test]
    fn every_alias_stands_for_its_field() {
        for field in FIELDS {
            for name in field.aliases.iter().chain([&field.name]) {
                check(&[(name, "1")], &[], &format!("{}=1 {{}}", field.name));
            }
        }
    }

    #[test]
    fn our_name_goes_before_an_alias_and_an_advertisers_before_ours() {
        check(&[("clickid", "a"), ("click_id", "b")], &[], r#"click_id=b {"clickid":"a"}"#);
        check(&[("cid", "a"), ("clickid", "b")], &[], r#"click_id=b {"cid":"a"}"#);
        check(&[("click_id", "a"), ("ref", "b")], &[("ref", "click_id")], r#"click_id=b {"click_id":"a"}"#);
        check(&[("payout", "5"), ("total", "50")], &[("total", "amount")], r#"amount=50 {"payout":"5"}"#);
        check(&[("tid", "5")], &[("tid", "order_id")], "order_id=5 {}");
        check(&[("tid", "5")], &[("tid", "no_such_field")], r#" {"tid":"5"}"#);
    }

    #[test]
    fn what_tells_who_the_customer_was_is_never_kept_beside_its_field() {
        check(&[("user_ip", "b"), ("ip", "a"), ("colour", "red")], &[], r#"ip=a {"colour":"red"}"#);
        check(&[("idfa", "a"), ("idfv", "b")], &[], "device_id=a {}");
        check(&[("mail", "a"), ("email", "b")], &[("mail", "email")], "email=a {}");
        check(&[("mail", "a"), ("post", "b")], &[("mail", "email"), ("post", "email")], "email=a {}");
        check(&[("email", "a")], &[("email", "no_such_field")], " {}");
        check(&[("EMAIL", "a"), ("Ip", "b")], &[], " {}");
        check(&[("email", "a")], &[("email", "customer_id")], "customer_id=a {}");
    }

    #[test]
    fn what_is_empty_is_absent() {
        check(&[("click_id", ""), ("clickid", "a"), ("colour", "")], &[], "click_id=a {}");
    }

    #[test]
    fn metadata_is_bounded() {
        let many: Vec<_> = (0..41).map(|number| format!("x{number}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
        assert!(sort(&many[..40], &[]).is_ok());
        assert!(sort(&many, &[]).is_err());
        assert!(sort(&[("x", &"1".repeat(METADATA_BYTES))], &[]).is_err());
        let errors = sort(&[("a/b~", "\0")], &[]).unwrap_err();
        assert_eq!(errors[0].pointer, "/a~1b~0");
    }

    #[test]
    fn a_number_keeps_its_digits() {
        let parameters = vec![
            ("amount".to_owned(), Sent::Number("49.990".to_owned())),
            ("weight".to_owned(), Sent::Number("0.25".to_owned())),
            ("huge".to_owned(), Sent::Number("123456789012345678901".to_owned())),
            ("order_id".to_owned(), Sent::Other(Value::Bool(true))),
        ];
        let errors = Fields::sort(parameters.clone(), &BTreeMap::new()).unwrap_err();
        assert_eq!(errors, [error("order_id", "must be a text or a number")]);
        let fields = Fields::sort(parameters[..3].to_vec(), &BTreeMap::new()).unwrap();
        assert_eq!(fields.text("amount"), Some("49.990"));
        assert_eq!(
            Value::Object(fields.metadata).to_string(),
            r#"{"huge":"123456789012345678901","weight":0.25}"#
        );
    }
}
