//! Who stands above whom, as the closure of «recruited by», kept in step with each affiliate's parent.

use chrono::{DateTime, Utc};
use domain::{AffiliateId, affiliate::AffiliateStatus};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::columns::Column;

/// Somebody above or below an affiliate.
#[derive(Debug, Serialize, ToSchema)]
pub struct Relative {
    /// Who.
    pub affiliate_id: AffiliateId,
    /// What it is called.
    pub name: String,
    /// Where it stands with the program.
    pub status: AffiliateStatus,
    /// How many steps away: 1 is directly above or below.
    pub depth: i32,
}

/// Lets nobody else change the hierarchy until the transaction ends. A change reads many rows of the closure and
/// writes others, so two at once could make what neither would make alone.
pub async fn lock(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('affiliate_hierarchy', 0))")
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds a new affiliate below its parent, or at the top: itself at depth 0, and the parent's ancestors one deeper.
pub async fn insert(tx: &mut PgConnection, id: AffiliateId, parent: Option<AffiliateId>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO affiliate_hierarchy (ancestor_id, descendant_id, depth)
        SELECT $1::uuid, $1::uuid, 0
        UNION ALL
        SELECT ancestor_id, $1, depth + 1
        FROM affiliate_hierarchy
        WHERE descendant_id = $2
        ",
        id.uuid(),
        parent.map(AffiliateId::uuid)
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Moves an affiliate with everybody below it under `parent`, or to the top. The caller has refused cycles.
pub async fn place(
    tx: &mut PgConnection,
    id: AffiliateId,
    parent: Option<AffiliateId>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        DELETE FROM affiliate_hierarchy
        WHERE descendant_id IN (SELECT descendant_id FROM affiliate_hierarchy WHERE ancestor_id = $1)
          AND ancestor_id IN (SELECT ancestor_id FROM affiliate_hierarchy WHERE descendant_id = $1 AND 0 < depth)
        ",
        id.uuid()
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "
        INSERT INTO affiliate_hierarchy (ancestor_id, descendant_id, depth)
        SELECT above.ancestor_id, below.descendant_id, above.depth + below.depth + 1
        FROM affiliate_hierarchy above
        CROSS JOIN affiliate_hierarchy below
        WHERE above.descendant_id = $2 AND below.ancestor_id = $1
        ",
        id.uuid(),
        parent.map(AffiliateId::uuid)
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE affiliates SET parent_id = $2, updated_at = $3 WHERE id = $1",
        id.uuid(),
        parent.map(AffiliateId::uuid),
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Everybody above an affiliate, nearest first, from deeper than `after` on.
pub async fn upline(
    db: &mut PgConnection,
    id: AffiliateId,
    after: Option<i32>,
    limit: i64,
) -> sqlx::Result<Vec<Relative>> {
    sqlx::query_as!(
        Relative,
        r#"
        SELECT affiliate_id, name, status AS "status: Column<AffiliateStatus>", depth
        FROM (
            SELECT ancestor_id AS affiliate_id, depth
            FROM affiliate_hierarchy
            WHERE descendant_id = $1 AND 0 < depth
        ) above
        JOIN affiliates ON affiliates.id = affiliate_id
        WHERE $2::int IS NULL OR $2 < depth
        ORDER BY depth
        LIMIT $3
        "#,
        id.uuid(),
        after,
        limit
    )
    .fetch_all(db)
    .await
}

/// Everybody below an affiliate down to `depth`, newest first.
pub async fn downline(
    db: &mut PgConnection,
    id: AffiliateId,
    depth: Option<i32>,
    after: Option<AffiliateId>,
    limit: i64,
) -> sqlx::Result<Vec<Relative>> {
    sqlx::query_as!(
        Relative,
        r#"
        SELECT descendant_id AS affiliate_id, name, status AS "status: Column<AffiliateStatus>", depth
        FROM affiliate_hierarchy
        JOIN affiliates ON affiliates.id = descendant_id
        WHERE ancestor_id = $1
          AND 0 < depth
          AND ($2::int IS NULL OR depth <= $2)
          AND ($3::uuid IS NULL OR descendant_id < $3)
        ORDER BY descendant_id DESC
        LIMIT $4
        "#,
        id.uuid(),
        depth,
        after.map(AffiliateId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// The whole table, in the shape of the domain's model of it.
#[cfg(test)]
pub async fn closure(
    db: &mut PgConnection,
) -> sqlx::Result<std::collections::BTreeSet<(AffiliateId, AffiliateId, usize)>> {
    let rows = sqlx::query!("SELECT ancestor_id, descendant_id, depth FROM affiliate_hierarchy")
        .fetch_all(db)
        .await?;
    let depth = |depth| usize::try_from(depth).expect("a depth is not negative");
    Ok(rows
        .into_iter()
        .map(|row| (row.ancestor_id.into(), row.descendant_id.into(), depth(row.depth)))
        .collect())
}
