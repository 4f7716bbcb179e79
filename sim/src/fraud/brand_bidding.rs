//! Advertisements on the advertiser's own name.

use crate::{
    patterns::{Pattern, Unit},
    visit::script::Referral,
};

/// Who has decided already searches for the shop by name, and finds the affiliate's advertisement above it.
pub(super) struct BrandBidding;

impl Pattern for BrandBidding {
    fn name(&self) -> &'static str {
        "brand_bidding"
    }
    fn doc(&self) -> &'static str {
        "Somebody who has decided to buy searches for the shop's name and clicks the affiliate's advertisement on it, \
         half a minute to ten minutes before the order."
    }
    fn taken_for(&self) -> &'static str {
        "a search partner whose last click closes an honest journey"
    }
    fn unit(&self) -> Unit {
        Unit::Seized
    }
    fn usual(&self) -> f64 {
        0.015
    }
    fn pushes_in(&self) -> Option<((f64, f64), Referral)> {
        Some(((30.0, 600.0), Referral::BrandSearch))
    }
}
