//! What one partner does: how much, how well, how steadily, how honestly, and for what kind of audience.

use domain::event::Kind;

use super::{
    CLICKS, CONVERSIONS, DAYS_7, DAYS_90, DAYS_365, HOURS_12, HOURS_24, IMPRESSIONS, REFUNDS, Theme,
    VELOCITY, only,
};
use crate::{
    definition::{
        Aggregate::{Count, Distinct, Entropy, Mean, Quantile, Ratio, ShareOf, SinceFirst, SinceLast, Sum},
        Condition, Definition,
    },
    entity::Entity,
    field::{Category, Number},
    window::{DAY, Period, SECOND, Window},
};

const FRAUD: Theme = Theme { entity: Entity::Affiliate, owner: "fraud" };
const VALUE: Theme = Theme { entity: Entity::Affiliate, owner: "partner value" };

pub(super) fn all() -> Vec<Definition> {
    [velocity(), honesty(), engagement(), click_to_conversion(), rates(), worth(), steadiness(), audience()]
        .concat()
}

fn velocity() -> Vec<Definition> {
    let today = Window::Calendar(Period::Day);
    let month = Window::Calendar(Period::Month);
    [
        FRAUD.over(&VELOCITY, "affiliate_clicks", CLICKS, Count, "Clicks on the partner's links"),
        FRAUD.over(
            &VELOCITY,
            "affiliate_conversions",
            CONVERSIONS,
            Count,
            "Conversions that the partner was credited with",
        ),
        FRAUD.over(
            &[HOURS_12],
            "affiliate_conversions",
            CONVERSIONS,
            Count,
            "Conversions that the partner was credited with",
        ),
        FRAUD.over(
            &[HOURS_24, DAYS_7],
            "affiliate_addresses",
            CLICKS,
            Distinct(Category::Address),
            "Addresses that the partner's links were clicked from",
        ),
        FRAUD.over(
            &[HOURS_24, DAYS_7],
            "affiliate_networks",
            CLICKS,
            Distinct(Category::Network),
            "Networks that the partner's links were clicked from",
        ),
        vec![
            FRAUD.past(
                "affiliate_clicks_today",
                CLICKS,
                today,
                Count,
                "Clicks on the partner's links on this day, in UTC.",
            ),
            VALUE.past(
                "affiliate_conversions_this_month",
                CONVERSIONS,
                month,
                Count,
                "Conversions that the partner was credited with in this month, in UTC.",
            ),
        ],
    ]
    .concat()
}

fn honesty() -> Vec<Definition> {
    let fraud = only(Kind::Review, &[Condition::Is(Category::Verdict, "fraud")]);
    let reviews = only(Kind::Review, &[]);
    let rejected = only(Kind::StatusChange, &[Condition::Is(Category::Status, "rejected")]);
    let from_a_page = only(Kind::Click, &[Condition::Has(Category::ReferrerHost)]);
    let past = |name, events, aggregate, doc| FRAUD.past(name, events, DAYS_90.window, aggregate, doc);
    vec![
        past(
            "affiliate_fraud_rate",
            CONVERSIONS,
            Ratio(fraud),
            "Reviews that found fraud, for each conversion that the partner was credited with in the last 90 days.",
        ),
        past(
            "affiliate_fraud_share_of_reviews_90d",
            reviews,
            Ratio(fraud),
            "Share of the partner's conversions that were looked at in the last 90 days and found to be fraud.",
        ),
        past(
            "affiliate_rejection_rate_90d",
            CONVERSIONS,
            Ratio(rejected),
            "Rejections for each conversion that the partner was credited with in the last 90 days.",
        ),
        FRAUD.past(
            "affiliate_rejections_12h",
            rejected,
            HOURS_12.window,
            Count,
            "Rejections of the partner's conversions in the last 12 hours.",
        ),
        past(
            "affiliate_refund_share_90d",
            CONVERSIONS,
            ShareOf(Number::Amount, REFUNDS),
            "What was given back for each unit that the partner's conversions were worth in the last 90 days.",
        ),
        past(
            "affiliate_referrer_share_90d",
            CLICKS,
            Ratio(from_a_page),
            "Share of clicks on the partner's links that say which page they came from, in the last 90 days.",
        ),
        FRAUD.past(
            "affiliate_hour_entropy_7d",
            CLICKS,
            DAYS_7.window,
            Entropy(Category::HourOfDay),
            "How evenly clicks on the partner's links fall on the hours of the day, in bits, in the last 7 days.",
        ),
        FRAUD.past(
            "affiliate_address_entropy_24h",
            CLICKS,
            HOURS_24.window,
            Entropy(Category::Address),
            "How evenly clicks on the partner's links fall on addresses, in bits, in the last 24 hours.",
        ),
    ]
}

fn engagement() -> Vec<Definition> {
    let timed = only(Kind::Conversion, &[Condition::AtLeast(Number::TimeOnSite, 0)]);
    let idle = only(Kind::Conversion, &[Condition::Below(Number::TimeOnSite, 1)]);
    let week = DAYS_7.window;
    vec![
        FRAUD.past(
            "affiliate_timed_conversions_7d",
            timed,
            week,
            Count,
            "Conversions of the partner whose page told a time on site, in the last 7 days.",
        ),
        FRAUD.past(
            "affiliate_idle_conversion_share_7d",
            timed,
            week,
            Ratio(idle),
            "Share of them in which nobody was on the site for a second, in the last 7 days.",
        ),
    ]
}

