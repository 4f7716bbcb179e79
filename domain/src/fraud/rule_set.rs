//! What a program and its campaigns made of the rules: on or off, weights, parameters, lists; one version for each change.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    evidence::Evidence,
    lists::Lists,
    rules::{Case, Flag, Parameter, RULES, Rule, Unit},
};
use crate::id::CampaignId;

/// The weight that no rule may exceed, in points.
pub const MOST_POINTS: f64 = 100.0;

/// What is changed of one rule; what is not said stays as it is above: the campaign's program, the program's defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Whether the rule speaks at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// How much it weighs, in points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Its parameters by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, f64>,
}

/// Changes by the rule's name.
pub type Changes = BTreeMap<String, Change>;

/// A rule set as it is stored and sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Goes up by one with each change; told with every flag.
    pub version: u32,
    /// What the program changes of the defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: Changes,
    /// What campaigns change of that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub campaigns: BTreeMap<CampaignId, Changes>,
    /// The program's lists.
    #[serde(default)]
    pub lists: Lists,
}

/// Settings that were checked, ready to judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Settings", into = "Settings")]
pub struct RuleSet {
    settings: Settings,
    program: Vec<Tuned>,
    campaigns: BTreeMap<CampaignId, Vec<Tuned>>,
}

/// One rule of the list as it is in force somewhere.
#[derive(Clone, Debug, PartialEq)]
struct Tuned {
    on: bool,
    weight: f64,
    values: Vec<f64>,
}

/// A setting that cannot be meant.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// There is no such rule.
    #[error("{place}: there is no rule {name:?}; there are {expected}")]
    Rule {
        /// The program, or which campaign.
        place: Place,
        /// What was named.
        name: String,
        /// The rules' names, separated by commas.
        expected: String,
    },
    /// The rule has no such parameter.
    #[error("{place}: the rule {rule} has no parameter {name:?}; it has {expected}")]
    Parameter {
        /// The program, or which campaign.
        place: Place,
        /// Which rule.
        rule: &'static str,
        /// What was named.
        name: String,
        /// The parameters' names, separated by commas.
        expected: String,
    },
    /// A parameter is out of its bounds.
    #[error("{place}: {name} of the rule {rule} is {value} {unit}; it has to be from {least} to {most}")]
    Bounds {
        /// The program, or which campaign.
        place: Place,
        /// Which rule.
        rule: &'static str,
        /// Which parameter, or the weight.
        name: &'static str,
        /// What it was set to.
        value: f64,
        /// Of what it is a number.
        unit: &'static str,
        /// The least that it may be.
        least: f64,
        /// The most that it may be.
        most: f64,
    },
    /// A part of a whole thing.
    #[error("{place}: {name} of the rule {rule} is {value}, and only whole numbers can be meant; round it")]
    NotWhole {
        /// The program, or which campaign.
        place: Place,
        /// Which rule.
        rule: &'static str,
        /// Which parameter.
        name: &'static str,
        /// What it was set to.
        value: f64,
    },
}

/// Where a setting was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// For the whole program.
    Program,
    /// For one campaign.
    Campaign(CampaignId),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Program => f.write_str("in the program's settings"),
            Self::Campaign(id) => write!(f, "in the settings of {id}"),
        }
    }
}

/// What all rules say of one conversion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What was flagged, in the order of the list.
    pub flags: Vec<Flag>,
    /// For rules that could not be asked: their names, and the fields that would have to be known.
    pub missing: BTreeMap<String, Vec<String>>,
}

impl RuleSet {
    /// The rules as they are without settings.
    ///
    /// # Panics
    /// Never: a test builds it.
    #[must_use]
    pub fn defaults() -> Self {
        Self::try_from(Settings::default()).expect("defaults lie within their bounds")
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.settings.version
    }

    /// What it was made from.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the rules say of a conversion of this campaign, at this time, in the order of the list.
    pub fn flags(
        &self,
        seen: &Evidence,
        campaign: CampaignId,
        at: DateTime<Utc>,
    ) -> impl Iterator<Item = Flag> {
        let (lists, version) = (&self.settings.lists, self.settings.version);
        self.in_force(campaign).filter_map(move |(rule, tuned)| {
            let case = Case { seen, values: &tuned.values, lists, at };
            rule.judge(&case, tuned.weight, version)
        })
    }

