//! Learned attribution against a plain sum of hazards.

use models::graph::{
    Dim, ElementType, Graph, Metadata, TensorType,
    attribution::{AdditiveHazard, Rule, Touches},
};
use proptest::prelude::*;

use crate::running::{Answers, Given, run, same};

const PLACES: usize = 6;

/// A touch: channel, seconds before the conversion, device.
type Touch = (i64, f64, i64);

fn hazard() -> impl Strategy<Value = AdditiveHazard> {
    let rates = |count: usize| prop::collection::vec(0.01_f64..2.0, count);
    let by_campaign = (rates(3), rates(3), rates(3));
    let by_touch = (rates(3), rates(4), rates(5), prop::option::of(rates(5)));
    (by_campaign, by_touch, any::<bool>()).prop_map(|((organic, effect, later), by_touch, linear)| {
        let (repeat, device, channel, decay_per_day) = by_touch;
        let factors = vec![("device".to_owned(), device)];
        let rule = if linear { Rule::Linear } else { Rule::LastClick };
        AdditiveHazard {
            organic,
            effect,
            later,
            repeat,
            factors,
            channel,
            decay_per_day,
            nothing: 1e-9,
            rule,
        }
    })
}

fn journey() -> impl Strategy<Value = (i64, Vec<Touch>)> {
    let age = prop_oneof![-100.0..1e6_f64, Just(1e12)];
    (-2_i64..5, prop::collection::vec((0_i64..7, age, -1_i64..5), 0..=PLACES))
}

fn row(table: &[f64], number: i64) -> f64 {
    let last = table.len() - 1;
    table[usize::try_from(number).map_or(last, |number| number.min(last))]
}

/// The weights of the touches, that of nobody, and whether the rule gave them.
fn credit(hazard: &AdditiveHazard, (campaign, touches): &(i64, Vec<Touch>)) -> (Vec<f64>, f64, bool) {
    let adds = |(place, (channel, age_s, device)): (usize, &Touch)| {
        let before = &touches[..place];
        let repeats = before.iter().filter(|touch| touch.0 == *channel).count();
        let later = if before.is_empty() { 1.0 } else { row(&hazard.later, *campaign) };
        let decay = hazard.decay_per_day.as_ref().map(|decay| row(decay, *channel));
        let faded = decay.map_or(1.0, |decay| decay * (-decay * age_s.max(0.0) / 86_400.0).exp());
        let repeat = hazard.repeat[repeats.min(hazard.repeat.len() - 1)];
        let told = row(&hazard.factors[0].1, *device);
        row(&hazard.effect, *campaign) * row(&hazard.channel, *channel) * later * repeat * told * faded
    };
    let adds: Vec<f64> = touches.iter().enumerate().map(adds).collect();
    let (organic, touched) = (row(&hazard.organic, *campaign), adds.iter().sum::<f64>());
    let known = touches.iter().any(|touch| (touch.0 as usize) < hazard.channel.len() - 1);
    if touches.is_empty() || (known && hazard.nothing * organic < touched) {
        let total = organic + touched;
        return (adds.iter().map(|adds| adds / total).collect(), organic / total, false);
    }
    let count = touches.len();
    let ruled = match hazard.rule {
        Rule::Linear => vec![1.0 / count as f64; count],
        Rule::LastClick => (1..=count).map(|place| if place == count { 1.0 } else { 0.0 }).collect(),
    };
    (ruled, 0.0, true)
}

