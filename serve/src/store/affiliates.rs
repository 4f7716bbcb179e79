//! Affiliates as they are kept.

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId,
    affiliate::{AffiliateStatus, PayoutMethod},
    fraud::evidence::KeyedHash,
};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// A partner who sends visitors.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Affiliate {
    /// Its id.
    pub id: AffiliateId,
    /// What it is called.
    pub name: String,
    /// Where it is written to.
    pub email: String,
    /// Where it stands with the program.
    pub status: AffiliateStatus,
    /// Who recruited it.
    pub parent_id: Option<AffiliateId>,
    /// Where it publishes.
    pub website: Option<String>,
    /// Where its visitors come from: search, social, mail, …
    pub traffic_source: Option<String>,
    /// What it publishes: reviews, coupons, videos, …
    pub content_type: Option<String>,
    /// ISO 3166 code of where it is.
    pub country: Option<String>,
    /// How it is paid.
    pub payout_method: Option<PayoutMethod>,
    /// The account it is paid to, by its keyed hash.
    #[serde(skip)]
    pub payout_account_hash: Option<KeyedHash>,
    /// The last characters of that account.
    pub payout_account_end: Option<String>,
    /// Whether it may advertise in search engines under the advertiser's name, where somebody said.
    pub search_licence: Option<bool>,
    /// When it applied.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Which affiliates are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub id: Option<AffiliateId>,
    /// Only those.
    pub status: Option<AffiliateStatus>,
    /// Only what this affiliate's own key may see.
    pub seen_by: Option<AffiliateId>,
    /// Only those that come after it in the list.
    pub after: Option<AffiliateId>,
}

/// Adds an affiliate.
pub async fn insert(tx: &mut PgConnection, affiliate: &Affiliate) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO affiliates (
            id, name, email, status, parent_id, website, traffic_source, content_type, country, payout_method,
            created_at, updated_at, payout_account_hash, payout_account_end, search_licence
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ",
        affiliate.id.uuid(),
        affiliate.name,
        affiliate.email,
        affiliate.status.name(),
        affiliate.parent_id.map(AffiliateId::uuid),
        affiliate.website,
        affiliate.traffic_source,
        affiliate.content_type,
        affiliate.country,
        affiliate.payout_method.map(PayoutMethod::name),
        affiliate.created_at,
        affiliate.updated_at,
        affiliate.payout_account_hash.as_ref().map(|hash| &hash.0[..]),
        affiliate.payout_account_end,
        affiliate.search_licence
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Affiliates, newest first.
pub async fn list(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> sqlx::Result<Vec<Affiliate>> {
    sqlx::query_as!(
        Affiliate,
        r#"
        SELECT id, name, email, status AS "status: Column<AffiliateStatus>",
               parent_id AS "parent_id!: Nullable<AffiliateId>", website, traffic_source, content_type, country,
               payout_method AS "payout_method!: Nullable<PayoutMethod>",
               payout_account_hash AS "payout_account_hash!: Nullable<KeyedHash>", payout_account_end, search_licence,
               created_at, updated_at
        FROM affiliates
        WHERE ($1::uuid IS NULL OR id = $1)
          AND ($2::text IS NULL OR status = $2)
          AND ($3::uuid IS NULL OR id = $3)
          AND ($4::uuid IS NULL OR id < $4)
        ORDER BY id DESC
        LIMIT $5
        "#,
        wanted.id.map(AffiliateId::uuid),
        wanted.status.map(AffiliateStatus::name),
        wanted.seen_by.map(AffiliateId::uuid),
        wanted.after.map(AffiliateId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// One affiliate, if there is such a one that may be seen.
pub async fn find(
    db: &mut PgConnection,
    id: AffiliateId,
    seen_by: Option<AffiliateId>,
) -> sqlx::Result<Option<Affiliate>> {
    let wanted = Wanted { id: Some(id), seen_by, ..Wanted::default() };
    Ok(list(db, &wanted, 1).await?.pop())
}

/// One affiliate, which nobody else changes until the transaction ends.
pub async fn lock(tx: &mut PgConnection, id: AffiliateId) -> sqlx::Result<Option<Affiliate>> {
    sqlx::query!("SELECT id FROM affiliates WHERE id = $1 FOR NO KEY UPDATE", id.uuid())
        .fetch_optional(&mut *tx)
        .await?;
    find(tx, id, None).await
}

/// Stores a change; the place in the hierarchy is changed by [`super::hierarchy`] alone.
pub async fn update(tx: &mut PgConnection, affiliate: &Affiliate) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE affiliates
        SET name = $2, email = $3, status = $4, website = $5, traffic_source = $6, content_type = $7, country = $8,
            payout_method = $9, updated_at = $10, payout_account_hash = $11, payout_account_end = $12,
            search_licence = $13
        WHERE id = $1
        ",
        affiliate.id.uuid(),
        affiliate.name,
        affiliate.email,
        affiliate.status.name(),
        affiliate.website,
        affiliate.traffic_source,
        affiliate.content_type,
        affiliate.country,
        affiliate.payout_method.map(PayoutMethod::name),
        affiliate.updated_at,
        affiliate.payout_account_hash.as_ref().map(|hash| &hash.0[..]),
        affiliate.payout_account_end,
        affiliate.search_licence
    )
    .execute(tx)
    .await?;
    Ok(())
}
