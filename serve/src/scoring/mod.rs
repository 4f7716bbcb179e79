//! Fraud decisions: what is known of a conversion becomes flags, a score with its reasons, and approve or hold.
//!
//! Rules read the feature state, the conversion with its click, and the program's records; the champion of the model
//! `fraud` reads the state too. Whatever is missing, a decision is made from what is there, and says what was missing.
//! What is decided is decided from the evidence as it is kept, digit by digit, so that it can be decided again to the bit.

mod clicks;
pub mod external;
pub mod health;
mod judge;
pub mod log;
mod model;
mod recent;
pub mod replay;
mod ring;
pub mod settings;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, LazyLock, atomic::AtomicBool},
    time::Duration,
};

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId, CampaignId, Chance,
    click::{Click, Device},
    event::{Conversion, Event, Visit},
    fraud::{
        Decision, Evidence, Flag, Networks, Score,
        score::{LogOdds, Model, ModelEvidence, Subject, Verdict},
    },
};
use features::{
    definition::{Computed, Feature},
    defs::sets::SETS,
    entity::Keys,
    evidence::{self, Findings, Records},
    fact::Request,
    set::FeatureSet,
    value::Value,
};
use models::{fingerprint::Fingerprint, registry::Alias};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tracking::customer::Customers;
use utoipa::ToSchema;

use self::{
    external::{External, Heard},
    log::Log,
    recent::Recent,
    settings::InForce,
};
pub use self::{
    judge::{clicked, follow},
    ring::InRing,
};
use crate::{host::Host, state::FeatureState};

/// The set that models of fraud are trained on.
const MODEL_SET: &str = "fraud_v1";

/// So long a model may take whose answer does not count.
const BRIEFLY: Duration = Duration::from_millis(10);
/// Features that are behind by more than this are said to be.
const STALE: TimeDelta = TimeDelta::seconds(10);

/// Whoever nobody is credited with.
static NOBODY: LazyLock<AffiliateId> = LazyLock::new(|| uuid::Uuid::nil().into());

/// Decides about conversions.
pub struct Scorer {
    state: FeatureState,
    models: Arc<Host>,
    networks: Networks,
    customers: Arc<Customers>,
    in_force: ArcSwap<InForce>,
    /// Whether the settings were read since the start.
    knows_settings: AtomicBool,
    chance: Chance,
    /// What was looked up a moment ago.
    recent: Recent,
    /// Where decisions go that were only asked for.
    log: Log,
    /// Whom outside it may ask, if anybody.
    external: Option<External>,
}

/// A conversion with all that decisions look at.
#[derive(Clone, Debug)]
pub struct Looked {
    /// What happened.
    pub conversion: Conversion,
    /// The click that led to it, where it is known.
    pub click: Option<Visit<Click>>,
    /// What the program's records say.
    pub records: Records,
    /// What kind of traffic the partner sends; empty where that is not said.
    pub kind: String,
    /// The ring that the partner is in, if it is in one.
    pub ring: Option<InRing>,
    /// When it is decided.
    pub at: DateTime<Utc>,
    /// Whether it is one that was stored before.
    pub is_stored: bool,
}

