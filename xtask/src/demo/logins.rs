//! People who may sign in to the demo's pages: one of the team, one who looks at fraud, and one of an affiliate's.

use std::{io::Write as _, process::Stdio};

use anyhow::{Context, Result, ensure};
use domain::Chance;
use reqwest::{
    Client, Response, StatusCode,
    header::{COOKIE, HeaderMap, HeaderName, LOCATION, SET_COOKIE},
    redirect::Policy,
};

use crate::cluster::Cluster;

/// Who they are, what they may do, and where they find themselves.
const PEOPLE: [(&str, &str, &str); 3] = [
    ("team@demo.example", "admin", "/team"),
    ("analyst@demo.example", "fraud_analyst", "/team"),
    ("affiliate@demo.example", "affiliate", "/my"),
];
/// How a page carries what only it and its browser know.
const FORM_TOKEN: &str = "name=\"csrf\" value=\"";

/// Adds them, signs each of them in once, and returns what a person needs to do the
/// same, with their password.
pub async fn make(cluster: &Cluster, affiliate: &str, chance: &Chance) -> Result<(String, String)> {
    let password = chance.bytes::<8>().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let mut told =
        format!("Pages          {}/  (a new password for each run: {password})\n", cluster.base_url());
    for (email, role, home) in PEOPLE {
        let mut command = cluster.command();
        command.args(["users", "add", "--email", email, "--role", role, "--password-stdin"]);
        if role == "affiliate" {
            command.args(["--affiliate", affiliate]);
        }
        let mut added = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        writeln!(added.stdin.take().context("it is piped")?, "{password}")?;
        ensure!(added.wait()?.success(), "{email} could not be added");
        let page = sign_in(&cluster.base_url(), email, &password).await?;
        ensure!(page == home, "{email} was led to {page} instead of {home}");
        told += &format!("  {email:<24}{role:<16}{}{home}\n", cluster.base_url());
    }
    Ok((told, password))
}

/// A browser that shows where it is led, at an address that a trusted proxy tells where one is given.
pub fn browser_at(address: Option<&str>) -> Result<Client> {
    let headers = address.map(|address| Ok((HeaderName::from_static("x-forwarded-for"), address.parse()?)));
    let headers: HeaderMap = headers.into_iter().collect::<Result<_>>()?;
    Ok(Client::builder().redirect(Policy::none()).default_headers(headers).build()?)
}

/// Signs in, and returns the cookie of the session.
pub async fn enter(browser: &Client, base: &str, (email, password): (&str, &str)) -> Result<String> {
    let form = browser.get(format!("{base}/sign-in")).send().await?;
    let stranger = cookie(&form).context("a form has a cookie")?;
    let page = form.text().await?;
    let (_, rest) = page.split_once(FORM_TOKEN).context("a form has a token")?;
    let token = rest.split('"').next().unwrap_or_default();
    let filled = [("email", email), ("password", password), ("csrf", token)];
    let sent = browser.post(format!("{base}/sign-in")).header(COOKIE, stranger).form(&filled).send().await?;
    ensure!(sent.status() == StatusCode::SEE_OTHER, "{email} could not sign in: {}", sent.status());
    cookie(&sent).context("whoever signed in has a cookie")
}

/// Where a browser finds itself that signs in.
async fn sign_in(base: &str, email: &str, password: &str) -> Result<String> {
    let browser = browser_at(None)?;
    let session = enter(&browser, base, (email, password)).await?;
    let home = browser.get(format!("{base}/")).header(COOKIE, &session).send().await?;
    let home = home.headers().get(LOCATION).context("somebody who signed in is led on")?.to_str()?.to_owned();
    let seen = browser.get(format!("{base}{home}")).header(COOKIE, &session).send().await?;
    ensure!(seen.status().is_success(), "{home} was answered with {}", seen.status());
    Ok(home)
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(answer: &Response) -> Option<String> {
    let line = answer.headers().get(SET_COOKIE)?.to_str().ok()?;
    line.split(';').next().map(str::to_owned)
}
