//! Conversions, every move they made, and who shares the credit for them.

use std::{collections::BTreeMap, net::IpAddr};

use chrono::{DateTime, Utc};
use domain::{
    AdvertiserId, AffiliateId, CampaignId, ClickId, ConversionId, Currency, LinkId, Money, SessionId,
    campaign::EventKind,
    click::Device,
    conversion::{ConversionStatus, ReversalReason},
    fraud::evidence::{CheckResult, KeyedHash},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{
    named,
    touches::{Labels, Step},
    whole,
};
use crate::customer::Customer;

/// A conversion as far as its further life is concerned.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// Which conversion.
    pub id: ConversionId,
    /// Who pays for it.
    pub advertiser: AdvertiserId,
    /// Under which campaign.
    pub campaign: CampaignId,
    /// The event's name in the campaign's list.
    pub event: String,
    /// What kind of thing it was.
    pub kind: EventKind,
    /// Where it is in its life.
    pub status: ConversionStatus,
    /// Why it was rejected or reversed.
    pub reason: Option<ReversalReason>,
    /// What it was worth.
    pub amount: Money,
    /// How much of that was taken back.
    pub reversed: Money,
    /// When the customer converted.
    pub occurred_at: DateTime<Utc>,
    /// When it was first reported.
    pub received_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    advertiser_id: Uuid,
    campaign_id: Uuid,
    event: String,
    event_kind: String,
    status: String,
    reason: Option<String>,
    amount_minor: i64,
    reversed_minor: i64,
    currency: String,
    occurred_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
}

impl TryFrom<Row> for Conversion {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let currency: Currency = named(&row.currency)?;
        Ok(Self {
            id: row.id.into(),
            advertiser: row.advertiser_id.into(),
            campaign: row.campaign_id.into(),
            event: row.event,
            kind: named(&row.event_kind)?,
            status: named(&row.status)?,
            reason: row.reason.as_deref().map(named).transpose()?,
            amount: Money::new(row.amount_minor, currency),
            reversed: Money::new(row.reversed_minor, currency),
            occurred_at: row.occurred_at,
            received_at: row.received_at,
        })
    }
}

/// Waits until no other transaction takes in a report with the same key. Held until the end of the transaction.
pub async fn lock_key(db: &mut PgConnection, advertiser: AdvertiserId, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", waited_by(advertiser, key))
        .execute(db)
        .await?;
    Ok(())
}

/// What reports with the same key wait for each other by.
fn waited_by(advertiser: AdvertiserId, key: &str) -> String {
    format!("conversion {advertiser} {key}")
}

/// Waits until no other transaction takes in a report with that duplicate key; then the conversion that has it. Both are locked
/// until the end of the transaction.
pub async fn lock_by_key(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    key: &str,
) -> Result<Option<Conversion>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id!", advertiser_id AS "advertiser_id!", campaign_id AS "campaign_id!", event AS "event!",
                  event_kind AS "event_kind!", status AS "status!", reason, amount_minor AS "amount_minor!",
                  reversed_minor AS "reversed_minor!", currency AS "currency!", occurred_at AS "occurred_at!",
                  received_at AS "received_at!"
           FROM conversion_reported($1, $2, $3)"#,
        waited_by(advertiser, key),
        advertiser.uuid(),
        key,
    )
    .fetch_optional(db)
    .await?;
    row.map(Conversion::try_from).transpose()
}

/// The conversion of an order that was reported last, locked until the end of the transaction.
pub async fn lock_latest_of_order(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    event: &str,
    order: &str,
) -> Result<Option<Conversion>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, advertiser_id, campaign_id, event, event_kind, status, reason,
                amount_minor, reversed_minor, currency, occurred_at, received_at
         FROM conversions
         WHERE advertiser_id = $1
           AND event = $2
           AND order_id = $3
         ORDER BY received_at DESC, id DESC
         LIMIT 1
         FOR UPDATE",
        advertiser.uuid(),
        event,
        order,
    )
    .fetch_optional(db)
    .await?;
    row.map(Conversion::try_from).transpose()
}

/// The conversion of that id, locked until the end of the transaction.
pub async fn lock(db: &mut PgConnection, id: ConversionId) -> Result<Option<Conversion>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, advertiser_id, campaign_id, event, event_kind, status, reason,
                amount_minor, reversed_minor, currency, occurred_at, received_at
         FROM conversions
         WHERE id = $1
         FOR UPDATE",
        id.uuid(),
    )
    .fetch_optional(db)
    .await?;
    row.map(Conversion::try_from).transpose()
}

/// The campaign of any conversion of a click: conversions are kept longer than the clicks they name.
pub async fn campaign_of_click(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    click: ClickId,
) -> Result<Option<CampaignId>, sqlx::Error> {
    let campaign = sqlx::query_scalar!(
        "SELECT campaign_id
         FROM conversions
         WHERE click_id = $1
           AND advertiser_id = $2
         LIMIT 1",
        click.uuid(),
        advertiser.uuid(),
    )
    .fetch_optional(db)
    .await?;
    Ok(campaign.map(CampaignId::from))
}

