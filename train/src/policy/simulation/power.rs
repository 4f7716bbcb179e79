//! What six months of 400 partners can tell of a better policy: with rewards as they came, and with what early outcomes say
//! of them.

use super::{
    Shape,
    world::{Month, World, dice},
};
use crate::{
    partner,
    policy::{
        Candidate, Contexts, Judgement, Log, Settings, Surrogate, cross_fitted, estimate::DR, judge,
        judge_by_surrogate,
    },
};
use rand::RngExt;

const MONTHS: usize = 6;
const LOGS: u64 = 400;
const GRID: [f64; 3] = [0.08, 0.10, 0.12];
const PROPENSITIES: [f64; 3] = [0.25, 0.5, 0.25];

/// Months that chance decided, with what was known beforehand.
struct Logged {
    partners: Vec<u32>,
    actions: Vec<u32>,
    rewards: Vec<f64>,
    outcomes: Vec<f64>,
    contexts: Vec<f64>,
    /// The policy to be judged, row by row.
    wanted: Vec<f64>,
    surrogate: Surrogate,
    /// By how much the policy truly is better, for each decision.
    better: f64,
}

/// What is known of a partner from the months before: the worth of a conversion, and how many there are in a month.
struct Known {
    worth: f64,
    level: f64,
}

/// Commission, and what honest customers and those who bought early let expect: none of it is a late reward.
fn outcomes(month: &Month, known: &Known) -> [f64; 3] {
    let early = month.values.iter().filter(|value| 0.0 < **value).count() as f64;
    [month.spend, known.worth * month.values.len() as f64, known.worth * early]
}

fn reward(month: &Month) -> f64 {
    month.values.iter().sum::<f64>() - month.spend
}

fn known(world: &World, months: &[Vec<Month>]) -> Vec<Known> {
    let values: Vec<Vec<f64>> = (0..world.truths.len())
        .map(|partner| months.iter().flat_map(|month| month[partner].predicted.iter().copied()).collect())
        .collect();
    let partners: Vec<_> = values
        .iter()
        .zip(&world.truths)
        .map(|(values, truth)| partner::Partner {
            source: truth.source,
            profile: &[],
            clicks: values.len() as u64,
            values,
        })
        .collect();
    let worths = partner::fit(&partners, world.shape.sources).unwrap();
    let one = |place: usize| {
        let count: usize = months.iter().map(|month| month[place].conversions()).sum();
        let honest = values[place].len() as f64 / count.max(1) as f64;
        let worth = worths.worth(&partners[place]).unwrap().per_conversion.expected();
        Known { worth: worth * honest, level: count as f64 / months.len() as f64 }
    };
    (0..values.len()).map(one).collect()
}

/// The policy: the rate of the grid nearest to the best one at the usual elasticity, by what was known beforehand.
fn wanted(world: &World, known: &Known) -> usize {
    let elasticity = world.shape.elasticity;
    let best = known.worth / world.shape.order * elasticity / (1.0 + elasticity);
    if best < 0.09 { 0 } else { 1 + usize::from(0.11 < best) }
}

fn logged(shape: &Shape, seed: u64) -> Logged {
    let world = World::new(shape, seed);
    let before = world.before(MONTHS);
    let known = known(&world, &before.months);
    let everybody = || 0..world.truths.len();
    let history =
        |month: &usize| everybody().map(|partner| (partner, &before.months[*month][partner])).collect();
    let seen: Vec<(usize, &Month)> = (0..MONTHS).flat_map(|month| -> Vec<_> { history(&month) }).collect();
    let whose: Vec<u32> = seen.iter().map(|(partner, _)| *partner as u32).collect();
    let early: Vec<f64> =
        seen.iter().flat_map(|(partner, month)| outcomes(month, &known[*partner])).collect();
    let late: Vec<f64> = seen.iter().map(|(_, month)| reward(month)).collect();
    let surrogate = Surrogate::fit(&whose, &early, 3, &late).unwrap();
    let profit = |partner: usize, rate: f64| {
        let truth = &world.truths[partner];
        truth.at(rate, world.shape.flat()) * (truth.honest_value() - rate * world.shape.order)
    };
    let better = everybody().map(|partner| {
        let done: f64 = (0..GRID.len()).map(|arm| PROPENSITIES[arm] * profit(partner, GRID[arm])).sum();
        profit(partner, GRID[wanted(&world, &known[partner])]) - done
    });
    let mut logged = Logged {
        partners: Vec::new(),
        actions: Vec::new(),
        rewards: Vec::new(),
        outcomes: Vec::new(),
        contexts: Vec::new(),
        wanted: Vec::new(),
        surrogate,
        better: better.sum::<f64>() / world.truths.len() as f64,
    };
    for month in MONTHS..2 * MONTHS {
        for partner in everybody() {
            let draw: f64 = dice(seed, 4, partner, month).random_range(0.0..1.0);
            let action = if draw < 0.25 { 0 } else { 1 + usize::from(0.75 <= draw) };
            let made = world.month(partner, month, GRID[action]);
            let Known { worth, level } = known[partner];
            logged.partners.push(partner as u32);
            logged.actions.push(action as u32);
            logged.rewards.push(reward(&made));
            logged.outcomes.extend(outcomes(&made, &known[partner]));
            logged.contexts.extend([level / 20.0, level * worth / 500.0]);
            let chosen = wanted(&world, &known[partner]);
            logged.wanted.extend((0..GRID.len()).map(|arm| f64::from(u8::from(arm == chosen))));
        }
    }
    logged
}

