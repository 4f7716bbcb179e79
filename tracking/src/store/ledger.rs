//! The double-entry ledger, and the lines of commission that stand on it, written with what is announced of them; once written,
//! only the state of a line moves on.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::{
    AccountId, AffiliateId, CampaignId, Chance, Clock, CommissionId, ConversionId, Currency, EventId, Money,
    PlanId, TransactionId,
    commission::Trace,
    conversion::CommissionStatus,
    ledger::{Account, Movement},
};
use serde_json::Value;
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};

use super::{
    named,
    outbox::{self, Announcement},
};

/// What a movement is for; with its kind, the reference makes it happen once.
#[derive(Debug, Clone)]
pub struct Occasion<'a> {
    /// In the words of its kind.
    pub reference: String,
    /// The conversion that caused it.
    pub conversion: ConversionId,
    /// For a person who reads the ledger.
    pub description: &'a str,
    /// When.
    pub at: DateTime<Utc>,
}

/// Writes a balanced movement, making the accounts that it is the first to touch.
pub async fn post(
    db: &mut PgConnection,
    movement: &Movement,
    occasion: &Occasion<'_>,
    clock: &Clock,
    chance: &Chance,
) -> Result<TransactionId, sqlx::Error> {
    let (id, postings) = (TransactionId::new(clock, chance), Postings::of(movement));
    let entered = sqlx::query!(
        "WITH entered AS (
             INSERT INTO ledger_transactions (id, kind, reference, conversion_id, description, occurred_at)
             VALUES ($1, $2, $3, $4, $5, $6)
         )
         INSERT INTO ledger_postings (transaction_id, position, account_id, amount_minor, currency)
         SELECT $1, place - 1, ledger_accounts.id, new.amount_minor, ledger_accounts.currency
         FROM unnest($7::text[], $8::uuid[], $9::text[], $10::bigint[]) WITH ORDINALITY
              AS new (kind, owner_id, currency, amount_minor, place)
         JOIN ledger_accounts USING (kind, owner_id, currency)",
        id.uuid(),
        movement.kind().name(),
        occasion.reference,
        occasion.conversion.uuid(),
        occasion.description,
        occasion.at,
        &postings.kinds as &[&str],
        &postings.owners,
        &postings.currencies,
        &postings.amounts,
    )
    .execute(&mut *db)
    .await?;
    // Nearly always the accounts are there; should one not be, what stands on it is still to be written.
    let missing = (movement.postings().len() as u64).saturating_sub(entered.rows_affected());
    if 0 < missing {
        open_accounts(db, movement, occasion.at, (clock, chance)).await?;
        if postings.complete(db, id).await? != missing {
            return Err(sqlx::Error::Protocol(format!("{id} has postings without an account")));
        }
    }
    Ok(id)
}

/// The postings of a movement, by columns.
struct Postings {
    kinds: Vec<&'static str>,
    owners: Vec<Uuid>,
    currencies: Vec<String>,
    amounts: Vec<i64>,
}

impl Postings {
    fn of(movement: &Movement) -> Self {
        let all = movement.postings();
        Self {
            kinds: all.iter().map(|one| one.account.kind.name()).collect(),
            owners: all.iter().map(|one| one.account.owner).collect(),
            currencies: all.iter().map(|one| one.amount.currency.code().to_owned()).collect(),
            amounts: all.iter().map(|one| one.amount.minor).collect(),
        }
    }

    /// Writes those of a transaction that are not written yet; says how many.
    async fn complete(&self, db: &mut PgConnection, id: TransactionId) -> Result<u64, sqlx::Error> {
        let written = sqlx::query!(
            "INSERT INTO ledger_postings (transaction_id, position, account_id, amount_minor, currency)
             SELECT $1, place - 1, ledger_accounts.id, new.amount_minor, ledger_accounts.currency
             FROM unnest($2::text[], $3::uuid[], $4::text[], $5::bigint[]) WITH ORDINALITY
                  AS new (kind, owner_id, currency, amount_minor, place)
             JOIN ledger_accounts USING (kind, owner_id, currency)
             ON CONFLICT (transaction_id, position) DO NOTHING",
            id.uuid(),
            &self.kinds as &[&str],
            &self.owners,
            &self.currencies,
            &self.amounts,
        );
        Ok(written.execute(db).await?.rows_affected())
    }
}

