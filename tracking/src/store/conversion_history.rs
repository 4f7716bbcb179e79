//! Every move that conversions made, in order, and with the first how the credit was divided; no move is ever edited.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    ClickId, ConversionId, Money,
    conversion::{ConversionStatus, ReversalReason},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    conversions::{Share, ShareColumns},
    touches::Labels,
};

/// One move of a conversion, or one change of its amount (then both states are the same).
#[derive(Debug, Clone)]
pub struct Move<'a> {
    /// Where it was; nowhere before its first.
    pub from: Option<ConversionStatus>,
    /// Where it is now.
    pub to: ConversionStatus,
    /// Why it was rejected or reversed.
    pub reason: Option<ReversalReason>,
    /// What else there is to say.
    pub note: &'a str,
    /// Who did it.
    pub actor: &'a str,
    /// When.
    pub at: DateTime<Utc>,
    /// What the conversion is worth now.
    pub amount: Money,
    /// How much of that was taken back in all.
    pub reversed: Money,
}

/// Stores the first moves of a new conversion, and how the credit for it was divided between clicks, with what their links
/// carried.
pub async fn insert_first(
    db: &mut PgConnection,
    conversion: ConversionId,
    steps: &[Move<'_>],
    (shares, labels): (&[Share], &BTreeMap<ClickId, Labels>),
) -> Result<(), sqlx::Error> {
    let shares = ShareColumns::of(shares, labels);
    let from: Vec<_> = steps.iter().map(|step| step.from.map(ConversionStatus::name)).collect();
    let to: Vec<_> = steps.iter().map(|step| step.to.name()).collect();
    let reasons: Vec<_> = steps.iter().map(|step| step.reason.map(ReversalReason::name)).collect();
    let notes: Vec<_> = steps.iter().map(|step| step.note).collect();
    let actors: Vec<_> = steps.iter().map(|step| step.actor).collect();
    let moved: Vec<_> = steps.iter().map(|step| step.at).collect();
    let amounts: Vec<_> = steps.iter().map(|step| step.amount.minor).collect();
    let reversed: Vec<_> = steps.iter().map(|step| step.reversed.minor).collect();
    sqlx::query!(
        "WITH shared AS (
             INSERT INTO conversion_shares
                 (conversion_id, position, model, click_id, link_id, affiliate_id, share_ppm, touched_at, subs, material)
             SELECT $1, place - 1, model, click_id, link_id, affiliate_id, share_ppm, touched_at, subs, material
             FROM unnest($10::text[], $11::uuid[], $12::uuid[], $13::uuid[], $14::int[], $15::timestamptz[],
                         $16::jsonb[], $17::text[])
                  WITH ORDINALITY
                  AS new (model, click_id, link_id, affiliate_id, share_ppm, touched_at, subs, material, place)
         )
         INSERT INTO conversion_history
             (conversion_id, position, from_status, to_status, reason, note, actor, moved_at, amount_minor,
              reversed_minor)
         SELECT $1, place - 1, from_status, to_status, reason, note, actor, moved_at, amount_minor, reversed_minor
         FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::bigint[],
                     $9::bigint[]) WITH ORDINALITY
              AS new (from_status, to_status, reason, note, actor, moved_at, amount_minor, reversed_minor, place)",
        conversion.uuid(),
        &from as &[Option<&str>],
        &to as &[&str],
        &reasons as &[Option<&str>],
        &notes as &[&str],
        &actors as &[&str],
        &moved,
        &amounts,
        &reversed,
        &shares.models as &[&str],
        &shares.clicks as &[Option<Uuid>],
        &shares.links,
        &shares.affiliates,
        &shares.ppm,
        &shares.touched as &[Option<DateTime<Utc>>],
        &shares.subs,
        &shares.materials as &[Option<&str>],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Appends a move to the history of a conversion that the caller has locked; answers its position.
pub async fn append_move(
    db: &mut PgConnection,
    conversion: ConversionId,
    step: &Move<'_>,
) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(
        "INSERT INTO conversion_history
             (conversion_id, position, from_status, to_status, reason, note, actor, moved_at, amount_minor,
              reversed_minor)
         SELECT $1, count(*)::int, $2, $3, $4, $5, $6, $7, $8, $9
         FROM conversion_history
         WHERE conversion_id = $1
         RETURNING position",
        conversion.uuid(),
        step.from.map(ConversionStatus::name),
        step.to.name(),
        step.reason.map(ReversalReason::name),
        step.note,
        step.actor,
        step.at,
        step.amount.minor,
        step.reversed.minor,
    )
    .fetch_one(db)
    .await
}

/// Whether a conversion was ever in a state.
pub async fn has_been(
    db: &mut PgConnection,
    conversion: ConversionId,
    status: ConversionStatus,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM conversion_history WHERE conversion_id = $1 AND to_status = $2
           ) AS "has!""#,
        conversion.uuid(),
        status.name(),
    )
    .fetch_one(db)
    .await
}
