//! Clicks: many at once, each stored once however often it comes.

use std::{collections::BTreeMap, net::IpAddr};

use chrono::NaiveDate;
use domain::click::Click;
use sqlx::{PgConnection, postgres::PgCopyIn};
use uuid::Uuid;

/// Microseconds from the Unix epoch to Postgres's own, the year 2000.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;
/// Begins every binary COPY: a signature, no flags, no extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const COPY_END: i16 = -1;
/// The SQLSTATE of a click whose day was dropped by retention: it is in class 23, and waiting does not mend it.
pub const DAY_DROPPED: &str = "23D01";
const COLUMNS: i16 = 18;
/// How many bytes are sent at once.
const PART: usize = 256 * 1024;
/// Postgres's number for the type `text`.
const TEXT: i32 = 25;

/// Makes sure that clicks of a day have a place.
///
/// # Errors
/// When the database does not answer, or the day was dropped ([`DAY_DROPPED`]).
pub async fn ensure_partition(db: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT ensure_click_partition($1)", day).execute(db).await?;
    Ok(())
}

/// Stores those of the clicks that are not stored yet, raises the counters of their links by exactly as many, and
/// says how many they were.
///
/// Clicks are looked up first and only new ones are copied, straight into their partitions: a COPY writes whole pages
/// at once, which an `INSERT … ON CONFLICT` does not. Should another connection store one of them in between, the
/// database refuses the COPY with a unique violation (23505), and the caller's next attempt finds that one.
///
/// # Errors
/// When the database does not answer, a click's day has no partition, or a click was stored by somebody else
/// meanwhile.
pub async fn insert(db: &mut PgConnection, clicks: &[Click]) -> Result<u64, sqlx::Error> {
    let arriving = once_each(clicks);
    let stored = stored(db, &arriving).await?;
    let new: Vec<&Click> =
        arriving.into_iter().filter(|click| stored.binary_search(&click.id.uuid()).is_err()).collect();
    if new.is_empty() {
        return Ok(0);
    }
    copy(db, &new).await?;
    raise_counters(db, &new).await?;
    Ok(new.len() as u64)
}

/// The clicks in the order of their ids, none of them twice.
fn once_each(clicks: &[Click]) -> Vec<&Click> {
    let mut arriving: Vec<&Click> = clicks.iter().collect();
    arriving.sort_unstable_by_key(|click| click.id);
    arriving.dedup_by_key(|click| click.id);
    arriving
}

/// Which of the clicks are stored already, in the order of their ids.
async fn stored(db: &mut PgConnection, clicks: &[&Click]) -> Result<Vec<Uuid>, sqlx::Error> {
    let (Some(first), Some(last)) = (clicks.first(), clicks.last()) else { return Ok(Vec::new()) };
    let ids: Vec<Uuid> = clicks.iter().map(|click| click.id.uuid()).collect();
    // The range leaves out other days' partitions. The subquery hides the ids from the planner, which would otherwise
    // ponder each of them anew for every batch.
    let stored = sqlx::query_scalar!(
        "SELECT id
         FROM clicks
         WHERE id = ANY ((SELECT $1::uuid[])::uuid[])
           AND id BETWEEN $2 AND $3
         ORDER BY id",
        &ids,
        first.id.uuid(),
        last.id.uuid(),
    );
    stored.fetch_all(db).await
}

/// Copies clicks into their partitions. No checker knows COPY, so its columns and [`Rows::push`] must be kept alike.
async fn copy(db: &mut PgConnection, clicks: &[&Click]) -> Result<(), sqlx::Error> {
    let mut copy = db
        .copy_in_raw(
            "COPY clicks (
                 id, occurred_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, subs, source, uid,
                 external_click_id, utm, address_hash, network, country, device, user_agent, referrer
             ) FROM STDIN (FORMAT binary)",
        )
        .await?;
    match send(&mut copy, clicks).await {
        Ok(()) => copy.finish().await.map(drop),
        Err(error) => Err(copy.abort("the rows could not be sent").await.err().unwrap_or(error)),
    }
}

/// Sends the clicks in parts, so that the database takes in one while the next is written.
async fn send(copy: &mut PgCopyIn<&mut PgConnection>, clicks: &[&Click]) -> Result<(), sqlx::Error> {
    let mut rows = Rows(Vec::with_capacity(PART + 8_192));
    rows.0.extend_from_slice(COPY_HEADER);
    for click in clicks {
        rows.push(click);
        if PART <= rows.0.len() {
            copy.send(&rows.0[..]).await?;
            rows.0.clear();
        }
    }
    rows.0.extend_from_slice(&COPY_END.to_be_bytes());
    copy.send(&rows.0[..]).await?;
    Ok(())
}

/// Raises the counter of each link by as many as there are clicks on it. The links are locked in one order for all
/// trackers, so that two of them never wait for each other.
async fn raise_counters(db: &mut PgConnection, clicks: &[&Click]) -> Result<(), sqlx::Error> {
    let mut counts: BTreeMap<Uuid, i64> = BTreeMap::new();
    for click in clicks {
        *counts.entry(click.link.uuid()).or_default() += 1;
    }
    let (links, counts): (Vec<Uuid>, Vec<i64>) = counts.into_iter().unzip();
    sqlx::query!(
        "SELECT count(*)
         FROM (SELECT FROM links WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE) AS locked",
        &links
    )
    .fetch_one(&mut *db)
    .await?;
    sqlx::query!(
        "UPDATE links
         SET clicks = links.clicks + counted.clicks
         FROM unnest($1::uuid[], $2::bigint[]) AS counted (link_id, clicks)
         WHERE links.id = counted.link_id",
        &links,
        &counts,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Clicks in Postgres's binary form of COPY.
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
