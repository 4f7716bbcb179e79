//! What affiliates earn, line by line, each with how it came about.

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, CommissionId, ConversionId, Money, PlanId,
    commission::Trace,
    conversion::{CommissionStatus, CommissionWait},
};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// One line of what an affiliate earns from one conversion.
#[derive(Debug, Serialize, ToSchema)]
pub struct Commission {
    /// Its id.
    pub id: CommissionId,
    /// What it was earned with.
    pub conversion_id: ConversionId,
    /// Who earns it.
    pub affiliate_id: AffiliateId,
    /// Under which campaign.
    pub campaign_id: CampaignId,
    /// By which plan.
    pub plan_id: PlanId,
    /// In which version of the plan.
    pub plan_version: i32,
    /// 0 for who brought the visitor, 1 for the affiliate above, and so on.
    pub level: i32,
    /// Where it is in its life.
    pub status: CommissionStatus,
    /// How much; negative when it takes back.
    pub amount: Money,
    /// The line that this one takes back, in part or whole.
    pub corrects: Option<CommissionId>,
    /// Until then the customer has to stay; null when it is final as soon as its conversion is approved.
    pub final_at: Option<DateTime<Utc>>,
    /// What it waits for before it becomes payable; null when it waits no more, or is taken back.
    pub waits_for: Option<CommissionWait>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// Which lines are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub id: Option<CommissionId>,
    /// Only this affiliate's.
    pub affiliate: Option<AffiliateId>,
    /// Only of this conversion.
    pub conversion: Option<ConversionId>,
    /// Only those.
    pub status: Option<CommissionStatus>,
    /// Only what was written from this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Only what was written before this moment.
    pub before: Option<DateTime<Utc>>,
    /// Only what this affiliate's own key may see.
    pub seen_by: Option<AffiliateId>,
    /// Only those that come after it in the list.
    pub after: Option<CommissionId>,
}

/// Lines of commission, newest first.
pub async fn list(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> sqlx::Result<Vec<Commission>> {
    sqlx::query_as!(
        Commission,
        r#"
        SELECT commissions.id, commissions.conversion_id, commissions.affiliate_id, commissions.campaign_id,
               commissions.plan_id, commission_plans.version AS plan_version, commissions.level,
               commissions.status AS "status: Column<CommissionStatus>",
               (commissions.amount_minor, commissions.currency) AS "amount!: Column<Money>",
               commissions.corrects AS "corrects!: Nullable<CommissionId>", commissions.final_at,
               CASE
                   WHEN commissions.status <> 'accrued' THEN NULL
                   WHEN conversions.status = 'approved' THEN 'customer'
                   WHEN conversions.status = 'reversed' AND conversions.reversed_minor < conversions.amount_minor
                       THEN 'customer'
                   WHEN conversions.status IN ('received', 'pending', 'on_hold') THEN 'approval'
               END AS "waits_for!: Nullable<CommissionWait>",
               commissions.created_at
        FROM commissions
        JOIN commission_plans ON commission_plans.id = commissions.plan_id
        JOIN conversions ON conversions.id = commissions.conversion_id
        WHERE ($1::uuid IS NULL OR commissions.affiliate_id = $1)
          AND ($2::uuid IS NULL OR commissions.id = $2)
          AND ($3::uuid IS NULL OR commissions.affiliate_id = $3)
          AND ($4::uuid IS NULL OR commissions.conversion_id = $4)
          AND ($5::text IS NULL OR commissions.status = $5)
          AND ($6::timestamptz IS NULL OR $6 <= commissions.created_at)
          AND ($7::timestamptz IS NULL OR commissions.created_at < $7)
          AND ($8::uuid IS NULL OR commissions.id < $8)
        ORDER BY commissions.id DESC
        LIMIT $9
        "#,
        wanted.seen_by.map(AffiliateId::uuid),
        wanted.id.map(CommissionId::uuid),
        wanted.affiliate.map(AffiliateId::uuid),
        wanted.conversion.map(ConversionId::uuid),
        wanted.status.map(CommissionStatus::name),
        wanted.from,
        wanted.before,
        wanted.after.map(CommissionId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

struct Traced {
    trace: Trace,
}

/// How a line came about.
pub async fn trace(db: &mut PgConnection, id: CommissionId) -> sqlx::Result<Option<Trace>> {
    let traced = sqlx::query_as!(
        Traced,
        r#"SELECT trace AS "trace: Column<Trace>" FROM commissions WHERE id = $1"#,
        id.uuid()
    );
    Ok(traced.fetch_optional(db).await?.map(|traced| traced.trace))
}
