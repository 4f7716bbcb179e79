//! How strangers speak to Tributary: over HTTP, with an API key, with a signature, or with nothing but a browser. The
//! demo and the simulator's doors do.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use domain::signature::{SigningKey, canonical, standard};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header, redirect::Policy};
use serde_json::Value;
use tokio::time::sleep;

const LINK_PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);
/// How often a request is sent that is put off each time.
const ATTEMPTS: u32 = 60;
/// Answers after which nothing has happened, so that a request may be sent again: of any path, and of the paths where
/// visitors and shops come in.
const PUT_OFF: &[StatusCode] = &[StatusCode::TOO_MANY_REQUESTS];
const PUT_OFF_AT_THE_DOOR: &[StatusCode] = &[StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];

/// A caller of one installation.
pub struct Client {
    http: reqwest::Client,
    /// Where the API is.
    api: String,
    /// Where postbacks are taken in.
    tracker: String,
    api_key: String,
}

/// What a visitor's browser says of itself.
#[derive(Clone, Copy)]
pub struct Browser<'a> {
    /// Its user agent.
    pub user_agent: &'a str,
    /// Where it stands on the network, told by the proxy in front.
    pub address: &'a str,
    /// The cookie that an earlier answer set; empty where none did.
    pub cookie: &'a str,
}

impl Client {
    /// A caller of an API and a tracker, which may be one process. It follows no redirects, because it wants to read
    /// where they lead.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub fn new(api: &str, tracker: &str, api_key: String) -> Result<Self> {
        let http = reqwest::Client::builder().redirect(Policy::none()).build();
        let base = |url: &str| url.trim_end_matches('/').to_owned();
        Ok(Self {
            http: http.context("an HTTP client could not be made")?,
            api: base(api),
            tracker: base(tracker),
            api_key,
        })
    }

    /// Creates or moves something through the API.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Reads something from the API.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// Reads a whole list, page by page.
    ///
    /// # Errors
    /// When a page is refused, or nobody answers.
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
        let request = self.http.request(method.clone(), format!("{}/api/v1{path}", self.api));
        let request = request.bearer_auth(&self.api_key);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = patiently(&request, PUT_OFF).await;
        let answer = answer.with_context(|| format!("{method} {path} had no answer"))?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{method} {path} was answered with {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path} was not answered with JSON"))
    }

    /// Clicks a link and returns where the visitor is sent.
    ///
    /// # Errors
    /// When the answer is no redirect, or there is none.
    pub async fn click(&self, method: Method, url: &str, browser: Browser<'_>) -> Result<Landing> {
        let answer = patiently(&self.visit(method, url, browser), PUT_OFF_AT_THE_DOOR).await;
        Landing::read(answer.with_context(|| format!("{url} had no answer"))?).await
    }

    fn visit(&self, method: Method, url: &str, browser: Browser<'_>) -> RequestBuilder {
        let request = self.http.request(method, url).header(header::USER_AGENT, browser.user_agent);
        let request = request.header("X-Forwarded-For", browser.address);
        match browser.cookie {
            "" => request,
            cookie => request.header(header::COOKIE, cookie),
        }
    }

    /// Shows the advertisement of a link, whose invisible picture a browser fetches.
    ///
    /// # Errors
    /// When the answer is no picture, or there is none.
    pub async fn show(&self, url: &str, browser: Browser<'_>) -> Result<()> {
        let answer = patiently(&self.visit(Method::GET, url, browser), PUT_OFF_AT_THE_DOOR).await;
        let answer = answer.with_context(|| format!("{url} had no answer"))?;
        let status = answer.status();
        // Read to its end, so that its connection serves the next request.
        let body = answer.bytes().await?;
        let told = String::from_utf8_lossy(&body);
        ensure!(status.is_success(), "{url} was answered with {status} instead of a picture: {told}");
        Ok(())
    }

    /// Waits until a new link is served: trackers hear of it a moment after the API has answered.
    ///
    /// # Errors
    /// When it is not served in time.
    pub async fn wait_for_link(&self, url: &str) -> Result<()> {
        let deadline = Instant::now() + LINK_PATIENCE;
        while self.http.head(url).send().await?.status() != StatusCode::FOUND {
            ensure!(Instant::now() < deadline, "{url} was not served within {} s", LINK_PATIENCE.as_secs());
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Sends a signed postback as a shop's back end does: a GET with its fields in the query.
    ///
    /// # Errors
    /// When the fields cannot be signed, or nobody answers; a refusal is an answer.
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
        Self::reported(&self.http.get(format!("{}{path}?{signed}", self.tracker))).await
    }

    /// Sends the same as a POST with its fields as JSON.
    ///
    /// # Errors
    /// When the body cannot be signed, or nobody answers; a refusal is an answer.
    pub async fn postback_json(&self, shop: &Shop, message: &Message<'_>, body: &Value) -> Result<Answer> {
        let text = body.to_string();
        let signature = standard::sign(&shop.key, message.id, message.at, text.as_bytes())?;
        let request = self.http.post(format!("{}/postback/{}", self.tracker, shop.advertiser));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.header(standard::ID_HEADER, message.id);
        let request = request.header(standard::TIMESTAMP_HEADER, message.at.timestamp().to_string());
        Self::reported(&request.header(standard::SIGNATURE_HEADER, signature).body(text)).await
    }

    async fn reported(request: &RequestBuilder) -> Result<Answer> {
        let answer = patiently(request, PUT_OFF_AT_THE_DOOR).await;
        Answer::read(answer.context("a postback had no answer")?).await
    }
}

/// Sends a request, and again when the answer is one of those that put it off and says for how many seconds.
async fn patiently(request: &RequestBuilder, put_off: &[StatusCode]) -> Result<Response> {
    let mut attempts = 1;
    loop {
        let request = request.try_clone().context("a request with a body in memory can be sent again")?;
        let answer = request.send().await?;
        let later = answer.headers().get(header::RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
        match later {
            Some(seconds) if put_off.contains(&answer.status()) && attempts < ATTEMPTS => {
                attempts += 1;
                sleep(Duration::from_secs(seconds)).await;
            }
            _ => return Ok(answer),
        }
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
    /// The cookie that the browser keeps, as it sends it back.
    pub cookie: Option<String>,
}

impl Landing {
    async fn read(answer: Response) -> Result<Self> {
        let status = answer.status();
        if status != StatusCode::FOUND {
            let told = answer.text().await.unwrap_or_default();
            bail!("a click was answered with {status} instead of a redirect: {told}");
        }
        let location = answer.headers().get(header::LOCATION).context("a redirect without a Location")?;
        let url = location.to_str().context("a Location that is no text")?.to_owned();
        let parsed = reqwest::Url::parse(&url).context("a Location that is no URL")?;
        let click_id =
            parsed.query_pairs().find(|(name, _)| name == "clickid").map(|(_, id)| id.into_owned());
        let cookie = answer.headers().get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        Ok(Self { url, click_id, cookie })
    }
}
