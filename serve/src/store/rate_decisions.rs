//! Every decision about an affiliate's rate, kept for ever; nothing here is ever edited.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, PlanId, Rate, RateContractId, RateDecisionId,
    commission::dynamic::{RateDecision, RateMode},
};
use serde::Serialize;
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// A decision about an affiliate's rate in a campaign, as it was recorded.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordedRateDecision {
    /// Its id.
    pub id: RateDecisionId,
    /// Whose rate.
    pub affiliate_id: AffiliateId,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// The contract that it keeps.
    pub contract_id: RateContractId,
    /// How many days of notice that contract says.
    pub notice_days: u16,
    /// How probable the rate was that was chosen.
    pub propensity: Rate,
    /// The version of the affiliate's own plan that it made; null when it is a shadow or changes nothing.
    pub plan_id: Option<PlanId>,
    /// Who brought it.
    pub actor: String,
    /// When it was recorded and, if it changes something, announced.
    pub recorded_at: DateTime<Utc>,
    /// The decision with its reasons.
    pub decision: RateDecision,
}

/// Which decisions are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only those.
    pub mode: Option<RateMode>,
    /// Only about this affiliate's rate.
    pub affiliate: Option<AffiliateId>,
    /// Only in this campaign.
    pub campaign: Option<CampaignId>,
    /// Only what was decided from this moment on.
    pub since: Option<DateTime<Utc>>,
    /// Only those that come after it in the list.
    pub after: Option<RateDecisionId>,
}

/// What makes a decision the same: whose rate, in which campaign, when, and by which policy.
pub type Occasion = (AffiliateId, CampaignId, DateTime<Utc>, String);

/// Records a decision.
pub async fn insert(tx: &mut PgConnection, recorded: &RecordedRateDecision) -> sqlx::Result<()> {
    let ppm = |rate: Rate| i32::try_from(rate.ppm).unwrap_or(i32::MAX);
    let decision = &recorded.decision;
    sqlx::query!(
        "
        INSERT INTO rate_decisions (
            id, affiliate_id, campaign_id, mode, previous_ppm, next_ppm, effective_at, notice_days, propensity_ppm,
            policy_version, model_version, decision, contract_id, plan_id, actor, decided_at, recorded_at
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        ",
        recorded.id.uuid(),
        recorded.affiliate_id.uuid(),
        recorded.campaign_id.uuid(),
        decision.mode.name(),
        ppm(decision.previous),
        ppm(decision.next),
        decision.effective_at,
        i32::from(recorded.notice_days),
        ppm(recorded.propensity),
        decision.policy_version,
        decision.model_version,
        Json(decision) as _,
        recorded.contract_id.uuid(),
        recorded.plan_id.map(PlanId::uuid),
        recorded.actor,
        decision.decided_at,
        recorded.recorded_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Decisions, newest first.
pub async fn list(
    db: &mut PgConnection,
    wanted: &Wanted,
    limit: i64,
) -> sqlx::Result<Vec<RecordedRateDecision>> {
    sqlx::query_as!(
        RecordedRateDecision,
        r#"
        SELECT id, affiliate_id, campaign_id, contract_id, notice_days AS "notice_days: Column<u16>",
               propensity_ppm AS "propensity: Column<Rate>", plan_id AS "plan_id!: Nullable<PlanId>", actor,
               recorded_at, decision AS "decision: Column<RateDecision>"
        FROM rate_decisions
        WHERE ($1::text IS NULL OR mode = $1)
          AND ($2::uuid IS NULL OR affiliate_id = $2)
          AND ($3::uuid IS NULL OR campaign_id = $3)
          AND ($4::timestamptz IS NULL OR $4 <= decided_at)
          AND ($5::uuid IS NULL OR id < $5)
        ORDER BY id DESC
        LIMIT $6
        "#,
        wanted.mode.map(RateMode::name),
        wanted.affiliate.map(AffiliateId::uuid),
        wanted.campaign.map(CampaignId::uuid),
        wanted.since,
        wanted.after.map(RateDecisionId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// Those of these decisions that there are.
pub async fn some(db: &mut PgConnection, ids: &[RateDecisionId]) -> sqlx::Result<Vec<RecordedRateDecision>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        RecordedRateDecision,
        r#"
        SELECT id, affiliate_id, campaign_id, contract_id, notice_days AS "notice_days: Column<u16>",
               propensity_ppm AS "propensity: Column<Rate>", plan_id AS "plan_id!: Nullable<PlanId>", actor,
               recorded_at, decision AS "decision: Column<RateDecision>"
        FROM rate_decisions
        WHERE id = ANY ($1)
        ORDER BY id
        "#,
        &ids
    )
    .fetch_all(db)
    .await
}

/// By which policy each campaign's partners were decided about last, live.
pub async fn last_policies(db: &mut PgConnection) -> sqlx::Result<BTreeMap<CampaignId, String>> {
    let rows = sqlx::query!(
        r#"
        SELECT campaign.id AS "id!", newest.policy_version AS "policy_version!"
        FROM (SELECT DISTINCT campaign_id AS id FROM rate_contracts) AS campaign
        CROSS JOIN LATERAL (
            SELECT rate_decisions.policy_version
            FROM rate_decisions
            WHERE rate_decisions.campaign_id = campaign.id AND rate_decisions.mode = 'live'
            ORDER BY rate_decisions.id DESC
            LIMIT 1
        ) AS newest
        "#
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.policy_version)).collect())
}

/// Which of these were recorded before.
pub async fn known(tx: &mut PgConnection, occasions: &[Occasion]) -> sqlx::Result<Vec<Occasion>> {
    let affiliates: Vec<Uuid> = occasions.iter().map(|occasion| occasion.0.uuid()).collect();
    let campaigns: Vec<Uuid> = occasions.iter().map(|occasion| occasion.1.uuid()).collect();
    let moments: Vec<DateTime<Utc>> = occasions.iter().map(|occasion| occasion.2).collect();
    let policies: Vec<String> = occasions.iter().map(|occasion| occasion.3.clone()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT rate_decisions.affiliate_id, rate_decisions.campaign_id, rate_decisions.decided_at,
               rate_decisions.policy_version
        FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[])
            AS asked (affiliate_id, campaign_id, decided_at, policy_version)
        JOIN rate_decisions USING (affiliate_id, campaign_id, decided_at, policy_version)
        "#,
        &affiliates,
        &campaigns,
        &moments,
        &policies
    )
    .fetch_all(tx)
    .await?;
    let occasion = rows
        .into_iter()
        .map(|row| (row.affiliate_id.into(), row.campaign_id.into(), row.decided_at, row.policy_version));
    Ok(occasion.collect())
}
