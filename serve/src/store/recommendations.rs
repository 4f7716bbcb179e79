//! Who may be recommended, what was recommended, and what people said of it.

use chrono::{DateTime, Utc};
use domain::{
    AdvertiserId, AffiliateId, CampaignId, Currency, RecommendationFeedbackId, RecommendationId,
    affiliate::AffiliateStatus, campaign::CampaignStatus,
};
use serde::{Deserialize, Serialize};
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};
use utoipa::ToSchema;

use super::columns::Column;

/// After so many transactions changes may have been forgotten, and everybody must be read again; as trackers do it.
pub const MEMORY: i64 = 500_000;

/// An affiliate, as far as lists look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AffiliateCard {
    /// Its id.
    pub id: AffiliateId,
    /// What it is called.
    pub name: String,
    /// Where it stands with the program.
    pub status: AffiliateStatus,
    /// Where its visitors come from.
    pub traffic_source: Option<String>,
    /// What it publishes.
    pub content_type: Option<String>,
    /// Where it is.
    pub country: Option<String>,
}

/// A campaign, as far as lists look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignCard {
    /// Its id.
    pub id: CampaignId,
    /// Whose it is.
    pub advertiser_id: AdvertiserId,
    /// What it is called.
    pub name: String,
    /// Whether it takes clicks.
    pub status: CampaignStatus,
    /// What its orders are counted in.
    pub currency: Currency,
}

/// What is true of the one who gets a list, and what has changed of all since they were read.
#[derive(Debug)]
pub struct Around {
    /// The oldest transaction that is open: what it and later ones change is yet to be read.
    pub oldest_open: i64,
    /// Affiliates that changed.
    pub affiliates: Vec<Uuid>,
    /// Campaigns that changed.
    pub campaigns: Vec<Uuid>,
    /// With whom there is something already.
    pub had: Vec<Uuid>,
    /// Who was dismissed and not restored.
    pub dismissed: Vec<Uuid>,
}

/// Asks for all of it at once, for a list of campaigns.
pub async fn around_affiliate(db: &mut PgConnection, id: AffiliateId, since: i64) -> sqlx::Result<Around> {
    sqlx::query_as!(
        Around,
        r#"
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "oldest_open!",
               ARRAY(
                   SELECT id FROM directory_changes WHERE $2 <= changed_in AND kind = 'affiliate'
               ) AS "affiliates!",
               ARRAY(
                   SELECT id FROM directory_changes WHERE $2 <= changed_in AND kind = 'campaign'
               ) AS "campaigns!",
               ARRAY(
                   SELECT campaign_id FROM affiliate_campaigns WHERE affiliate_id = $1
                   UNION
                   SELECT campaign_id FROM links WHERE affiliate_id = $1
               ) AS "had!",
               ARRAY(
                   SELECT campaign_id
                   FROM (
                       SELECT DISTINCT ON (campaign_id) campaign_id, kind
                       FROM recommendation_feedback
                       WHERE affiliate_id = $1 AND kind IN ('dismissed', 'restored')
                       ORDER BY campaign_id, id DESC
                   ) AS said
                   WHERE kind = 'dismissed'
               ) AS "dismissed!"
        "#,
        id.uuid(),
        since
    )
    .fetch_one(db)
    .await
}

/// The same for a list of affiliates.
pub async fn around_campaign(db: &mut PgConnection, id: CampaignId, since: i64) -> sqlx::Result<Around> {
    sqlx::query_as!(
        Around,
        r#"
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "oldest_open!",
               ARRAY(
                   SELECT id FROM directory_changes WHERE $2 <= changed_in AND kind = 'affiliate'
               ) AS "affiliates!",
               ARRAY(
                   SELECT id FROM directory_changes WHERE $2 <= changed_in AND kind = 'campaign'
               ) AS "campaigns!",
               ARRAY(
                   SELECT affiliate_id FROM affiliate_campaigns WHERE campaign_id = $1
                   UNION
                   SELECT affiliate_id FROM links WHERE campaign_id = $1
               ) AS "had!",
               ARRAY(
                   SELECT affiliate_id
                   FROM (
                       SELECT DISTINCT ON (affiliate_id) affiliate_id, kind
                       FROM recommendation_feedback
                       WHERE campaign_id = $1 AND kind IN ('dismissed', 'restored')
                       ORDER BY affiliate_id, id DESC
                   ) AS said
                   WHERE kind = 'dismissed'
               ) AS "dismissed!"
        "#,
        id.uuid(),
        since
    )
    .fetch_one(db)
    .await
}

/// The oldest transaction that is open.
pub async fn oldest_open(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "oldest!""#)
        .fetch_one(db)
        .await
}

/// Affiliates: all of them, or these.
pub async fn affiliates(db: &mut PgConnection, some: Option<&[Uuid]>) -> sqlx::Result<Vec<AffiliateCard>> {
    sqlx::query_as!(
        AffiliateCard,
        r#"
        SELECT id, name, status AS "status: Column<AffiliateStatus>", traffic_source, content_type, country
        FROM affiliates
        WHERE $1::uuid[] IS NULL OR id = ANY ($1)
        ORDER BY id
        "#,
        some
    )
    .fetch_all(db)
    .await
}

