//! What people took up of what shadows decided about rates; nothing here is ever edited.

use chrono::{DateTime, Utc};
use domain::RateDecisionId;
use sqlx::{PgConnection, types::Uuid};

/// What has passed since something was decided.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// Which decision.
    pub id: RateDecisionId,
    /// Whether somebody approved it.
    pub is_approved: bool,
    /// Whether there is a later decision, live or in the shadow, about the same affiliate in the same campaign.
    pub is_decided_anew: bool,
}

/// What has passed since these were decided, as far as there are such.
pub async fn passed(db: &mut PgConnection, ids: &[RateDecisionId]) -> sqlx::Result<Vec<Passed>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        Passed,
        r#"
        SELECT asked.id AS "id!",
               EXISTS (SELECT FROM rate_approvals WHERE rate_approvals.shadow_id = asked.id) AS "is_approved!",
               EXISTS (
                   SELECT
                   FROM rate_decisions AS later
                   WHERE later.affiliate_id = asked.affiliate_id
                     AND later.campaign_id = asked.campaign_id
                     AND (asked.decided_at, asked.id) < (later.decided_at, later.id)
               ) AS "is_decided_anew!"
        FROM rate_decisions AS asked
        WHERE asked.id = ANY ($1)
        "#,
        &ids
    )
    .fetch_all(db)
    .await
}

/// Keeps which decisions of shadows became which live ones, who approved them, and when.
pub async fn insert(
    tx: &mut PgConnection,
    pairs: &[(RateDecisionId, RateDecisionId)],
    (actor, at): (&str, DateTime<Utc>),
) -> sqlx::Result<()> {
    let (shadows, decisions): (Vec<Uuid>, Vec<Uuid>) =
        pairs.iter().map(|(shadow, decision)| (shadow.uuid(), decision.uuid())).unzip();
    sqlx::query!(
        "
        INSERT INTO rate_approvals (shadow_id, decision_id, actor, approved_at)
        SELECT new.shadow_id, new.decision_id, $3, $4
        FROM unnest($1::uuid[], $2::uuid[]) AS new (shadow_id, decision_id)
        ",
        &shadows,
        &decisions,
        actor,
        at
    )
    .execute(tx)
    .await?;
    Ok(())
}