/// Opens the accounts of a movement that are not open yet, in the accounts' own order, so that two movements never wait for
/// each other's new accounts.
async fn open_accounts(
    db: &mut PgConnection,
    movement: &Movement,
    at: DateTime<Utc>,
    (clock, chance): (&Clock, &Chance),
) -> Result<(), sqlx::Error> {
    let accounts: BTreeSet<_> =
        movement.postings().iter().map(|one| (one.account, one.amount.currency)).collect();
    let ids: Vec<Uuid> = accounts.iter().map(|_| AccountId::new(clock, chance).uuid()).collect();
    let kinds: Vec<&str> = accounts.iter().map(|(account, _)| account.kind.name()).collect();
    let owners: Vec<Uuid> = accounts.iter().map(|(account, _)| account.owner).collect();
    let currencies: Vec<&str> = accounts.iter().map(|(_, currency)| currency.code()).collect();
    sqlx::query!(
        "INSERT INTO ledger_accounts (id, kind, owner_id, currency, created_at)
         SELECT id, kind, owner_id, currency, $5
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[]) WITH ORDINALITY
              AS new (id, kind, owner_id, currency, place)
         ORDER BY place
         ON CONFLICT ON CONSTRAINT ledger_accounts_once DO NOTHING",
        &ids,
        &kinds as &[&str],
        &owners,
        &currencies as &[&str],
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A line of commission to be stored.
#[derive(Debug, Clone)]
pub struct NewLine<'a> {
    /// Which line.
    pub id: CommissionId,
    /// What it was earned with.
    pub conversion: ConversionId,
    /// Under which campaign.
    pub campaign: CampaignId,
    /// Who earns it.
    pub affiliate: AffiliateId,
    /// By which plan.
    pub plan: PlanId,
    /// 0 for who brought the visitor, 1 for the affiliate above, and so on.
    pub level: i32,
    /// Where it is in its life.
    pub status: CommissionStatus,
    /// How much; negative when it takes back.
    pub amount: Money,
    /// The line that it takes back from.
    pub corrects: Option<CommissionId>,
    /// Until then the customer has to stay; none when it is final as soon as the conversion is approved.
    pub final_at: Option<DateTime<Utc>>,
    /// How it came about.
    pub trace: &'a Trace,
    /// The movement that it stands on.
    pub transaction: TransactionId,
    /// When.
    pub at: DateTime<Utc>,
}

