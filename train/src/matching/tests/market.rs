//! Markets whose truth is known: what logs say of lists, what newcomers' places cost, and whether named reasons matter.

use crate::{
    anomaly::dice::Dice,
    matching::{
        Because, CANDIDATES, Interactions, Scorer, Split,
        exposure::keep_places,
        lists,
        market::{Market, Plan},
        metrics::value_order,
        off_policy::{Logged, estimate},
        top::{Eligible, Scored, of_scores},
    },
    policy::LogError,
};

fn fitted(name: &str, market: &Market) -> Box<dyn Scorer> {
    let candidate = CANDIDATES.iter().find(|it| it.name == name).unwrap();
    (candidate.fit)(&market.seen, 1).unwrap()
}

/// What places showed that took one of a user's ten best at first, and any campaign at a rate.
fn shown(market: &Market, scorer: &dyn Scorer, rate: f64, seed: u64) -> Vec<Logged> {
    let mut dice = Dice::new(seed, 1);
    let (users, items) = (market.seen.interactions.users(), market.seen.interactions.items());
    let mut log = Vec::new();
    for user in 0..users {
        let best = of_scores(&scorer.scores(user), &Eligible::all(items), 10);
        for _ in 0..6 {
            let item =
                if dice.unit() < rate { dice.index(items) } else { best[dice.index(10)].item as usize };
            let is_best = best.iter().any(|scored| scored.item as usize == item);
            let propensity = rate / items as f64 + if is_best { (1.0 - rate) / 10.0 } else { 0.0 };
            let noise = libm::exp(0.5 * dice.normal() - 0.125);
            let value = market.truth()[user * items + item] * noise;
            log.push(Logged { user: user as u32, item: item as u32, propensity, value });
        }
    }
    log
}

#[test]
fn intervals_hold_what_lists_would_have_brought() {
    let plan = Plan { affiliates: 300, campaigns: 40, density: 0.1, ..Plan::default() };
    let (mut held, mut refused) = ([0; 3], 0);
    for seed in 0..100 {
        let market = Market::draw(&plan, 500 + seed).unwrap();
        let items = plan.campaigns;
        let log = shown(&market, fitted("popularity", &market).as_ref(), 0.8, seed);
        let wanted = fitted("cosine", &market);
        let chances = |user: u32| {
            let best = of_scores(&wanted.scores(user as usize), &Eligible::all(items), 5);
            let mut chances: Vec<(u32, f64)> = best.iter().map(|scored| (scored.item, 0.2)).collect();
            chances.sort_by_key(|it| it.0);
            chances
        };
        let of_user = |user: usize| -> f64 {
            let chances = chances(user as u32);
            chances.iter().map(|(item, chance)| chance * market.truth()[user * items + *item as usize]).sum()
        };
        let truth = (0..plan.affiliates).map(of_user).sum::<f64>() / plan.affiliates as f64;
        let Ok(said) = estimate(&log, chances) else {
            refused += 1;
            continue;
        };
        for (held, said) in held.iter_mut().zip(said) {
            *held += usize::from(said.value.holds(truth));
        }
    }
    // In one of a thousand weights are further from what they should be than chance takes them.
    assert!(
        refused <= 2 && held.iter().all(|held| (93..=100 - refused).contains(held)),
        "{held:?}, {refused}"
    );
}

#[test]
fn a_log_that_says_too_little_is_refused() {
    let plan = Plan { affiliates: 200, campaigns: 40, density: 0.1, ..Plan::default() };
    let market = Market::draw(&plan, 1).unwrap();
    let log = shown(&market, fitted("popularity", &market).as_ref(), 0.5, 1);
    let few: Vec<Logged> = log.iter().filter(|row| row.user < 20).copied().collect();
    assert!(matches!(estimate(&few, |_| vec![(3, 1.0)]), Err(LogError::TooFew { .. })));
    // What was never shown although it would always be.
    let without: Vec<Logged> = log.iter().filter(|row| 5 <= row.item).copied().collect();
    let half = |user: u32| if user < 150 { vec![(3, 1.0)] } else { vec![(9, 1.0)] };
    let told = estimate(&without, half);
    assert!(matches!(told, Err(LogError::TooFew { .. } | LogError::Unsupported { .. })), "{told:?}");
}

