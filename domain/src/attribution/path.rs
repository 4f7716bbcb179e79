//! The touches before one conversion, with times and affiliates, and the whole parts per million that a rule gives them.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Journey, Rule};
use crate::{
    id::{AffiliateId, ClickId, LinkId},
    money::largest_remainder,
};

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
    lead: Option<u32>,
}

impl TouchPath {
    /// Keeps the touches within `window` before `converted_at` and sorts them by time. A touch up to
    /// five minutes *after* the conversion counts as well, because the advertiser's clock is not ours.
    #[must_use]
    pub fn within(window: TimeDelta, converted_at: DateTime<Utc>, mut touches: Vec<Touch>) -> Self {
        let (earliest, latest) = (converted_at - window, converted_at + CLOCK_TOLERANCE);
        touches.retain(|touch| earliest <= touch.at && touch.at <= latest);
        touches.sort_by_key(|touch| (touch.at, touch.click));
        Self { touches, converted_at, lead: None }
    }

    /// The same path of a customer who became a lead at `lead_at`: the latest touch up to then made the lead. Without a
    /// touch before it, no touch did.
    #[must_use]
    pub fn with_lead(mut self, lead_at: DateTime<Utc>) -> Self {
        let before = self.touches.iter().take_while(|touch| touch.at <= lead_at).count();
        self.lead = before.checked_sub(1).and_then(|touch| u32::try_from(touch).ok());
        self
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

    /// A weight for each touch. A touch after the conversion, within the tolerance, counts as made at the conversion.
    fn weigh(&self, rule: &dyn Rule) -> Vec<f64> {
        let before = |touch: &Touch| (self.converted_at - touch.at).num_seconds().max(0);
        let seconds_before: Vec<u32> =
            self.touches.iter().map(|touch| u32::try_from(before(touch)).unwrap_or(u32::MAX)).collect();
        let places: Vec<u32> = (0..).take(self.touches.len()).collect();
        // An affiliate's click is never direct traffic.
        let journey =
            Journey { touches: &places, seconds_before: &seconds_before, direct: &[], lead: self.lead };
        let mut weights = vec![0.0; places.len()];
        rule.weigh(&journey, &mut weights);
        weights
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

/// Divides the credit: whole parts per million by largest remainder, so they sum to 1,000,000 exactly;
/// touches without credit are left out. A path without touches credits nobody.
#[must_use]
pub fn share(rule: &dyn Rule, path: &TouchPath) -> Vec<Share> {
    if path.touches().is_empty() {
        return Vec::new();
    }
    let parts = parts(&path.weigh(rule));
    let credited = parts.into_iter().enumerate().filter(|(_, part)| 0 < *part);
    credited.map(|(touch, ppm)| Share { touch, ppm }).collect()
}

/// Weights, of which none is negative, as whole parts per million that sum to 1,000,000, by largest remainder. When all are
/// zero, the first has everything.
#[must_use]
pub fn parts(weights: &[f64]) -> Vec<u32> {
    let parts = largest_remainder(1_000_000, &whole_weights(weights)).into_iter();
    parts.map(|part| u32::try_from(part).expect("a part of a million fits")).collect()
}

/// Weights in whole units, 2^40 of them for the largest: fine enough for parts per million, and so coarse that weights
/// which differ by a rounding error become equal, as the rule meant them.
fn whole_weights(weights: &[f64]) -> Vec<u64> {
    const UNITS: f64 = (1_u64 << 40) as f64;
    let largest = weights.iter().copied().fold(0.0, f64::max);
    weights.iter().map(|weight| (weight / largest * UNITS).round() as u64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::attribution::{LastClick, RULES, TimeDecay, UShaped, WShaped};

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

    fn path(days_before: &[i64]) -> TouchPath {
        let touches =
            days_before.iter().zip(0..).map(|(days, number)| touch(number, days * 24 * 60)).collect();
        TouchPath::within(TimeDelta::days(90), converted_at(), touches)
    }

    fn check(rule: &dyn Rule, path: &TouchPath, expected: &[(usize, u32)]) {
        let shares: Vec<_> = share(rule, path).iter().map(|share| (share.touch, share.ppm)).collect();
        assert_eq!(shares, expected);
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

    #[test]
    fn the_last_click_takes_all() {
        check(&LastClick, &path(&[3, 2, 1]), &[(2, 1_000_000)]);
    }

    #[test]
    fn a_touch_one_half_life_earlier_has_half_the_credit() {
        check(&TimeDecay::WEEK, &path(&[15, 8, 1]), &[(0, 142_857), (1, 285_714), (2, 571_429)]);
    }

    #[test]
    fn the_middle_of_a_u_shares_a_fifth() {
        let expected = [(0, 400_000), (1, 66_667), (2, 66_667), (3, 66_666), (4, 400_000)];
        check(&UShaped, &path(&[5, 4, 3, 2, 1]), &expected);
    }

    #[test]
    fn the_latest_touch_up_to_the_lead_made_it() {
        let lead_at = converted_at() - TimeDelta::days(2);
        let path = path(&[4, 3, 2, 1]).with_lead(lead_at);
        check(&WShaped, &path, &[(0, 300_000), (1, 100_000), (2, 300_000), (3, 300_000)]);
    }

    #[test]
    fn a_lead_before_every_touch_was_made_by_none() {
        let path = path(&[3, 2, 1]).with_lead(converted_at() - TimeDelta::days(9));
        check(&WShaped, &path, &[(0, 400_000), (1, 200_000), (2, 400_000)]);
    }

    proptest! {
        #[test]
        fn shares_of_every_rule_sum_to_one(minutes in prop::collection::vec(-10..100_000_i64, 0..30), lead in 0..100_000_i64) {
            let touches = minutes.iter().zip(0..).map(|(minutes, number)| touch(number, *minutes)).collect();
            let path = TouchPath::within(TimeDelta::days(30), converted_at(), touches);
            let path = path.with_lead(converted_at() - TimeDelta::minutes(lead));
            for rule in RULES {
                let total: u32 = share(*rule, &path).iter().map(|share| share.ppm).sum();
                prop_assert_eq!(total, if path.touches().is_empty() { 0 } else { 1_000_000 });
            }
        }
    }
}
