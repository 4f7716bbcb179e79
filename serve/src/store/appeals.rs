//! What partners are told of their conversions that were held, and what they answered, once each.

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, CaseId, ConversionId, conversion::ConversionStatus, fraud::cases::AppealOutcome,
};
use sqlx::PgConnection;

use super::columns::{Column, Nullable};

/// A conversion that was held, as its partner is told of it.
#[derive(Debug)]
pub struct Told {
    /// Which conversion.
    pub conversion_id: ConversionId,
    /// Whose.
    pub affiliate_id: Option<AffiliateId>,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// The advertiser's order.
    pub order_id: Option<String>,
    /// Where it is now.
    pub status: ConversionStatus,
    /// When it went its way from the hold.
    pub left_at: Option<DateTime<Utc>>,
    /// In which case.
    pub case_id: CaseId,
    /// The case's reason.
    pub reason: String,
    /// What the partner was asked last.
    pub question: Option<String>,
    /// What the partner answered, in words.
    pub evidence: Option<String>,
    /// Pages that show it.
    pub links: Option<Vec<String>>,
    /// When it was answered.
    pub made_at: Option<DateTime<Utc>>,
    /// Until when that is to be decided about.
    pub due_at: Option<DateTime<Utc>>,
    /// What became of it.
    pub outcome: Option<AppealOutcome>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
}

/// What a partner answers.
#[derive(Debug)]
pub struct NewAppeal<'a> {
    /// About which conversion.
    pub conversion: ConversionId,
    /// In which case.
    pub case: CaseId,
    /// Who answers.
    pub affiliate: AffiliateId,
    /// In words.
    pub evidence: &'a str,
    /// Pages that show it.
    pub links: &'a [String],
    /// When.
    pub made_at: DateTime<Utc>,
    /// Until when it is to be decided about.
    pub due_at: DateTime<Utc>,
}

/// Which conversions are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub conversion: Option<ConversionId>,
    /// Only this affiliate's.
    pub affiliate: Option<AffiliateId>,
    /// Only those that come after it in the list.
    pub after: Option<ConversionId>,
}

/// Conversions that were held before a moment or asked about since, and are held or were rejected, or were answered, the
/// newest first. Few of a partner's were ever in a case: which, is known before each is looked at.
pub async fn list(
    db: &mut PgConnection,
    wanted: &Wanted,
    held_before: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Told>> {
    sqlx::query_as!(
        Told,
        r#"
        SELECT conversions.id AS "conversion_id: Column<ConversionId>",
               conversions.affiliate_id AS "affiliate_id!: Nullable<AffiliateId>",
               conversions.campaign_id AS "campaign_id: Column<CampaignId>", order_id,
               conversions.status AS "status: Column<ConversionStatus>", latest.left_at,
               latest.case_id AS "case_id: Column<CaseId>", cases.reason,
               question.note AS "question?", evidence AS "evidence?", links AS "links!: Nullable<Vec<String>>",
               made_at AS "made_at?",
               case_appeals.due_at AS "due_at?",
               case_appeals.outcome AS "outcome!: Nullable<AppealOutcome>",
               case_appeals.decided_at AS "decided_at?"
        FROM conversions
        JOIN LATERAL (
            SELECT case_id, joined_at, left_at
            FROM case_conversions
            WHERE case_conversions.conversion_id = conversions.id
            ORDER BY joined_at DESC, case_id DESC
            LIMIT 1
        ) AS latest ON true
        JOIN cases ON cases.id = latest.case_id
        LEFT JOIN LATERAL (
            SELECT note
            FROM case_events
            WHERE case_events.case_id = cases.id
              AND kind = 'asked'
              AND latest.joined_at <= case_events.at
            ORDER BY position DESC
            LIMIT 1
        ) AS question ON true
        LEFT JOIN case_appeals ON case_appeals.conversion_id = conversions.id
        WHERE ($1::uuid IS NULL OR conversions.id = $1)
          AND ($2::uuid IS NULL OR conversions.affiliate_id = $2)
          AND ($3::uuid IS NULL OR conversions.id < $3)
          AND conversions.affiliate_id IS NOT NULL
          AND conversions.id IN (SELECT conversion_id FROM case_conversions)
          AND (latest.joined_at < $4 OR question.note IS NOT NULL)
          AND (conversions.status IN ('on_hold', 'rejected') OR made_at IS NOT NULL)
        ORDER BY conversions.id DESC
        LIMIT $5
        "#,
        wanted.conversion.map(ConversionId::uuid),
        wanted.affiliate.map(AffiliateId::uuid),
        wanted.after.map(ConversionId::uuid),
        held_before,
        limit
    )
    .fetch_all(db)
    .await
}

/// How many answers an affiliate gave since a moment.
pub async fn made_since(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    since: DateTime<Utc>,
) -> sqlx::Result<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM case_appeals WHERE affiliate_id = $1 AND $2 < made_at"#,
        affiliate.uuid(),
        since
    );
    count.fetch_one(db).await
}

/// Keeps an answer.
pub async fn insert(tx: &mut PgConnection, new: &NewAppeal<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO case_appeals (conversion_id, case_id, affiliate_id, evidence, links, made_at, due_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ",
        new.conversion.uuid(),
        new.case.uuid(),
        new.affiliate.uuid(),
        new.evidence,
        serde_json::json!(new.links),
        new.made_at,
        new.due_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Opens a case again that was decided, and lets the answer's deadline hold for it. One that is open keeps an earlier one.
pub async fn reopen(tx: &mut PgConnection, case: CaseId, due_at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE cases
        SET due_at = CASE WHEN state = 'decided' THEN $2 ELSE least(due_at, $2) END,
            state = CASE WHEN state = 'decided' THEN 'open' ELSE state END,
            assignee = CASE WHEN state = 'decided' THEN NULL ELSE assignee END,
            outcome = NULL, outcome_reason = NULL, decided_at = NULL
        WHERE id = $1
        ",
        case.uuid(),
        due_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Decides about an answer that waits, if one does.
pub async fn decide(
    tx: &mut PgConnection,
    conversion: ConversionId,
    outcome: AppealOutcome,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE case_appeals
        SET outcome = $2, decided_at = $3
        WHERE conversion_id = $1
          AND outcome IS NULL
        ",
        conversion.uuid(),
        outcome.name(),
        at
    )
    .execute(tx)
    .await?;
    Ok(())
}
