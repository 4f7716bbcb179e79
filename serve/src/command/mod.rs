//! The command line: one program with a role for each of its subcommands.

mod database;
mod ending;
mod import;
mod keys;
mod lake;
mod mail;
mod serve;
mod users;
mod watch;
mod worker;

use std::io::{self, Write};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tracking::MIGRATOR;

use self::database::Database;
use crate::api;

/// Tributary: affiliate marketing whose decisions are learned and explainable.
#[derive(Debug, Parser)]
#[command(name = "tributary", version)]
pub struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Serve the API; with --all also clicks, postbacks and the worker, in one process.
    Serve(Box<serve::Serve>),
    /// Do the background jobs.
    Worker(worker::Worker),
    /// Bring the database's schema up to this release.
    Migrate(Migrate),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Add, list and disable the people who sign in to the pages.
    #[command(subcommand)]
    Users(users::Users),
    /// Merge, check and summarise the event lake.
    #[command(subcommand)]
    Lake(lake::Command),
    /// Bring a file of clicks, conversions, transactions or journeys into the event lake.
    Import(Box<import::Import>),
    /// Print the OpenAPI document of the API.
    Openapi,
}

#[derive(Debug, Args)]
struct Migrate {
    #[command(flatten)]
    database: Database,
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// With a sentence that says what could not be done, and why.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.role {
            Role::Serve(serve) => serve.run().await,
            Role::Worker(worker) => worker.run().await,
            Role::Migrate(migrate) => migrate.run().await,
            Role::Keys(keys) => keys.run().await,
            Role::Users(users) => users.run().await,
            Role::Lake(command) => command.run().await,
            Role::Import(import) => import.run().await,
            Role::Openapi => print(&api::document().to_pretty_json()?),
        }
    }
}

impl Migrate {
    async fn run(self) -> anyhow::Result<()> {
        let mut db = self.database.connect().await?;
        MIGRATOR.run(&mut db).await.context("the schema cannot be brought up to date")?;
        print(&format!("the schema is that of this release, {} migrations in all", MIGRATOR.iter().count()))
    }
}

/// Writes what was asked for to the standard output, where nothing else is written.
fn print(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{text}").context("the output cannot be written")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_is_documented() {
        let mut command = Cli::command();
        command.build();
        check(&command);
    }

    fn check(command: &clap::Command) {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name} says what it does");
        for flag in command.get_arguments() {
            assert!(flag.get_help().is_some(), "{name} says what {} is for", flag.get_id());
        }
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn a_wrong_command_is_told_in_one_sentence() {
        let told = |words: &[&str]| {
            let error = Cli::try_parse_from([&["tributary"], words].concat()).unwrap_err().to_string();
            error.lines().next().unwrap_or_default().to_owned()
        };
        insta::assert_snapshot!(told(&["dance"]), @"error: unrecognized subcommand 'dance'");
        insta::assert_snapshot!(told(&["keys", "create", "--name", "x", "--scopes", "links:all"]), @r#"error: invalid value 'links:all' for '--scopes <SCOPES>': "links:all" is not a scope: expected `*` or one of advertisers:read, advertisers:write, affiliates:read, affiliates:write, api_keys:read, api_keys:write, appeals:read, appeals:write, campaigns:read, campaigns:write, cases:write, commissions:read, conversions:read, conversions:write, coupons:read, coupons:write, fraud:read, fraud:score, fraud:write, imports:read, imports:write, ledger:read, links:read, links:write, matches:read, matches:write, models:infer, models:read, models:write, postbacks:read, postbacks:write, rates:read, rates:write"#);
        insta::assert_snapshot!(told(&["keys", "revoke", "x"]), @r#"error: invalid value 'x' for '<ID>': "x" is no API key id: expected key_ and 26 characters of Crockford base32"#);
    }
}
