//! Conversions as they are shown: with their history, and who shares the credit. What changes them is the intake's.

use chrono::{DateTime, Utc};
use domain::{
    AdvertiserId, AffiliateId, CampaignId, ClickId, ConversionId, LinkId, Money, Rate,
    campaign::EventKind,
    conversion::{ConversionStatus, ReversalReason},
};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// Something a visitor did that the advertiser pays for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversion {
    /// Its id.
    pub id: ConversionId,
    /// Who pays for it.
    pub advertiser_id: AdvertiserId,
    /// Under which campaign.
    pub campaign_id: CampaignId,
    /// The event's name in the campaign's list.
    pub event: String,
    /// What kind of thing it is.
    pub event_kind: EventKind,
    /// Where it is in its life.
    pub status: ConversionStatus,
    /// Why it was rejected or reversed.
    pub reason: Option<ReversalReason>,
    /// The click that brought it.
    pub click_id: Option<ClickId>,
    /// The link with the largest share of the credit.
    pub link_id: Option<LinkId>,
    /// The affiliate with the largest share of the credit.
    pub affiliate_id: Option<AffiliateId>,
    /// The advertiser's order.
    pub order_id: Option<String>,
    /// The advertiser's transaction; shown to the operator only.
    pub external_id: Option<String>,
    /// The advertiser's customer; shown to the operator only.
    pub customer_id: Option<String>,
    /// The promo code that was used.
    pub coupon: Option<String>,
    /// Where the customer bought, ISO 3166.
    pub country: Option<String>,
    /// What it was worth.
    pub amount: Money,
    /// How much of that was taken back.
    pub reversed: Money,
    /// When the customer converted.
    pub occurred_at: DateTime<Utc>,
    /// When it was first reported.
    pub received_at: DateTime<Utc>,
    /// When it last moved.
    pub updated_at: DateTime<Utc>,
}

/// Which conversions are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub id: Option<ConversionId>,
    /// Only those for which this affiliate has credit.
    pub affiliate: Option<AffiliateId>,
    /// Only this campaign's.
    pub campaign: Option<CampaignId>,
    /// Only those.
    pub status: Option<ConversionStatus>,
    /// Only what happened from this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Only what happened before this moment.
    pub before: Option<DateTime<Utc>>,
    /// Only what this affiliate's own key may see: its credit, and nothing of the customer or of other affiliates.
    pub seen_by: Option<AffiliateId>,
    /// Only those that come after it in the list.
    pub after: Option<ConversionId>,
}

