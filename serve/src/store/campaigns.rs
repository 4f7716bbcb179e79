//! Campaigns, the versions of their commission plans, and who takes part in them.

use chrono::{DateTime, Utc};
use domain::{
    AdvertiserId, AffiliateId, CampaignId, Currency, PlanId,
    affiliate::AffiliateStatus,
    attribution::RuleName,
    campaign::{CampaignStatus, QualifyingEvent, WindowDays},
    commission::{Rule, Version},
};
use serde::Serialize;
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// One offer of an advertiser.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// Whose it is.
    pub advertiser_id: AdvertiserId,
    /// What it is called.
    pub name: String,
    /// Whether it takes clicks.
    pub status: CampaignStatus,
    /// What its orders are counted in.
    pub currency: Currency,
    /// Where visitors land.
    pub landing_url: String,
    /// Deep links may lead to these hosts too.
    pub allowed_hosts: Vec<String>,
    /// Where visitors go while it is paused or over.
    pub fallback_url: Option<String>,
    /// What it pays for.
    pub events: Vec<QualifyingEvent>,
    /// How many days after a click a conversion still counts.
    pub window_days: WindowDays,
    /// How many days the first-party cookie lives.
    pub cookie_days: WindowDays,
    /// How the credit for a conversion is divided among the clicks before it.
    pub attribution: RuleName,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Which campaigns are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub id: Option<CampaignId>,
    /// Only this advertiser's.
    pub advertiser: Option<AdvertiserId>,
    /// Only those.
    pub status: Option<CampaignStatus>,
    /// Only what this affiliate's own key may see: those open to all, and those it takes part in.
    pub seen_by: Option<AffiliateId>,
    /// Only those that come after it in the list.
    pub after: Option<CampaignId>,
}

/// One version of the terms by which a campaign pays.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Whose terms.
    pub campaign_id: CampaignId,
    /// Set: it holds for this affiliate alone, before the campaign's own plan.
    pub affiliate_id: Option<AffiliateId>,
    /// Counted from 1, within the campaign's own plan or one affiliate's.
    pub version: i32,
    /// What it pays for.
    pub rules: Vec<Rule>,
    /// It holds for conversions from this moment on, until the next version does.
    pub effective_from: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Plan {
    /// The plan as a version that may hold for an affiliate.
    pub fn into_version(self) -> Version {
        Version {
            id: self.id,
            is_own: self.affiliate_id.is_some(),
            version: self.version.unsigned_abs(),
            rules: self.rules,
            effective_from: self.effective_from,
        }
    }
}

