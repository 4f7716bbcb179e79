//! What shadows decided about rates: what of it waits for people, and what it would have come to.

use chrono::{DateTime, Utc};
use domain::{Money, PlanId, Rate, RateDecisionId, commission::dynamic::RateDecision};
use sqlx::PgConnection;

use super::{
    columns::{Column, Nullable},
    rate_decisions::RecordedRateDecision,
};

/// The newest decision about each affiliate and campaign where a shadow made it, it would change something and nobody has
/// approved it; newest first, after one of them.
pub async fn proposed(
    db: &mut PgConnection,
    after: Option<RateDecisionId>,
    limit: i64,
) -> sqlx::Result<Vec<RecordedRateDecision>> {
    sqlx::query_as!(
        RecordedRateDecision,
        r#"
        SELECT newest.id AS "id!", newest.affiliate_id AS "affiliate_id!", newest.campaign_id AS "campaign_id!",
               newest.contract_id AS "contract_id!", newest.notice_days AS "notice_days!: Column<u16>",
               newest.propensity_ppm AS "propensity!: Column<Rate>", newest.plan_id AS "plan_id!: Nullable<PlanId>",
               newest.actor AS "actor!", newest.recorded_at AS "recorded_at!",
               newest.decision AS "decision!: Column<RateDecision>"
        FROM (SELECT DISTINCT affiliate_id, campaign_id FROM rate_contracts) AS place
        CROSS JOIN LATERAL (
            SELECT id, affiliate_id, campaign_id, contract_id, mode, effective_at, notice_days, propensity_ppm, plan_id,
                   actor, recorded_at, decision
            FROM rate_decisions
            WHERE rate_decisions.affiliate_id = place.affiliate_id
              AND rate_decisions.campaign_id = place.campaign_id
            ORDER BY rate_decisions.decided_at DESC, rate_decisions.id DESC
            LIMIT 1
        ) AS newest
        WHERE newest.mode = 'shadow'
          AND newest.effective_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM rate_approvals WHERE rate_approvals.shadow_id = newest.id)
          AND ($2::uuid IS NULL OR newest.id < $2)
        ORDER BY newest.id DESC
        LIMIT $1
        "#,
        limit,
        after.map(RateDecisionId::uuid)
    )
    .fetch_all(db)
    .await
}

/// What a policy decided in the shadow.
#[derive(Debug)]
pub struct ShadowResult {
    /// Which policy.
    pub policy_version: String,
    /// How many decisions.
    pub decisions: i64,
    /// About how many affiliates.
    pub partners: i64,
    /// How many raise a rate.
    pub up: i64,
    /// How many lower one.
    pub down: i64,
    /// How many leave it.
    pub unchanged: i64,
    /// By how many parts per million a decision moves a rate on average.
    pub change_ppm: f64,
    /// How many say that a person should look at something.
    pub flagged: i64,
    /// How many were approved.
    pub approved: i64,
}

/// What each policy decided in the shadow from a moment on, the policy that decided last first.
pub async fn results(db: &mut PgConnection, since: DateTime<Utc>) -> sqlx::Result<Vec<ShadowResult>> {
    sqlx::query_as!(
        ShadowResult,
        r#"
        SELECT rate_decisions.policy_version AS "policy_version!", count(*) AS "decisions!",
               count(DISTINCT rate_decisions.affiliate_id) AS "partners!",
               count(*) FILTER (WHERE previous_ppm < next_ppm) AS "up!",
               count(*) FILTER (WHERE next_ppm < previous_ppm) AS "down!",
               count(*) FILTER (WHERE next_ppm = previous_ppm) AS "unchanged!",
               avg(next_ppm - previous_ppm)::double precision AS "change_ppm!",
               count(*) FILTER (WHERE decision -> 'flags' <> '[]') AS "flagged!",
               count(rate_approvals.decision_id) AS "approved!"
        FROM rate_decisions
        LEFT JOIN rate_approvals ON rate_approvals.shadow_id = rate_decisions.id
        WHERE rate_decisions.mode = 'shadow' AND $1 <= rate_decisions.decided_at
        GROUP BY rate_decisions.policy_version
        ORDER BY max(rate_decisions.decided_at) DESC, rate_decisions.policy_version
        "#,
        since
    )
    .fetch_all(db)
    .await
}

/// What conversions earned while the rates of a shadow would have held, and what they would have.
#[derive(Debug)]
pub struct Compared {
    /// By which policy the shadow decided.
    pub policy_version: String,
    /// How many conversions.
    pub conversions: i64,
    /// What those who brought them earned.
    pub earned: Money,
    /// What they would have earned at the shadow's rates.
    pub would_have: Money,
}

/// What conversions from a moment on earned and would have, for each policy that decided in the shadow from then on and each
/// currency. They are pending or approved, and paid by the rule whose rate decisions move. The rate is that of the policy's
/// newest decision which counted then: from its date on where it changes something, else from when it was made; where
/// that one changes nothing, the conversion is left out.
pub async fn compared(db: &mut PgConnection, since: DateTime<Utc>) -> sqlx::Result<Vec<Compared>> {
    sqlx::query_as!(
        Compared,
        r#"
        WITH paid AS (
            SELECT place.policy_version, place.affiliate_id, place.campaign_id, commissions.conversion_id,
                   commissions.currency, sum(commissions.amount_minor) AS minor,
                   (array_agg(commissions.plan_id ORDER BY commissions.id DESC))[1] AS plan_id
            FROM (
                SELECT DISTINCT policy_version, affiliate_id, campaign_id
                FROM rate_decisions
                WHERE mode = 'shadow' AND $1 <= decided_at
            ) AS place
            JOIN commissions USING (affiliate_id, campaign_id)
            WHERE commissions.level = 0 AND uuid_v7_floor($1) <= commissions.id
            GROUP BY 1, 2, 3, 4, 5
        )
        SELECT paid.policy_version AS "policy_version!", count(*) AS "conversions!",
               (sum(paid.minor)::bigint, paid.currency) AS "earned!: Column<Money>",
               (sum(round(
                   (conversions.amount_minor - conversions.reversed_minor)::numeric * counted.next_ppm
                   * credit.share_ppm / 1000000000000
               ))::bigint, paid.currency) AS "would_have!: Column<Money>"
        FROM paid
        JOIN conversions ON conversions.id = paid.conversion_id
        JOIN commission_plans ON commission_plans.id = paid.plan_id
        CROSS JOIN LATERAL (
            SELECT sum(share_ppm) AS share_ppm
            FROM conversion_shares
            WHERE conversion_id = paid.conversion_id AND affiliate_id = paid.affiliate_id
        ) AS credit
        CROSS JOIN LATERAL (
            SELECT next_ppm, effective_at
            FROM rate_decisions
            WHERE affiliate_id = paid.affiliate_id AND campaign_id = paid.campaign_id
              AND policy_version = paid.policy_version AND mode = 'shadow'
              AND COALESCE(effective_at, decided_at) <= conversions.occurred_at
            ORDER BY decided_at DESC, rate_decisions.id DESC
            LIMIT 1
        ) AS counted
        WHERE $1 <= conversions.occurred_at
          AND conversions.status IN ('pending', 'approved')
          AND is_paid_by_rate(commission_plans.rules, conversions.event)
          AND counted.effective_at IS NOT NULL
        GROUP BY paid.policy_version, paid.currency
        ORDER BY paid.policy_version, paid.currency
        "#,
        since
    )
    .fetch_all(db)
    .await
}