/// Campaigns: all of them, or these.
pub async fn campaigns(db: &mut PgConnection, some: Option<&[Uuid]>) -> sqlx::Result<Vec<CampaignCard>> {
    sqlx::query_as!(
        CampaignCard,
        r#"
        SELECT id, advertiser_id, name, status AS "status: Column<CampaignStatus>",
               currency AS "currency: Column<Currency>"
        FROM campaigns
        WHERE $1::uuid[] IS NULL OR id = ANY ($1)
        ORDER BY id
        "#,
        some
    )
    .fetch_all(db)
    .await
}

/// What links of affiliates of one kind have come to in a campaign.
#[derive(Clone, Debug)]
pub struct Earned {
    /// Where.
    pub campaign_id: CampaignId,
    /// Whose links.
    pub affiliate_id: AffiliateId,
    /// How many clicks were counted; an order by a coupon is one.
    pub clicks: i64,
    /// How many conversions.
    pub conversions: i64,
}

/// What all links that were clicked have come to, by pairs.
pub async fn earned(db: &mut PgConnection) -> sqlx::Result<Vec<Earned>> {
    sqlx::query_as!(
        Earned,
        r#"
        SELECT campaign_id, affiliate_id, sum(greatest(clicks, conversions))::bigint AS "clicks!",
               sum(conversions)::bigint AS "conversions!"
        FROM links
        WHERE 0 < clicks + conversions
        GROUP BY campaign_id, affiliate_id
        ORDER BY campaign_id, affiliate_id
        "#
    )
    .fetch_all(db)
    .await
}

/// A place of a list, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptPlace {
    /// Who has it.
    pub id: Uuid,
    /// By which score; none where chance chose whom nobody can score.
    pub score: Option<f64>,
    /// How probable that was.
    pub propensity: f64,
    /// Whether chance chose.
    pub explored: bool,
}

/// A list that was served.
#[derive(Clone, Debug)]
pub struct KeptList {
    /// Its id.
    pub id: RecommendationId,
    /// `campaigns` or `affiliates`.
    pub holds: &'static str,
    /// For whom.
    pub for_id: Uuid,
    /// By which model.
    pub model: String,
    /// By which version of it; none by rules.
    pub model_version: Option<i32>,
    /// The rate at which chance filled places.
    pub exploring: f64,
    /// From the first place on.
    pub places: Vec<KeptPlace>,
    /// When.
    pub served_at: DateTime<Utc>,
}

