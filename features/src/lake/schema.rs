//! What a table of the lake holds: the one list of tables and columns, from which files are written, files are checked,
//! and docs/lake.md is made.

use domain::event::Kind;
use polars::prelude::{DataType, Field, Schema, TimeUnit, TimeZone};

/// The version of the schema that this release writes, and the newest that it can read.
pub const VERSION: u32 = 2;

/// What a value of a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// UTF-8 text.
    Text,
    /// A moment, to the microsecond, in UTC.
    Time,
    /// A whole number of 64 bits.
    Integer,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What it is called in the files.
    pub name: &'static str,
    /// What its values are.
    pub kind: Type,
    /// Whether it may be null, which says «none» or «not known».
    pub nullable: bool,
    /// The version of the schema that brought it.
    pub since: u32,
    /// What it says, in words.
    pub doc: &'static str,
}

/// One table: all events of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Which kind; its name is the table's.
    pub kind: Kind,
    /// What a row is, in words.
    pub doc: &'static str,
    /// Its columns, in their order.
    groups: &'static [&'static [Column]],
}

impl Table {
    /// The table of a kind of event.
    #[must_use]
    pub fn of(kind: Kind) -> &'static Self {
        let found = TABLES.iter().find(|table| table.kind == kind);
        found.expect("every kind of event has a table, as a test says")
    }

    /// Its columns, in their order.
    pub fn columns(&self) -> impl Iterator<Item = &'static Column> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// Its columns as polars knows them.
    #[must_use]
    pub fn schema(&self) -> Schema {
        self.columns().map(|column| Field::new(column.name.into(), column.kind.dtype())).collect()
    }
}

impl Type {
    /// The type as polars knows it.
    #[must_use]
    pub fn dtype(self) -> DataType {
        match self {
            Self::Text => DataType::String,
            Self::Time => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
            Self::Integer => DataType::Int64,
        }
    }

    /// What it is called in docs and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Time => "timestamp (µs, UTC)",
            Self::Integer => "integer (64 bits)",
        }
    }
}

const fn column(name: &'static str, kind: Type, nullable: bool, doc: &'static str) -> Column {
    Column { name, kind, nullable, since: 1, doc }
}

const fn text(name: &'static str, doc: &'static str) -> Column {
    column(name, Type::Text, false, doc)
}

const fn text_or_null(name: &'static str, doc: &'static str) -> Column {
    column(name, Type::Text, true, doc)
}

const fn integer(name: &'static str, doc: &'static str) -> Column {
    column(name, Type::Integer, false, doc)
}

/// A column that the second version brought.
const fn second(column: Column) -> Column {
    Column { since: 2, ..column }
}

/// What every table begins with.
const EVENT: &[Column] = &[
    text(
        "id",
        "Made once, with the prefix of its kind; ids of the same moment have an order, and it is theirs.",
    ),
    column("occurred_at", Type::Time, false, "When it happened."),
    column(
        "known_at",
        Type::Time,
        false,
        "When we learned of it; a model may only be taught what was known by then.",
    ),
];

/// Whose link a visitor met, and under which cookie.
const LINK: &[Column] = &[
    text("link_id", "The link."),
    text("affiliate_id", "Whose link it is."),
    text("campaign_id", "What the link advertises."),
    text("advertiser_id", "Whose campaign it is."),
];

const TAGS: &[Column] = &[
    text_or_null("sub1", "What the affiliate hung on the link, first place."),
    text_or_null("sub2", "The same, second place."),
    text_or_null("sub3", "The same, third place."),
    text_or_null("sub4", "The same, fourth place."),
    text_or_null("sub5", "The same, fifth place."),
    text_or_null("sub6", "The same, sixth place."),
    text_or_null("sub7", "The same, seventh place."),
    text_or_null("sub8", "The same, eighth place."),
    text_or_null("sub9", "The same, ninth place."),
    text_or_null("sub10", "The same, tenth place."),
    text_or_null("source", "Where the affiliate says the click comes from."),
    text_or_null("uid", "The affiliate's own id of the visitor."),
    text_or_null("external_click_id", "The affiliate's own id of the click."),
    text_or_null("utm_source", "UTM parameter of the landing page."),
    text_or_null("utm_medium", "The same."),
    text_or_null("utm_campaign", "The same."),
    text_or_null("utm_term", "The same."),
    text_or_null("utm_content", "The same."),
];

