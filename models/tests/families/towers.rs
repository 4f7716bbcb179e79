//! Two towers, and pairs of both sides, against plain sums and sets.

use models::graph::{
    Dim, ElementType, Graph, Metadata, TensorType,
    pairs::{Asked, Pairs, Shared},
    told::{Range, Told},
    towers::{Tower, Towers},
};
use proptest::prelude::*;

use crate::running::{Given, refusal, run, same};

const RANK: usize = 3;
const ITEMS: usize = 7;

/// Two words, and a number with two ranges.
fn told() -> Told {
    let range = |column, low, high| Range { column, low, high };
    let word = |column| range(column, 0.5, f64::INFINITY);
    Told {
        columns: 3,
        features: vec![word(1), range(0, f64::MIN, 2.0), word(2), range(0, 2.0, f64::INFINITY)],
    }
}

fn quarters(count: usize) -> impl Strategy<Value = Vec<f64>> {
    // So that some scores are equal.
    prop::collection::vec((-8_i32..9).prop_map(|it| f64::from(it) / 4.0), count)
}

fn raw() -> impl Strategy<Value = Vec<f64>> {
    let number =
        prop_oneof![-3.0_f64..5.0, Just(2.0), Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)];
    (number, 0..2_u8, 0..2_u8).prop_map(|(number, one, other)| vec![number, f64::from(one), f64::from(other)])
}

fn towers() -> impl Strategy<Value = Towers> {
    (0_usize..4, any::<bool>()).prop_flat_map(|(users, bends)| {
        let bend = quarters(if bends { RANK * RANK } else { 0 });
        let tables =
            (quarters(users * RANK), quarters(ITEMS * RANK), quarters(4 * RANK), quarters(RANK), bend);
        tables.prop_map(|(users, items, weights, bias, bend)| Towers {
            rank: RANK,
            users,
            items,
            newcomers: Tower { told: told(), weights, bias, bend },
        })
    })
}

fn numbers(graph: &mut Graph, name: &str) -> models::graph::Value {
    graph.input(name, TensorType::new(ElementType::I64, &[Dim::Batch]), "numbers").unwrap()
}

