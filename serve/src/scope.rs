//! What an API key may do: a short list of `resource:verb` scopes, and those that an affiliate's own key may hold.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

/// One permission of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope(&'static str);

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scope: expected `*` or one of {names}", names = NAMES.join(", "))]
pub struct ScopeError(String);

/// Every scope but `*`; the document of the API is tested to use each of them.
pub const NAMES: &[&str] = &[
    "advertisers:read",
    "advertisers:write",
    "affiliates:read",
    "affiliates:write",
    "api_keys:read",
    "api_keys:write",
    "appeals:read",
    "appeals:write",
    "campaigns:read",
    "campaigns:write",
    "cases:write",
    "commissions:read",
    "conversions:read",
    "conversions:write",
    "coupons:read",
    "coupons:write",
    "fraud:read",
    "fraud:score",
    "fraud:write",
    "imports:read",
    "imports:write",
    "ledger:read",
    "links:read",
    "links:write",
    "matches:read",
    "matches:write",
    "models:infer",
    "models:read",
    "models:write",
    "postbacks:read",
    "postbacks:write",
    "rates:read",
    "rates:write",
];

/// What a key that belongs to one affiliate can be allowed; every one of these shows and changes only its own rows.
const OPEN_TO_AFFILIATES: &[&str] = &[
    "affiliates:read",
    "appeals:read",
    "appeals:write",
    "campaigns:read",
    "commissions:read",
    "conversions:read",
    "coupons:read",
    "ledger:read",
    "links:read",
    "links:write",
    "matches:read",
    "matches:write",
    "postbacks:read",
    "postbacks:write",
    "rates:read",
];

/// What is asked under these scopes is asked so often that the key is not looked up each time.
const ASKED_OFTEN: &[&str] = &["matches:read", "models:infer"];

/// Answers under these scopes are about money, so their idempotency keys are kept for ever.
const ABOUT_MONEY: &[&str] = &["cases:write", "conversions:write", "rates:write"];

impl Scope {
    /// Everything that its holder can be allowed at all.
    pub const ALL: Self = Self("*");
    /// What a model says of tensors.
    pub const MODELS_INFER: Self = Self("models:infer");
    /// Which models there are, and what is known of them.
    pub const MODELS_READ: Self = Self("models:read");

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Whether an affiliate's own key may hold it.
    #[must_use]
    pub fn is_open_to_affiliates(self) -> bool {
        OPEN_TO_AFFILIATES.contains(&self.0)
    }

    /// Those that an affiliate's own key may hold.
    pub fn of_affiliates() -> impl Iterator<Item = Self> {
        OPEN_TO_AFFILIATES.iter().map(|name| Self(name))
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_reading(self) -> bool {
        self.0.ends_with(":read")
    }

    /// Whether a key that was looked up a moment ago is believed.
    #[must_use]
    pub fn is_asked_often(self) -> bool {
        ASKED_OFTEN.contains(&self.0)
    }

    /// Whether what is done under it moves money.
    #[must_use]
    pub fn is_about_money(self) -> bool {
        ABOUT_MONEY.contains(&self.0)
    }

    /// Whether a holder of this scope may do what needs `needed`.
    #[must_use]
    pub fn covers(self, needed: Self) -> bool {
        self == Self::ALL || self == needed
    }
}

impl FromStr for Scope {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text == Self::ALL.0 {
            return Ok(Self::ALL);
        }
        let known = NAMES.iter().find(|name| **name == text);
        known.map(|name| Self(name)).ok_or_else(|| ScopeError(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl PartialSchema for Scope {
    fn schema() -> RefOr<Schema> {
        let names = [Self::ALL.0].into_iter().chain(NAMES.iter().copied());
        let scope = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        scope.description(Some("What a key may do; `*` is everything.")).into()
    }
}

impl ToSchema for Scope {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Scope")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_unique_and_read_back() {
        assert!(NAMES.is_sorted_by(|earlier, later| earlier < later));
        for name in NAMES {
            assert_eq!(name.parse::<Scope>().map(Scope::name), Ok(*name));
        }
    }

    #[test]
    fn the_lists_name_scopes_that_exist() {
        assert!(
            OPEN_TO_AFFILIATES.iter().chain(ABOUT_MONEY).chain(ASKED_OFTEN).all(|name| NAMES.contains(name))
        );
    }

    #[test]
    fn writing_is_not_allowed_by_reading() {
        let (read, write): (Scope, Scope) = ("links:read".parse().unwrap(), "links:write".parse().unwrap());
        assert!(!read.covers(write) && !write.covers(read) && Scope::ALL.covers(write));
    }
}