/// Stores lines of commission, and keeps announcements until they are delivered, in this order.
pub async fn insert_lines(
    db: &mut PgConnection,
    lines: &[NewLine<'_>],
    announcements: &[(EventId, Announcement)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let told = outbox::Columns::of(announcements);
    let ids = |of: fn(&NewLine<'_>) -> Uuid| lines.iter().map(of).collect::<Vec<_>>();
    let levels: Vec<_> = lines.iter().map(|line| line.level).collect();
    let statuses: Vec<_> = lines.iter().map(|line| line.status.name()).collect();
    let amounts: Vec<_> = lines.iter().map(|line| line.amount.minor).collect();
    let currencies: Vec<_> = lines.iter().map(|line| line.amount.currency.code()).collect();
    let corrects: Vec<_> = lines.iter().map(|line| line.corrects.map(CommissionId::uuid)).collect();
    let final_at: Vec<_> = lines.iter().map(|line| line.final_at).collect();
    let traces: Vec<_> = lines.iter().map(|line| Json(line.trace)).collect();
    let created: Vec<_> = lines.iter().map(|line| line.at).collect();
    sqlx::query!(
        "WITH told AS (
             INSERT INTO outbox (id, type, subject, payload, created_at)
             SELECT id, type, subject, payload, $19
             FROM unnest($15::uuid[], $16::text[], $17::text[], $18::jsonb[]) WITH ORDINALITY
                  AS new (id, type, subject, payload, place)
             ORDER BY place
         )
         INSERT INTO commissions
             (id, conversion_id, affiliate_id, campaign_id, plan_id, level, status, amount_minor, currency,
              corrects, final_at, trace, transaction_id, created_at)
         SELECT id, conversion_id, affiliate_id, campaign_id, plan_id, level, status, amount_minor, currency,
                corrects, final_at, trace, transaction_id, created_at
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[], $7::text[], $8::bigint[],
                     $9::text[], $10::uuid[], $11::timestamptz[], $12::jsonb[], $13::uuid[], $14::timestamptz[])
              AS new (id, conversion_id, affiliate_id, campaign_id, plan_id, level, status, amount_minor, currency,
                      corrects, final_at, trace, transaction_id, created_at)",
        &ids(|line| line.id.uuid()),
        &ids(|line| line.conversion.uuid()),
        &ids(|line| line.affiliate.uuid()),
        &ids(|line| line.campaign.uuid()),
        &ids(|line| line.plan.uuid()),
        &levels,
        &statuses as &[&str],
        &amounts,
        &currencies as &[&str],
        &corrects as &[Option<Uuid>],
        &final_at as &[Option<DateTime<Utc>>],
        &traces as &[Json<&Trace>],
        &ids(|line| line.transaction.uuid()),
        &created,
        &told.ids,
        &told.kinds as &[&str],
        &told.subjects as &[&str],
        &told.payloads as &[&Value],
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A line that was earned, and how much of it was taken back.
#[derive(Debug, Clone)]
pub struct Earned {
    /// Which line.
    pub id: CommissionId,
    /// Who earned it.
    pub affiliate: AffiliateId,
    /// By which plan.
    pub plan: PlanId,
    /// 0 for who brought the visitor, 1 for the affiliate above, and so on.
    pub level: i32,
    /// Where it is in its life.
    pub status: CommissionStatus,
    /// What was earned.
    pub amount: Money,
    /// What was taken back of it, as a positive amount.
    pub taken_back: Money,
    /// Until then the customer has to stay; none when it is final as soon as the conversion is approved.
    pub final_at: Option<DateTime<Utc>>,
    /// How it came about.
    pub trace: Trace,
}

/// The lines that a conversion earned. The caller has locked the conversion, so they stay as they are.
pub async fn earned(db: &mut PgConnection, conversion: ConversionId) -> Result<Vec<Earned>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT line.id, line.affiliate_id, line.plan_id, line.level, line.status, line.amount_minor,
                  line.currency, line.final_at, line.trace AS "trace: Json<Trace>",
                  (SELECT coalesce(-sum(correction.amount_minor), 0)::bigint
                   FROM commissions AS correction
                   WHERE correction.conversion_id = line.conversion_id
                     AND correction.corrects = line.id) AS "taken_back_minor!"
           FROM commissions AS line
           WHERE line.conversion_id = $1
             AND line.corrects IS NULL
           ORDER BY line.id"#,
        conversion.uuid(),
    )
    .fetch_all(db)
    .await?;
    let read = rows.into_iter().map(|row| {
        let currency: Currency = named(&row.currency)?;
        Ok(Earned {
            id: row.id.into(),
            affiliate: row.affiliate_id.into(),
            plan: row.plan_id.into(),
            level: row.level,
            status: named(&row.status)?,
            amount: Money::new(row.amount_minor, currency),
            taken_back: Money::new(row.taken_back_minor, currency),
            final_at: row.final_at,
            trace: row.trace.0,
        })
    });
    read.collect()
}

/// Makes the accrued lines of a conversion payable that are final at a moment, corrections included; answers what each
/// affiliate gains.
pub async fn make_payable(
    db: &mut PgConnection,
    conversion: ConversionId,
    at: DateTime<Utc>,
) -> Result<Vec<(AffiliateId, Money)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"WITH moved AS (
               UPDATE commissions
               SET status = 'payable'
               WHERE conversion_id = $1
                 AND status = 'accrued'
                 AND (final_at IS NULL OR final_at <= $2)
               RETURNING affiliate_id, currency, amount_minor
           )
           SELECT affiliate_id, currency, sum(amount_minor)::bigint AS "amount_minor!"
           FROM moved
           GROUP BY affiliate_id, currency
           ORDER BY affiliate_id, currency"#,
        conversion.uuid(),
        at,
    )
    .fetch_all(db)
    .await?;
    let read = rows.into_iter().map(|row| {
        Ok((AffiliateId::from(row.affiliate_id), Money::new(row.amount_minor, named(&row.currency)?)))
    });
    read.collect()
}

/// The sum of all postings of each currency: zero, always.
pub async fn trial_balance(db: &mut PgConnection) -> Result<Vec<(Currency, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT currency, sum(amount_minor)::bigint AS "balance_minor!"
           FROM ledger_postings
           GROUP BY currency
           ORDER BY currency"#,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|row| Ok((named(&row.currency)?, row.balance_minor))).collect()
}

/// What stands on an account: debits less credits, of each currency.
pub async fn balances(db: &mut PgConnection, account: Account) -> Result<Vec<Money>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT ledger_postings.currency, sum(amount_minor)::bigint AS "balance_minor!"
           FROM ledger_postings
           JOIN ledger_accounts ON ledger_accounts.id = ledger_postings.account_id
           WHERE ledger_accounts.kind = $1
             AND ledger_accounts.owner_id = $2
           GROUP BY ledger_postings.currency
           ORDER BY ledger_postings.currency"#,
        account.kind.name(),
        account.owner,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|row| Ok(Money::new(row.balance_minor, named(&row.currency)?))).collect()
}
