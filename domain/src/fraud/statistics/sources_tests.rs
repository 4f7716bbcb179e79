//! Sources that do nothing odd are left alone, and odd ones found for what they are.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const DAY: f64 = 86_400.0;

fn normal(dice: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (dice.random(), dice.random());
    libm::sqrt(-2.0 * libm::log(1.0 - u)) * libm::cos(core::f64::consts::TAU * v)
}

/// Two in five decide within the hour and the others within days.
fn people(n: usize, dice: &mut impl Rng) -> Vec<i64> {
    let times = (0..n).map(|_| {
        let median = if dice.random_bool(0.4) { 900.0 } else { 1.5 * DAY };
        libm::round(median * libm::exp(1.3 * normal(dice))) as i64
    });
    times.collect()
}

/// `share` of `n` times made by `odd`, the rest by people.
fn mixed(n: usize, share: f64, dice: &mut ChaCha8Rng, odd: impl Fn(&mut ChaCha8Rng) -> i64) -> Vec<i64> {
    let mut times = people(n, dice);
    for time in &mut times {
        if dice.random_bool(share) {
            *time = odd(dice);
        }
    }
    times
}

fn shapes(odd: &[Vec<i64>], dice: &mut ChaCha8Rng) -> Vec<Option<TimeShape>> {
    let honest: Vec<Vec<i64>> = (0..60).map(|_| people(dice.random_range(30..200), dice)).collect();
    let all: Vec<&[i64]> = odd.iter().chain(&honest).map(Vec::as_slice).collect();
    time_shapes(&all)
}

#[test]
fn sources_like_all_others_are_found_no_more_often_than_agreed() {
    let (mut found, mut rounds) = (0, 0);
    for seed in 0..60 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let shapes = shapes(&[], &mut dice);
        assert!(shapes.iter().all(Option::is_some));
        found += usize::from(shapes.iter().flatten().any(|shape| shape.q <= 0.05));
        rounds += 1;
    }
    // With nothing to be found, any discovery is false: at most 5 % of rounds, with three deviations for chance.
    assert!(found <= 8, "{found} of {rounds} rounds found something where there was nothing");
}

#[test]
fn odd_times_are_found_more_surely_the_more_there_are_and_named() {
    type Scheme = (Oddity, fn(&mut ChaCha8Rng) -> i64);
    let schemes: [Scheme; 3] = [
        (Oddity::Flat, |dice| (21.0 * DAY * dice.random::<f64>()) as i64),
        (Oddity::Spike, |dice| dice.random_range(0..9)),
        (Oddity::Narrow, |dice| dice.random_range(280..320)),
    ];
    for (oddity, scheme) in schemes {
        let power = |share: f64| {
            let rounds = (0..20_u64).filter(|seed| {
                let mut dice = ChaCha8Rng::seed_from_u64(1_000 + seed);
                let odd = mixed(100, share, &mut dice, scheme);
                shapes(&[odd], &mut dice)[0].is_some_and(|shape| shape.q <= 0.01)
            });
            rounds.count()
        };
        let curve: Vec<usize> = [0.1, 0.3, 0.6, 1.0].map(power).to_vec();
        assert!(curve.is_sorted() && curve[3] == 20 && 17 <= curve[2], "{oddity}: {curve:?}");
        let mut dice = ChaCha8Rng::seed_from_u64(7);
        let odd = mixed(100, 1.0, &mut dice, scheme);
        assert_eq!(shapes(&[odd], &mut dice)[0].unwrap().oddity, oddity);
    }
}

#[test]
fn quicker_customers_are_different_but_not_odd() {
    let mut dice = ChaCha8Rng::seed_from_u64(3);
    let coupons: Vec<i64> = people(300, &mut dice).into_iter().map(|seconds| seconds / 5 + 20).collect();
    let shape = shapes(&[coupons], &mut dice)[0].unwrap();
    assert!(shape.q <= 0.01, "{shape:?}");
    assert_eq!(shape.oddity, Oddity::Other);
}

#[test]
fn few_times_say_nothing() {
    let mut dice = ChaCha8Rng::seed_from_u64(4);
    assert_eq!(shapes(&[vec![3; LEAST_TIMES - 1]], &mut dice)[0], None);
    assert_eq!(time_shapes(&[&[3; 100]]), [None]);
}

#[test]
fn a_source_that_converts_as_the_best_of_the_others_is_no_outlier() {
    let rate = |clicks, conversions| Yield { clicks, conversions };
    let mut sources: Vec<Yield> = (1..=40).map(|source| rate(1_000, 10 + source)).collect();
    sources.push(rate(1_000, 55));
    sources.push(rate(1_000, 600));
    sources.push(rate(0, 0));
    let found = conversion_rates(&sources, 604_800);
    assert!(0.01 < found[40].unwrap().q, "{:?}", found[40]);
    assert!(found[41].unwrap().p < 1e-4, "{:?}", found[41]);
    assert_eq!(found[42], None);
}

