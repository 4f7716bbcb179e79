//! `tributary users`: who may sign in to the pages, and the links that let somebody in for the first time.

use std::io::{self, BufRead, IsTerminal};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use domain::{AffiliateId, Chance, Clock, UserId};
use sqlx::{Connection, PgConnection};
use url::Url;

use super::{database::Database, mail::Delivery, print};
use crate::{
    mail::Post,
    pages::{letter, password, role::Role, token::Token},
    store::{
        self,
        audit::Deed,
        users::{self, User},
    },
};

/// For so long a link lets somebody in.
const LINK_LIFE: TimeDelta = TimeDelta::hours(24);

/// What to do with people who sign in.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// Add a person, and print or mail a link that signs in once unless a password comes by the standard input.
    Add(Add),
    /// Print or mail a link that signs a person in once, within a day; the password counts no more.
    Link(Link),
    /// List the people.
    List(List),
    /// Let a person in no more, and end its sessions.
    Disable(Whom),
}

/// Whom to add.
#[derive(Debug, Args)]
pub struct Add {
    #[command(flatten)]
    whom: Whom,

    /// What the pages greet the person by; the e-mail address when not given.
    #[arg(long, env = "TRIBUTARY_USER_NAME", value_name = "TEXT")]
    name: Option<String>,

    /// What the person may do.
    #[arg(long, env = "TRIBUTARY_USER_ROLE", value_name = "ROLE")]
    role: Role,

    /// Whose pages a person with the role affiliate sees.
    #[arg(long, env = "TRIBUTARY_USER_AFFILIATE", value_name = "ID")]
    affiliate: Option<AffiliateId>,

    /// Read a password from the first line of the standard input instead of making a link.
    #[arg(long, env = "TRIBUTARY_USER_PASSWORD_STDIN", conflicts_with = "mail")]
    password_stdin: bool,

    #[command(flatten)]
    delivery: Delivery,
}

/// Whom to make a link for.
#[derive(Debug, Args)]
pub struct Link {
    #[command(flatten)]
    whom: Whom,

    #[command(flatten)]
    delivery: Delivery,
}

/// Which person.
#[derive(Debug, Args)]
pub struct Whom {
    #[command(flatten)]
    database: Database,

    /// The e-mail address that the person signs in by.
    #[arg(long, env = "TRIBUTARY_USER_EMAIL", value_name = "ADDRESS")]
    email: String,

    /// Where browsers reach the pages, for the link.
    #[arg(long, env = "TRIBUTARY_PAGES_URL", default_value = "http://127.0.0.1:8080/", value_name = "URL")]
    pages_url: Url,
}

/// Which database's people to list.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    database: Database,
}

impl Users {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        let (clock, chance) = (Clock::system(), Chance::system());
        match self {
            Self::Add(add) => add.run(&clock, &chance).await,
            Self::Link(link) => link.run(&clock, &chance).await,
            Self::List(list) => list.run().await,
            Self::Disable(whom) => whom.disable(clock.now()).await,
        }
    }
}

impl Add {
    async fn run(self, clock: &Clock, chance: &Chance) -> anyhow::Result<()> {
        let Self { whom, name, role, affiliate, password_stdin, delivery } = self;
        anyhow::ensure!(
            (role == Role::Affiliate) == affiliate.is_some(),
            "give --affiliate with the role affiliate, and with no other"
        );
        let email = whom.address()?;
        let post = delivery.post((clock, chance))?;
        let password_hash = match password_stdin {
            true => Some(password::hashed(password()?, chance).await),
            false => None,
        };
        let user = User {
            id: UserId::new(clock, chance),
            name: name.unwrap_or_else(|| email.clone()),
            email,
            role,
            affiliate_id: affiliate,
            password_hash,
            locale: None,
            time_zone: "UTC".to_owned(),
            disabled_at: None,
            created_at: clock.now(),
        };
        let mut db = whom.database.connect().await?;
        let mut tx = db.begin().await.context("the database cannot be written")?;
        if let Some(id) = user.affiliate_id {
            let known =
                store::affiliates::find(&mut tx, id, None).await.context("affiliates cannot be read")?;
            anyhow::ensure!(known.is_some(), "there is no affiliate {id}");
        }
        let added = users::insert(&mut tx, &user).await.context("the person cannot be added")?;
        anyhow::ensure!(added, "somebody with the e-mail address {} is there already", user.email);
        note(&mut tx, "user.added", (user.id, role.name()), user.created_at).await?;
        let told = match user.password_hash {
            Some(_) => line(&user),
            None => {
                let link = new_link(&mut tx, user.id, (user.created_at, chance), &whom.pages_url).await?;
                brought(link, &user, post).await?
            }
        };
        tx.commit().await.context("the person cannot be added")?;
        print(&told)
    }
}

impl Link {
    async fn run(self, clock: &Clock, chance: &Chance) -> anyhow::Result<()> {
        let (Self { whom, delivery }, now) = (self, clock.now());
        let post = delivery.post((clock, chance))?;
        let mut db = whom.database.connect().await?;
        let user = whom.find(&mut db).await?;
        anyhow::ensure!(user.disabled_at.is_none(), "{} is disabled", user.email);
        let mut tx = db.begin().await.context("the database cannot be written")?;
        // Whoever needs a link of an operator's has forgotten the password, and could set no other while it counts.
        users::set_password(&mut tx, user.id, None, now)
            .await
            .context("the password cannot be taken away")?;
        let link = new_link(&mut tx, user.id, (now, chance), &whom.pages_url).await?;
        let told = brought(link, &user, post).await?;
        tx.commit().await.context("the link cannot be kept")?;
        print(&told)
    }
}

