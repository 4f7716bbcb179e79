//! Honest crowds that look like fraud to naive rules: one file each, and one line in [`CROWDS`].

mod campus;
mod carrier;
mod eager_shopper;
mod family_device;
mod office;
mod viral_day;

use crate::patterns::Pattern;

/// Every crowd.
pub(crate) static CROWDS: &[Pattern] = &[
    office::OFFICE,
    campus::CAMPUS,
    carrier::CARRIER,
    viral_day::VIRAL_DAY,
    family_device::FAMILY_DEVICE,
    eager_shopper::EAGER_SHOPPER,
];
