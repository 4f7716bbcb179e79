//! What has to be read of the lake for some features: which kinds of events, how far back, and which of their columns.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use domain::event::Kind;

use crate::{
    definition::{Computed, Condition, Feature},
    entity::Entity,
    field::{Category, Number},
    lake::Told,
    reading::Input,
};

/// What is read of a kind of events.
#[derive(Debug, Default)]
struct Need {
    /// How far back the longest window reaches, in microseconds; none when it has no end.
    back_us: Option<i64>,
    columns: BTreeSet<&'static str>,
}

/// What has to be told so that some features of the past can be known at instants of `at_us`.
pub(super) fn told(features: &[Arc<Feature>], at_us: &Range<i64>) -> Vec<Told> {
    let mut needs: BTreeMap<Kind, Need> = BTreeMap::new();
    for feature in features {
        let Computed::Past(past) = &feature.computed else { continue };
        for needed in past.needs(feature.entity) {
            let need = needs.entry(needed.source).or_insert(Need { back_us: Some(0), ..Need::default() });
            let length_us = needed.window.length_us();
            need.back_us = need.back_us.zip(length_us).map(|(one, other)| one.max(other));
            need.columns.extend(of_entity(needed.entity, needed.source));
            need.columns.extend(of_input(needed.input, needed.source));
            let conditions = needed.filter.0.iter().copied();
            need.columns.extend(conditions.flat_map(|it| of_input(asked_of(it), needed.source)));
        }
    }
    let told = |(kind, need): (Kind, Need)| {
        let from_us = need.back_us.map_or(i64::MIN, |back_us| at_us.start.saturating_sub(back_us));
        Told { kind, occurred_us: from_us..at_us.end, columns: need.columns }
    };
    needs.into_iter().map(told).collect()
}

/// What a condition asks of an event.
fn asked_of(condition: Condition) -> Input {
    match condition {
        Condition::Is(category, _) | Condition::IsNot(category, _) | Condition::Has(category) => {
            Input::Category(category)
        }
        Condition::AtLeast(number, _) | Condition::Below(number, _) => Input::Number(number),
    }
}

/// The columns that say whom an event is about. A table without one of them says nothing of the kind.
fn of_entity(entity: Entity, kind: Kind) -> &'static [&'static str] {
    match entity {
        Entity::Conversion if kind == Kind::Conversion => &["id"],
        Entity::Conversion => &["conversion_id"],
        Entity::Click if kind == Kind::Click => &["id"],
        Entity::Click => &["click_id"],
        Entity::Journey => &["session_id"],
        Entity::Address => &["address_hash"],
        Entity::Device => &["device_id"],
        Entity::Affiliate => &["affiliate_id"],
        Entity::Campaign => &["campaign_id"],
        Entity::AffiliateCampaign => &["affiliate_id", "campaign_id"],
        Entity::Customer => &["advertiser_id", "customer_id"],
        Entity::Purchase => &["campaign_id", "customer_id", "device_id", "click_id", "amount_minor"],
    }
}

/// The columns that say what an event brings to a measure.
fn of_input(input: Input, kind: Kind) -> &'static [&'static str] {
    match input {
        Input::Event => &[],
        Input::Number(Number::OccurredAt) => &["occurred_at"],
        Input::Number(Number::Amount) => &["amount_minor"],
        Input::Number(Number::ClickToConversion) => &["click_id"],
        Input::Number(Number::TimeOnSite) => &["time_on_site_seconds"],
        Input::Number(Number::Rate) => &["rate_ppm"],
        Input::Category(category) => of_category(category, kind),
    }
}

fn of_category(category: Category, kind: Kind) -> &'static [&'static str] {
    match category {
        Category::Affiliate => &["affiliate_id"],
        Category::Campaign => &["campaign_id"],
        Category::Link => &["link_id"],
        Category::Journey => &["session_id"],
        Category::Address => &["address_hash"],
        Category::Network => &["network"],
        Category::Device => &["device_id"],
        Category::DeviceType => &["device"],
        Category::Country => &["country"],
        Category::UserAgent => &["user_agent"],
        Category::ReferrerHost => &["referrer"],
        Category::TrafficSource => &["source"],
        Category::Sub1 => &["sub1"],
        Category::Customer => &["customer_id"],
        Category::Email => &["email_hash"],
        Category::EmailDomain => &["email_domain"],
        Category::Coupon => &["coupon"],
        Category::ConversionKind => &["event_kind"],
        Category::Status => &["status"],
        Category::Reason => &["reason"],
        Category::Verdict => &["verdict"],
        Category::Conversion => of_entity(Entity::Conversion, kind),
        Category::HourOfDay | Category::Date => &["occurred_at"],
    }
}