/// The first line of the standard input, which is no terminal: what is typed there would be seen.
fn password() -> anyhow::Result<String> {
    let input = io::stdin();
    anyhow::ensure!(!input.is_terminal(), "pipe the password in: a terminal would show it");
    let mut password = String::new();
    input.lock().read_line(&mut password).context("the password cannot be read")?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    let (shortest, longest) = (password::SHORTEST, password::LONGEST);
    let fits = (shortest..=longest).contains(&password.chars().count());
    anyhow::ensure!(fits, "a password has {shortest} to {longest} characters");
    Ok(password)
}

impl Whom {
    fn address(&self) -> anyhow::Result<String> {
        let address = self.email.parse::<crate::api::text::Email>();
        Ok(address.map_err(|error| anyhow::anyhow!("--email: {error}"))?.to_string().to_lowercase())
    }

    async fn find(&self, db: &mut PgConnection) -> anyhow::Result<User> {
        let found = users::find(db, &self.email).await.context("the people cannot be read")?;
        found.with_context(|| format!("nobody has the e-mail address {}", self.email))
    }

    async fn disable(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let mut db = self.database.connect().await?;
        let user = self.find(&mut db).await?;
        let mut tx = db.begin().await.context("the database cannot be written")?;
        users::disable(&mut tx, user.id, now).await.context("the person cannot be disabled")?;
        store::sessions::end_all(&mut tx, user.id).await.context("the sessions cannot be ended")?;
        note(&mut tx, "user.disabled", (user.id, ""), now).await?;
        tx.commit().await.context("the person cannot be disabled")?;
        print(&line(&self.find(&mut db).await?))
    }
}

/// A link that signs somebody in once; of its secret only the hash is kept.
async fn new_link(
    tx: &mut PgConnection,
    user: UserId,
    (now, chance): (DateTime<Utc>, &Chance),
    pages: &Url,
) -> anyhow::Result<String> {
    let token = Token::new(chance);
    store::sessions::replace_links(tx, token.hash(), user, (now, now + LINK_LIFE))
        .await
        .context("the link cannot be kept")?;
    note(tx, "link.made", (user, ""), now).await?;
    Ok(letter::link(pages, &token))
}

/// Mails a link where it is to be mailed; says what is to be printed. It is sent before it is kept, so that nothing has
/// changed where it cannot be sent.
async fn brought(link: String, user: &User, post: Option<Post>) -> anyhow::Result<String> {
    let Some(post) = post else { return Ok(link) };
    let letter = letter::with_link(&user.email, &link, LINK_LIFE);
    post.send(&letter).await.context("nothing was changed, as the link cannot be mailed")?;
    Ok(format!("a link was mailed to {}", user.email))
}

async fn note(
    tx: &mut PgConnection,
    action: &'static str,
    (user, detail): (UserId, &str),
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let subject = user.to_string();
    let deed = Deed { user: None, action, subject: &subject, detail, network: None, at };
    store::audit::note(tx, &deed).await.context("the audit log cannot be written")
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let mut db = self.database.connect().await?;
        let people = users::list(&mut db, None).await.context("the people cannot be read")?;
        print(&people.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

fn line(user: &User) -> String {
    let state = if user.disabled_at.is_some() { "disabled" } else { "valid" };
    let whose = user.affiliate_id.map_or_else(|| "team".to_owned(), |affiliate| affiliate.to_string());
    format!("{}  {state:<9}{:<20}{whose:<31}{}  {}", user.id, user.role, user.email, user.name)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use clap::Parser;

    use super::*;
    use crate::{
        mail::testing::MailServer,
        pages::testing::{PASSWORD, Site},
    };

    const TOM: &str = "tom@team.example";

    #[derive(Debug, Parser)]
    struct Command {
        #[command(subcommand)]
        users: Users,
    }

    /// Runs a command about Tom that sends mail by this server.
    async fn run(site: &Site, server: &MailServer, words: &[&str]) -> Result<(), String> {
        let (database, url) = (site.api.database_url(), server.url());
        let common = [
            "--email",
            TOM,
            "--database-url",
            database.as_str(),
            "--pages-url",
            "https://partners.example/",
            "--mail",
            "--smtp-url",
            url.as_str(),
            "--mail-from",
            "Tributary <no-reply@shop.example>",
        ];
        let command = Command::try_parse_from([&["users"][..], words, &common[..]].concat());
        command.unwrap().users.run().await.map_err(|error| format!("{error:#}"))
    }

    #[tokio::test]
    async fn who_is_added_is_mailed_a_link_that_signs_in() {
        let (server, site) = (MailServer::start().await, Site::start().await);
        run(&site, &server, &["add", "--role", "admin"]).await.unwrap();
        let letter = server.only();
        assert_eq!(letter.to, TOM);
        assert!(letter.read().contains("It works within 24 hours."), "{}", letter.read());
        assert_eq!(site.browser().follow(&letter.link()).await.status, StatusCode::SEE_OTHER);
    }

    #[tokio::test]
    async fn a_password_counts_until_the_link_in_its_place_has_left() {
        let (server, site) = (MailServer::start().await, Site::start().await);
        site.user(TOM, Role::Admin, None).await;
        server.refuse_next("550 never");
        let refused = run(&site, &server, &["link"]).await.unwrap_err();
        assert_eq!(
            refused,
            "nothing was changed, as the link cannot be mailed: the SMTP server refuses it with 550"
        );
        assert_eq!(site.browser().sign_in(TOM, PASSWORD).await.status, StatusCode::SEE_OTHER);
        run(&site, &server, &["link"]).await.unwrap();
        assert_eq!(site.browser().sign_in(TOM, PASSWORD).await.status, StatusCode::UNAUTHORIZED);
        let link = server.only().link();
        assert_eq!(site.browser().follow(&link).await.status, StatusCode::SEE_OTHER);
    }
}
