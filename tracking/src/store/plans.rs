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

/// By what an affiliate is paid.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Where the affiliate stands, if it exists.
    pub status: Option<AffiliateStatus>,
    /// The plan that holds for it, if there is one.
    pub plan: Option<Plan>,
    /// Everybody above it who may share in what it earns, nearest first.
    pub upline: Vec<Upline>,
}

/// By what an affiliate is paid for a sale of a moment. Its own plan goes before the campaign's, each in its latest
/// version of that time. A sale before the first version has the first: it was made for such sales.
pub async fn standing(
    db: &mut PgConnection,
    campaign: CampaignId,
    affiliate: AffiliateId,
    at: DateTime<Utc>,
) -> Result<Standing, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT affiliates.status AS "status?", plan.id AS "plan_id?", plan.version AS "version?",
                  plan.rules AS "rules?: Json<Vec<Rule>>", above.ids AS "above!", above.earn AS "earn!"
           FROM (VALUES ($2::uuid)) AS credited (id)
           LEFT JOIN affiliates ON affiliates.id = credited.id
           LEFT JOIN (
               SELECT id, version, rules
               FROM commission_plans
               WHERE campaign_id = $1
                 AND (affiliate_id = $2 OR affiliate_id IS NULL)
               ORDER BY
                   affiliate_id IS NOT NULL AND effective_from <= $3 DESC,
                   affiliate_id IS NULL DESC,
                   effective_from <= $3 DESC,
                   CASE WHEN effective_from <= $3 THEN version ELSE -version END DESC
               LIMIT 1
           ) AS plan ON true
           CROSS JOIN (
               SELECT coalesce(array_agg(ancestors.id ORDER BY depth), '{}') AS ids,
                      coalesce(array_agg(ancestors.status = 'approved' ORDER BY depth), '{}') AS earn
               FROM affiliate_hierarchy
               JOIN affiliates AS ancestors ON ancestors.id = ancestor_id
               WHERE descendant_id = $2
                 AND depth BETWEEN 1 AND $4
           ) AS above"#,
        campaign.uuid(),
        affiliate.uuid(),
        at,
        i32::try_from(LEVELS).unwrap_or(i32::MAX),
    )
    .fetch_one(db)
    .await?;
    let plan = match (row.plan_id, row.version, row.rules) {
        (Some(id), Some(version), Some(rules)) => {
            Some(Plan { id: id.into(), version: whole(version)?, rules: rules.0 })
        }
        _ => None,
    };
    let above = row.above.into_iter().zip(row.earn);
    Ok(Standing {
        status: row.status.as_deref().map(named).transpose()?,
        plan,
        upline: above.map(|(id, earns)| Upline { affiliate: id.into(), earns }).collect(),
    })
}
