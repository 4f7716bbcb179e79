//! `tributary keys`: the first API key is made here, before there is one to ask the API with.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use domain::{AffiliateId, ApiKeyId, Chance, Clock};

use super::{database::Database, print};
use crate::{
    api::QUOTA_MAX,
    key::{Key, Mode},
    scope::Scope,
    store::api_keys::{self, ApiKey},
};

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key and print it, once.
    Create(Create),
    /// List the keys, newest first.
    List(List),
    /// Revoke a key: from now on it is not accepted.
    Revoke(Revoke),
}

/// What kind of key to make.
#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    database: Database,

    /// What the key is called in lists.
    #[arg(long, env = "TRIBUTARY_KEY_NAME", value_name = "TEXT")]
    name: String,

    /// What it may do: `*` for everything, or scopes such as links:read,links:write.
    #[arg(long, env = "TRIBUTARY_KEY_SCOPES", value_delimiter = ',', required = true, value_name = "SCOPES")]
    scopes: Vec<Scope>,

    /// Make it this affiliate's own: it shows and changes only what is theirs.
    #[arg(long, env = "TRIBUTARY_KEY_AFFILIATE", value_name = "ID")]
    affiliate: Option<AffiliateId>,

    /// After so many days it is not accepted; never when not given.
    #[arg(long, env = "TRIBUTARY_KEY_EXPIRES_DAYS", value_name = "DAYS",
          value_parser = clap::value_parser!(u16).range(1..=3_650))]
    expires_days: Option<u16>,

    /// How many requests a minute it may make; as many as any other when not given.
    #[arg(long, env = "TRIBUTARY_KEY_REQUESTS_PER_MINUTE", value_name = "NUMBER",
          value_parser = clap::value_parser!(i32).range(1..=i64::from(QUOTA_MAX)))]
    requests_per_minute: Option<i32>,

    /// Whether it is for real traffic or for trying things out.
    #[arg(long, env = "TRIBUTARY_KEY_MODE", default_value = "live", value_name = "MODE")]
    mode: Mode,
}

/// Which database's keys to list.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    database: Database,
}

/// Which key to revoke.
#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    database: Database,

    /// The key's id, as `keys list` shows it.
    #[arg(value_name = "ID")]
    id: ApiKeyId,
}

impl Keys {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        let clock = Clock::system();
        match self {
            Self::Create(create) => create.run(&clock, &Chance::system()).await,
            Self::List(list) => list.run(clock.now()).await,
            Self::Revoke(revoke) => revoke.run(clock.now()).await,
        }
    }
}

impl Create {
    async fn run(self, clock: &Clock, chance: &Chance) -> anyhow::Result<()> {
        let closed = self.scopes.iter().find(|scope| **scope != Scope::ALL && !scope.is_open_to_affiliates());
        if let Some(scope) = closed.filter(|_| self.affiliate.is_some()) {
            anyhow::bail!("an affiliate's own key cannot have the scope {scope}");
        }
        let (key, now) = (Key::new(self.mode, clock, chance), clock.now());
        let kept = ApiKey {
            id: key.id,
            name: self.name,
            live: self.mode.is_live(),
            scopes: self.scopes,
            affiliate_id: self.affiliate,
            created_at: now,
            expires_at: self.expires_days.map(|days| now + TimeDelta::days(i64::from(days))),
            revoked_at: None,
            last_used_at: None,
            requests_per_minute: self.requests_per_minute,
        };
        let mut db = self.database.connect().await?;
        api_keys::insert(&mut db, &kept, key.hash()).await.context("the key cannot be kept")?;
        print(&key.reveal())
    }
}

impl List {
    async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let mut db = self.database.connect().await?;
        let keys = api_keys::list(&mut db, None, i64::MAX).await.context("the keys cannot be read")?;
        let lines = keys.iter().map(|key| line(key, now)).collect::<Vec<_>>();
        print(&lines.join("\n"))
    }
}

fn line(key: &ApiKey, now: DateTime<Utc>) -> String {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        _ => "valid",
    };
    let scopes = key.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let owner = key.affiliate_id.map_or_else(|| "operator".to_owned(), |affiliate| affiliate.to_string());
    let last_used = key
        .last_used_at
        .map_or_else(|| "never used".to_owned(), |at| at.format("used %Y-%m-%d %H:%M").to_string());
    let quota = key.requests_per_minute.map(|quota| format!("  {quota} requests a minute"));
    let quota = quota.unwrap_or_default();
    format!("{}  {state:<8}{owner:<32}{last_used:<24}{scopes}  {}{quota}", key.id, key.name)
}

impl Revoke {
    async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let mut db = self.database.connect().await?;
        let revoked = api_keys::revoke(&mut db, self.id, now).await.context("the key cannot be revoked")?;
        let revoked = revoked.with_context(|| format!("there is no key {}", self.id))?;
        print(&line(&revoked, now))
    }
}