/// What was decided and everything that it was decided by: enough to decide it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = FraudRecord)]
pub struct Record {
    /// Of which campaign.
    pub campaign_id: CampaignId,
    /// Who was credited first.
    pub affiliate_id: Option<AffiliateId>,
    /// What is alike in risk.
    pub segment: String,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// As of when features count; none where they were not known.
    pub features_as_of: Option<DateTime<Utc>>,
    /// From when their windows reach back, where that is later than when it was decided: others decided meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_at: Option<DateTime<Utc>>,
    /// What was known.
    #[schema(value_type = Object)]
    pub evidence: Evidence,
    /// What the model was given, in the order of its set, and what it found.
    pub model: Option<Consulted>,
    /// What the features were when they were read; none of what releases before this decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{64}$")]
    pub definitions: Option<Fingerprint>,
    /// Whether the conversion had been stored before, and counts in its features once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_stored: bool,
    /// What rules flag, in their order.
    pub flags: Vec<Flag>,
    /// For rules that could not be asked: what would have to be known.
    pub missing: BTreeMap<String, Vec<String>>,
    /// What models say that the decision is made by: the registry's first, and then what the ring is evidence of.
    #[schema(value_type = Vec<Object>)]
    pub models: Vec<ModelEvidence>,
    /// What a provider outside said, where one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<Heard>,
    /// The ring that the partner was in, if it was in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<InRing>,
    /// Whether the challenger decided, because the partner is in the canary.
    #[serde(default)]
    pub is_canary: bool,
    /// What would have been decided by the other one of champion and challenger, where there are both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadowed>,
    /// How probable fraud is, and why.
    #[schema(value_type = Object)]
    pub score: Score,
    /// What is done.
    #[schema(value_type = Object)]
    pub decision: Decision,
    /// What could not be asked, each in a sentence.
    pub degraded: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_false(yes: &bool) -> bool {
    !*yes
}

/// What a model was given and what it found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Consulted {
    /// Which features.
    pub set: String,
    /// Their values, in order; none where they say nothing.
    pub values: Vec<Option<f64>>,
    /// Which of them made it strange, the guiltiest first.
    pub because: Vec<Because>,
}

/// A feature that made a conversion strange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Because {
    /// Which.
    pub feature: String,
    /// Its value.
    pub value: Option<f64>,
    /// How much it did, in the model's own terms.
    pub credit: f64,
}

/// What would have been decided by a model whose answer did not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shadowed {
    /// What it says.
    #[schema(value_type = Object)]
    pub model: ModelEvidence,
    /// How probable fraud would be.
    #[schema(value_type = Object)]
    pub score: Score,
    /// What would be done.
    #[schema(value_type = String, example = "approve")]
    pub verdict: Verdict,
}

/// What a decision is made from.
struct Inputs<'a> {
    campaign: CampaignId,
    affiliate: Option<AffiliateId>,
    segment: &'a str,
    at: DateTime<Utc>,
    evidence: &'a Evidence,
    models: &'a [ModelEvidence],
}

/// What follows from it.
struct Outcome {
    flags: Vec<Flag>,
    missing: BTreeMap<String, Vec<String>>,
    score: Score,
    decision: Decision,
}

impl Inputs<'_> {
    fn decide(&self, in_force: &InForce) -> Outcome {
        let judgement = in_force.rules.judge(self.evidence, self.campaign, self.at);
        let score = Score::of(&judgement.flags, self.models, &in_force.scale);
        let affiliate = self.affiliate.unwrap_or(*NOBODY);
        let subject = Subject { segment: self.segment, affiliate, record: None };
        let decision = in_force.policy.decide(&score, &subject, in_force.costs);
        Outcome { flags: judgement.flags, missing: judgement.missing, score, decision }
    }
}

impl Inputs<'_> {
    /// The same decided by another version of the registry's model; what else counts stays.
    fn shadowed(&self, model: &ModelEvidence, in_force: &InForce) -> Shadowed {
        let others = self.models.iter().filter(|said| !ring::is_of_the_registry(said.model));
        let models: Vec<ModelEvidence> = std::iter::once(model).chain(others).cloned().collect();
        let outcome = Inputs { models: &models, ..*self }.decide(in_force);
        Shadowed { model: model.clone(), score: outcome.score, verdict: outcome.decision.verdict }
    }
}

impl Record {
    /// Decides again from what was known, by the settings of that time; the same to the bit, or something has changed that
    /// should not have.
    #[must_use]
    pub fn again(&self, in_force: &InForce) -> Self {
        let inputs = Inputs {
            campaign: self.campaign_id,
            affiliate: self.affiliate_id,
            segment: &self.segment,
            at: self.at,
            evidence: &self.evidence,
            models: &self.models,
        };
        let Outcome { flags, missing, score, decision } = inputs.decide(in_force);
        let shadow = self.shadow.as_ref().map(|shadow| inputs.shadowed(&shadow.model, in_force));
        Self { flags, missing, score, decision, shadow, ..self.clone() }
    }

