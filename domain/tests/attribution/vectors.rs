//! Worked cases that other projects published, each held to its exact answer; where the printed one was simulated or
//! rounded, `vectors.json` says so.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    attribution::{
        Channels, Credit, FirstClick, Journeys, LastClick, Linear, Rule, RuleStatistics, TimeDecay, UShaped,
        WShaped,
        journeys::Row,
        markov::{FirstOrderStatistics, HigherOrderStatistics},
        shao_li,
        shapley::{CoalitionStatistics, Game, SumGameStatistics, exact, ordered},
        transform::{Transform, frequency},
    },
    money::largest_remainder,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{near, near_credit, seen};

#[derive(Deserialize)]
struct Case {
    id: String,
    model: String,
    input: Value,
    #[serde(default)]
    exact: Value,
    #[serde(default)]
    printed: Value,
}

impl Case {
    fn exact<T: DeserializeOwned>(&self) -> T {
        serde_json::from_value(self.exact.clone()).unwrap()
    }

    fn input<T: DeserializeOwned>(&self, name: &str) -> T {
        serde_json::from_value(self.input[name].clone()).unwrap()
    }

    fn same(&self, channels: &Channels, found: &[f64]) {
        let expected: BTreeMap<String, f64> = self.exact();
        assert_eq!(channels.names().len(), expected.len(), "{}", self.id);
        for (name, found) in channels.names().iter().zip(found) {
            near(*found, expected[name]);
        }
    }

    /// Journeys as «a>b>c», conversions and perhaps nulls.
    fn paths(&self) -> (Channels, Journeys) {
        let (mut channels, mut journeys) = (Channels::default(), Journeys::default());
        for path in self.input::<Vec<Vec<Value>>>("paths") {
            let touches: Vec<u32> =
                path[0].as_str().unwrap().split('>').map(|name| channels.number(name)).collect();
            let conversions = path[1].as_f64().unwrap();
            let nulls = path.get(2).map_or(0.0, |nulls| nulls.as_f64().unwrap());
            journeys.push(Row { touches: &touches, conversions, nulls, ..Row::default() }).unwrap();
        }
        (channels, journeys)
    }
}

fn conversions(credit: &[Credit]) -> Vec<f64> {
    credit.iter().map(|credit| credit.conversions).collect()
}

/// A rule over paths, or over one journey with the days of its touches and its value.
fn check_rule(case: &Case, rule: &'static dyn Rule) {
    if case.input.get("paths").is_some() {
        let (channels, journeys) = case.paths();
        case.same(&channels, &conversions(&seen(RuleStatistics::new(rule), &journeys.all()).credit()));
        return;
    }
    let touches: Vec<(String, u32)> = case.input("touch_days");
    let mut channels = Channels::default();
    let (last, value) = (touches.last().unwrap().1, case.input("value"));
    let numbers: Vec<u32> = touches.iter().map(|(name, _)| channels.number(name)).collect();
    let seconds_before: Vec<u32> = touches.iter().map(|(_, day)| (last - day) * 86_400).collect();
    let mut journeys = Journeys::default();
    let row =
        Row { touches: &numbers, seconds_before: &seconds_before, conversions: 1.0, value, ..Row::default() };
    journeys.push(row).unwrap();
    let credit = seen(RuleStatistics::new(rule), &journeys.all()).credit();
    case.same(&channels, &credit.iter().map(|credit| credit.value).collect::<Vec<_>>());
}

fn check_raw_decay(case: &Case) {
    let (mut channels, mut weights) = (Channels::default(), Vec::new());
    for day in case.input::<Vec<u32>>("ages_days") {
        channels.number(&format!("d{day}"));
        weights.push(day * 86_400);
    }
    let touches: Vec<u32> = (0..).take(weights.len()).collect();
    let journey =
        domain::attribution::Journey { touches: &touches, seconds_before: &weights, direct: &[], lead: None };
    let mut found = vec![0.0; touches.len()];
    TimeDecay::WEEK.weigh(&journey, &mut found);
    case.same(&channels, &found);
}

fn check_w(case: &Case) {
    let mut channels = Channels::default();
    let touches: Vec<u32> =
        case.input::<Vec<String>>("touches").iter().map(|name| channels.number(name)).collect();
    let mut journeys = Journeys::default();
    let lead = Some(case.input("lead_index"));
    journeys.push(Row { touches: &touches, lead, conversions: 1.0, ..Row::default() }).unwrap();
    case.same(&channels, &conversions(&seen(RuleStatistics::new(&WShaped), &journeys.all()).credit()));
}

/// The sum game three ways: in closed form, over the sets of journeys, over the worth of every set.
fn check_shapley(case: &Case) {
    if let Some(worth) = case.input.get("game") {
        let worth: BTreeMap<String, f64> = serde_json::from_value(worth.clone()).unwrap();
        let (channels, worth) = lattice(&worth);
        return case.same(&channels, &exact::shapley_values(&worth).unwrap());
    }
    let (channels, journeys) = match case.input.get("exact_set_frequency") {
        None => case.paths(),
        Some(sets) => of_sets(&serde_json::from_value(sets.clone()).unwrap()),
    };
    let closed = seen(SumGameStatistics::default(), &journeys.all()).credit();
    case.same(&channels, &conversions(&closed));
    let coalitions = seen(CoalitionStatistics::default(), &journeys.all());
    near_credit(&exact::credit(Game::Sum, &coalitions).unwrap(), &closed);
}

