//! What partners were seen with, who is declared to belong together, and how far of it was read.

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, ConversionId, ScoreId,
    fraud::{evidence::KeyedHash, graph::Kind},
};
use sqlx::{PgConnection, types::Uuid};

use super::columns::{Column, Nullable};

/// How far what edges are made from was read, and after which change rings were looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Until when decisions were read; none where none was.
    pub scores_until: Option<DateTime<Utc>>,
    /// Until when changes of partners were read.
    pub affiliates_until: Option<DateTime<Utc>>,
    /// When the partners were last read as a whole.
    pub affiliates_whole_at: Option<DateTime<Utc>>,
    /// Of who stands below whom.
    pub hierarchy: i64,
    /// Counts what changes who hangs together.
    pub changes: i64,
    /// How many changes there were when rings were looked for.
    pub found_after: i64,
}

/// How far it is.
pub async fn progress(db: &mut PgConnection) -> sqlx::Result<Progress> {
    sqlx::query_as!(
        Progress,
        "SELECT scores_until, affiliates_until, affiliates_whole_at, hierarchy, changes, found_after FROM ring_progress"
    )
    .fetch_one(db)
    .await
}

/// Counts changes of who hangs together, and says how many there were ever. Whoever else counts waits until the end of the
/// transaction, also where there are none now.
pub async fn count_changes(tx: &mut PgConnection, changes: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar!("UPDATE ring_progress SET changes = changes + $1 RETURNING changes", changes)
        .fetch_one(tx)
        .await
}

