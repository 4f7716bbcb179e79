//! What one offer does, whoever brings it: what partners are compared with.

use domain::event::Kind;

use super::{
    CLICKS, CONVERSIONS, DAYS_7, DAYS_90, HOURS_12, HOURS_24, IMPRESSIONS, RATES, REFUNDS, Theme, VELOCITY,
    only,
};
use crate::{
    definition::{
        Aggregate::{
            Count, Distinct, Entropy, Last, Max, Mean, Min, Quantile, Ratio, ShareOf, SinceFirst, Sum,
        },
        Condition, Definition,
    },
    entity::Entity,
    field::{Category, Number},
    window::{DAY, Window},
};

const THEME: Theme = Theme { entity: Entity::Campaign, owner: "matching" };
const FRAUD: Theme = Theme { entity: Entity::Campaign, owner: "fraud" };

pub(super) fn all() -> Vec<Definition> {
    [volume(), worth(), profile(), honesty()].concat()
}

fn volume() -> Vec<Definition> {
    let clicks_first = "Whole days since a link of the offer was first clicked.";
    [
        THEME.over(&VELOCITY, "campaign_clicks", CLICKS, Count, "Clicks on links of the offer"),
        THEME.over(&VELOCITY, "campaign_conversions", CONVERSIONS, Count, "Conversions of the offer"),
        THEME.over(
            &[HOURS_24, DAYS_7, DAYS_90],
            "campaign_conversion_rate",
            CLICKS,
            Ratio(CONVERSIONS),
            "Conversions for each click on links of the offer",
        ),
        THEME.over(
            &[DAYS_90],
            "campaign_click_through_rate",
            IMPRESSIONS,
            Ratio(CLICKS),
            "Clicks for each advertisement of the offer that was shown",
        ),
        vec![THEME.past("campaign_age_days", CLICKS, Window::AllTime, SinceFirst(DAY), clicks_first)],
    ]
    .concat()
}

fn worth() -> Vec<Definition> {
    let amount = Number::Amount;
    let over = |name, aggregate, doc| THEME.over(&[DAYS_90], name, CONVERSIONS, aggregate, doc);
    let last_rate = "The rate that the offer was last changed to pay, in parts per million.";
    [
        over("campaign_amount", Sum(amount), "What the offer's conversions were worth, in minor units,"),
        over(
            "campaign_order_mean",
            Mean(amount),
            "What a conversion of the offer was worth on average, in minor units,",
        ),
        over(
            "campaign_order_least",
            Min(amount),
            "What the smallest conversion of the offer was worth, in minor units,",
        ),
        over(
            "campaign_order_most",
            Max(amount),
            "What the largest conversion of the offer was worth, in minor units,",
        ),
        over(
            "campaign_order_median",
            Quantile(amount, 500),
            "What half of the offer's conversions were worth at most",
        ),
        over(
            "campaign_order_p90",
            Quantile(amount, 900),
            "What nine tenths of the offer's conversions were worth at most",
        ),
        over(
            "campaign_refund_share",
            ShareOf(amount, REFUNDS),
            "What was given back for each unit that the offer's conversions were worth",
        ),
        vec![THEME.past("campaign_rate_ppm", RATES, Window::AllTime, Last(Number::Rate), last_rate)],
    ]
    .concat()
}

fn profile() -> Vec<Definition> {
    let mobile = only(Kind::Click, &[Condition::Is(Category::DeviceType, "mobile")]);
    let fraud = only(Kind::Review, &[Condition::Is(Category::Verdict, "fraud")]);
    let over = |name, events, aggregate, doc| THEME.over(&[DAYS_90], name, events, aggregate, doc);
    [
        over(
            "campaign_affiliates",
            CLICKS,
            Distinct(Category::Affiliate),
            "Partners whose links to the offer were clicked",
        ),
        over(
            "campaign_affiliate_entropy",
            CONVERSIONS,
            Entropy(Category::Affiliate),
            "How evenly the offer's conversions fall on partners, in bits,",
        ),
        over(
            "campaign_country_entropy",
            CLICKS,
            Entropy(Category::Country),
            "How evenly clicks on links of the offer fall on countries, in bits,",
        ),
        over(
            "campaign_mobile_share",
            CLICKS,
            Ratio(mobile),
            "Share of clicks on links of the offer that came from telephones",
        ),
        over(
            "campaign_fraud_rate",
            CONVERSIONS,
            Ratio(fraud),
            "Reviews that found fraud, for each conversion of the offer",
        ),
        over(
            "campaign_click_to_conversion_median",
            CONVERSIONS,
            Quantile(Number::ClickToConversion, 500),
            "Median of the seconds from click to conversion, of the offer's conversions",
        ),
        over(
            "campaign_customers",
            CONVERSIONS,
            Distinct(Category::Customer),
            "Customers who converted with the offer",
        ),
    ]
    .concat()
}

fn honesty() -> Vec<Definition> {
    let quick = only(Kind::Conversion, &[Condition::Below(Number::ClickToConversion, 10)]);
    let timed = only(Kind::Conversion, &[Condition::AtLeast(Number::ClickToConversion, i64::MIN)]);
    let rejected = only(Kind::StatusChange, &[Condition::Is(Category::Status, "rejected")]);
    [
        FRAUD.over(
            &[DAYS_7],
            "campaign_quick_conversion_share",
            timed,
            Ratio(quick),
            "Share of the offer's conversions that came less than 10 seconds after their click,",
        ),
        FRAUD.over(
            &[HOURS_12],
            "campaign_rejection_rate",
            CONVERSIONS,
            Ratio(rejected),
            "Rejections for each conversion of the offer",
        ),
    ]
    .concat()
}
