//! How fraud is decided here: rules with their lists, scale, policy and costs, by versions that stay.

use domain::{
    AffiliateId, Rate,
    fraud::{
        RuleSet, Scale, Settings, SettingsError,
        score::{Costs, Limits, LogOdds, Policy, PolicyError},
    },
};
use models::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether decisions hold conversions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FraudMode)]
pub enum Mode {
    /// Decisions are noted, and conversions go their way.
    #[default]
    Shadow,
    /// What is to be held is held until a person has looked at it.
    Live,
}

impl Mode {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Live => "live",
        }
    }
}

/// How fraud is decided, as an operator writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FraudSettings {
    /// Whether decisions hold conversions.
    pub mode: Mode,
    /// What is changed of the rules, for the program and for campaigns, and the lists (docs/fraud-rules.md); their version is
    /// that of the settings.
    #[schema(value_type = Object)]
    pub rules: Settings,
    /// How points and models become log-odds.
    pub scale: Scale,
    /// From which scores on conversions are held.
    #[schema(value_type = Object)]
    pub policy: Policy,
    /// What mistakes cost, compared with each other.
    pub costs: Costs,
    /// For which share of partners the challenger of the model decides; the same partners for as long as the share stands, and
    /// more of them when it grows.
    #[serde(skip_serializing_if = "is_nobody")]
    #[schema(value_type = String, example = "5%")]
    pub canary: Rate,
}

/// Where nobody is in the canary, releases that know of none can read the settings.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_nobody(canary: &Rate) -> bool {
    canary.ppm == 0
}

/// Above even odds, and where approving fraud costs four times as much as holding an honest conversion and twenty times as
/// much as looking at it.
impl Default for FraudSettings {
    fn default() -> Self {
        let policy = Policy {
            version: 0,
            limits: Limits::USUAL,
            threshold: LogOdds::EVEN,
            segments: std::collections::BTreeMap::new(),
            affiliates: std::collections::BTreeMap::new(),
        };
        let costs = Costs { loss: 100, harm: 25, review: 5 };
        Self {
            mode: Mode::default(),
            rules: Settings::default(),
            scale: Scale::UNCALIBRATED,
            policy,
            costs,
            canary: Rate { ppm: 0 },
        }
    }
}

/// Settings that cannot be meant.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UnfitSettings {
    /// A rule or a list.
    #[error(transparent)]
    Rules(#[from] SettingsError),
    /// What was promised.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A scale or a threshold beyond all odds.
    #[error(
        "{what} is {found} millionths of log-odds; it has to be from {least} to {most}",
        least = .bounds.0,
        most = .bounds.1
    )]
    Odds {
        /// Which.
        what: &'static str,
        /// What it was set to.
        found: i64,
        /// The least and the most that it may be.
        bounds: (i64, i64),
    },
    /// Costs below nothing, or beyond measure.
    #[error("loss, harm and review are from 0 to {MOST_COST}, and fraud costs something: loss is at least 1")]
    Costs,
    /// A share that is more than everybody.
    #[error("canary is {0}, and can be 100% at most")]
    Canary(Rate),
}

/// Settings that were checked, ready to decide by.
#[derive(Clone, Debug, PartialEq)]
pub struct InForce {
    /// Their version; zero for the defaults of this release.
    pub version: u32,
    /// Whether decisions hold conversions.
    pub mode: Mode,
    /// The rules.
    pub rules: RuleSet,
    /// The scale.
    pub scale: Scale,
    /// The policy.
    pub policy: Policy,
    /// What mistakes cost.
    pub costs: Costs,
    /// For which share of partners the challenger decides.
    pub canary: Rate,
}

impl InForce {
    /// Checks settings that are to be in force under a version.
    ///
    /// # Errors
    /// When something in them cannot be meant.
    pub fn check(settings: FraudSettings, version: u32) -> Result<Self, UnfitSettings> {
        let FraudSettings { mode, mut rules, scale, policy, costs, canary } = settings;
        rules.version = version;
        policy.limits.check()?;
        odds("the scale's base", scale.base, (-MOST_ODDS, MOST_ODDS))?;
        odds("the scale's point", scale.point, (0, 1_000_000))?;
        let own = policy.segments.values().chain(policy.affiliates.values());
        for threshold in own.chain([&policy.threshold]) {
            odds("a threshold", *threshold, (-MOST_ODDS, MOST_ODDS))?;
        }
        let Costs { loss, harm, review } = costs;
        if loss <= 0 || harm < 0 || review < 0 || [loss, harm, review].iter().any(|cost| MOST_COST < *cost) {
            return Err(UnfitSettings::Costs);
        }
        if Rate::ONE < canary {
            return Err(UnfitSettings::Canary(canary));
        }
        Ok(Self { version, mode, rules: RuleSet::try_from(rules)?, scale, policy, costs, canary })
    }

    /// Whether the challenger decides about a partner's conversions: the same for each of them, in whichever process.
    #[must_use]
    pub fn is_canary(&self, affiliate: AffiliateId) -> bool {
        let hash = Fingerprint::of(affiliate.uuid().as_bytes()).0;
        let place = hash.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte)) % 1_000_000;
        place < u64::from(self.canary.ppm)
    }

    /// The defaults of this release.
    ///
    /// # Panics
    /// Never: a test makes them.
    #[must_use]
    pub fn defaults() -> Self {
        Self::check(FraudSettings::default(), 0).expect("defaults are fit")
    }
}

/// Costs are beside each other: more than this is a slip of the pen.
const MOST_COST: i64 = 1_000_000_000_000;
/// Odds of e³⁰ to one are nobody's.
const MOST_ODDS: i64 = 30_000_000;

fn odds(what: &'static str, found: LogOdds, bounds: (i64, i64)) -> Result<(), UnfitSettings> {
    let is_fit = bounds.0 <= found.0 && found.0 <= bounds.1;
    if is_fit { Ok(()) } else { Err(UnfitSettings::Odds { what, found: found.0, bounds }) }
}
