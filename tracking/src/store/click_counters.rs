//! Clicks counted by hour and by day, for pages that would otherwise read them one by one.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{MaterialId, click::Click};
use sqlx::PgConnection;
use uuid::Uuid;

/// An hour in microseconds.
const HOUR_US: i64 = 3_600_000_000;
/// The tag that is the material; sub-ids are numbered from 1.
const MATERIAL: i16 = 0;

/// How many clicks there are of each kind. Keys lie in the order of the tables' own, which is one for all trackers; hours are
/// in microseconds.
#[derive(Default)]
struct Counted<'a> {
    /// By affiliate, hour and link.
    links: BTreeMap<(Uuid, i64, Uuid), i64>,
    /// By hour and campaign.
    campaigns: BTreeMap<(i64, Uuid), i64>,
    /// By affiliate, tag, hour and value.
    tags: BTreeMap<(Uuid, i16, i64, &'a str), i64>,
}

/// Raises the counters of the hours and days in which the clicks happened: of links, campaigns, affiliates, and of what came
/// with the clicks. Whoever does has locked the links; of campaigns there are several rows, so that few wait for each other.
/// Tables and rows are raised in one order by all trackers, so that two of them never wait for each other.
pub(super) async fn raise(db: &mut PgConnection, clicks: &[&Click]) -> Result<(), sqlx::Error> {
    let counted = Counted::of(clicks);
    raise_link_hours(db, &counted).await?;
    raise_campaign_hours(db, &counted).await?;
    raise_affiliate_hours(db, &counted).await?;
    raise_link_days(db, &counted).await?;
    raise_tag_hours(db, &counted).await
}

