//! Which clicks the database has.

use domain::ClickId;
use sqlx::PgConnection;
use uuid::Uuid;

/// Those of the clicks that are neither stored nor rejected.
///
/// # Errors
/// When the database does not answer.
pub async fn missing(db: &mut PgConnection, clicks: &[ClickId]) -> Result<Vec<ClickId>, sqlx::Error> {
    let ids: Vec<Uuid> = clicks.iter().map(|click| click.uuid()).collect();
    // Scalar subqueries, because they are always looked up by the index of the one partition that an id lies in;
    // a join might read whole partitions.
    let missing = sqlx::query_scalar!(
        r#"SELECT asked.id AS "id!"
           FROM unnest($1::uuid[]) AS asked (id)
           WHERE (SELECT clicks.id FROM clicks WHERE clicks.id = asked.id) IS NULL
             AND (SELECT rejected.id FROM rejected_clicks AS rejected WHERE rejected.id = asked.id) IS NULL"#,
        &ids,
    )
    .fetch_all(db)
    .await?;
    Ok(missing.into_iter().map(ClickId::from).collect())
}
