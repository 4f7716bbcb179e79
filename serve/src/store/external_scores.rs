//! How often providers outside were asked today.

use chrono::NaiveDate;
use sqlx::PgPool;

/// Takes one call out of a day's budget, in a transaction of its own: whether there was one left. However many ask at once,
/// no more than the budget are let through.
pub async fn take(db: &PgPool, provider: &str, day: NaiveDate, budget: u32) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "
        INSERT INTO external_score_calls AS known (provider, day, calls)
        VALUES ($1, $2, 1)
        ON CONFLICT (provider, day) DO UPDATE
        SET calls = known.calls + 1
        WHERE known.calls < $3
        ",
        provider,
        day,
        i32::try_from(budget).unwrap_or(i32::MAX)
    );
    Ok(taken.execute(db).await?.rows_affected() == 1)
}