    /// Whether another decision would follow without the ring.
    fn hangs_on_its_ring(&self, in_force: &InForce) -> bool {
        let others = self.models.iter().filter(|said| said.model != Model::Ring);
        let without = Self { models: others.cloned().collect(), ring: None, ..self.clone() };
        without.again(in_force).decision.verdict != self.decision.verdict
    }
}

impl fmt::Debug for Scorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scorer").field("settings", &self.in_force().version).finish_non_exhaustive()
    }
}

impl Scorer {
    /// Decides by the defaults of this release until it is told of settings, and knows nothing of the past until its state
    /// is filled.
    #[must_use]
    pub fn new(models: Arc<Host>, networks: Networks, customers: Arc<Customers>, chance: Chance) -> Self {
        let model = SETS.iter().find(|set| set.full_name() == MODEL_SET);
        let state = FeatureState::of([evidence::set()].into_iter().chain(model).cloned().collect());
        let in_force = ArcSwap::from_pointee(InForce::defaults());
        let knows_settings = AtomicBool::new(false);
        let (recent, log) = (Recent::default(), Log::default());
        Self {
            state,
            models,
            networks,
            customers,
            in_force,
            knows_settings,
            chance,
            recent,
            log,
            external: None,
        }
    }

    /// The same, and asks a provider outside about conversions that come in.
    #[must_use]
    pub fn asking(self, external: External) -> Self {
        Self { external: Some(external), ..self }
    }

    /// What it knows of the past.
    #[must_use]
    pub fn state(&self) -> &FeatureState {
        &self.state
    }

    /// What was looked up a moment ago.
    #[must_use]
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Where decisions go that were only asked for.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The settings in force.
    #[must_use]
    pub fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// Decides by these settings from now on, unless it knows newer ones.
    pub fn put_in_force(&self, settings: InForce) {
        let settings = Arc::new(settings);
        self.in_force.rcu(|known| {
            if known.version < settings.version { Arc::clone(&settings) } else { Arc::clone(known) }
        });
    }

    /// Decides about a conversion. What it says of another question a moment later may differ; what it notes of this one is
    /// enough to decide it again.
    pub async fn decide(&self, looked: &Looked, in_force: &InForce) -> Record {
        let event = Event::Conversion(looked.conversion.clone());
        let request = Request { event: &event, click: looked.click.as_ref() };
        let mut degraded = Vec::new();
        let Past { features_as_of, counted_at, rules, vector, findings } =
            self.past(looked, &request, &mut degraded);
        let gathered = evidence::gather(&rules, &request, &looked.records, &findings, &self.networks);
        let evidence = as_kept(gathered.unwrap_or_default());
        let Conversion { campaign, affiliate, .. } = looked.conversion;
        let is_canary = in_force.is_canary(affiliate.unwrap_or(*NOBODY));
        let Opinions { counts, is_canary, shadow } = match features_as_of {
            Some(_) => self.opinions(&vector, is_canary, in_force.scale.base, &mut degraded).await,
            None => Opinions::default(),
        };
        let (mut models, model) =
            counts.map_or((Vec::new(), None), |(found, given)| (vec![found], Some(given)));
        models.extend(looked.ring.as_ref().map(InRing::evidence));
        let (segment, at) = (segment(looked), looked.at);
        let inputs =
            Inputs { campaign, affiliate, segment: &segment, at, evidence: &evidence, models: &models };
        let Outcome { flags, missing, score, decision } = inputs.decide(in_force);
        let shadow = shadow.map(|(found, _)| inputs.shadowed(&found, in_force));
        Record {
            campaign_id: campaign,
            affiliate_id: affiliate,
            segment,
            at,
            features_as_of,
            counted_at,
            evidence,
            model,
            definitions: Some(definitions()),
            is_stored: looked.is_stored,
            flags,
            missing,
            models,
            external: None,
            ring: looked.ring.clone(),
            is_canary,
            shadow,
            score,
            decision,
            degraded,
        }
    }

