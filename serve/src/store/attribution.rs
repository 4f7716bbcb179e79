//! What clicks and links say when somebody asks how credit would be divided.

use chrono::{DateTime, Utc};
use domain::{AffiliateId, CampaignId, ClickId, LinkId, click::Device};
use sqlx::PgConnection;

use super::columns::Column;

/// A click, as far as credit looks at it.
#[derive(Clone, Debug)]
pub struct Clicked {
    /// Which.
    pub id: ClickId,
    /// On which link.
    pub link_id: LinkId,
    /// Whose link it is.
    pub affiliate_id: AffiliateId,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// What the affiliate says of where it comes from.
    pub source: String,
    /// What the visitor clicked on.
    pub device: Device,
}

/// These clicks, as far as they are kept.
pub async fn clicks(db: &mut PgConnection, ids: &[ClickId]) -> sqlx::Result<Vec<Clicked>> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        Clicked,
        r#"
        SELECT id, link_id, affiliate_id, campaign_id, occurred_at, source, device AS "device: Column<Device>"
        FROM clicks
        WHERE id = ANY ($1)
        "#,
        &ids
    )
    .fetch_all(db)
    .await
}

/// Whose a link is.
#[derive(Clone, Debug)]
pub struct Owned {
    /// The link.
    pub id: LinkId,
    /// Whose it is.
    pub affiliate_id: AffiliateId,
    /// In which campaign.
    pub campaign_id: CampaignId,
}

/// Whose these links are.
pub async fn links(db: &mut PgConnection, ids: &[LinkId]) -> sqlx::Result<Vec<Owned>> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(Owned, "SELECT id, affiliate_id, campaign_id FROM links WHERE id = ANY ($1)", &ids)
        .fetch_all(db)
        .await
}
