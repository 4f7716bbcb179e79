//! What partners' histories let expect of them, as far as they are known at a moment: the evidence that rates are decided by.

use domain::{Currency, Money, commission::dynamic::Evidence};
use serde::{Deserialize, Serialize};

use super::response::{Elasticity, Panel, by_source};
use crate::partner::{self, Posterior, WorthError};

/// How cautious evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caution {
    /// The rate goes by the value that is exceeded with a probability of one less this, and never by more than what is expected.
    pub lower: f64,
    /// Which part of what the program's rate is expected to cost may be spent, where spending is limited by that.
    pub budget: f64,
    /// What is believed of elasticities beforehand: the mean and the standard deviation.
    pub elasticity: (f64, f64),
}

impl Default for Caution {
    fn default() -> Self {
        Self { lower: 0.45, budget: 1.0, elasticity: (0.7, 0.3) }
    }
}

/// A caution that cannot be meant.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{what} is {found}; give a number above {above} and below {below}")]
pub struct CautionError {
    what: &'static str,
    found: f64,
    above: f64,
    below: f64,
}

impl Caution {
    /// Refuses one that cannot be meant.
    ///
    /// # Errors
    /// With a sentence that says what to change.
    pub fn check(&self) -> Result<(), CautionError> {
        let (mean, sd) = self.elasticity;
        let numbers = [
            ("the caution's lower", self.lower, 0.0, 1.0),
            ("the caution's budget", self.budget, 0.0, 100.0),
            ("the mean of the caution's elasticity", mean, 0.0, 100.0),
            ("the standard deviation of the caution's elasticity", sd, 0.0, 100.0),
        ];
        let is_wrong = |(_, found, above, below): &(_, f64, f64, f64)| !(*above < *found && *found < *below);
        match numbers.into_iter().find(is_wrong) {
            Some((what, found, above, below)) => Err(CautionError { what, found, above, below }),
            None => Ok(()),
        }
    }

    /// What is believed of elasticities before anything is seen.
    #[must_use]
    pub fn prior(&self) -> Elasticity {
        let (mean, sd) = self.elasticity;
        Elasticity { mean, sd }
    }
}

/// What is the same for all partners of a program.
#[derive(Clone, Debug)]
pub struct Program {
    /// How many traffic sources there are.
    pub sources: usize,
    /// The usual rate, as a fraction; rates are told as multiples of it.
    pub rate: f64,
    /// How many conversions a usual partner has in a period at that rate.
    pub conversions: f64,
    /// What amounts are in.
    pub currency: Currency,
    /// What decisions call the model that predicts.
    pub model_version: String,
}

/// A partner's history, as far as it is known.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The number of its traffic source.
    pub source: usize,
    /// What each honest customer is worth, of the periods whose values are known; or a mean for each period, where only sums
    /// are told.
    pub values: Vec<f64>,
    /// How many honest conversions those periods had.
    pub honest: f64,
    /// How many of their conversions were fraud.
    pub fraud: f64,
    /// Of each period that is over: the logarithm of the rate as a multiple of the program's, and how many conversions.
    pub periods: Vec<(f64, f64)>,
    /// How fast its customers leave, as a multiple of the program's mean.
    pub churn_ratio: f64,
    /// The mean order.
    pub base: f64,
    /// The present rate, as a multiple of the program's.
    pub at_present: f64,
}

/// What is known of a partner.
#[derive(Clone, Debug)]
pub struct Known {
    /// What its rate is decided by.
    pub evidence: Evidence,
    /// What an honest conversion is worth.
    pub worth: Posterior,
    /// By how many percent conversions grow when the rate grows by one.
    pub elasticity: f64,
    /// How many conversions a period has at the program's rate.
    pub level: f64,
    /// The mean order.
    pub base: f64,
}

/// Of a partner's share of fraud as many conversions the program's counts for.
const FRAUD_STRENGTH: f64 = 5.0;

/// What is known of every partner: its worth by [`partner::fit`], its source's elasticity by [`by_source`], its level and its
/// risk of fraud drawn towards the program's.
///
/// # Errors
/// When hardly any customer has brought anything yet.
pub fn known(seen: &[Seen], program: &Program, caution: &Caution) -> Result<Vec<Known>, WorthError> {
    let partners: Vec<partner::Partner<'_>> = seen.iter().map(Seen::partner).collect();
    let worths = partner::fit(&partners, program.sources)?;
    let tries = |one: &Seen| one.fraud + one.honest;
    let (fraud, all) = (seen.iter().map(|one| one.fraud).sum::<f64>(), seen.iter().map(tries).sum::<f64>());
    let usual_fraud = fraud / f64::max(all, 1.0);
    let panels: Vec<Panel> =
        seen.iter().map(|one| Panel { source: one.source, periods: one.periods.clone() }).collect();
    let elasticities = by_source(&panels, program.sources, caution.prior());
    let money = |value: f64| Money::new(minor(value, program.currency), program.currency);
    let one = |place: usize| {
        let one = &seen[place];
        let worth = worths.worth(&partners[place])?.per_conversion;
        let elasticity = elasticities[one.source].mean;
        let level = panels[place].level(elasticity, program.conversions);
        let evidence = Evidence {
            model_version: program.model_version.clone(),
            value: money(worth.expected()),
            value_lower: money(f64::min(worth.quantile(caution.lower), worth.expected())),
            base: money(one.base),
            conversions: level * libm::pow(one.at_present, elasticity),
            churn_ratio: one.churn_ratio,
            fraud_risk: (one.fraud + FRAUD_STRENGTH * usual_fraud) / (tries(one) + FRAUD_STRENGTH),
            quality: 0.5,
            elasticity: Some(elasticity),
        };
        Ok(Known { evidence, worth, elasticity, level, base: one.base })
    };
    (0..seen.len()).map(one).collect()
}

/// A value in minor units, rounded: it is a prediction, not an amount.
#[must_use]
pub fn minor(value: f64, currency: Currency) -> i64 {
    libm::round(value * libm::pow(10.0, f64::from(currency.places()))) as i64
}

impl Seen {
    fn partner(&self) -> partner::Partner<'_> {
        partner::Partner {
            source: self.source,
            profile: &[],
            clicks: self.values.len() as u64,
            values: &self.values,
        }
    }
}

impl Known {
    /// What a period at `rate`, a fraction, is expected to cost, where the program usually pays `usual`.
    #[must_use]
    pub fn cost(&self, rate: f64, usual: f64) -> f64 {
        self.level * libm::pow(rate / usual, self.elasticity) * rate * self.base
    }
}
