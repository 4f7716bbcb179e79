//! Pairs are worth the same however trees are asked, and a first look finds whom the trees find best.

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    ranker::{Part, Party},
    value::{Grove, Reader, Value},
};
use crate::graph::{
    pairs::{Pairs, Shared},
    told::{Range, Told},
};

/// Features of users, of items, and how many of each there are.
const OF_USER: usize = 6;
const OF_ITEM: usize = 5;
const COUNT: usize = 12;

/// A tree as deep as chance has it, below the node that is there.
fn grown(trees: &mut Grove, bits: &mut impl Iterator<Item = u32>, depth: u32) -> u32 {
    let node = trees.feature.len();
    let drawn = bits.next().unwrap_or_default();
    let value = f64::from(drawn % 1_000) / 100.0 - 5.0;
    let columns = (OF_USER + OF_ITEM + 1 + 4) as u32;
    trees.feature.push(-1);
    trees.threshold.push([0.5, 0.0, -0.5, value / 5.0][(drawn / 7 % 4) as usize]);
    trees.left.push(0);
    trees.right.push(0);
    trees.missing_left.push(drawn.is_multiple_of(2));
    trees.expected.push(value);
    if depth < 5 && !drawn.is_multiple_of(4) {
        trees.feature[node] = (drawn / 16 % columns).cast_signed();
        trees.left[node] = grown(trees, bits, depth + 1);
        trees.right[node] = grown(trees, bits, depth + 1);
    }
    node as u32
}

fn reader(bits: &[u32], numbers: &[f64]) -> Reader {
    let told = |features: usize| Told {
        columns: features,
        features: (0..features).map(|column| Range { column, low: 0.5, high: f64::INFINITY }).collect(),
    };
    let table = |count: usize, skip: usize| numbers.iter().cycle().skip(skip).take(count).copied().collect();
    let shared = Shared { features: [vec![0, 1, 2], vec![0, 1]], same: vec![(0, 0), (2, 1)] };
    let pairs = Pairs {
        told: [told(OF_USER), told(OF_ITEM)],
        shared: vec![shared],
        effects: [table(COUNT, 1), table(COUNT, 2)],
        crossed: [table(COUNT * OF_USER, 3), table(COUNT * OF_ITEM, 4)],
    };
    let names = (0..OF_USER + OF_ITEM + 1 + 4).map(|it| it.to_string()).collect();
    let mut trees = Grove { base: 0.25, ..Grove::default() };
    let mut bits = bits.iter().copied();
    while bits.len() != 0 {
        let root = grown(&mut trees, &mut bits, 0);
        trees.roots.push(root);
    }
    Reader::new(Value { pairs, names, trees })
}

fn party(reader: &Reader, (side, features): (usize, usize), bits: u32) -> Party {
    let number = Some(bits % COUNT as u32).filter(|_| !bits.is_multiple_of(5));
    let raw: Vec<f64> = (0..features).map(|at| f64::from(bits >> (8 + at) & 1)).collect();
    let features = reader.features(side, &raw);
    Party { number, words: reader.words(side, &features), features, ..Party::default() }
}

proptest! {
    #[test]
    fn pairs_are_worth_the_same_however_trees_are_asked(
        bits in prop::collection::vec(any::<u32>(), 1..300),
        numbers in prop::collection::vec(-2.0..2.0_f64, 1..40),
        users in prop::collection::vec(any::<u32>(), 1..8),
        items in prop::collection::vec(any::<u32>(), 1..8),
    ) {
        let reader = reader(&bits, &numbers);
        let all = |bits: &[u32], side: (usize, usize)| -> Vec<Arc<Party>> {
            bits.iter().map(|bits| Arc::new(party(&reader, side, *bits))).collect()
        };
        let (users, items) = (all(&users, (0, OF_USER)), all(&items, (1, OF_ITEM)));
        for user in &users {
            let quick = reader.worths_with((Part::User, user), items.iter().map(|it| &**it));
            for (item, quick) in items.iter().zip(quick) {
                let mut row = Vec::new();
                reader.fill(&mut row, user, item);
                prop_assert_eq!(reader.worths(&row)[0].to_bits(), quick.to_bits());
                let other = reader.worths_with((Part::Item, item), [&**user].into_iter());
                prop_assert_eq!(other[0].to_bits(), quick.to_bits());
                let credits: f64 = reader.credits(&row).iter().sum();
                let nothing = reader.worths(&row)[0] - credits;
                let rooted = reader.expected_of_all();
                prop_assert!((nothing - rooted).abs() < 1e-9, "{} is not {}", nothing, rooted);
            }
        }
    }
}
