//! What a version that divides credit carries beside its graph: the names that its numbers stand for, so that a service can
//! ask it about journeys of its own.

use serde::{Deserialize, Serialize};

/// What the file of a version is called.
pub const FILE: &str = "journeys.json";
/// The format that this release writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// The names that numbers stand for, each counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// [`FORMAT`].
    pub format: u32,
    /// What a channel is: `affiliate`, `campaign`, or `channel` for what affiliates say of a click's source.
    pub by: String,
    /// Channels.
    pub channels: Vec<String>,
    /// Campaigns.
    pub campaigns: Vec<String>,
    /// Devices.
    pub devices: Vec<String>,
}

impl Names {
    /// Reads the file.
    ///
    /// # Errors
    /// With a sentence, when it is not one, or one of a newer release.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let names: Self = serde_json::from_slice(bytes).map_err(|error| format!("{FILE}: {error}"))?;
        if FORMAT < names.format {
            return Err(format!("{FILE} is of format {}, and this release reads {FORMAT}", names.format));
        }
        Ok(names)
    }
}
