//! The touches of one visitor, from which credit is attributed.

use super::{CLICKS, CONVERSIONS, DAYS_30, HOURS_24, IMPRESSIONS, Theme};
use crate::{
    definition::{
        Aggregate::{Count, Distinct, Entropy, LeastGap, Rate, SinceFirst, SinceLast},
        Definition,
    },
    entity::Entity,
    field::Category,
    window::{DAY, SECOND},
};

const THEME: Theme = Theme { entity: Entity::Journey, owner: "attribution" };

pub(super) fn all() -> Vec<Definition> {
    [touches(), variety()].concat()
}

fn touches() -> Vec<Definition> {
    let over = |span, name, events, aggregate, doc| THEME.over(&[span], name, events, aggregate, doc);
    [
        over(DAYS_30, "journey_clicks", CLICKS, Count, "Clicks by the visitor"),
        over(HOURS_24, "journey_clicks", CLICKS, Count, "Clicks by the visitor"),
        over(DAYS_30, "journey_impressions", IMPRESSIONS, Count, "Advertisements that the visitor was shown"),
        over(DAYS_30, "journey_conversions", CONVERSIONS, Count, "Conversions by the visitor"),
        over(
            DAYS_30,
            "journey_clicks_per_day",
            CLICKS,
            Rate(DAY),
            "Clicks by the visitor in a day, on average,",
        ),
        over(
            DAYS_30,
            "journey_seconds_since_first_click",
            CLICKS,
            SinceFirst(SECOND),
            "Seconds since the visitor's first click",
        ),
        over(
            DAYS_30,
            "journey_seconds_since_last_click",
            CLICKS,
            SinceLast(SECOND),
            "Seconds since the visitor's latest click",
        ),
        over(
            DAYS_30,
            "journey_seconds_between_links",
            CLICKS,
            LeastGap(Category::Link, SECOND),
            "Least seconds between clicks of the visitor on two links",
        ),
        over(
            DAYS_30,
            "journey_seconds_since_last_impression",
            IMPRESSIONS,
            SinceLast(SECOND),
            "Seconds since the visitor was last shown an advertisement",
        ),
    ]
    .concat()
}

fn variety() -> Vec<Definition> {
    let over = |span, name, events, aggregate, doc| THEME.over(&[span], name, events, aggregate, doc);
    let affiliate_entropy = "How evenly the visitor's clicks fall on different partners, in bits,";
    [
        over(
            DAYS_30,
            "journey_affiliates",
            CLICKS,
            Distinct(Category::Affiliate),
            "Partners whose links the visitor clicked",
        ),
        over(
            DAYS_30,
            "journey_campaigns",
            CLICKS,
            Distinct(Category::Campaign),
            "Offers whose links the visitor clicked",
        ),
        over(
            DAYS_30,
            "journey_traffic_sources",
            CLICKS,
            Distinct(Category::TrafficSource),
            "Traffic sources that the visitor's clicks came from",
        ),
        over(
            DAYS_30,
            "journey_device_types",
            CLICKS,
            Distinct(Category::DeviceType),
            "Kinds of machine that the visitor clicked on",
        ),
        over(
            DAYS_30,
            "journey_days",
            CLICKS,
            Distinct(Category::Date),
            "Days in UTC on which the visitor clicked",
        ),
        over(DAYS_30, "journey_affiliate_entropy", CLICKS, Entropy(Category::Affiliate), affiliate_entropy),
    ]
    .concat()
}
