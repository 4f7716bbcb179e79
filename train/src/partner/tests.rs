//! What partners are worth beside what was planted, for each amount of history.

use proptest::prelude::*;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    planted::{Planted, SOURCES, Shape, plant},
    *,
};
use crate::lifetime::spearman;

const HISTORIES: [(usize, usize); 4] = [(0, 4), (5, 19), (20, 99), (100, usize::MAX)];

pub(super) fn dice(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

pub(super) fn learned(planted: &[Planted]) -> (Worths, Vec<Posterior>) {
    learned_from(&planted.iter().map(Planted::partner).collect::<Vec<_>>())
}

fn learned_from(partners: &[Partner<'_>]) -> (Worths, Vec<Posterior>) {
    let worths = fit(partners, SOURCES).unwrap();
    let posteriors = partners.iter().map(|partner| worths.worth(partner).unwrap().per_conversion).collect();
    (worths, posteriors)
}

fn rmse(one: &[f64], other: &[f64]) -> f64 {
    let squares: f64 = one.iter().zip(other).map(|(one, other)| (one - other) * (one - other)).sum();
    (squares / one.len() as f64).sqrt()
}

/// For each amount of history: RMSE and rank correlation of the posterior, of raw means (where there is one, and with
/// those who brought nothing last), and the share of 90 % intervals that hold the truth.
pub(super) struct Measured {
    count: usize,
    rmse: f64,
    spearman: f64,
    raw_rmse: f64,
    raw_spearman: f64,
    pub(super) covered: f64,
}

pub(super) fn measure(planted: &[Planted], posteriors: &[Posterior]) -> Vec<Measured> {
    let of = |(least, most): &(usize, usize)| {
        let rows: Vec<usize> =
            (0..planted.len()).filter(|row| (*least..=*most).contains(&planted[*row].values.len())).collect();
        let truth: Vec<f64> = rows.iter().map(|row| planted[*row].log_worth).collect();
        let told: Vec<f64> = rows.iter().map(|row| posteriors[*row].log_mean).collect();
        let raw = |row: &usize| {
            let values = &planted[*row].values;
            values.iter().sum::<f64>() / values.len().max(1) as f64
        };
        let raws: Vec<f64> = rows.iter().map(raw).collect();
        let (known, truths): (Vec<f64>, Vec<f64>) = raws
            .iter()
            .zip(&truth)
            .filter(|(raw, _)| 0.0 < **raw)
            .map(|(raw, truth)| (libm::log(*raw), *truth))
            .unzip();
        let holds = |row: &&usize| {
            let truth = libm::exp(planted[**row].log_worth);
            posteriors[**row].quantile(0.05) <= truth && truth <= posteriors[**row].quantile(0.95)
        };
        Measured {
            count: rows.len(),
            rmse: rmse(&told, &truth),
            spearman: spearman(&told, &truth),
            raw_rmse: rmse(&known, &truths),
            raw_spearman: spearman(&raws, &truth),
            covered: rows.iter().filter(holds).count() as f64 / rows.len() as f64,
        }
    };
    HISTORIES.iter().map(of).collect()
}

#[test]
fn partners_are_told_apart_better_than_by_their_means() {
    // Without history a partner is as far from its source as partners are: 0.42 here.
    let wanted = [(0.42, 0.57), (0.36, 0.69), (0.28, 0.82), (0.18, 0.93)];
    let planted = plant(12_000, Shape::Lognormal, &mut dice(1));
    let (_, posteriors) = learned(&planted);
    for (told, (most, least)) in measure(&planted, &posteriors).iter().zip(wanted) {
        let Measured { count, rmse, spearman, raw_rmse, raw_spearman, covered } = told;
        println!(
            "{count} partners: rmse {rmse:.3} (raw {raw_rmse:.3}), spearman {spearman:.3} (raw {raw_spearman:.3}), covered {covered:.3}"
        );
        assert!(*rmse <= most && least <= *spearman, "rmse {rmse}, spearman {spearman}");
        assert!((0.88..=0.92).contains(covered), "{covered}");
        assert!(rmse < raw_rmse && raw_spearman < spearman);
    }
}

#[test]
fn a_profile_says_what_history_does_not_yet() {
    let planted = plant(6_000, Shape::Lognormal, &mut dice(6));
    let partners: Vec<Partner<'_>> = planted.iter().map(Planted::with_profile).collect();
    let (worths, posteriors) = learned_from(&partners);
    let (without, with) = (measure(&planted, &learned(&planted).1), measure(&planted, &posteriors));
    for (without, with) in without.iter().zip(&with) {
        println!(
            "rmse {:.3} → {:.3}, spearman {:.3} → {:.3}, covered {:.3}",
            without.rmse, with.rmse, without.spearman, with.spearman, with.covered
        );
        assert!((0.88..=0.92).contains(&with.covered), "{}", with.covered);
    }
    for (told, (most, least)) in with.iter().zip([(0.40, 0.59), (0.36, 0.69), (0.28, 0.82), (0.18, 0.93)]) {
        assert!(told.rmse <= most && least <= told.spearman, "{} {}", told.rmse, told.spearman);
    }
    assert!(with[0].rmse < 0.9 * without[0].rmse && without[0].spearman < with[0].spearman);
    let applicant = |profile: &[f64]| {
        let partner = Partner { source: 3, profile, clicks: 0, values: &[] };
        worths.worth(&partner).unwrap().per_conversion.log_mean
    };
    let usual = applicant(&[0.0, 0.0]);
    assert!((applicant(&[1.0, 0.0]) - usual - 0.25).abs() < 0.03, "{}", applicant(&[1.0, 0.0]) - usual);
    assert!((applicant(&[0.0, 1.0]) - usual).abs() < 0.03);
}

#[test]
fn values_of_another_shape_are_still_right_in_total() {
    let planted = plant(3_000, Shape::Gamma, &mut dice(2));
    let (_, posteriors) = learned(&planted);
    let told: f64 =
        planted.iter().zip(&posteriors).map(|(one, worth)| one.values.len() as f64 * worth.expected()).sum();
    let total: f64 = planted.iter().flat_map(|one| &one.values).sum();
    assert!((told / total - 1.0).abs() < 0.02, "{}", told / total);
}

#[test]
fn three_customers_say_little_and_three_thousand_say_all() {
    let planted = plant(2_000, Shape::Lognormal, &mut dice(3));
    let (worths, _) = learned(&planted);
    let worth = |count: usize| {
        let values: Vec<f64> = (0..count).map(|place| [0.0, 400.0, 800.0][place % 3]).collect();
        let partner = Partner { source: 0, profile: &[], clicks: 100_000, values: &values };
        worths.worth(&partner).unwrap().per_conversion
    };
    let (nobody, few, many) = (worth(0), worth(3), worth(3_000));
    assert!(few.log_mean - nobody.log_mean < 0.5 * (many.log_mean - nobody.log_mean));
    assert!(nobody.log_mean < few.log_mean && few.log_sd < nobody.log_sd);
    assert!((many.expected() / 400.0 - 1.0).abs() < 0.1 && many.log_sd < 0.1, "{many:?}");
}

#[test]
fn a_click_is_worth_what_its_conversions_are() {
    let planted = plant(3_000, Shape::Lognormal, &mut dice(4));
    let (worths, _) = learned(&planted);
    let large: Vec<&Planted> = planted.iter().filter(|one| 200 <= one.values.len()).collect();
    let told: Vec<f64> =
        large.iter().map(|one| worths.worth(&one.partner()).unwrap().per_click.log_mean).collect();
    let truth: Vec<f64> = large.iter().map(|one| one.log_worth + libm::log(one.converting)).collect();
    assert!(rmse(&told, &truth) < 0.18, "{}", rmse(&told, &truth));
}

/// Tiers of partners who go on converting month after month: the share of months in which one changes its tier, with
/// hysteresis and by the bare posterior mean, and the share that has its true tier in the end.
fn flips(rise: f64, fall: f64) -> (f64, f64) {
    let mut dice = dice(5);
    let mut planted = plant(1_000, Shape::Lognormal, &mut dice);
    let tiers = Tiers::new(30.0, 60.0, rise, fall).unwrap();
    let mut standing = vec![Tier::Bronze; planted.len()];
    let (mut flipped, mut months) = (0, 0);
    for month in 0..12 {
        for one in &mut planted {
            let more = one.values.len() / 10;
            one.convert(more, Shape::Lognormal, &mut dice);
        }
        let (_, posteriors) = learned(&planted);
        for (tier, worth) in standing.iter_mut().zip(&posteriors) {
            let next = tiers.next(*tier, worth);
            // The first month only places everybody.
            flipped += usize::from(0 < month && next != *tier);
            months += usize::from(0 < month);
            *tier = next;
        }
    }
    let truth = |one: &Planted| match libm::exp(one.log_worth) {
        worth if worth < 30.0 => Tier::Bronze,
        worth if worth < 60.0 => Tier::Silver,
        _ => Tier::Gold,
    };
    let right = planted.iter().zip(&standing).filter(|(one, tier)| truth(one) == **tier).count();
    (flipped as f64 / months as f64, right as f64 / planted.len() as f64)
}

#[test]
fn with_hysteresis_hardly_anybody_flips() {
    let (flipped, right) = flips(0.7, 0.3);
    let (bare, bare_right) = flips(0.500_001, 0.499_999);
    println!("flipped {flipped:.4}, right {right:.3}; without hysteresis {bare:.4}, {bare_right:.3}");
    assert!(flipped < 0.5 * bare && bare_right - right < 0.1);
}

#[test]
fn a_tier_is_kept_until_it_is_improbable() {
    let tiers = Tiers::new(10.0, 100.0, 0.7, 0.3).unwrap();
    let at = |worth: f64| Posterior { log_mean: libm::log(worth), log_sd: 0.2 };
    assert_eq!(tiers.next(Tier::Silver, &at(100.0)), Tier::Silver);
    assert_eq!(tiers.next(Tier::Gold, &at(100.0)), Tier::Gold);
    assert_eq!(tiers.next(Tier::Bronze, &at(200.0)), Tier::Gold);
    assert_eq!(tiers.next(Tier::Gold, &at(5.0)), Tier::Bronze);
    let chances = tiers.chances(&at(100.0));
    assert!((chances.gold - 0.5).abs() < 1e-12 && (chances.bronze + chances.silver - 0.5).abs() < 1e-12);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    assert!(Tiers::new(10.0, 5.0, 0.7, 0.3).is_err() && Tiers::new(f64::NAN, 5.0, 0.7, 0.3).is_err());
    assert!(Tiers::new(1.0, 5.0, 0.3, 0.7).is_err());
    let partner =
        |source: usize, clicks: u64, values: &'static [f64]| Partner { source, profile: &[], clicks, values };
    let refused = |partner: Partner<'_>| fit(&[partner], 2).unwrap_err();
    assert_eq!(refused(partner(2, 1, &[])), WorthError::Source { partner: 0, source_number: 2, sources: 2 });
    assert_eq!(refused(partner(0, 1, &[f64::NAN])), WorthError::NotANumber(0));
    assert_eq!(refused(partner(0, 0, &[1.0])), WorthError::Clicks(0));
    let strange = [partner(0, 1, &[1.0]), Partner { profile: &[1.0], ..partner(0, 1, &[1.0]) }];
    let uneven = WorthError::Profile { partner: 1, found: 1, expected: 0 };
    assert_eq!(fit(&strange, 2).unwrap_err(), uneven);
    assert_eq!(refused(partner(0, 1, &[1.0])), WorthError::TooFew { found: 1, needed: 50 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_history_makes_a_worth_that_is_no_number(values in prop::collection::vec(prop::collection::vec(-1e3..1e6_f64, 0..30), 1..30)) {
        let partners: Vec<Partner<'_>> = values
            .iter()
            .enumerate()
            .map(|(place, values)| Partner { source: place % 3, profile: &[], clicks: values.len() as u64 * 7, values })
            .collect();
        if let Ok(worths) = fit(&partners, 3) {
            for partner in &partners {
                let Worth { per_conversion, per_click } = worths.worth(partner).unwrap();
                for worth in [per_conversion, per_click] {
                    prop_assert!(worth.log_mean.is_finite() && 0.0 < worth.log_sd);
                    prop_assert!(worth.quantile(0.05) < worth.quantile(0.95));
                }
            }
        }
    }
}
