//! Clicks: many at once, each stored once however often it comes.

use std::net::IpAddr;

use chrono::NaiveDate;
use domain::click::Click;
use sqlx::{Executor, PgConnection};
use uuid::Uuid;

/// Microseconds from the Unix epoch to Postgres's own, the year 2000.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;
/// Begins every binary COPY: a signature, no flags, no extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const COPY_END: i16 = -1;
const COLUMNS: i16 = 18;
/// Postgres's number for the type `text`.
const TEXT: i32 = 25;

/// Makes sure that clicks of a day have a place.
///
/// # Errors
/// When the database does not answer.
pub async fn ensure_partition(db: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT ensure_click_partition($1)", day).execute(db).await?;
    Ok(())
}

/// Stores those of the clicks that are not stored yet, raises the counters of their links by exactly as many, and
/// says how many they were.
///
/// # Errors
/// When the database does not answer, or a click's day has no partition.
pub async fn insert(db: &mut PgConnection, clicks: &[Click]) -> Result<u64, sqlx::Error> {
    // A temporary table belongs to the connection and is emptied by the commit. Queries that name it cannot be
    // checked at compile time, because it is not in the schema.
    db.execute(
        "SET LOCAL client_min_messages = warning;
         CREATE TEMPORARY TABLE IF NOT EXISTS arriving_clicks (LIKE clicks) ON COMMIT DELETE ROWS",
    )
    .await?;
    let mut copy = db
        .copy_in_raw(
            "COPY arriving_clicks (
                 id, occurred_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, subs, source, uid,
                 external_click_id, utm, address_hash, network, country, device, user_agent, referrer
             ) FROM STDIN (FORMAT binary)",
        )
        .await?;
    if let Err(error) = copy.send(rows(clicks)).await {
        return Err(copy.abort("the rows could not be sent").await.err().unwrap_or(error));
    }
    copy.finish().await?;
    lock_links(db, clicks).await?;
    let inserted: i64 = sqlx::query_scalar(
        "WITH inserted AS (
             INSERT INTO clicks (
                 id, occurred_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, subs, source, uid,
                 external_click_id, utm, address_hash, network, country, device, user_agent, referrer
             )
             SELECT id, occurred_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, subs, source, uid,
                    external_click_id, utm, address_hash, network, country, device, user_agent, referrer
             FROM arriving_clicks
             ON CONFLICT DO NOTHING
             RETURNING link_id
         ),
         counted AS (
             SELECT link_id, count(*) AS clicks
             FROM inserted
             GROUP BY link_id
         ),
         raised AS (
             UPDATE links
             SET clicks = links.clicks + counted.clicks
             FROM counted
             WHERE links.id = counted.link_id
         )
         SELECT coalesce(sum(clicks), 0)::bigint
         FROM counted",
    )
    .fetch_one(db)
    .await?;
    Ok(inserted.unsigned_abs())
}

/// Locks the links in one order for all trackers, so that two of them never wait for each other.
async fn lock_links(db: &mut PgConnection, clicks: &[Click]) -> Result<(), sqlx::Error> {
    let mut links: Vec<Uuid> = clicks.iter().map(|click| click.link.uuid()).collect();
    links.sort_unstable();
    links.dedup();
    sqlx::query!("SELECT id FROM links WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", &links)
        .fetch_all(db)
        .await?;
    Ok(())
}

/// The clicks in Postgres's binary form of COPY.
fn rows(clicks: &[Click]) -> Vec<u8> {
    let mut rows = Rows(Vec::with_capacity(clicks.len() * 512));
    rows.0.extend_from_slice(COPY_HEADER);
    for click in clicks {
        rows.push(click);
    }
    rows.0.extend_from_slice(&COPY_END.to_be_bytes());
    rows.0
}

struct Rows(Vec<u8>);

impl Rows {
    fn push(&mut self, click: &Click) {
        self.0.extend_from_slice(&COLUMNS.to_be_bytes());
        self.field(click.id.uuid().as_bytes());
        self.field(&(click.occurred_at_us - POSTGRES_EPOCH_US).to_be_bytes());
        self.field(click.link.uuid().as_bytes());
        self.field(click.affiliate.uuid().as_bytes());
        self.field(click.campaign.uuid().as_bytes());
        self.field(click.advertiser.uuid().as_bytes());
        self.field(click.session.uuid().as_bytes());
        self.texts(&click.tags.subs);
        self.field(click.tags.source.as_bytes());
        self.field(click.tags.uid.as_bytes());
        self.field(click.tags.external_click_id.as_bytes());
        self.texts(&click.tags.utm);
        self.field(&click.address_hash);
        self.network(click.network);
        self.field(click.country.as_bytes());
        self.field(click.device.name().as_bytes());
        self.field(click.user_agent.as_bytes());
        self.field(click.referrer.as_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// A text array without the empty texts at its end.
    fn texts(&mut self, texts: &[String]) {
        let length = texts.iter().rposition(|text| !text.is_empty()).map_or(0, |last| last + 1);
        let texts = &texts[..length];
        let begin = self.0.len();
        self.field(&[]);
        let dimensions = i32::from(!texts.is_empty());
        for number in [dimensions, 0, TEXT] {
            self.0.extend_from_slice(&number.to_be_bytes());
        }
        if !texts.is_empty() {
            for number in [length as i32, 1] {
                self.0.extend_from_slice(&number.to_be_bytes());
            }
        }
        for text in texts {
            self.field(text.as_bytes());
        }
        let bytes = (self.0.len() - begin - 4) as i32;
        self.0[begin..begin + 4].copy_from_slice(&bytes.to_be_bytes());
    }

    fn network(&mut self, network: IpAddr) {
        const IS_CIDR: u8 = 1;
        match network {
            IpAddr::V4(four) => self.field(&[&[2, 24, IS_CIDR, 4][..], &four.octets()].concat()),
            IpAddr::V6(six) => self.field(&[&[3, 48, IS_CIDR, 16][..], &six.octets()].concat()),
        }
    }
}