    /// The same, with what the rules that could not be asked lacked.
    #[must_use]
    pub fn judge(&self, seen: &Evidence, campaign: CampaignId, at: DateTime<Utc>) -> Judgement {
        let missing = self.in_force(campaign).filter_map(|(rule, _)| {
            let fields: Vec<String> = rule.missing(seen).map(str::to_owned).collect();
            (!fields.is_empty()).then(|| (rule.name.to_owned(), fields))
        });
        Judgement { flags: self.flags(seen, campaign, at).collect(), missing: missing.collect() }
    }

    /// The rules that speak and weigh something.
    fn in_force(&self, campaign: CampaignId) -> impl Iterator<Item = (&'static Rule, &Tuned)> {
        let tuned = self.campaigns.get(&campaign).unwrap_or(&self.program);
        RULES.iter().zip(tuned).filter(|(_, tuned)| tuned.on && 0.0 < tuned.weight)
    }
}

impl TryFrom<Settings> for RuleSet {
    type Error = SettingsError;
    fn try_from(settings: Settings) -> Result<Self, SettingsError> {
        let base = RULES.iter().map(|rule| Tuned { on: true, weight: rule.weight, values: rule.defaults() });
        let program = tuned(base.collect(), &settings.rules, Place::Program)?;
        let mut campaigns = BTreeMap::new();
        for (id, changes) in &settings.campaigns {
            campaigns.insert(*id, tuned(program.clone(), changes, Place::Campaign(*id))?);
        }
        Ok(Self { settings, program, campaigns })
    }
}

impl From<RuleSet> for Settings {
    fn from(rules: RuleSet) -> Self {
        rules.settings
    }
}

fn tuned(mut tuned: Vec<Tuned>, changes: &Changes, place: Place) -> Result<Vec<Tuned>, SettingsError> {
    for (name, change) in changes {
        let unknown =
            || SettingsError::Rule { place, name: cut(name), expected: join(RULES.iter().map(|it| it.name)) };
        let at = RULES.iter().position(|rule| rule.name == name).ok_or_else(unknown)?;
        apply(&mut tuned[at], &RULES[at], change, place)?;
    }
    Ok(tuned)
}

fn apply(tuned: &mut Tuned, rule: &'static Rule, change: &Change, place: Place) -> Result<(), SettingsError> {
    tuned.on = change.on.unwrap_or(tuned.on);
    if let Some(weight) = change.weight {
        let bounds = (0.0, MOST_POINTS);
        tuned.weight = inside(place, rule.name, ("weight", "points"), weight, bounds)?;
    }
    for (name, value) in &change.parameters {
        let unknown = || SettingsError::Parameter {
            place,
            rule: rule.name,
            name: cut(name),
            expected: join(rule.parameters.iter().map(|it| it.name)),
        };
        let at = rule.parameters.iter().position(|it| it.name == name).ok_or_else(unknown)?;
        let Parameter { name, unit, least, most, .. } = rule.parameters[at];
        tuned.values[at] = inside(place, rule.name, (name, words(unit)), *value, (least, most))?;
        if unit.is_whole() && value.fract() != 0.0 {
            return Err(SettingsError::NotWhole { place, rule: rule.name, name, value: *value });
        }
    }
    Ok(())
}

fn inside(
    place: Place,
    rule: &'static str,
    (name, unit): (&'static str, &'static str),
    value: f64,
    (least, most): (f64, f64),
) -> Result<f64, SettingsError> {
    let inside = (least..=most).contains(&value);
    let error = SettingsError::Bounds { place, rule, name, value, unit, least, most };
    if inside { Ok(value) } else { Err(error) }
}

/// A unit behind a number.
const fn words(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "in number",
        Unit::Share => "as a share",
        Unit::Probability => "as a probability",
        Unit::PerDevice | Unit::Seconds | Unit::Times => unit.name(),
    }
}

fn cut(name: &str) -> String {
    name.chars().take(64).collect()
}

