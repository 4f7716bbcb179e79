//! Sessions, the links that begin one, and how often somebody tried to; of each secret only its hash is kept.

use chrono::{DateTime, Utc};
use domain::{AffiliateId, UserId};
use sqlx::PgConnection;

use super::columns::{Column, Nullable};
use crate::pages::role::Role;

/// A session with whose it is.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who signed in.
    pub user_id: UserId,
    /// What it signs in by.
    pub email: String,
    /// What the pages greet it by.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whose pages an affiliate's person sees.
    pub affiliate_id: Option<AffiliateId>,
    /// How numbers and dates are written.
    pub locale: Option<String>,
    /// In which zone days begin.
    pub time_zone: String,
    /// When it was last used, to the minute.
    pub last_seen_at: DateTime<Utc>,
}

/// Begins a session.
pub async fn begin(
    tx: &mut PgConnection,
    token_hash: [u8; 32],
    user: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO user_sessions (token_hash, user_id, created_at, last_seen_at) VALUES ($1, $2, $3, $3)",
        &token_hash[..],
        user.uuid(),
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The session with this hash that began and was used recently enough, of somebody who is let in.
pub async fn find(
    db: &mut PgConnection,
    token_hash: [u8; 32],
    (began_after, used_after): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<Option<Session>> {
    sqlx::query_as!(
        Session,
        r#"
        SELECT users.id AS "user_id: Column<UserId>", users.email, users.name, users.role AS "role: Column<Role>",
               users.affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", users.locale, users.time_zone,
               user_sessions.last_seen_at
        FROM user_sessions
        JOIN users ON users.id = user_sessions.user_id
        WHERE user_sessions.token_hash = $1
          AND users.disabled_at IS NULL
          AND $2 < user_sessions.created_at
          AND $3 < user_sessions.last_seen_at
        "#,
        &token_hash[..],
        began_after,
        used_after
    )
    .fetch_optional(db)
    .await
}

/// Remembers that a session is used.
pub async fn touch(db: &mut PgConnection, token_hash: [u8; 32], now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE user_sessions SET last_seen_at = $2 WHERE token_hash = $1", &token_hash[..], now)
        .execute(db)
        .await?;
    Ok(())
}

/// Ends a session.
pub async fn end(tx: &mut PgConnection, token_hash: [u8; 32]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM user_sessions WHERE token_hash = $1", &token_hash[..]).execute(tx).await?;
    Ok(())
}

/// Ends every session of a person, and every link that would begin one.
pub async fn end_all(tx: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    void_links(&mut *tx, user).await?;
    sqlx::query!("DELETE FROM user_sessions WHERE user_id = $1", user.uuid()).execute(tx).await?;
    Ok(())
}

async fn void_links(tx: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sign_in_links WHERE user_id = $1 AND used_at IS NULL", user.uuid())
        .execute(tx)
        .await?;
    Ok(())
}

/// Keeps a link that signs a person in once; those before it do so no more.
pub async fn replace_links(
    tx: &mut PgConnection,
    token_hash: [u8; 32],
    user: UserId,
    life: (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<()> {
    lock_user(&mut *tx, user).await?;
    void_links(&mut *tx, user).await?;
    insert_link(tx, token_hash, user, life).await
}

/// One after the other, or two of a person's links would each end the other's at once.
async fn lock_user(tx: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", user.uuid())
        .fetch_optional(tx)
        .await?;
    Ok(())
}

/// Keeps a link that signs a person in once, beside others: anybody may ask for one, and ends none of those by that.
pub async fn insert_link(
    tx: &mut PgConnection,
    token_hash: [u8; 32],
    user: UserId,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO sign_in_links (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        &token_hash[..],
        user.uuid(),
        now,
        expires_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Whom a link would sign in, by the e-mail address.
pub async fn whose_link(
    db: &mut PgConnection,
    token_hash: [u8; 32],
    now: DateTime<Utc>,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "
        SELECT users.email
        FROM sign_in_links
        JOIN users ON users.id = sign_in_links.user_id
        WHERE token_hash = $1 AND used_at IS NULL AND $2 < expires_at AND users.disabled_at IS NULL
        ",
        &token_hash[..],
        now
    )
    .fetch_optional(db)
    .await
}

/// Uses a link up, and with it all others of the person; says who signs in by it, once and before it expires.
pub async fn use_link(
    tx: &mut PgConnection,
    token_hash: [u8; 32],
    now: DateTime<Utc>,
) -> sqlx::Result<Option<UserId>> {
    let whose =
        sqlx::query_scalar!("SELECT user_id FROM sign_in_links WHERE token_hash = $1", &token_hash[..])
            .fetch_optional(&mut *tx)
            .await?;
    if let Some(user) = whose {
        lock_user(&mut *tx, user.into()).await?;
    }
    let user = sqlx::query_scalar!(
        "
        UPDATE sign_in_links
        SET used_at = $2
        FROM users
        WHERE sign_in_links.token_hash = $1
          AND used_at IS NULL
          AND $2 < expires_at
          AND users.id = sign_in_links.user_id
          AND users.disabled_at IS NULL
        RETURNING users.id
        ",
        &token_hash[..],
        now
    )
    .fetch_optional(&mut *tx)
    .await?;
    let user: Option<UserId> = user.map(Into::into);
    if let Some(user) = user {
        void_links(tx, user).await?;
    }
    Ok(user)
}

/// Counts a try to sign in: how many there were since this many began, and when that was.
pub async fn count_try(
    db: &mut PgConnection,
    subject_hash: [u8; 32],
    (now, forgotten_before): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<(i32, DateTime<Utc>)> {
    let counted = sqlx::query!(
        "
        INSERT INTO sign_in_tries (subject_hash, tries, began_at)
        VALUES ($1, 1, $2)
        ON CONFLICT (subject_hash) DO UPDATE
        SET tries = CASE WHEN sign_in_tries.began_at <= $3 THEN 1 ELSE sign_in_tries.tries + 1 END,
            began_at = CASE WHEN sign_in_tries.began_at <= $3 THEN $2 ELSE sign_in_tries.began_at END
        RETURNING tries, began_at
        ",
        &subject_hash[..],
        now,
        forgotten_before
    )
    .fetch_one(db)
    .await?;
    Ok((counted.tries, counted.began_at))
}

/// Forgets the tries of somebody who signed in.
pub async fn forget_tries(tx: &mut PgConnection, subject_hash: [u8; 32]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sign_in_tries WHERE subject_hash = $1", &subject_hash[..]).execute(tx).await?;
    Ok(())
}

/// Drops what ended before these moments: sessions, links and tries.
pub async fn purge(
    db: &mut PgConnection,
    unused_since: DateTime<Utc>,
    forgotten_before: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let sessions = sqlx::query!("DELETE FROM user_sessions WHERE last_seen_at <= $1", unused_since);
    let mut gone = sessions.execute(&mut *db).await?.rows_affected();
    let links = sqlx::query!("DELETE FROM sign_in_links WHERE expires_at <= $1", unused_since);
    gone += links.execute(&mut *db).await?.rows_affected();
    let tries = sqlx::query!("DELETE FROM sign_in_tries WHERE began_at <= $1", forgotten_before);
    gone += tries.execute(&mut *db).await?.rows_affected();
    Ok(gone)
}