/// What plain and surrogate rewards say of a policy.
fn judged(logged: &Logged, probabilities: &[f64]) -> (Judgement, Judgement) {
    let propensities: Vec<f64> = logged.actions.iter().map(|action| PROPENSITIES[*action as usize]).collect();
    let index: Vec<f64> =
        logged.outcomes.chunks_exact(3).map(|outcomes| logged.surrogate.index(outcomes)).collect();
    let Logged { partners, actions, rewards, .. } = logged;
    let plain = Log { partners, actions, propensities: &propensities, rewards, rates: GRID.len() };
    let early = Log { rewards: &index, ..plain };
    let predicted = |log: &Log<'_>| {
        cross_fitted(
            log,
            Contexts { rows: &logged.contexts, width: 2 },
            &GRID.map(|rate| 50.0 * rate),
            5,
            1e-3,
        )
        .unwrap()
    };
    let (of_plain, of_early) = (predicted(&plain), predicted(&early));
    let settings = Settings::default();
    let candidate = |predicted| Candidate { probabilities, predicted };
    (
        judge(&settings, &plain, &candidate(&of_plain), &DR).unwrap(),
        judge_by_surrogate(&settings, &plain, &candidate(&of_early), &logged.surrogate, &logged.outcomes)
            .unwrap(),
    )
}

fn share(many: &[(Judgement, Judgement, f64)], holds: impl Fn(&(Judgement, Judgement, f64)) -> bool) -> f64 {
    many.iter().filter(|one| holds(one)).count() as f64 / many.len() as f64
}

/// Of many logs: in which share each kind of reward finds that the policy is better, in which share its intervals hold the
/// truth, and how much wider those of late rewards are.
struct Power {
    late: f64,
    early: f64,
    late_covered: f64,
    early_covered: f64,
    wider: f64,
}

fn power(shape: &Shape) -> Power {
    let one = |seed: u64| {
        let logged = logged(shape, seed);
        let (late, early) = judged(&logged, &logged.wanted);
        (late, early, logged.better)
    };
    let many: Vec<_> = (0..LOGS).map(one).collect();
    // Partners of a log are a sample, and so are its sources: the truth is that of all worlds of this shape.
    let truth = many.iter().map(|one| one.2).sum::<f64>() / many.len() as f64;
    let wider =
        many.iter().map(|one| one.0.uplift.error / one.1.uplift.error).sum::<f64>() / many.len() as f64;
    let found = Power {
        late: share(&many, |one| one.0.uplift.is_above_zero()),
        early: share(&many, |one| one.1.uplift.is_above_zero()),
        late_covered: share(&many, |one| one.0.uplift.holds(truth)),
        early_covered: share(&many, |one| one.1.uplift.holds(truth)),
        wider,
    };
    let Power { late, early, late_covered, early_covered, .. } = found;
    println!(
        "better by {truth:.2} a decision; power {late:.3} late, {early:.3} early; covered {late_covered:.3} late, {early_covered:.3} early; errors {wider:.2} : 1"
    );
    found
}

#[test]
fn early_outcomes_find_a_better_policy_that_late_rewards_hide() {
    let few = Shape { conversions: 3.0, ..Shape::default() };
    let Power { late, early, late_covered, early_covered, wider } = power(&few);
    assert!(late < 0.4 && 0.75 < early && 1.8 < wider);
    assert!((0.90..=0.97).contains(&late_covered) && (0.90..=0.97).contains(&early_covered));
}

#[test]
fn early_outcomes_do_not_call_the_same_policy_better() {
    let is_better = |seed: &u64| {
        let logged = logged(&Shape::default(), 10_000 + seed);
        let same: Vec<f64> = logged.actions.iter().flat_map(|_| PROPENSITIES).collect();
        judged(&logged, &same).1.uplift.is_above_zero()
    };
    let share = (0..LOGS).filter(is_better).count() as f64 / LOGS as f64;
    println!("the same policy is called better in {share}");
    assert!(share <= 0.05);
}
