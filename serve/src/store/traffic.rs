//! What pages count of traffic: an affiliate's clicks by day, and where they and what they bring come from.
//!
//! Clicks are counted by hour and day as they are stored, so that no page reads them one by one, but where days begin within
//! an hour.

mod clicked;
#[cfg(test)]
mod tests;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{AffiliateId, ConversionId};
use sqlx::{PgConnection, types::Uuid};

use clicked::clicked;

/// Clicks of an affiliate, counted in one statement, so that none is stored in between.
#[derive(Debug)]
pub struct Clicks {
    /// Those from a moment on.
    pub since: i64,
    /// Those of all its links, of all times.
    pub ever: i64,
}

/// How many clicks an affiliate had from a moment on, and how many its links counted.
pub async fn clicks_since(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    since: DateTime<Utc>,
) -> sqlx::Result<Clicks> {
    if is_whole(since) {
        return sqlx::query_as!(
            Clicks,
            r#"
            SELECT COALESCE((SELECT sum(clicks) FROM affiliate_hours WHERE affiliate_id = $1 AND $2 <= hour), 0)::bigint
                       AS "since!",
                   COALESCE((SELECT sum(clicks) FROM links WHERE affiliate_id = $1), 0)::bigint AS "ever!"
            "#,
            affiliate.uuid(),
            since
        )
        .fetch_one(db)
        .await;
    }
    sqlx::query_as!(
        Clicks,
        r#"
        SELECT (SELECT count(*) FROM clicks WHERE affiliate_id = $1 AND uuid_v7_floor($2) <= id) AS "since!",
               COALESCE((SELECT sum(clicks) FROM links WHERE affiliate_id = $1), 0)::bigint AS "ever!"
        "#,
        affiliate.uuid(),
        since
    )
    .fetch_one(db)
    .await
}

/// Whether the counters by the hour know what happened from a moment on; where days begin within an hour, clicks are counted.
fn is_whole(moment: DateTime<Utc>) -> bool {
    moment.timestamp() % 3_600 == 0
}

/// Something counted on a day.
#[derive(Debug)]
pub struct OnDay {
    /// Which day, in the zone that was asked for.
    pub day: NaiveDate,
    /// How many.
    pub count: i64,
}

/// Clicks by day; of one affiliate or of all.
pub async fn clicks_by_day(
    db: &mut PgConnection,
    affiliate: Option<AffiliateId>,
    (from, before): (DateTime<Utc>, DateTime<Utc>),
    zone: &str,
) -> sqlx::Result<Vec<OnDay>> {
    match affiliate {
        Some(affiliate) if is_whole(from) && is_whole(before) => {
            sqlx::query_as!(
                OnDay,
                r#"
                SELECT (hour AT TIME ZONE $4)::date AS "day!", sum(clicks)::bigint AS "count!"
                FROM affiliate_hours
                WHERE affiliate_id = $1 AND $2 <= hour AND hour < $3
                GROUP BY 1
                ORDER BY 1
                "#,
                affiliate.uuid(),
                from,
                before,
                zone
            )
            .fetch_all(db)
            .await
        }
        None if is_whole(from) && is_whole(before) => {
            sqlx::query_as!(
                OnDay,
                r#"
                SELECT (hour AT TIME ZONE $3)::date AS "day!", sum(clicks)::bigint AS "count!"
                FROM campaign_hours
                WHERE $1 <= hour AND hour < $2
                GROUP BY 1
                ORDER BY 1
                "#,
                from,
                before,
                zone
            )
            .fetch_all(db)
            .await
        }
        affiliate => counted_by_day(db, affiliate, (from, before), zone).await,
    }
}

/// The same, click by click.
async fn counted_by_day(
    db: &mut PgConnection,
    affiliate: Option<AffiliateId>,
    (from, before): (DateTime<Utc>, DateTime<Utc>),
    zone: &str,
) -> sqlx::Result<Vec<OnDay>> {
    sqlx::query_as!(
        OnDay,
        r#"
        SELECT (occurred_at AT TIME ZONE $4)::date AS "day!", count(*) AS "count!"
        FROM clicks
        WHERE ($1::uuid IS NULL OR affiliate_id = $1) AND uuid_v7_floor($2) <= id AND id < uuid_v7_floor($3)
        GROUP BY 1
        ORDER BY 1
        "#,
        affiliate.map(AffiliateId::uuid),
        from,
        before,
        zone
    )
    .fetch_all(db)
    .await
}

/// By what clicks and what they bring are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Campaigns.
    Campaign,
    /// Landing pages.
    Page,
    /// One of the ten sub-ids, from 1 on.
    Sub(i32),
    /// What `utm_content` says, which names the material that a click came from.
    Material,
}

impl By {
    /// Its kind, and the number of the sub-id where it is one.
    fn named(self) -> (&'static str, i32) {
        match self {
            Self::Campaign => ("campaign", 1),
            Self::Page => ("page", 1),
            Self::Sub(number) => ("sub", number),
            Self::Material => ("material", 1),
        }
    }
}

