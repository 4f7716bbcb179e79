//! Cases with their conversions, and the settings by which they are worked on.

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, CaseId, ConversionId, Money, ScoreId,
    conversion::{ConversionStatus, ReversalReason},
    fraud::{
        Score,
        cases::{Actor, CaseSettings, CaseState, Outcome, Place, Proposal},
    },
};
use serde::Serialize;
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// What people decide about conversions that are held.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Case {
    /// Its id.
    pub id: CaseId,
    /// Whose conversions; null when nobody is credited.
    pub affiliate_id: Option<AffiliateId>,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// What most spoke for fraud: the code of a rule or a model, or `by_hand`.
    #[schema(example = "quick_conversion")]
    pub reason: String,
    /// Where it is in its life.
    pub state: CaseState,
    /// Who looks at it.
    pub assignee: Option<Actor>,
    /// How many events it has had; to be sent with what depends on having seen them.
    pub revision: i32,
    /// How many conversions it is about.
    pub conversions: i64,
    /// How many of them are held, or rejected with an answer of the partner that waits.
    pub waiting: i64,
    /// What a right decision is expected to save, in hundredths of a unit at par.
    pub value: i64,
    /// Its place in the queue, the greatest first.
    pub rank: i64,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// Until when it is to be decided.
    pub due_at: DateTime<Utc>,
    /// A decision that waits for a second person.
    pub proposal: Option<Proposal>,
    /// What was decided; null while nothing is, and where its conversions were decided elsewhere.
    pub outcome: Option<Outcome>,
    /// Why it was turned down.
    pub outcome_reason: Option<ReversalReason>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
}

/// Which cases are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// Only this one.
    pub id: Option<CaseId>,
    /// Only those; all that are not decided when absent and no one is named.
    pub state: Option<CaseState>,
    /// Only those of whom looks at them.
    pub assignee: Option<&'a str>,
    /// Only this affiliate's.
    pub affiliate: Option<AffiliateId>,
    /// Only this campaign's.
    pub campaign: Option<CampaignId>,
    /// Only those with this reason.
    pub reason: Option<&'a str>,
    /// Only those that come after it in the queue.
    pub after: Option<Place>,
}

/// Cases as they are queued at a moment: what is late first, then by rank.
pub async fn list(
    db: &mut PgConnection,
    wanted: &Wanted<'_>,
    at: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Case>> {
    sqlx::query_as!(
        Case,
        r#"
        SELECT id, affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", campaign_id, reason,
               state AS "state: Column<CaseState>", assignee AS "assignee!: Nullable<Actor>", revision,
               (SELECT count(*) FROM case_conversions WHERE case_id = cases.id) AS "conversions!",
               (SELECT count(*)
                FROM case_conversions
                WHERE case_id = cases.id
                  AND (left_as IS NULL
                       OR EXISTS (SELECT FROM case_appeals
                                  WHERE case_appeals.conversion_id = case_conversions.conversion_id
                                    AND case_appeals.case_id = cases.id
                                    AND outcome IS NULL))) AS "waiting!",
               value, rank, opened_at, due_at, proposal AS "proposal!: Nullable<Proposal>",
               outcome AS "outcome!: Nullable<Outcome>",
               outcome_reason AS "outcome_reason!: Nullable<ReversalReason>", decided_at
        FROM cases
        WHERE ($1::uuid IS NULL OR id = $1)
          AND ($1::uuid IS NOT NULL OR CASE WHEN $2::text IS NULL THEN state <> 'decided' ELSE state = $2 END)
          AND ($3::text IS NULL OR assignee ->> 'id' = $3)
          AND ($4::uuid IS NULL OR affiliate_id = $4)
          AND ($5::uuid IS NULL OR campaign_id = $5)
          AND ($6::text IS NULL OR reason = $6)
          AND ($8::boolean IS NULL OR (state <> 'decided' AND due_at < $7, rank, id) < ($8, $9, $10::uuid))
        ORDER BY (state <> 'decided' AND due_at < $7) DESC, rank DESC, id DESC
        LIMIT $11
        "#,
        wanted.id.map(CaseId::uuid),
        wanted.state.map(CaseState::name),
        wanted.assignee,
        wanted.affiliate.map(AffiliateId::uuid),
        wanted.campaign.map(CampaignId::uuid),
        wanted.reason,
        at,
        wanted.after.map(|place| place.is_late),
        wanted.after.map(|place| place.rank),
        wanted.after.map(|place| place.id.uuid()),
        limit
    )
    .fetch_all(db)
    .await
}

/// One case.
pub async fn find(db: &mut PgConnection, id: CaseId) -> sqlx::Result<Option<Case>> {
    let wanted = Wanted { id: Some(id), ..Wanted::default() };
    Ok(list(db, &wanted, DateTime::UNIX_EPOCH, 1).await?.pop())
}

/// Waits until nobody else writes to these cases, until the end of the transaction. Whoever decides has locked their
/// conversions before.
pub async fn lock(db: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!("SELECT id FROM cases WHERE id = ANY($1) ORDER BY id FOR UPDATE", ids).fetch_all(db).await?;
    Ok(())
}

/// Cases decided before that had the same reason, this partner's and then this campaign's first, the newest first.
pub async fn similar(db: &mut PgConnection, case: &Case, limit: i64) -> sqlx::Result<Vec<CaseId>> {
    sqlx::query_scalar!(
        r#"
        SELECT id
        FROM cases
        WHERE state = 'decided'
          AND reason = $1
          AND id <> $2
          AND outcome IS NOT NULL
        ORDER BY (affiliate_id = $3) DESC NULLS LAST, (campaign_id = $4) DESC, decided_at DESC
        LIMIT $5
        "#,
        case.reason,
        case.id.uuid(),
        case.affiliate_id.map(AffiliateId::uuid),
        case.campaign_id.uuid(),
        limit
    )
    .fetch_all(db)
    .await
    .map(|ids| ids.into_iter().map(CaseId::from).collect())
}

/// A conversion of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    /// In which case.
    #[serde(skip)]
    pub case_id: CaseId,
    /// Which conversion.
    pub conversion_id: ConversionId,
    /// Where it is now.
    pub status: ConversionStatus,
    /// The advertiser's order.
    pub order_id: Option<String>,
    /// What it was worth.
    pub amount: Money,
    /// When the customer converted.
    pub occurred_at: DateTime<Utc>,
    /// The commissions that hang on it: those that have accrued, or that had when it was held, where they were taken back.
    pub stake: Money,
    /// The decision by which it was held.
    pub score_id: Option<ScoreId>,
    /// When it became part of the case.
    pub joined_at: DateTime<Utc>,
    /// Where it went from its hold; null while it is held.
    pub left_as: Option<ConversionStatus>,
    /// When.
    pub left_at: Option<DateTime<Utc>>,
    /// Whether the partner's answer about it waits for a decision.
    pub is_appealed: bool,
}

