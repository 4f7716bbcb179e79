//! What was decided, as it is stored, for the event lake.

use chrono::{DateTime, Utc};
use domain::{AffiliateId, CampaignId, ConversionId};
use sqlx::{PgConnection, types::Uuid};

use super::columns::Nullable;

/// A decision with everything that it was decided by.
pub struct StoredDecision {
    /// By which those of a table follow each other.
    pub id: Uuid,
    /// Of which conversion.
    pub conversion_id: Option<ConversionId>,
    /// Of which campaign.
    pub campaign_id: Option<CampaignId>,
    /// Of which partner.
    pub affiliate_id: Option<AffiliateId>,
    /// What came of it, in a word.
    pub verdict: String,
    /// `shadow` or `live`, where there is such a difference.
    pub mode: String,
    /// By which version of settings, of a policy, of a model.
    pub version: String,
    /// All of it as JSON.
    pub record: String,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

/// The scores after `after` that transactions from `from` on and before `until` stored, in the order of their ids.
pub async fn scores(
    db: &mut PgConnection,
    (from, until): (i64, i64),
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<StoredDecision>> {
    sqlx::query_as!(
        StoredDecision,
        r#"
        SELECT id, conversion_id AS "conversion_id!: Nullable<ConversionId>",
               campaign_id AS "campaign_id!: Nullable<CampaignId>", affiliate_id AS "affiliate_id!: Nullable<AffiliateId>",
               verdict, mode, settings_version::text AS "version!", record::text AS "record!", scored_at AS at
        FROM fraud_scores
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

/// The same of settings, whose versions are their ids.
pub async fn settings(
    db: &mut PgConnection,
    (from, until): (i64, i64),
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<StoredDecision>> {
    sqlx::query_as!(
        StoredDecision,
        r#"
        SELECT lpad(to_hex(version), 32, '0')::uuid AS "id!", NULL::uuid AS "conversion_id!: Nullable<ConversionId>",
               NULL::uuid AS "campaign_id!: Nullable<CampaignId>", NULL::uuid AS "affiliate_id!: Nullable<AffiliateId>",
               '' AS "verdict!", coalesce(settings ->> 'mode', 'shadow') AS "mode!", version::text AS "version!",
               settings::text AS "record!", created_at AS at
        FROM fraud_settings
        WHERE $1 <= stored_in
          AND stored_in < $2
          AND $3 < lpad(to_hex(version), 32, '0')::uuid
        ORDER BY version
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

/// The same of rates.
pub async fn rates(
    db: &mut PgConnection,
    (from, until): (i64, i64),
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<StoredDecision>> {
    sqlx::query_as!(
        StoredDecision,
        r#"
        SELECT id, NULL::uuid AS "conversion_id!: Nullable<ConversionId>",
               campaign_id AS "campaign_id!: Nullable<CampaignId>", affiliate_id AS "affiliate_id!: Nullable<AffiliateId>",
               next_ppm::text AS "verdict!", mode, policy_version AS version,
               json_build_object(
                   'previous_ppm', previous_ppm, 'next_ppm', next_ppm, 'propensity_ppm', propensity_ppm,
                   'model_version', model_version, 'effective_at', effective_at, 'notice_days', notice_days,
                   'decision', decision
               )::text AS "record!",
               recorded_at AS at
        FROM rate_decisions
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

/// The same of lists of recommendations.
pub async fn lists(
    db: &mut PgConnection,
    (from, until): (i64, i64),
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<StoredDecision>> {
    sqlx::query_as!(
        StoredDecision,
        r#"
        SELECT id, NULL::uuid AS "conversion_id!: Nullable<ConversionId>",
               CASE WHEN holds = 'affiliates' THEN for_id END AS "campaign_id!: Nullable<CampaignId>",
               CASE WHEN holds = 'campaigns' THEN for_id END AS "affiliate_id!: Nullable<AffiliateId>",
               '' AS "verdict!", '' AS "mode!", concat_ws(' ', model, model_version) AS "version!",
               json_build_object('holds', holds, 'exploring', exploring, 'places', places)::text AS "record!",
               served_at AS at
        FROM recommendations
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
