//! One score from rules, models and rings: log-odds that add up, each part with its reason.
//!
//! Log-odds are whole millionths, so that parts sum to the score exactly, a stored score is read back as it was, and a
//! decision that is made again is the same to the bit.

mod calibration;
mod policy;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use calibration::{Labelled, ScaleError, weight_of_evidence};
pub use policy::{
    Bound, Calibrated, Costs, Decision, Limits, Policy, PolicyError, Record, Standing, Subject, Verdict,
};

use super::rules::{Code, Flag};
use crate::state::names;

/// The natural logarithm of how much more probable fraud is than honesty, in millionths.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
pub struct LogOdds(pub i64);

/// The most that one piece of evidence may say for or against: odds of 22,026 to one.
const MOST: f64 = 10.0;
const MILLION: f64 = 1e6;

impl LogOdds {
    /// Nothing for either side.
    pub const EVEN: Self = Self(0);

    /// Rounded to millionths, and held within odds of e¹⁰ to one.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn new(log_odds: f64) -> Result<Self, ScoreError> {
        if log_odds.is_nan() {
            return Err(ScoreError::NotANumber);
        }
        Ok(Self(libm::round(log_odds.clamp(-MOST, MOST) * MILLION) as i64))
    }

    /// What a p-value is evidence of when nobody knows how the guilty are distributed: at most −ln(−e p ln p) (Sellke,
    /// Bayarri and Berger 2001), never for honesty. For detectors that learned without labels.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn of_p_value(p: f64) -> Result<Self, ScoreError> {
        if p.is_nan() {
            return Err(ScoreError::NotANumber);
        }
        let p = p.clamp(1e-300, 1.0);
        let ln = libm::log(p);
        if -1.0 <= ln { Ok(Self::EVEN) } else { Self::new(-(1.0 + ln + libm::log(-ln))) }
    }

    /// What a probability says beside a base that is counted already.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn of_probability(probability: f64, base: Self) -> Result<Self, ScoreError> {
        let probability = probability.clamp(1e-9, 1.0 - 1e-9);
        Self::new(libm::log(probability / (1.0 - probability)) - base.value())
    }

    /// As a real number.
    #[must_use]
    pub fn value(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "sums of log-odds stay far below 2⁵³ millionths")]
        let micro = self.0 as f64;
        micro / MILLION
    }

    /// The probability of fraud.
    #[must_use]
    pub fn probability(self) -> f64 {
        1.0 / (1.0 + libm::exp(-self.value()))
    }

    fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

names! {
    /// What besides rules says something about a conversion.
    Model: "model" {
        /// The isolation forest, or the ensemble around it.
        Forest = "forest",
        /// The autoencoder.
        Autoencoder = "autoencoder",
        /// What connects the partner with others.
        Ring = "ring",
        /// The trees that learned from reviews.
        Labels = "labels",
        /// A provider outside.
        External = "external",
    }
}

/// What a model says of a conversion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelEvidence {
    /// Which model.
    pub model: Model,
    /// Its calibrated evidence: the logarithm of how much more probable what it saw is of fraud than of honesty.
    pub log_odds: LogOdds,
    /// The model's version, told with every score.
    pub version: String,
}

/// How points and models become log-odds; calibrated from labels ([`Scale::fit`]) where there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Goes up by one with each calibration.
    pub version: u32,
    /// Of a conversion that nothing is said of.
    pub base: LogOdds,
    /// Of a point.
    pub point: LogOdds,
    /// Which part of a model's evidence counts, in parts per million: less than all where models repeat what rules say.
    pub models_ppm: u32,
}

impl Scale {
    /// Where nobody has judged anything yet: one conversion in 55 is fraud, and 100 points make nine in ten of it.
    pub const UNCALIBRATED: Self =
        Self { version: 0, base: LogOdds(-4_000_000), point: LogOdds(62_000), models_ppm: 1_000_000 };
}

/// What a part of a score is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A rule's flag.
    Rule(Code),
    /// A model's evidence.
    Model(Model),
}

/// What one reason did to a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// Which reason.
    pub reason: Reason,
    /// By how much.
    pub log_odds: LogOdds,
}

/// How probably a conversion is fraud, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Score {
    /// By which calibration.
    pub scale_version: u32,
    /// Before anything was said.
    pub base: LogOdds,
    /// What was said, rules in their order and then models; with the base they sum to the score.
    pub parts: Vec<Part>,
    /// All of it.
    pub log_odds: LogOdds,
}

/// Evidence that no score can be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// A model broke.
    #[error("the evidence is not a number; leave a model that fails out of the score")]
    NotANumber,
}

impl Score {
    /// Adds up what rules and models say.
    #[must_use]
    pub fn of(flags: &[Flag], models: &[ModelEvidence], scale: &Scale) -> Self {
        let rules = flags
            .iter()
            .map(|flag| Part { reason: Reason::Rule(flag.code), log_odds: scaled(flag.weight, scale.point) });
        let models = models.iter().map(|it| Part {
            reason: Reason::Model(it.model),
            log_odds: scaled(f64::from(scale.models_ppm) / MILLION, it.log_odds),
        });
        Self::sum(*scale, rules.chain(models).collect())
    }

    fn sum(scale: Scale, parts: Vec<Part>) -> Self {
        let log_odds = parts.iter().fold(scale.base, |sum, part| sum.plus(part.log_odds));
        Self { scale_version: scale.version, base: scale.base, parts, log_odds }
    }

