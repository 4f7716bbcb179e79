//! What partners are worth, as jobs said it; nothing here is ever edited.

use chrono::{DateTime, Utc};
use domain::{AffiliateId, Currency, affiliate::Tier};
use serde::{Deserialize, Serialize};
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// A mean and the interval that holds nine of ten.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Expected {
    /// What is expected.
    pub expected: f64,
    /// One of twenty is below.
    pub lower: f64,
    /// One of twenty is above.
    pub upper: f64,
}

/// How probable each tier is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TierChances {
    /// That its worth is Bronze.
    pub bronze: f64,
    /// That it is Silver.
    pub silver: f64,
    /// That it is Gold.
    pub gold: f64,
}

/// What the worth of a partner was learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum WorthBasis {
    /// What its customers brought.
    #[serde(rename = "customers")]
    Customers,
    /// Those who are like it, as it has none.
    #[serde(rename = "source and profile")]
    Profile,
}

/// What a partner is worth, as `tributary-train partner` says it; amounts are in units of the currency. Kept as JSON, to which
/// later releases may add: what is unknown is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PartnerValue {
    /// Where the partner belongs.
    pub tier: Tier,
    /// How probable each tier is.
    pub chances: TierChances,
    /// What this was learned from.
    pub basis: WorthBasis,
    /// How many conversions were known.
    pub conversions: u64,
    /// What a conversion is worth.
    pub value_per_conversion: Expected,
    /// What a click is worth, where clicks are known.
    #[serde(default)]
    pub value_per_click: Option<Expected>,
    /// What a conversion costs in commission.
    pub cost_per_conversion: f64,
    /// What comes back for each unit of cost.
    pub expected_return: Expected,
    /// Customers who did not come back, over the program's; 1 is as usual.
    #[serde(default)]
    pub churn_ratio: Option<f64>,
    /// Why, in words.
    pub reasons: String,
    /// What the tier gives.
    #[serde(default)]
    pub gives: Vec<String>,
}

/// What was said of a partner last, and the tier before.
#[derive(Clone, Debug)]
pub struct Latest {
    /// Of whom.
    pub affiliate_id: AffiliateId,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// What amounts are in.
    pub currency: Currency,
    /// What was said.
    pub said: Json<PartnerValue>,
    /// The tier that was said before; none where nothing was.
    pub tier_before: Option<Tier>,
}

/// Keeps what is said of partners at a moment.
pub async fn insert(
    tx: &mut PgConnection,
    values: &[(AffiliateId, PartnerValue)],
    (currency, actor, at): (Currency, &str, DateTime<Utc>),
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = values.iter().map(|(id, _)| id.uuid()).collect();
    let tiers: Vec<String> = values.iter().map(|(_, value)| value.tier.name().to_owned()).collect();
    let said: Vec<Json<&PartnerValue>> = values.iter().map(|(_, value)| Json(value)).collect();
    sqlx::query!(
        "
        INSERT INTO partner_values (affiliate_id, recorded_at, tier, currency, said, actor)
        SELECT affiliate_id, $4, tier, $5, said, $6
        FROM unnest($1::uuid[], $2::text[], $3::jsonb[]) AS new (affiliate_id, tier, said)
        ",
        &ids,
        &tiers,
        &said as _,
        at,
        currency.code(),
        actor
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Lets nobody else say something until the transaction ends.
pub async fn lock(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('partner_values', 0))").execute(tx).await?;
    Ok(())
}

/// Which of these there are.
pub async fn known(db: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!("SELECT id FROM affiliates WHERE id = ANY ($1)", ids).fetch_all(db).await
}

/// What was said last of each of these of whom something was said.
pub async fn latest(db: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Latest>> {
    sqlx::query_as!(
        Latest,
        r#"
        SELECT newest.affiliate_id AS "affiliate_id!: Column<AffiliateId>", newest.recorded_at,
               newest.currency AS "currency: Column<Currency>", newest.said AS "said: Json<PartnerValue>",
               (
                   SELECT before.tier
                   FROM partner_values AS before
                   WHERE before.affiliate_id = newest.affiliate_id AND before.recorded_at < newest.recorded_at
                   ORDER BY before.recorded_at DESC
                   LIMIT 1
               ) AS "tier_before!: Nullable<Tier>"
        FROM unnest($1::uuid[]) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT affiliate_id, recorded_at, currency, said
            FROM partner_values
            WHERE partner_values.affiliate_id = wanted.id
            ORDER BY recorded_at DESC
            LIMIT 1
        ) AS newest
        "#,
        ids
    )
    .fetch_all(db)
    .await
}