/// What is known of a conversion beside its life, written once.
#[derive(Debug, Clone, Default)]
pub struct Particulars {
    /// The click that was reported.
    pub click: Option<ClickId>,
    /// The visit it belongs to.
    pub session: Option<SessionId>,
    /// The link with the largest share of the credit.
    pub link: Option<LinkId>,
    /// The affiliate with the largest share of the credit.
    pub affiliate: Option<AffiliateId>,
    /// The advertiser's order.
    pub order_id: Option<String>,
    /// The advertiser's transaction.
    pub external_id: Option<String>,
    /// The advertiser's customer.
    pub customer_id: Option<String>,
    /// The promo code that was used.
    pub coupon: Option<String>,
    /// Where the customer bought, ISO 3166.
    pub country: Option<String>,
    /// Who the customer was, hidden.
    pub customer: Customer,
    /// Fields of the report that are not ours.
    pub metadata: Map<String, Value>,
    /// What makes a second report a duplicate; none when every report is a conversion of its own.
    pub duplicate_key: Option<String>,
    /// The clicks that could be credited, oldest first; none where no click was reported.
    pub journey: Option<Vec<Stop>>,
}

/// A click on the way to a conversion as it is kept with it, so that models are compared without a look at clicks. It goes with
/// them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// The click.
    pub click: Uuid,
    /// Its link.
    pub link: Uuid,
    /// Whose link it is.
    pub affiliate: Uuid,
    /// When, in microseconds since 1970.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub at: DateTime<Utc>,
    /// What the affiliate says of where it comes from.
    pub source: String,
    /// What the visitor clicked on, by its name: a later release may know others.
    pub device: String,
}

impl From<&Step> for Stop {
    fn from(step: &Step) -> Self {
        Self {
            click: step.click.uuid(),
            link: step.link.uuid(),
            affiliate: step.affiliate.uuid(),
            at: step.at,
            source: step.source.clone(),
            device: step.device.clone(),
        }
    }
}

/// Stores a new conversion, which moved last at a moment.
pub async fn insert(
    db: &mut PgConnection,
    conversion: &Conversion,
    particulars: &Particulars,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let customer = &particulars.customer;
    let bytes = |hash: Option<KeyedHash>| hash.map(|hash| hash.0.to_vec());
    sqlx::query!(
        "INSERT INTO conversions
             (id, advertiser_id, campaign_id, event, event_kind, status, reason, click_id, session_id, link_id,
              affiliate_id, order_id, external_id, customer_id, coupon, country, amount_minor, reversed_minor,
              currency, metadata, duplicate_key, occurred_at, received_at, updated_at, address_hash, network, device,
              device_hash, email_hash, email_domain, account_hash, time_on_site_seconds, email_check, captcha_check,
              journey)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                 $22, $23, $34, $24, $25::text::cidr, $26, $27, $28, $29, $30, $31, $32, $33, $35)",
        conversion.id.uuid(),
        conversion.advertiser.uuid(),
        conversion.campaign.uuid(),
        conversion.event,
        conversion.kind.name(),
        conversion.status.name(),
        conversion.reason.map(ReversalReason::name),
        particulars.click.map(ClickId::uuid),
        particulars.session.map(SessionId::uuid),
        particulars.link.map(LinkId::uuid),
        particulars.affiliate.map(AffiliateId::uuid),
        particulars.order_id,
        particulars.external_id,
        particulars.customer_id,
        particulars.coupon,
        particulars.country,
        conversion.amount.minor,
        conversion.reversed.minor,
        conversion.amount.currency.code(),
        Value::Object(particulars.metadata.clone()),
        particulars.duplicate_key,
        conversion.occurred_at,
        conversion.received_at,
        bytes(customer.address_hash),
        customer.network.map(written),
        customer.device.map(Device::name),
        bytes(customer.device_hash),
        bytes(customer.email_hash),
        customer.email_domain,
        bytes(customer.account_hash),
        customer.time_on_site_seconds.map(u32::cast_signed),
        customer.email_check.map(CheckResult::name),
        customer.captcha_check.map(CheckResult::name),
        at,
        particulars.journey.as_ref().map(Json) as Option<Json<&Vec<Stop>>>,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Who the customer of a conversion was, hidden; none when there is no such conversion.
pub async fn customer(db: &mut PgConnection, id: ConversionId) -> Result<Option<Customer>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT address_hash, host(network) AS network, device, device_hash, email_hash, email_domain, account_hash,
                time_on_site_seconds, email_check, captcha_check
         FROM conversions
         WHERE id = $1",
        id.uuid(),
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Customer {
        address_hash: keyed(row.address_hash)?,
        network: row.network.as_deref().map(named).transpose()?,
        device: row.device.as_deref().map(named).transpose()?,
        device_hash: keyed(row.device_hash)?,
        email_hash: keyed(row.email_hash)?,
        email_domain: row.email_domain,
        account_hash: keyed(row.account_hash)?,
        time_on_site_seconds: row.time_on_site_seconds.map(i32::cast_unsigned),
        email_check: row.email_check.as_deref().map(named).transpose()?,
        captcha_check: row.captcha_check.as_deref().map(named).transpose()?,
    }))
}

