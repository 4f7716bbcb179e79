//! What models, versions and aliases are called, so that each name is a folder's name on every file system.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

const LONGEST: usize = 64;

/// A model's name, such as `fraud`: a lower-case letter, then lower-case letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ModelName(String);

/// A text that cannot name a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot name a model: begin with a lower-case letter and go on with lower-case letters, digits, - and _, at \
     most {LONGEST} of them"
)]
pub struct NoName(String);

impl FromStr for ModelName {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let begins = text.starts_with(|letter: char| letter.is_ascii_lowercase());
        let legal =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if !begins || !text.bytes().all(legal) || LONGEST < text.len() {
            return Err(NoName(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

impl TryFrom<String> for ModelName {
    type Error = NoName;

    fn try_from(text: String) -> Result<Self, NoName> {
        text.parse()
    }
}

/// A version of a model, counted from 1 and never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u32);

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a version such as 3, or champion or challenger, and got {0:?}")]
pub struct NoVersion(String);

impl Version {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let wrong = || NoVersion(text.to_owned());
        let version = text.parse().map(Self).map_err(|_| wrong())?;
        // `007` and `+7` would name the folder of 7 twice.
        if version.to_string() == text && 0 < version.0 { Ok(version) } else { Err(wrong()) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a version is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alias {
    /// The version whose answers count.
    Champion,
    /// The version that answers in its shadow, to be compared.
    Challenger,
}

impl Alias {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Champion, Self::Challenger];
}

impl FromStr for Alias {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let found = Self::ALL.into_iter().find(|alias| alias.to_string() == text);
        found.ok_or_else(|| NoVersion(text.to_owned()))
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Champion => "champion",
            Self::Challenger => "challenger",
        })
    }
}

/// A version by its number or by what it is for, as commands take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// This very version.
    Version(Version),
    /// Whichever has the alias.
    Alias(Alias),
}

impl FromStr for Reference {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        text.parse().map(Self::Alias).or_else(|_| text.parse().map(Self::Version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_folder_and_never_a_way_out_of_it() {
        for legal in ["fraud", "ltv-2", "match_top_k"] {
            assert_eq!(legal.parse::<ModelName>().map(String::from), Ok(legal.to_owned()));
        }
        for wrong in ["", "..", "a/b", "_new", "Fraud", "3", "fräud", "a b", "a.b", &"a".repeat(65)] {
            assert!(wrong.parse::<ModelName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_version_is_written_in_one_way() {
        assert_eq!("12".parse(), Ok(Version(12)));
        for wrong in ["0", "012", "+12", "-1", "1.0", "v1", "", "4294967296"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
        assert_eq!("champion".parse(), Ok(Reference::Alias(Alias::Champion)));
        assert_eq!("3".parse(), Ok(Reference::Version(Version(3))));
    }
}
