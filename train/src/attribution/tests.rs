//! What is learned from planted truth, and that it is learned right.

use std::collections::BTreeMap;

use models::graph::{Dim, ElementType, Graph, Metadata, TensorType, attribution};
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    layout::Layout,
    likelihood::Likelihood,
    planted::{Kind, World, plant},
    *,
};

const STRENGTHS: Strengths = Strengths { declared: 3.0, organic: 5.0, modifiers: 2.0, channels: 1.0 };

fn dice(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

fn check_gradient(timing: Timing) {
    let World { mut examples, .. } = plant(Kind::Hazard, 400, &mut dice(1));
    examples.push_organic(Organic { campaign: 0, exposure_s: 1e7, conversions: 3.0 }).unwrap();
    let layout = Layout::of(timing, &examples);
    let len = layout.len;
    let strengths = layout.strengths(STRENGTHS);
    let rows = (0..400).collect();
    let likelihood = Likelihood::new(layout, &examples, rows, (strengths, vec![0.1; len]));
    let mut dice = dice(2);
    let at: Vec<f64> = (0..len).map(|_| dice.random_range(-1.5..0.5)).collect();
    let gradient = likelihood.loss(&at).gradient;
    for place in 0..len {
        let moved = |by: f64| {
            let mut moved = at.clone();
            moved[place] += by;
            likelihood.loss(&moved).value
        };
        let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        let apart = (slope - gradient[place]).abs();
        assert!(apart < 1e-5 * slope.abs().max(1.0), "{place}: {slope} and {}", gradient[place]);
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    check_gradient(Timing::Decaying);
    check_gradient(Timing::Deciding);
}

/// The share of the credit, in percent, that goes to the wrong channel or wrongly to or from nobody.
fn misplaced(world: &World, learned: &Learned) -> (f64, f64) {
    let (mut of, mut total) = (vec![0.0; world.examples.channels() + 1], 0.0);
    for (row, (touches, organic)) in &world.truth {
        let journey = world.examples.journey(*row);
        let shares = learned.credit(&journey);
        for ((touch, share), truth) in journey.touches.iter().zip(&shares.touches).zip(touches) {
            of[touch.channel as usize] += share - truth;
        }
        *of.last_mut().unwrap() += shares.organic - organic;
        total += 1.0;
    }
    let wrong: f64 = of.iter().map(|apart| apart.abs()).sum();
    (50.0 * wrong / total, 100.0 * of.last().unwrap() / total)
}

fn check_planted(kind: Kind, (timing, most): (Timing, f64)) {
    let world = plant(kind, 60_000, &mut dice(7));
    let settings = Settings { timing, organic_share: world.organic_share(), ..Settings::default() };
    let fitted = fit(&settings, &world.examples).unwrap();
    let (wrong, organic) = misplaced(&world, &fitted.learned);
    assert!(wrong < most && organic.abs() < most, "{wrong} % misplaced, organic off by {organic} points");
}

#[test]
fn an_additive_hazard_is_found_again() {
    check_planted(Kind::Hazard, (Timing::Decaying, 3.0));
}

#[test]
fn additive_probabilities_are_found_again() {
    check_planted(Kind::Additive, (Timing::Deciding, 3.0));
}

#[test]
fn a_noisy_or_is_nearly_additive() {
    check_planted(Kind::NoisyOr, (Timing::Deciding, 4.0));
}

#[test]
fn synergy_and_order_are_told_as_well_as_sums_can() {
    check_planted(Kind::Synergy, (Timing::Deciding, 6.0));
    check_planted(Kind::Order, (Timing::Deciding, 6.0));
}

#[test]
fn threads_change_no_bit() {
    let world = plant(Kind::Hazard, 9000, &mut dice(3));
    let settings = Settings { strengths: Some(STRENGTHS), least_conversions: 1, ..Settings::default() };
    let rates = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let fitted = pool.install(|| fit(&settings, &world.examples)).unwrap();
        fitted.learned.table().channel.iter().map(|rate| rate.to_bits()).collect::<Vec<u64>>()
    };
    assert_eq!(rates(1), rates(3));
}

#[test]
fn too_few_conversions_name_the_rule_to_use() {
    let world = plant(Kind::Additive, 100, &mut dice(4));
    let refused = fit(&Settings::default(), &world.examples).unwrap_err();
    assert!(refused.to_string().contains("\"last_click\""), "{refused}");
}

#[test]
fn a_journey_without_known_channels_is_the_rules() {
    let world = plant(Kind::Additive, 60_000, &mut dice(5));
    let fitted =
        fit(&Settings { strengths: Some(STRENGTHS), ..Settings::default() }, &world.examples).unwrap();
    let strange = [Touch { channel: 999, at_s: 0.0 }, Touch { channel: UNKNOWN, at_s: 9.0 }];
    let journey = Journey { touches: &strange, categories: &[0, 0], until_s: 10.0, ..Journey::default() };
    let shares = fitted.learned.credit(&journey);
    assert_eq!(shares, Shares { touches: vec![0.0, 1.0], organic: 0.0, rule: Some("last_click") });
    let nobody = fitted.learned.credit(&Journey { touches: &[], categories: &[], ..journey });
    assert_eq!(nobody, Shares { touches: Vec::new(), organic: 1.0, rule: None });
}

#[test]
fn names_of_learners_are_unique_and_docs_are_sentences() {
    for (place, learner) in LEARNERS.iter().enumerate() {
        assert!(LEARNERS[..place].iter().all(|other| other.name != learner.name));
        assert!(learner.doc.ends_with('.') && 20 < learner.doc.len());
    }
}

const PLACES: usize = 8;

/// The bytes of the file of what was learned.
fn file(learned: &Learned) -> Vec<u8> {
    let mut graph = Graph::new("attribution");
    let numbers = TensorType::rows(ElementType::I64, PLACES);
    let channel = graph.input("channel", numbers.clone(), "").unwrap();
    let age = graph.input("age", TensorType::rows(ElementType::F64, PLACES), "").unwrap();
    let campaign = graph.input("campaign", TensorType::new(ElementType::I64, &[Dim::Batch]), "").unwrap();
    let device = graph.input("device", numbers, "").unwrap();
    let touches = attribution::Touches { channel, age, campaign, factors: vec![device] };
    let table = learned.table();
    let credit = table.add(&mut graph, &touches).unwrap();
    graph.output("weights", &credit.weights, "").unwrap();
    graph.output("organic", &credit.organic, "").unwrap();
    graph.finish(&Metadata { properties: table.properties(), ..Metadata::default() }).unwrap()
}

type Given = BTreeMap<&'static str, ort::value::DynValue>;

/// The journey as the file takes it.
fn given(journey: &Journey<'_>) -> Given {
    let (mut channel, mut age, mut device) = ([-1_i64; PLACES], [0.0; PLACES], [-1_i64; PLACES]);
    for (place, touch) in journey.touches.iter().enumerate() {
        channel[place] = i64::from(touch.channel);
        age[place] = journey.converted_s.unwrap_or(journey.until_s) - touch.at_s;
        device[place] = i64::from(journey.categories[place]);
    }
    let numbers =
        |of: [i64; PLACES]| ort::value::Tensor::from_array(([1, PLACES], of.to_vec())).unwrap().into_dyn();
    let campaign = ort::value::Tensor::from_array(([1], vec![i64::from(journey.campaign)])).unwrap();
    let age = ort::value::Tensor::from_array(([1, PLACES], age.to_vec())).unwrap();
    [
        ("channel", numbers(channel)),
        ("age", age.into_dyn()),
        ("campaign", campaign.into_dyn()),
        ("device", numbers(device)),
    ]
    .into()
}

#[test]
fn the_file_says_what_was_learned() {
    let library = std::env::var_os("ORT_DYLIB_PATH").expect("cargo sets it from .cargo/config.toml");
    let environment =
        ort::init_from(std::path::Path::new(&library)).unwrap().with_name("learned").build().unwrap();
    let world = plant(Kind::Hazard, 20_000, &mut dice(6));
    for timing in [Timing::Decaying, Timing::Deciding] {
        let settings =
            Settings { timing, strengths: Some(STRENGTHS), least_conversions: 1, ..Settings::default() };
        let learned = fit(&settings, &world.examples).unwrap().learned;
        let mut session = ort::session::Session::builder(&environment)
            .unwrap()
            .commit_from_memory(&file(&learned))
            .unwrap();
        for (row, _) in world.truth.iter().take(300) {
            let journey = world.examples.journey(*row);
            let shares = learned.credit(&journey);
            let given: Vec<_> = given(&journey).into_iter().collect();
            let answer = session.run(given).unwrap();
            let (_, weights) = answer["weights"].try_extract_tensor::<f64>().unwrap();
            let (_, organic) = answer["organic"].try_extract_tensor::<f64>().unwrap();
            let apart = shares.touches.iter().zip(weights).map(|(one, other)| (one - other).abs());
            assert!(apart.fold((shares.organic - organic[0]).abs(), f64::max) < 1e-12);
        }
    }
}

/// A draw that tests alone need.
pub(super) fn unit(dice: &mut impl Rng) -> f64 {
    dice.random_range(0.0..1.0)
}
