//! A model that was trained becomes a version, whole and for good.

use std::collections::BTreeMap;

use super::{
    CARD, MANIFEST, MODEL, REPORT, Registry, SUMS, card,
    manifest::{About, FORMAT, Manifest},
    name::{ModelName, Version},
    storage::{StorageError, Written},
};
use crate::fingerprint::Fingerprint;

/// What a training run gives.
#[derive(Clone, Debug)]
pub struct Publication {
    /// What it says of the model.
    pub about: About,
    /// The graph, as ONNX.
    pub model: Vec<u8>,
    /// Its report, as HTML.
    pub report: String,
    /// What else a service needs to have beside the graph, by the names of files.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Why a model was not published. The registry is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// What is said of it does not hold together.
    #[error("{model} cannot be published: {}", faults.join("; "))]
    Faults {
        /// Which model.
        model: ModelName,
        /// Every fault, in a sentence.
        faults: Vec<String>,
    },
    /// The place cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Registry {
    /// Publishes the next version of a model, and says which it is. The same publication at the same number is the same
    /// bytes.
    ///
    /// # Errors
    /// When what is said of it does not hold together, or the registry cannot be written.
    pub fn publish(&self, model: &ModelName, publication: &Publication) -> Result<Version, PublishError> {
        let faults = publication.about.faults();
        if !faults.is_empty() {
            return Err(PublishError::Faults { model: model.clone(), faults });
        }
        let mut version = self.storage.versions(model)?.last().copied().unwrap_or(Version(0)).next();
        loop {
            match self.storage.create(model, version, &files(model, version, publication).listed())? {
                Written::Done(_) => return Ok(version),
                Written::Late => version = version.next(),
            }
        }
    }
}

/// The files of a version.
struct Files<'a> {
    publication: &'a Publication,
    manifest: String,
    card: String,
    sums: String,
}

impl Files<'_> {
    /// The manifest last: in a place that writes one file after another it makes the version be there.
    fn listed(&self) -> Vec<(&str, &[u8])> {
        let mut listed = hashed(self.publication, &self.card);
        listed.extend([(SUMS, self.sums.as_bytes()), (MANIFEST, self.manifest.as_bytes())]);
        listed
    }
}

/// The files whose hashes the manifest has; those of a job cannot take the place of one of ours.
fn hashed<'a>(publication: &'a Publication, card: &'a str) -> Vec<(&'a str, &'a [u8])> {
    let own = [
        (MODEL, publication.model.as_slice()),
        (CARD, card.as_bytes()),
        (REPORT, publication.report.as_bytes()),
    ];
    let names = [MODEL, CARD, REPORT, SUMS, MANIFEST];
    let more = publication.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    own.into_iter().chain(more.filter(|(name, _)| !names.contains(name))).collect()
}

fn files<'a>(model: &ModelName, version: Version, publication: &'a Publication) -> Files<'a> {
    let about = publication.about.clone();
    let mut manifest =
        Manifest { format: FORMAT, model: model.clone(), version, about, files: BTreeMap::new() };
    let card = card::written(&manifest);
    let hashed = hashed(publication, &card);
    manifest.files =
        hashed.iter().map(|(name, bytes)| ((*name).to_owned(), Fingerprint::of(bytes))).collect();
    let manifest_text = serde_json::to_string_pretty(&manifest)
        .expect("a manifest has text keys and finite numbers only")
        + "\n";
    manifest.files.insert(MANIFEST.to_owned(), Fingerprint::of(manifest_text.as_bytes()));
    let sums = manifest.files.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
    Files { publication, manifest: manifest_text, card, sums }
}
