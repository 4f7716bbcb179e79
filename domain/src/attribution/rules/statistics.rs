//! What a rule gives each channel over many journeys.

use serde::{Deserialize, Serialize};

use crate::attribution::{Chunk, Credit, Rule, Statistics, add_credit};

/// The credit that one rule gives each channel.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct RuleStatistics {
    rule: &'static dyn Rule,
    credit: Vec<Credit>,
    /// Room for one journey's weights.
    weights: Vec<f64>,
}

impl RuleStatistics {
    /// Of no journeys yet. Only statistics of the rules in [`super::RULES`] can be read back once they are stored.
    #[must_use]
    pub fn new(rule: &'static dyn Rule) -> Self {
        Self { rule, credit: Vec::new(), weights: Vec::new() }
    }

    /// The credit of each channel, by its number. It sums to the conversions and the value of the journeys.
    #[must_use]
    pub fn credit(&self) -> Vec<Credit> {
        self.credit.clone()
    }
}

impl Statistics for RuleStatistics {
    fn add(&mut self, journeys: &Chunk<'_>) {
        self.credit.resize(self.credit.len().max(journeys.channels()), Credit::default());
        for row in journeys.converting() {
            let touches = row.journey.touches;
            if let [channel] = touches {
                // Every rule gives a single touch everything.
                self.credit[*channel as usize] += Credit { conversions: row.conversions, value: row.value };
                continue;
            }
            self.weights.resize(touches.len(), 0.0);
            self.rule.weigh(&row.journey, &mut self.weights);
            let total: f64 = self.weights.iter().sum();
            let whole = Credit { conversions: row.conversions, value: row.value } * (1.0 / total);
            for (channel, weight) in touches.iter().zip(&self.weights) {
                self.credit[*channel as usize] += whole * *weight;
            }
        }
    }

    fn merge(&mut self, other: Self) {
        assert!(self.rule.name() == other.rule.name(), "statistics of two rules are not to be merged");
        add_credit(&mut self.credit, &other.credit);
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    rule: String,
    credit: Vec<Credit>,
}

/// The statistics name a rule that is not in the list.
#[derive(Debug, thiserror::Error)]
#[error("there is no attribution rule {0:?}")]
struct UnknownRule(String);

impl TryFrom<Stored> for RuleStatistics {
    type Error = UnknownRule;
    fn try_from(stored: Stored) -> Result<Self, UnknownRule> {
        let rule = super::rule(&stored.rule).ok_or(UnknownRule(stored.rule))?;
        Ok(Self { credit: stored.credit, ..Self::new(rule) })
    }
}

impl From<RuleStatistics> for Stored {
    fn from(statistics: RuleStatistics) -> Self {
        Self { rule: statistics.rule.name().to_owned(), credit: statistics.credit }
    }
}
