//! Which provider is asked, when, for how much, and what its scores are worth: a file of the operator's, checked at the start.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use chrono::TimeDelta;
use domain::fraud::{
    LogOdds,
    score::{Model, ModelEvidence},
};
use http::{HeaderValue, Uri};
use serde::Deserialize;
use url::Url;

use super::provider::{Opinion, PROVIDERS, Particular, Provider};
use crate::outward::is_here;

/// How external scores are asked for, as an operator writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    provider: String,
    endpoint: String,
    key_env: Option<String>,
    key_file: Option<String>,
    calls_per_day: u32,
    #[serde(default = "usual_timeout")]
    timeout_ms: u64,
    #[serde(default = "usual_band")]
    between: (f64, f64),
    #[serde(default = "usual_particulars")]
    sends: BTreeSet<Particular>,
    #[serde(default)]
    cache: CacheSize,
    calibration: Option<Vec<(f64, f64)>>,
}

/// How many answers are remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CacheSize {
    /// How many.
    pub answers: usize,
    /// For how many hours.
    pub hours: u32,
}

impl Default for CacheSize {
    fn default() -> Self {
        Self { answers: 100_000, hours: 24 }
    }
}

const fn usual_timeout() -> u64 {
    150
}

/// Where nothing is said for honesty, only what is below the usual threshold can be changed.
const fn usual_band() -> (f64, f64) {
    (-2.0, 0.0)
}

/// Nothing by which somebody outside could tell who a customer was.
fn usual_particulars() -> BTreeSet<Particular> {
    [Particular::Network, Particular::EmailDomain, Particular::Country, Particular::Affiliate].into()
}

/// Settings that were checked.
#[derive(Clone)]
pub struct Settings {
    /// Who is asked.
    pub(super) provider: Provider,
    /// Where.
    pub(super) endpoint: Uri,
    /// The key, marked so that it is never shown.
    pub(super) key: HeaderValue,
    /// How many calls all processes together may make in a day of UTC.
    pub(super) calls_per_day: u32,
    /// How long a decision waits at most.
    pub(super) timeout: Duration,
    /// For which scores without it it is asked.
    between: (LogOdds, LogOdds),
    /// What it is told.
    pub(super) sends: BTreeSet<Particular>,
    /// How many answers are remembered.
    pub(super) remembered: usize,
    /// For how long.
    pub(super) fresh: TimeDelta,
    calibration: Vec<(f64, f64)>,
}

/// Settings that cannot be meant. No message repeats a key.
#[derive(Debug, thiserror::Error)]
pub enum UnfitExternal {
    /// The file.
    #[error("{0} cannot be read: {1}")]
    File(String, std::io::Error),
    /// Its form.
    #[error("they are no settings of external scores: {0}")]
    Form(#[from] serde_json::Error),
    /// Somebody else.
    #[error("there is no provider {found:?}; there is {known}", known = known())]
    Provider {
        /// What was named.
        found: String,
    },
    /// An address that a key must not be sent to.
    #[error("endpoint has to be an https:// address without user and password, or http:// on this machine")]
    Endpoint,
    /// No key, or two.
    #[error(
        "name one of key_env, an environment variable that holds the key, and key_file, a file that holds nothing else"
    )]
    KeyPlace,
    /// The variable is not there.
    #[error("the environment variable {0}, which is to hold the key, is not set")]
    NoKey(String),
    /// Something else is in its place.
    #[error("the key is empty, or has characters that no key has")]
    Key,
    /// A number.
    #[error("{what} has to be from {least} to {most}")]
    Bounds {
        /// Which.
        what: &'static str,
        /// The least that it may be.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A band that nothing lies in.
    #[error("between has to be two log-odds from -30 to 30, the smaller first")]
    Band,
    /// Nothing to ask about.
    #[error("sends has to name at least one of address, network, email, email_domain and device")]
    Sends,
    /// No order of scores.
    #[error(
        "calibration has to be pairs of a score and log-odds from -5 to 5, of growing scores and no falling log-odds"
    )]
    Calibration,
}

fn known() -> String {
    PROVIDERS.iter().map(|provider| provider.name).collect::<Vec<_>>().join(", ")
}

/// The most that somebody outside may say, in log-odds: 148 to one.
const MOST: f64 = 5.0;

