//! Metrics worked out by hand.

use proptest::prelude::*;

use crate::anomaly::matrix::Values;
use crate::matching::{
    Interaction, Interactions, Profiles,
    metrics::{judge, of_list},
};

fn check(list: &[u32], relevant: &[u32], k: usize, expected: [f64; 3]) {
    let found = of_list(list, relevant, k).unwrap();
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }
}

#[test]
fn one_hit_at_the_third_of_three_places() {
    check(&[4, 5, 6], &[6], 3, [1.0, 0.5, 1.0 / 3.0]);
}

#[test]
fn the_ideal_list_holds_no_more_than_its_places() {
    check(&[1, 2], &[1, 2, 3, 4], 2, [0.5, 1.0, 1.0]);
}

#[test]
fn hits_at_the_first_and_third_place() {
    let gain = (1.0 + 0.5) / (1.0 + 1.0 / 3.0_f64.log2());
    check(&[7, 1, 9], &[7, 9], 3, [1.0, gain, f64::midpoint(1.0, 2.0 / 3.0)]);
}

#[test]
fn what_lies_beyond_k_does_not_count() {
    check(&[1, 2, 3], &[3], 2, [0.0, 0.0, 0.0]);
}

#[test]
fn lists_are_judged_by_warm_and_new_and_by_how_they_share_out_places() {
    let row = |user, item| Interaction { user, item, value: 1.0, ts_us: 0 };
    let train = Interactions::new(2, 4, vec![row(0, 0), row(0, 1)]).unwrap();
    let test = Interactions::new(2, 4, vec![row(0, 2), row(1, 0)]).unwrap();
    let found = judge(&[vec![2], vec![1]], &train, &test, 1);
    assert_eq!((found.all.users, found.warm.users, found.new.users), (2, 1, 1));
    assert_eq!(
        [found.all.ndcg, found.warm.ndcg, found.new.ndcg].map(|it| it.to_bits()),
        [0.5, 1.0, 0.0_f64].map(f64::to_bits)
    );
    assert_eq!((found.new_items.users, found.warm_items.users), (1, 1));
    assert!((found.coverage - 0.5).abs() < 1e-12 && (found.gini - 0.5).abs() < 1e-12);
    // Item 2 had nobody of two users, and item 1 one of them.
    assert!((found.novelty - f64::midpoint(3.0_f64.log2(), 1.5_f64.log2())).abs() < 1e-12);
}

#[test]
fn several_rows_of_a_pair_are_one_with_their_mean() {
    let row = |value, ts_us| Interaction { user: 0, item: 1, value, ts_us };
    let all = Interactions::new(1, 2, vec![row(4.0, 9), row(1.0, 3), row(1.0, 5)]).unwrap();
    assert_eq!((all.rows(), all.counts()), (&[row(2.0, 9)][..], &[3][..]));
    assert!(Interactions::new(1, 1, vec![row(1.0, 0)]).is_err());
    assert!(Interactions::new(1, 2, vec![row(f64::NAN, 0)]).is_err());
}

#[test]
fn columns_become_words_and_ranges() {
    let texts = ["a|b", "b", "a", "c"].map(|it| Some(it.to_owned())).to_vec();
    let numbers = vec![1.0, 1.0, 2.0, 2.0];
    let columns = [("tag".to_owned(), Values::Categories(texts)), ("n".to_owned(), Values::Numbers(numbers))];
    let profiles = Profiles::from_columns(&columns).unwrap();
    assert_eq!(profiles.names(), ["n=1..2", "n=2..", "tag=a", "tag=b"]);
    let having: Vec<Vec<u32>> = (0..4).map(|row| profiles.row(row).iter().map(|it| it.0).collect()).collect();
    assert_eq!(having, [vec![0, 2, 3], vec![0, 3], vec![1, 2], vec![1]]);
}

proptest! {
    #[test]
    fn metrics_are_parts_and_better_lists_are_better(
        list in Just((0..20_u32).collect::<Vec<_>>()).prop_shuffle(),
        relevant in prop::collection::btree_set(0..20_u32, 1..8),
        k in 1_usize..12,
    ) {
        let relevant: Vec<u32> = relevant.into_iter().collect();
        let found = of_list(&list, &relevant, k).unwrap();
        prop_assert!(found.iter().all(|it| (0.0..=1.0 + 1e-12).contains(it)));
        let mut sorted = list;
        sorted.sort_by_key(|item| !relevant.contains(item));
        let best = of_list(&sorted, &relevant, k).unwrap();
        prop_assert!((best[1] - 1.0).abs() < 1e-12 && (best[2] - 1.0).abs() < 1e-12);
        prop_assert!(found.iter().zip(best).all(|(found, best)| *found <= best + 1e-12));
    }
}