fn answers(hazard: &AdditiveHazard, journeys: &[(i64, Vec<Touch>)], empty_first: bool) -> Answers {
    let mut graph = Graph::new("test");
    let numbers = TensorType::rows(ElementType::I64, PLACES);
    let channel = graph.input("channel", numbers.clone(), "").unwrap();
    let age = graph.input("age", TensorType::rows(ElementType::F64, PLACES), "").unwrap();
    let one = TensorType::new(ElementType::I64, &[Dim::Batch]);
    let campaign = graph.input("campaign", one, "").unwrap();
    let device = graph.input("device", numbers, "").unwrap();
    let touches = Touches { channel, age, campaign, factors: vec![device] };
    let credit = hazard.add(&mut graph, &touches).unwrap();
    graph.output("weights", &credit.weights, "").unwrap();
    graph.output("organic", &credit.organic, "").unwrap();
    graph.output("fallback", &credit.by_rule, "").unwrap();
    let bytes = graph.finish(&Metadata::default()).unwrap();
    let padded = |(_, touches): &(i64, Vec<Touch>)| {
        let empty = vec![(-1, f64::NAN, 0); PLACES - touches.len()];
        if empty_first { [empty, touches.clone()].concat() } else { [touches.clone(), empty].concat() }
    };
    let touches: Vec<Touch> = journeys.iter().flat_map(padded).collect();
    let given = [
        ("channel", Given::I64Rows(PLACES, touches.iter().map(|touch| touch.0).collect())),
        ("age", Given::F64(PLACES, touches.iter().map(|touch| touch.1).collect())),
        ("campaign", Given::I64(journeys.iter().map(|(campaign, _)| *campaign).collect())),
        ("device", Given::I64Rows(PLACES, touches.iter().map(|touch| touch.2).collect())),
    ];
    run(&bytes, &given)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn shares_are_those_of_the_hazard(
        hazard in hazard(),
        journeys in prop::collection::vec(journey(), 1..5),
        empty_first in any::<bool>(),
    ) {
        let answers = answers(&hazard, &journeys, empty_first);
        for (number, journey) in journeys.iter().enumerate() {
            let (weights, organic, by_rule) = credit(&hazard, journey);
            let empty = vec![0.0; PLACES - weights.len()];
            let expected = if empty_first { [empty, weights].concat() } else { [weights, empty].concat() };
            let found = &answers["weights"][number * PLACES..][..PLACES];
            same(found, &expected, 1e-13);
            same(&answers["organic"][number..=number], &[organic], 1e-13);
            same(&answers["fallback"][number..=number], &[f64::from(u8::from(by_rule))], 0.0);
            let total = found.iter().sum::<f64>() + answers["organic"][number];
            same(&[total], &[1.0], 1e-12);
        }
    }
}

fn table() -> AdditiveHazard {
    AdditiveHazard {
        organic: vec![0.01],
        effect: vec![1.0],
        later: vec![1.0],
        repeat: vec![1.0],
        factors: vec![("device".to_owned(), vec![1.0])],
        channel: vec![0.01, 0.02, 0.03],
        decay_per_day: None,
        nothing: 1e-9,
        rule: Rule::Linear,
    }
}

#[test]
fn a_journey_without_touches_is_organic() {
    let answers = answers(&table(), &[(0, Vec::new())], false);
    assert_eq!((answers["organic"][0].to_bits(), answers["fallback"][0].to_bits()), (1.0_f64.to_bits(), 0));
}

#[test]
fn a_table_that_contradicts_itself_is_refused() {
    let refusal = |table: AdditiveHazard| {
        let mut graph = Graph::new("test");
        let numbers = TensorType::rows(ElementType::I64, 2);
        let channel = graph.input("channel", numbers.clone(), "").unwrap();
        let age = graph.input("age", TensorType::rows(ElementType::F64, 2), "").unwrap();
        let one = TensorType::new(ElementType::I64, &[Dim::Batch]);
        let campaign = graph.input("campaign", one, "").unwrap();
        let device = graph.input("device", numbers, "").unwrap();
        let touches = Touches { channel, age, campaign, factors: vec![device] };
        table.add(&mut graph, &touches).map(|_| ()).expect_err("it is wrong").to_string()
    };
    let nobody = refusal(AdditiveHazard { organic: vec![0.0], ..table() });
    assert!(nobody.contains("something must be organic"), "{nobody}");
    let shorter = refusal(AdditiveHazard { decay_per_day: Some(vec![1.0]), ..table() });
    assert!(shorter.contains("same channels"), "{shorter}");
    let negative = refusal(AdditiveHazard { repeat: vec![-1.0], ..table() });
    assert!(negative.contains("from zero up"), "{negative}");
    let missing = refusal(AdditiveHazard { factors: Vec::new(), ..table() });
    assert!(missing.contains("each factor"), "{missing}");
}