impl Member {
    /// Whether there is something to be decided about it.
    pub fn is_waiting(&self) -> bool {
        self.left_as.is_none() || self.is_appealed
    }
}

/// The conversions of cases, in the order of the conversions' ids.
pub async fn members(db: &mut PgConnection, cases: &[Uuid]) -> sqlx::Result<Vec<Member>> {
    sqlx::query_as!(
        Member,
        r#"
        SELECT case_conversions.case_id AS "case_id: Column<CaseId>",
               conversions.id AS "conversion_id: Column<ConversionId>",
               conversions.status AS "status: Column<ConversionStatus>", order_id,
               (conversions.amount_minor, conversions.currency) AS "amount!: Column<Money>", occurred_at,
               (CASE WHEN left_as IS NULL THEN
                    (SELECT coalesce(sum(amount_minor), 0)::bigint
                     FROM commissions
                     WHERE commissions.conversion_id = conversions.id)
                ELSE stake_minor END, case_conversions.currency) AS "stake!: Column<Money>",
               score_id AS "score_id!: Nullable<ScoreId>", joined_at,
               left_as AS "left_as!: Nullable<ConversionStatus>", left_at,
               EXISTS (SELECT FROM case_appeals
                       WHERE case_appeals.conversion_id = conversions.id
                         AND case_appeals.case_id = case_conversions.case_id
                         AND outcome IS NULL) AS "is_appealed!"
        FROM case_conversions
        JOIN conversions ON conversions.id = case_conversions.conversion_id
        WHERE case_conversions.case_id = ANY($1)
        ORDER BY conversions.id
        "#,
        cases
    )
    .fetch_all(db)
    .await
}

/// What cases that are not decided are about.
#[derive(Debug)]
pub struct About {
    /// Whose conversions, if anybody's.
    pub affiliate_id: Option<AffiliateId>,
    /// What the partner is called.
    pub affiliate: Option<String>,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// What it is called.
    pub campaign: String,
    /// What most spoke for fraud.
    pub reason: String,
}

