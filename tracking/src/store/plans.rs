//! The terms that hold: the campaign, the version of its plan at a moment, and who stands above whom.

use chrono::{DateTime, Utc};
use domain::{
    AdvertiserId, AffiliateId, CampaignId, Currency,
    affiliate::AffiliateStatus,
    attribution::RuleName,
    campaign::{QualifyingEvent, WindowDays},
    commission::{Plan, Rule, Upline},
    hierarchy::LEVELS,
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{named, whole};

/// What a conversion needs to know of its campaign.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Which campaign.
    pub id: CampaignId,
    /// Whose it is.
    pub advertiser: AdvertiserId,
    /// The currency of amounts that name none.
    pub currency: Currency,
    /// What it pays for.
    pub events: Vec<QualifyingEvent>,
    /// How long after a click a conversion counts.
    pub window: WindowDays,
    /// How credit is divided.
    pub attribution: RuleName,
}

/// A campaign as it is read, by itself or with what leads to it.
pub(super) struct CampaignRow {
    pub id: Uuid,
    pub advertiser_id: Uuid,
    pub currency: String,
    pub events: Json<Vec<QualifyingEvent>>,
    pub window_days: i32,
    pub attribution: String,
}

impl TryFrom<CampaignRow> for Campaign {
    type Error = sqlx::Error;

    fn try_from(row: CampaignRow) -> Result<Self, sqlx::Error> {
        let window = WindowDays::try_from(i64::from(row.window_days));
        Ok(Self {
            id: row.id.into(),
            advertiser: row.advertiser_id.into(),
            currency: named(&row.currency)?,
            events: row.events.0,
            window: window.map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            attribution: named(&row.attribution)?,
        })
    }
}

/// The campaign, if there is one.
pub async fn campaign(db: &mut PgConnection, id: CampaignId) -> Result<Option<Campaign>, sqlx::Error> {
    let row = sqlx::query_as!(
        CampaignRow,
        r#"SELECT id, advertiser_id, currency, events AS "events: Json<Vec<QualifyingEvent>>", window_days,
                  attribution
           FROM campaigns
           WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(db)
    .await?;
    row.map(Campaign::try_from).transpose()
}

/// The plan that holds for an affiliate at a moment: its own override before the campaign's, each in its latest
/// version of that time. A sale before the first version has the first: it was made for such sales.
pub async fn plan(
    db: &mut PgConnection,
    campaign: CampaignId,
    affiliate: AffiliateId,
    at: DateTime<Utc>,
) -> Result<Option<Plan>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT id, version, rules AS "rules: Json<Vec<Rule>>"
           FROM commission_plans
           WHERE campaign_id = $1
             AND (affiliate_id = $2 OR affiliate_id IS NULL)
           ORDER BY
               affiliate_id IS NOT NULL AND effective_from <= $3 DESC,
               affiliate_id IS NULL DESC,
               effective_from <= $3 DESC,
               CASE WHEN effective_from <= $3 THEN version ELSE -version END DESC
           LIMIT 1"#,
        campaign.uuid(),
        affiliate.uuid(),
        at,
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Plan { id: row.id.into(), version: whole(row.version)?, rules: row.rules.0 }))
}

/// Where the affiliate stands, if it exists.
pub async fn affiliate_status(
    db: &mut PgConnection,
    affiliate: AffiliateId,
) -> Result<Option<AffiliateStatus>, sqlx::Error> {
    let status = sqlx::query_scalar!("SELECT status FROM affiliates WHERE id = $1", affiliate.uuid())
        .fetch_optional(db)
        .await?;
    status.as_deref().map(named).transpose()
}

/// Everybody above an affiliate who may share in what it earns, nearest first.
pub async fn upline(db: &mut PgConnection, affiliate: AffiliateId) -> Result<Vec<Upline>, sqlx::Error> {
    let levels = i32::try_from(LEVELS).unwrap_or(i32::MAX);
    let rows = sqlx::query!(
        r#"SELECT affiliates.id, affiliates.status = 'approved' AS "earns!"
           FROM affiliate_hierarchy
           JOIN affiliates ON affiliates.id = affiliate_hierarchy.ancestor_id
           WHERE affiliate_hierarchy.descendant_id = $1
             AND affiliate_hierarchy.depth BETWEEN 1 AND $2
           ORDER BY affiliate_hierarchy.depth"#,
        affiliate.uuid(),
        levels,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| Upline { affiliate: row.id.into(), earns: row.earns }).collect())
}
