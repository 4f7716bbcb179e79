//! Which events the database has.

use sqlx::PgConnection;
use uuid::Uuid;

/// Those of the events that are neither stored nor rejected.
///
/// # Errors
/// When the database does not answer.
pub async fn missing(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    // Scalar subqueries, because they are always looked up by the index of the one partition that an id lies in;
    // a join might read whole partitions. Nearly all events are clicks, and for those the others are never asked.
    let missing = sqlx::query_scalar!(
        r#"SELECT asked.id AS "id!"
           FROM unnest($1::uuid[]) AS asked (id)
           WHERE coalesce(
               (SELECT id FROM clicks WHERE id = asked.id),
               (SELECT id FROM impressions WHERE id = asked.id),
               (SELECT id FROM rejected_clicks WHERE id = asked.id),
               (SELECT id FROM rejected_impressions WHERE id = asked.id)
           ) IS NULL"#,
        ids,
    );
    missing.fetch_all(db).await
}