    /// The probability of fraud, from 0 to 1.
    #[must_use]
    pub fn probability(&self) -> f64 {
        self.log_odds.probability()
    }

    /// The same as people are shown it: from 0 to 100.
    #[must_use]
    pub fn risk(&self) -> u8 {
        libm::round(100.0 * self.probability()) as u8
    }

    /// What spoke for fraud, the most telling first.
    #[must_use]
    pub fn reasons(&self) -> Vec<Part> {
        let mut against: Vec<Part> =
            self.parts.iter().filter(|part| LogOdds::EVEN < part.log_odds).copied().collect();
        against.sort_by_key(|part| (std::cmp::Reverse(part.log_odds), part.reason));
        against
    }

    /// What the score would be without a reason.
    #[must_use]
    pub fn without(&self, reason: Reason) -> Self {
        let parts: Vec<Part> = self.parts.iter().filter(|part| part.reason != reason).copied().collect();
        let log_odds = parts.iter().fold(self.base, |sum, part| sum.plus(part.log_odds));
        Self { parts, log_odds, ..*self }
    }
}

/// So many times the log-odds, rounded to millionths.
fn scaled(times: f64, log_odds: LogOdds) -> LogOdds {
    LogOdds(libm::round(times * log_odds.value() * MILLION) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fraud::rules::{Counts, RULES};

    fn flag(code: Code, weight: f64) -> Flag {
        let counts = Counts { seen: 1.0, limit: 1.0, of: None };
        Flag { code, weight, counts, window_seconds: None, baseline: None, version: 1 }
    }

    fn said(model: Model, log_odds: f64) -> ModelEvidence {
        ModelEvidence { model, log_odds: LogOdds::new(log_odds).unwrap(), version: "1".to_owned() }
    }

    fn check(flags: &[Flag], models: &[ModelEvidence], risk: u8) {
        let score = Score::of(flags, models, &Scale::UNCALIBRATED);
        assert_eq!(score.risk(), risk, "{score:?}");
    }

    #[test]
    fn points_and_models_meet_on_one_scale() {
        check(&[], &[], 2);
        check(&[flag(Code::SelfReferral, 100.0)], &[], 90);
        check(&[flag(Code::QuickConversion, 70.0), flag(Code::AnonymousNetwork, 35.0)], &[], 92);
        check(&[flag(Code::ReferrerMismatch, 20.0)], &[], 6);
        check(&[flag(Code::SelfReferral, 100.0)], &[said(Model::Labels, -3.0)], 31);
        check(&[], &[said(Model::Forest, 2.0), said(Model::Ring, 3.0)], 73);
    }

    #[test]
    fn a_p_value_is_worth_what_sellke_bayarri_and_berger_say() {
        // Their table: p of 0.05, 0.01 and 0.001 are odds of at most 2.46, 7.99 and 53.3 to one.
        for (p, odds) in [(0.05, 2.456), (0.01, 7.988), (0.001, 53.256)] {
            let found = libm::exp(LogOdds::of_p_value(p).unwrap().value());
            assert!((found / odds - 1.0).abs() < 1e-3, "{p}: {found}");
        }
        for p in [0.37, 0.9, 1.0, 2.0] {
            assert_eq!(LogOdds::of_p_value(p), Ok(LogOdds::EVEN));
        }
        assert_eq!(LogOdds::of_p_value(0.0), Ok(LogOdds(10_000_000)));
        assert_eq!(LogOdds::of_p_value(f64::NAN), Err(ScoreError::NotANumber));
    }

    #[test]
    fn a_score_is_read_back_as_it_was() {
        let score =
            Score::of(&[flag(Code::FlatHours, 12.3)], &[said(Model::Forest, 0.1)], &Scale::UNCALIBRATED);
        let text = serde_json::to_string(&score).unwrap();
        insta::assert_snapshot!(text, @r#"{"scale_version":0,"base":-4000000,"parts":[{"reason":{"rule":"flat_hours"},"log_odds":762600},{"reason":{"model":"forest"},"log_odds":100000}],"log_odds":-3137400}"#);
        assert_eq!(serde_json::from_str::<Score>(&text).unwrap(), score);
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_score_and_a_reason_less_is_less(
            weights in proptest::collection::vec(proptest::option::of(0.1..100.0_f64), RULES.len()),
            models in proptest::collection::vec(-12.0..12.0_f64, 0..Model::ALL.len()),
        ) {
            let flags: Vec<Flag> = RULES.iter().zip(&weights)
                .filter_map(|(rule, weight)| Some(flag(rule.code, (*weight)?))).collect();
            let models: Vec<_> = Model::ALL.iter().zip(&models).map(|(model, it)| said(*model, *it)).collect();
            let score = Score::of(&flags, &models, &Scale::UNCALIBRATED);
            let sum: f64 = score.parts.iter().map(|part| part.log_odds.value()).sum();
            prop_assert!((score.base.value() + sum - score.log_odds.value()).abs() < 1e-9);
            prop_assert_eq!(score.parts.len(), flags.len() + models.len());
            for part in score.reasons() {
                let less = score.without(part.reason);
                prop_assert!(less.log_odds < score.log_odds);
                prop_assert!(less.probability() < score.probability() || 0.999_999 < score.probability());
                prop_assert_eq!(less.log_odds.0 + part.log_odds.0, score.log_odds.0);
            }
        }
    }
}
