//! Approved conversions of which a line of commission waits until the customer has stayed.

use chrono::{DateTime, Utc};
use domain::ConversionId;
use sqlx::PgConnection;

/// Until when a customer has to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stay {
    /// Until then.
    pub until: DateTime<Utc>,
    /// The conversion, a line of which is final then.
    pub conversion: ConversionId,
}

/// Notes until when the lines of an approved conversion wait that are not payable; a line that is noted already stays so.
pub async fn note(db: &mut PgConnection, conversion: ConversionId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO customer_stays (conversion_id, until)
         SELECT DISTINCT conversion_id, final_at
         FROM commissions
         WHERE conversion_id = $1
           AND status = 'accrued'
           AND final_at IS NOT NULL
         ON CONFLICT DO NOTHING",
        conversion.uuid(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The stays that are over at a moment and come after another one, soonest first.
pub async fn over(
    db: &mut PgConnection,
    at: DateTime<Utc>,
    after: Option<Stay>,
    limit: i64,
) -> Result<Vec<Stay>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT conversion_id, until
         FROM customer_stays
         WHERE until <= $1
           AND ($2::timestamptz IS NULL OR ($2, $3::uuid) < (until, conversion_id))
         ORDER BY until, conversion_id
         LIMIT $4",
        at,
        after.map(|stay| stay.until),
        after.map(|stay| stay.conversion.uuid()),
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| Stay { until: row.until, conversion: row.conversion_id.into() }).collect())
}

/// Forgets a stay that was looked at.
pub async fn forget(db: &mut PgConnection, stay: Stay) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM customer_stays WHERE conversion_id = $1 AND until = $2",
        stay.conversion.uuid(),
        stay.until,
    )
    .execute(db)
    .await?;
    Ok(())
}
