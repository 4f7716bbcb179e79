//! The places that keep a registry, for tests that must hold in each of them.

use std::{fs, sync::Arc};

use ::bucket::{Bucket, When, Written};
use object_store::memory::InMemory;
use tempfile::TempDir;

use super::Registry;

/// Where a test's registry lies. Files are named from the registry's folder on: `fraud/1/model.onnx`.
pub(super) enum Place {
    /// In a folder, which goes with this.
    Folder(TempDir),
    /// In a bucket in memory.
    Bucket(Bucket),
}

impl Place {
    /// One of each kind, with nothing in it.
    pub(super) fn all() -> [Self; 2] {
        let bucket = Bucket::over(Arc::new(InMemory::new()), "shop", "models/registry").unwrap();
        [Self::Folder(tempfile::tempdir().unwrap()), Self::Bucket(bucket)]
    }

    pub(super) fn registry(&self) -> Registry {
        match self {
            Self::Folder(folder) => Registry::in_folder(folder.path().join("registry")),
            Self::Bucket(bucket) => Registry::over(Arc::new(bucket.clone())),
        }
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        match self {
            Self::Folder(folder) => fs::read(folder.path().join("registry").join(name)).unwrap(),
            Self::Bucket(bucket) => bucket.get(name, None).unwrap().unwrap().0.into(),
        }
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        match self {
            Self::Folder(folder) => {
                let path = folder.path().join("registry").join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
            Self::Bucket(bucket) => {
                assert_ne!(bucket.put(name, bytes.to_vec(), When::Always).unwrap(), Written::Late);
            }
        }
    }

    pub(super) fn remove(&self, name: &str) {
        match self {
            Self::Folder(folder) => fs::remove_file(folder.path().join("registry").join(name)).unwrap(),
            Self::Bucket(bucket) => bucket.remove(name).unwrap(),
        }
    }
}