const VISITOR: &[Column] = &[
    text(
        "address_hash",
        "Keyed hash of the visitor's address, 32 hexadecimal digits; the address itself is nowhere.",
    ),
    text("network", "The network of the address: /24 of IPv4, /48 of IPv6."),
    text_or_null("country", "ISO 3166 country of the address."),
    text("device", "desktop, mobile, tablet or unknown."),
    text_or_null("device_id", "Keyed hash of the device's fingerprint, where a campaign takes one."),
    text_or_null("user_agent", "The browser's user agent, cut to 512 bytes."),
    text_or_null(
        "referrer",
        "The page before (of a click) or around (of an impression), cut to 1,024 bytes.",
    ),
];

/// How a browser asked for a link, where it told.
const ASKED: &[Column] = &[
    second(text_or_null(
        "fetch_destination",
        "What the browser wanted the answer for (Sec-Fetch-Dest): document, frame, image, script or other.",
    )),
    second(column(
        "fetch_by_user",
        Type::Integer,
        true,
        "1 where a person's action led to the click, else 0.",
    )),
    second(column(
        "client_hints_match",
        Type::Integer,
        true,
        "1 where the client hints name the browser and platform that the user agent names, else 0.",
    )),
];

/// What follows a conversion around.
const OF_CONVERSION: &[Column] = &[
    text("conversion_id", "Which conversion."),
    text("campaign_id", "Its campaign."),
    text_or_null("affiliate_id", "Who was credited with it; null when nobody was."),
];

const CONVERSION: &[Column] = &[
    text("campaign_id", "Which campaign pays."),
    text("advertiser_id", "Whose campaign it is."),
    text("event", "The campaign's name for what was done."),
    text("event_kind", "lead, trial, sale, recurring or deposit."),
    integer("amount_minor", "What it was worth to the advertiser, in minor units (cents) of the currency."),
    text("currency", "ISO 4217 code."),
    text_or_null("click_id", "The click that brought it; null when nobody sent the customer."),
    text_or_null("session_id", "The visit."),
    text_or_null("link_id", "The link of the click."),
    text_or_null("affiliate_id", "Who was credited first."),
    text_or_null("order_id", "The advertiser's number of the order."),
    text_or_null("customer_id", "The advertiser's name for the customer."),
    text_or_null("coupon", "The coupon that was used."),
    text_or_null("address_hash", "Keyed hash of the address that it came from, 32 hexadecimal digits."),
    text_or_null("network", "The network of that address: /24 of IPv4, /48 of IPv6."),
    text_or_null("country", "ISO 3166 country of that address, or of the customer."),
    text("device", "desktop, mobile, tablet or unknown."),
    text_or_null("device_id", "Keyed hash of the device's id or fingerprint, where one was told."),
    text_or_null("email_hash", "Keyed hash of the customer's e-mail address, 32 hexadecimal digits."),
    text_or_null("email_domain", "The part of that address behind the @, in lower case."),
    second(text_or_null("account_hash", "Keyed hash of the account that paid, 32 hexadecimal digits.")),
    second(column(
        "time_on_site_seconds",
        Type::Integer,
        true,
        "Whole seconds that the customer was on the advertiser's site before, where its page told.",
    )),
    second(text_or_null("email_check", "What a check of that address said: passed, failed or unsure.")),
    second(text_or_null("captcha_check", "What a test for people said, in the same words.")),
];

