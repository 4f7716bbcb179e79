//! Clicks by where they come from: from counters, and one by one only where days begin within an hour.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use domain::AffiliateId;
use sqlx::PgConnection;

use super::{By, FromPlace, is_whole};

/// Clicks of an affiliate by where they come from.
pub(super) async fn clicked(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    (by, materials): (By, &[String]),
    span: (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<Vec<FromPlace>> {
    if !is_whole(span.0) || !is_whole(span.1) {
        return one_by_one(db, affiliate, (by, materials), span).await;
    }
    match by {
        By::Campaign | By::Page => of_links(db, affiliate, by, span).await,
        By::Sub(number) => of_tags(db, affiliate, (number, materials), span).await,
        By::Material => of_tags(db, affiliate, (0, materials), span).await,
    }
}

/// A span as counters know it: whole days of UTC, and the hours before and after them.
#[derive(Debug)]
struct Parts {
    /// The hours before the first whole day end here.
    head_ends: DateTime<Utc>,
    /// The first whole day, and the day after the last one; the same day where there is none.
    days: (NaiveDate, NaiveDate),
    /// The hours after the last whole day begin here.
    tail_begins: DateTime<Utc>,
}

impl Parts {
    fn of((from, before): (DateTime<Utc>, DateTime<Utc>)) -> Self {
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let (begun, behind) = (from.date_naive(), before.date_naive());
        let first = if from == midnight(begun) { begun } else { begun.succ_opt().unwrap_or(begun) };
        if behind <= first {
            return Self { head_ends: before, days: (behind, behind), tail_begins: before };
        }
        Self { head_ends: midnight(first), days: (first, behind), tail_begins: midnight(behind) }
    }
}

/// By campaign or page, which a link has one of each.
async fn of_links(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    by: By,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<Vec<FromPlace>> {
    let (kind, _) = by.named();
    let Parts { head_ends, days, tail_begins } = Parts::of(span);
    sqlx::query_as!(
        FromPlace,
        r#"
        WITH counted AS (
            SELECT link_id, sum(clicks) AS clicks
            FROM (
                SELECT link_id, clicks
                FROM link_days
                WHERE affiliate_id = $1 AND $2 <= day AND day < $3
                UNION ALL
                SELECT link_id, clicks
                FROM link_hours
                WHERE affiliate_id = $1 AND $4 <= hour AND hour < $5
                UNION ALL
                SELECT link_id, clicks
                FROM link_hours
                WHERE affiliate_id = $1 AND $6 <= hour AND hour < $7
            ) AS parts
            GROUP BY link_id
        ), placed AS (
            SELECT CASE $8 WHEN 'campaign' THEN campaigns.name
                           ELSE COALESCE(links.landing_url, campaigns.landing_url) END AS place,
                   counted.clicks
            FROM counted
            JOIN links ON links.id = counted.link_id
            JOIN campaigns ON campaigns.id = links.campaign_id
        )
        SELECT place AS "place!", sum(clicks)::bigint AS "clicks!", 0::bigint AS "conversions!",
               NULL AS currency, 0::bigint AS "minor!"
        FROM placed
        GROUP BY place
        "#,
        affiliate.uuid(),
        days.0,
        days.1,
        span.0,
        head_ends,
        tail_begins,
        span.1,
        kind
    )
    .fetch_all(db)
    .await
}

/// By sub-id, or by material, which is tag 0 and told only where it is one of these. What came without is all that is left.
async fn of_tags(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    (tag, materials): (i32, &[String]),
    (from, before): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<Vec<FromPlace>> {
    sqlx::query_as!(
        FromPlace,
        r#"
        WITH told AS (
            SELECT value, sum(clicks)::bigint AS clicks
            FROM tag_hours
            WHERE affiliate_id = $1 AND tag = $2::int AND $3 <= hour AND hour < $4
              AND (tag <> 0 OR value = ANY ($5))
            GROUP BY value
        ), untold AS (
            SELECT COALESCE((
                       SELECT sum(clicks)
                       FROM affiliate_hours
                       WHERE affiliate_id = $1 AND $3 <= hour AND hour < $4
                   ), 0) - COALESCE((SELECT sum(clicks) FROM told), 0) AS clicks
        )
        SELECT value AS "place!", clicks AS "clicks!", 0::bigint AS "conversions!", NULL AS currency, 0::bigint AS "minor!"
        FROM told
        UNION ALL
        SELECT '', clicks::bigint, 0, NULL, 0
        FROM untold
        WHERE 0 < clicks
        "#,
        affiliate.uuid(),
        tag,
        from,
        before,
        materials
    )
    .fetch_all(db)
    .await
}

/// From the clicks themselves.
pub(super) async fn one_by_one(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    (by, materials): (By, &[String]),
    (from, before): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<Vec<FromPlace>> {
    let (kind, number) = by.named();
    sqlx::query_as!(
        FromPlace,
        r#"
        WITH counted AS (
            SELECT link_id,
                   CASE WHEN $4 = 'sub' THEN subs[$5]
                        WHEN $4 = 'material' AND utm[5] = ANY ($6) THEN utm[5] END AS tag,
                   count(*) AS clicks
            FROM clicks
            WHERE affiliate_id = $1 AND uuid_v7_floor($2) <= id AND id < uuid_v7_floor($3)
            GROUP BY 1, 2
        ), placed AS (
            SELECT CASE $4 WHEN 'campaign' THEN campaigns.name
                           WHEN 'page' THEN COALESCE(links.landing_url, campaigns.landing_url)
                           ELSE counted.tag END AS place,
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
        materials
    )
    .fetch_all(db)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, before: &str, expected: &str) {
        let (from, before) = (from.parse().unwrap(), before.parse().unwrap());
        let Parts { head_ends, days: (first, behind), tail_begins } = Parts::of((from, before));
        let hours = (head_ends - from).num_hours() + (before - tail_begins).num_hours();
        assert_eq!(format!("{first}..{behind} and {hours} hours"), expected);
        assert_eq!(hours + 24 * (behind - first).num_days(), (before - from).num_hours());
    }

    #[test]
    fn a_span_is_its_whole_days_of_utc_and_the_hours_at_its_edges() {
        check("2026-02-01T00:00:00Z", "2026-02-03T00:00:00Z", "2026-02-01..2026-02-03 and 0 hours");
        check("2026-02-01T23:00:00Z", "2026-02-04T23:00:00Z", "2026-02-02..2026-02-04 and 24 hours");
        check("2026-02-01T05:00:00Z", "2026-02-03T05:00:00Z", "2026-02-02..2026-02-03 and 24 hours");
        check("2026-02-01T05:00:00Z", "2026-02-02T05:00:00Z", "2026-02-02..2026-02-02 and 24 hours");
        check("2026-02-01T00:00:00Z", "2026-02-01T05:00:00Z", "2026-02-01..2026-02-01 and 5 hours");
        check("2026-02-01T05:00:00Z", "2026-02-01T07:00:00Z", "2026-02-01..2026-02-01 and 2 hours");
    }
}
