//! What comes from one address. Homes, offices and mobile networks share addresses, so that none of these numbers says
//! anything by itself.

use domain::event::Kind;

use super::{CLICKS, CONVERSIONS, DAYS_7, DAYS_90, HOUR_1, HOURS_24, Theme, VELOCITY, only};
use crate::{
    definition::{
        Aggregate::{Count, Distinct, Entropy, Quantile, Ratio, SinceLast},
        Condition, Definition,
    },
    entity::Entity,
    field::{Category, Number},
    window::SECOND,
};

const THEME: Theme = Theme { entity: Entity::Address, owner: "fraud" };

pub(super) fn all() -> Vec<Definition> {
    [velocity(), crowd(), click_to_conversion()].concat()
}

fn velocity() -> Vec<Definition> {
    let since_last = SinceLast(SECOND);
    [
        THEME.over(&VELOCITY, "ip_clicks", CLICKS, Count, "Clicks from the address"),
        THEME.over(&VELOCITY, "ip_conversions", CONVERSIONS, Count, "Conversions from the address"),
        THEME.over(
            &[HOURS_24],
            "ip_seconds_since_click",
            CLICKS,
            since_last,
            "Seconds since the latest click from the address",
        ),
    ]
    .concat()
}

fn crowd() -> Vec<Definition> {
    [
        THEME.over(
            &[HOUR_1, HOURS_24, DAYS_7],
            "ip_affiliates",
            CLICKS,
            Distinct(Category::Affiliate),
            "Partners whose links were clicked from the address",
        ),
        THEME.over(
            &[HOURS_24],
            "ip_campaigns",
            CLICKS,
            Distinct(Category::Campaign),
            "Offers whose links were clicked from the address",
        ),
        THEME.over(
            &[HOUR_1, HOURS_24, DAYS_7],
            "ip_user_agents",
            CLICKS,
            Distinct(Category::UserAgent),
            "Browsers that clicked from the address",
        ),
        THEME.over(
            &[HOUR_1, HOURS_24, DAYS_7],
            "ip_journeys",
            CLICKS,
            Distinct(Category::Journey),
            "Visits by first-party cookie that clicked from the address",
        ),
        THEME.over(
            &[DAYS_7],
            "ip_user_agent_entropy",
            CLICKS,
            Entropy(Category::UserAgent),
            "How evenly clicks from the address come from different browsers, in bits,",
        ),
        THEME.over(
            &[HOURS_24, DAYS_7],
            "ip_emails",
            CONVERSIONS,
            Distinct(Category::Email),
            "Customers' e-mail addresses in conversions from the address",
        ),
    ]
    .concat()
}

fn click_to_conversion() -> Vec<Definition> {
    let quick = only(Kind::Conversion, &[Condition::Below(Number::ClickToConversion, 10)]);
    [
        THEME.over(
            &[DAYS_7, DAYS_90],
            "ip_click_to_conversion_median",
            CONVERSIONS,
            Quantile(Number::ClickToConversion, 500),
            "Median of the seconds from click to conversion, of conversions from the address",
        ),
        THEME.over(
            &[DAYS_90],
            "ip_quick_conversion_share",
            CONVERSIONS,
            Ratio(quick),
            "Share of conversions from the address that came less than 10 seconds after their click,",
        ),
    ]
    .concat()
}