fn keyed(bytes: Option<Vec<u8>>) -> Result<Option<KeyedHash>, sqlx::Error> {
    let hash = |bytes: Vec<u8>| <[u8; 16]>::try_from(&*bytes).map(KeyedHash);
    bytes.map(hash).transpose().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A network as the database reads it.
fn written(network: IpAddr) -> String {
    match network {
        IpAddr::V4(four) => format!("{four}/24"),
        IpAddr::V6(six) => format!("{six}/48"),
    }
}

/// Stores what changes in a conversion's life: status, reason, amount, and how much was taken back.
pub async fn save(
    db: &mut PgConnection,
    conversion: &Conversion,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE conversions
         SET status = $2, reason = $3, amount_minor = $4, reversed_minor = $5, updated_at = $6
         WHERE id = $1",
        conversion.id.uuid(),
        conversion.status.name(),
        conversion.reason.map(ReversalReason::name),
        conversion.amount.minor,
        conversion.reversed.minor,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One touch's part of the credit for a conversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The attribution model that divided the credit.
    pub model: String,
    /// The click; none when a coupon stood in for it.
    pub click: Option<ClickId>,
    /// Through which link.
    pub link: LinkId,
    /// By whom.
    pub affiliate: AffiliateId,
    /// Parts per million of the credit.
    pub ppm: u32,
    /// When.
    pub touched_at: Option<DateTime<Utc>>,
}

/// How the credit was divided, by columns.
pub(super) struct ShareColumns<'a> {
    pub models: Vec<&'a str>,
    pub clicks: Vec<Option<Uuid>>,
    pub links: Vec<Uuid>,
    pub affiliates: Vec<Uuid>,
    pub ppm: Vec<i32>,
    pub touched: Vec<Option<DateTime<Utc>>>,
    /// Lists of texts, which may be of different lengths.
    pub subs: Vec<Value>,
    pub materials: Vec<Option<&'a str>>,
}

impl<'a> ShareColumns<'a> {
    pub fn of(shares: &'a [Share], labels: &'a BTreeMap<ClickId, Labels>) -> Self {
        let carried: Vec<_> = shares.iter().map(|share| labels.get(&share.click?)).collect();
        Self {
            models: shares.iter().map(|share| share.model.as_str()).collect(),
            clicks: shares.iter().map(|share| share.click.map(ClickId::uuid)).collect(),
            links: shares.iter().map(|share| share.link.uuid()).collect(),
            affiliates: shares.iter().map(|share| share.affiliate.uuid()).collect(),
            ppm: shares.iter().map(|share| i32::try_from(share.ppm).unwrap_or(i32::MAX)).collect(),
            touched: shares.iter().map(|share| share.touched_at).collect(),
            subs: carried.iter().map(|it| it.map_or_else(|| json!([]), |it| json!(it.subs))).collect(),
            materials: carried.iter().map(|it| it.and_then(|it| it.material.as_deref())).collect(),
        }
    }
}

/// How the credit was divided.
pub async fn shares(db: &mut PgConnection, conversion: ConversionId) -> Result<Vec<Share>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT model, click_id, link_id, affiliate_id, share_ppm, touched_at
         FROM conversion_shares
         WHERE conversion_id = $1
         ORDER BY position",
        conversion.uuid(),
    )
    .fetch_all(db)
    .await?;
    let read = rows.into_iter().map(|row| {
        Ok(Share {
            model: row.model,
            click: row.click_id.map(ClickId::from),
            link: row.link_id.into(),
            affiliate: row.affiliate_id.into(),
            ppm: whole(row.share_ppm)?,
            touched_at: row.touched_at,
        })
    });
    read.collect()
}

/// Counts one more conversion of a link.
pub async fn count_for_link(db: &mut PgConnection, link: LinkId) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE links SET conversions = conversions + 1 WHERE id = $1", link.uuid())
        .execute(db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journey_is_read_as_it_was_first_kept() {
        let kept = r#"[{"click": "019c1a3e-8c00-7000-8000-000000000001", "link": "019c1a3e-8c00-7000-8000-000000000002",
                        "affiliate": "019c1a3e-8c00-7000-8000-000000000003", "at": 1769947200000000, "source": "shelf",
                        "device": "mobile"}]"#;
        let read: Vec<Stop> = serde_json::from_str(kept).unwrap();
        assert_eq!(read[0].at, DateTime::from_timestamp(1_769_947_200, 0).unwrap());
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::from_str::<Value>(kept).unwrap());
    }
}
