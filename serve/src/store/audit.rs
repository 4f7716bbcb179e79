//! What people did on the pages, for ever.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use domain::UserId;
use sqlx::PgConnection;

/// Something that somebody did.
#[derive(Clone, Debug)]
pub struct Deed<'a> {
    /// Who; none where nobody was signed in.
    pub user: Option<UserId>,
    /// What, by its dot name.
    pub action: &'static str,
    /// To what.
    pub subject: &'a str,
    /// What else there is to say.
    pub detail: &'a str,
    /// From which network; none for commands.
    pub network: Option<IpAddr>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Writes down what somebody did.
pub async fn note(tx: &mut PgConnection, deed: &Deed<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO audit_log (user_id, action, subject, detail, network, happened_at)
        VALUES ($1, $2, $3, $4, $5::text::cidr, $6)
        ",
        deed.user.map(UserId::uuid),
        deed.action,
        deed.subject,
        deed.detail,
        deed.network.map(|network| network.to_string()),
        deed.at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What was done so far, in order: the dot names.
#[cfg(test)]
pub async fn actions(db: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("SELECT action FROM audit_log ORDER BY position").fetch_all(db).await
}
