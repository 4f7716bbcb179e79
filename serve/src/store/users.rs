//! People who sign in.

use chrono::{DateTime, Utc};
use domain::{AffiliateId, UserId};
use sqlx::PgConnection;

use super::columns::{Column, Nullable};
use crate::pages::role::Role;

/// A person who signs in.
#[derive(Clone, Debug)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Where it is written to, and what it signs in by.
    pub email: String,
    /// What the pages greet it by.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whose pages an affiliate's person sees.
    pub affiliate_id: Option<AffiliateId>,
    /// Argon2id in PHC form; none where one-time links are the only way in.
    pub password_hash: Option<String>,
    /// How numbers and dates are written; as the browser asks when none.
    pub locale: Option<String>,
    /// In which zone days begin, by its IANA name.
    pub time_zone: String,
    /// From when on it is not let in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// Adds a person; false when another one has the e-mail address.
pub async fn insert(tx: &mut PgConnection, user: &User) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "
        INSERT INTO users (id, email, name, role, affiliate_id, password_hash, locale, time_zone, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
        ON CONFLICT (lower(email)) DO NOTHING
        ",
        user.id.uuid(),
        user.email,
        user.name,
        user.role.name(),
        user.affiliate_id.map(AffiliateId::uuid),
        user.password_hash,
        user.locale,
        user.time_zone,
        user.created_at
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// People by their e-mail addresses: all, or the one with this address.
pub async fn list(db: &mut PgConnection, email: Option<&str>) -> sqlx::Result<Vec<User>> {
    sqlx::query_as!(
        User,
        r#"
        SELECT id AS "id: Column<UserId>", email, name, role AS "role: Column<Role>",
               affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", password_hash, locale, time_zone, disabled_at,
               created_at
        FROM users
        WHERE $1::text IS NULL OR lower(email) = lower($1)
        ORDER BY email
        "#,
        email
    )
    .fetch_all(db)
    .await
}

/// The person with this e-mail address.
pub async fn find(db: &mut PgConnection, email: &str) -> sqlx::Result<Option<User>> {
    Ok(list(db, Some(email)).await?.pop())
}

/// Lets a person in no more; what was done before stands.
pub async fn disable(tx: &mut PgConnection, id: UserId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE users SET disabled_at = COALESCE(disabled_at, $2), updated_at = $2 WHERE id = $1",
        id.uuid(),
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Stores how numbers and times are shown to a person.
pub async fn prefer(
    tx: &mut PgConnection,
    id: UserId,
    (locale, time_zone): (Option<&str>, &str),
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE users SET locale = $2, time_zone = $3, updated_at = $4 WHERE id = $1",
        id.uuid(),
        locale,
        time_zone,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Stores the hash of a new password.
pub async fn set_password(
    tx: &mut PgConnection,
    id: UserId,
    password_hash: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1",
        id.uuid(),
        password_hash,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}
