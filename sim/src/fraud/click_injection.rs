//! A click at the last moment.

use crate::{
    patterns::{Pattern, Unit, Way},
    visit::script::Referral,
};

/// An application sees that something is about to be bought or installed, and clicks first.
pub(super) const CLICK_INJECTION: Pattern = Pattern {
    name: "click_injection",
    doc: "An application on the device learns that an order is coming and sends a click up to eight seconds before it.",
    taken_for: "a returning customer who pays with one click",
    unit: Unit::Seized,
    usual: 0.01,
    ..Pattern::scheme(Way::PushesIn((0.3, 8.0), Referral::Hidden))
};
