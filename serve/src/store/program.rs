//! What the team's pages count: partners, and the program in numbers.

use chrono::{DateTime, Utc};
use domain::{AffiliateId, affiliate::Tier};
use sqlx::PgConnection;

use super::columns::{Column, Nullable};

/// A partner in the team's list.
#[derive(Debug)]
pub struct Partner {
    /// Which.
    pub id: AffiliateId,
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub status: String,
    /// Where it is.
    pub country: Option<String>,
    /// Clicks of all times.
    pub clicks: i64,
    /// Conversions of all times.
    pub conversions: i64,
    /// What it earned from a moment on, by currency, as text.
    pub earned: Vec<String>,
    /// The tier that was said last.
    pub tier: Option<Tier>,
}

/// Partners whose name or address holds a text, those with the most conversions first.
pub async fn partners(
    db: &mut PgConnection,
    (holding, status): (Option<&str>, Option<&str>),
    since: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Partner>> {
    sqlx::query_as!(
        Partner,
        r#"
        SELECT affiliates.id AS "id: Column<AffiliateId>", affiliates.name, affiliates.status, affiliates.country,
               counted.clicks AS "clicks!", counted.conversions AS "conversions!",
               ARRAY(
                   SELECT sum(amount_minor)::text || ' ' || currency
                   FROM commissions
                   WHERE commissions.affiliate_id = affiliates.id AND uuid_v7_floor($3) <= commissions.id
                   GROUP BY currency
                   ORDER BY currency
               ) AS "earned!",
               (
                   SELECT tier
                   FROM partner_values
                   WHERE partner_values.affiliate_id = affiliates.id
                   ORDER BY recorded_at DESC
                   LIMIT 1
               ) AS "tier!: Nullable<Tier>"
        FROM affiliates
        CROSS JOIN LATERAL (
            SELECT COALESCE(sum(clicks), 0)::bigint AS clicks, COALESCE(sum(conversions), 0)::bigint AS conversions
            FROM links
            WHERE links.affiliate_id = affiliates.id
        ) AS counted
        WHERE ($1::text IS NULL OR strpos(lower(affiliates.name), lower($1)) <> 0
               OR strpos(lower(affiliates.email), lower($1)) <> 0)
          AND ($2::text IS NULL OR affiliates.status = $2)
        ORDER BY counted.conversions DESC, counted.clicks DESC, affiliates.id
        LIMIT $4
        "#,
        holding,
        status,
        since,
        limit
    )
    .fetch_all(db)
    .await
}

/// The program in numbers.
#[derive(Debug)]
pub struct Program {
    /// Approved affiliates.
    pub affiliates: i64,
    /// Affiliates that wait for a decision.
    pub pending: i64,
    /// Campaigns that take clicks.
    pub campaigns: i64,
    /// Conversions that people look at.
    pub held: i64,
    /// What affiliates are to be paid, by currency, as text.
    pub owed: Vec<String>,
}

/// The program in numbers. Postings are read from the index of each account that counts, and not all there are.
pub async fn program(db: &mut PgConnection) -> sqlx::Result<Program> {
    sqlx::query_as!(
        Program,
        r#"
        SELECT (SELECT count(*) FROM affiliates WHERE status = 'approved') AS "affiliates!",
               (SELECT count(*) FROM affiliates WHERE status = 'pending') AS "pending!",
               (SELECT count(*) FROM campaigns WHERE status = 'active') AS "campaigns!",
               (SELECT count(*) FROM conversions WHERE status = 'on_hold') AS "held!",
               ARRAY(
                   SELECT (-sum(stands.minor))::text || ' ' || ledger_accounts.currency
                   FROM ledger_accounts
                   CROSS JOIN LATERAL (
                       SELECT sum(ledger_postings.amount_minor) AS minor
                       FROM ledger_postings
                       WHERE ledger_postings.account_id = ledger_accounts.id
                   ) AS stands
                   WHERE ledger_accounts.kind = 'commission_payable'
                     AND stands.minor IS NOT NULL
                   GROUP BY ledger_accounts.currency
                   ORDER BY ledger_accounts.currency
               ) AS "owed!"
        "#
    )
    .fetch_one(db)
    .await
}