/// Notes until when decisions were read.
pub async fn note_scores(tx: &mut PgConnection, until: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE ring_progress SET scores_until = greatest(scores_until, $1)", until)
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes until when partners were read, when as a whole, and who stood below whom.
pub async fn note_affiliates(
    tx: &mut PgConnection,
    (until, whole_at): (DateTime<Utc>, DateTime<Utc>),
    hierarchy: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE ring_progress SET affiliates_until = $1, affiliates_whole_at = $2, hierarchy = $3",
        until,
        whole_at,
        hierarchy
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that rings were looked for when there had been so many changes.
pub async fn note_found(tx: &mut PgConnection, after: i64) -> sqlx::Result<()> {
    sqlx::query!("UPDATE ring_progress SET found_after = $1", after).execute(tx).await?;
    Ok(())
}

/// What a partner was seen with when a conversion of its was decided about.
pub struct Sighting {
    /// The decision.
    pub id: ScoreId,
    /// When.
    pub scored_at: DateTime<Utc>,
    /// Of which conversion.
    pub conversion_id: ConversionId,
    /// Whose.
    pub affiliate_id: AffiliateId,
    /// The customer's device.
    pub device: Option<String>,
    /// The customer's address, hidden.
    pub address: Option<String>,
    /// Of which class that is.
    pub class: Option<String>,
}

/// The sightings after one of them, by time: those of conversions that are stored and somebody is credited with.
pub async fn sightings(
    db: &mut PgConnection,
    (at, id): (DateTime<Utc>, Uuid),
    limit: i64,
) -> sqlx::Result<Vec<Sighting>> {
    sqlx::query_as!(
        Sighting,
        r#"
        SELECT id, scored_at, conversion_id AS "conversion_id!: Column<ConversionId>",
               affiliate_id AS "affiliate_id!: Column<AffiliateId>", record -> 'evidence' ->> 'device_id' AS device,
               record -> 'evidence' ->> 'address_hash' AS address, record -> 'evidence' ->> 'address_class' AS class
        FROM fraud_scores
        WHERE ($1, $2::uuid) < (scored_at, id)
          AND conversion_id IS NOT NULL
          AND affiliate_id IS NOT NULL
        ORDER BY scored_at, id
        LIMIT $3
        "#,
        at,
        id,
        limit
    )
    .fetch_all(db)
    .await
}

/// What is a partner's own.
pub struct Own {
    /// Whose.
    pub affiliate_id: AffiliateId,
    /// The mailbox, as it is registered.
    pub email: String,
    /// The account that it is paid to.
    pub account: Option<KeyedHash>,
}

/// What is partners' own of those that changed at a moment or later, those after one of them, by their ids.
pub async fn own_things(
    db: &mut PgConnection,
    since: DateTime<Utc>,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<Own>> {
    sqlx::query_as!(
        Own,
        r#"
        SELECT id AS affiliate_id, email, payout_account_hash AS "account!: Nullable<KeyedHash>"
        FROM affiliates
        WHERE $1 <= updated_at
          AND $2 < id
        ORDER BY id
        LIMIT $3
        "#,
        since,
        after,
        limit
    )
    .fetch_all(db)
    .await
}

/// A partner was seen with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Of which kind.
    pub kind: Kind,
    /// What, hidden.
    pub thing: KeyedHash,
    /// Who.
    pub affiliate: AffiliateId,
    /// By which conversion; none for what is its own.
    pub first: Option<ConversionId>,
    /// Whether by another one, too.
    pub is_repeated: bool,
    /// When last.
    pub seen_at: DateTime<Utc>,
}

/// Adds edges, each once in the list; says how many are new or say more than before. The same again says nothing.
pub async fn add(tx: &mut PgConnection, edges: &[Edge]) -> sqlx::Result<u64> {
    let kinds: Vec<&str> = edges.iter().map(|edge| edge.kind.name()).collect();
    let things: Vec<&[u8]> = edges.iter().map(|edge| edge.thing.0.as_slice()).collect();
    let affiliates: Vec<Uuid> = edges.iter().map(|edge| edge.affiliate.uuid()).collect();
    let firsts: Vec<Option<Uuid>> = edges.iter().map(|edge| edge.first.map(ConversionId::uuid)).collect();
    let repeated: Vec<bool> = edges.iter().map(|edge| edge.is_repeated).collect();
    let moments: Vec<DateTime<Utc>> = edges.iter().map(|edge| edge.seen_at).collect();
    // Seen later, an edge lasts longer and says no more.
    sqlx::query!(
        "
        UPDATE ring_edges AS known
        SET last_seen_at = seen.seen_at
        FROM unnest($1::text[], $2::bytea[], $3::uuid[], $4::timestamptz[]) AS seen (kind, thing, affiliate_id, seen_at)
        WHERE known.kind = seen.kind
          AND known.thing = seen.thing
          AND known.affiliate_id = seen.affiliate_id
          AND known.last_seen_at < seen.seen_at
        ",
        &kinds as _,
        &things as _,
        &affiliates,
        &moments
    )
    .execute(&mut *tx)
    .await?;
    let added = sqlx::query!(
        "
        INSERT INTO ring_edges AS known (kind, thing, affiliate_id, first_conversion_id, is_repeated, last_seen_at)
        SELECT *
        FROM unnest($1::text[], $2::bytea[], $3::uuid[], $4::uuid[], $5::boolean[], $6::timestamptz[])
        ON CONFLICT (kind, thing, affiliate_id) DO UPDATE
        SET is_repeated = known.is_repeated OR excluded.is_repeated
                          OR known.first_conversion_id IS DISTINCT FROM excluded.first_conversion_id,
            last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at)
        WHERE NOT known.is_repeated
          AND (excluded.is_repeated
               OR known.first_conversion_id IS DISTINCT FROM excluded.first_conversion_id)
        ",
        &kinds as _,
        &things as _,
        &affiliates,
        &firsts as _,
        &repeated,
        &moments
    );
    Ok(added.execute(tx).await?.rows_affected())
}

/// Forgets what was not seen since a moment; says how many edges that were.
pub async fn forget(tx: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let forgotten = sqlx::query!("DELETE FROM ring_edges WHERE last_seen_at < $1", before);
    Ok(forgotten.execute(tx).await?.rows_affected())
}

/// An edge as it is kept.
pub struct KeptEdge {
    /// Of which kind.
    pub kind: Kind,
    /// What, hidden.
    pub thing: KeyedHash,
    /// Who.
    pub affiliate_id: AffiliateId,
    /// Whether more than one conversion says so.
    pub is_repeated: bool,
}

/// Every edge.
pub async fn all(db: &mut PgConnection) -> sqlx::Result<Vec<KeptEdge>> {
    sqlx::query_as!(
        KeptEdge,
        r#"
        SELECT kind AS "kind: Column<Kind>", thing AS "thing: Column<KeyedHash>", affiliate_id, is_repeated
        FROM ring_edges
        "#
    )
    .fetch_all(db)
    .await
}

/// Whether any of some partners was seen with any of these things, those aside that more than so many partners share.
pub async fn is_known_to(
    db: &mut PgConnection,
    affiliates: &[AffiliateId],
    things: &[(Kind, KeyedHash)],
    hub: u32,
) -> sqlx::Result<bool> {
    let affiliates: Vec<Uuid> = affiliates.iter().map(|id| id.uuid()).collect();
    let kinds: Vec<&str> = things.iter().map(|(kind, _)| kind.name()).collect();
    let hashes: Vec<&[u8]> = things.iter().map(|(_, thing)| thing.0.as_slice()).collect();
    let known = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT
            FROM unnest($1::text[], $2::bytea[]) AS asked (kind, thing)
            JOIN ring_edges ON ring_edges.kind = asked.kind AND ring_edges.thing = asked.thing
            WHERE affiliate_id = ANY($3)
              AND (SELECT count(*)
                   FROM ring_edges AS anybody
                   WHERE anybody.kind = asked.kind AND anybody.thing = asked.thing) <= $4
        ) AS "is!"
        "#,
        &kinds as _,
        &hashes as _,
        &affiliates,
        i64::from(hub)
    );
    known.fetch_one(db).await
}

/// A hash of who stands below whom.
pub async fn hierarchy(db: &mut PgConnection) -> sqlx::Result<i64> {
    let hash = sqlx::query_scalar!(
        r#"
        SELECT coalesce(bit_xor(hashtextextended(id::text || parent_id::text, 0)), 0) AS "hash!"
        FROM affiliates
        WHERE parent_id IS NOT NULL
        "#
    );
    hash.fetch_one(db).await
}

/// Partners who belong together, each pair as somebody above and somebody below.
pub struct Belonging {
    /// Who stands below.
    pub affiliate_id: AffiliateId,
    /// Directly above.
    pub parent_id: AffiliateId,
}

/// Everybody who stands below somebody.
pub async fn parents(db: &mut PgConnection) -> sqlx::Result<Vec<Belonging>> {
    sqlx::query_as!(
        Belonging,
        r#"
        SELECT id AS affiliate_id, parent_id AS "parent_id!"
        FROM affiliates
        WHERE parent_id IS NOT NULL
        "#
    )
    .fetch_all(db)
    .await
}

/// Partners of whom people say that they are one business, group by group.
pub async fn declared(db: &mut PgConnection) -> sqlx::Result<Vec<Vec<Uuid>>> {
    sqlx::query_scalar!("SELECT affiliates FROM declared_groups ORDER BY ring_id").fetch_all(db).await
}
