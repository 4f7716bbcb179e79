//! What is known and predicted of a partner when its rate is decided.

use serde::{Deserialize, Serialize};

use crate::money::{Currency, Money};

/// What models and reports say of a partner. Scores are fractions; they are rounded to parts per million before anything
/// is computed from them, so that a decision can be repeated to the last digit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The model that predicts, told with every decision.
    pub model_version: String,
    /// What a customer won by a conversion is expected to be worth over the horizon, before commission.
    pub value: Money,
    /// The lower bound of that. The rate goes by this.
    pub value_lower: Money,
    /// What the rate is paid on for each conversion: the mean order.
    pub base: Money,
    /// How many conversions are expected at the present rate until the next decision.
    pub conversions: f64,
    /// How fast its customers leave, as a multiple of the program's mean.
    pub churn_ratio: f64,
    /// How probable it is that a conversion is fraudulent, 0 to 1.
    pub fraud_risk: f64,
    /// How good its content is, 0 to 1; usual is a half.
    pub quality: f64,
    /// By how many percent conversions grow when the rate grows by one percent; none if nobody knows.
    pub elasticity: Option<f64>,
}

/// Evidence that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvidenceError {
    /// Not a number, or one that means nothing here.
    #[error("{what} is {found}; give a number from {from} to {to}")]
    Outside {
        /// Which score.
        what: &'static str,
        /// Its value.
        found: f64,
        /// The least that it can be.
        from: f64,
        /// The most that it can be.
        to: f64,
    },
    /// A bound beyond what it bounds.
    #[error("the lower bound of the value, {lower}, is above the value, {value}")]
    BoundAbove {
        /// The bound.
        lower: Money,
        /// What it bounds.
        value: Money,
    },
    /// Nothing to pay a part of.
    #[error("the mean order is {0}; a rate can only be set for orders of more than zero")]
    NoBase(Money),
    /// Amounts that cannot be compared.
    #[error("{0} and {1} cannot be compared; give all amounts in one currency")]
    Currencies(Currency, Currency),
    /// Decisions must name it.
    #[error("the evidence needs the version of its model, because every decision names it")]
    Nameless,
}

const WHOLE: f64 = 1e6;

/// Evidence that was checked, its scores in parts per million.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scores {
    /// Minor units; a value below zero is worth as little as none.
    pub(super) value: i64,
    pub(super) value_lower: i64,
    pub(super) base: i64,
    pub(super) churn_ppm: i64,
    pub(super) fraud_ppm: i64,
    pub(super) quality_ppm: i64,
    pub(super) elasticity_ppm: Option<i64>,
    pub(super) conversions: f64,
}

impl Scores {
    pub(super) fn read(evidence: &Evidence, budget: Option<Money>) -> Result<Self, EvidenceError> {
        let Evidence { value, value_lower, base, .. } = *evidence;
        if evidence.model_version.trim().is_empty() {
            return Err(EvidenceError::Nameless);
        }
        for money in [Some(value_lower), Some(base), budget].into_iter().flatten() {
            if money.currency != value.currency {
                return Err(EvidenceError::Currencies(money.currency, value.currency));
            }
        }
        if base.minor <= 0 {
            return Err(EvidenceError::NoBase(base));
        }
        if value.minor < value_lower.minor {
            return Err(EvidenceError::BoundAbove { lower: value_lower, value });
        }
        let elasticity = evidence.elasticity.map(|elasticity| ppm("the elasticity", elasticity, 100.0));
        inside("the number of expected conversions", evidence.conversions, 1e12)?;
        Ok(Self {
            value: value.minor.max(0),
            value_lower: value_lower.minor.max(0),
            base: base.minor,
            churn_ppm: ppm("the churn ratio", evidence.churn_ratio, 1e6)?,
            fraud_ppm: ppm("the fraud risk", evidence.fraud_risk, 1.0)?,
            quality_ppm: ppm("the quality", evidence.quality, 1.0)?,
            elasticity_ppm: elasticity.transpose()?,
            conversions: evidence.conversions,
        })
    }
}

fn inside(what: &'static str, found: f64, to: f64) -> Result<f64, EvidenceError> {
    let inside = (0.0..=to).contains(&found);
    if inside { Ok(found) } else { Err(EvidenceError::Outside { what, found, from: 0.0, to }) }
}

fn ppm(what: &'static str, found: f64, to: f64) -> Result<i64, EvidenceError> {
    Ok(libm::round(inside(what, found, to)? * WHOLE) as i64)
}
