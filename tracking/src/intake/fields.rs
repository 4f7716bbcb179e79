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
}

/// Every field that we understand.
pub static FIELDS: &[Field] = &[
    Field {
        name: "click_id",
        aliases: &["clickid", "cid", "transaction_id"],
        doc: "The click that the landing URL carried: `clk_` and 26 characters.",
    },
    Field {
        name: "session_id",
        aliases: &["session"],
        doc: "The visit, for advertisers who keep no click id: its latest click in the window is meant.",
    },
    Field {
        name: "event",
        aliases: &["event_name", "goal", "action"],
        doc: "What happened, as the campaign's list of events has it; its first event when absent.",
    },
    Field {
        name: "amount",
        aliases: &["payout", "sum", "sale_amount", "revenue"],
        doc: "What the order is worth, as a plain decimal; with the status `reversed`, how much is taken back.",
    },
    Field {
        name: "currency",
        aliases: &["cur", "currency_code"],
        doc: "ISO 4217 code of the amount; the campaign's currency when absent.",
    },
    Field {
        name: "order_id",
        aliases: &["orderid", "order", "oid"],
        doc: "The order: a second report of the same event for it is a duplicate.",
    },
    Field {
        name: "status",
        aliases: &["conversion_status"],
        doc: "Where the conversion stands: pending, approved, rejected, on_hold or reversed.",
    },
    Field {
        name: "reason",
        aliases: &["rejection_reason"],
        doc: "Why it is rejected or reversed, such as refund, chargeback, duplicate or fraud.",
    },
    Field {
        name: "coupon",
        aliases: &["coupon_code", "promo_code", "promo", "voucher"],
        doc: "The promo code; without a click it credits the affiliate whose code it is.",
    },
    Field {
        name: "external_id",
        aliases: &["txid", "tid", "txn_id"],
        doc: "The transaction: without an order, a second report of it for the same click is a duplicate.",
    },
    Field {
        name: "customer_id",
        aliases: &["customer", "user_id", "player_id"],
        doc: "The advertiser's name for the customer.",
    },
    Field {
        name: "country",
        aliases: &["country_code", "geo"],
        doc: "Where the customer bought: two letters, ISO 3166.",
    },
    Field {
        name: "ts",
        aliases: &["timestamp", "event_time", "conversion_time"],
        doc: "When the customer converted: seconds since 1970 or RFC 3339; when the postback came, if absent.",
    },
];

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
    /// then the aliases of [`FIELDS`] in their order; what is left over, or came empty, is not a field of ours.
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
            let field = meaning.map(|(field, _)| field).filter(|field| !fields.given.contains_key(field));
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

/// Which field a parameter's name may mean, and how good a name for it that is (the smaller, the better).
fn meaning(name: &str, own_names: &BTreeMap<String, String>) -> Option<(&'static str, usize)> {
    if let Some(ours) = own_names.get(name) {
        return FIELDS.iter().find(|field| field.name == ours).map(|field| (field.name, 0));
    }
    FIELDS.iter().find_map(|field| {
        if field.name == name {
            return Some((field.name, 1));
        }
        let position = field.aliases.iter().position(|alias| *alias == name)?;
        Some((field.name, 2 + position))
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
