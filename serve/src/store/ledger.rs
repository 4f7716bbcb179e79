//! What the books say: the trial balance, and what stands on each account.

use chrono::{DateTime, Utc};
use domain::{AccountId, AdvertiserId, AffiliateId, Currency, ledger::AccountKind, money::decimal};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

/// A sum of many amounts, in the shape of an amount; it may be larger than one amount can be.
#[derive(Debug, Serialize, ToSchema)]
pub struct Total {
    /// A plain decimal with the currency's places.
    #[schema(pattern = r"^-?[0-9]+(\.[0-9]+)?$", example = "1250.00")]
    value: String,
    currency: Currency,
}

/// All postings in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialBalance {
    /// In which currency.
    pub currency: Currency,
    /// The sum of all debits.
    pub debits: Total,
    /// The sum of all credits.
    pub credits: Total,
    /// Debits less credits: zero, or something is wrong.
    pub difference: Total,
}

/// One account with what stands on it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What it holds.
    pub kind: AccountKind,
    /// The advertiser or affiliate whose it is.
    #[schema(example = "aff_01JH0000000000000000000000")]
    pub owner_id: String,
    /// In which currency.
    pub currency: Currency,
    /// The sum of its debits.
    pub debits: Total,
    /// The sum of its credits.
    pub credits: Total,
    /// Debits less credits: what an affiliate is owed is negative.
    pub balance: Total,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
}

/// The trial balance, by currency.
pub async fn trial_balance(db: &mut PgConnection) -> sqlx::Result<Vec<TrialBalance>> {
    let rows = sqlx::query!(
        r#"
        SELECT currency,
               COALESCE(sum(amount_minor) FILTER (WHERE 0 < amount_minor), 0)::text AS "debits!",
               COALESCE(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0)::text AS "credits!"
        FROM ledger_postings
        GROUP BY currency
        ORDER BY currency
        "#
    )
    .fetch_all(db)
    .await?;
    let balance = rows.into_iter().map(|row| {
        let (currency, Sums { debits, credits }) =
            (read(&row.currency)?, Sums::read(&row.debits, &row.credits)?);
        let total = |minor| Total::of(minor, currency);
        let difference = total(debits - credits);
        Ok(TrialBalance { currency, debits: total(debits), credits: total(credits), difference })
    });
    balance.collect()
}

/// Accounts, newest first: all, or those of one owner.
pub async fn accounts(
    db: &mut PgConnection,
    owner: Option<Uuid>,
    seen_by: Option<AffiliateId>,
    after: Option<AccountId>,
    limit: i64,
) -> sqlx::Result<Vec<Account>> {
    let rows = sqlx::query!(
        r#"
        SELECT id, kind, owner_id, currency, created_at,
               COALESCE(sums.debits, 0)::text AS "debits!", COALESCE(sums.credits, 0)::text AS "credits!"
        FROM ledger_accounts
        CROSS JOIN LATERAL (
            SELECT sum(amount_minor) FILTER (WHERE 0 < amount_minor) AS debits,
                   -sum(amount_minor) FILTER (WHERE amount_minor < 0) AS credits
            FROM ledger_postings
            WHERE account_id = ledger_accounts.id
        ) sums
        WHERE ($1::uuid IS NULL OR owner_id = $1)
          AND ($2::uuid IS NULL OR owner_id = $2)
          AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
        "#,
        owner,
        seen_by.map(AffiliateId::uuid),
        after.map(AccountId::uuid),
        limit
    )
    .fetch_all(db)
    .await?;
    let account = rows.into_iter().map(|row| {
        let (kind, currency) = (read(&row.kind)?, read(&row.currency)?);
        let Sums { debits, credits } = Sums::read(&row.debits, &row.credits)?;
        let total = |minor| Total::of(minor, currency);
        Ok(Account {
            id: row.id.into(),
            kind,
            owner_id: owner_id(kind, row.owner_id),
            currency,
            debits: total(debits),
            credits: total(credits),
            balance: total(debits - credits),
            created_at: row.created_at,
        })
    });
    account.collect()
}

fn owner_id(kind: AccountKind, owner: Uuid) -> String {
    match kind {
        AccountKind::CommissionExpense => AdvertiserId::from(owner).to_string(),
        AccountKind::CommissionAccrued | AccountKind::CommissionPayable => {
            AffiliateId::from(owner).to_string()
        }
    }
}

struct Sums {
    debits: i128,
    credits: i128,
}

impl Sums {
    fn read(debits: &str, credits: &str) -> sqlx::Result<Self> {
        Ok(Self { debits: read(debits)?, credits: read(credits)? })
    }
}

impl Total {
    fn of(minor: i128, currency: Currency) -> Self {
        Self { value: decimal(minor, currency), currency }
    }
}

fn read<T>(text: &str) -> sqlx::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
