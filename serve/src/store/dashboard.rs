//! What pages count: an affiliate's clicks, conversions and commissions, by day and by where they come from.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{AffiliateId, CampaignId, ConversionId, Currency, Money, conversion::CommissionStatus};
use sqlx::{PgConnection, types::Uuid};

use super::{columns::Column, traffic::OnDay};

/// What one affiliate did since a moment, in one currency or, without one, in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Today {
    /// Whose.
    pub affiliate: Uuid,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Clicks of all its links, of all times: what is added to it is new.
    pub clicks_ever: i64,
    /// Conversions that it has credit for.
    pub conversions: i64,
    /// What it earned, by currency, as text.
    pub earned: Vec<String>,
}

/// What several affiliates did, each since a moment of its own: one statement for all who look.
pub async fn since(
    db: &mut PgConnection,
    whose: &[(AffiliateId, DateTime<Utc>)],
) -> sqlx::Result<Vec<Today>> {
    let (affiliates, moments): (Vec<Uuid>, Vec<DateTime<Utc>>) =
        whose.iter().map(|(affiliate, since)| (affiliate.uuid(), *since)).unzip();
    sqlx::query_as!(
        Today,
        r#"
        SELECT asked.affiliate AS "affiliate!", asked.since AS "since!",
               COALESCE((SELECT sum(clicks) FROM links WHERE links.affiliate_id = asked.affiliate), 0)::bigint
                   AS "clicks_ever!",
               (
                   SELECT count(DISTINCT conversion_shares.conversion_id)
                   FROM conversion_shares
                   WHERE conversion_shares.affiliate_id = asked.affiliate
                     AND uuid_v7_floor(asked.since) <= conversion_shares.conversion_id
               ) AS "conversions!",
               ARRAY(
                   SELECT sum(amount_minor)::text || ' ' || currency
                   FROM commissions
                   WHERE commissions.affiliate_id = asked.affiliate AND uuid_v7_floor(asked.since) <= commissions.id
                   GROUP BY currency
                   ORDER BY currency
               ) AS "earned!"
        FROM UNNEST($1::uuid[], $2::timestamptz[]) AS asked (affiliate, since)
        "#,
        &affiliates,
        &moments
    )
    .fetch_all(db)
    .await
}

/// Days in some zone: the moments and the ids that are made in them, which are the same for whatever has ids.
#[derive(Debug)]
pub struct Spans {
    days: Vec<NaiveDate>,
    begins: Vec<Uuid>,
    ends: Vec<Uuid>,
    from: Vec<DateTime<Utc>>,
    before: Vec<DateTime<Utc>>,
}

