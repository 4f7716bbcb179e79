//! What decisions about fraud have come to: counted, and one by one with what became of each.

use chrono::{DateTime, Utc};
use domain::{
    CampaignId,
    conversion::{ConversionStatus, ReversalReason},
    fraud::Flag,
};
use sqlx::{PgConnection, types::Json};

use super::columns::{Column, Nullable};
use crate::scoring::Shadowed;

/// From when to when, without the end.
pub type Window = (DateTime<Utc>, DateTime<Utc>);

/// The decisions about conversions of a campaign; of each conversion the first.
#[derive(Clone, Debug)]
pub struct OfCampaign {
    /// Which campaign.
    pub campaign_id: CampaignId,
    /// How many conversions were decided about.
    pub decided: i64,
    /// How many were to be held.
    pub held: i64,
    /// How many were decided without something that there should be.
    pub degraded: i64,
    /// How many are approved by now.
    pub approved: i64,
    /// How many are rejected or reversed by now.
    pub turned_down: i64,
}

/// Counts decisions by campaigns, those with the most first.
pub async fn by_campaign(db: &mut PgConnection, (from, to): Window) -> sqlx::Result<Vec<OfCampaign>> {
    sqlx::query_as!(
        OfCampaign,
        r#"
        SELECT decided.campaign_id AS "campaign_id: Column<CampaignId>", count(*) AS "decided!",
               count(*) FILTER (WHERE verdict = 'hold') AS "held!",
               count(*) FILTER (WHERE is_degraded) AS "degraded!",
               count(*) FILTER (WHERE status = 'approved') AS "approved!",
               count(*) FILTER (WHERE status IN ('rejected', 'reversed')) AS "turned_down!"
        FROM (
            SELECT conversion_id, campaign_id, verdict, json_array_length(record -> 'degraded') <> 0 AS is_degraded
            FROM fraud_scores
            WHERE conversion_id IS NOT NULL
              AND $1 <= scored_at
              AND scored_at < $2
              AND NOT EXISTS (SELECT FROM fraud_scores AS earlier
                              WHERE earlier.conversion_id = fraud_scores.conversion_id
                                AND earlier.id < fraud_scores.id)
        ) AS decided
        JOIN conversions ON conversions.id = decided.conversion_id
        GROUP BY decided.campaign_id
        ORDER BY count(*) DESC, decided.campaign_id
        "#,
        from,
        to
    )
    .fetch_all(db)
    .await
}

/// One decision about a conversion, and what became of it.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The score, in millionths of log-odds.
    pub log_odds: i64,
    /// Whether it was to be held.
    pub is_held: bool,
    /// By which version of the registry's model; none where no model was asked.
    pub version: Option<String>,
    /// What the model was given.
    pub values: Option<Json<Vec<Option<f64>>>>,
    /// What rules flagged.
    pub flags: Json<Vec<Flag>>,
    /// Whether the challenger decided.
    pub is_canary: bool,
    /// What the other model would have done.
    pub shadow: Option<Json<Shadowed>>,
    /// Where the conversion is now.
    pub status: ConversionStatus,
    /// Why it was turned down, if it was.
    pub reason: Option<ReversalReason>,
}

/// The newest decisions of a window, of each conversion the first; of all, or of those that have an outcome.
pub async fn newest(
    db: &mut PgConnection,
    (from, to): Window,
    (limit, have_outcomes): (i64, bool),
) -> sqlx::Result<Vec<Decided>> {
    sqlx::query_as!(
        Decided,
        r#"
        SELECT log_odds, verdict = 'hold' AS "is_held!",
               (SELECT said ->> 'version'
                FROM json_array_elements(record -> 'models') AS said
                WHERE said ->> 'model' NOT IN ('ring', 'external')
                LIMIT 1) AS version,
               record -> 'model' -> 'values' AS "values: Json<Vec<Option<f64>>>",
               record -> 'flags' AS "flags!: Json<Vec<Flag>>",
               coalesce((record ->> 'is_canary')::boolean, false) AS "is_canary!",
               record -> 'shadow' AS "shadow: Json<Shadowed>",
               status AS "status: Column<ConversionStatus>", reason AS "reason!: Nullable<ReversalReason>"
        FROM fraud_scores
        JOIN conversions ON conversions.id = conversion_id
        WHERE $1 <= scored_at
          AND scored_at < $2
          AND NOT EXISTS (SELECT FROM fraud_scores AS earlier
                          WHERE earlier.conversion_id = fraud_scores.conversion_id
                            AND earlier.id < fraud_scores.id)
          AND (NOT $4 OR status IN ('approved', 'rejected', 'reversed'))
        ORDER BY scored_at DESC, fraud_scores.id DESC
        LIMIT $3
        "#,
        from,
        to,
        limit,
        have_outcomes
    )
    .fetch_all(db)
    .await
}

/// A bound of decisions as it was seen last.
#[derive(Clone, Debug)]
pub struct KnownBound {
    /// Which.
    pub bound: String,
    /// Whether it is crossed.
    pub is_crossed: bool,
    /// Since when it is as it is.
    pub since: DateTime<Utc>,
}

/// What was seen last of a model's bounds.
pub async fn bounds(db: &mut PgConnection, model: &str) -> sqlx::Result<Vec<KnownBound>> {
    sqlx::query_as!(
        KnownBound,
        "SELECT bound, is_crossed, since FROM decision_bounds WHERE model = $1 ORDER BY bound",
        model
    )
    .fetch_all(db)
    .await
}

/// Notes what a bound is now; says whether that is another than before. What was never seen was not crossed.
pub async fn note_bound(
    tx: &mut PgConnection,
    (model, bound): (&str, &str),
    (is_crossed, words): (bool, &str),
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let before = sqlx::query_scalar!(
        "SELECT is_crossed FROM decision_bounds WHERE model = $1 AND bound = $2 FOR UPDATE",
        model,
        bound
    );
    let before = before.fetch_optional(&mut *tx).await?.unwrap_or(false);
    sqlx::query!(
        "
        INSERT INTO decision_bounds (model, bound, is_crossed, words, since, looked_at)
        VALUES ($1, $2, $3, $4, $5, $5)
        ON CONFLICT (model, bound) DO UPDATE
        SET is_crossed = excluded.is_crossed,
            words = excluded.words,
            since = CASE WHEN decision_bounds.is_crossed = excluded.is_crossed THEN decision_bounds.since
                         ELSE excluded.since END,
            looked_at = excluded.looked_at
        ",
        model,
        bound,
        is_crossed,
        words,
        at
    )
    .execute(tx)
    .await?;
    Ok(before != is_crossed)
}
