//! How columns become what the domain speaks of: ids, names, whole numbers, lists and money.
//!
//! The domain does not know the database, so `query_as!` is told here how to fill a field: `status AS "status: Column<…>"`
//! for a column that is never null, `parent_id AS "parent_id!: Nullable<…>"` for one that may be.

use std::{collections::BTreeMap, net::IpAddr};

use domain::{
    AccountId, AdvertiserId, AffiliateId, CampaignId, CaseId, ClickId, CommissionId, ConversionId, Currency,
    DeliveryId, EventId, LinkId, MaterialId, Money, PartnerPostbackId, PlanId, Rate, RateContractId,
    RateDecisionId, RecommendationId, RingId, ScoreId, SessionId, UserId,
    affiliate::{AffiliateStatus, PayoutMethod, Tier},
    attribution::RuleName,
    campaign::{CampaignStatus, EventKind, QualifyingEvent, WindowDays},
    click::Device,
    commission::{
        Rule, Trace,
        dynamic::{RateDecision, RateMode},
    },
    conversion::{CommissionStatus, CommissionWait, ConversionStatus, ReversalReason},
    event::Verdict,
    fraud::{
        cases::{Actor, AppealOutcome, CaseState, Outcome, Proposal},
        evidence::{CheckResult, FetchDestination, KeyedHash},
        graph::Kind,
    },
    ledger::AccountKind,
    material::{MaterialKind, PictureType},
    postback::{DeliveryState, Occasion},
    signature::Profile,
};
use sqlx::{
    Decode, Postgres, ValueRef,
    error::BoxDynError,
    postgres::PgValueRef,
    types::{Json, Uuid},
};

use super::imports::ImportStatus;
use crate::{pages::role::Role, scope::Scope};

/// Names that an advertiser has for our postback fields.
pub type Aliases = BTreeMap<String, String>;

/// URL parameters and their values.
pub type Params = BTreeMap<String, String>;

/// What was read from a column that is never null.
pub struct Column<T>(T);

/// What was read from a column that may be null.
pub struct Nullable<T>(Option<T>);

impl<'r, T> Decode<'r, Postgres> for Nullable<T>
where
    Column<T>: Decode<'r, Postgres>,
{
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        if value.is_null() {
            Ok(Self(None))
        } else {
            Column::decode(value).map(|column| Self(Some(column.0)))
        }
    }
}

macro_rules! columns {
    ($($raw:ty, $read:expr => [$($type:ty),+ $(,)?];)+) => {$($(
        impl<'r> Decode<'r, Postgres> for Column<$type> {
            fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
                let raw = <$raw as Decode<'r, Postgres>>::decode(value)?;
                let read: fn($raw) -> Result<$type, BoxDynError> = $read;
                read(raw).map(Self)
            }
        }

        impl From<Column<$type>> for $type {
            fn from(column: Column<$type>) -> Self {
                column.0
            }
        }

        impl From<Nullable<$type>> for Option<$type> {
            fn from(column: Nullable<$type>) -> Self {
                column.0
            }
        }
    )+)+};
}

columns! {
    Uuid, |id| Ok(id.into()) => [
        AccountId, AdvertiserId, AffiliateId, CampaignId, CaseId, ClickId, CommissionId, ConversionId, DeliveryId, EventId, LinkId,
        MaterialId, PartnerPostbackId, PlanId,
        RateContractId, RateDecisionId, RecommendationId, RingId, ScoreId, SessionId, UserId,
    ];
    &str, |name| Ok(name.parse()?) => [
        AccountKind, AffiliateStatus, AppealOutcome, CampaignStatus, CaseState, CheckResult, CommissionStatus, CommissionWait, ConversionStatus, Currency, DeliveryState, Device,
        EventKind, FetchDestination, ImportStatus, IpAddr, Kind, MaterialKind, Outcome, PayoutMethod, PictureType, Profile, RateMode, ReversalReason, Role, RuleName, Tier, Verdict,
    ];
    &[u8], |bytes| Ok(KeyedHash(bytes.try_into()?)) => [KeyedHash];
    i32, |number| Ok(number.try_into()?) => [u16];
    i32, |days| Ok(WindowDays::try_from(i64::from(days))?) => [WindowDays];
    i32, |ppm| Ok(Rate { ppm: ppm.try_into()? }) => [Rate];
    // The amount in minor units and the currency, selected as one row.
    (i64, String), |(minor, currency)| Ok(Money::new(minor, currency.parse()?)) => [Money];
    // A later release may know scopes and events that this one does not; they mean nothing here.
    Vec<String>, |names| Ok(names.iter().filter_map(|name| name.parse().ok()).collect()) => [Vec<Occasion>, Vec<Scope>];
    Json<BTreeMap<String, String>>, |json| Ok(json.0) => [BTreeMap<String, String>];
    Json<Vec<QualifyingEvent>>, |json| Ok(json.0) => [Vec<QualifyingEvent>];
    Json<Vec<Rule>>, |json| Ok(json.0) => [Vec<Rule>];
    Json<RateDecision>, |json| Ok(json.0) => [RateDecision];
    Json<Trace>, |json| Ok(json.0) => [Trace];
    Json<Actor>, |json| Ok(json.0) => [Actor];
    Json<Proposal>, |json| Ok(json.0) => [Proposal];
    Json<Vec<String>>, |json| Ok(json.0) => [Vec<String>];
}