/// Adds a campaign.
pub async fn insert(tx: &mut PgConnection, campaign: &Campaign) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO campaigns (
            id, advertiser_id, name, status, currency, landing_url, allowed_hosts, fallback_url, events,
            window_days, cookie_days, attribution, created_at, updated_at
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ",
        campaign.id.uuid(),
        campaign.advertiser_id.uuid(),
        campaign.name,
        campaign.status.name(),
        campaign.currency.code(),
        campaign.landing_url,
        &campaign.allowed_hosts,
        campaign.fallback_url,
        Json(&campaign.events) as _,
        i32::from(campaign.window_days.days()),
        i32::from(campaign.cookie_days.days()),
        campaign.attribution.name(),
        campaign.created_at,
        campaign.updated_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Campaigns, newest first.
pub async fn list(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> sqlx::Result<Vec<Campaign>> {
    sqlx::query_as!(
        Campaign,
        r#"
        SELECT id, advertiser_id, name, status AS "status: Column<CampaignStatus>",
               currency AS "currency: Column<Currency>", landing_url, allowed_hosts, fallback_url,
               events AS "events: Column<Vec<QualifyingEvent>>", window_days AS "window_days: Column<WindowDays>",
               cookie_days AS "cookie_days: Column<WindowDays>", attribution AS "attribution: Column<RuleName>",
               created_at, updated_at
        FROM campaigns
        WHERE ($1::uuid IS NULL OR id = $1)
          AND ($2::uuid IS NULL OR advertiser_id = $2)
          AND ($3::text IS NULL OR status = $3)
          AND (
              $4::uuid IS NULL
              OR status = 'active'
              OR EXISTS (SELECT FROM affiliate_campaigns WHERE campaign_id = campaigns.id AND affiliate_id = $4)
          )
          AND ($5::uuid IS NULL OR id < $5)
        ORDER BY id DESC
        LIMIT $6
        "#,
        wanted.id.map(CampaignId::uuid),
        wanted.advertiser.map(AdvertiserId::uuid),
        wanted.status.map(CampaignStatus::name),
        wanted.seen_by.map(AffiliateId::uuid),
        wanted.after.map(CampaignId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// One campaign, if there is such a one that may be seen.
pub async fn find(
    db: &mut PgConnection,
    id: CampaignId,
    seen_by: Option<AffiliateId>,
) -> sqlx::Result<Option<Campaign>> {
    let wanted = Wanted { id: Some(id), seen_by, ..Wanted::default() };
    Ok(list(db, &wanted, 1).await?.pop())
}

/// One campaign, which nobody else changes until the transaction ends.
pub async fn lock(tx: &mut PgConnection, id: CampaignId) -> sqlx::Result<Option<Campaign>> {
    sqlx::query!("SELECT id FROM campaigns WHERE id = $1 FOR NO KEY UPDATE", id.uuid())
        .fetch_optional(&mut *tx)
        .await?;
    find(tx, id, None).await
}

/// Locks campaigns as [`lock`] does, and says which of them there are.
pub async fn lock_all(tx: &mut PgConnection, ids: &[CampaignId]) -> sqlx::Result<Vec<CampaignId>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    // In one order, so that two who lock several never wait for each other.
    let known = sqlx::query_scalar!(
        "SELECT id FROM campaigns WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE",
        &ids
    );
    Ok(known.fetch_all(tx).await?.into_iter().map(CampaignId::from).collect())
}

/// Stores a change. Advertiser and currency stay, because money was counted by them.
pub async fn update(tx: &mut PgConnection, campaign: &Campaign) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE campaigns
        SET name = $2, status = $3, landing_url = $4, allowed_hosts = $5, fallback_url = $6, events = $7,
            window_days = $8, cookie_days = $9, attribution = $10, updated_at = $11
        WHERE id = $1
        ",
        campaign.id.uuid(),
        campaign.name,
        campaign.status.name(),
        campaign.landing_url,
        &campaign.allowed_hosts,
        campaign.fallback_url,
        Json(&campaign.events) as _,
        i32::from(campaign.window_days.days()),
        i32::from(campaign.cookie_days.days()),
        campaign.attribution.name(),
        campaign.updated_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Adds the next version of a plan; the caller has locked the campaign, so that no version is given twice.
pub async fn insert_plan(tx: &mut PgConnection, plan: &Plan) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO commission_plans (id, campaign_id, affiliate_id, version, rules, effective_from, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ",
        plan.id.uuid(),
        plan.campaign_id.uuid(),
        plan.affiliate_id.map(AffiliateId::uuid),
        plan.version,
        Json(&plan.rules) as _,
        plan.effective_from,
        plan.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The newest version of the campaign's own plan, or of one affiliate's; 0 when there is none.
pub async fn last_version(
    tx: &mut PgConnection,
    campaign: CampaignId,
    affiliate: Option<AffiliateId>,
) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        r#"
        SELECT COALESCE(max(version), 0) AS "version!"
        FROM commission_plans
        WHERE campaign_id = $1 AND affiliate_id IS NOT DISTINCT FROM $2
        "#,
        campaign.uuid(),
        affiliate.map(AffiliateId::uuid)
    )
    .fetch_one(tx)
    .await
}

/// The plans of a campaign, newest first; an affiliate's own key sees the campaign's and its own.
pub async fn plans(
    db: &mut PgConnection,
    campaign: CampaignId,
    seen_by: Option<AffiliateId>,
    after: Option<PlanId>,
    limit: i64,
) -> sqlx::Result<Vec<Plan>> {
    sqlx::query_as!(
        Plan,
        r#"
        SELECT id, campaign_id, affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", version,
               rules AS "rules: Column<Vec<Rule>>", effective_from, created_at
        FROM commission_plans
        WHERE campaign_id = $1
          AND ($2::uuid IS NULL OR affiliate_id IS NULL OR affiliate_id = $2)
          AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
        "#,
        campaign.uuid(),
        seen_by.map(AffiliateId::uuid),
        after.map(PlanId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// Every version of the campaigns' own plans, and of these affiliates' in them.
pub async fn plans_for(
    db: &mut PgConnection,
    campaigns: &[CampaignId],
    affiliates: &[AffiliateId],
) -> sqlx::Result<Vec<Plan>> {
    let campaigns: Vec<Uuid> = campaigns.iter().map(|id| id.uuid()).collect();
    let affiliates: Vec<Uuid> = affiliates.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        Plan,
        r#"
        SELECT id, campaign_id, affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", version,
               rules AS "rules: Column<Vec<Rule>>", effective_from, created_at
        FROM commission_plans
        WHERE campaign_id = ANY ($1)
          AND (affiliate_id IS NULL OR affiliate_id = ANY ($2))
        ORDER BY id
        "#,
        &campaigns,
        &affiliates
    )
    .fetch_all(db)
    .await
}

/// The versions of plans that hold at a moment or later, of campaigns in which somebody agreed that a rate moves: the
/// campaigns' own, and those of whoever agreed.
pub async fn plans_from(db: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<Plan>> {
    sqlx::query_as!(
        Plan,
        r#"
        SELECT counted.id AS "id!", counted.campaign_id AS "campaign_id!",
               counted.affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", counted.version AS "version!",
               counted.rules AS "rules!: Column<Vec<Rule>>", counted.effective_from AS "effective_from!",
               counted.created_at AS "created_at!"
        FROM (
            SELECT id, campaign_id, affiliate_id, version, rules, effective_from, created_at,
                   max(version) FILTER (WHERE effective_from <= $1)
                       OVER (PARTITION BY campaign_id, affiliate_id) AS holds
            FROM commission_plans
            WHERE campaign_id IN (SELECT rate_contracts.campaign_id FROM rate_contracts)
              AND (
                  affiliate_id IS NULL
                  OR EXISTS (
                      SELECT
                      FROM rate_contracts
                      WHERE rate_contracts.affiliate_id = commission_plans.affiliate_id
                        AND rate_contracts.campaign_id = commission_plans.campaign_id
                  )
              )
        ) AS counted
        WHERE counted.holds IS NULL OR counted.holds <= counted.version
        ORDER BY counted.id
        "#,
        now
    )
    .fetch_all(db)
    .await
}

/// Lets an affiliate take part in a campaign unless it does or was turned away, and says where it stands there.
pub async fn join(
    tx: &mut PgConnection,
    campaign: CampaignId,
    affiliate: AffiliateId,
    now: DateTime<Utc>,
) -> sqlx::Result<AffiliateStatus> {
    sqlx::query!(
        "
        INSERT INTO affiliate_campaigns (affiliate_id, campaign_id, joined_at)
        VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING
        ",
        affiliate.uuid(),
        campaign.uuid(),
        now
    )
    .execute(&mut *tx)
    .await?;
    let status = sqlx::query_scalar!(
        "
        SELECT status
        FROM affiliate_campaigns
        WHERE affiliate_id = $1 AND campaign_id = $2
        ",
        affiliate.uuid(),
        campaign.uuid()
    )
    .fetch_one(tx)
    .await?;
    status.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
