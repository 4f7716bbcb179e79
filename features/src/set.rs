//! A feature set is the vector that a model was trained on: named, in order, and never changed but for its version.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::definition::Feature;

/// An ordered list of features that a model takes.
#[derive(Clone, Debug)]
pub struct FeatureSet {
    /// `fraud`.
    pub name: String,
    /// Counted up whenever the list or a definition in it changes.
    pub version: u32,
    /// The features, in the order of the vector.
    pub features: Vec<Arc<Feature>>,
}

/// A name in a set that no feature has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the feature set {set} asks for {feature}, which is not defined")]
pub struct UnknownFeature {
    /// Which set.
    pub set: String,
    /// What it asks for.
    pub feature: String,
}

/// The features of these sets, each once, by their names: what a state for all of them keeps.
#[must_use]
pub fn union<'a>(sets: impl IntoIterator<Item = &'a FeatureSet>) -> Vec<Arc<Feature>> {
    let mut features: Vec<_> = sets.into_iter().flat_map(|set| set.features.clone()).collect();
    features.sort_by(|one, other| one.name.cmp(&other.name));
    features.dedup_by(|one, other| one.name == other.name);
    features
}

impl FeatureSet {
    /// A set of the features of these names.
    ///
    /// # Errors
    /// When there is none of such a name.
    pub fn new(
        name: &str,
        version: u32,
        names: &[&str],
        all: &[Arc<Feature>],
    ) -> Result<Self, UnknownFeature> {
        let find = |feature: &&str| {
            let unknown =
                || UnknownFeature { set: format!("{name}_v{version}"), feature: (*feature).to_owned() };
            all.iter().find(|it| it.name == **feature).cloned().ok_or_else(unknown)
        };
        let features = names.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), version, features })
    }

    /// Its name with its version, as commands take it: `fraud_v1`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}_v{}", self.name, self.version)
    }

    /// SHA-256 over the canonical texts of its definitions, in order: a model may only be given vectors of a set with
    /// the fingerprint that it was trained with.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        fingerprint(self.features.iter().map(AsRef::as_ref))
    }
}

/// SHA-256 over canonical texts, each on a line of its own.
pub fn fingerprint<'a>(features: impl Iterator<Item = &'a Feature>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for feature in features {
        digest.update(format!("{feature}\n"));
    }
    digest.finalize().into()
}