/// One move of a conversion.
#[derive(Debug, Serialize, ToSchema)]
pub struct Move {
    /// Where it was; null at its beginning.
    pub from: Option<ConversionStatus>,
    /// Where it came to.
    pub to: ConversionStatus,
    /// Why it was rejected or reversed.
    pub reason: Option<ReversalReason>,
    /// What else there is to say; empty for an affiliate's own key.
    pub note: String,
    /// Who did it: `postback`, an API key, or `system`; empty for an affiliate's own key.
    pub actor: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// One touch's part of the credit.
#[derive(Debug, Serialize, ToSchema)]
pub struct Share {
    /// The attribution model that divided the credit.
    pub model: String,
    /// Whose touch it was.
    pub affiliate_id: AffiliateId,
    /// Through which link.
    pub link_id: LinkId,
    /// The click; null when a coupon stood in for it.
    pub click_id: Option<ClickId>,
    /// Its part.
    pub share: Rate,
    /// When it was.
    pub touched_at: Option<DateTime<Utc>>,
}

/// Conversions, newest first.
pub async fn list(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> sqlx::Result<Vec<Conversion>> {
    sqlx::query_as!(
        Conversion,
        r#"
        SELECT id, advertiser_id, campaign_id, event, event_kind AS "event_kind: Column<EventKind>",
               status AS "status: Column<ConversionStatus>", reason AS "reason!: Nullable<ReversalReason>",
               CASE WHEN $1::uuid IS NULL OR affiliate_id = $1 THEN click_id END AS "click_id!: Nullable<ClickId>",
               CASE WHEN $1::uuid IS NULL OR affiliate_id = $1 THEN link_id END AS "link_id!: Nullable<LinkId>",
               CASE WHEN $1::uuid IS NULL OR affiliate_id = $1 THEN affiliate_id END
                   AS "affiliate_id!: Nullable<AffiliateId>",
               order_id, CASE WHEN $1::uuid IS NULL THEN external_id END AS external_id,
               CASE WHEN $1::uuid IS NULL THEN customer_id END AS customer_id, coupon, country,
               (amount_minor, currency) AS "amount!: Column<Money>",
               (reversed_minor, currency) AS "reversed!: Column<Money>", occurred_at, received_at, updated_at
        FROM conversions
        WHERE ($1::uuid IS NULL
               OR EXISTS (SELECT FROM conversion_shares WHERE conversion_id = conversions.id AND affiliate_id = $1))
          AND ($2::uuid IS NULL OR id = $2)
          AND ($3::uuid IS NULL
               OR EXISTS (SELECT FROM conversion_shares WHERE conversion_id = conversions.id AND affiliate_id = $3))
          AND ($4::uuid IS NULL OR campaign_id = $4)
          AND ($5::text IS NULL OR status = $5)
          AND ($6::timestamptz IS NULL OR $6 <= occurred_at)
          AND ($7::timestamptz IS NULL OR occurred_at < $7)
          AND ($8::uuid IS NULL OR id < $8)
        ORDER BY id DESC
        LIMIT $9
        "#,
        wanted.seen_by.map(AffiliateId::uuid),
        wanted.id.map(ConversionId::uuid),
        wanted.affiliate.map(AffiliateId::uuid),
        wanted.campaign.map(CampaignId::uuid),
        wanted.status.map(ConversionStatus::name),
        wanted.from,
        wanted.before,
        wanted.after.map(ConversionId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// One conversion, if there is such a one that may be seen.
pub async fn find(
    db: &mut PgConnection,
    id: ConversionId,
    seen_by: Option<AffiliateId>,
) -> sqlx::Result<Option<Conversion>> {
    let wanted = Wanted { id: Some(id), seen_by, ..Wanted::default() };
    Ok(list(db, &wanted, 1).await?.pop())
}

/// Every move of a conversion, in order. An affiliate's own key sees neither who moved it nor what else there is to say: that is
/// between those who decide.
pub async fn history(
    db: &mut PgConnection,
    id: ConversionId,
    seen_by: Option<AffiliateId>,
) -> sqlx::Result<Vec<Move>> {
    sqlx::query_as!(
        Move,
        r#"
        SELECT from_status AS "from!: Nullable<ConversionStatus>", to_status AS "to: Column<ConversionStatus>",
               reason AS "reason!: Nullable<ReversalReason>", CASE WHEN $2 THEN '' ELSE note END AS "note!",
               CASE WHEN $2 THEN '' ELSE actor END AS "actor!", moved_at AS at
        FROM conversion_history
        WHERE conversion_id = $1
        ORDER BY position
        "#,
        id.uuid(),
        seen_by.is_some()
    )
    .fetch_all(db)
    .await
}

/// How the credit for a conversion was divided; an affiliate's own key sees its own part.
pub async fn shares(
    db: &mut PgConnection,
    id: ConversionId,
    seen_by: Option<AffiliateId>,
) -> sqlx::Result<Vec<Share>> {
    sqlx::query_as!(
        Share,
        r#"
        SELECT model, affiliate_id, link_id, click_id AS "click_id!: Nullable<ClickId>",
               share_ppm AS "share: Column<Rate>", touched_at
        FROM conversion_shares
        WHERE conversion_id = $1 AND ($2::uuid IS NULL OR affiliate_id = $2)
        ORDER BY position
        "#,
        id.uuid(),
        seen_by.map(AffiliateId::uuid)
    )
    .fetch_all(db)
    .await
}

/// What the report said that is not ours.
pub async fn metadata(db: &mut PgConnection, id: ConversionId) -> sqlx::Result<Option<serde_json::Value>> {
    sqlx::query_scalar!("SELECT metadata FROM conversions WHERE id = $1", id.uuid()).fetch_optional(db).await
}