/// Keeps lists, each once.
pub async fn keep(db: &mut PgConnection, lists: &[KeptList]) -> sqlx::Result<()> {
    let column = |of: fn(&KeptList) -> Uuid| lists.iter().map(of).collect::<Vec<_>>();
    let places: Vec<Json<&[KeptPlace]>> = lists.iter().map(|list| Json(&*list.places)).collect();
    sqlx::query!(
        "
        INSERT INTO recommendations (id, holds, for_id, model, model_version, exploring, places, served_at)
        SELECT *
        FROM UNNEST(
            $1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::int[], $6::double precision[], $7::jsonb[],
            $8::timestamptz[]
        )
        ON CONFLICT DO NOTHING
        ",
        &column(|list| list.id.uuid()),
        &lists.iter().map(|list| list.holds.to_owned()).collect::<Vec<_>>(),
        &column(|list| list.for_id),
        &lists.iter().map(|list| list.model.clone()).collect::<Vec<_>>(),
        &lists.iter().map(|list| list.model_version).collect::<Vec<_>>() as _,
        &lists.iter().map(|list| list.exploring).collect::<Vec<_>>(),
        &places as _,
        &lists.iter().map(|list| list.served_at).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A place that was shown, and what came of it.
#[derive(Debug)]
pub struct LoggedPlace {
    /// The list.
    pub list_id: RecommendationId,
    /// When it was served.
    pub served_at: DateTime<Utc>,
    /// By which model.
    pub model: String,
    /// By which version.
    pub model_version: Option<i32>,
    /// For whom.
    pub for_id: Uuid,
    /// From 1 on.
    pub place: i64,
    /// Who had it.
    pub id: Uuid,
    /// By which score.
    pub score: Option<f64>,
    /// How probable that was.
    pub propensity: f64,
    /// Whether chance chose.
    pub explored: bool,
    /// What people said of the pair since, the last of it.
    pub feedback: Option<String>,
    /// Orders of the pair since.
    pub conversions: i64,
    /// What was left of them, less commission, in minor units of the campaign's currency.
    pub value_minor: i64,
    /// The currency.
    pub currency: Option<String>,
}

/// Which places are asked for.
#[derive(Debug)]
pub struct Asked {
    /// `campaigns` or `affiliates`.
    pub holds: &'static str,
    /// Lists from then on.
    pub from: DateTime<Utc>,
    /// Until then.
    pub to: DateTime<Utc>,
    /// What came of a place within so many days counts.
    pub days: i32,
    /// No more places than this.
    pub most: i64,
}

/// Places in the order in which they were served, with what came of each pair after its list.
pub async fn logged(db: &mut PgConnection, asked: &Asked) -> sqlx::Result<Vec<LoggedPlace>> {
    sqlx::query_as!(
        LoggedPlace,
        r#"
        SELECT list.id AS list_id, list.served_at, list.model, list.model_version, list.for_id,
               place.number AS "place!", pair.other AS "id!",
               (place.shown ->> 'score')::double precision AS "score?",
               (place.shown ->> 'propensity')::double precision AS "propensity!",
               (place.shown ->> 'explored')::boolean AS "explored!",
               said.kind AS "feedback?", came.conversions AS "conversions!", came.value_minor AS "value_minor!",
               campaigns.currency AS "currency?"
        FROM recommendations AS list
        CROSS JOIN LATERAL jsonb_array_elements(list.places) WITH ORDINALITY AS place (shown, number)
        CROSS JOIN LATERAL (
            SELECT (place.shown ->> 'id')::uuid AS other,
                   CASE list.holds WHEN 'campaigns' THEN list.for_id ELSE (place.shown ->> 'id')::uuid END AS affiliate_id,
                   CASE list.holds WHEN 'campaigns' THEN (place.shown ->> 'id')::uuid ELSE list.for_id END AS campaign_id
        ) AS pair
        CROSS JOIN LATERAL (
            SELECT count(*) AS conversions,
                   COALESCE(sum(
                       CASE WHEN orders.status IN ('rejected', 'reversed') THEN 0
                            ELSE orders.amount_minor - orders.reversed_minor END
                       - COALESCE((
                           SELECT sum(paid.amount_minor) FROM commissions AS paid
                           WHERE paid.conversion_id = orders.id AND paid.currency = orders.currency
                       ), 0)
                   ), 0)::bigint AS value_minor
            FROM conversions AS orders
            WHERE orders.affiliate_id = pair.affiliate_id
              AND orders.campaign_id = pair.campaign_id
              AND orders.currency = (SELECT currency FROM campaigns WHERE id = pair.campaign_id)
              AND list.served_at <= orders.occurred_at
              AND orders.occurred_at < list.served_at + make_interval(days => $4)
        ) AS came
        LEFT JOIN LATERAL (
            SELECT kind FROM recommendation_feedback
            WHERE affiliate_id = pair.affiliate_id
              AND campaign_id = pair.campaign_id
              AND list.served_at <= created_at
              AND created_at < list.served_at + make_interval(days => $4)
            ORDER BY id DESC
            LIMIT 1
        ) AS said ON TRUE
        LEFT JOIN campaigns ON campaigns.id = pair.campaign_id
        WHERE list.holds = $1
          AND $2 <= list.served_at
          AND list.served_at < $3
        ORDER BY list.served_at, list.id, place.number
        LIMIT $5
        "#,
        asked.holds,
        asked.from,
        asked.to,
        asked.days,
        asked.most
    )
    .fetch_all(db)
    .await
}

/// What people say of a pair that was recommended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackKind {
    /// A person saw it.
    Shown,
    /// The affiliate applied to the campaign.
    Applied,
    /// The affiliate was invited.
    Invited,
    /// It is not to be recommended any more, either way.
    Dismissed,
    /// It may be recommended again.
    Restored,
}

impl FeedbackKind {
    /// The name on the wire and in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Applied => "applied",
            Self::Invited => "invited",
            Self::Dismissed => "dismissed",
            Self::Restored => "restored",
        }
    }
}

/// What was said of a pair.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecommendationFeedback {
    /// Its id.
    pub id: RecommendationFeedbackId,
    /// The affiliate of the pair.
    pub affiliate_id: AffiliateId,
    /// The campaign of the pair.
    pub campaign_id: CampaignId,
    /// What.
    pub kind: FeedbackKind,
    /// The list that it is about.
    pub list_id: Option<RecommendationId>,
    /// What else there is to say for the record.
    pub note: String,
    /// Who said it.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Who dismissed a pair last, unless it was restored since.
pub async fn dismissed_by(
    db: &mut PgConnection,
    (affiliate, campaign): (AffiliateId, CampaignId),
) -> sqlx::Result<Option<String>> {
    let last = sqlx::query!(
        "
        SELECT kind, actor
        FROM recommendation_feedback
        WHERE affiliate_id = $1
          AND campaign_id = $2
          AND kind IN ('dismissed', 'restored')
        ORDER BY id DESC
        LIMIT 1
        ",
        affiliate.uuid(),
        campaign.uuid()
    );
    let last = last.fetch_optional(db).await?;
    Ok(last.filter(|last| last.kind == "dismissed").map(|last| last.actor))
}

/// Keeps what was said.
pub async fn say(tx: &mut PgConnection, said: &RecommendationFeedback) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO recommendation_feedback (id, affiliate_id, campaign_id, kind, list_id, note, actor, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ",
        said.id.uuid(),
        said.affiliate_id.uuid(),
        said.campaign_id.uuid(),
        said.kind.name(),
        said.list_id.map(RecommendationId::uuid),
        said.note,
        said.actor,
        said.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}
