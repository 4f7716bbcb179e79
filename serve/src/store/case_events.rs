//! What happens to cases: they open, conversions join, people act, and every event of it is kept.

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, CaseId, ConversionId, Money, ScoreId,
    conversion::ReversalReason,
    fraud::cases::{Actor, CaseState, Outcome, Proposal},
};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use utoipa::ToSchema;

use super::columns::Column;

/// Something that was said or done about a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseEvent {
    /// Counted from 0.
    pub position: i32,
    /// What: `opened`, `joined`, `assigned`, `commented`, `asked`, `appealed`, `proposed`, `refused`, `decided` or `elsewhere`.
    #[schema(example = "commented")]
    pub kind: String,
    /// Who.
    pub actor: Actor,
    /// In words.
    pub note: String,
    /// What belongs to it: which conversions, to whom, what was decided.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// When.
    pub at: DateTime<Utc>,
}

/// An event to be written.
#[derive(Debug)]
pub struct NewEvent<'a> {
    /// What.
    pub kind: &'static str,
    /// Who.
    pub actor: &'a Actor,
    /// In words.
    pub note: &'a str,
    /// What belongs to it.
    pub detail: Value,
    /// When.
    pub at: DateTime<Utc>,
}

/// All that was said and done about a case, in order.
pub async fn timeline(db: &mut PgConnection, case: CaseId) -> sqlx::Result<Vec<CaseEvent>> {
    sqlx::query_as!(
        CaseEvent,
        r#"
        SELECT position, kind, actor AS "actor: Column<Actor>", note, detail, at
        FROM case_events
        WHERE case_id = $1
        ORDER BY position
        "#,
        case.uuid()
    )
    .fetch_all(db)
    .await
}

/// Appends an event to a case that the caller has locked or made.
pub async fn append(tx: &mut PgConnection, case: CaseId, event: &NewEvent<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        WITH revised AS (
            UPDATE cases
            SET revision = revision + 1
            WHERE id = $1
            RETURNING revision - 1 AS position
        )
        INSERT INTO case_events (case_id, position, kind, actor, note, detail, at)
        SELECT $1, position, $2, $3, $4, $5, $6
        FROM revised
        ",
        case.uuid(),
        event.kind,
        Json(event.actor) as _,
        event.note,
        event.detail,
        event.at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Waits until no other transaction opens a case of these or joins one. Held until the end of the transaction.
pub async fn lock_joining(
    db: &mut PgConnection,
    affiliate: Option<AffiliateId>,
    campaign: CampaignId,
    reason: &str,
) -> sqlx::Result<()> {
    let affiliate = affiliate.map_or_else(String::new, |id| id.to_string());
    let place = format!("case {affiliate} {campaign} {reason}");
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 2))", place).execute(db).await?;
    Ok(())
}

/// A case that another conversion may join.
pub struct Joinable {
    /// Which.
    pub id: CaseId,
    /// Its value without it.
    pub value: i64,
    /// Since when it is open.
    pub opened_at: DateTime<Utc>,
}

/// The newest case of an affiliate in a campaign with this reason that another conversion may join, locked: none that is
/// decided or proposed, that was opened before `since` or has `most` conversions, that this one was in before, and none that
/// somebody works on just now.
pub async fn joinable(
    db: &mut PgConnection,
    (affiliate, campaign, reason): (Option<AffiliateId>, CampaignId, &str),
    conversion: ConversionId,
    (since, most): (DateTime<Utc>, i64),
) -> sqlx::Result<Option<Joinable>> {
    sqlx::query_as!(
        Joinable,
        r#"
        SELECT id AS "id: Column<CaseId>", value, opened_at
        FROM cases
        WHERE campaign_id = $1
          AND affiliate_id IS NOT DISTINCT FROM $2
          AND reason = $3
          AND state <> 'decided'
          AND proposal IS NULL
          AND $4 <= opened_at
          AND (SELECT count(*) FROM case_conversions WHERE case_id = cases.id) < $5
          AND NOT EXISTS (SELECT FROM case_conversions WHERE case_id = cases.id AND conversion_id = $6)
        ORDER BY id DESC
        LIMIT 1
        FOR UPDATE SKIP LOCKED
        "#,
        campaign.uuid(),
        affiliate.map(AffiliateId::uuid),
        reason,
        since,
        most,
        conversion.uuid()
    )
    .fetch_optional(db)
    .await
}