#[test]
fn honest_rates_are_found_outlying_no_more_often_than_agreed() {
    let mut wrong = 0;
    for seed in 0..100 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let sources: Vec<Yield> = (0..50)
            .map(|_| {
                let clicks = dice.random_range(50..3_000);
                // Gamma of shape 4, which is beta's limit for small rates.
                let product: f64 = (0..4).map(|_| 1.0 - dice.random::<f64>()).product();
                let own_rate = (-0.007_5 * libm::log(product)).min(1.0);
                let conversions = (0..clicks).filter(|_| dice.random_bool(own_rate)).count();
                Yield { clicks, conversions: u64::try_from(conversions).unwrap() }
            })
            .collect();
        let found = conversion_rates(&sources, 604_800);
        wrong += found.iter().flatten().filter(|it| it.p < 1e-4).count();
    }
    // 5,000 tests at 1 in 10,000 each, and the spread is estimated from 49 others.
    assert!(wrong <= 5, "{wrong} of 5000 honest sources");
}

/// Clicks of a day: few at night, many in the evening, in a country so many hours east.
fn day(east: usize, scale: u64) -> [u64; 24] {
    let local = [2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 9, 9, 8, 8, 8, 9, 10, 12, 14, 15, 13, 9, 5];
    std::array::from_fn(|hour| local[(hour + east) % 24] * scale)
}

#[test]
fn flat_hours_are_odd_unless_the_audience_is_around_the_world() {
    let countries = [(0, 0), (8, 1), (16, 2)].map(|(east, _)| day(east, 100));
    let home = expected_hours(&[(500, countries[0])]);
    let world = expected_hours(&[(170, countries[0]), (170, countries[1]), (160, countries[2])]);
    let flat = [21; 24];
    let found = flat_hours(&[(flat, home), (flat, world), (day(0, 3), home), ([4; 24], home)], 604_800);
    assert!(found[0].unwrap().q < 1e-6, "{:?}", found[0]);
    assert!(found[1].is_none_or(|excess| 0.01 < excess.q), "{:?}", found[1]);
    assert_eq!(found[2], None);
    assert_eq!(found[3], None);
}

/// Of a source whose clicks convert as those of its kind do, 3 % give or take one.
fn surge(conversions: u64, clicks: u64) -> Surge {
    let spread =
        own_spread(Some(RateSpread { a: 9.0, b: 291.0 }), Yield { clicks: 0, conversions: 0 }).unwrap();
    Surge { conversions, clicks, spread, usual: 0.5, shared: 0.5, window_seconds: 3_600 }
}

#[test]
fn a_burst_is_more_than_clicks_explain() {
    assert!(surge(10, 20).excess(150).q < 1e-6, "ten orders of twenty clicks");
    assert!(0.05 < surge(24, 600).excess(150).p, "a viral day is not a burst");
    assert!(0.01 < surge(2, 10).excess(1).p);
    assert!(0.999 < surge(1, 0).excess(u64::MAX).q);
}

#[test]
fn what_happens_to_all_or_is_usual_is_no_burst() {
    let all = Surge { shared: 31.0, ..surge(40, 60) };
    let usual = Surge { usual: 33.0, ..surge(40, 60) };
    for (surge, why) in [(all, "a report that comes at night"), (usual, "as on every day")] {
        assert!(0.01 < surge.excess(1).p, "{why}");
    }
}

#[test]
fn a_source_is_held_against_its_own_past_and_a_new_one_against_its_kind() {
    let kind = RateSpread { a: 9.0, b: 291.0 };
    let of = |clicks, conversions| own_spread(Some(kind), Yield { clicks, conversions }).unwrap().mean();
    assert!((of(0, 0) - 0.03).abs() < 1e-12);
    assert!((of(100, 30) - 0.0975).abs() < 1e-12, "39 of 400");
    assert!((of(1_000_000, 300_000) - 0.138).abs() < 1e-12, "as much as two hundred clicks say: 69 of 500");
    let alone = |clicks| own_spread(None, Yield { clicks, conversions: clicks / 4 });
    assert_eq!(alone(199), None);
    assert!((alone(200).unwrap().mean() - 0.251_243_781).abs() < 1e-9);
    // A coupon of their own: three times as often as ever before is odd, and no proof.
    let weekend = Surge {
        spread: own_spread(Some(kind), Yield { clicks: 9_000, conversions: 270 }).unwrap(),
        ..surge(90, 1_000)
    };
    assert!(1e-8 < weekend.excess(1).p, "{:?}", weekend.excess(1));
}
