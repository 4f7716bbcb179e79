//! Who would be credited with a conversion by each model there is: the rules that campaigns choose from, and the champion of
//! `attribution`, which has learned from journeys.

mod learned;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{AffiliateId, CampaignId, click::Device};

pub use self::learned::Learned;

/// So long a model may take for journeys that it is asked about together.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a model that learns looks at, beside when it was.
#[derive(Clone, Debug)]
pub struct Travelled {
    /// Whose touch it was.
    pub affiliate: AffiliateId,
    /// What the affiliate says of where the click comes from; nothing where it says nothing.
    pub source: String,
    /// What the visitor clicked on.
    pub device: Device,
    /// When.
    pub at: DateTime<Utc>,
}

/// How a model that learns divides one conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divided {
    /// By which version.
    pub version: u32,
    /// The parts per million of each touch, oldest first; with `nobody` they sum to a million.
    pub touches: Vec<u32>,
    /// What would have happened anyway.
    pub nobody: u32,
    /// Whether it knows nothing of the journey's channels, and last click divides.
    pub is_by_rule: bool,
}

/// One journey that led to a conversion.
#[derive(Clone, Debug)]
pub struct Journey<'a> {
    /// In which campaign.
    pub campaign: CampaignId,
    /// When the customer converted.
    pub converted_at: DateTime<Utc>,
    /// The touches, oldest first; at least one.
    pub touches: &'a [Travelled],
}
