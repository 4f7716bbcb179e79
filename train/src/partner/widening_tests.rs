//! Intervals hold what they say where partners stay as they are and where they move.

use super::{
    planted::{Planted, plant_moving},
    tests::{dice, learned, measure},
    *,
};

/// What the first half of each one's conversions lets expect beside the second half.
fn halved(
    planted: &[(Planted, usize)],
    split: impl Fn(&(Planted, usize)) -> (&[f64], &[f64]),
) -> Vec<Foresight> {
    let half = |it: &(Planted, usize)| {
        let mut before = it.0.clone();
        before.values = split(it).0.to_vec();
        before
    };
    let before: Vec<Planted> = planted.iter().map(half).collect();
    let (_, expected) = learned(&before);
    let came = planted.iter().map(|it| split(it).1.to_vec());
    expected.into_iter().zip(came).map(|(expected, came)| Foresight { expected, came }).collect()
}

/// Partners that move by `step` thirty-two times: what is expected of them by all that is known, and how much less sure that is
/// than it seems, told from halves of each one's conversions: of two times, and mixed.
fn moving(partners: usize, step: f64, seed: u64) -> (Vec<Planted>, Vec<Posterior>, Widening) {
    let planted = plant_moving(partners, step, &mut dice(seed));
    let of_time = halved(&planted, |(one, early)| one.values.split_at(*early));
    let mixed: Vec<(Planted, usize)> = planted
        .iter()
        .map(|(one, early)| {
            let mut mixed = one.clone();
            let (even, odd): (Vec<_>, Vec<_>) =
                one.values.iter().enumerate().partition(|(place, _)| place % 2 == 0);
            mixed.values = even.into_iter().chain(odd).map(|(_, value)| *value).collect();
            (mixed, *early)
        })
        .collect();
    let of_draw = halved(&mixed, |(one, _)| one.values.split_at(one.values.len().div_ceil(2)));
    let widening = Widening::of(&of_time, &of_draw);
    let planted: Vec<Planted> = planted.into_iter().map(|it| it.0).collect();
    let (_, posteriors) = learned(&planted);
    (planted, posteriors, widening)
}

/// Which shares of intervals hold the truth, by amount of history, before and after.
fn covered(step: f64, seed: u64) -> (Vec<f64>, Vec<f64>, Widening) {
    let (planted, posteriors, widening) = moving(12_000, step, seed);
    let wide: Vec<Posterior> = posteriors.iter().map(|it| widening.widen(it)).collect();
    let shares = |of: &[Posterior]| measure(&planted, of).iter().map(|it| it.covered).collect();
    (shares(&posteriors), shares(&wide), widening)
}

/// Within 88 and 92 % but for three standard errors of a share of so few partners as the fewest are, those with a hundred
/// conversions or more: some 1,500.
fn check_nine_in_ten(shares: &[f64]) {
    assert!(shares.iter().all(|share| (0.857..=0.943).contains(share)), "{shares:?}");
    assert!((0.88..=0.92).contains(&(shares.iter().sum::<f64>() / shares.len() as f64)), "{shares:?}");
}

#[test]
fn intervals_of_partners_that_move_hold_what_they_say() {
    let (before, after, widening) = covered(0.05, 11);
    println!("{before:?}, widened {after:?} by {widening:?}");
    assert!(before[2] < 0.84 && before[3] < 0.75, "{before:?}");
    check_nine_in_ten(&after);
    // By 32 / 3 steps' variance, as the mean of what was is from where it led to.
    assert!((0.7..1.4).contains(&(widening.variance / (32.0 / 3.0 * 0.05 * 0.05))), "{widening:?}");
}

#[test]
fn intervals_of_partners_that_stay_are_not_widened_for_nothing() {
    let (before, after, widening) = covered(0.0, 13);
    println!("{before:?}, widened {after:?} by {widening:?}");
    check_nine_in_ten(&before);
    check_nine_in_ten(&after);
    assert!(widening.variance < 2.0 * widening.error, "{widening:?}");
}

#[test]
fn widening_keeps_what_is_expected_and_says_nothing_of_few() {
    let (_, posteriors, widening) = moving(400, 0.075, 12);
    let wide = widening.widen(&posteriors[0]);
    assert!(0.0 < widening.variance && posteriors[0].log_sd < wide.log_sd);
    assert!((wide.expected() / posteriors[0].expected() - 1.0).abs() < 1e-12);
    let few = vec![Foresight { expected: posteriors[0], came: vec![1.0; 50] }; 19];
    assert_eq!(Widening::of(&few, &few), Widening::default());
    assert_eq!(Widening::default().widen(&wide), wide);
}
