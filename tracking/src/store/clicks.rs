//! Clicks: many at once, each stored once however often it comes.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    click::{Asked, Click},
    fraud::evidence::FetchDestination,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    click_counters,
    copy::{self, Row, Rows},
};

/// The SQLSTATE of a click or an impression whose day was dropped by retention: it is in class 23, and waiting does
/// not mend it.
pub const DAY_DROPPED: &str = "23D01";

/// Makes sure that clicks of a day have a place.
///
/// # Errors
/// When the database does not answer, or the day was dropped ([`DAY_DROPPED`]).
pub async fn ensure_partition(db: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT ensure_click_partition($1)", day).execute(db).await?;
    Ok(())
}

/// Stores those of the clicks that are not stored yet, raises the counters of their links, hours and days by exactly as many,
/// notes where they lie for whoever asks what is new, and says how many they were.
///
/// Clicks are looked up first and only new ones are copied, straight into their partitions: a COPY writes whole pages
/// at once, which an `INSERT … ON CONFLICT` does not. Should another connection store one of them in between, the
/// database refuses the COPY with a unique violation (23505), and the caller's next attempt finds that one.
///
/// # Errors
/// When the database does not answer, a click's day has no partition, or a click was stored by somebody else
/// meanwhile.
pub async fn insert(db: &mut PgConnection, clicks: &[Click], now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let arriving = copy::once_each(clicks);
    let stored = stored(db, &arriving).await?;
    let new: Vec<&Click> =
        arriving.into_iter().filter(|click| stored.binary_search(&click.id.uuid()).is_err()).collect();
    if new.is_empty() {
        return Ok(0);
    }
    copy::copy(db, &new, now).await?;
    raise_counters(db, &new).await?;
    click_counters::raise(db, &new).await?;
    Ok(new.len() as u64)
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

/// Raises the counter of each link by as many as there are clicks on it.
async fn raise_counters(db: &mut PgConnection, clicks: &[&Click]) -> Result<(), sqlx::Error> {
    let (links, counts) = copy::by_link(clicks);
    lock_links(db, &links).await?;
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

/// Locks links in one order for all trackers, so that two of them never wait for each other.
pub(super) async fn lock_links(db: &mut PgConnection, links: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT count(*)
         FROM (SELECT FROM links WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE) AS locked",
        links
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

impl Row for Click {
    const COPY: &'static str = "COPY clicks (
             id, occurred_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, subs, source, uid,
             external_click_id, utm, address_hash, network, country, device, user_agent, referrer,
             fetch_destination, fetch_by_user, client_hints_match, stored_at
         ) FROM STDIN (FORMAT binary)";
    const COLUMNS: i16 = 22;
    const KIND: &'static str = "click";

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn link(&self) -> Uuid {
        self.link.uuid()
    }

    fn write(&self, rows: &mut Rows) {
        rows.id(self.id.uuid());
        rows.moment(self.occurred_at_us);
        rows.id(self.link.uuid());
        rows.id(self.affiliate.uuid());
        rows.id(self.campaign.uuid());
        rows.id(self.advertiser.uuid());
        rows.id(self.session.uuid());
        rows.texts(&self.tags.subs);
        rows.text(&self.tags.source);
        rows.text(&self.tags.uid);
        rows.text(&self.tags.external_click_id);
        rows.texts(&self.tags.utm);
        rows.bytes(&self.address_hash);
        rows.network(self.network);
        rows.text(&self.country);
        rows.text(self.device.name());
        rows.text(&self.user_agent);
        rows.text(&self.referrer);
        let Asked { destination, by_user, hints_match } = self.asked;
        rows.text_or_null(destination.map(FetchDestination::name));
        rows.yes_or_null(by_user);
        rows.yes_or_null(hints_match);
    }
}