const DECISION: &[Column] = &[
    second(text("decided", "What was decided: score, rate, list or settings.")),
    second(text_or_null(
        "conversion_id",
        "Of which conversion; null where it is not about one, or was only asked.",
    )),
    second(text_or_null("campaign_id", "Of which campaign.")),
    second(text_or_null("affiliate_id", "Of which partner.")),
    second(text_or_null("verdict", "approve or hold of a score, parts per million of a rate.")),
    second(text_or_null("mode", "shadow where it was noted only, live where it counted.")),
    second(text_or_null("version", "By which version of settings, of a policy or of a model.")),
    second(text(
        "record",
        "Everything that it was decided by, as JSON, digit by digit: it can be decided again.",
    )),
];

/// Every table.
pub const TABLES: &[Table] = &[
    Table {
        kind: Kind::Click,
        doc: "A visitor followed a link.",
        groups: &[
            EVENT,
            LINK,
            &[text("session_id", "The browser's visit, from the signed first-party cookie.")],
            TAGS,
            VISITOR,
            ASKED,
        ],
    },
    Table {
        kind: Kind::Impression,
        doc: "A visitor was shown an advertisement.",
        groups: &[
            EVENT,
            LINK,
            &[text_or_null("session_id", "The browser's visit, if its cookie came along.")],
            VISITOR,
        ],
    },
    Table {
        kind: Kind::Conversion,
        doc: "Somebody did what a campaign pays for, as it was reported; what became of it later are events of their own.",
        groups: &[EVENT, CONVERSION],
    },
    Table {
        kind: Kind::Refund,
        doc: "Money of a conversion was given back, in part or whole.",
        groups: &[
            EVENT,
            OF_CONVERSION,
            &[
                text("advertiser_id", "Whose campaign it is."),
                text_or_null("customer_id", "The advertiser's name for the customer."),
                integer("amount_minor", "How much, positive, in minor units (cents) of the currency."),
                text("currency", "ISO 4217 code."),
                text("reason", "refund, chargeback, duplicate, fraud, terms, tracking_error, test or other."),
            ],
        ],
    },
    Table {
        kind: Kind::StatusChange,
        doc: "A conversion moved from one state to another.",
        groups: &[
            EVENT,
            OF_CONVERSION,
            &[
                text("status", "Where it went: received, pending, approved, rejected, on_hold or reversed."),
                text_or_null("reason", "Why it was rejected or reversed, in the words of refunds."),
            ],
        ],
    },
    Table {
        kind: Kind::Review,
        doc: "A person looked at a conversion and decided: the label that fraud models learn from.",
        groups: &[EVENT, OF_CONVERSION, &[text("verdict", "fraud or honest.")]],
    },
    Table {
        kind: Kind::RateChange,
        doc: "A rate that applies from now on.",
        groups: &[
            EVENT,
            &[
                text("campaign_id", "In which campaign."),
                text_or_null(
                    "affiliate_id",
                    "For whom; null when it is everybody without a rate of their own.",
                ),
                integer("rate_ppm", "The new rate of a sale's value, in parts per million: 10 % is 100,000."),
            ],
        ],
    },
    Table {
        kind: Kind::Decision,
        doc: "Rules and models decided something, and this is all that they decided it by.",
        groups: &[EVENT, DECISION],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_of_event_has_one_table() {
        let kinds: Vec<Kind> = TABLES.iter().map(|table| table.kind).collect();
        assert_eq!(kinds, Kind::ALL);
    }

    #[test]
    fn columns_are_unique_and_say_what_they_are() {
        for table in TABLES {
            let names: BTreeSet<_> = table.columns().map(|column| column.name).collect();
            assert_eq!(names.len(), table.columns().count(), "{} names a column twice", table.kind);
            assert!(table.doc.ends_with('.'), "{}", table.kind);
            for column in table.columns() {
                assert!(column.doc.ends_with('.'), "{}.{}", table.kind, column.name);
                assert!((1..=VERSION).contains(&column.since), "{}.{}", table.kind, column.name);
            }
        }
    }
}
