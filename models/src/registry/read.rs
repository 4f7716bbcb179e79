//! What a registry holds, read with its hashes checked: a manifest that was tampered with is not believed.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    CARD, MANIFEST, Registry, SUMS, alias,
    alias::Aliases,
    manifest::{self, Manifest},
    name::{Alias, ModelName, Reference, Version},
    storage::{StorageError, Tag},
};
use crate::fingerprint::Fingerprint;

/// Why something of a registry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such model.
    #[error("there is no model {model}: the registry holds {}", listed(known))]
    UnknownModel {
        /// Which one.
        model: ModelName,
        /// Those that are there.
        known: Vec<ModelName>,
    },
    /// There is no such version.
    #[error("{model} has no version {version}: it has {}", listed(known))]
    UnknownVersion {
        /// Of which model.
        model: ModelName,
        /// Which one.
        version: Version,
        /// Those that are there.
        known: Vec<Version>,
    },
    /// Nothing has the alias.
    #[error(
        "{model} has no {alias}: name one with `tributary-train models promote {model} VERSION --alias {alias}`"
    )]
    NoAlias {
        /// Of which model.
        model: ModelName,
        /// Which alias.
        alias: Alias,
    },
    /// A file of a version is not what was published.
    #[error(
        "{file} of {model} {version} is damaged: {what}; put back the version's folder from a copy, or train and publish a \
         new version"
    )]
    Damaged {
        /// Of which model.
        model: ModelName,
        /// Of which version.
        version: Version,
        /// Which file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// The aliases cannot be trusted.
    #[error("aliases.json of {model} is damaged: {what}; put it back from a copy")]
    DamagedAliases {
        /// Of which model.
        model: ModelName,
        /// What is wrong with it.
        what: String,
    },
    /// Written by a newer release.
    #[error(
        "{file} of {model} is of format {format}, and this release reads up to {ours}: use the newer release"
    )]
    Newer {
        /// Of which model.
        model: ModelName,
        /// Which file.
        file: &'static str,
        /// Its format.
        format: u32,
        /// The newest that is read.
        ours: u32,
    },
    /// The place cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

