//! How recently, how often and for how much one customer buys (RFM; A. M. Hughes, «Strategic Database Marketing»,
//! 1994), and who brings them.

use domain::event::Kind;

use super::{CONVERSIONS, DAYS_30, DAYS_90, DAYS_365, REFUNDS, Theme, only};
use crate::{
    definition::{
        Aggregate::{Count, Distinct, Last, Max, Mean, Ratio, ShareOf, SinceFirst, SinceLast, Sum},
        Condition, Definition,
    },
    entity::Entity,
    field::{Category, Number},
    window::DAY,
};

const THEME: Theme = Theme { entity: Entity::Customer, owner: "customer value" };

pub(super) fn all() -> Vec<Definition> {
    [recency_and_frequency(), worth(), ways()].concat()
}

fn recency_and_frequency() -> Vec<Definition> {
    let over = |name, aggregate, doc| THEME.over(&[DAYS_365], name, CONVERSIONS, aggregate, doc);
    [
        over(
            "customer_days_since_order",
            SinceLast(DAY),
            "Whole days since the customer's latest conversion",
        ),
        THEME.over(
            &[DAYS_30, DAYS_90, DAYS_365],
            "customer_orders",
            CONVERSIONS,
            Count,
            "Conversions by the customer",
        ),
        over(
            "customer_days_since_first_order",
            SinceFirst(DAY),
            "Whole days since the customer's first conversion",
        ),
        over("customer_active_days", Distinct(Category::Date), "Days in UTC on which the customer converted"),
        THEME.over(&[DAYS_365], "customer_refunds", REFUNDS, Count, "Refunds to the customer"),
    ]
    .concat()
}

fn worth() -> Vec<Definition> {
    let over = |name, aggregate, doc| THEME.over(&[DAYS_365], name, CONVERSIONS, aggregate, doc);
    [
        THEME.over(
            &[DAYS_90, DAYS_365],
            "customer_amount",
            CONVERSIONS,
            Sum(Number::Amount),
            "What the customer's conversions were worth, in minor units,",
        ),
        over(
            "customer_order_mean",
            Mean(Number::Amount),
            "What a conversion by the customer was worth on average, in minor units,",
        ),
        over(
            "customer_order_most",
            Max(Number::Amount),
            "What the customer's largest conversion was worth, in minor units,",
        ),
        over(
            "customer_last_order",
            Last(Number::Amount),
            "What the customer's latest conversion was worth, in minor units,",
        ),
        over(
            "customer_refund_share",
            ShareOf(Number::Amount, REFUNDS),
            "What was given back for each unit that the customer's conversions were worth",
        ),
    ]
    .concat()
}

fn ways() -> Vec<Definition> {
    let with_coupon = only(Kind::Conversion, &[Condition::Has(Category::Coupon)]);
    let over = |name, aggregate, doc| THEME.over(&[DAYS_365], name, CONVERSIONS, aggregate, doc);
    [
        over(
            "customer_coupon_share",
            Ratio(with_coupon),
            "Share of the customer's conversions that used a coupon",
        ),
        over(
            "customer_affiliates",
            Distinct(Category::Affiliate),
            "Partners who were credited with the customer's conversions",
        ),
    ]
    .concat()
}
