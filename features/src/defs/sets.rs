//! The vectors that models take, each named, versioned and in order.

use std::sync::LazyLock;

use domain::fraud::{Evidence, evidence::Origin};

use super::ALL;
use crate::set::FeatureSet;

/// Every feature set.
pub static SETS: LazyLock<Vec<FeatureSet>> = LazyLock::new(|| {
    let lists: [(&str, u32, &[&str]); 5] = [
        ("fraud", 1, &FRAUD),
        ("affiliate_value", 1, &AFFILIATE_VALUE),
        ("journey", 1, &JOURNEY),
        ("match", 1, &MATCH),
        ("customer_value", 1, &CUSTOMER_VALUE),
    ];
    let set = |(name, version, names)| {
        let set = FeatureSet::new(name, version, names, &ALL);
        set.unwrap_or_else(|error| unreachable!("a test makes every set: {error}"))
    };
    lists.into_iter().chain([("rules", 2, &*evidence())]).map(set).collect()
});

/// What rules of fraud read of features, in the order of [`Evidence::FIELDS`].
fn evidence() -> Vec<&'static str> {
    let feature = |origin| if let Origin::Feature(name) = origin { Some(name) } else { None };
    Evidence::FIELDS.iter().filter_map(|field| feature(field.origin)).collect()
}

/// A conversion, judged: the fourteen that were asked for, and 36 more that fraud shows in.
const FRAUD: [&str; 50] = [
    "click_to_conversion_seconds",
    "hour_of_day",
    "day_of_week",
    "ip_country_match",
    "ip_clicks_24h",
    "ip_conversions_24h",
    "is_mobile",
    "has_fingerprint",
    "fingerprint_seen_before",
    "affiliate_conversion_rate",
    "affiliate_fraud_rate",
    "affiliate_age_days",
    "email_domain_free",
    "email_domain_disposable",
    "same_device_as_click",
    "same_address_as_click",
    "amount",
    "has_coupon",
    "ip_clicks_1h",
    "ip_conversions_7d",
    "ip_affiliates_24h",
    "ip_user_agents_24h",
    "ip_journeys_24h",
    "ip_emails_24h",
    "ip_click_to_conversion_median_7d",
    "ip_quick_conversion_share_90d",
    "device_clicks_24h",
    "device_conversions_24h",
    "device_conversions_90d",
    "device_affiliates_24h",
    "device_addresses_24h",
    "device_customers_90d",
    "device_emails_90d",
    "journey_clicks_30d",
    "journey_affiliates_30d",
    "journey_conversions_30d",
    "journey_seconds_since_first_click_30d",
    "affiliate_clicks_1h",
    "affiliate_clicks_24h",
    "affiliate_conversions_24h",
    "affiliate_conversion_rate_24h",
    "affiliate_addresses_24h",
    "affiliate_hour_entropy_7d",
    "affiliate_click_to_conversion_p10_7d",
    "affiliate_click_to_conversion_median_7d",
    "affiliate_quick_conversion_share_7d",
    "affiliate_slow_conversion_share_7d",
    "affiliate_rejection_rate_90d",
    "campaign_conversion_rate_7d",
    "campaign_order_median_90d",
];

/// What a partner is worth.
const AFFILIATE_VALUE: [&str; 20] = [
    "affiliate_conversion_rate",
    "affiliate_amount_365d",
    "affiliate_customers_365d",
    "affiliate_recurring_share_365d",
    "affiliate_day_entropy_90d",
    "affiliate_active_days_90d",
    "affiliate_click_through_rate_90d",
    "affiliate_fraud_rate",
    "affiliate_age_days",
    "affiliate_amount_90d",
    "affiliate_order_mean_90d",
    "affiliate_refund_share_90d",
    "affiliate_rejection_rate_90d",
    "affiliate_seconds_since_conversion_90d",
    "affiliate_traffic_sources_90d",
    "affiliate_traffic_source_entropy_90d",
    "affiliate_referrer_hosts_90d",
    "affiliate_country_entropy_90d",
    "affiliate_mobile_share_90d",
    "affiliate_campaigns_90d",
];

/// How a visitor came to convert.
const JOURNEY: [&str; 12] = [
    "journey_clicks_30d",
    "journey_clicks_24h",
    "journey_impressions_30d",
    "journey_conversions_30d",
    "journey_affiliates_30d",
    "journey_campaigns_30d",
    "journey_traffic_sources_30d",
    "journey_device_types_30d",
    "journey_days_30d",
    "journey_affiliate_entropy_30d",
    "journey_seconds_since_first_click_30d",
    "journey_seconds_since_last_click_30d",
];

/// How a partner and an offer fit.
const MATCH: [&str; 22] = [
    "affiliate_traffic_sources_90d",
    "affiliate_traffic_source_entropy_90d",
    "affiliate_referrer_hosts_90d",
    "affiliate_countries_90d",
    "affiliate_country_entropy_90d",
    "affiliate_mobile_share_90d",
    "affiliate_conversion_rate",
    "affiliate_amount_90d",
    "affiliate_fraud_rate",
    "affiliate_day_entropy_90d",
    "affiliate_campaigns_90d",
    "campaign_clicks_90d",
    "campaign_conversion_rate_90d",
    "campaign_order_median_90d",
    "campaign_country_entropy_90d",
    "campaign_mobile_share_90d",
    "campaign_affiliates_90d",
    "campaign_refund_share_90d",
    "campaign_rate_ppm",
    "pair_clicks_90d",
    "pair_conversion_rate_90d",
    "pair_amount_90d",
];

/// What a customer will be worth.
const CUSTOMER_VALUE: [&str; 15] = [
    "customer_days_since_order_365d",
    "customer_orders_30d",
    "customer_orders_90d",
    "customer_orders_365d",
    "customer_amount_90d",
    "customer_amount_365d",
    "customer_days_since_first_order_365d",
    "customer_order_mean_365d",
    "customer_order_most_365d",
    "customer_last_order_365d",
    "customer_coupon_share_365d",
    "customer_affiliates_365d",
    "customer_active_days_365d",
    "customer_refund_share_365d",
    "customer_refunds_365d",
];
