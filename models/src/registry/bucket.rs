//! A registry in a bucket: a number is claimed before anything is written under it, and the manifest, which is written
//! last, makes the version be there.

use std::io;

use ::bucket::{Bucket, Tag, When, Written};

use super::{
    MANIFEST,
    name::{ModelName, Version},
    storage::{ALIASES, Storage, StorageError, Tagged},
};

/// Says that a number was given, whatever became of the version.
const CLAIM: &str = "_claim";

fn file_of(model: &ModelName, version: Version, file: &str) -> String {
    format!("{model}/{version}/{file}")
}

/// The number of a version that is there, by the name of its manifest.
fn version_of(model: &ModelName, name: &str) -> Option<Version> {
    let (version, file) = name.strip_prefix(&format!("{model}/"))?.split_once('/')?;
    version.parse().ok().filter(|_| file == MANIFEST)
}

fn failed(doing: &'static str, bucket: &Bucket, name: &str) -> impl FnOnce(io::Error) -> StorageError {
    StorageError::io(doing, bucket.address(name))
}

impl Storage for Bucket {
    fn models(&self) -> Result<Vec<ModelName>, StorageError> {
        let folders = self.folders("").map_err(failed("listing", self, ""))?;
        let mut found: Vec<ModelName> = Vec::new();
        for model in folders.iter().filter_map(|folder| folder.parse().ok()) {
            if !self.versions(&model)?.is_empty() {
                found.push(model);
            }
        }
        found.sort();
        Ok(found)
    }

    fn versions(&self, model: &ModelName) -> Result<Vec<Version>, StorageError> {
        let folder = model.to_string();
        let objects = self.list(&folder).map_err(failed("listing", self, &folder))?;
        let mut found: Vec<Version> =
            objects.iter().filter_map(|object| version_of(model, &object.name)).collect();
        found.sort();
        Ok(found)
    }

    fn read(&self, model: &ModelName, version: Version, file: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let name = file_of(model, version, file);
        let read = self.get(&name, None).map_err(failed("reading", self, &name))?;
        Ok(read.map(|(bytes, _)| bytes.into()))
    }

    fn create(
        &self,
        model: &ModelName,
        version: Version,
        files: &[(&str, &[u8])],
    ) -> Result<Written, StorageError> {
        let name = file_of(model, version, CLAIM);
        if !self.claim(&name).map_err(failed("claiming", self, &name))? {
            return Ok(Written::Late);
        }
        let mut written = Written::Late;
        for (file, bytes) in files {
            let name = file_of(model, version, file);
            // What came here without a claim, as a copy does, is a version all the same and stays what it is.
            written =
                self.put(&name, bytes.to_vec(), When::Absent).map_err(failed("writing", self, &name))?;
            if written == Written::Late {
                return Ok(written);
            }
        }
        Ok(written)
    }

    fn aliases(&self, model: &ModelName) -> Result<Option<Tagged>, StorageError> {
        let name = format!("{model}/{ALIASES}");
        let read = self.get(&name, None).map_err(failed("reading", self, &name))?;
        Ok(read.map(|(bytes, tag)| Tagged { bytes: bytes.into(), tag }))
    }

    fn swap_aliases(
        &self,
        model: &ModelName,
        expected: Option<&Tag>,
        bytes: &[u8],
    ) -> Result<Written, StorageError> {
        let name = format!("{model}/{ALIASES}");
        let when = expected.map_or(When::Absent, When::Unchanged);
        self.put(&name, bytes.to_vec(), when).map_err(failed("writing", self, &name))
    }
}
