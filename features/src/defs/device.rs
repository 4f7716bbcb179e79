//! What one device does, where a campaign asks for fingerprints.

use domain::event::Kind;

use super::{CLICKS, CONVERSIONS, DAYS_7, DAYS_90, HOURS_24, Theme, VELOCITY, only};
use crate::{
    definition::{
        Aggregate::{Count, Distinct, LeastGap, Quantile, Ratio, Repeated},
        Condition, Definition,
    },
    entity::Entity,
    field::{Category, Number},
    window::SECOND,
};

const THEME: Theme = Theme { entity: Entity::Device, owner: "fraud" };

pub(super) fn all() -> Vec<Definition> {
    [velocity(), crowd(), click_to_conversion()].concat()
}

fn velocity() -> Vec<Definition> {
    let seen_before = "Whether the device has converted before, in the last 90 days; the conversion that is being \
                       judged was told first and is the one that does not count.";
    [
        THEME.over(&VELOCITY, "device_clicks", CLICKS, Count, "Clicks by the device"),
        THEME.over(&VELOCITY, "device_conversions", CONVERSIONS, Count, "Conversions by the device"),
        vec![THEME.past("fingerprint_seen_before", CONVERSIONS, DAYS_90.window, Repeated, seen_before)],
    ]
    .concat()
}

fn crowd() -> Vec<Definition> {
    let distinct =
        |spans: &[_], name, events, category, doc| THEME.over(spans, name, events, Distinct(category), doc);
    [
        distinct(
            &[HOURS_24, DAYS_7],
            "device_affiliates",
            CLICKS,
            Category::Affiliate,
            "Partners whose links the device clicked",
        ),
        distinct(
            &[HOURS_24, DAYS_7],
            "device_addresses",
            CLICKS,
            Category::Address,
            "Addresses that the device clicked from",
        ),
        THEME.over(
            &[HOURS_24],
            "device_seconds_between_affiliates",
            CLICKS,
            LeastGap(Category::Affiliate, SECOND),
            "Least seconds between clicks of the device on links of two partners",
        ),
        distinct(
            &[HOURS_24, DAYS_90],
            "device_credited_affiliates",
            CONVERSIONS,
            Category::Affiliate,
            "Partners who were credited with conversions by the device",
        ),
        distinct(
            &[DAYS_90],
            "device_customers",
            CONVERSIONS,
            Category::Customer,
            "Customers who converted on the device",
        ),
        distinct(
            &[DAYS_90],
            "device_emails",
            CONVERSIONS,
            Category::Email,
            "Customers' e-mail addresses in conversions by the device",
        ),
    ]
    .concat()
}

fn click_to_conversion() -> Vec<Definition> {
    let quick = only(Kind::Conversion, &[Condition::Below(Number::ClickToConversion, 10)]);
    [
        THEME.over(
            &[DAYS_90],
            "device_click_to_conversion_median",
            CONVERSIONS,
            Quantile(Number::ClickToConversion, 500),
            "Median of the seconds from click to conversion, of conversions by the device",
        ),
        THEME.over(
            &[DAYS_90],
            "device_quick_conversion_share",
            CONVERSIONS,
            Ratio(quick),
            "Share of conversions by the device that came less than 10 seconds after their click,",
        ),
    ]
    .concat()
}
