//! Attribution: a path of touches becomes shares of the credit that sum to one.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    id::{AffiliateId, ClickId, LinkId},
    money::largest_remainder,
};

mod last_click;

pub use last_click::LastClick;

/// One moment at which an affiliate touched the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// The click, unless a coupon stood in for it.
    pub click: Option<ClickId>,
    /// Through which link.
    pub link: LinkId,
    /// By whom.
    pub affiliate: AffiliateId,
    /// When.
    pub at: DateTime<Utc>,
}

/// The touches before one conversion, oldest first, those outside the window already left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchPath {
    touches: Vec<Touch>,
    converted_at: DateTime<Utc>,
}

impl TouchPath {
    /// Keeps the touches within `window` before `converted_at` and sorts them by time. A touch up to
    /// five minutes *after* the conversion counts as well, because the advertiser's clock is not ours.
    #[must_use]
    pub fn within(window: TimeDelta, converted_at: DateTime<Utc>, mut touches: Vec<Touch>) -> Self {
        let (earliest, latest) = (converted_at - window, converted_at + CLOCK_TOLERANCE);
        touches.retain(|touch| earliest <= touch.at && touch.at <= latest);
        touches.sort_by_key(|touch| (touch.at, touch.click));
        Self { touches, converted_at }
    }

    /// The touches, oldest first.
    #[must_use]
    pub fn touches(&self) -> &[Touch] {
        &self.touches
    }

    /// When the customer converted.
    #[must_use]
    pub fn converted_at(&self) -> DateTime<Utc> {
        self.converted_at
    }
}

/// How far an advertiser's clock may run behind ours before a conversion seems to precede its click.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Who gets how much of the credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// Which touch of the path, counted from 0.
    pub touch: usize,
    /// Parts per million of the credit.
    pub ppm: u32,
}

/// A rule or model that divides the credit for a conversion among the touches before it.
pub trait AttributionModel: Sync {
    /// The name by which campaigns choose it.
    fn name(&self) -> &'static str;

    /// One sentence for the manual and for the affiliate.
    fn doc(&self) -> &'static str;

    /// A weight for every touch of a path that has at least one; only their proportions matter.
    fn weigh(&self, path: &TouchPath) -> Vec<u64>;
}

/// Every model that campaigns may choose from.
pub static MODELS: &[&dyn AttributionModel] = &[&LastClick];

/// Divides the credit: whole parts per million by largest remainder, so they sum to 1,000,000 exactly;
/// touches without credit are left out. A path without touches credits nobody.
#[must_use]
pub fn share(model: &dyn AttributionModel, path: &TouchPath) -> Vec<Share> {
    if path.touches().is_empty() {
        return Vec::new();
    }
    let parts = largest_remainder(1_000_000, &model.weigh(path));
    let credited = parts.into_iter().enumerate().filter(|(_, part)| 0 < *part);
    let whole = |part| u32::try_from(part).expect("a part of a million fits");
    credited.map(|(touch, part)| Share { touch, ppm: whole(part) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn touch(number: u8, minutes_before: i64) -> Touch {
        Touch {
            click: Some(ClickId::from(Uuid::from_u128(u128::from(number)))),
            link: LinkId::from(Uuid::from_u128(u128::from(number))),
            affiliate: AffiliateId::from(Uuid::from_u128(u128::from(number))),
            at: converted_at() - TimeDelta::minutes(minutes_before),
        }
    }

    fn converted_at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_947_200, 0).unwrap()
    }

    #[test]
    fn names_are_unique_and_docs_are_sentences() {
        for (position, model) in MODELS.iter().enumerate() {
            assert!(MODELS[..position].iter().all(|other| other.name() != model.name()));
            assert!(model.doc().ends_with('.') && 20 < model.doc().len());
        }
    }

    #[test]
    fn a_touch_before_the_window_has_no_credit() {
        let path =
            TouchPath::within(TimeDelta::days(1), converted_at(), vec![touch(1, 24 * 60 + 1), touch(2, 5)]);
        assert_eq!(path.touches(), [touch(2, 5)]);
    }

    #[test]
    fn a_click_on_the_windows_edge_still_counts() {
        let path = TouchPath::within(TimeDelta::days(1), converted_at(), vec![touch(1, 24 * 60)]);
        assert_eq!(path.touches().len(), 1);
    }

    #[test]
    fn a_fast_clock_does_not_lose_the_click() {
        let path = TouchPath::within(TimeDelta::days(1), converted_at(), vec![touch(1, -4), touch(2, -6)]);
        assert_eq!(path.touches(), [touch(1, -4)]);
    }

    proptest! {
        #[test]
        fn shares_of_every_model_sum_to_one(minutes in prop::collection::vec(-10..100_000_i64, 0..30)) {
            let touches = minutes.iter().zip(0..).map(|(minutes, number)| touch(number, *minutes)).collect();
            let path = TouchPath::within(TimeDelta::days(30), converted_at(), touches);
            for model in MODELS {
                let total: u32 = share(*model, &path).iter().map(|share| share.ppm).sum();
                prop_assert_eq!(total, if path.touches().is_empty() { 0 } else { 1_000_000 });
            }
        }
    }
}
