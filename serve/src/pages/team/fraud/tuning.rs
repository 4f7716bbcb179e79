//! How a rule is tuned, as a form has it: on or off, its weight and its numbers, for the program or for one campaign.

use std::collections::BTreeMap;

use domain::{
    CampaignId,
    fraud::{
        Rule,
        rule_set::{Change, Changes, Settings},
    },
};

/// A rule as it is in force somewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// Whether it speaks.
    pub on: bool,
    /// How much it weighs, in points.
    pub weight: f64,
    /// Its numbers, in its order.
    pub values: Vec<f64>,
}

impl Tuned {
    /// As the release has it.
    pub fn of_the_release(rule: &Rule) -> Self {
        Self { on: true, weight: rule.weight, values: rule.defaults() }
    }

    /// As settings have it for the program, or for one campaign.
    pub fn of(rule: &Rule, settings: &Settings, campaign: Option<CampaignId>) -> Self {
        let program = Self::of_the_release(rule).changed(rule, settings.rules.get(rule.name));
        let own =
            campaign.and_then(|id| settings.campaigns.get(&id)).and_then(|changes| changes.get(rule.name));
        program.changed(rule, own)
    }

    fn changed(mut self, rule: &Rule, change: Option<&Change>) -> Self {
        let Some(change) = change else { return self };
        self.on = change.on.unwrap_or(self.on);
        self.weight = change.weight.unwrap_or(self.weight);
        for (parameter, value) in rule.parameters.iter().zip(&mut self.values) {
            *value = change.parameters.get(parameter.name).copied().unwrap_or(*value);
        }
        self
    }

    /// What has to be said of a rule for it to be so where it would be otherwise `above`; nothing where nothing has to.
    fn change_from(&self, rule: &Rule, above: &Self) -> Option<Change> {
        let differs = |one: f64, other: f64| 1e-12 < (one - other).abs();
        let parameters: BTreeMap<String, f64> = rule
            .parameters
            .iter()
            .zip(self.values.iter().zip(&above.values))
            .filter(|(_, (own, above))| differs(**own, **above))
            .map(|(parameter, (own, _))| (parameter.name.to_owned(), *own))
            .collect();
        let change = Change {
            on: (self.on != above.on).then_some(self.on),
            weight: differs(self.weight, above.weight).then_some(self.weight),
            parameters,
        };
        (change != Change::default()).then_some(change)
    }

    /// Lets a rule be so for the program, or for one campaign.
    pub fn put(&self, rule: &Rule, settings: &mut Settings, campaign: Option<CampaignId>) {
        let above = match campaign {
            Some(_) => Self::of(rule, settings, None),
            None => Self::of_the_release(rule),
        };
        let change = self.change_from(rule, &above);
        match campaign {
            None => set(&mut settings.rules, rule, change),
            Some(id) => {
                let changes = settings.campaigns.entry(id).or_default();
                set(changes, rule, change);
                if changes.is_empty() {
                    settings.campaigns.remove(&id);
                }
            }
        }
    }
}

fn set(changes: &mut Changes, rule: &Rule, change: Option<Change>) {
    match change {
        Some(change) => drop(changes.insert(rule.name.to_owned(), change)),
        None => drop(changes.remove(rule.name)),
    }
}

#[cfg(test)]
mod tests {
    use domain::fraud::rule;

    use super::*;

    fn campaign() -> CampaignId {
        uuid::Uuid::nil().into()
    }

    #[test]
    fn only_what_differs_is_kept_and_a_campaign_follows_its_program() {
        let (quick, mut settings) = (rule("quick_conversion").unwrap(), Settings::default());
        let release = Tuned::of_the_release(quick);
        let slower = Tuned { values: vec![20.0, 2.0], ..release.clone() };
        slower.put(quick, &mut settings, None);
        assert_eq!(
            serde_json::to_string(&settings.rules).unwrap(),
            r#"{"quick_conversion":{"parameters":{"limit":20.0}}}"#
        );
        let silent = Tuned { on: false, ..slower.clone() };
        silent.put(quick, &mut settings, Some(campaign()));
        assert_eq!(
            settings.campaigns[&campaign()]["quick_conversion"],
            Change { on: Some(false), ..Change::default() }
        );
        release.put(quick, &mut settings, None);
        assert!(settings.rules.is_empty(), "it is as the release has it");
        assert_eq!(
            Tuned::of(quick, &settings, Some(campaign())),
            Tuned { on: false, ..release.clone() },
            "its numbers are the program's"
        );
        release.put(quick, &mut settings, Some(campaign()));
        assert!(settings.campaigns.is_empty());
    }
}