fn join(names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{Chance, Clock},
        fraud::rules::Code,
    };

    const NOON: DateTime<Utc> = DateTime::from_timestamp(1_769_947_200, 0).unwrap();

    fn campaign(seed: u64) -> CampaignId {
        CampaignId::new(&Clock::standing_at(NOON), &Chance::seeded(seed))
    }

    fn read(json: &str) -> Result<RuleSet, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    fn weights(rules: &RuleSet, campaign: CampaignId, json: &str) -> Vec<(Code, f64)> {
        let seen: Evidence = serde_json::from_str(json).unwrap();
        rules.flags(&seen, campaign, NOON).map(|flag| (flag.code, flag.weight)).collect()
    }

    const QUICK_SPIKE: &str = r#"{"click_to_conversion_seconds": 12, "time_on_site_seconds": 0}"#;

    #[test]
    fn a_campaign_changes_what_the_program_changed() {
        let (shoes, tents) = (campaign(1), campaign(2));
        let json = format!(
            r#"{{"version": 4, "rules": {{"quick_conversion": {{"weight": 50, "parameters": {{"limit": 15}}}}}},
            "campaigns": {{"{shoes}": {{"quick_conversion": {{"parameters": {{"limit": 11}}}}, "zero_engagement": {{"on": false}}}}}},
            "lists": [{{"list": "brand_terms", "value": "Nordlicht", "reason": "its name"}}]}}"#
        );
        let rules = read(&json).unwrap();
        let (quick, idle) = ((Code::QuickConversion, 50.0), (Code::ZeroEngagement, 21.0));
        assert_eq!(weights(&rules, tents, QUICK_SPIKE), [quick, idle]);
        assert_eq!(weights(&rules, shoes, QUICK_SPIKE), []);
        assert_eq!(weights(&RuleSet::defaults(), tents, QUICK_SPIKE), [idle]);
        let flags: Vec<Flag> =
            rules.flags(&serde_json::from_str(QUICK_SPIKE).unwrap(), tents, NOON).collect();
        assert!(flags.iter().all(|flag| flag.version == 4));
        let again = serde_json::to_string(&rules).unwrap();
        assert_eq!(read(&again), Ok(rules));
    }

    #[test]
    fn what_could_not_be_asked_is_told() {
        let seen: Evidence = serde_json::from_str(QUICK_SPIKE).unwrap();
        let judgement = RuleSet::defaults().judge(&seen, campaign(1), NOON);
        assert_eq!(judgement.flags.len(), 1);
        assert_eq!(judgement.missing["payout_account"], ["payout_account_affiliates", "declared_agency"]);
        assert!(!judgement.missing.contains_key("quick_conversion"));
        let text = serde_json::to_string(&judgement).unwrap();
        assert_eq!(serde_json::from_str::<Judgement>(&text).unwrap(), judgement);
    }

    #[test]
    fn a_rule_that_weighs_nothing_says_nothing() {
        let rules = read(r#"{"version": 1, "rules": {"zero_engagement": {"weight": 0}}}"#).unwrap();
        assert_eq!(weights(&rules, campaign(1), QUICK_SPIKE), []);
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused_with_place_rule_and_bounds() {
        let refused = |rules: &str| {
            let error = read(&format!(r#"{{"version": 1, "rules": {rules}}}"#)).unwrap_err();
            error.split("; there are").next().unwrap().to_owned()
        };
        insta::assert_snapshot!(refused(r#"{"click_rat": {}}"#), @r#"in the program's settings: there is no rule "click_rat""#);
        insta::assert_snapshot!(refused(r#"{"click_rate": {"parameters": {"limits": 3}}}"#), @r#"in the program's settings: the rule click_rate has no parameter "limits"; it has limit"#);
        insta::assert_snapshot!(refused(r#"{"listed": {"parameters": {"limit": 3}}}"#), @r#"in the program's settings: the rule listed has no parameter "limit"; it has none"#);
        insta::assert_snapshot!(refused(r#"{"quick_conversion": {"parameters": {"limit": 121}}}"#), @"in the program's settings: limit of the rule quick_conversion is 121 seconds; it has to be from 1 to 120");
        insta::assert_snapshot!(refused(r#"{"device_conversions": {"parameters": {"limit": 2.5}}}"#), @"in the program's settings: limit of the rule device_conversions is 2.5, and only whole numbers can be meant; round it");
        insta::assert_snapshot!(refused(r#"{"click_rate": {"weight": 101}}"#), @"in the program's settings: weight of the rule click_rate is 101 points; it has to be from 0 to 100");
        let json = format!(
            r#"{{"version": 1, "campaigns": {{"{}": {{"click_rate": {{"weight": -1}}}}}}}}"#,
            campaign(3)
        );
        assert!(read(&json).unwrap_err().starts_with(&format!("in the settings of {}", campaign(3))));
        assert!(
            read(r#"{"version": 1, "lists": [{"list": "brand_terms", "value": "a", "reason": ""}]}"#)
                .is_err()
        );
    }
}
