//! The program as an operator runs it: migrated, given a key, serving everything, ended and killed.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod doors;

use std::{
    net::TcpListener,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use embedded::TestDatabase;
use futures_util::future::join_all;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

const SECRET: &str = "a secret for tests, nothing but tests";

/// One installation: its database, its folder, its port.
struct Installation {
    database: TestDatabase,
    folder: TempDir,
    port: u16,
    key: String,
}

impl Installation {
    async fn new() -> Self {
        let database = embedded::test_database(&tracking::MIGRATOR).await;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut new = Self { database, folder: tempfile::tempdir().unwrap(), port, key: String::new() };
        let made = new.command(&["keys", "create", "--name", "test", "--scopes", "*"]).output().unwrap();
        new.key = said(&made).trim().to_owned();
        new
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
        command.args(words).env("DATABASE_URL", self.database.url()).env("TRIBUTARY_SECRET", SECRET);
        command.env("TRIBUTARY_DATA_DIR", self.folder.path()).stderr(Stdio::null()).stdin(Stdio::null());
        command
    }

    async fn serve(&self, words: &[&str]) -> Server {
        let listen = format!("127.0.0.1:{}", self.port);
        let server =
            Server(self.command(&[&["serve", "--listen", &listen], words].concat()).spawn().unwrap());
        for _ in 0..200 {
            let ready = reqwest::get(format!("http://{listen}/health/ready")).await;
            if ready.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return server;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("it is not ready after ten seconds");
    }

    async fn post(
        &self,
        client: &Client,
        path: &str,
        idempotency_key: &str,
        body: &Value,
    ) -> Option<(StatusCode, Value)> {
        let request = client.post(format!("http://127.0.0.1:{}{path}", self.port)).bearer_auth(&self.key);
        let answer = request.header("Idempotency-Key", idempotency_key).json(body).send().await.ok()?;
        Some((answer.status(), answer.json().await.ok()?))
    }

    /// How many rows a list has, read page by page.
    async fn count(&self, path: &str) -> usize {
        let (mut count, mut after) = (0, String::new());
        loop {
            let request = Client::new().get(format!("http://127.0.0.1:{}{path}?limit=100{after}", self.port));
            let page: Value = request.bearer_auth(&self.key).send().await.unwrap().json().await.unwrap();
            count += page["data"].as_array().unwrap().len();
            let Some(next) = page["next"].as_str() else { return count };
            after = format!("&after={next}");
        }
    }
}

/// A serving process; dropping it kills it.
struct Server(Child);

impl Server {
    fn end(mut self) -> bool {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        asked.success() && self.0.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to kill.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn everything_is_served_in_one_process_which_ends_when_asked() {
    let installation = Installation::new().await;
    let migrations = tracking::MIGRATOR.iter().count();
    assert_eq!(
        said(&installation.command(&["migrate"]).output().unwrap()),
        format!("the schema is that of this release, {migrations} migrations in all\n")
    );
    let server = installation.serve(&["--all"]).await;
    let get = async |path: &str| {
        let request = Client::new().get(format!("http://127.0.0.1:{}{path}", installation.port));
        let answer = request.bearer_auth(&installation.key).send().await.unwrap();
        format!("{} {}", answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap())
    };
    assert_eq!(get("/api/v1/affiliates").await, "200 application/json");
    assert_eq!(get("/api/openapi.json").await, "200 application/json");
    assert_eq!(get("/c/unknown").await, "404 application/problem+json");
    assert_eq!(get("/postback/nobody").await, "404 application/problem+json");
    assert_eq!(get("/nowhere").await, "404 application/problem+json");
    assert_eq!(get("/metrics").await, "200 text/plain; version=0.0.4");
    assert!(server.end());
    let listed = said(&installation.command(&["keys", "list"]).output().unwrap());
    assert!(listed.contains("valid   operator"), "{listed}");
}

#[tokio::test]
async fn what_cannot_be_done_is_told_in_one_sentence() {
    let installation = Installation::new().await;
    let told = |words: &[&str]| {
        let mut command = installation.command(words);
        let output = command.env("RUST_LOG", "off").stderr(Stdio::piped()).output().unwrap();
        format!("{} {}", output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap().trim())
    };
    insta::assert_snapshot!(told(&["migrate", "--database-url", "nonsense"]), @"1 error: the database URL cannot be understood: error with configuration: relative URL without a base");
    insta::assert_snapshot!(told(&["keys", "revoke", "key_01JH0000000000000000000000"]), @"1 error: there is no key key_01JH0000000000000000000000");
    insta::assert_snapshot!(told(&["serve", "--listen", "192.0.2.1:80"]), @"1 error: cannot listen on 192.0.2.1:80: Cannot assign requested address (os error 99)");
    insta::assert_snapshot!(told(&["serve", "--listen", "127.0.0.1:0", "--smtp-url", "smtp://127.0.0.1:25"]), @"1 error: --smtp-url needs --mail-from (TRIBUTARY_MAIL_FROM): whom mail is from");
    insta::assert_snapshot!(told(&["users", "add", "--email", "tom@team.example", "--role", "admin", "--mail"]), @"1 error: --mail needs --smtp-url (TRIBUTARY_SMTP_URL) and --mail-from (TRIBUTARY_MAIL_FROM)");
}

/// Requests are sent while the process is killed again and again, and repeated until each has its answer: then each
/// has had its effect once.
#[tokio::test]
async fn no_kill_makes_an_effect_twice_or_loses_one_that_was_answered() {
    let installation = Installation::new().await;
    let client = Client::new();
    let mut answers: Vec<Option<Value>> = vec![None; 120];
    let mut interrupted = 0;
    for round in 0..6 {
        let server = installation.serve(&[]).await;
        let (mut sent, installation, client) = (Vec::new(), &installation, &client);
        for number in (0..answers.len()).filter(|number| answers[*number].is_none() || number % 7 == round) {
            sent.push(async move {
                let body = json!({"name": format!("Shop {number}")});
                (
                    number,
                    installation
                        .post(client, "/api/v1/advertisers", &format!("number-{number}"), &body)
                        .await,
                )
            });
        }
        let killed = async move {
            // The last round is left in peace.
            if round < 5 {
                sleep(Duration::from_millis(15 + 10 * round as u64)).await;
                drop(server);
                return None;
            }
            Some(server)
        };
        let (answered, _still_serving) = tokio::join!(join_all(sent), killed);
        for (number, answer) in answered {
            let Some((status, body)) = answer else {
                interrupted += 1;
                continue;
            };
            assert_eq!(status, StatusCode::CREATED, "{body}");
            let first = answers[number].get_or_insert_with(|| body.clone());
            assert_eq!(*first, body, "number {number} was answered twice and differently");
        }
    }
    assert_ne!(interrupted, 0, "some requests were on their way when the process was killed");
    assert!(answers.iter().all(Option::is_some), "every request has its answer after the last round");
    let _server = installation.serve(&[]).await;
    assert_eq!(installation.count("/api/v1/advertisers").await, answers.len());
}
