//! Campaigns and links, as the redirect needs them.

use sqlx::{Executor, PgConnection};

use crate::directory::{CampaignEntry, Contents, LinkEntry};

/// Everything, as it was at one moment; to be called first in a transaction of its own.
///
/// # Errors
/// When the database does not answer.
pub async fn load(db: &mut PgConnection) -> Result<Contents, sqlx::Error> {
    db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    Ok(Contents { campaigns: campaigns(db).await?, links: links(db).await? })
}

async fn campaigns(db: &mut PgConnection) -> Result<Vec<CampaignEntry>, sqlx::Error> {
    sqlx::query_as!(
        CampaignEntry,
        "SELECT campaigns.id,
                campaigns.advertiser_id AS advertiser,
                advertisers.click_param,
                campaigns.status,
                campaigns.landing_url,
                campaigns.allowed_hosts,
                campaigns.fallback_url,
                campaigns.cookie_days
         FROM campaigns
         JOIN advertisers ON advertisers.id = campaigns.advertiser_id
         ORDER BY campaigns.id"
    )
    .fetch_all(db)
    .await
}

async fn links(db: &mut PgConnection) -> Result<Vec<LinkEntry>, sqlx::Error> {
    sqlx::query_as!(
        LinkEntry,
        r#"SELECT links.id,
                  links.code,
                  links.affiliate_id AS affiliate,
                  links.campaign_id AS campaign,
                  links.landing_url,
                  ARRAY(SELECT key FROM jsonb_each_text(links.custom_params) ORDER BY key) AS "param_names!",
                  ARRAY(
                      SELECT coalesce(value, '') FROM jsonb_each_text(links.custom_params) ORDER BY key
                  ) AS "param_values!",
                  affiliates.status = 'approved'
                      AND coalesce(affiliate_campaigns.status, 'approved') = 'approved' AS "takes_part!"
           FROM links
           JOIN affiliates ON affiliates.id = links.affiliate_id
           LEFT JOIN affiliate_campaigns
               ON affiliate_campaigns.affiliate_id = links.affiliate_id
               AND affiliate_campaigns.campaign_id = links.campaign_id
           ORDER BY links.id"#
    )
    .fetch_all(db)
    .await
}
