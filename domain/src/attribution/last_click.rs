//! The last touch before the conversion gets all of the credit.

use super::{AttributionModel, TouchPath};

/// All of the credit to the latest touch within the campaign's window (S87).
pub struct LastClick;

impl AttributionModel for LastClick {
    fn name(&self) -> &'static str {
        "last_click"
    }

    fn doc(&self) -> &'static str {
        "The latest click within the campaign's window gets all of the credit."
    }

    fn weigh(&self, path: &TouchPath) -> Vec<u64> {
        let last = path.touches().len().saturating_sub(1);
        (0..path.touches().len()).map(|touch| u64::from(touch == last)).collect()
    }
}
