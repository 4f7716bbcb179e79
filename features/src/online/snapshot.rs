//! A state as bytes, so that a restart takes seconds: the snapshot first, and then the stream from where it stood.
//! Events that the snapshot holds already may be told again.

use std::sync::Arc;

use super::{Bounds, Kept, Plan, State};
use crate::definition::Feature;

/// What a snapshot begins with, and the version of what follows.
const HEAD: [u8; 8] = *b"TRIBFS\x00\x03";
/// Head, fingerprint of the definitions, position in the stream, checksum.
const BEFORE: usize = 8 + 32 + 8 + 4;

/// Why a snapshot cannot be used. In every case the state is made anew by replaying the stream.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not ours, or of another version.
    #[error("this is no snapshot of a feature state of version 3: replay the events instead")]
    Unknown,
    /// Cut short or damaged.
    #[error("the snapshot is damaged: replay the events instead")]
    Damaged,
    /// The definitions have changed since.
    #[error("the snapshot was made by other feature definitions: replay the events instead")]
    OtherDefinitions,
    /// It could not be put into bytes.
    #[error("the state cannot be written")]
    Unwritable(#[source] postcard::Error),
}

impl State {
    /// The state as bytes, with the position in the stream behind the last event that it was told.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn snapshot(&self, position: u64) -> Result<Vec<u8>, SnapshotError> {
        let body = postcard::to_stdvec(&self.kept).map_err(SnapshotError::Unwritable)?;
        let mut bytes = Vec::with_capacity(BEFORE + body.len());
        bytes.extend(HEAD);
        bytes.extend(self.plan.fingerprint);
        bytes.extend(position.to_le_bytes());
        bytes.extend(crc32fast::hash(&body).to_le_bytes());
        bytes.extend(body);
        Ok(bytes)
    }

    /// A state as it was when the snapshot was made, and the position from which the stream is to be replayed.
    ///
    /// # Errors
    /// When the bytes are none of ours, damaged, or made by other definitions.
    pub fn restore(
        bytes: &[u8],
        features: &[Arc<Feature>],
        bounds: Bounds,
    ) -> Result<(Self, u64), SnapshotError> {
        let plan = Plan::new(features);
        let rest = bytes.strip_prefix(&HEAD).ok_or(SnapshotError::Unknown)?;
        let (fingerprint, rest) = rest.split_first_chunk::<32>().ok_or(SnapshotError::Damaged)?;
        let (position, rest) = rest.split_first_chunk::<8>().ok_or(SnapshotError::Damaged)?;
        let (checksum, body) = rest.split_first_chunk::<4>().ok_or(SnapshotError::Damaged)?;
        if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
            return Err(SnapshotError::Damaged);
        }
        if *fingerprint != plan.fingerprint {
            return Err(SnapshotError::OtherDefinitions);
        }
        let kept: Kept = postcard::from_bytes(body).map_err(|_| SnapshotError::Damaged)?;
        Ok((Self { kept, ..Self::of(plan, bounds) }, u64::from_le_bytes(*position)))
    }
}
