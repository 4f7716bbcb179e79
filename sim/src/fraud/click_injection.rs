//! A click at the last moment.

use crate::{
    patterns::{Pattern, Unit},
    visit::script::Referral,
};

/// An application sees that something is about to be bought or installed, and clicks first.
pub(super) struct ClickInjection;

impl Pattern for ClickInjection {
    fn name(&self) -> &'static str {
        "click_injection"
    }
    fn doc(&self) -> &'static str {
        "An application on the device learns that an order is coming and sends a click up to eight seconds before it."
    }
    fn taken_for(&self) -> &'static str {
        "a returning customer who pays with one click"
    }
    fn unit(&self) -> Unit {
        Unit::Seized
    }
    fn usual(&self) -> f64 {
        0.01
    }
    fn pushes_in(&self) -> Option<((f64, f64), Referral)> {
        Some(((0.3, 8.0), Referral::Hidden))
    }
}
