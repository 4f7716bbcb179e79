//! A state is a name in a small set, and only the moves that its table lists are legal.

use std::fmt::Display;

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};

/// A move that the life of a thing does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this {thing} is {from} and cannot become {to}")]
pub struct StateError {
    /// What would have moved: «conversion», «campaign», …
    pub thing: &'static str,
    /// Where it is.
    pub from: &'static str,
    /// Where it was to go.
    pub to: &'static str,
}

/// A text that names no state of the set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: expected one of {expected}")]
pub struct NameError {
    /// What the text should have named.
    pub what: &'static str,
    /// What was read, cut to 64 characters.
    pub text: String,
    /// The names that exist, separated by commas.
    pub expected: String,
}

impl NameError {
    pub(crate) fn new(what: &'static str, text: &str, names: &[impl Display]) -> Self {
        let expected = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Self { what, text: text.chars().take(64).collect(), expected }
    }
}

/// The schema of a text that is one of these names.
pub(crate) fn names_schema(doc: &str, names: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some(doc));
    text.enum_values(Some(names)).into()
}

/// Declares an enum of named states (or other names), with its text forms for wire and database.
macro_rules! names {
    ($(#[doc = $doc:literal])+ $name:ident: $what:literal { $($(#[$variant_doc:meta])+ $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$variant_doc])+ #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every one of them, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire and in the database.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        // By hand: the derive does not see a name that comes through this macro and would publish the variant's.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let doc = [$($doc),+].concat();
                $crate::state::names_schema(doc.trim(), Self::ALL.iter().map(|one| one.name()))
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::state::NameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|one| one.name() == text);
                found.copied().ok_or_else(|| $crate::state::NameError::new($what, text, Self::ALL))
            }
        }
    };
}

/// Gives a set of states its table of legal moves.
macro_rules! moves {
    ($name:ident, $thing:literal: $($from:ident => [$($to:ident),*],)+) => {
        impl $name {
            /// The states that may follow this one.
            #[must_use]
            pub const fn next(self) -> &'static [Self] {
                match self { $(Self::$from => &[$(Self::$to),*]),+ }
            }

            /// Moves to `to`.
            ///
            /// # Errors
            /// When no legal move leads there; staying where one is counts as no move and is refused too.
            pub fn to(self, to: Self) -> Result<Self, $crate::state::StateError> {
                let legal = self.next().contains(&to);
                let refused = $crate::state::StateError { thing: $thing, from: self.name(), to: to.name() };
                if legal { Ok(to) } else { Err(refused) }
            }
        }
    };
}

pub(crate) use {moves, names};