/// What came from one place: its clicks and conversions, or what it earned in a currency.
#[derive(Debug)]
pub struct FromPlace {
    /// The campaign's name, the landing page, the sub-id, or what `utm_content` says; empty where it is not known.
    pub place: String,
    /// How many clicks.
    pub clicks: i64,
    /// How many conversions.
    pub conversions: i64,
    /// In which currency it earned; none in the line that counts clicks.
    pub currency: Option<String>,
    /// How much, in minor units.
    pub minor: i64,
}

/// An affiliate's clicks, conversions and commissions by where they come from. Of `utm_content` only what names one of these
/// materials is told: visitors may write anything.
pub async fn from_places(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    (by, materials): (By, &[String]),
    span: (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<Vec<FromPlace>> {
    let mut found = clicked(db, affiliate, (by, materials), span).await?;
    found.extend(brought(db, affiliate, (by, materials), span).await?);
    Ok(found)
}

/// Conversions and commissions by where they come from.
async fn brought(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    (by, materials): (By, &[String]),
    (from, before): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<Vec<FromPlace>> {
    let span = (ConversionId::floor(from).uuid(), ConversionId::floor(before).uuid());
    match by {
        By::Campaign | By::Page => brought_by_links(db, affiliate, by, span).await,
        By::Sub(number) => brought_by_labels(db, affiliate, (number, materials), span).await,
        By::Material => brought_by_labels(db, affiliate, (0, materials), span).await,
    }
}

/// By campaigns or by landing pages: shares and commissions are read from indexes alone, and added up before anything is
/// named.
async fn brought_by_links(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    by: By,
    (first, end): (Uuid, Uuid),
) -> sqlx::Result<Vec<FromPlace>> {
    let (kind, _) = by.named();
    sqlx::query_as!(
        FromPlace,
        r#"
        WITH credited AS (
            SELECT DISTINCT ON (conversion_id) conversion_id, link_id
            FROM conversion_shares
            WHERE affiliate_id = $1 AND $2 <= conversion_id AND conversion_id < $3
            ORDER BY conversion_id, share_ppm DESC, position
        ), counted AS (
            SELECT link_id, count(*) AS conversions, NULL AS currency, 0 AS minor
            FROM credited
            GROUP BY link_id
            UNION ALL
            SELECT credited.link_id, 0, commissions.currency, sum(commissions.amount_minor)
            FROM credited
            JOIN commissions ON commissions.conversion_id = credited.conversion_id
            WHERE commissions.affiliate_id = $1
              AND $2 <= commissions.conversion_id
              AND commissions.conversion_id < $3
            GROUP BY credited.link_id, commissions.currency
        )
        SELECT CASE $4 WHEN 'campaign' THEN campaigns.name
                       ELSE COALESCE(links.landing_url, campaigns.landing_url) END AS "place!",
               0::bigint AS "clicks!", sum(counted.conversions)::bigint AS "conversions!", counted.currency,
               sum(counted.minor)::bigint AS "minor!"
        FROM counted
        JOIN links ON links.id = counted.link_id
        JOIN campaigns ON campaigns.id = links.campaign_id
        GROUP BY 1, counted.currency
        "#,
        affiliate.uuid(),
        first,
        end,
        kind
    )
    .fetch_all(db)
    .await
}

/// By one of the sub-ids, or by materials where its number is 0: by what is kept with the shares of the credit, and by clicks
/// where an earlier release kept none of it.
async fn brought_by_labels(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    (number, materials): (i32, &[String]),
    (first, end): (Uuid, Uuid),
) -> sqlx::Result<Vec<FromPlace>> {
    sqlx::query_as!(
        FromPlace,
        r#"
        WITH credited AS MATERIALIZED (
            SELECT DISTINCT ON (conversion_id) conversion_id, click_id, subs, material
            FROM conversion_shares
            WHERE affiliate_id = $1 AND $2 <= conversion_id AND conversion_id < $3
            ORDER BY conversion_id, share_ppm DESC, position
        ), labelled AS (
            SELECT conversion_id, CASE WHEN $4::int = 0 THEN material ELSE subs ->> ($4 - 1) END AS label
            FROM credited
            WHERE subs IS NOT NULL
            UNION ALL
            SELECT credited.conversion_id, CASE WHEN $4 = 0 THEN clicks.utm[5] ELSE clicks.subs[$4] END
            FROM credited
            LEFT JOIN clicks ON clicks.id = credited.click_id
            WHERE credited.subs IS NULL
        ), placed AS (
            SELECT conversion_id, COALESCE(CASE WHEN $4 <> 0 OR label = ANY ($5) THEN label END, '') AS place
            FROM labelled
        )
        SELECT place AS "place!", 0::bigint AS "clicks!", count(*) AS "conversions!", NULL AS currency,
               0::bigint AS "minor!"
        FROM placed
        GROUP BY place
        UNION ALL
        SELECT placed.place, 0, 0, commissions.currency, sum(commissions.amount_minor)::bigint
        FROM placed
        JOIN commissions ON commissions.conversion_id = placed.conversion_id
        WHERE commissions.affiliate_id = $1
          AND $2 <= commissions.conversion_id
          AND commissions.conversion_id < $3
        GROUP BY placed.place, commissions.currency
        "#,
        affiliate.uuid(),
        first,
        end,
        number,
        materials
    )
    .fetch_all(db)
    .await
}
