//! What pages count of traffic: an affiliate's clicks by day, and where they and what they bring come from.
//!
//! Clicks are counted by the hour as they are stored, so that no page reads them one by one, but where days begin within
//! an hour or sub-ids are asked for.

use chrono::{DateTime, NaiveDate, Utc};
use domain::AffiliateId;
use sqlx::PgConnection;

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
            SELECT COALESCE((SELECT sum(clicks) FROM link_hours WHERE affiliate_id = $1 AND $2 <= hour), 0)::bigint
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
                FROM link_hours
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

/// Clicks by where they come from: by the counters of links, and one by one for sub-ids and materials, which those do not
/// know.
async fn clicked(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    (by, materials): (By, &[String]),
    (from, before): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<Vec<FromPlace>> {
    let (kind, number) = by.named();
    let is_counted = matches!(by, By::Campaign | By::Page) && is_whole(from) && is_whole(before);
    sqlx::query_as!(
        FromPlace,
        r#"
        WITH counted AS (
            SELECT link_id, NULL AS sub, sum(clicks) AS clicks
            FROM link_hours
            WHERE $6 AND affiliate_id = $1 AND $2 <= hour AND hour < $3
            GROUP BY 1
            UNION ALL
            SELECT link_id, CASE WHEN $4 = 'sub' THEN subs[$5] WHEN $4 = 'material' AND utm[5] = ANY ($7) THEN utm[5] END, count(*)
            FROM clicks
            WHERE NOT $6 AND affiliate_id = $1 AND uuid_v7_floor($2) <= id AND id < uuid_v7_floor($3)
            GROUP BY 1, 2
        ), placed AS (
            SELECT CASE $4 WHEN 'campaign' THEN campaigns.name
                           WHEN 'page' THEN COALESCE(links.landing_url, campaigns.landing_url)
                           ELSE counted.sub END AS place,
                   counted.clicks
            FROM counted
            JOIN links ON links.id = counted.link_id
            JOIN campaigns ON campaigns.id = links.campaign_id
        )
        SELECT COALESCE(place, '') AS "place!", sum(clicks)::bigint AS "clicks!", 0::bigint AS "conversions!",
               NULL AS currency, 0::bigint AS "minor!"
        FROM placed
        GROUP BY place
        "#,
        affiliate.uuid(),
        from,
        before,
        kind,
        number,
        is_counted,
        materials
    )
    .fetch_all(db)
    .await
}

/// Conversions and commissions by where they come from.
async fn brought(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    (by, materials): (By, &[String]),
    (from, before): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<Vec<FromPlace>> {
    let (kind, number) = by.named();
    sqlx::query_as!(
        FromPlace,
        r#"
        WITH credited AS (
            SELECT DISTINCT ON (conversion_id) conversion_id, link_id, click_id
            FROM conversion_shares
            WHERE affiliate_id = $1 AND uuid_v7_floor($2) <= conversion_id AND conversion_id < uuid_v7_floor($3)
            ORDER BY conversion_id, share_ppm DESC, position
        ), placed AS (
            SELECT credited.conversion_id,
                   CASE $4 WHEN 'campaign' THEN campaigns.name
                           WHEN 'page' THEN COALESCE(links.landing_url, campaigns.landing_url)
                           WHEN 'material' THEN CASE WHEN clicks.utm[5] = ANY ($6) THEN clicks.utm[5] END
                           ELSE clicks.subs[$5] END AS place
            FROM credited
            JOIN links ON links.id = credited.link_id
            JOIN campaigns ON campaigns.id = links.campaign_id
            LEFT JOIN clicks ON $4 IN ('sub', 'material') AND clicks.id = credited.click_id
        )
        SELECT COALESCE(place, '') AS "place!", 0::bigint AS "clicks!", count(*) AS "conversions!",
               NULL AS currency, 0::bigint AS "minor!"
        FROM placed
        GROUP BY place
        UNION ALL
        SELECT COALESCE(placed.place, ''), 0, 0, commissions.currency, sum(commissions.amount_minor)::bigint
        FROM placed
        JOIN commissions ON commissions.conversion_id = placed.conversion_id AND commissions.affiliate_id = $1
        GROUP BY placed.place, commissions.currency
        "#,
        affiliate.uuid(),
        from,
        before,
        kind,
        number,
        materials
    )
    .fetch_all(db)
    .await
}
