//! What people found of conversions, as training and the event lake read it; nothing here is ever edited.

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, CaseId, ConversionId, EventId, Rate, event::Verdict, fraud::cases::Actor,
};
use serde::Serialize;
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// What was found of a conversion.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseLabel {
    /// Its id.
    pub id: EventId,
    /// In which case.
    pub case_id: CaseId,
    /// Of which conversion.
    pub conversion_id: ConversionId,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// Whose.
    pub affiliate_id: Option<AffiliateId>,
    /// What: `fraud` or `honest`.
    #[schema(value_type = String, example = "fraud")]
    pub verdict: Verdict,
    /// The reason's code: of a rejection why, of an approval what it had been held for.
    pub reason: String,
    /// How much it is to count: all of it where somebody decided about this case alone.
    pub weight: Rate,
    /// Who found it.
    pub actor: Actor,
    /// When.
    pub decided_at: DateTime<Utc>,
}

/// Keeps what was found.
pub async fn insert(tx: &mut PgConnection, label: &CaseLabel) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO case_labels (
            id, case_id, conversion_id, campaign_id, affiliate_id, verdict, reason, weight_ppm, actor, decided_at
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ",
        label.id.uuid(),
        label.case_id.uuid(),
        label.conversion_id.uuid(),
        label.campaign_id.uuid(),
        label.affiliate_id.map(AffiliateId::uuid),
        label.verdict.name(),
        label.reason,
        i32::try_from(label.weight.ppm).unwrap_or(i32::MAX),
        Json(&label.actor) as _,
        label.decided_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What was found, the newest first.
pub async fn list(
    db: &mut PgConnection,
    conversion: Option<ConversionId>,
    after: Option<EventId>,
    limit: i64,
) -> sqlx::Result<Vec<CaseLabel>> {
    sqlx::query_as!(
        CaseLabel,
        r#"
        SELECT id AS "id: Column<EventId>", case_id AS "case_id: Column<CaseId>",
               conversion_id AS "conversion_id: Column<ConversionId>", campaign_id AS "campaign_id: Column<CampaignId>",
               affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", verdict AS "verdict: Column<Verdict>", reason,
               weight_ppm AS "weight: Column<Rate>", actor AS "actor: Column<Actor>", decided_at
        FROM case_labels
        WHERE ($1::uuid IS NULL OR conversion_id = $1)
          AND ($2::uuid IS NULL OR id < $2)
        ORDER BY id DESC
        LIMIT $3
        "#,
        conversion.map(ConversionId::uuid),
        after.map(EventId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// The labels after `after` that transactions from `from` on and before `until` stored, in the order of their ids.
pub async fn stored(
    db: &mut PgConnection,
    (from, until): (i64, i64),
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<CaseLabel>> {
    sqlx::query_as!(
        CaseLabel,
        r#"
        SELECT id AS "id: Column<EventId>", case_id AS "case_id: Column<CaseId>",
               conversion_id AS "conversion_id: Column<ConversionId>", campaign_id AS "campaign_id: Column<CampaignId>",
               affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", verdict AS "verdict: Column<Verdict>", reason,
               weight_ppm AS "weight: Column<Rate>", actor AS "actor: Column<Actor>", decided_at
        FROM case_labels
        WHERE $1 <= stored_in
          AND stored_in < $2
          AND $3 < id
        ORDER BY id
        LIMIT $4
        "#,
        from,
        until,
        after,
        limit
    )
    .fetch_all(db)
    .await
}
