//! What one partner does for one offer.

use domain::event::Kind;

use super::{CLICKS, CONVERSIONS, DAYS_7, DAYS_90, HOURS_24, RATES, REFUNDS, Theme, only};
use crate::{
    definition::{
        Aggregate::{Count, Last, Mean, Quantile, Ratio, ShareOf, SinceFirst, SinceLast, Sum},
        Condition, Definition,
    },
    entity::Entity,
    field::{Category, Number},
    window::{DAY, Period, SECOND, Window},
};

const THEME: Theme = Theme { entity: Entity::AffiliateCampaign, owner: "matching" };

pub(super) fn all() -> Vec<Definition> {
    [volume(), since(), worth()].concat()
}

fn volume() -> Vec<Definition> {
    let spans = [HOURS_24, DAYS_7, DAYS_90];
    [
        THEME.over(&spans, "pair_clicks", CLICKS, Count, "Clicks on the partner's links to the offer"),
        THEME.over(
            &spans,
            "pair_conversions",
            CONVERSIONS,
            Count,
            "Conversions that the partner brought the offer",
        ),
        THEME.over(
            &spans,
            "pair_conversion_rate",
            CLICKS,
            Ratio(CONVERSIONS),
            "Conversions for each click on the partner's links to the offer",
        ),
    ]
    .concat()
}

fn since() -> Vec<Definition> {
    let past = |name, events, window, aggregate, doc| THEME.past(name, events, window, aggregate, doc);
    vec![
        past(
            "pair_clicks_this_week",
            CLICKS,
            Window::Calendar(Period::Week),
            Count,
            "Clicks on the partner's links to the offer since Monday, in UTC.",
        ),
        past(
            "pair_conversions_this_month",
            CONVERSIONS,
            Window::Calendar(Period::Month),
            Count,
            "Conversions that the partner brought the offer in this month, in UTC.",
        ),
        past(
            "pair_age_days",
            CLICKS,
            Window::AllTime,
            SinceFirst(DAY),
            "Whole days since the partner's links to the offer were first clicked.",
        ),
        past(
            "pair_rate_ppm",
            RATES,
            Window::AllTime,
            Last(Number::Rate),
            "The partner's own rate for the offer as it was last changed, in parts per million.",
        ),
    ]
}

fn worth() -> Vec<Definition> {
    let fraud = only(Kind::Review, &[Condition::Is(Category::Verdict, "fraud")]);
    let over = |name, aggregate, doc| THEME.over(&[DAYS_90], name, CONVERSIONS, aggregate, doc);
    [
        over(
            "pair_amount",
            Sum(Number::Amount),
            "What the partner's conversions of the offer were worth, in minor units,",
        ),
        over(
            "pair_order_mean",
            Mean(Number::Amount),
            "What one of them was worth on average, in minor units,",
        ),
        over(
            "pair_refund_share",
            ShareOf(Number::Amount, REFUNDS),
            "What was given back for each unit that they were worth",
        ),
        over("pair_fraud_rate", Ratio(fraud), "Reviews that found fraud, for each of them"),
        over(
            "pair_click_to_conversion_median",
            Quantile(Number::ClickToConversion, 500),
            "Median of the seconds from click to conversion, of the partner's conversions of the offer",
        ),
        over(
            "pair_seconds_since_conversion",
            SinceLast(SECOND),
            "Seconds since the partner's latest conversion of the offer",
        ),
    ]
    .concat()
}