impl Spans {
    /// Of days with when they begin and end.
    pub fn new(shown: impl Iterator<Item = (NaiveDate, DateTime<Utc>, DateTime<Utc>)>) -> Self {
        let (mut days, mut from, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for (day, begins, ends) in shown {
            days.push(day);
            from.push(begins);
            before.push(ends);
        }
        let ids =
            |moments: &[DateTime<Utc>]| moments.iter().map(|at| ConversionId::floor(*at).uuid()).collect();
        Self { begins: ids(&from), ends: ids(&before), days, from, before }
    }
}

/// Conversions by the day on which they were taken in; of one affiliate's credit or of all. Each day is a range of ids, so that
/// indexes tell how many there are, and rows are read only on pages that were written since the last vacuum.
pub async fn conversions_by_day(
    db: &mut PgConnection,
    affiliate: Option<AffiliateId>,
    Spans { days, begins, ends, .. }: &Spans,
) -> sqlx::Result<Vec<OnDay>> {
    let Some(affiliate) = affiliate else {
        return sqlx::query_as!(
            OnDay,
            r#"
            SELECT asked.day AS "day!",
                   (SELECT count(*) FROM conversions WHERE asked.begins <= id AND id < asked.ends) AS "count!"
            FROM unnest($1::date[], $2::uuid[], $3::uuid[]) AS asked (day, begins, ends)
            "#,
            days,
            begins,
            ends
        )
        .fetch_all(db)
        .await;
    };
    sqlx::query_as!(
        OnDay,
        r#"
        SELECT asked.day AS "day!",
               (
                   SELECT count(DISTINCT conversion_id)
                   FROM conversion_shares
                   WHERE affiliate_id = $1 AND asked.begins <= conversion_id AND conversion_id < asked.ends
               ) AS "count!"
        FROM unnest($2::date[], $3::uuid[], $4::uuid[]) AS asked (day, begins, ends)
        "#,
        affiliate.uuid(),
        days,
        begins,
        ends
    )
    .fetch_all(db)
    .await
}

/// What was earned on a day in a currency.
#[derive(Debug)]
pub struct EarnedOnDay {
    /// Which day, in the zone that was asked for.
    pub day: NaiveDate,
    /// How much, corrections included.
    pub amount: Money,
}

/// Commissions by the day on which they were written; of one affiliate or of all. An affiliate's index is ordered by ids and
/// that of all by moments, each with the amounts in it: a day is a range of whichever is read.
pub async fn earned_by_day(
    db: &mut PgConnection,
    affiliate: Option<AffiliateId>,
    Spans { days, begins, ends, from, before }: &Spans,
) -> sqlx::Result<Vec<EarnedOnDay>> {
    let Some(affiliate) = affiliate else {
        return sqlx::query_as!(
            EarnedOnDay,
            r#"
            SELECT asked.day AS "day!", (earned.minor, earned.currency) AS "amount!: Column<Money>"
            FROM unnest($1::date[], $2::timestamptz[], $3::timestamptz[]) AS asked (day, begins, ends)
            CROSS JOIN LATERAL (
                SELECT sum(amount_minor)::bigint AS minor, currency
                FROM commissions
                WHERE asked.begins <= created_at AND created_at < asked.ends
                GROUP BY currency
            ) AS earned
            ORDER BY asked.day, earned.currency
            "#,
            days,
            from,
            before
        )
        .fetch_all(db)
        .await;
    };
    sqlx::query_as!(
        EarnedOnDay,
        r#"
        SELECT asked.day AS "day!", (earned.minor, earned.currency) AS "amount!: Column<Money>"
        FROM unnest($2::date[], $3::uuid[], $4::uuid[]) AS asked (day, begins, ends)
        CROSS JOIN LATERAL (
            SELECT sum(amount_minor)::bigint AS minor, currency
            FROM commissions
            WHERE affiliate_id = $1 AND asked.begins <= id AND id < asked.ends
            GROUP BY currency
        ) AS earned
        ORDER BY asked.day, earned.currency
        "#,
        affiliate.uuid(),
        days,
        begins,
        ends
    )
    .fetch_all(db)
    .await
}

/// Money of an affiliate in one state.
#[derive(Debug)]
pub struct InState {
    /// Which state.
    pub status: CommissionStatus,
    /// Whether it waits because a conversion is looked at by people.
    pub is_held: bool,
    /// How much.
    pub amount: Money,
    /// Until when the last of it waits for customers to stay, if it does.
    pub final_at: Option<DateTime<Utc>>,
}

/// An affiliate's commissions by state; what was rejected or taken back sums to nothing and is left out. Few conversions are
/// held: they are found first.
pub async fn states(db: &mut PgConnection, affiliate: AffiliateId) -> sqlx::Result<Vec<InState>> {
    sqlx::query_as!(
        InState,
        r#"
        WITH held AS MATERIALIZED (SELECT id FROM conversions WHERE status = 'on_hold')
        SELECT commissions.status AS "status: Column<CommissionStatus>", held.id IS NOT NULL AS "is_held!",
               (sum(commissions.amount_minor)::bigint, commissions.currency) AS "amount!: Column<Money>",
               max(commissions.final_at) AS final_at
        FROM commissions
        LEFT JOIN held ON held.id = commissions.conversion_id
        WHERE commissions.affiliate_id = $1
        GROUP BY commissions.status, held.id IS NOT NULL, commissions.currency
        HAVING sum(commissions.amount_minor) <> 0
        ORDER BY commissions.currency, commissions.status
        "#,
        affiliate.uuid()
    )
    .fetch_all(db)
    .await
}

/// What stands on one of an affiliate's accounts.
#[derive(Debug)]
pub struct OnAccount {
    /// What the account holds, by its name.
    pub kind: String,
    /// What the affiliate is owed there.
    pub amount: Money,
}

/// What the books say that an affiliate is owed.
pub async fn owed(db: &mut PgConnection, affiliate: AffiliateId) -> sqlx::Result<Vec<OnAccount>> {
    sqlx::query_as!(
        OnAccount,
        r#"
        SELECT ledger_accounts.kind,
               (COALESCE(-sum(ledger_postings.amount_minor), 0)::bigint, ledger_accounts.currency) AS "amount!: Column<Money>"
        FROM ledger_accounts
        LEFT JOIN ledger_postings ON ledger_postings.account_id = ledger_accounts.id
        WHERE ledger_accounts.owner_id = $1
        GROUP BY ledger_accounts.kind, ledger_accounts.currency
        ORDER BY ledger_accounts.currency, ledger_accounts.kind
        "#,
        affiliate.uuid()
    )
    .fetch_all(db)
    .await
}

/// A conversion that is looked at by people, and what an affiliate would earn with it.
#[derive(Debug)]
pub struct Held {
    /// Which.
    pub conversion: ConversionId,
    /// What it is called in the campaign's list.
    pub event: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How much waits.
    pub amount: Money,
    /// Whether the affiliate has credit for it, and not only a share in what one below it earns.
    pub is_credited: bool,
}

/// What is held of an affiliate's, newest first.
pub async fn held(db: &mut PgConnection, affiliate: AffiliateId, limit: i64) -> sqlx::Result<Vec<Held>> {
    sqlx::query_as!(
        Held,
        r#"
        SELECT conversions.id AS "conversion: Column<ConversionId>", conversions.event,
               conversions.updated_at AS since,
               (sum(commissions.amount_minor)::bigint, commissions.currency) AS "amount!: Column<Money>",
               EXISTS (
                   SELECT
                   FROM conversion_shares
                   WHERE conversion_shares.conversion_id = conversions.id AND conversion_shares.affiliate_id = $1
               ) AS "is_credited!"
        FROM commissions
        JOIN conversions ON conversions.id = commissions.conversion_id
        WHERE commissions.affiliate_id = $1 AND commissions.status = 'accrued' AND conversions.status = 'on_hold'
        GROUP BY conversions.id, conversions.event, conversions.updated_at, commissions.currency
        ORDER BY conversions.id DESC
        LIMIT $2
        "#,
        affiliate.uuid(),
        limit
    )
    .fetch_all(db)
    .await
}

/// A campaign that an affiliate takes part in.
#[derive(Debug)]
pub struct Joined {
    /// Which.
    pub id: CampaignId,
    /// What it is called.
    pub name: String,
    /// What it counts in.
    pub currency: Currency,
    /// Where visitors land.
    pub landing_url: String,
    /// Where deep links may lead besides.
    pub allowed_hosts: Vec<String>,
    /// Whether it takes clicks.
    pub is_active: bool,
}

/// The campaigns that an affiliate takes part in, by name.
pub async fn joined(db: &mut PgConnection, affiliate: AffiliateId) -> sqlx::Result<Vec<Joined>> {
    sqlx::query_as!(
        Joined,
        r#"
        SELECT campaigns.id AS "id: Column<CampaignId>", campaigns.name,
               campaigns.currency AS "currency: Column<Currency>", campaigns.landing_url, campaigns.allowed_hosts,
               campaigns.status = 'active' AS "is_active!"
        FROM affiliate_campaigns
        JOIN campaigns ON campaigns.id = affiliate_campaigns.campaign_id
        WHERE affiliate_campaigns.affiliate_id = $1
          AND affiliate_campaigns.status = 'approved'
          AND campaigns.status <> 'ended'
        ORDER BY campaigns.name, campaigns.id
        "#,
        affiliate.uuid()
    )
    .fetch_all(db)
    .await
}

/// What was earned with a conversion, corrections included.
#[derive(Debug)]
pub struct EarnedWith {
    /// With which.
    pub conversion: ConversionId,
    /// How much.
    pub amount: Money,
}

/// What an affiliate earned with each of these conversions.
pub async fn earned_with(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    conversions: &[ConversionId],
) -> sqlx::Result<Vec<EarnedWith>> {
    let conversions: Vec<Uuid> = conversions.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        EarnedWith,
        r#"
        SELECT conversion_id AS "conversion: Column<ConversionId>",
               (sum(amount_minor)::bigint, currency) AS "amount!: Column<Money>"
        FROM commissions
        WHERE affiliate_id = $1 AND conversion_id = ANY ($2)
        GROUP BY conversion_id, currency
        ORDER BY conversion_id, currency
        "#,
        affiliate.uuid(),
        &conversions
    )
    .fetch_all(db)
    .await
}
