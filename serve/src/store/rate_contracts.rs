//! What affiliates agreed to about their rates, version by version; nothing here is ever edited.

use chrono::{DateTime, Utc};
use domain::{AffiliateId, CampaignId, Rate, RateContractId, commission::dynamic::Contract};
use serde::Serialize;
use sqlx::{PgConnection, types::Uuid};
use utoipa::ToSchema;

use super::columns::Column;

/// One version of what an affiliate agreed to about its rate in a campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RateContract {
    /// Its id.
    pub id: RateContractId,
    /// Who agreed.
    pub affiliate_id: AffiliateId,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// Counted from 1; the newest holds.
    pub version: i32,
    /// It is never paid less.
    pub floor: Rate,
    /// It is never paid more.
    pub cap: Rate,
    /// The rate moves at most so far in a period.
    pub step: Rate,
    /// The rate moves at most once in so many days.
    pub period_days: u16,
    /// The affiliate is told so many days before its rate changes.
    pub notice_days: u16,
    /// Chance may move the rate so far to either side.
    pub exploring: Rate,
    /// What else there is to say for the record.
    pub note: String,
    /// Who entered it.
    pub actor: String,
    /// When it was entered.
    pub created_at: DateTime<Utc>,
}

impl RateContract {
    /// The bounds of it, as decisions are held against them.
    pub fn terms(&self) -> Contract {
        let Self { floor, cap, step, period_days, notice_days, exploring, .. } = *self;
        Contract { floor, cap, step, period_days, notice_days, exploring }
    }
}

/// Which contracts are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this campaign's.
    pub campaign: Option<CampaignId>,
    /// Only this affiliate's.
    pub affiliate: Option<AffiliateId>,
    /// Only what this affiliate's own key may see.
    pub seen_by: Option<AffiliateId>,
    /// Only those that come after it in the list.
    pub after: Option<RateContractId>,
}

/// Adds the next version of a contract; the caller has locked the campaign, so that no version is given twice.
pub async fn insert(tx: &mut PgConnection, contract: &RateContract) -> sqlx::Result<()> {
    let ppm = |rate: Rate| i32::try_from(rate.ppm).unwrap_or(i32::MAX);
    sqlx::query!(
        "
        INSERT INTO rate_contracts (
            id, affiliate_id, campaign_id, version, floor_ppm, cap_ppm, step_ppm, period_days, notice_days,
            exploring_ppm, note, actor, created_at
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ",
        contract.id.uuid(),
        contract.affiliate_id.uuid(),
        contract.campaign_id.uuid(),
        contract.version,
        ppm(contract.floor),
        ppm(contract.cap),
        ppm(contract.step),
        i32::from(contract.period_days),
        i32::from(contract.notice_days),
        ppm(contract.exploring),
        contract.note,
        contract.actor,
        contract.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Every version of contracts, newest first.
pub async fn list(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> sqlx::Result<Vec<RateContract>> {
    sqlx::query_as!(
        RateContract,
        r#"
        SELECT id, affiliate_id, campaign_id, version, floor_ppm AS "floor: Column<Rate>",
               cap_ppm AS "cap: Column<Rate>", step_ppm AS "step: Column<Rate>",
               period_days AS "period_days: Column<u16>", notice_days AS "notice_days: Column<u16>",
               exploring_ppm AS "exploring: Column<Rate>", note, actor, created_at
        FROM rate_contracts
        WHERE ($1::uuid IS NULL OR campaign_id = $1)
          AND ($2::uuid IS NULL OR affiliate_id = $2)
          AND ($3::uuid IS NULL OR affiliate_id = $3)
          AND ($4::uuid IS NULL OR id < $4)
        ORDER BY id DESC
        LIMIT $5
        "#,
        wanted.campaign.map(CampaignId::uuid),
        wanted.affiliate.map(AffiliateId::uuid),
        wanted.seen_by.map(AffiliateId::uuid),
        wanted.after.map(RateContractId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// The contracts that hold between any of these affiliates and any of these campaigns.
pub async fn in_force(
    db: &mut PgConnection,
    affiliates: &[AffiliateId],
    campaigns: &[CampaignId],
) -> sqlx::Result<Vec<RateContract>> {
    let affiliates: Vec<Uuid> = affiliates.iter().map(|id| id.uuid()).collect();
    let campaigns: Vec<Uuid> = campaigns.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        RateContract,
        r#"
        SELECT DISTINCT ON (affiliate_id, campaign_id)
               id, affiliate_id, campaign_id, version, floor_ppm AS "floor: Column<Rate>",
               cap_ppm AS "cap: Column<Rate>", step_ppm AS "step: Column<Rate>",
               period_days AS "period_days: Column<u16>", notice_days AS "notice_days: Column<u16>",
               exploring_ppm AS "exploring: Column<Rate>", note, actor, created_at
        FROM rate_contracts
        WHERE affiliate_id = ANY ($1)
          AND campaign_id = ANY ($2)
        ORDER BY affiliate_id, campaign_id, version DESC
        "#,
        &affiliates,
        &campaigns
    )
    .fetch_all(db)
    .await
}

/// The contracts that hold between any affiliates and campaigns.
pub async fn all_in_force(db: &mut PgConnection) -> sqlx::Result<Vec<RateContract>> {
    sqlx::query_as!(
        RateContract,
        r#"
        SELECT DISTINCT ON (affiliate_id, campaign_id)
               id, affiliate_id, campaign_id, version, floor_ppm AS "floor: Column<Rate>",
               cap_ppm AS "cap: Column<Rate>", step_ppm AS "step: Column<Rate>",
               period_days AS "period_days: Column<u16>", notice_days AS "notice_days: Column<u16>",
               exploring_ppm AS "exploring: Column<Rate>", note, actor, created_at
        FROM rate_contracts
        ORDER BY affiliate_id, campaign_id, version DESC
        "#
    )
    .fetch_all(db)
    .await
}
