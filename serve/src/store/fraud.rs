//! How fraud is decided, by versions, and what was decided; nothing here is ever edited.

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, ConversionId, RingId, ScoreId,
    conversion::ConversionStatus,
    fraud::{Evidence, evidence::KeyedHash, score::LogOdds},
};
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};

use super::columns::{Column, Nullable};
use crate::scoring::{
    InRing, Record,
    settings::{FraudSettings, Mode},
};

/// Settings as they were written.
pub struct StoredSettings {
    /// Counted from 1; the newest is in force.
    pub version: i32,
    /// What they say.
    pub settings: Json<FraudSettings>,
    /// Why, for the record.
    pub note: String,
    /// Who wrote them.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// The newest settings, where they are newer than a version.
pub async fn newest_settings(db: &mut PgConnection, known: u32) -> sqlx::Result<Option<StoredSettings>> {
    sqlx::query_as!(
        StoredSettings,
        r#"
        SELECT version, settings AS "settings: Json<FraudSettings>", note, actor, created_at
        FROM fraud_settings
        WHERE $1 < version
        ORDER BY version DESC
        LIMIT 1
        "#,
        i32::try_from(known).unwrap_or(i32::MAX)
    )
    .fetch_optional(db)
    .await
}

/// The settings of a version.
pub async fn settings_of(db: &mut PgConnection, version: i32) -> sqlx::Result<Option<StoredSettings>> {
    sqlx::query_as!(
        StoredSettings,
        r#"
        SELECT version, settings AS "settings: Json<FraudSettings>", note, actor, created_at
        FROM fraud_settings
        WHERE version = $1
        "#,
        version
    )
    .fetch_optional(db)
    .await
}

/// Every version of the settings, the newest first.
pub async fn all_settings(db: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<StoredSettings>> {
    sqlx::query_as!(
        StoredSettings,
        r#"
        SELECT version, settings AS "settings: Json<FraudSettings>", note, actor, created_at
        FROM fraud_settings
        ORDER BY version DESC
        LIMIT $1
        "#,
        limit
    )
    .fetch_all(db)
    .await
}

/// Adds the next version of the settings, unless another version came between: the number is given once.
pub async fn insert_settings(tx: &mut PgConnection, new: &StoredSettings) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "
        INSERT INTO fraud_settings (version, settings, note, actor, created_at)
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

/// What was decided.
#[derive(Clone, Copy, Debug)]
pub struct NewScore<'a> {
    /// Its id.
    pub id: ScoreId,
    /// Of which conversion; none for what was only asked about.
    pub conversion: Option<ConversionId>,
    /// Whether it holds.
    pub mode: Mode,
    /// By which settings.
    pub settings_version: u32,
    /// All of it.
    pub record: &'a Record,
    /// Who asked.
    pub actor: &'a str,
}

/// Keeps a decision.
pub async fn insert(tx: &mut PgConnection, new: &NewScore<'_>) -> sqlx::Result<()> {
    let NewScore { id, conversion, mode, settings_version, record, actor } = *new;
    sqlx::query!(
        "
        INSERT INTO fraud_scores (
            id, conversion_id, campaign_id, affiliate_id, mode, verdict, log_odds, settings_version, record, actor,
            scored_at, ring_id
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ",
        id.uuid(),
        conversion.map(ConversionId::uuid),
        record.campaign_id.uuid(),
        record.affiliate_id.map(AffiliateId::uuid),
        mode.name(),
        record.decision.verdict.name(),
        record.score.log_odds.0,
        i32::try_from(settings_version).unwrap_or(i32::MAX),
        Json(record) as _,
        actor,
        record.at,
        record.ring.as_ref().map(|ring| ring.id.uuid())
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A decision that is kept with others.
#[derive(Debug)]
pub struct KeptScore {
    id: Uuid,
    conversion: Option<Uuid>,
    campaign: Uuid,
    affiliate: Option<Uuid>,
    mode: String,
    verdict: String,
    log_odds: i64,
    settings_version: i32,
    record: String,
    actor: String,
    scored_at: DateTime<Utc>,
    ring: Option<Uuid>,
}

impl KeptScore {
    /// What is to be kept.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn of(new: &NewScore<'_>) -> serde_json::Result<Self> {
        let NewScore { id, conversion, mode, settings_version, record, actor } = *new;
        Ok(Self {
            id: id.uuid(),
            conversion: conversion.map(ConversionId::uuid),
            campaign: record.campaign_id.uuid(),
            affiliate: record.affiliate_id.map(AffiliateId::uuid),
            mode: mode.name().to_owned(),
            verdict: record.decision.verdict.name().to_owned(),
            log_odds: record.score.log_odds.0,
            settings_version: i32::try_from(settings_version).unwrap_or(i32::MAX),
            record: serde_json::to_string(record)?,
            actor: actor.to_owned(),
            scored_at: record.at,
            ring: record.ring.as_ref().map(|ring| ring.id.uuid()),
        })
    }
}

/// Keeps decisions: all, or none.
pub async fn insert_all(db: &mut PgConnection, all: &[&KeptScore]) -> sqlx::Result<()> {
    fn column<'a, T>(all: &[&'a KeptScore], of: fn(&'a KeptScore) -> T) -> Vec<T> {
        all.iter().copied().map(of).collect()
    }
    sqlx::query!(
        r#"
        INSERT INTO fraud_scores (
            id, conversion_id, campaign_id, affiliate_id, mode, verdict, log_odds, settings_version, record, actor,
            scored_at, ring_id
        )
        SELECT id, conversion_id, campaign_id, affiliate_id, mode, verdict, log_odds, settings_version, record::json,
               actor, scored_at, ring_id
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bigint[],
                    $8::int[], $9::text[], $10::text[], $11::timestamptz[], $12::uuid[])
             AS new (id, conversion_id, campaign_id, affiliate_id, mode, verdict, log_odds, settings_version, record,
                     actor, scored_at, ring_id)
        "#,
        &column(all, |it| it.id),
        &column(all, |it| it.conversion) as &[Option<Uuid>],
        &column(all, |it| it.campaign),
        &column(all, |it| it.affiliate) as &[Option<Uuid>],
        &column(all, |it| it.mode.as_str()) as &[&str],
        &column(all, |it| it.verdict.as_str()) as &[&str],
        &column(all, |it| it.log_odds),
        &column(all, |it| it.settings_version),
        &column(all, |it| it.record.as_str()) as &[&str],
        &column(all, |it| it.actor.as_str()) as &[&str],
        &column(all, |it| it.scored_at),
        &column(all, |it| it.ring) as &[Option<Uuid>]
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A decision as it was kept.
pub struct StoredScore {
    /// Its id.
    pub id: ScoreId,
    /// Of which conversion.
    pub conversion_id: Option<ConversionId>,
    /// `shadow` or `live`.
    pub mode: String,
    /// By which settings.
    pub settings_version: i32,
    /// All of it.
    pub record: Json<Record>,
    /// Who asked.
    pub actor: String,
}

/// Which decisions are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub id: Option<ScoreId>,
    /// Only about this conversion.
    pub conversion: Option<ConversionId>,
    /// Only about this affiliate's.
    pub affiliate: Option<AffiliateId>,
    /// Only this campaign's.
    pub campaign: Option<CampaignId>,
    /// Only those: `approve` or `hold`.
    pub verdict: Option<&'static str>,
    /// Only those that come after it in the list.
    pub after: Option<ScoreId>,
}

/// Decisions, the newest first.
pub async fn list(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> sqlx::Result<Vec<StoredScore>> {
    let uuid = |id: Option<Uuid>| id;
    sqlx::query_as!(
        StoredScore,
        r#"
        SELECT id AS "id!: Column<ScoreId>", conversion_id AS "conversion_id!: Nullable<ConversionId>", mode,
               settings_version, record AS "record: Json<Record>", actor
        FROM fraud_scores
        WHERE ($1::uuid IS NULL OR id = $1)
          AND ($2::uuid IS NULL OR conversion_id = $2)
          AND ($3::uuid IS NULL OR affiliate_id = $3)
          AND ($4::uuid IS NULL OR campaign_id = $4)
          AND ($5::text IS NULL OR verdict = $5)
          AND ($6::uuid IS NULL OR id < $6)
        ORDER BY id DESC
        LIMIT $7
        "#,
        uuid(wanted.id.map(ScoreId::uuid)),
        uuid(wanted.conversion.map(ConversionId::uuid)),
        uuid(wanted.affiliate.map(AffiliateId::uuid)),
        uuid(wanted.campaign.map(CampaignId::uuid)),
        wanted.verdict,
        uuid(wanted.after.map(ScoreId::uuid)),
        limit
    )
    .fetch_all(db)
    .await
}

/// A conversion that was decided about, with what was known then and what became of it.
pub struct PastScore {
    /// Which one.
    pub conversion_id: ConversionId,
    /// Of which campaign.
    pub campaign_id: CampaignId,
    /// When it was decided.
    pub scored_at: DateTime<Utc>,
    /// What was known.
    pub evidence: Json<Evidence>,
    /// Where it is now.
    pub status: ConversionStatus,
}

/// What was decided first since a moment about each conversion that is stored, the newest conversions first.
pub async fn past(db: &mut PgConnection, since: DateTime<Utc>, limit: i64) -> sqlx::Result<Vec<PastScore>> {
    sqlx::query_as!(
        PastScore,
        r#"
        SELECT DISTINCT ON (conversions.id) conversions.id AS "conversion_id: Column<ConversionId>",
               fraud_scores.campaign_id AS "campaign_id: Column<CampaignId>", scored_at,
               record -> 'evidence' AS "evidence!: Json<Evidence>", status AS "status: Column<ConversionStatus>"
        FROM fraud_scores
        JOIN conversions ON conversions.id = conversion_id
        WHERE $1 <= scored_at
        ORDER BY conversions.id DESC, fraud_scores.id
        LIMIT $2
        "#,
        since,
        limit
    )
    .fetch_all(db)
    .await
}

/// What the traffic of partners who advertise in search engines is called, among other words.
const SEARCHING: [&str; 6] = ["search", "ppc", "sem", "sea", "google", "bing"];

/// What is registered of a partner, and the ring that it is in.
pub struct Partner {
    /// The partner's own page.
    pub website: Option<String>,
    /// The partner's mailbox.
    pub email: String,
    /// What kind of traffic the partner sends.
    pub traffic_source: Option<String>,
    /// Whether the partner may advertise under the advertiser's name, where somebody said.
    pub search_licence: Option<bool>,
    /// The account that the partner is paid to.
    pub account: Option<KeyedHash>,
    /// Partners who are paid to it, this one among them.
    pub account_partners: i64,
    /// Those of them who are not of one business with it: neither declared together nor one recruiter's.
    pub account_strangers: i64,
    /// The ring, if it is in one.
    pub ring_id: Option<RingId>,
    /// Its revision.
    pub revision: Option<i32>,
    /// What being in it is evidence of.
    pub log_odds: Option<i64>,
    /// What the partner shares with the closest of the others.
    pub shared: Option<String>,
    /// The others.
    pub others: Vec<Uuid>,
}

impl Partner {
    /// Whether the partner may advertise under the advertiser's name: as somebody said, else by the traffic it sends.
    pub fn may_search(&self) -> Option<bool> {
        let by_traffic = || {
            let kind = self.traffic_source.as_ref()?.to_ascii_lowercase();
            Some(kind.split(|letter: char| !letter.is_alphanumeric()).any(|word| SEARCHING.contains(&word)))
        };
        self.search_licence.or_else(by_traffic)
    }

    /// The ring as decisions take it whose customers the others know.
    pub fn ring(&self) -> Option<InRing> {
        Some(InRing {
            id: self.ring_id?,
            revision: self.revision?,
            with: self.others.iter().map(|id| AffiliateId::from(*id)).collect(),
            shared: self.shared.clone()?,
            knows_customer: true,
            log_odds: LogOdds(self.log_odds?),
        })
    }
}

/// What is registered of a partner, and the ring that it is in.
pub async fn partner(db: &mut PgConnection, id: AffiliateId) -> sqlx::Result<Option<Partner>> {
    sqlx::query_as!(
        Partner,
        r#"
        SELECT website, email, traffic_source, search_licence,
               payout_account_hash AS "account!: Nullable<KeyedHash>", account_partners AS "account_partners!", account_strangers AS "account_strangers!", ring_members.ring_id AS "ring_id!: Nullable<RingId>", revision AS "revision?",
               log_odds AS "log_odds?", shared AS "shared?",
               ARRAY(SELECT others.affiliate_id
                     FROM ring_members AS others
                     WHERE others.ring_id = ring_members.ring_id AND others.affiliate_id <> affiliates.id
                     ORDER BY others.affiliate_id) AS "others!"
        FROM affiliates
        CROSS JOIN LATERAL (
            SELECT count(*) AS account_partners,
                   count(*) FILTER (
                       WHERE others.id <> affiliates.id
                         AND others.id IS DISTINCT FROM affiliates.parent_id
                         AND others.parent_id IS DISTINCT FROM affiliates.id
                         AND (others.parent_id = affiliates.parent_id) IS NOT TRUE
                         AND NOT EXISTS (
                             SELECT
                             FROM declared_groups
                             WHERE declared_groups.affiliates @> ARRAY[others.id, affiliates.id]
                         )
                   ) AS account_strangers
            FROM affiliates AS others
            WHERE others.payout_account_hash = affiliates.payout_account_hash
              AND (others.id = affiliates.id OR others.status IN ('approved', 'suspended'))
        ) AS paid_alike
        LEFT JOIN ring_members ON ring_members.affiliate_id = affiliates.id
        LEFT JOIN rings ON rings.id = ring_members.ring_id
        WHERE affiliates.id = $1
        "#,
        id.uuid()
    )
    .fetch_optional(db)
    .await
}

/// What kind of traffic partners send, where they said it.
pub async fn kinds(db: &mut PgConnection) -> sqlx::Result<Vec<(AffiliateId, String)>> {
    let rows = sqlx::query!(
        r#"SELECT id, traffic_source AS "traffic_source!" FROM affiliates WHERE traffic_source IS NOT NULL"#
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.id.into(), row.traffic_source)).collect())
}