/// What cases that are not decided are about, each once.
pub async fn about(db: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<About>> {
    sqlx::query_as!(
        About,
        r#"
        SELECT DISTINCT cases.affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", affiliates.name AS "affiliate?",
               cases.campaign_id AS "campaign_id: Column<CampaignId>", campaigns.name AS campaign, cases.reason
        FROM cases
        JOIN campaigns ON campaigns.id = cases.campaign_id
        LEFT JOIN affiliates ON affiliates.id = cases.affiliate_id
        WHERE cases.state <> 'decided'
        ORDER BY affiliates.name, campaigns.name, cases.reason
        LIMIT $1
        "#,
        limit
    )
    .fetch_all(db)
    .await
}

/// The click that brought a conversion of a case.
#[derive(Debug)]
pub struct CaseClick {
    /// Which conversion.
    pub conversion_id: ConversionId,
    /// When it was.
    pub occurred_at: DateTime<Utc>,
    /// ISO 3166 country; empty when unknown.
    pub country: String,
    /// The name of the kind of machine.
    pub device: String,
    /// The browser's user agent.
    pub user_agent: String,
    /// The page before; empty when the browser told none.
    pub referrer: String,
    /// `sub1` to `sub10`, without the empty ones at the end.
    pub subs: Vec<String>,
}

/// The clicks that brought the conversions of a case, in the order of the conversions' ids.
pub async fn clicks(db: &mut PgConnection, case: CaseId) -> sqlx::Result<Vec<CaseClick>> {
    sqlx::query_as!(
        CaseClick,
        r#"
        SELECT conversions.id AS "conversion_id: Column<ConversionId>", clicks.occurred_at, clicks.country, clicks.device,
               clicks.user_agent, clicks.referrer, clicks.subs
        FROM case_conversions
        JOIN conversions ON conversions.id = case_conversions.conversion_id
        JOIN clicks ON clicks.id = conversions.click_id
        WHERE case_conversions.case_id = $1
        ORDER BY conversions.id
        "#,
        case.uuid()
    )
    .fetch_all(db)
    .await
}

/// A conversion that is held and in no case.
pub struct Held {
    /// Which conversion.
    pub conversion_id: ConversionId,
    /// Whose.
    pub affiliate_id: Option<AffiliateId>,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// The commissions that have accrued.
    pub stake: Money,
    /// By which decision it is held; none where a person held it.
    pub score_id: Option<ScoreId>,
    /// What that was made of.
    pub score: Option<Json<Score>>,
}

/// Conversions that are held and in no case, locked until the end of the transaction, one of them or the oldest; those
/// that somebody else works on wait for the next time.
pub async fn held(
    db: &mut PgConnection,
    conversion: Option<ConversionId>,
    limit: i64,
) -> sqlx::Result<Vec<Held>> {
    sqlx::query_as!(
        Held,
        r#"
        SELECT conversions.id AS "conversion_id: Column<ConversionId>",
               conversions.affiliate_id AS "affiliate_id!: Nullable<AffiliateId>",
               conversions.campaign_id AS "campaign_id: Column<CampaignId>",
               ((SELECT coalesce(sum(amount_minor), 0)::bigint
                 FROM commissions
                 WHERE commissions.conversion_id = conversions.id), currency) AS "stake!: Column<Money>",
               score.id AS "score_id!: Nullable<ScoreId>", score.score AS "score?: Json<Score>"
        FROM conversions
        LEFT JOIN LATERAL (
            SELECT fraud_scores.id, record -> 'score' AS score
            FROM fraud_scores
            WHERE fraud_scores.conversion_id = conversions.id
              AND mode = 'live'
              AND verdict = 'hold'
            ORDER BY fraud_scores.id DESC
            LIMIT 1
        ) AS score ON true
        WHERE status = 'on_hold'
          AND ($1::uuid IS NULL OR conversions.id = $1)
          AND NOT EXISTS (SELECT
                          FROM case_conversions
                          WHERE case_conversions.conversion_id = conversions.id
                            AND left_as IS NULL)
        ORDER BY conversions.id
        LIMIT $2
        FOR UPDATE OF conversions SKIP LOCKED
        "#,
        conversion.map(ConversionId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// Settings of cases as they were written.
pub struct StoredSettings {
    /// Counted from 1; the newest is in force.
    pub version: i32,
    /// What they say.
    pub settings: Json<CaseSettings>,
    /// Why, for the record.
    pub note: String,
    /// Who wrote them.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// The settings in force, if anybody has set any.
pub async fn settings(db: &mut PgConnection) -> sqlx::Result<Option<StoredSettings>> {
    sqlx::query_as!(
        StoredSettings,
        r#"
        SELECT version, settings AS "settings: Json<CaseSettings>", note, actor, created_at
        FROM case_settings
        ORDER BY version DESC
        LIMIT 1
        "#
    )
    .fetch_optional(db)
    .await
}

/// Adds the next version of the settings, unless another version came between: the number is given once.
pub async fn insert_settings(tx: &mut PgConnection, new: &StoredSettings) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "
        INSERT INTO case_settings (version, settings, note, actor, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (version) DO NOTHING
        ",
        new.version,
        Json(&new.settings.0) as _,
        new.note,
        new.actor,
        new.created_at
    );
    Ok(inserted.execute(tx).await?.rows_affected() == 1)
}
