//! Conversions that people have cases about: a case hears of it when one goes its way, whoever sent it.

use chrono::{DateTime, Utc};
use domain::{
    ConversionId,
    conversion::ConversionStatus,
    fraud::cases::{Actor, rank},
};
use serde_json::{Value, json};
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};

/// Takes a conversion that the caller has locked, and that is held no more, out of the case that is open about it, if any is.
/// A case that nothing is left of is decided by that.
pub async fn leave(
    db: &mut PgConnection,
    conversion: ConversionId,
    to: ConversionStatus,
    actor: &str,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let left = sqlx::query!(
        "UPDATE case_conversions
         SET left_as = $2, left_at = $3
         WHERE conversion_id = $1
           AND left_as IS NULL
         RETURNING case_id, value",
        conversion.uuid(),
        to.name(),
        at,
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(left) = left else { return Ok(()) };
    close_appeal(db, conversion, to, at).await?;
    let case = sqlx::query!(
        "SELECT value, opened_at, revision
         FROM cases
         WHERE id = $1
           AND state <> 'decided'
         FOR UPDATE",
        left.case_id,
    )
    .fetch_optional(&mut *db)
    .await?;
    // Who decides a case says so before its conversions move.
    let Some(case) = case else { return Ok(()) };
    let detail = json!({"conversion_id": conversion, "status": to});
    note(db, (left.case_id, case.revision), "elsewhere", (&Actor::of_history(actor), at), detail).await?;
    let is_open = is_open(db, left.case_id).await?;
    let value = (case.value - left.value).max(0);
    sqlx::query!(
        "UPDATE cases
         SET value = $2, rank = $3, revision = revision + 1,
             state = CASE WHEN $4 THEN state ELSE 'decided' END,
             decided_at = CASE WHEN $4 THEN NULL ELSE $5::timestamptz END,
             proposal = CASE WHEN $4 THEN proposal END
         WHERE id = $1",
        left.case_id,
        value,
        rank(value, case.opened_at),
        is_open,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether anything in a case waits. It is asked once the case is locked: who left it a moment before is seen then.
async fn is_open(db: &mut PgConnection, case: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM case_conversions WHERE case_id = $1 AND left_as IS NULL)
                  OR EXISTS (SELECT FROM case_appeals WHERE case_id = $1 AND outcome IS NULL) AS "is_open!""#,
        case,
    )
    .fetch_one(db)
    .await
}

/// What becomes of a conversion that its partner answered about is what becomes of the answer.
async fn close_appeal(
    db: &mut PgConnection,
    conversion: ConversionId,
    to: ConversionStatus,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE case_appeals
         SET outcome = CASE WHEN $2 = 'rejected' THEN 'declined' ELSE 'granted' END, decided_at = $3
         WHERE conversion_id = $1
           AND outcome IS NULL",
        conversion.uuid(),
        to.name(),
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Tells the case that is open about a held conversion, if any is, that another amount hangs on it: whoever decides or confirms
/// looks at that first.
pub async fn change(
    db: &mut PgConnection,
    conversion: ConversionId,
    detail: Value,
    actor: &str,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let changed = sqlx::query_scalar!(
        "UPDATE case_conversions
         SET stake_minor = (SELECT coalesce(sum(amount_minor), 0)::bigint
                            FROM commissions
                            WHERE commissions.conversion_id = $1)
         WHERE conversion_id = $1
           AND left_as IS NULL
         RETURNING case_id",
        conversion.uuid(),
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(case) = changed else { return Ok(()) };
    let revision = sqlx::query_scalar!(
        "UPDATE cases SET revision = revision + 1 WHERE id = $1 AND state <> 'decided' RETURNING revision - 1 AS \"before!\"",
        case,
    );
    let Some(revision) = revision.fetch_optional(&mut *db).await? else { return Ok(()) };
    note(db, (case, revision), "changed", (&Actor::of_history(actor), at), detail).await
}

/// Appends to a case what became of a conversion without it.
async fn note(
    db: &mut PgConnection,
    (case, position): (Uuid, i32),
    kind: &str,
    (actor, at): (&Actor, DateTime<Utc>),
    detail: Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO case_events (case_id, position, kind, actor, detail, at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        case,
        position,
        kind,
        Json(actor) as _,
        detail,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}