fn of_sets(sets: &BTreeMap<String, f64>) -> (Channels, Journeys) {
    let (mut channels, mut journeys) = (Channels::default(), Journeys::default());
    for (set, conversions) in sets {
        let touches: Vec<u32> = set.split('+').map(|name| channels.number(name)).collect();
        journeys.push(Row { touches: &touches, conversions: *conversions, ..Row::default() }).unwrap();
    }
    (channels, journeys)
}

fn lattice(worth: &BTreeMap<String, f64>) -> (Channels, Vec<f64>) {
    let mut channels = Channels::default();
    let sets: Vec<(usize, f64)> = worth
        .iter()
        .map(|(set, worth)| (set.split('+').map(|name| 1 << channels.number(name)).sum(), *worth))
        .collect();
    let mut lattice = vec![0.0; 1 << channels.names().len()];
    sets.iter().for_each(|(set, worth)| lattice[*set] = *worth);
    (channels, lattice)
}

fn check_marginals(case: &Case) {
    let channels = Channels::from(case.input::<Vec<String>>("order"));
    case.same(&channels, &ordered::marginals(&case.input::<Vec<f64>>("prefix_values")));
}

fn check_markov(case: &Case) {
    let (channels, journeys) = case.paths();
    let expected: BTreeMap<String, f64> = case.exact();
    let dense = seen(FirstOrderStatistics::default(), &journeys.all()).effects();
    let sparse = seen(HigherOrderStatistics::new(1).unwrap(), &journeys.all()).effects();
    for effects in [dense, sparse] {
        near(effects.conversion_rate, expected["p_conv"]);
        let credit = effects.credit();
        for (channel, name) in channels.names().iter().enumerate() {
            near(effects.channels[channel].conversions, expected[&format!("re:{name}")]);
            near(credit[channel].conversions, expected[&format!("credit:{name}")]);
            near(
                credit[channel].conversions / effects.total.conversions,
                expected[&format!("weight:{name}")],
            );
        }
    }
}

fn check_transforms(case: &Case) {
    let mut channels = Channels::default();
    let path: Vec<String> = serde_json::from_value(case.input.clone()).unwrap();
    let touches: Vec<u32> = path.iter().map(|name| channels.number(name)).collect();
    let name = |channel: &u32| channels.names()[*channel as usize].clone();
    for (transform, printed) in
        [(Transform::Unique, "unique"), (Transform::Exposure, "exposure"), (Transform::First, "first")]
    {
        let mut found = Vec::new();
        transform.apply(&touches, &mut found);
        assert_eq!(found.iter().map(name).collect::<Vec<_>>().join(" "), case.printed[printed]);
    }
    let counts = frequency(&touches);
    let counts: Vec<String> =
        counts.iter().map(|(channel, count)| format!("{}({count})", name(channel))).collect();
    assert_eq!(counts.join(" "), case.printed["frequency"]);
}

/// The case names the totals and the parts; the weights are those that make such parts: 8:4:2:1, thirds, halves, and a U.
fn check_cents(case: &Case) {
    let weights: [(&str, &[u64]); 4] =
        [("1200000", &[8, 4, 2, 1]), ("1999", &[1, 1, 1]), ("1", &[1, 1]), ("100", &[6, 1, 1, 1, 6])];
    let expected: BTreeMap<String, Vec<u64>> = case.exact();
    assert_eq!(expected.len(), weights.len());
    for (total, weights) in weights {
        assert_eq!(largest_remainder(total.parse().unwrap(), weights), expected[total]);
    }
}

fn check_shao_li(case: &Case) {
    let (channels, journeys) = case.paths();
    let coalitions = seen(CoalitionStatistics::default(), &journeys.all());
    case.same(&channels, &conversions(&shao_li::credit(&coalitions)));
}

#[test]
fn every_worked_case_has_its_exact_answer() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_eq!(cases.iter().map(|case| &case.id).collect::<BTreeSet<_>>().len(), 20);
    for case in &cases {
        match case.model.as_str() {
            "first" => check_rule(case, &FirstClick),
            "last" => check_rule(case, &LastClick),
            "linear" => check_rule(case, &Linear),
            "position" => check_rule(case, &UShaped),
            "time_decay" => check_rule(case, &TimeDecay::WEEK),
            "time_decay_raw" => check_raw_decay(case),
            "w_shape" => check_w(case),
            "shapley" => check_shapley(case),
            "path_marginal" => check_marginals(case),
            "markov1" => check_markov(case),
            "shao" => check_shao_li(case),
            "path_transform" => check_transforms(case),
            "money" => check_cents(case),
            other => panic!("no model is called {other}"),
        }
    }
}