impl<'a> Counted<'a> {
    fn of(clicks: &[&'a Click]) -> Self {
        let mut counted = Self::default();
        for &click in clicks {
            let hour = click.occurred_at_us.div_euclid(HOUR_US) * HOUR_US;
            let affiliate = click.affiliate.uuid();
            *counted.links.entry((affiliate, hour, click.link.uuid())).or_default() += 1;
            *counted.campaigns.entry((hour, click.campaign.uuid())).or_default() += 1;
            for (tag, value) in tags(click) {
                *counted.tags.entry((affiliate, tag, hour, value)).or_default() += 1;
            }
        }
        counted
    }
}

/// What of a click is counted as a tag, as the database's `click_tags` says it: sub-ids that are not empty, and the material.
fn tags(click: &Click) -> impl Iterator<Item = (i16, &str)> {
    let content = click.tags.utm[4].as_str();
    let material = MaterialId::is_printed(content).then_some((MATERIAL, content));
    let subs = (1_i16..).zip(click.tags.subs.iter().map(String::as_str));
    material.into_iter().chain(subs.filter(|(_, sub)| !sub.is_empty()))
}

fn moment(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or_default()
}

async fn raise_link_hours(db: &mut PgConnection, counted: &Counted<'_>) -> Result<(), sqlx::Error> {
    let links = &counted.links;
    let affiliates: Vec<Uuid> = links.keys().map(|(affiliate, ..)| *affiliate).collect();
    let hours: Vec<DateTime<Utc>> = links.keys().map(|(_, hour, _)| moment(*hour)).collect();
    let ids: Vec<Uuid> = links.keys().map(|(.., link)| *link).collect();
    sqlx::query!(
        "INSERT INTO link_hours (affiliate_id, hour, link_id, clicks)
         SELECT affiliate_id, hour, link_id, clicks
         FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::bigint[]) AS new (affiliate_id, hour, link_id, clicks)
         ON CONFLICT (affiliate_id, hour, link_id) DO UPDATE SET clicks = link_hours.clicks + excluded.clicks",
        &affiliates,
        &hours,
        &ids,
        &links.values().copied().collect::<Vec<i64>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn raise_campaign_hours(db: &mut PgConnection, counted: &Counted<'_>) -> Result<(), sqlx::Error> {
    let campaigns = &counted.campaigns;
    let (hours, ids): (Vec<DateTime<Utc>>, Vec<Uuid>) =
        campaigns.keys().map(|(hour, campaign)| (moment(*hour), *campaign)).unzip();
    sqlx::query!(
        "INSERT INTO campaign_hours (hour, campaign_id, shard, clicks)
         SELECT hour, campaign_id, pg_backend_pid() % 8, clicks
         FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[]) AS new (hour, campaign_id, clicks)
         ON CONFLICT (hour, campaign_id, shard) DO UPDATE SET clicks = campaign_hours.clicks + excluded.clicks",
        &hours,
        &ids,
        &campaigns.values().copied().collect::<Vec<i64>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn raise_affiliate_hours(db: &mut PgConnection, counted: &Counted<'_>) -> Result<(), sqlx::Error> {
    let mut sums: BTreeMap<(Uuid, i64), i64> = BTreeMap::new();
    for ((affiliate, hour, _), clicks) in &counted.links {
        *sums.entry((*affiliate, *hour)).or_default() += clicks;
    }
    let (affiliates, hours): (Vec<Uuid>, Vec<DateTime<Utc>>) =
        sums.keys().map(|(affiliate, hour)| (*affiliate, moment(*hour))).unzip();
    sqlx::query!(
        "INSERT INTO affiliate_hours (affiliate_id, hour, clicks)
         SELECT affiliate_id, hour, clicks
         FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[]) AS new (affiliate_id, hour, clicks)
         ON CONFLICT (affiliate_id, hour) DO UPDATE SET clicks = affiliate_hours.clicks + excluded.clicks",
        &affiliates,
        &hours,
        &sums.into_values().collect::<Vec<i64>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn raise_link_days(db: &mut PgConnection, counted: &Counted<'_>) -> Result<(), sqlx::Error> {
    let mut sums: BTreeMap<(Uuid, NaiveDate, Uuid), i64> = BTreeMap::new();
    for ((affiliate, hour, link), clicks) in &counted.links {
        *sums.entry((*affiliate, moment(*hour).date_naive(), *link)).or_default() += clicks;
    }
    let affiliates: Vec<Uuid> = sums.keys().map(|(affiliate, ..)| *affiliate).collect();
    let days: Vec<NaiveDate> = sums.keys().map(|(_, day, _)| *day).collect();
    let ids: Vec<Uuid> = sums.keys().map(|(.., link)| *link).collect();
    sqlx::query!(
        "INSERT INTO link_days (affiliate_id, day, link_id, clicks)
         SELECT affiliate_id, day, link_id, clicks
         FROM unnest($1::uuid[], $2::date[], $3::uuid[], $4::bigint[]) AS new (affiliate_id, day, link_id, clicks)
         ON CONFLICT (affiliate_id, day, link_id) DO UPDATE SET clicks = link_days.clicks + excluded.clicks",
        &affiliates,
        &days,
        &ids,
        &sums.into_values().collect::<Vec<i64>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Most clicks come with nothing; then there is nothing to write.
async fn raise_tag_hours(db: &mut PgConnection, counted: &Counted<'_>) -> Result<(), sqlx::Error> {
    let tags = &counted.tags;
    if tags.is_empty() {
        return Ok(());
    }
    let affiliates: Vec<Uuid> = tags.keys().map(|(affiliate, ..)| *affiliate).collect();
    let numbers: Vec<i16> = tags.keys().map(|(_, tag, ..)| *tag).collect();
    let hours: Vec<DateTime<Utc>> = tags.keys().map(|(_, _, hour, _)| moment(*hour)).collect();
    let values: Vec<&str> = tags.keys().map(|(.., value)| *value).collect();
    sqlx::query!(
        "INSERT INTO tag_hours (affiliate_id, tag, hour, value, clicks)
         SELECT affiliate_id, tag, hour, value, clicks
         FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::text[], $5::bigint[])
              AS new (affiliate_id, tag, hour, value, clicks)
         ON CONFLICT (affiliate_id, tag, hour, value) DO UPDATE SET clicks = tag_hours.clicks + excluded.clicks",
        &affiliates,
        &numbers,
        &hours,
        &values as &[&str],
        &tags.values().copied().collect::<Vec<i64>>()
    )
    .execute(db)
    .await?;
    Ok(())
}