fn click_to_conversion() -> Vec<Definition> {
    let quick = only(Kind::Conversion, &[Condition::Below(Number::ClickToConversion, 10)]);
    let slow = only(Kind::Conversion, &[Condition::AtLeast(Number::ClickToConversion, 86_400)]);
    let timed = only(Kind::Conversion, &[Condition::AtLeast(Number::ClickToConversion, i64::MIN)]);
    let spans = [DAYS_7, DAYS_90];
    let quantile = |name, thousandths, doc| {
        FRAUD.over(&spans, name, CONVERSIONS, Quantile(Number::ClickToConversion, thousandths), doc)
    };
    [
        quantile(
            "affiliate_click_to_conversion_p10",
            100,
            "The seconds from click to conversion that a tenth of the partner's conversions took at most,",
        ),
        quantile(
            "affiliate_click_to_conversion_median",
            500,
            "Median of the seconds from click to conversion, of the partner's conversions",
        ),
        quantile(
            "affiliate_click_to_conversion_p90",
            900,
            "The seconds from click to conversion that nine tenths of the partner's conversions took at most,",
        ),
        FRAUD.over(
            &spans,
            "affiliate_quick_conversion_share",
            timed,
            Ratio(quick),
            "Share of the partner's conversions that came less than 10 seconds after their click, as injected clicks do,",
        ),
        FRAUD.over(
            &spans,
            "affiliate_slow_conversion_share",
            timed,
            Ratio(slow),
            "Share of the partner's conversions that came a day or more after their click, as flooded clicks do,",
        ),
    ]
    .concat()
}

fn rates() -> Vec<Definition> {
    let first_seen = "Whole days since the partner's links were first clicked.";
    [
        vec![
            VALUE.past("affiliate_age_days", CLICKS, Window::AllTime, SinceFirst(DAY), first_seen),
            VALUE.past(
                "affiliate_conversion_rate",
                CLICKS,
                DAYS_90.window,
                Ratio(CONVERSIONS),
                "Conversions for each click on the partner's links in the last 90 days.",
            )
            .null_after(30 * DAY),
            VALUE.past(
                "affiliate_click_through_rate_90d",
                IMPRESSIONS,
                DAYS_90.window,
                Ratio(CLICKS),
                "Clicks for each advertisement shown by the partner in the last 90 days: how well the content fits.",
            ),
        ],
        VALUE.over(
            &[HOURS_24, DAYS_7],
            "affiliate_conversion_rate",
            CLICKS,
            Ratio(CONVERSIONS),
            "Conversions for each click on the partner's links",
        ),
    ]
    .concat()
}

fn worth() -> Vec<Definition> {
    let recurring = only(Kind::Conversion, &[Condition::Is(Category::ConversionKind, "recurring")]);
    [
        VALUE.over(
            &[DAYS_90, DAYS_365],
            "affiliate_amount",
            CONVERSIONS,
            Sum(Number::Amount),
            "What the partner's conversions were worth, in minor units,",
        ),
        VALUE.over(
            &[DAYS_90],
            "affiliate_order_mean",
            CONVERSIONS,
            Mean(Number::Amount),
            "What one of the partner's conversions was worth on average, in minor units,",
        ),
        VALUE.over(
            &[DAYS_365],
            "affiliate_customers",
            CONVERSIONS,
            Distinct(Category::Customer),
            "Customers whom the partner referred: with the amount of that time, the value of one of them,",
        ),
        VALUE.over(
            &[DAYS_365],
            "affiliate_recurring_share",
            CONVERSIONS,
            Ratio(recurring),
            "Share of the partner's conversions that are renewals",
        ),
    ]
    .concat()
}

fn steadiness() -> Vec<Definition> {
    [
        VALUE.over(
            &[DAYS_90],
            "affiliate_day_entropy",
            CONVERSIONS,
            Entropy(Category::Date),
            "How evenly the partner's conversions fall on days, in bits: steadiness,",
        ),
        VALUE.over(
            &[DAYS_90],
            "affiliate_active_days",
            CONVERSIONS,
            Distinct(Category::Date),
            "Days in UTC with a conversion of the partner's",
        ),
        VALUE.over(
            &[DAYS_90],
            "affiliate_seconds_since_conversion",
            CONVERSIONS,
            SinceLast(SECOND),
            "Seconds since the partner's latest conversion",
        ),
    ]
    .concat()
}

fn audience() -> Vec<Definition> {
    let mobile = only(Kind::Click, &[Condition::Is(Category::DeviceType, "mobile")]);
    let over = |name, aggregate, doc| VALUE.over(&[DAYS_90], name, CLICKS, aggregate, doc);
    [
        over(
            "affiliate_traffic_sources",
            Distinct(Category::TrafficSource),
            "Traffic sources that the partner names",
        ),
        over(
            "affiliate_traffic_source_entropy",
            Entropy(Category::TrafficSource),
            "How evenly clicks on the partner's links fall on the traffic sources named, in bits,",
        ),
        over(
            "affiliate_referrer_hosts",
            Distinct(Category::ReferrerHost),
            "Sites that clicks on the partner's links came from",
        ),
        over(
            "affiliate_countries",
            Distinct(Category::Country),
            "Countries that the partner's links were clicked from",
        ),
        over(
            "affiliate_country_entropy",
            Entropy(Category::Country),
            "How evenly clicks on the partner's links fall on countries, in bits,",
        ),
        over(
            "affiliate_mobile_share",
            Ratio(mobile),
            "Share of clicks on the partner's links that came from telephones",
        ),
        over(
            "affiliate_campaigns",
            Distinct(Category::Campaign),
            "Offers whose links by the partner were clicked",
        ),
    ]
    .concat()
}