/// A case that is opened.
#[derive(Debug)]
pub struct NewCase<'a> {
    /// Its id.
    pub id: CaseId,
    /// Whose conversions.
    pub affiliate: Option<AffiliateId>,
    /// In which campaign.
    pub campaign: CampaignId,
    /// What most spoke for fraud.
    pub reason: &'a str,
    /// When.
    pub opened_at: DateTime<Utc>,
    /// Until when it is to be decided.
    pub due_at: DateTime<Utc>,
}

/// Opens a case, which is worth nothing until a conversion joins it.
pub async fn open(tx: &mut PgConnection, new: &NewCase<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO cases (id, affiliate_id, campaign_id, reason, state, revision, value, rank, opened_at, due_at)
        VALUES ($1, $2, $3, $4, 'open', 0, 0, 0, $5, $6)
        ",
        new.id.uuid(),
        new.affiliate.map(AffiliateId::uuid),
        new.campaign.uuid(),
        new.reason,
        new.opened_at,
        new.due_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A conversion that joins a case.
#[derive(Debug)]
pub struct NewMember {
    /// Which conversion.
    pub conversion: ConversionId,
    /// By which decision it is held.
    pub score: Option<ScoreId>,
    /// The commissions that have accrued.
    pub stake: Money,
    /// Its part of the case's value.
    pub value: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// Adds a conversion to a case, which is worth so much then.
pub async fn join(
    tx: &mut PgConnection,
    case: CaseId,
    new: &NewMember,
    (value, rank): (i64, i64),
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO case_conversions (case_id, conversion_id, score_id, stake_minor, currency, value, joined_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ",
        case.uuid(),
        new.conversion.uuid(),
        new.score.map(ScoreId::uuid),
        new.stake.minor,
        new.stake.currency.code(),
        new.value,
        new.at
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("UPDATE cases SET value = $2, rank = $3 WHERE id = $1", case.uuid(), value, rank)
        .execute(tx)
        .await?;
    Ok(())
}

/// Gives a case to somebody, or to nobody, and puts it where it is then.
pub async fn assign(
    tx: &mut PgConnection,
    case: CaseId,
    to: Option<&Actor>,
    state: CaseState,
) -> sqlx::Result<()> {
    let to = to.map(Json);
    sqlx::query!(
        "UPDATE cases SET assignee = $2, state = $3 WHERE id = $1",
        case.uuid(),
        to as _,
        state.name()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Puts a case where it is now.
pub async fn put(tx: &mut PgConnection, case: CaseId, state: CaseState) -> sqlx::Result<()> {
    sqlx::query!("UPDATE cases SET state = $2 WHERE id = $1", case.uuid(), state.name()).execute(tx).await?;
    Ok(())
}

/// Lets a decision wait for a second person, or wait no more.
pub async fn propose(tx: &mut PgConnection, case: CaseId, proposal: Option<&Proposal>) -> sqlx::Result<()> {
    let proposal = proposal.map(Json);
    sqlx::query!("UPDATE cases SET proposal = $2 WHERE id = $1", case.uuid(), proposal as _)
        .execute(tx)
        .await?;
    Ok(())
}

/// Decides a case; its conversions move after that.
pub async fn decide(
    tx: &mut PgConnection,
    case: CaseId,
    outcome: Outcome,
    reason: Option<ReversalReason>,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE cases
        SET state = 'decided', outcome = $2, outcome_reason = $3, decided_at = $4, proposal = NULL
        WHERE id = $1
        ",
        case.uuid(),
        outcome.name(),
        reason.map(ReversalReason::name),
        at
    )
    .execute(tx)
    .await?;
    Ok(())
}
