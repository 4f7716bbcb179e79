//! Advertisements on the advertiser's own name.

use crate::{
    patterns::{Pattern, Unit, Way},
    visit::script::Referral,
};

/// Who has decided already searches for the shop by name, and finds the affiliate's advertisement above it.
pub(super) const BRAND_BIDDING: Pattern = Pattern {
    name: "brand_bidding",
    doc: "Somebody who has decided to buy searches for the shop's name and clicks the affiliate's advertisement on it, \
     half a minute to ten minutes before the order.",
    taken_for: "a search partner whose last click closes an honest journey",
    unit: Unit::Seized,
    usual: 0.015,
    ..Pattern::scheme(Way::PushesIn((30.0, 600.0), Referral::BrandSearch))
};
