//! The schemes of fraud: one file each, and one line in [`SCHEMES`].

mod brand_bidding;
mod click_farm;
mod click_flooding;
mod click_injection;
mod conversion_spike;
mod cookie_stuffing;
mod lead_fraud;
mod referral_ring;
pub(crate) mod replayed_postback;
mod self_referral;

use crate::patterns::Pattern;

/// Every scheme.
pub(crate) static SCHEMES: &[Pattern] = &[
    click_farm::CLICK_FARM,
    cookie_stuffing::COOKIE_STUFFING,
    click_injection::CLICK_INJECTION,
    click_flooding::CLICK_FLOODING,
    self_referral::SELF_REFERRAL,
    referral_ring::REFERRAL_RING,
    lead_fraud::LEAD_FRAUD,
    brand_bidding::BRAND_BIDDING,
    replayed_postback::REPLAYED_POSTBACK,
    conversion_spike::CONVERSION_SPIKE,
];
