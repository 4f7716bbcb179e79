//! Addresses of partners that are told of their conversions.

use chrono::{DateTime, Utc};
use domain::{AffiliateId, CampaignId, PartnerPostbackId, postback::Occasion};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// An address of a partner's that is told of its conversions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartnerPostback {
    /// Its id.
    pub id: PartnerPostbackId,
    /// Whose.
    pub affiliate_id: AffiliateId,
    /// Of which campaign it is told; of all when null.
    pub campaign_id: Option<CampaignId>,
    /// The address, with macros.
    #[schema(example = "https://tracker.example/in?cid={sub1}&payout={payout}")]
    pub url: String,
    /// What it is told of.
    pub events: Vec<Occasion>,
    /// Whether what it is told is signed.
    pub signed: bool,
    /// When it was entered.
    pub created_at: DateTime<Utc>,
    /// Since when it is told nothing, because it answered that it wants no more (410).
    pub stopped_at: Option<DateTime<Utc>>,
}

/// Which addresses are looked for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub id: Option<PartnerPostbackId>,
    /// Only this affiliate's.
    pub affiliate: Option<AffiliateId>,
    /// Only what comes after it in the list.
    pub after: Option<PartnerPostbackId>,
}

/// Addresses that are not removed, newest first.
pub async fn list(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> sqlx::Result<Vec<PartnerPostback>> {
    sqlx::query_as!(
        PartnerPostback,
        r#"
        SELECT id AS "id: Column<PartnerPostbackId>", affiliate_id AS "affiliate_id: Column<AffiliateId>",
               campaign_id AS "campaign_id!: Nullable<CampaignId>", url, events AS "events: Column<Vec<Occasion>>", signed,
               created_at, stopped_at
        FROM partner_postbacks
        WHERE removed_at IS NULL
          AND ($1::uuid IS NULL OR id = $1)
          AND ($2::uuid IS NULL OR affiliate_id = $2)
          AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
        "#,
        wanted.id.map(PartnerPostbackId::uuid),
        wanted.affiliate.map(AffiliateId::uuid),
        wanted.after.map(PartnerPostbackId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// Keeps a new address.
pub async fn insert(tx: &mut PgConnection, new: &PartnerPostback) -> sqlx::Result<()> {
    let events: Vec<_> = new.events.iter().map(|event| event.name().to_owned()).collect();
    sqlx::query!(
        "
        INSERT INTO partner_postbacks (id, affiliate_id, campaign_id, url, events, signed, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ",
        new.id.uuid(),
        new.affiliate_id.uuid(),
        new.campaign_id.map(CampaignId::uuid),
        new.url,
        &events,
        new.signed,
        new.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Lets nobody remove an address before the transaction ends; false where it is removed already.
pub async fn hold(tx: &mut PgConnection, id: PartnerPostbackId) -> sqlx::Result<bool> {
    let held = sqlx::query!(
        "SELECT id FROM partner_postbacks WHERE id = $1 AND removed_at IS NULL FOR SHARE",
        id.uuid()
    );
    Ok(held.fetch_optional(tx).await?.is_some())
}

/// Tells an address nothing of what happens from now on: it was removed.
pub async fn remove(tx: &mut PgConnection, id: PartnerPostbackId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE partner_postbacks SET removed_at = $2 WHERE id = $1", id.uuid(), at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Tells an address nothing of what happens from now on: it wants no more.
pub async fn stop(tx: &mut PgConnection, id: PartnerPostbackId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE partner_postbacks SET stopped_at = $2 WHERE id = $1", id.uuid(), at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Whether any address is told anything at all.
pub async fn are_any(db: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM partner_postbacks WHERE removed_at IS NULL AND stopped_at IS NULL) AS "any!""#
    )
    .fetch_one(db)
    .await
}
