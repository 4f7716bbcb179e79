//! Honest crowds that look like fraud to naive rules: one file each, and one line in [`CROWDS`].

mod campus;
mod carrier;
mod eager_shopper;
mod family_device;
mod office;
mod viral_day;

use crate::patterns::Pattern;

/// Every crowd.
pub(crate) static CROWDS: &[&dyn Pattern] = &[
    &office::Office,
    &campus::Campus,
    &carrier::Carrier,
    &viral_day::ViralDay,
    &family_device::FamilyDevice,
    &eager_shopper::EagerShopper,
];
