//! Scores of providers outside, as one more piece of evidence: off unless an operator configures one.
//!
//! A provider is asked while the transaction that takes the conversion in is open, because what it says belongs to the
//! decision that the transaction writes down, and whether it is worth its price is known only when rules and models have
//! spoken. By then the transaction holds nothing but its own conversion: locks that others wait for come later. It waits for
//! [`Settings::timeout`] at most, for the budget and the answer together; what comes later than that is remembered for the next
//! conversion that it would be told the same of. A provider is asked once for each conversion, when it comes in; scores that somebody
//! merely asks for, up to a thousand in one transaction, ask nobody outside.

mod breaker;
mod call;
pub mod provider;
mod seon;
pub mod settings;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::fraud::score::ModelEvidence;
use models::fingerprint::Fingerprint;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tracking::customer::Passing;
use utoipa::ToSchema;

use self::{
    breaker::Breaker,
    call::{Caller, Silence},
    provider::{Opinion, Particular, Question},
    settings::Settings,
};
use super::{InForce, Looked, Record, Scorer};
use crate::store::external_scores;

/// What a provider said, as it is kept with the decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ExternalScore)]
pub struct Heard {
    /// Who.
    pub provider: String,
    /// Its own score.
    pub score: f64,
    /// What it would do, in its own words.
    pub verdict: Option<String>,
    /// Which of its rules counted.
    pub because: Vec<String>,
    /// Whether it said so before, when it was told the same.
    pub is_remembered: bool,
}

impl Heard {
    /// As a person reads it.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { provider, score, verdict, because, .. } = self;
        let verdict = verdict.as_ref().map(|verdict| format!(" ({verdict})")).unwrap_or_default();
        let because = if because.is_empty() { String::new() } else { format!(": {}", because.join(", ")) };
        format!("The provider {provider} gives it a score of {score}{verdict}{because}.")
    }
}

/// What this process asked of providers.
pub struct Meters {
    /// Requests that were sent.
    pub asked: AtomicU64,
    /// Those of them that were answered.
    pub answered: AtomicU64,
    /// Answers from memory.
    pub cached: AtomicU64,
    /// Questions that the day's budget had no call for.
    pub refused: AtomicU64,
    /// Questions that were not asked because the provider had failed again and again.
    pub paused: AtomicU64,
    /// Questions that were asked in vain.
    pub failed: AtomicU64,
    /// How long decisions waited.
    pub waited_ms: AtomicU64,
}

/// The numbers of this process.
pub static METERS: Meters = Meters {
    asked: AtomicU64::new(0),
    answered: AtomicU64::new(0),
    cached: AtomicU64::new(0),
    refused: AtomicU64::new(0),
    paused: AtomicU64::new(0),
    failed: AtomicU64::new(0),
    waited_ms: AtomicU64::new(0),
};

/// So long an answer that no decision waits for any more may take: it is paid for.
const LATEST: Duration = Duration::from_secs(5);

/// So many wait for a provider at once: a quarter of the connections that requests have unless told otherwise.
const AT_ONCE: usize = 4;

/// A provider that may be asked.
pub struct External {
    desk: Desk,
    breaker: Breaker,
    turns: Semaphore,
}

/// What it takes to ask; cheap to clone.
#[derive(Clone)]
struct Desk {
    settings: Arc<Settings>,
    /// Connections of its own, so that a decision never waits for one that another decision holds.
    db: PgPool,
    caller: Caller,
    known: Arc<Cache<Fingerprint, Known>>,
}

#[derive(Clone)]
struct Known {
    opinion: Opinion,
    at: DateTime<Utc>,
}

/// What came of a question.
enum Asked {
    /// It may not be asked now.
    Not,
    /// It was asked in vain; why, as a sentence.
    InVain(String),
    /// It says this, now or before.
    Said { opinion: Opinion, is_remembered: bool },
}

impl External {
    /// Asks by these settings, and counts its calls over these connections, which are to be its own.
    ///
    /// # Errors
    /// When the system has no certificates to trust.
    pub fn new(settings: Settings, db: PgPool) -> io::Result<Self> {
        let known = Arc::new(Cache::new(settings.remembered));
        let desk = Desk { known, settings: Arc::new(settings), db, caller: Caller::new()? };
        Ok(Self { desk, breaker: Breaker::default(), turns: Semaphore::new(AT_ONCE) })
    }

