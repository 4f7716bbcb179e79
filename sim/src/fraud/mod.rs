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
pub(crate) static SCHEMES: &[&dyn Pattern] = &[
    &click_farm::ClickFarm,
    &cookie_stuffing::CookieStuffing,
    &click_injection::ClickInjection,
    &click_flooding::ClickFlooding,
    &self_referral::SelfReferral,
    &referral_ring::ReferralRing,
    &lead_fraud::LeadFraud,
    &brand_bidding::BrandBidding,
    &replayed_postback::ReplayedPostback,
    &conversion_spike::ConversionSpike,
];
