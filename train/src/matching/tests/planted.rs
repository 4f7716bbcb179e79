//! What candidates learn of interactions whose groups are known.

use std::sync::Arc;

use rayon::ThreadPoolBuilder;

use crate::{
    anomaly::{dice::Dice, matrix::Values},
    matching::{
        Because, Blend, BlendPlan, CANDIDATES, Interaction, Interactions, MatchingError, Profiles, Scorer,
        Seen, Split, lists,
        market::{Market, Plan},
        metrics::judge,
    },
};

const USERS: usize = 120;
const ITEMS: usize = 60;
const GROUPS: usize = 4;

/// Users and items of four groups, who have to do with each other nine times of ten; the last user and item are new.
fn planted(seed: u64) -> Arc<Seen> {
    let mut dice = Dice::new(seed, 0);
    let mut rows = Vec::new();
    for user in 0..USERS - 1 {
        for _ in 0..14 {
            let own = dice.unit() < 0.9;
            let item = dice.index(ITEMS - 1);
            let item = if own { item - item % GROUPS + user % GROUPS } else { item };
            if item < ITEMS - 1 {
                let value = 1.0 + dice.unit() + if item % GROUPS == user % GROUPS { 2.0 } else { 0.0 };
                rows.push(Interaction {
                    user: user as u32,
                    item: item as u32,
                    value,
                    ts_us: rows.len() as i64,
                });
            }
        }
    }
    let groups = |count: usize| {
        let word = |at: usize| Some(format!("g{}", at % GROUPS));
        Profiles::from_columns(&[("group".to_owned(), Values::Categories((0..count).map(word).collect()))])
            .unwrap()
    };
    let interactions = Interactions::new(USERS, ITEMS, rows).unwrap();
    Seen::new(interactions, Some(groups(USERS)), Some(groups(ITEMS))).unwrap()
}

fn fitted(seen: &Arc<Seen>) -> Vec<(&'static str, Box<dyn Scorer>)> {
    let blend = Blend::fit(&BlendPlan::for_data(seen, 10), seen, 7).unwrap();
    let candidates = CANDIDATES.iter().map(|it| (it.name, (it.fit)(seen, 7).unwrap()));
    candidates.chain([("blend", Box::new(blend) as Box<dyn Scorer>)]).collect()
}

#[test]
fn all_that_personalise_find_the_group_and_popularity_does_not() {
    let seen = planted(1);
    let parts = Split::Random { test: 0.25 }.part(&seen.interactions, 1).unwrap();
    let seen = seen.with(parts.train.clone()).unwrap();
    for (name, scorer) in fitted(&seen) {
        let found = judge(&lists(scorer.as_ref(), &parts.train, 10), &parts.train, &parts.test, 10);
        let bounds = if name == "popularity" { 0.0..0.3 } else { 0.35..1.0 };
        assert!(bounds.contains(&found.warm.ndcg), "{name}: {found:?}");
    }
}

#[test]
fn contributions_add_up_to_the_score_also_of_newcomers() {
    let seen = planted(2);
    for (name, scorer) in fitted(&seen) {
        for user in [0, 5, USERS - 1] {
            let scores = scorer.scores(user);
            for (item, score) in scores.iter().enumerate() {
                let said: f64 = scorer.reasons(user, item).iter().map(|reason| reason.contribution).sum();
                assert!(
                    (said - score).abs() < 1e-6,
                    "{name}, user {user}, item {item}: {said} is not {score}"
                );
            }
        }
    }
}

#[test]
fn a_new_item_is_placed_by_its_features() {
    let seen = planted(3);
    let newcomer = ITEMS - 1;
    for (name, scorer) in fitted(&seen).into_iter().filter(|(name, _)| !["popularity", "knn"].contains(name))
    {
        let mean = |own: bool| {
            let users: Vec<usize> =
                (0..USERS - 1).filter(|it| (it % GROUPS == newcomer % GROUPS) == own).collect();
            users.iter().map(|user| scorer.scores(*user)[newcomer]).sum::<f64>() / users.len() as f64
        };
        assert!(mean(false) < mean(true), "{name}: {} and {}", mean(false), mean(true));
    }
}

#[test]
fn threads_change_nothing() {
    let scores = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let seen = planted(4);
            fitted(&seen)
                .iter()
                .flat_map(|(_, scorer)| scorer.scores(3))
                .map(f64::to_bits)
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(scores(1), scores(3));
}