/// The score of each item by plain sums, whatever the library says of itself.
fn scores(towers: &Towers, user: i64, raw: &[f64]) -> Vec<f64> {
    let known = usize::try_from(user).ok().filter(|user| (user + 1) * RANK <= towers.users.len());
    let vector = known.map_or_else(
        || {
            let Tower { weights, bias, bend, .. } = &towers.newcomers;
            let is_number = raw[0].is_finite();
            let has = [0.5 < raw[1], is_number && raw[0] < 2.0, 0.5 < raw[2], is_number && 2.0 <= raw[0]];
            let hidden: Vec<f64> = (0..RANK)
                .map(|at| {
                    bias[at] + (0..4).filter(|it| has[*it]).map(|it| weights[it * RANK + at]).sum::<f64>()
                })
                .collect();
            let bent =
                |at: usize| (0..RANK).map(|it| hidden[it].max(0.0) * bend[it * RANK + at]).sum::<f64>();
            (0..RANK).map(|at| hidden[at] + if bend.is_empty() { 0.0 } else { bent(at) }).collect()
        },
        |user| towers.users[user * RANK..(user + 1) * RANK].to_vec(),
    );
    towers.items.chunks(RANK).map(|item| item.iter().zip(&vector).map(|(a, b)| a * b).sum()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_best_eligible_items_of_known_users_and_strangers_come_in_order(
        towers in towers(),
        rows in prop::collection::vec((-2_i64..6, raw(), prop::collection::vec(any::<bool>(), ITEMS)), 1..5),
        k in 1_usize..=ITEMS,
    ) {
        let mut graph = Graph::new("test");
        let user = numbers(&mut graph, "user");
        let told = graph.input("told", TensorType::rows(ElementType::F64, 3), "").unwrap();
        let eligible = graph.input("eligible", TensorType::rows(ElementType::F64, ITEMS), "").unwrap();
        let suited = towers.add(&mut graph, (&user, Some(&told)), &eligible, k).unwrap();
        graph.output("items", &suited.items, "").unwrap();
        graph.output("scores", &suited.scores, "").unwrap();
        graph.output("fit", &suited.all, "").unwrap();
        let bytes = graph.finish(&Metadata::default()).unwrap();
        let answers = run(&bytes, &[
            ("user", Given::I64(rows.iter().map(|row| row.0).collect())),
            ("told", Given::F64(3, rows.iter().flat_map(|row| row.1.clone()).collect())),
            ("eligible", Given::F64(ITEMS, rows.iter().flat_map(|row| row.2.iter().map(|it| f64::from(u8::from(*it)))).collect())),
        ]);
        for (at, (user, raw, eligible)) in rows.iter().enumerate() {
            let expected = scores(&towers, *user, raw);
            same(&answers["fit"][at * ITEMS..(at + 1) * ITEMS], &expected, 1e-12);
            let known = usize::try_from(*user).ok();
            same(&towers.scores(known, raw), &expected, 1e-12);
            let mut order: Vec<usize> = (0..ITEMS).filter(|item| eligible[*item]).collect();
            order.sort_by(|a, b| expected[*b].total_cmp(&expected[*a]).then(a.cmp(b)));
            order.truncate(k);
            let items: Vec<usize> = answers["items"][at * k..][..order.len()].iter().map(|it| *it as usize).collect();
            let best: Vec<f64> = order.iter().map(|item| expected[*item]).collect();
            same(&answers["scores"][at * k..][..order.len()], &best, 1e-12);
            prop_assert_eq!(items, order);
            prop_assert!(answers["scores"][at * k..(at + 1) * k][best.len()..].iter().all(|it| *it == f64::NEG_INFINITY));
        }
    }

    #[test]
    fn a_pair_becomes_what_both_have_what_they_share_and_what_is_particular(
        effects in (quarters(2), quarters(3), quarters(3 * 4), quarters(2 * 4)),
        rows in prop::collection::vec((-1_i64..4, -1_i64..5, raw(), raw()), 1..5),
    ) {
        let (of_users, of_items, with_users, with_items) = effects;
        let shared = Shared { features: [vec![0, 2], vec![0, 2]], same: vec![(0, 0), (2, 2)] };
        let pairs = Pairs {
            told: [told(), told()],
            shared: vec![shared],
            effects: [of_users.clone(), of_items.clone()],
            crossed: [with_users.clone(), with_items.clone()],
        };
        let mut graph = Graph::new("test");
        let (user, item) = (numbers(&mut graph, "user"), numbers(&mut graph, "item"));
        let input = |graph: &mut Graph, name: &str| graph.input(name, TensorType::rows(ElementType::F64, 3), "").unwrap();
        let (mine, theirs) = (input(&mut graph, "mine"), input(&mut graph, "theirs"));
        let columns = pairs.add(&mut graph, &Asked { numbers: [&user, &item], raw: [&mine, &theirs] }).unwrap();
        graph.output("columns", &columns, "").unwrap();
        let bytes = graph.finish(&Metadata::default()).unwrap();
        let answers = run(&bytes, &[
            ("user", Given::I64(rows.iter().map(|row| row.0).collect())),
            ("item", Given::I64(rows.iter().map(|row| row.1).collect())),
            ("mine", Given::F64(3, rows.iter().flat_map(|row| row.2.clone()).collect())),
            ("theirs", Given::F64(3, rows.iter().flat_map(|row| row.3.clone()).collect())),
        ]);
        for (at, (user, item, mine, theirs)) in rows.iter().enumerate() {
            let (mine, theirs) = (told().of(mine), told().of(theirs));
            let words = |told: &[f64]| [0, 2].into_iter().filter(|it| 0.5 < told[*it]).collect::<Vec<usize>>();
            let (my_words, their_words) = (words(&mine), words(&theirs));
            let both = my_words.iter().filter(|it| their_words.contains(it)).count() as f64;
            let either = (my_words.len() + their_words.len()) as f64 - both;
            let own = |effects: &[f64], number: i64| {
                usize::try_from(number).ok().and_then(|number| effects.get(number).copied()).unwrap_or(0.0)
            };
            let mean = |effects: &[f64], number: i64, told: &[f64]| {
                let at = |feature: usize| if number < 0 { 0.0 } else { own(effects, number * 4 + feature as i64) };
                let sum: f64 = (0..4).map(|feature| told[feature] * at(feature)).sum();
                f64::from((sum / told.iter().sum::<f64>().max(1.0)) as f32)
            };
            let expected = [
                mine.clone(),
                theirs.clone(),
                vec![
                    both / either,
                    own(&of_items, *item),
                    own(&of_users, *user),
                    mean(&with_users, *item, &mine),
                    mean(&with_items, *user, &theirs),
                ],
            ];
            same(&answers["columns"][at * 13..(at + 1) * 13], &expected.concat(), 1e-6);
        }
    }
}

#[test]
fn tables_that_contradict_themselves_are_refused() {
    let towers = Towers { rank: 2, users: vec![1.0; 3], newcomers: Tower::default(), items: vec![1.0; 4] };
    let refused = |towers: &Towers| {
        refusal(2, |graph, eligible| {
            let user = numbers(graph, "user");
            towers.add(graph, (&user, None), eligible, 1)
        })
    };
    assert!(refused(&towers).contains("elements of users"));
    let towers = Towers { users: vec![1.0; 2], ..towers };
    assert!(refused(&towers).contains("elements of a newcomer's vector"));
    let towers =
        Towers { items: vec![1.0; 6], newcomers: Tower { bias: vec![0.0; 2], ..Tower::default() }, ..towers };
    assert!(refused(&towers).contains("columns of eligible"));
    let told = Told { columns: 1, features: vec![Range { column: 1, low: 0.0, high: 1.0 }] };
    assert!(refusal(1, |graph, raw| told.add(graph, raw)).contains("no raw column 1"));
}
