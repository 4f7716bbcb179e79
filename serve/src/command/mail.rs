//! By which server mail leaves, and whom it is from.

use anyhow::Context;
use clap::Args;
use domain::{Chance, Clock};
use lettre::message::Mailbox;
use tracking::hidden::Hidden;

use crate::mail::{Post, server::SmtpServer};

/// By which server mail leaves.
#[derive(Debug, Args)]
pub struct Mail {
    /// Server that takes mail with sign-in links, as smtps://user:password@host:465 or
    /// smtp://user:password@host:587?tls=required; smtp:// alone is for a server on this machine. Needs --mail-from.
    #[arg(
        long,
        env = "TRIBUTARY_SMTP_URL",
        hide_env_values = true,
        value_name = "URL",
        value_parser = Hidden::<SmtpServer>::new()
    )]
    smtp_url: Option<SmtpServer>,

    /// Whom that mail is from, such as `Tributary <no-reply@shop.example>`. Needs --smtp-url.
    #[arg(long, env = "TRIBUTARY_MAIL_FROM", value_name = "MAILBOX")]
    mail_from: Option<Mailbox>,
}

/// How a link reaches a person.
#[derive(Debug, Args)]
pub struct Delivery {
    /// Send the link by mail instead of printing it.
    #[arg(long, env = "TRIBUTARY_USER_MAIL")]
    mail: bool,

    #[command(flatten)]
    settings: Mail,
}

impl Mail {
    /// What sends letters; nothing does where neither flag is given.
    pub fn post(&self, time_and_chance: (&Clock, &Chance)) -> anyhow::Result<Option<Post>> {
        match (&self.smtp_url, &self.mail_from) {
            (None, None) => Ok(None),
            (Some(server), Some(from)) => Ok(Some(Post::new(server, from.clone(), time_and_chance))),
            (Some(_), None) => {
                anyhow::bail!("--smtp-url needs --mail-from (TRIBUTARY_MAIL_FROM): whom mail is from")
            }
            (None, Some(_)) => {
                anyhow::bail!("--mail-from needs --smtp-url (TRIBUTARY_SMTP_URL): the server that takes mail")
            }
        }
    }
}

impl Delivery {
    /// What sends the link; nothing does where it is to be printed.
    pub fn post(&self, time_and_chance: (&Clock, &Chance)) -> anyhow::Result<Option<Post>> {
        if !self.mail {
            return Ok(None);
        }
        let post = self.settings.post(time_and_chance)?;
        let missing = "--mail needs --smtp-url (TRIBUTARY_SMTP_URL) and --mail-from (TRIBUTARY_MAIL_FROM)";
        post.context(missing).map(Some)
    }
}