fn listed<T: ToString>(known: &[T]) -> String {
    if known.is_empty() {
        return "none".to_owned();
    }
    known.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// A version in a list.
#[derive(Debug)]
pub struct Entry {
    /// Which model.
    pub model: ModelName,
    /// Which version.
    pub version: Version,
    /// What it is for.
    pub aliases: Vec<Alias>,
    /// What is known of it, or why that cannot be read.
    pub manifest: Result<Manifest, ReadError>,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Registry {
    /// Every version of every model, or of one; a damaged one is listed with what is wrong.
    ///
    /// # Errors
    /// When the registry cannot be read, or there is no such model.
    pub fn list(&self, only: Option<&ModelName>) -> Result<Vec<Entry>, ReadError> {
        let models = match only {
            Some(model) => vec![model.clone()],
            None => self.storage.models()?,
        };
        let mut entries = Vec::new();
        for model in models {
            let aliases = self.aliases(&model)?;
            for version in self.versions(&model)? {
                let manifest = self.manifest(&model, version);
                entries.push(Entry { model: model.clone(), version, aliases: aliases.of(version), manifest });
            }
        }
        Ok(entries)
    }

    /// The names of its models, sorted.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub fn models(&self) -> Result<Vec<ModelName>, ReadError> {
        Ok(self.storage.models()?)
    }

    /// The versions of a model, ascending.
    ///
    /// # Errors
    /// When there is no such model, or it cannot be read.
    pub fn versions(&self, model: &ModelName) -> Result<Vec<Version>, ReadError> {
        let versions = self.storage.versions(model)?;
        if versions.is_empty() {
            return Err(ReadError::UnknownModel { model: model.clone(), known: self.storage.models()? });
        }
        Ok(versions)
    }

    /// The version that is meant.
    ///
    /// # Errors
    /// When nothing has the alias, or it cannot be read.
    pub fn resolve(&self, model: &ModelName, reference: Reference) -> Result<Version, ReadError> {
        self.versions(model)?;
        match reference {
            Reference::Version(version) => Ok(version),
            Reference::Alias(alias) => {
                let found = self.aliases(model)?.get(alias);
                found.ok_or_else(|| ReadError::NoAlias { model: model.clone(), alias })
            }
        }
    }

    /// What is known of a version.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn manifest(&self, model: &ModelName, version: Version) -> Result<Manifest, ReadError> {
        let damaged = |what: String| damaged(model, version, MANIFEST, what);
        let mut sums = self.sums(model, version)?;
        let bytes = self.file(model, version, MANIFEST, sums.remove(MANIFEST).as_ref())?;
        let Format { format } = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if manifest::FORMAT < format {
            let (model, ours) = (model.clone(), manifest::FORMAT);
            return Err(ReadError::Newer { model, file: MANIFEST, format, ours });
        }
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if (&manifest.model, manifest.version) != (model, version) {
            return Err(damaged(format!("it is that of {} {}", manifest.model, manifest.version)));
        }
        if manifest.files != sums {
            let what = "its hashes are not those of the manifest".to_owned();
            return Err(self::damaged(model, version, SUMS, what));
        }
        Ok(manifest)
    }

    /// A file of a version that its manifest names.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn read(&self, manifest: &Manifest, file: &str) -> Result<Vec<u8>, ReadError> {
        self.file(&manifest.model, manifest.version, file, manifest.files.get(file))
    }

    /// The model card of a version.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn card(&self, model: &ModelName, version: Version) -> Result<String, ReadError> {
        let bytes = self.read(&self.manifest(model, version)?, CARD)?;
        String::from_utf8(bytes).map_err(|error| damaged(model, version, CARD, error.to_string()))
    }

    /// The aliases of a model with their history.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn aliases(&self, model: &ModelName) -> Result<Aliases, ReadError> {
        self.tagged_aliases(model).map(|(aliases, _)| aliases)
    }

    pub(super) fn tagged_aliases(&self, model: &ModelName) -> Result<(Aliases, Option<Tag>), ReadError> {
        let Some(held) = self.storage.aliases(model)? else { return Ok((Aliases::none(), None)) };
        let damaged = |what: String| ReadError::DamagedAliases { model: model.clone(), what };
        let Format { format } =
            serde_json::from_slice(&held.bytes).map_err(|error| damaged(error.to_string()))?;
        if alias::FORMAT < format {
            let (model, ours) = (model.clone(), alias::FORMAT);
            return Err(ReadError::Newer { model, file: "aliases.json", format, ours });
        }
        let aliases: Aliases =
            serde_json::from_slice(&held.bytes).map_err(|error| damaged(error.to_string()))?;
        match aliases.fault() {
            Some(fault) => Err(damaged(fault)),
            None => Ok((aliases, Some(held.tag))),
        }
    }

    /// The hashes that were written beside a version's files.
    fn sums(&self, model: &ModelName, version: Version) -> Result<BTreeMap<String, Fingerprint>, ReadError> {
        let bytes = self.storage.read(model, version, SUMS)?;
        let bytes = bytes.ok_or_else(|| self.missing(model, version, SUMS))?;
        let text = String::from_utf8_lossy(&bytes);
        let line =
            |line: &str| Some((line.split_once("  ")?.1.to_owned(), line.split_once("  ")?.0.parse().ok()?));
        let sums: Option<BTreeMap<_, _>> = text.lines().map(line).collect();
        sums.ok_or_else(|| damaged(model, version, SUMS, "it is no list of hashes and names".to_owned()))
    }

    fn file(
        &self,
        model: &ModelName,
        version: Version,
        file: &str,
        expected: Option<&Fingerprint>,
    ) -> Result<Vec<u8>, ReadError> {
        let damaged = |what: String| damaged(model, version, file, what);
        let expected =
            expected.ok_or_else(|| damaged("nothing says what its SHA-256 should be".to_owned()))?;
        let bytes = self.storage.read(model, version, file)?;
        let bytes = bytes.ok_or_else(|| self.missing(model, version, file))?;
        let found = Fingerprint::of(&bytes);
        if found != *expected {
            return Err(damaged(format!("its SHA-256 is {found} and should be {expected}")));
        }
        Ok(bytes)
    }

    /// Why a file is not there: the version may not be, or not yet, or its writer may have been killed.
    fn missing(&self, model: &ModelName, version: Version, file: &str) -> ReadError {
        match self.versions(model) {
            Ok(known) if known.contains(&version) => {
                damaged(model, version, file, "it is not there".to_owned())
            }
            Ok(known) => ReadError::UnknownVersion { model: model.clone(), version, known },
            Err(error) => error,
        }
    }
}

fn damaged(model: &ModelName, version: Version, file: &str, what: String) -> ReadError {
    ReadError::Damaged { model: model.clone(), version, file: file.to_owned(), what }
}
