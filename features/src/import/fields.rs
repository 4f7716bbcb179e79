//! What a file of each kind may say: the one list of fields, from which columns are mapped and the manual is made.

use std::{fmt, str::FromStr};

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Clicks on links.
    Clicks,
    /// What a campaign pays for, with what brought it where that is known.
    Conversions,
    /// What customers bought, and gave back; for their value over time.
    Transactions,
    /// Steps on the way to a conversion, and the conversion.
    Journeys,
}

/// A text that names no kind of rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not what rows can be: expected clicks, conversions, transactions or journeys")]
pub struct RowsError(String);

/// One thing that a row may say.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// What a column must be called, or mapped to.
    pub name: &'static str,
    /// Whether a row without it is rejected.
    pub required: bool,
    /// What it says, in words.
    pub doc: &'static str,
}

impl Rows {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Clicks, Self::Conversions, Self::Transactions, Self::Journeys];

    /// The name, as in the command.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clicks => "clicks",
            Self::Conversions => "conversions",
            Self::Transactions => "transactions",
            Self::Journeys => "journeys",
        }
    }

    /// What its rows may say.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        let own = match self {
            Self::Clicks => CLICKS,
            Self::Conversions => CONVERSIONS,
            Self::Transactions => TRANSACTIONS,
            Self::Journeys => JOURNEYS,
        };
        ALWAYS.iter().chain(own)
    }

    /// The field of that name.
    #[must_use]
    pub fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Rows {
    type Err = RowsError;
    fn from_str(text: &str) -> Result<Self, RowsError> {
        let found = Self::ALL.iter().find(|rows| rows.name() == text);
        found.copied().ok_or_else(|| RowsError(text.chars().take(64).collect()))
    }
}

const fn must(name: &'static str, doc: &'static str) -> Field {
    Field { name, required: true, doc }
}

const fn may(name: &'static str, doc: &'static str) -> Field {
    Field { name, required: false, doc }
}

const ALWAYS: &[Field] = &[
    must(
        "occurred_at",
        "When: 2026-03-01T12:00:00Z with any offset, 2026-03-01 12:00:00 in UTC, or seconds, milliseconds or microseconds since 1970.",
    ),
    may("known_at", "When you learned of it; when it happened, if not said."),
    must("campaign", "Which campaign: an id of ours, or any name of yours."),
    may(
        "advertiser",
        "Whose campaign: an id of ours, or any name of yours; one and the same for the source if not said.",
    ),
];

const CLICKS: &[Field] = &[
    may("id", "The click: an id of ours, or any name of yours, under which conversions name it."),
    must("affiliate", "Who sent the visitor."),
    may("link", "Which link; one for each affiliate and campaign if not said."),
    may("session", "The browser's visit; one for each click if not said."),
    may("address", "The visitor's address; kept only as a keyed hash and its network."),
    may("country", "ISO 3166 country."),
    may("device", "desktop, mobile, tablet or unknown."),
    may("device_id", "The device, by any id that is always the same; kept only as a keyed hash."),
    may("user_agent", "The browser's user agent."),
    may("referrer", "The page before."),
    may("source", "Where the affiliate says the click comes from."),
    may("uid", "The affiliate's own id of the visitor."),
    may("external_click_id", "The affiliate's own id of the click."),
    may("sub1", "What the affiliate hung on the link, first place."),
    may("sub2", "The same, second place."),
    may("sub3", "The same, third place."),
    may("sub4", "The same, fourth place."),
    may("sub5", "The same, fifth place."),
    may("sub6", "The same, sixth place."),
    may("sub7", "The same, seventh place."),
    may("sub8", "The same, eighth place."),
    may("sub9", "The same, ninth place."),
    may("sub10", "The same, tenth place."),
    may("utm_source", "UTM parameter."),
    may("utm_medium", "UTM parameter."),
    may("utm_campaign", "UTM parameter."),
    may("utm_term", "UTM parameter."),
    may("utm_content", "UTM parameter."),
];

const CONVERSIONS: &[Field] = &[
    may(
        "id",
        "The conversion: an id of ours, or any name of yours; event and order, or the whole row, if not said.",
    ),
    may("event", "The campaign's name for what was done; sale if not said."),
    may("kind", "lead, trial, sale, recurring or deposit; sale if not said."),
    must("amount", "What it was worth, as 49.99."),
    must("currency", "ISO 4217 code."),
    may("click", "The click that brought it."),
    may("session", "The visit."),
    may("link", "The link of the click."),
    may("affiliate", "Who was credited."),
    may("order_id", "The number of the order."),
    may("customer", "Your name for the customer."),
    may("coupon", "The coupon that was used."),
    may("address", "The address that it came from; kept only as a keyed hash and its network."),
    may("country", "ISO 3166 country."),
    may("device", "desktop, mobile, tablet or unknown."),
    may("device_id", "The device, by any id that is always the same; kept only as a keyed hash."),
    may("email", "The customer's e-mail address; kept only as a keyed hash and what is behind the @."),
    may(
        "email_sha256",
        "SHA-256 of the normalised e-mail address, where it is not there; hashed again under a key.",
    ),
    may(
        "time_on_site_seconds",
        "Whole seconds that the customer was on the site before; nothing where it is not known.",
    ),
    may("email_check", "What a check of the e-mail address said: passed, failed or unsure."),
    may("captcha_check", "What a test for people said, in the same words."),
];

const TRANSACTIONS: &[Field] = &[
    must("customer", "Your name for the customer."),
    must("amount", "What was paid, as 49.99; what was given back is negative and names its order."),
    must("currency", "ISO 4217 code."),
    may("order_id", "The number of the order."),
    may("event", "What was done; sale if not said."),
    may("kind", "sale, recurring or deposit; sale if not said."),
    may("affiliate", "Who was credited."),
    may("coupon", "The coupon that was used."),
    may("country", "ISO 3166 country."),
    may("email", "The customer's e-mail address; kept only as a keyed hash and what is behind the @."),
    may(
        "email_sha256",
        "SHA-256 of the normalised e-mail address, where it is not there; hashed again under a key.",
    ),
];

const JOURNEYS: &[Field] = &[
    must("journey", "Which journey: all its steps say the same."),
    may("step", "click, impression or conversion; click if not said."),
    may("affiliate", "Whose touch it was: a partner or a channel; a click or an impression must say."),
    may("link", "Which link; one for each affiliate and campaign if not said."),
    may("amount", "What a conversion was worth, as 49.99."),
    may("currency", "ISO 4217 code; a conversion must say."),
    may("order_id", "The number of the order."),
    may("customer", "Your name for the customer."),
    may("country", "ISO 3166 country."),
    may("device", "desktop, mobile, tablet or unknown."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn fields_are_unique_and_say_what_they_are() {
        for rows in Rows::ALL {
            let names: BTreeSet<_> = rows.fields().map(|field| field.name).collect();
            assert_eq!(names.len(), rows.fields().count(), "{rows} names a field twice");
            assert!(rows.fields().all(|field| field.doc.ends_with('.')), "{rows}");
            assert_eq!(rows.name().parse(), Ok(*rows));
        }
    }
}