    async fn ask(&self, question: Question, at: DateTime<Utc>) -> Asked {
        let Desk { settings, known, .. } = &self.desk;
        let about = Question { reference: String::new(), ..question.clone() };
        let about = Fingerprint::of((settings.provider.ask)(&about).to_string().as_bytes());
        if let Some(known) = known.get(&about)
            && at - known.at < settings.fresh
        {
            METERS.cached.fetch_add(1, Relaxed);
            return Asked::Said { opinion: known.opinion, is_remembered: true };
        }
        if !self.breaker.lets_pass(at) {
            METERS.paused.fetch_add(1, Relaxed);
            return Asked::Not;
        }
        // Whoever waits for a provider keeps a transaction open, and a few may.
        let Ok(_turn) = self.turns.try_acquire() else {
            METERS.paused.fetch_add(1, Relaxed);
            return Asked::Not;
        };
        let begin = Instant::now();
        let asking = tokio::spawn(timeout(LATEST, self.desk.clone().ask(question, about, at)));
        let answer = timeout(settings.timeout, asking).await;
        METERS.waited_ms.fetch_add(begin.elapsed().as_millis() as u64, Relaxed);
        let late = || Err(Silence::Late(settings.timeout.as_millis()));
        match answer.ok().and_then(Result::ok).and_then(Result::ok).unwrap_or_else(late) {
            Ok(Some(opinion)) => {
                METERS.answered.fetch_add(1, Relaxed);
                self.breaker.went_well();
                Asked::Said { opinion, is_remembered: false }
            }
            Ok(None) => {
                METERS.refused.fetch_add(1, Relaxed);
                Asked::Not
            }
            Err(silence) => self.in_vain(&silence, at),
        }
    }

    fn in_vain(&self, silence: &Silence, at: DateTime<Utc>) -> Asked {
        METERS.failed.fetch_add(1, Relaxed);
        let provider = self.desk.settings.provider.name;
        // That calls cannot be counted is not the provider's fault.
        if !matches!(silence, Silence::Budget) && self.breaker.failed(at) {
            tracing::error!(provider, "{provider} {silence}; it is left alone for half a minute at a time");
        } else {
            tracing::warn!(provider, "{provider} {silence}");
        }
        Asked::InVain(format!("the provider {provider} {silence}"))
    }

    /// What may be told of a conversion; none where that says nothing of anybody.
    fn question(&self, looked: &Looked, passing: &Passing) -> Option<Question> {
        let tells = |particular| self.desk.settings.sends.contains(&particular);
        let (conversion, click) = (&looked.conversion, looked.click.as_ref());
        let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let address = passing.address.filter(|_| tells(Particular::Address));
        let network = conversion.network.or(click.map(|click| click.seen.network));
        let country = known(&conversion.country).or_else(|| known(&click?.seen.country));
        let device = known(&conversion.device_id).or_else(|| known(&click?.device_id));
        let question = Question {
            reference: conversion.id.to_string(),
            address: address.or(network.filter(|_| tells(Particular::Network))),
            email: passing
                .email
                .as_deref()
                .and_then(|it| known(it.trim()))
                .filter(|_| tells(Particular::Email)),
            email_domain: known(&conversion.email_domain).filter(|_| tells(Particular::EmailDomain)),
            device: device.filter(|_| tells(Particular::Device)),
            country: country.filter(|_| tells(Particular::Country)),
            affiliate: conversion.affiliate.map(|id| id.to_string()).filter(|_| tells(Particular::Affiliate)),
        };
        question.is_about_somebody().then_some(question)
    }

    fn heard(&self, opinion: Opinion, is_remembered: bool) -> (ModelEvidence, Heard) {
        let evidence = self.desk.settings.evidence(&opinion);
        let Opinion { score, verdict, because } = opinion;
        let provider = self.desk.settings.provider.name.to_owned();
        // Hundredths are read back from the database as they are written.
        let score = (score * 100.0).round() / 100.0;
        (evidence, Heard { provider, score, verdict, because, is_remembered })
    }
}

impl Desk {
    /// Takes a call out of the day's budget, makes it, and remembers what it brought; none where the budget has none.
    async fn ask(
        self,
        question: Question,
        about: Fingerprint,
        at: DateTime<Utc>,
    ) -> Result<Option<Opinion>, Silence> {
        let Self { settings, db, caller, known } = self;
        let (name, budget) = (settings.provider.name, settings.calls_per_day);
        let is_left = external_scores::take(&db, name, at.date_naive(), budget).await;
        if !is_left.map_err(|_| Silence::Budget)? {
            return Ok(None);
        }
        METERS.asked.fetch_add(1, Relaxed);
        let opinion = caller.ask(&settings, &question).await?;
        known.insert(about, Known { opinion: opinion.clone(), at });
        Ok(Some(opinion))
    }
}

impl Scorer {
    /// The same with what a provider outside says, where there is one that may be asked and whose answer could matter.
    pub(super) async fn hear(
        &self,
        mut record: Record,
        (looked, passing): (&Looked, &Passing),
        in_force: &InForce,
    ) -> Record {
        let wanted = self.external.as_ref().filter(|it| it.desk.settings.wants(record.score.log_odds));
        // Nobody is paid for what nobody is credited with.
        let could_matter = !looked.is_stored && looked.conversion.affiliate.is_some();
        let Some(external) = wanted.filter(|_| could_matter) else { return record };
        let Some(question) = external.question(looked, passing) else { return record };
        match external.ask(question, record.at).await {
            Asked::Not => record,
            Asked::InVain(why) => {
                record.degraded.push(why);
                record
            }
            Asked::Said { opinion, is_remembered } => {
                let (evidence, heard) = external.heard(opinion, is_remembered);
                record.models.push(evidence);
                record.external = Some(heard);
                record.again(in_force)
            }
        }
    }
}