    /// What features say of a conversion, as far as they are known.
    fn past(&self, looked: &Looked, request: &Request<'_>, degraded: &mut Vec<String>) -> Past {
        let asked = [(0, evidence::keys(request)), (1, Keys::of(request.event))];
        let when = (looked.at, looked.is_stored);
        let told = match self.state.ask(&asked, request, when) {
            Ok(told) => told,
            Err(error) => {
                degraded.push(error.to_string());
                return Past { rules: unknown(request), ..Past::default() };
            }
        };
        if STALE < looked.at - told.as_of {
            degraded.push(format!("what happened after {} is not counted yet", told.as_of));
        }
        let mut values = told.values.into_iter();
        let [rules, vector] = std::array::from_fn(|_| values.next().unwrap_or_default());
        Past {
            features_as_of: Some(told.as_of),
            counted_at: Some(told.counted_at).filter(|counted| looked.at < *counted),
            rules,
            vector,
            findings: self.state.findings(&looked.conversion, &looked.kind, when),
        }
    }

    /// What champion and challenger say. A challenger that cannot be asked costs nothing but its own comparison; in the canary,
    /// the champion stands in for it.
    async fn opinions(
        &self,
        vector: &[Value],
        is_canary: bool,
        base: LogOdds,
        degraded: &mut Vec<String>,
    ) -> Opinions {
        let ask = |alias| model::consult(&self.models, alias, vector, base);
        let (first, second) = match is_canary {
            true => (Alias::Challenger, Alias::Champion),
            false => (Alias::Champion, Alias::Challenger),
        };
        // Whoever does not count may take no time of its own.
        let (first, second) = tokio::join!(ask(first), timeout(BRIEFLY, ask(second)));
        let shadow = second.ok().and_then(Result::ok).flatten();
        let counts = match first {
            Ok(Some(said)) => return Opinions { counts: Some(said), is_canary, shadow },
            _ if is_canary && shadow.is_some() => return Opinions { counts: shadow, ..Opinions::default() },
            _ if is_canary => ask(Alias::Champion).await,
            first => first,
        };
        let counts = counts.unwrap_or_else(|why| {
            degraded.push(why);
            None
        });
        Opinions { counts, is_canary: false, shadow }
    }
}

/// What features say: those of rules, those of the model, and what is found of the source.
#[derive(Default)]
struct Past {
    features_as_of: Option<DateTime<Utc>>,
    counted_at: Option<DateTime<Utc>>,
    rules: Vec<Value>,
    vector: Vec<Value>,
    findings: Findings,
}

/// What models say: the one that counts, and the other.
#[derive(Default)]
struct Opinions {
    counts: Option<model::Said>,
    is_canary: bool,
    shadow: Option<model::Said>,
}

/// What the features are that decisions read, those of rules and those of the model.
fn definitions() -> Fingerprint {
    static DEFINITIONS: LazyLock<Fingerprint> = LazyLock::new(|| {
        Fingerprint::of(&[evidence::set(), model::set()].map(FeatureSet::fingerprint).concat())
    });
    *DEFINITIONS
}

/// What the set of rules says of a request when nothing is known of the past.
fn unknown(request: &Request<'_>) -> Vec<Value> {
    let value = |feature: &Arc<Feature>| match &feature.computed {
        Computed::Request(fact) => fact.of(request),
        Computed::Past(_) => Value::Null,
    };
    evidence::set().features.iter().map(value).collect()
}

/// The evidence as it is read back: whoever decides again reads the same digits.
fn as_kept(evidence: Evidence) -> Evidence {
    let text = serde_json::to_string(&evidence);
    text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(evidence)
}

/// What is alike in risk: what was done, on what kind of machine.
fn segment(looked: &Looked) -> String {
    let of_click = looked.click.as_ref().map(|click| click.seen.device);
    let device = of_click.filter(|device| *device != Device::Unknown).unwrap_or(looked.conversion.device);
    format!("{}/{}", looked.conversion.kind.name(), device.name())
}
