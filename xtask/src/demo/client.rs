//! The demo speaks to Tributary as strangers do: over HTTP, with an API key or a signature, or with nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use domain::signature::{SigningKey, canonical, standard};
use reqwest::{Method, Response, StatusCode, header, redirect::Policy};
use serde_json::Value;
use tokio::time::sleep;

const LINK_PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// A caller of one installation.
pub struct Client {
    http: reqwest::Client,
    base: String,
    api_key: String,
}

/// What a visitor's browser says of itself.
#[derive(Clone, Copy)]
pub struct Browser<'a> {
    /// Its user agent.
    pub user_agent: &'a str,
    /// Where it stands on the network, told by the proxy in front.
    pub address: &'a str,
}

impl Client {
    /// A caller that follows no redirects, because it wants to read where they lead.
    pub fn new(base: String, api_key: String) -> Result<Self> {
        let http = reqwest::Client::builder().redirect(Policy::none()).build();
        Ok(Self { http: http.context("an HTTP client could not be made")?, base, api_key })
    }

    /// Creates or moves something through the API.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Reads something from the API.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// Reads a whole list, page by page.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let mut page = self.get(&format!("{path}{sign}limit=100{after}")).await?;
            all.append(page["data"].as_array_mut().context("a list has no data")?);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(all),
            }
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let request = self.http.request(method.clone(), format!("{}/api/v1{path}", self.base));
        let request = request.bearer_auth(&self.api_key);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.with_context(|| format!("{method} {path} had no answer"))?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{method} {path} was answered with {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path} was not answered with JSON"))
    }

    /// Clicks a link and returns where the visitor is sent.
    pub async fn click(&self, method: Method, url: &str, browser: Browser<'_>) -> Result<Landing> {
        let request = self.http.request(method, url).header(header::USER_AGENT, browser.user_agent);
        let answer = request.header("X-Forwarded-For", browser.address).send().await?;
        Landing::read(&answer)
    }

    /// Waits until a new link is served: trackers hear of it a moment after the API has answered.
    pub async fn wait_for_link(&self, url: &str) -> Result<()> {
        let deadline = Instant::now() + LINK_PATIENCE;
        while self.http.head(url).send().await?.status() != StatusCode::FOUND {
            ensure!(Instant::now() < deadline, "{url} was not served within {} s", LINK_PATIENCE.as_secs());
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Sends a signed postback as a shop's back end does: a GET with its fields in the query.
    pub async fn postback(
        &self,
        shop: &Shop,
        message: &Message<'_>,
        fields: &[(&str, &str)],
    ) -> Result<Answer> {
        let path = format!("/postback/{}", shop.advertiser);
        let mut query = canonical::Query::parse("")?;
        for (name, value) in fields {
            query.set(name, value);
        }
        let signed = canonical::sign(&shop.key, &path, &query, message.id, message.at)?;
        Answer::read(self.http.get(format!("{}{path}?{signed}", self.base)).send().await?).await
    }

    /// Sends the same as a POST with its fields as JSON.
    pub async fn postback_json(&self, shop: &Shop, message: &Message<'_>, body: &Value) -> Result<Answer> {
        let text = body.to_string();
        let signature = standard::sign(&shop.key, message.id, message.at, text.as_bytes())?;
        let request = self.http.post(format!("{}/postback/{}", self.base, shop.advertiser));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.header(standard::ID_HEADER, message.id);
        let request = request.header(standard::TIMESTAMP_HEADER, message.at.timestamp().to_string());
        Answer::read(request.header(standard::SIGNATURE_HEADER, signature).body(text).send().await?).await
    }
}

/// An advertiser's back end: its id, and the key with which it signs.
pub struct Shop {
    /// Its id with us.
    pub advertiser: String,
    /// What it signs with.
    pub key: SigningKey,
}

/// What tells one message from another.
pub struct Message<'a> {
    /// The message's id; a message sent again has the same.
    pub id: &'a str,
    /// When it was signed.
    pub at: DateTime<Utc>,
}

/// How a postback was answered.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Whether an earlier answer was repeated.
    pub replayed: bool,
    /// The body, for the sentence that explains a failure.
    pub body: String,
}

impl Answer {
    async fn read(answer: Response) -> Result<Self> {
        let (status, replayed) = (answer.status(), answer.headers().contains_key("idempotent-replayed"));
        Ok(Self { status, replayed, body: answer.text().await? })
    }
}

/// Where a click led.
pub struct Landing {
    /// The page that the visitor sees next.
    pub url: String,
    /// The click's id, when the click counted.
    pub click_id: Option<String>,
}

impl Landing {
    fn read(answer: &Response) -> Result<Self> {
        if answer.status() != StatusCode::FOUND {
            bail!("a click was answered with {} instead of a redirect", answer.status());
        }
        let location = answer.headers().get(header::LOCATION).context("a redirect without a Location")?;
        let url = location.to_str().context("a Location that is no text")?.to_owned();
        let parsed = reqwest::Url::parse(&url).context("a Location that is no URL")?;
        let click_id =
            parsed.query_pairs().find(|(name, _)| name == "clickid").map(|(_, id)| id.into_owned());
        Ok(Self { url, click_id })
    }
}
