//! Rings of partners as they were found, who is in them, and what hangs on them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, ConversionId, Money, RingId,
    conversion::ConversionStatus,
    fraud::{graph::Kind, score::LogOdds},
};
use serde::{Deserialize, Serialize};
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};
use utoipa::ToSchema;

use super::columns::Column;

/// Somebody in a ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RingMember {
    /// Who.
    pub affiliate_id: AffiliateId,
    /// What being in the ring is evidence of.
    pub log_odds: LogOdds,
    /// What it shares with the closest of the others.
    pub shared: String,
}

/// Why two of a ring hang together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RingLink {
    /// One of them.
    pub from: AffiliateId,
    /// The other.
    pub to: AffiliateId,
    /// How many things of each kind they share: `payout_account`, `mailbox`, `device`, `address`.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub shared: BTreeMap<Kind, u32>,
    /// How surprising that is of strangers, in nats.
    pub surprise: f64,
    /// The same in words.
    #[schema(example = "same mailbox, 2 devices shared")]
    pub words: String,
}

/// A ring as it is now, or was when it dissolved.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Its id.
    pub id: RingId,
    /// Counted from 1.
    pub revision: i32,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// When it was last found to be another.
    pub changed_at: DateTime<Utc>,
    /// When it was found to be none any more.
    pub dissolved_at: Option<DateTime<Utc>>,
    /// Why: `apart` or `declared`.
    pub dissolved_because: Option<String>,
    /// Which share of its pairs is joined.
    pub density: f64,
    /// Who is in it, by their ids.
    pub members: Json<Vec<RingMember>>,
    /// The pairs that are joined.
    pub links: Json<Vec<RingLink>>,
}

/// Which rings are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub id: Option<RingId>,
    /// Only those that are not dissolved, or only those that are.
    pub is_open: Option<bool>,
    /// Only those that this partner is or was in.
    pub affiliate: Option<AffiliateId>,
    /// Only those that come after it in the list.
    pub after: Option<RingId>,
}

