//! What six months of 400 partners can tell of a better policy: with rewards as they came, and with what early outcomes say
//! of them.

use rand::RngExt;
use rayon::prelude::*;

use super::{
    Shape,
    world::{Month, World, dice},
};
use crate::{
    linear::SingularError,
    partner::{self, WorthError},
    policy::{
        Candidate, Contexts, Judgement, Log, LogError, Settings, Surrogate, cross_fitted, estimate::DR,
        judge, judge_by_surrogate,
    },
};

/// Why the experiment ended early.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PowerError {
    /// Too little to learn from.
    #[error(transparent)]
    Worth(#[from] WorthError),
    /// Too little to judge by.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Outcomes or contexts say the same.
    #[error(transparent)]
    Same(#[from] SingularError),
}

const MONTHS: usize = 6;
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

fn known(world: &World, months: &[Vec<Month>]) -> Result<Vec<Known>, WorthError> {
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
    let worths = partner::fit(&partners, world.shape.sources)?;
    let one = |place: usize| {
        let count: usize = months.iter().map(|month| month[place].conversions()).sum();
        let honest = values[place].len() as f64 / count.max(1) as f64;
        let worth = worths.worth(&partners[place])?.per_conversion.expected();
        Ok(Known { worth: worth * honest, level: count as f64 / months.len() as f64 })
    };
    (0..values.len()).map(one).collect()
}

/// The policy: the rate of the grid nearest to the best one at the usual elasticity, by what was known beforehand.
fn wanted(world: &World, known: &Known) -> usize {
    let elasticity = world.shape.elasticity;
    let best = known.worth / world.shape.order * elasticity / (1.0 + elasticity);
    if best < 0.09 { 0 } else { 1 + usize::from(0.11 < best) }
}

fn logged(shape: &Shape, seed: u64) -> Result<Logged, PowerError> {
    let world = World::new(shape, seed);
    let before = world.before(MONTHS);
    let known = known(&world, &before.months)?;
    let everybody = || 0..world.truths.len();
    let history =
        |month: &usize| everybody().map(|partner| (partner, &before.months[*month][partner])).collect();
    let seen: Vec<(usize, &Month)> = (0..MONTHS).flat_map(|month| -> Vec<_> { history(&month) }).collect();
    let whose: Vec<u32> = seen.iter().map(|(partner, _)| *partner as u32).collect();
    let early: Vec<f64> =
        seen.iter().flat_map(|(partner, month)| outcomes(month, &known[*partner])).collect();
    let late: Vec<f64> = seen.iter().map(|(_, month)| reward(month)).collect();
    let surrogate = Surrogate::fit(&whose, &early, 3, &late)?;
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
    Ok(logged)
}

/// What plain and surrogate rewards say of a policy.
fn judged(logged: &Logged, probabilities: &[f64]) -> Result<(Judgement, Judgement), PowerError> {
    let propensities: Vec<f64> = logged.actions.iter().map(|action| PROPENSITIES[*action as usize]).collect();
    let index: Vec<f64> =
        logged.outcomes.chunks_exact(3).map(|outcomes| logged.surrogate.index(outcomes)).collect();
    let Logged { partners, actions, rewards, .. } = logged;
    let plain = Log { partners, actions, propensities: &propensities, rewards, rates: GRID.len() };
    let early = Log { rewards: &index, ..plain };
    let contexts = Contexts { rows: &logged.contexts, width: 2 };
    let predicted = |log: &Log<'_>| cross_fitted(log, contexts, &GRID.map(|rate| 50.0 * rate), 5, 1e-3);
    let (of_plain, of_early) = (predicted(&plain)?, predicted(&early)?);
    let settings = Settings::default();
    let candidate = |predicted| Candidate { probabilities, predicted };
    Ok((
        judge(&settings, &plain, &candidate(&of_plain), &DR)?,
        judge_by_surrogate(&settings, &plain, &candidate(&of_early), &logged.surrogate, &logged.outcomes)?,
    ))
}

/// Of many logs of six months: in which share the doubly robust estimator finds that a better policy is better, in which
/// share its 95 % intervals hold the truth, and the same on early outcomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    /// How many logs there were.
    pub logs: u64,
    /// By how much the policy truly is better, for each decision.
    pub better: f64,
    /// In which share rewards find that.
    pub late: f64,
    /// In which share early outcomes do.
    pub early: f64,
    /// In which share the intervals of rewards hold the truth.
    pub late_covered: f64,
    /// In which share those of early outcomes do.
    pub early_covered: f64,
    /// In which share rewards call the policy that was logged better than itself.
    pub late_fooled: f64,
    /// In which share early outcomes do.
    pub early_fooled: f64,
    /// How many times as wide the intervals of rewards are.
    pub wider: f64,
}

/// Logs of one world: what is said of the better policy, of the logged one, and what is true.
struct Tried {
    wanted: (Judgement, Judgement),
    same: (Judgement, Judgement),
    better: f64,
}

/// The experiment over `logs` worlds of this shape, each logged for six months after six; the same seeds give the same numbers.
///
/// # Errors
/// When a world has too little to learn from.
pub fn power(shape: &Shape, logs: u64) -> Result<Power, PowerError> {
    let one = |seed: u64| {
        let logged = logged(shape, seed)?;
        let same: Vec<f64> = logged.actions.iter().flat_map(|_| PROPENSITIES).collect();
        let (wanted, same) = (judged(&logged, &logged.wanted)?, judged(&logged, &same)?);
        Ok(Tried { wanted, same, better: logged.better })
    };
    let many: Vec<Tried> = (0..logs).into_par_iter().map(one).collect::<Result<_, PowerError>>()?;
    let mean = |number: &dyn Fn(&Tried) -> f64| many.iter().map(number).sum::<f64>() / many.len() as f64;
    let share = |holds: &dyn Fn(&Tried) -> bool| mean(&|one| f64::from(u8::from(holds(one))));
    // Partners of a log are a sample, and so are its sources: the truth is that of all worlds of this shape.
    let better = mean(&|one| one.better);
    Ok(Power {
        logs,
        better,
        late: share(&|one| one.wanted.0.uplift.is_above_zero()),
        early: share(&|one| one.wanted.1.uplift.is_above_zero()),
        late_covered: share(&|one| one.wanted.0.uplift.holds(better)),
        early_covered: share(&|one| one.wanted.1.uplift.holds(better)),
        late_fooled: share(&|one| one.same.0.uplift.is_above_zero()),
        early_fooled: share(&|one| one.same.1.uplift.is_above_zero()),
        wider: mean(&|one| one.wanted.0.uplift.error / one.wanted.1.uplift.error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_outcomes_find_a_better_policy_that_late_rewards_hide() {
        let few = Shape { conversions: 3.0, ..Shape::default() };
        let found = power(&few, 400).unwrap();
        println!("{found:?}");
        assert!(found.late < 0.4 && 0.75 < found.early && 1.8 < found.wider);
        let held = [found.late_covered, found.early_covered];
        assert!(held.iter().all(|share| (0.90..=0.97).contains(share)));
        assert!(found.late_fooled <= 0.05 && found.early_fooled <= 0.05);
    }
}
