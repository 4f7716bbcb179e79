//! How cases stand, in numbers.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// So far back decisions are counted.
const LOOKING_BACK: TimeDelta = TimeDelta::days(30);

/// How cases stood at a moment, and what was decided in the thirty days before.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// Cases that nobody has taken.
    pub open: i64,
    /// Cases that somebody looks at.
    pub in_review: i64,
    /// Cases whose partners were asked.
    pub waiting: i64,
    /// Since when the oldest of them is open.
    pub oldest: Option<DateTime<Utc>>,
    /// Answers of partners whose deadline has passed.
    pub appeals_overdue: i64,
    /// Cases that were approved.
    pub approved: i64,
    /// Cases that were rejected.
    pub rejected: i64,
    /// Cases that were released.
    pub released: i64,
    /// Cases whose conversions were decided elsewhere.
    pub elsewhere: i64,
    /// Conversions that went their way from a hold by a decision about fraud.
    pub left: i64,
    /// Those of them that were not rejected.
    pub overturned: i64,
    /// Rings of partners that are not dissolved.
    pub rings_open: i64,
}

/// How cases stand.
pub async fn count(db: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Numbers> {
    sqlx::query_as!(
        Numbers,
        r#"
        SELECT undecided.*, decided.*, holds.*,
               (SELECT count(*) FROM case_appeals WHERE outcome IS NULL AND due_at < $1) AS "appeals_overdue!",
               (SELECT count(*) FROM rings WHERE dissolved_at IS NULL) AS "rings_open!"
        FROM (SELECT count(*) FILTER (WHERE state = 'open') AS "open!",
                     count(*) FILTER (WHERE state = 'in_review') AS "in_review!",
                     count(*) FILTER (WHERE state = 'waiting') AS "waiting!",
                     min(opened_at) AS oldest
              FROM cases
              WHERE state <> 'decided') AS undecided,
             (SELECT count(*) FILTER (WHERE outcome = 'approve') AS "approved!",
                     count(*) FILTER (WHERE outcome = 'reject') AS "rejected!",
                     count(*) FILTER (WHERE outcome = 'release') AS "released!",
                     count(*) FILTER (WHERE outcome IS NULL) AS "elsewhere!"
              FROM cases
              WHERE $2 < decided_at) AS decided,
             (SELECT count(*) AS "left!", count(*) FILTER (WHERE left_as <> 'rejected') AS "overturned!"
              FROM case_conversions
              WHERE $2 < left_at
                AND score_id IS NOT NULL) AS holds
        "#,
        now,
        now - LOOKING_BACK
    )
    .fetch_one(db)
    .await
}
