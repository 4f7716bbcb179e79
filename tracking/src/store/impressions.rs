//! Impressions, stored as [clicks](super::clicks) are.

use chrono::{DateTime, NaiveDate, Utc};
use domain::event::Impression;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    clicks,
    copy::{self, Row, Rows},
};

/// Makes sure that impressions of a day have a place.
///
/// # Errors
/// When the database does not answer, or the day was dropped ([`DAY_DROPPED`](super::clicks::DAY_DROPPED)).
pub async fn ensure_partition(db: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT ensure_impression_partition($1)", day).execute(db).await?;
    Ok(())
}

/// Stores those of the impressions that are not stored yet, raises the counters of their links by exactly as many, and
/// says how many they were.
///
/// # Errors
/// As for [clicks](super::clicks::insert).
pub async fn insert(
    db: &mut PgConnection,
    impressions: &[Impression],
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let arriving = copy::once_each(impressions);
    let stored = stored(db, &arriving).await?;
    let new: Vec<&Impression> =
        arriving.into_iter().filter(|one| stored.binary_search(&one.id.uuid()).is_err()).collect();
    if new.is_empty() {
        return Ok(0);
    }
    copy::copy(db, &new, now).await?;
    raise_counters(db, &new).await?;
    Ok(new.len() as u64)
}

/// Which of the impressions are stored already, in the order of their ids.
async fn stored(db: &mut PgConnection, impressions: &[&Impression]) -> Result<Vec<Uuid>, sqlx::Error> {
    let (Some(first), Some(last)) = (impressions.first(), impressions.last()) else { return Ok(Vec::new()) };
    let ids: Vec<Uuid> = impressions.iter().map(|one| one.id.uuid()).collect();
    // As for clicks: by partition, and without pondering each id.
    let stored = sqlx::query_scalar!(
        "SELECT id
         FROM impressions
         WHERE id = ANY ((SELECT $1::uuid[])::uuid[])
           AND id BETWEEN $2 AND $3
         ORDER BY id",
        &ids,
        first.id.uuid(),
        last.id.uuid(),
    );
    stored.fetch_all(db).await
}

async fn raise_counters(db: &mut PgConnection, impressions: &[&Impression]) -> Result<(), sqlx::Error> {
    let (links, counts) = copy::by_link(impressions);
    clicks::lock_links(db, &links).await?;
    sqlx::query!(
        "UPDATE links
         SET impressions = links.impressions + counted.impressions
         FROM unnest($1::uuid[], $2::bigint[]) AS counted (link_id, impressions)
         WHERE links.id = counted.link_id",
        &links,
        &counts,
    )
    .execute(db)
    .await?;
    Ok(())
}

impl Row for Impression {
    const COPY: &'static str = "COPY impressions (
             id, occurred_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, address_hash, network,
             country, device, user_agent, referrer, stored_at
         ) FROM STDIN (FORMAT binary)";
    const COLUMNS: i16 = 14;
    const KIND: &'static str = "impression";

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
        rows.id_if_any(self.session.map(|session| session.uuid()));
        rows.bytes(&self.address_hash);
        rows.network(self.network);
        rows.text(&self.country);
        rows.text(self.device.name());
        rows.text(&self.user_agent);
        rows.text(&self.referrer);
    }
}
