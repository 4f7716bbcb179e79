//! Factor models against a sorted list of products.

use models::graph::{
    Dim, ElementType, Graph, Metadata, TensorType,
    factors::{Factors, Precision},
};
use proptest::prelude::*;

use crate::running::{Given, run, same};

const RANK: usize = 3;

fn factors() -> impl Strategy<Value = Factors> {
    (0_usize..6, 3_usize..9).prop_flat_map(|(users, items)| {
        // Quarters, so that some scores are equal.
        let vector =
            |count: usize| prop::collection::vec((-8_i32..9).prop_map(|it| f64::from(it) / 4.0), count);
        let tables = (vector(users * RANK), vector(items * RANK), vector(users), vector(items), vector(RANK));
        (tables, any::<bool>()).prop_map(|((users, items, user_bias, item_bias, unknown_user), single)| {
            Factors {
                rank: RANK,
                users,
                items,
                user_bias,
                item_bias,
                mean: 0.5,
                unknown_user,
                element: if single { Precision::Single } else { Precision::Double },
            }
        })
    })
}

fn score(factors: &Factors, user: i64, item: usize) -> f64 {
    let known = usize::try_from(user).ok().filter(|user| *user < factors.user_bias.len());
    let vector = known.map_or(factors.unknown_user.as_slice(), |user| &factors.users[user * RANK..][..RANK]);
    let fit: f64 = vector.iter().zip(&factors.items[item * RANK..][..RANK]).map(|(a, b)| a * b).sum();
    fit + known.map_or(0.0, |user| factors.user_bias[user]) + factors.item_bias[item] + factors.mean
}

fn numbers(graph: &mut Graph, name: &str) -> models::graph::Value {
    graph.input(name, TensorType::new(ElementType::I64, &[Dim::Batch]), "numbers").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_best_items_come_in_order(factors in factors(), users in prop::collection::vec(-2_i64..8, 5), k in 1_usize..4) {
        let mut graph = Graph::new("test");
        let user = numbers(&mut graph, "user");
        let best = factors.add_best(&mut graph, &user, k).unwrap();
        graph.output("items", &best.items, "").unwrap();
        graph.output("scores", &best.scores, "").unwrap();
        let bytes = graph.finish(&Metadata::default()).unwrap();
        let answers = run(&bytes, &[("user", Given::I64(users.clone()))]);
        let (mut items, mut scores) = (Vec::new(), Vec::new());
        for user in users {
            let mut order: Vec<usize> = (0..factors.item_bias.len()).collect();
            order.sort_by(|a, b| score(&factors, user, *b).total_cmp(&score(&factors, user, *a)));
            items.extend(order.iter().take(k).map(|item| *item as f64));
            scores.extend(order.iter().take(k).map(|item| score(&factors, user, *item)));
        }
        same(&answers["scores"], &scores, 1e-6);
        same(&answers["items"], &items, 0.0);
    }

    #[test]
    fn a_pair_has_a_score(factors in factors(), pairs in prop::collection::vec((-2_i64..8, 0_i64..3), 5)) {
        let mut graph = Graph::new("test");
        let (user, item) = (numbers(&mut graph, "user"), numbers(&mut graph, "item"));
        let scores = factors.add_pairs(&mut graph, &user, &item).unwrap();
        graph.output("scores", &scores, "").unwrap();
        let bytes = graph.finish(&Metadata::default()).unwrap();
        let (users, items): (Vec<i64>, Vec<i64>) = pairs.iter().copied().unzip();
        let answers = run(&bytes, &[("user", Given::I64(users)), ("item", Given::I64(items))]);
        let expected: Vec<f64> = pairs.iter().map(|(user, item)| score(&factors, *user, *item as usize)).collect();
        same(&answers["scores"], &expected, 1e-6);
    }
}

#[test]
fn tables_that_contradict_themselves_are_refused() {
    let factors = Factors {
        rank: 2,
        items: vec![0.0; 4],
        item_bias: vec![0.0; 2],
        unknown_user: vec![0.0; 2],
        ..Factors::default()
    };
    let mut graph = Graph::new("test");
    let user = numbers(&mut graph, "user");
    factors.add_best(&mut graph, &user, 2).unwrap();
    let sentence = factors.add_best(&mut graph, &user, 3).unwrap_err().to_string();
    assert!(sentence.contains("there are no 3 largest of 2"), "{sentence}");
    let wrong = Factors { items: vec![0.0; 3], ..factors.clone() };
    let sentence = wrong.add_best(&mut graph, &user, 1).unwrap_err().to_string();
    assert!(sentence.contains("there are 3 elements of items, and there must be 4"), "{sentence}");
    let rows = graph.input("rows", TensorType::rows(ElementType::F64, 1), "").unwrap();
    let sentence = factors.add_best(&mut graph, &rows, 1).unwrap_err().to_string();
    assert!(
        sentence.contains("it takes int64[batch], a number for each row, not double[batch, 1]"),
        "{sentence}"
    );
}