/// What the best untried items of each user are truly worth, before and after newcomers have their share.
fn cost_of_a_floor(market: &Market, new: f64) -> (f64, f64) {
    let all = &market.seen.interactions;
    let scorer = fitted("value", market);
    let popularity = all.popularity();
    let is_new = |item: u32| popularity[item as usize] == 0;
    let best = |wanted: &dyn Fn(u32) -> bool| -> Vec<Vec<Scored>> {
        let of_user = |user: usize| {
            let mut untried = Eligible::none(all.items());
            let open = (0..all.items()).filter(|item| !all.contains(user, *item) && wanted(*item as u32));
            open.for_each(|item| untried.insert(item));
            of_scores(&scorer.scores(user), &untried, 10)
        };
        (0..all.users()).map(of_user).collect()
    };
    let mut lists = best(&|_| true);
    let worth = |lists: &[Vec<Scored>]| -> f64 {
        let of = |(user, list): (usize, &Vec<Scored>)| -> f64 {
            list.iter().map(|it| market.truth()[user * all.items() + it.item as usize]).sum()
        };
        lists.iter().enumerate().map(of).sum()
    };
    let before = worth(&lists);
    let floor = keep_places(&mut lists, &best(&is_new), is_new, new);
    (floor.share, 1.0 - worth(&lists) / before)
}

#[test]
fn newcomers_have_their_share_of_places_at_a_hundredth_of_the_value_at_most() {
    let plan = Plan { affiliates: 500, campaigns: 120, density: 0.04, ..Plan::default() };
    for seed in [71, 72] {
        let market = Market::draw(&plan, seed).unwrap();
        for (market, new) in [(&market, plan.new_campaigns), (&market.turned().unwrap(), plan.new_affiliates)]
        {
            let (share, cost) = cost_of_a_floor(market, new);
            assert!(new <= share + 1e-9 && cost <= 0.01, "seed {seed}: {share} of {new} for {cost}");
        }
    }
}

#[test]
fn without_what_a_reason_names_a_pair_is_worth_less() {
    let plan = Plan { affiliates: 500, campaigns: 120, density: 0.04, ..Plan::default() };
    let market = Market::draw(&plan, 81).unwrap();
    let scorer = fitted("value", &market);
    let (mut lower, mut all) = (0, 0);
    let lists = lists(scorer.as_ref(), &market.seen.interactions, 10);
    for (user, list) in lists.iter().enumerate().step_by(5) {
        let scores = scorer.scores(user);
        for item in list {
            let reasons = scorer.reasons(user, *item as usize);
            let named = reasons.iter().filter(|it| it.because != Because::Rest);
            let strongest = named.max_by(|a, b| a.contribution.total_cmp(&b.contribution)).unwrap();
            let without = scorer.without(user, *item as usize, &strongest.because).unwrap();
            all += 1;
            lower += usize::from(without < scores[*item as usize]);
        }
    }
    assert!(0.95 * f64::from(all) <= lower as f64, "{lower} of {all}");
}

#[test]
fn the_value_model_orders_known_pairs_best_though_others_guess_better_which_happen() {
    let plan = Plan { affiliates: 400, campaigns: 80, density: 0.08, ..Plan::default() };
    let market = Market::draw(&plan, 91).unwrap();
    let parts = Split::Random { test: 0.3 }.part(&market.seen.interactions, 1).unwrap();
    let learned = market.seen.with(parts.train.clone()).unwrap();
    let order = |name: &str| {
        let candidate = CANDIDATES.iter().find(|it| it.name == name).unwrap();
        value_order((candidate.fit)(&learned, 1).unwrap().as_ref(), &parts.test).unwrap()
    };
    let (value, popularity, als) = (order("value"), order("popularity"), order("als"));
    assert!(popularity.abs() < 0.3 && als + 0.1 < value && value < 1.0, "{popularity} {als} {value}");
    let alike = parts.test.rows().iter().map(|row| crate::matching::Interaction { value: 2.0, ..*row });
    let alike = Interactions::new(plan.affiliates, plan.campaigns, alike.collect()).unwrap();
    let popularity = fitted("popularity", &market);
    assert_eq!(value_order(popularity.as_ref(), &alike), None);
}
