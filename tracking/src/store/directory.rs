//! Campaigns and links, as the redirect needs them: all of them, or those that have changed.

use sqlx::{Executor, PgConnection};
use uuid::Uuid;

use crate::directory::{CampaignEntry, Changes, Contents, LinkEntry, Seen};

/// After so many transactions changes may have been forgotten, and everything must be loaded again; the worker
/// forgets twice as late.
const MEMORY: i64 = 500_000;

/// Everything, as it was at one moment, and which moment; to be called first in a transaction of its own.
///
/// # Errors
/// When the database does not answer.
pub async fn load(db: &mut PgConnection) -> Result<(Contents, Seen), sqlx::Error> {
    db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let oldest_open = oldest_open(db).await?;
    let included = sqlx::query_scalar!(
        "SELECT DISTINCT changed_in FROM directory_changes WHERE $1 <= changed_in ORDER BY changed_in",
        oldest_open
    );
    let seen = Seen { oldest_open, included: included.fetch_all(&mut *db).await? };
    let campaigns = campaigns(db, None).await?;
    Ok((Contents { campaigns, links: links(db, None).await? }, seen))
}

/// What has changed since a moment; nothing when that cannot be told any more. To be called first in a transaction
/// of its own.
///
/// # Errors
/// When the database does not answer.
pub async fn changes(db: &mut PgConnection, since: &Seen) -> Result<Option<Changes>, sqlx::Error> {
    db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let oldest_open = oldest_open(db).await?;
    if !(since.oldest_open..=since.oldest_open + MEMORY).contains(&oldest_open) {
        return Ok(None);
    }
    let mut changes = Changes {
        seen: Seen { oldest_open, included: since.included.clone() },
        campaigns: Vec::new(),
        links: Vec::new(),
        contents: Contents::default(),
    };
    let changed = sqlx::query!(
        "SELECT changed_in, kind, id
         FROM directory_changes
         WHERE $1 <= changed_in
           AND changed_in <> ALL ($2)",
        since.oldest_open,
        &since.included,
    )
    .fetch_all(&mut *db)
    .await?;
    let (mut advertisers, mut affiliates) = (Vec::new(), Vec::new());
    for row in changed {
        changes.seen.included.push(row.changed_in);
        match row.kind.as_str() {
            "advertiser" => advertisers.push(row.id),
            "affiliate" => affiliates.push(row.id),
            "campaign" => changes.campaigns.push(row.id.into()),
            _ => changes.links.push(row.id.into()),
        }
    }
    changes.seen.included.retain(|transaction| oldest_open <= *transaction);
    changes.seen.included.sort_unstable();
    changes.seen.included.dedup();
    let asked: Vec<Uuid> = changes.campaigns.iter().map(|id| id.uuid()).collect();
    if !asked.is_empty() || !advertisers.is_empty() {
        changes.contents.campaigns = campaigns(db, Some((&asked, &advertisers))).await?;
    }
    let campaigns: Vec<Uuid> = changes.contents.campaigns.iter().map(|campaign| campaign.id.uuid()).collect();
    let asked: Vec<Uuid> = changes.links.iter().map(|id| id.uuid()).collect();
    if !asked.is_empty() || !affiliates.is_empty() || !campaigns.is_empty() {
        changes.contents.links = links(db, Some((&asked, &affiliates, &campaigns))).await?;
    }
    Ok(Some(changes))
}

/// The oldest transaction that has not ended: of all younger ones, some may still be to come.
async fn oldest_open(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "oldest!""#)
        .fetch_one(db)
        .await
}

/// Forgets changes that no tracker asks for any more; says how many.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_changes(db: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let before = oldest_open(db).await? - 2 * MEMORY;
    let forgotten = sqlx::query!("DELETE FROM directory_changes WHERE changed_in < $1", before);
    Ok(forgotten.execute(db).await?.rows_affected())
}

/// All campaigns, or some by their ids and by those of their advertisers.
async fn campaigns(
    db: &mut PgConnection,
    some: Option<(&[Uuid], &[Uuid])>,
) -> Result<Vec<CampaignEntry>, sqlx::Error> {
    let (ids, advertisers) = some.unwrap_or_default();
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
         WHERE $1
            OR campaigns.id = ANY ($2)
            OR campaigns.advertiser_id = ANY ($3)
         ORDER BY campaigns.id",
        some.is_none(),
        ids,
        advertisers,
    )
    .fetch_all(db)
    .await
}

/// All links, or some by their ids, by those of their affiliates, and by those of their campaigns.
async fn links(
    db: &mut PgConnection,
    some: Option<(&[Uuid], &[Uuid], &[Uuid])>,
) -> Result<Vec<LinkEntry>, sqlx::Error> {
    let (ids, affiliates, campaigns) = some.unwrap_or_default();
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
           WHERE $1
              OR links.id = ANY ($2)
              OR links.affiliate_id = ANY ($3)
              OR links.campaign_id = ANY ($4)
           ORDER BY links.id"#,
        some.is_none(),
        ids,
        affiliates,
        campaigns,
    )
    .fetch_all(db)
    .await
}
