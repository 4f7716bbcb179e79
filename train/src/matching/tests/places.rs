//! Lists: the best of many, places that chance fills, and places of newcomers.

use proptest::prelude::*;

use crate::{
    anomaly::dice::Dice,
    matching::{
        explore::fill,
        exposure::keep_places,
        top::{Eligible, Scored, of_scores},
    },
};

/// The best by sorting all.
fn sorted(scores: &[f64], eligible: &[usize], k: usize) -> Vec<u32> {
    let mut order: Vec<u32> = eligible.iter().map(|item| *item as u32).collect();
    order.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b)));
    order.truncate(k);
    order
}

proptest! {
    #[test]
    fn the_best_are_those_that_sorting_finds(
        scores in prop::collection::vec((0..8_i32).prop_map(f64::from), 1..200),
        chosen in prop::collection::vec(any::<bool>(), 200),
        k in 1_usize..12,
    ) {
        let items: Vec<usize> = (0..scores.len()).filter(|item| chosen[*item]).collect();
        let mut eligible = Eligible::none(scores.len());
        items.iter().for_each(|item| eligible.insert(*item));
        prop_assert_eq!(eligible.iter().collect::<Vec<_>>(), &items[..]);
        prop_assert_eq!(eligible.count(), items.len());
        let found: Vec<u32> = of_scores(&scores, &eligible, k).iter().map(|it| it.item).collect();
        prop_assert_eq!(found, sorted(&scores, &items, k));
    }

    #[test]
    fn newcomers_have_their_share_of_places_where_there_are_enough(
        seed in 0_u64..1_000,
        share in 0.0..0.5_f64,
    ) {
        let (users, items, k) = (30, 40, 5);
        let mut dice = Dice::new(seed, 0);
        let is_new = |item: u32| item.is_multiple_of(4);
        let scores: Vec<Vec<f64>> = (0..users)
            .map(|_| (0..items).map(|item| dice.unit() - if is_new(item) { 0.5 } else { 0.0 }).collect())
            .collect();
        let best = |wanted: &dyn Fn(u32) -> bool, k: usize| -> Vec<Vec<Scored>> {
            let mut eligible = Eligible::none(items as usize);
            (0..items).filter(|item| wanted(*item)).for_each(|item| eligible.insert(item as usize));
            scores.iter().map(|scores| of_scores(scores, &eligible, k)).collect()
        };
        let mut lists = best(&|_| true, k);
        let before: f64 = lists.iter().flatten().map(|it| it.score).sum();
        let newcomers = best(&is_new, k);
        let floor = keep_places(&mut lists, &newcomers, is_new, share);
        let held = lists.iter().flatten().filter(|it| is_new(it.item)).count();
        prop_assert!(share <= floor.share + 1e-9);
        prop_assert!((held as f64 / (users * k) as f64 - floor.share).abs() < 1e-12);
        for list in &lists {
            let mut distinct: Vec<u32> = list.iter().map(|it| it.item).collect();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), k);
            prop_assert!(list.windows(2).all(|pair| pair[1].score <= pair[0].score));
        }
        // A bonus for newcomers that gives them as many places costs as much.
        let cost = before - lists.iter().flatten().map(|it| it.score).sum::<f64>();
        prop_assert!((cost - cheapest(&scores, k, &is_new, held)).abs() < 1e-9);
    }
}

/// What lists lose at least in which newcomers hold so many places: all exchanges of all lists, the cheapest first.
fn cheapest(scores: &[Vec<f64>], k: usize, is_new: &dyn Fn(u32) -> bool, wanted: usize) -> f64 {
    let (mut best, mut costs) = (0_usize, Vec::new());
    for scores in scores {
        let of = |new: bool| {
            let own: Vec<usize> = (0..scores.len()).filter(|item| is_new(*item as u32) == new).collect();
            sorted(scores, &own, k).iter().map(|item| scores[*item as usize]).collect::<Vec<f64>>()
        };
        let (old, new) = (of(false), of(true));
        let total = |new_places: usize| old[..k - new_places].iter().chain(&new[..new_places]).sum::<f64>();
        let most = (0..=k).max_by(|a, b| total(*a).total_cmp(&total(*b))).unwrap();
        best += most;
        costs.extend((most..k).map(|places| total(places) - total(places + 1)));
    }
    costs.sort_by(f64::total_cmp);
    costs.iter().take(wanted - best).sum()
}

#[test]
fn what_chance_showed_weighs_up_to_what_any_policy_would_have_shown() {
    let scores = [5.0, 4.0, 3.0, 2.0, 1.0, 0.0];
    let worth = [1.0, 0.0, 7.0, 2.0, 0.0, 3.0];
    let mut eligible = Eligible::all(6);
    eligible.remove(1);
    let best = of_scores(&scores, &eligible, 3);
    let (mut firsts, mut estimate) = ([0.0; 6], 0.0);
    let rounds = 40_000;
    for round in 0..rounds {
        let shown = fill(&best, &scores, &eligible, 0.4, (9, round)).unwrap();
        assert_eq!(shown.len(), 3);
        firsts[shown[0].item as usize] += 1.0 / rounds as f64;
        // The policy that always shows item 2 first.
        if shown[0].item == 2 {
            estimate += worth[2] / shown[0].propensity / rounds as f64;
        }
    }
    // The best has 0.6 and a fifth of 0.4; the others a fifth of it each.
    let expected = [0.68, 0.0, 0.08, 0.08, 0.08, 0.08];
    assert!(
        firsts.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.01),
        "{firsts:?}"
    );
    assert!((estimate - worth[2]).abs() < 0.5, "{estimate}");
}

#[test]
fn without_exploration_the_best_are_shown_and_short_lists_stay_short() {
    let mut eligible = Eligible::none(4);
    eligible.insert(1);
    eligible.insert(3);
    let scores = [0.0, 1.0, 9.0, 2.0];
    let best = of_scores(&scores, &eligible, 3);
    let shown = fill(&best, &scores, &eligible, 0.0, (1, 1)).unwrap();
    assert_eq!(shown.iter().map(|it| it.item).collect::<Vec<_>>(), [3, 1]);
    assert!(shown.iter().all(|it| !it.explored && (it.propensity - 1.0).abs() < 1e-12));
    assert!(fill(&best, &scores, &eligible, 1.5, (1, 1)).is_err());
}