impl Settings {
    /// Reads a file, and the key from where it says; `environment` says what a variable holds.
    ///
    /// # Errors
    /// When something in it cannot be meant.
    pub fn read(file: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Self, UnfitExternal> {
        Self::check(&text_of(file)?, environment)
    }

    fn check(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, UnfitExternal> {
        let written: Written = serde_json::from_str(text)?;
        let provider = PROVIDERS.iter().find(|provider| provider.name == written.provider);
        let provider = *provider.ok_or(UnfitExternal::Provider { found: written.provider })?;
        let key = match (&written.key_env, &written.key_file) {
            (Some(name), None) => environment(name).ok_or_else(|| UnfitExternal::NoKey(name.clone()))?,
            (None, Some(file)) => text_of(Path::new(file))?,
            _ => return Err(UnfitExternal::KeyPlace),
        };
        within("calls_per_day", written.calls_per_day.into(), (1, 10_000_000))?;
        within("timeout_ms", written.timeout_ms, (10, 1_000))?;
        within("cache.answers", written.cache.answers as u64, (1, 10_000_000))?;
        within("cache.hours", written.cache.hours.into(), (1, 24 * 30))?;
        let is_somebody = |it: &Particular| !matches!(it, Particular::Country | Particular::Affiliate);
        if !written.sends.iter().any(is_somebody) {
            return Err(UnfitExternal::Sends);
        }
        Ok(Self {
            provider,
            endpoint: endpoint(&written.endpoint).ok_or(UnfitExternal::Endpoint)?,
            key: secret(key.trim()).ok_or(UnfitExternal::Key)?,
            calls_per_day: written.calls_per_day,
            timeout: Duration::from_millis(written.timeout_ms),
            between: band(written.between).ok_or(UnfitExternal::Band)?,
            sends: written.sends,
            remembered: written.cache.answers,
            fresh: TimeDelta::hours(written.cache.hours.into()),
            calibration: calibrated(written.calibration.unwrap_or_else(|| provider.calibration.to_vec()))?,
        })
    }

    /// Whether an answer could matter to a conversion that has this score without it.
    pub(super) fn wants(&self, log_odds: LogOdds) -> bool {
        self.between.0 <= log_odds && log_odds <= self.between.1
    }

    /// What an opinion is worth: between two scores of the calibration on the straight line, beyond them as at its ends.
    pub(super) fn evidence(&self, opinion: &Opinion) -> ModelEvidence {
        let points = &self.calibration;
        let above = points.partition_point(|point| point.0 <= opinion.score);
        let worth = match (above.checked_sub(1).and_then(|below| points.get(below)), points.get(above)) {
            (Some(low), Some(high)) => low.1 + (high.1 - low.1) * (opinion.score - low.0) / (high.0 - low.0),
            (Some(end), None) | (None, Some(end)) => end.1,
            (None, None) => 0.0,
        };
        let log_odds = LogOdds::new(worth).unwrap_or_default();
        ModelEvidence { model: Model::External, log_odds, version: self.provider.version.to_owned() }
    }
}

fn text_of(file: &Path) -> Result<String, UnfitExternal> {
    fs::read_to_string(file).map_err(|error| UnfitExternal::File(file.display().to_string(), error))
}

fn within(what: &'static str, found: u64, (least, most): (u64, u64)) -> Result<(), UnfitExternal> {
    let is_fit = least <= found && found <= most;
    if is_fit { Ok(()) } else { Err(UnfitExternal::Bounds { what, least, most }) }
}

fn endpoint(text: &str) -> Option<Uri> {
    let url: Url = text.parse().ok()?;
    let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_here(&url);
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if is_safe && is_bare { url.as_str().parse().ok() } else { None }
}

fn secret(key: &str) -> Option<HeaderValue> {
    let mut key = HeaderValue::from_str(key).ok().filter(|key| !key.is_empty())?;
    key.set_sensitive(true);
    Some(key)
}

fn band((low, high): (f64, f64)) -> Option<(LogOdds, LogOdds)> {
    let is_fit = -30.0 <= low && low < high && high <= 30.0;
    // `LogOdds::new` holds evidence within ±10; a score may lie beyond.
    let odds = |log_odds: f64| LogOdds((log_odds * 1e6).round() as i64);
    is_fit.then(|| (odds(low), odds(high)))
}

fn calibrated(points: Vec<(f64, f64)>) -> Result<Vec<(f64, f64)>, UnfitExternal> {
    let is_worth = |point: &(f64, f64)| point.0.is_finite() && (-MOST..=MOST).contains(&point.1);
    let is_order = points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
    let is_fit = !points.is_empty() && points.iter().all(is_worth) && is_order;
    if is_fit { Ok(points) } else { Err(UnfitExternal::Calibration) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "1f0c-secret";

    fn read(changed: &Value) -> Result<Settings, String> {
        let mut written = json!({
            "provider": "seon", "endpoint": "https://api.seon.io/SeonRestService/fraud-api/v2/", "key_env": "SEON_KEY",
            "calls_per_day": 1000,
        });
        written.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        let environment = |name: &str| (name == "SEON_KEY").then(|| format!("{KEY}\n"));
        Settings::check(&written.to_string(), environment).map_err(|error| error.to_string())
    }

    fn worth(calibration: Value, score: f64) -> f64 {
        let settings = read(&json!({ "calibration": calibration })).unwrap();
        settings.evidence(&Opinion { score, verdict: None, because: Vec::new() }).log_odds.value()
    }

    #[test]
    fn what_cannot_be_meant_is_named_and_no_key_is_repeated() {
        let wrong = [
            json!({"provider": "sift"}),
            json!({"endpoint": "http://api.seon.io/"}),
            json!({"endpoint": "https://1f0c-secret@api.seon.io/"}),
            json!({"key_env": "SEEON_KEY"}),
            json!({"key_file": "/run/secrets/seon"}),
            json!({"key_env": null, "key_file": "/nowhere/seon"}),
            json!({"key": KEY}),
            json!({"calls_per_day": 0}),
            json!({"timeout_ms": 2000}),
            json!({"cache": {"hours": 0}}),
            json!({"between": [1, -1]}),
            json!({"sends": ["country"]}),
            json!({"sends": ["phone"]}),
            json!({"calibration": [[0, 1], [10, 0]]}),
            json!({"calibration": [[0, 9]]}),
        ];
        // Where in its line a form is wrong is serde's own.
        let error = |it| read(it).err().map(|error| error.split(" at line").next().unwrap().to_owned());
        let errors: Vec<String> = wrong.iter().filter_map(error).collect();
        assert!(errors.iter().all(|error| !error.contains(KEY)), "{errors:?}");
        insta::assert_snapshot!(errors.join("\n"), @r#"
        there is no provider "sift"; there is seon
        endpoint has to be an https:// address without user and password, or http:// on this machine
        endpoint has to be an https:// address without user and password, or http:// on this machine
        the environment variable SEEON_KEY, which is to hold the key, is not set
        name one of key_env, an environment variable that holds the key, and key_file, a file that holds nothing else
        /nowhere/seon cannot be read: No such file or directory (os error 2)
        they are no settings of external scores: unknown field `key`, expected one of `provider`, `endpoint`, `key_env`, `key_file`, `calls_per_day`, `timeout_ms`, `between`, `sends`, `cache`, `calibration`
        calls_per_day has to be from 1 to 10000000
        timeout_ms has to be from 10 to 1000
        cache.hours has to be from 1 to 720
        between has to be two log-odds from -30 to 30, the smaller first
        sends has to name at least one of address, network, email, email_domain and device
        they are no settings of external scores: unknown variant `phone`, expected one of `address`, `network`, `email`, `email_domain`, `device`, `country`, `affiliate`
        calibration has to be pairs of a score and log-odds from -5 to 5, of growing scores and no falling log-odds
        calibration has to be pairs of a score and log-odds from -5 to 5, of growing scores and no falling log-odds
        "#);
    }

    #[test]
    fn a_score_is_worth_what_lies_between_two_of_the_calibration() {
        let line = json!([[0, -1], [10, 0], [50, 2]]);
        for (score, log_odds) in
            [(-5.0, -1.0), (0.0, -1.0), (5.0, -0.5), (10.0, 0.0), (30.0, 1.0), (900.0, 2.0)]
        {
            assert!((worth(line.clone(), score) - log_odds).abs() < 1e-6, "{score}");
        }
        assert!((worth(json!([[40, 0.7]]), 3.0) - 0.7).abs() < 1e-6);
        // Unless it was measured, a provider says at most e² to one, and nothing for honesty.
        let usual = |score| worth(json!(null), score);
        assert!(usual(0.0).abs() < 1e-6 && (usual(100.0) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn it_is_asked_about_what_an_answer_could_change() {
        let settings = read(&json!({})).unwrap();
        let asked = [-4_000_000, -2_000_000, -1, 0, 1].map(|micro| settings.wants(LogOdds(micro)));
        assert_eq!(asked, [false, true, true, true, false]);
        assert!(read(&json!({"endpoint": "http://127.0.0.1:8080/"})).is_ok());
    }
}