/// Rings, those found last first.
pub async fn list(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> sqlx::Result<Vec<Ring>> {
    sqlx::query_as!(
        Ring,
        r#"
        SELECT rings.id, rings.revision, found_at, changed_at, dissolved_at, dissolved_because, density,
               members AS "members: Json<Vec<RingMember>>", links AS "links: Json<Vec<RingLink>>"
        FROM rings
        JOIN ring_revisions ON ring_id = rings.id AND ring_revisions.revision = rings.revision
        WHERE ($1::uuid IS NULL OR rings.id = $1)
          AND ($2::boolean IS NULL OR (dissolved_at IS NULL) = $2)
          AND ($3::uuid IS NULL
               OR EXISTS (SELECT FROM ring_revisions AS ever WHERE ever.ring_id = rings.id AND $3 = ANY(affiliates)))
          AND ($4::uuid IS NULL OR rings.id < $4)
        ORDER BY rings.id DESC
        LIMIT $5
        "#,
        wanted.id.map(RingId::uuid),
        wanted.is_open,
        wanted.affiliate.map(AffiliateId::uuid),
        wanted.after.map(RingId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// Every ring that is not dissolved, the oldest first.
pub async fn open(db: &mut PgConnection) -> sqlx::Result<Vec<Ring>> {
    let mut rings = list(db, &Wanted { is_open: Some(true), ..Wanted::default() }, i64::MAX).await?;
    rings.reverse();
    Ok(rings)
}

/// The ring that a partner is in now.
pub async fn of(db: &mut PgConnection, affiliate: AffiliateId) -> sqlx::Result<Option<Ring>> {
    let id =
        sqlx::query_scalar!("SELECT ring_id FROM ring_members WHERE affiliate_id = $1", affiliate.uuid());
    let Some(id) = id.fetch_optional(&mut *db).await? else { return Ok(None) };
    Ok(list(db, &Wanted { id: Some(id.into()), ..Wanted::default() }, 1).await?.pop())
}

/// What a ring was at a time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RingRevision {
    /// Counted from 1.
    pub revision: i32,
    /// Since when.
    pub at: DateTime<Utc>,
    /// Who was in it.
    #[schema(value_type = Vec<AffiliateId>)]
    #[serde(serialize_with = "as_affiliates")]
    pub affiliates: Vec<Uuid>,
    /// Which share of its pairs was joined.
    pub density: f64,
}

fn as_affiliates<S: serde::Serializer>(ids: &[Uuid], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(ids.iter().map(|id| AffiliateId::from(*id)))
}

/// All that a ring was, the newest first, a hundred at most.
pub async fn revisions(db: &mut PgConnection, id: RingId) -> sqlx::Result<Vec<RingRevision>> {
    sqlx::query_as!(
        RingRevision,
        "
        SELECT revision, at, affiliates, density
        FROM ring_revisions
        WHERE ring_id = $1
        ORDER BY revision DESC
        LIMIT 100
        ",
        id.uuid()
    )
    .fetch_all(db)
    .await
}

/// What a ring is from a moment on.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// Which ring.
    pub id: RingId,
    /// Counted from 1.
    pub revision: i32,
    /// Which share of its pairs is joined.
    pub density: f64,
    /// Who is in it, by their ids.
    pub members: Vec<RingMember>,
    /// The pairs that are joined.
    pub links: Vec<RingLink>,
}

impl NewRevision {
    fn affiliates(&self) -> Vec<Uuid> {
        self.members.iter().map(|member| member.affiliate_id.uuid()).collect()
    }
}

/// Writes what a ring is from now on. Its members are let in by [`admit`], once those of other rings are out.
pub async fn revise(tx: &mut PgConnection, new: &NewRevision, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO rings (id, revision, found_at, changed_at)
        VALUES ($1, $2, $3, $3)
        ON CONFLICT (id) DO UPDATE
        SET revision = excluded.revision, changed_at = excluded.changed_at
        ",
        new.id.uuid(),
        new.revision,
        at
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "
        INSERT INTO ring_revisions (ring_id, revision, at, density, affiliates, members, links)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ",
        new.id.uuid(),
        new.revision,
        at,
        new.density,
        &new.affiliates(),
        Json(&new.members) as _,
        Json(&new.links) as _
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "DELETE FROM ring_members WHERE ring_id = $1 AND affiliate_id <> ALL($2)",
        new.id.uuid(),
        &new.affiliates()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Lets the members of a ring in; those that are stay since they joined.
pub async fn admit(tx: &mut PgConnection, new: &NewRevision, at: DateTime<Utc>) -> sqlx::Result<()> {
    let odds: Vec<i64> = new.members.iter().map(|member| member.log_odds.0).collect();
    let shared: Vec<&str> = new.members.iter().map(|member| member.shared.as_str()).collect();
    sqlx::query!(
        "
        INSERT INTO ring_members (ring_id, joined_at, affiliate_id, log_odds, shared)
        SELECT $1, $2, member.*
        FROM unnest($3::uuid[], $4::bigint[], $5::text[]) AS member
        ON CONFLICT (affiliate_id) DO UPDATE
        SET log_odds = excluded.log_odds, shared = excluded.shared
        ",
        new.id.uuid(),
        at,
        &new.affiliates(),
        &odds,
        &shared as _
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A ring is none any more: `apart` or `declared`.
pub async fn dissolve(
    tx: &mut PgConnection,
    id: RingId,
    because: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE rings SET dissolved_at = $2, dissolved_because = $3 WHERE id = $1 AND dissolved_at IS NULL",
        id.uuid(),
        at,
        because
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("DELETE FROM ring_members WHERE ring_id = $1", id.uuid()).execute(tx).await?;
    Ok(())
}

/// People say that the members of a ring are one business.
#[derive(Debug)]
pub struct Declaration<'a> {
    /// The ring.
    pub ring: RingId,
    /// Its members.
    pub affiliates: Vec<AffiliateId>,
    /// Why, for the record.
    pub note: &'a str,
    /// Who says so.
    pub actor: &'a str,
    /// When.
    pub at: DateTime<Utc>,
}

/// Keeps what people say.
pub async fn declare(tx: &mut PgConnection, new: &Declaration<'_>) -> sqlx::Result<()> {
    let affiliates: Vec<Uuid> = new.affiliates.iter().map(|id| id.uuid()).collect();
    sqlx::query!(
        "
        INSERT INTO declared_groups (ring_id, affiliates, note, actor, declared_at)
        VALUES ($1, $2, $3, $4, $5)
        ",
        new.ring.uuid(),
        &affiliates,
        new.note,
        new.actor,
        new.at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Conversions that wait for their approval, of partners in rings that no decision about them knew of: those since a moment,
/// after one of them, by their ids. What people let go stays so, and who only asks for a score decides nothing.
pub async fn undecided(
    db: &mut PgConnection,
    since: DateTime<Utc>,
    after: Option<ConversionId>,
    limit: i64,
) -> sqlx::Result<Vec<ConversionId>> {
    let after = after.map_or(Uuid::nil(), ConversionId::uuid);
    let ids = sqlx::query_scalar!(
        "
        SELECT conversions.id
        FROM ring_members
        JOIN conversions ON conversions.affiliate_id = ring_members.affiliate_id
        WHERE status = 'pending'
          AND uuid_v7_floor($1) <= conversions.id
          AND $2 < conversions.id
          AND EXISTS (SELECT FROM fraud_scores WHERE fraud_scores.conversion_id = conversions.id)
          AND NOT EXISTS (SELECT
                          FROM case_conversions
                          WHERE case_conversions.conversion_id = conversions.id AND left_as = 'pending')
          AND NOT EXISTS (
              SELECT
              FROM fraud_scores
              WHERE fraud_scores.conversion_id = conversions.id
                AND fraud_scores.ring_id = ring_members.ring_id
                AND (actor = 'system'
                     OR NOT EXISTS (SELECT
                                    FROM fraud_scores AS earlier
                                    WHERE earlier.conversion_id = conversions.id
                                      AND earlier.id < fraud_scores.id))
          )
        ORDER BY conversions.id
        LIMIT $3
        ",
        since,
        after,
        limit
    );
    Ok(ids.fetch_all(db).await?.into_iter().map(ConversionId::from).collect())
}

/// What hangs on conversions of a status.
pub struct Stake {
    /// `pending` or `on_hold`.
    pub status: ConversionStatus,
    /// The commissions that have accrued.
    pub amount: Money,
}

/// The commissions of partners for conversions that are pending or held, added up for each currency.
pub async fn stakes(db: &mut PgConnection, affiliates: &[Uuid]) -> sqlx::Result<Vec<Stake>> {
    sqlx::query_as!(
        Stake,
        r#"
        SELECT conversions.status AS "status: Column<ConversionStatus>",
               (sum(commissions.amount_minor)::bigint, commissions.currency) AS "amount!: Column<Money>"
        FROM commissions
        JOIN conversions ON conversions.id = commissions.conversion_id
        WHERE commissions.affiliate_id = ANY($1)
          AND conversions.status IN ('pending', 'on_hold')
        GROUP BY conversions.status, commissions.currency
        HAVING sum(commissions.amount_minor) <> 0
        ORDER BY conversions.status, commissions.currency
        "#,
        affiliates
    )
    .fetch_all(db)
    .await
}

/// What partners are called.
pub async fn names(db: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<BTreeMap<AffiliateId, String>> {
    let named = sqlx::query!("SELECT id, name FROM affiliates WHERE id = ANY($1)", ids).fetch_all(db).await?;
    Ok(named.into_iter().map(|row| (row.id.into(), row.name)).collect())
}
