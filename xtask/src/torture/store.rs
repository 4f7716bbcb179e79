//! What the torture asks of the database: a small program, the clicks in it, and a lock on them.

use anyhow::Result;
use domain::ClickId;
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::audit::Stored;

/// One advertiser with a campaign, one affiliate with links of these codes.
pub(super) async fn create_program(db: &PgPool, click_param: &str, links: &[&str]) -> Result<()> {
    let [advertiser, affiliate, campaign] = [1, 2, 3].map(id);
    sqlx::query(
        "INSERT INTO advertisers (id, name, click_param, created_at) VALUES ($1, 'Shop', $2, 'epoch')",
    )
    .bind(advertiser)
    .bind(click_param)
    .execute(db)
    .await?;
    sqlx::query(
        "INSERT INTO affiliates (id, name, email, status, created_at, updated_at)
         VALUES ($1, 'Blog', 'blog@partners.example', 'approved', 'epoch', 'epoch')",
    )
    .bind(affiliate)
    .execute(db)
    .await?;
    sqlx::query(
        "INSERT INTO campaigns
             (id, advertiser_id, name, status, currency, landing_url, allowed_hosts, events, created_at, updated_at)
         VALUES ($1, $2, 'Tents', 'active', 'EUR', 'https://shop.example/', '{}', '[]', 'epoch', 'epoch')",
    )
    .bind(campaign)
    .bind(advertiser)
    .execute(db)
    .await?;
    for (number, code) in (10..).zip(links) {
        sqlx::query(
            "INSERT INTO links (id, code, affiliate_id, campaign_id, custom_params, created_at)
             VALUES ($1, $2, $3, $4, '{}', 'epoch')",
        )
        .bind(id(number))
        .bind(code)
        .bind(affiliate)
        .bind(campaign)
        .execute(db)
        .await?;
    }
    Ok(())
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0194_6000_0000_7000_8000_0000_0000_0000 + number)
}

/// Keeps everybody else from the clicks until it is dropped.
pub(super) async fn hold_clicks(db: &PgPool) -> Result<Transaction<'static, Postgres>> {
    let mut tx = db.begin().await?;
    sqlx::query("LOCK TABLE clicks IN ACCESS EXCLUSIVE MODE").execute(&mut *tx).await?;
    Ok(tx)
}

/// The clicks from this id on, in no order, with the number of the visit that each was.
pub(super) async fn clicks_since(db: &PgPool, from: Uuid) -> Result<Vec<Stored>> {
    let rows: Vec<(Uuid, Option<String>)> =
        sqlx::query_as("SELECT id, subs[1] FROM clicks WHERE $1 <= id").bind(from).fetch_all(db).await?;
    let stored =
        |(id, visit): (Uuid, Option<String>)| (ClickId::from(id), visit.and_then(|it| it.parse().ok()));
    Ok(rows.into_iter().map(stored).collect())
}

/// How many clicks are stored, and how many the links have counted, at one moment.
pub(super) async fn totals(db: &PgPool) -> Result<(u64, u64)> {
    let (stored, counted): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM clicks), (SELECT coalesce(sum(clicks), 0)::bigint FROM links)",
    )
    .fetch_one(db)
    .await?;
    Ok((stored.unsigned_abs(), counted.unsigned_abs()))
}