#[test]
fn item_regressions_are_the_same_from_either_side() {
    // With fewer items than users the inverse is over items, and with the table turned over users.
    let seen = planted(5);
    let plan = crate::matching::candidates::Ease { features: 0.0, ..Default::default() };
    let plain = Seen::new(seen.interactions.clone(), None, None).unwrap();
    let by_items = crate::matching::candidates::fit_ease(&plan, &plain).unwrap();
    // Items that nobody has make the table wide without changing what is said of the others.
    let wide = Interactions::new(USERS, 3 * USERS, seen.interactions.rows().to_vec()).unwrap();
    let by_users =
        crate::matching::candidates::fit_ease(&plan, &Seen::new(wide, None, None).unwrap()).unwrap();
    for user in [0, 17, USERS - 1] {
        for (one, other) in by_items.scores(user).iter().zip(by_users.scores(user)) {
            assert!((one - other).abs() < 1e-9, "{one} and {other}");
        }
    }
}

#[test]
fn splits_part_as_they_say() {
    let seen = planted(6);
    let all = &seen.interactions;
    let last = Split::LeaveLast.part(all, 0).unwrap();
    for user in 0..USERS {
        let latest = |rows: &[Interaction]| rows.iter().map(|row| row.ts_us).max();
        assert!(last.test.of_user(user).len() <= 1);
        assert!(latest(last.train.of_user(user)) <= latest(last.test.of_user(user)));
    }
    let time = Split::Time { test: 0.3 }.part(all, 0).unwrap();
    let ends = |rows: &[Interaction]| {
        let times = rows.iter().map(|row| row.ts_us);
        (times.clone().min().unwrap(), times.max().unwrap())
    };
    assert!(ends(time.train.rows()).1 < ends(time.test.rows()).0);
    let new = Split::NewItems { test: 0.2 }.part(all, 0).unwrap();
    assert!((0..ITEMS).all(|item| new.train.of_item(item).len() == 0 || new.test.of_item(item).len() == 0));
    assert_eq!(new.train.len() + new.test.len(), all.len());
    assert_eq!(Split::Random { test: 1.0 }.part(all, 0), Err(MatchingError::Share(1.0)));
}

#[test]
fn candidates_have_names_of_their_own_and_say_what_they_need() {
    let mut names: Vec<&str> = CANDIDATES.iter().map(|it| it.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CANDIDATES.len());
    let seen = planted(1);
    let plain = Seen::new(seen.interactions.clone(), None, None).unwrap();
    for candidate in CANDIDATES {
        assert!(candidate.doc.ends_with('.'));
        if let Err(error) = (candidate.fit)(&plain, 0) {
            assert!(matches!(error, MatchingError::Needs { .. }), "{}: {error}", candidate.name);
        }
    }
}

#[test]
fn the_value_model_earns_most_in_a_market_and_as_much_with_newcomers() {
    let market = Market::draw(&Plan { affiliates: 600, density: 0.03, ..Plan::default() }, 301).unwrap();
    let share = |name: &str| {
        let candidate = CANDIDATES.iter().find(|it| it.name == name).unwrap();
        market.share((candidate.fit)(&market.seen, 1).unwrap().as_ref(), 10)
    };
    let (value, cosine, ceiling) = (share("value"), share("cosine"), market.ceiling(10));
    assert!(cosine.all + 0.03 < value.all, "{value:?} and {cosine:?}");
    assert!(value.all < ceiling.all + 0.02, "{value:?} of {ceiling:?}");
    assert!((value.new - value.warm).abs() < 0.05, "{value:?}");
    let turned = market.turned().unwrap();
    let back = turned.turned().unwrap();
    assert_eq!(back.truth(), market.truth());
    assert_eq!(back.seen.interactions, market.seen.interactions);
}

#[test]
fn without_the_interaction_that_a_reason_names_an_item_is_placed_lower() {
    let seen = planted(8);
    let all = &seen.interactions;
    for name in ["ease", "knn", "als", "cosine", "blend"] {
        let fit = |seen: &Arc<Seen>| -> Box<dyn Scorer> {
            match CANDIDATES.iter().find(|it| it.name == name) {
                Some(candidate) => (candidate.fit)(seen, 7).unwrap(),
                None => Box::new(Blend::fit(&BlendPlan::for_data(seen, 10), seen, 7).unwrap()),
            }
        };
        let scorer = fit(&seen);
        let best = lists(scorer.as_ref(), all, 1);
        let (mut lower, mut named) = (0, 0);
        for (user, list) in best.iter().enumerate().step_by(2) {
            let item = list[0] as usize;
            let reasons = scorer.reasons(user, item);
            let strongest = reasons
                .iter()
                .filter(|it| !matches!(it.because, Because::Rest))
                .max_by(|a, b| a.contribution.total_cmp(&b.contribution));
            let Some(Because::Item(own)) = strongest.map(|it| &it.because) else { continue };
            let without = all.select(|_, row| row.user as usize != user || row.item != *own);
            let after = fit(&seen.with(without).unwrap());
            named += 1;
            lower += usize::from(after.scores(user)[item] < scorer.scores(user)[item]);
        }
        assert!(0.95 * f64::from(named) <= lower as f64, "{name}: {lower} of {named}");
    }
}
